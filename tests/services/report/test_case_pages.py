"""The report of a case: what is measured is said, what has no number says why, and no name slips in."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brainseg_desktop.core.audit import Given, Tally, ToolUse, Totals
from brainseg_desktop.core.case import Case, RaterKind, Rating
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.history import LabelMap
from brainseg_desktop.core.labels import TISSUE_COLOURS, Tissue
from brainseg_desktop.core.volume import Sequence, Source, Volume
from brainseg_desktop.io.schemes import scheme_named
from brainseg_desktop.services.audit import Audit
from brainseg_desktop.services.compare import compare
from brainseg_desktop.services.report.case_pages import case_document
from brainseg_desktop.services.report.check_picture import PANEL_PIXELS, check_png, most_different_slice
from brainseg_desktop.services.report.document import Document, Heading, Paragraph, Picture, Table
from brainseg_desktop.services.report.html import to_html
from brainseg_desktop.services.report.pdf import to_pdf
from tests.html_reading import outline
from tests.pdf_reading import on_the_page, read_pages

SHAPE = (40, 44, 20)
SCHEME = scheme_named("brats2021")


def ball(centre: tuple[int, int, int], radius: float, tissue: Tissue) -> np.ndarray:
    x, y, z = np.indices(SHAPE)
    inside = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2 <= radius**2
    return np.where(inside, np.uint8(tissue), np.uint8(0))


def rating(name: str, labels: np.ndarray, kind: RaterKind = RaterKind.HUMAN, **more: object) -> Rating:
    return Rating(name, kind, LabelMap(labels), SCHEME, **more)  # type: ignore[arg-type]


@pytest.fixture
def make_case() -> Callable[..., Case]:
    def make(
        spacing: float | None = 1.0, sequences: tuple[Sequence, ...] = (Sequence.FLAIR, Sequence.T1CE)
    ) -> Case:
        grid = Grid(SHAPE, np.diag([spacing or 1.0] * 3 + [1.0]), spacing_known=spacing is not None)
        data = ball((20, 22, 10), 15, Tissue.NECROSIS).astype(np.float32) * 400
        volumes = {
            s: Volume(data, grid, Source(Path(f"/archive/Jane_Doe_{s.value}.nii.gz"), s.value * 16), s)
            for s in sequences
        }
        return Case("Jane_Doe", grid, volumes)

    return make


REFERENCE = ball((20, 22, 10), 5, Tissue.OEDEMA)
MASK = ball((22, 22, 12), 5, Tissue.OEDEMA)


def table(document: Document, first: str, caption: str = "") -> Table:
    return next(
        b for b in document.blocks if isinstance(b, Table) and b.header[0] == first and caption in b.caption
    )


def words_of(document: Document) -> str:
    return " ".join(outline(to_html(document)).words)


def test_volumes_and_measures_are_those_of_compare(make_case: Callable[..., Case]) -> None:
    case = make_case()
    document = case_document(case, rating("Anna", MASK), rating("Ref", REFERENCE, RaterKind.REFERENCE))
    report = compare(REFERENCE, MASK, case.grid, SCHEME.regions, SCHEME.tissues)
    volumes = {row[0]: row[1:] for row in table(document, "Label or region").rows}
    voxels = int((MASK != 0).sum())
    assert volumes["Oedema"][:3] == (
        f"{voxels:,}",
        f"{voxels / 1000:.2f}",
        f"{(REFERENCE != 0).sum() / 1000:.2f}",
    )
    assert volumes["Region WT"][:2] == volumes["Oedema"][:2]
    overlap = {row[0]: row[1:] for row in table(document, "Region", "Regions: overlap").rows}
    assert overlap["WT"][0] == f"{report.regions['WT'].overlap.dice.value:.3f}"
    assert overlap["ET"][0] == "both empty"
    outlines = {row[0]: row[1:] for row in table(document, "Region", "outlines").rows}
    surface = report.regions["WT"].surface
    assert surface is not None
    assert outlines["WT"][0] == f"{surface.hd95_mm.value:.2f}"
    assert outlines["ET"] == ("both empty",) * 5
    labels = {row[0]: row[1:] for row in table(document, "Label", "outlines").rows}
    assert labels["Oedema"] == outlines["WT"][:3]
    assert labels["Necrosis"] == ("both empty",) * 3
    lesions = table(document, "No.")
    # Counted from 1, in the whole image.
    assert lesions.rows[0][-1] == "21 23 11"
    assert lesions.caption == "WT: 1 matched, 0 missed, 0 false, 0 not counted"
    assert lesions.rows[0][1:3] == ("matched", overlap["WT"][0])
    said = words_of(document)
    assert "TC: no lesion in either mask (both empty)." in said
    diameters = {row[0]: row[1:] for row in table(document, "Region", "Diameters").rows}
    assert diameters["WT"][:2] == ("11.0 mm", "11.0 mm")
    assert diameters["WT"][3:] == ("13", "yes")
    assert diameters["ET"][0] == "nothing marked"


def test_the_pictures_are_of_the_largest_and_of_the_most_different_slice(
    make_case: Callable[..., Case],
) -> None:
    document = case_document(make_case(), rating("Anna", MASK), rating("Ben", REFERENCE))
    pictures = [b for b in document.blocks if isinstance(b, Picture)]
    difference = (MASK != REFERENCE).sum(axis=(0, 1))
    assert [p.caption.split(",")[0] for p in pictures] == [
        "Axial slice 13 of 20",
        f"Axial slice {difference.argmax() + 1} of 20",
    ]
    assert most_different_slice(MASK, REFERENCE) == difference.argmax()
    image = Image.open(io.BytesIO(pictures[0].png))
    assert image.width > 3 * PANEL_PIXELS
    assert image.height > 2 * PANEL_PIXELS


def test_the_three_panels_show_image_outline_and_fill(make_case: Callable[..., Case]) -> None:
    case = make_case(sequences=(Sequence.FLAIR,))
    pixels = np.asarray(Image.open(io.BytesIO(check_png(case, MASK, REFERENCE, 11)))).astype(int)
    first, second, third = (pixels[:, i * (PANEL_PIXELS + 6) :][:, :PANEL_PIXELS] for i in range(3))
    colour = np.array(TISSUE_COLOURS[Tissue.OEDEMA])
    assert not (first == colour).all(axis=2).any()
    outlined = (second == colour).all(axis=2)
    assert outlined.any()
    # An outline is hollow: its middle is the image.
    rows, columns = np.nonzero(outlined)
    middle = second[round(rows.mean()), round(columns.mean())]
    assert middle[0] == middle[1] == middle[2]
    filled = third[:, :, 1] - third[:, :, 0] > 60
    # The mask lies 2 mm to the patient's right of the reference, so further left in the picture.
    assert filled.sum() > outlined.sum()
    assert np.nonzero(filled)[1].mean() < columns.mean()


def test_without_a_reference_nothing_is_compared(make_case: Callable[..., Case]) -> None:
    document = case_document(make_case(), rating("Anna", MASK), None)
    heads = [b.text for b in document.blocks if isinstance(b, Heading)]
    assert "Agreement with the reference" not in heads
    assert table(document, "Label or region").header == ("Label or region", "Voxels", "Mask (mL)")
    assert len([b for b in document.blocks if isinstance(b, Picture)]) == 1


def test_equal_masks_and_empty_masks_are_said(make_case: Callable[..., Case]) -> None:
    same = case_document(make_case(), rating("Anna", MASK), rating("Ben", MASK.copy()))
    assert "mark the same voxels" in words_of(same)
    nothing = np.zeros(SHAPE, np.uint8)
    empty = case_document(make_case(), rating("Anna", nothing), rating("Ben", nothing.copy()))
    said = words_of(empty)
    assert "the mask is empty" in said
    assert "WT: no lesion in either mask (both empty)." in said
    assert all(row[1:] == ("0", "0.00", "0.00", "0.00") for row in table(empty, "Label or region").rows)


def test_without_a_voxel_size_there_are_no_millimetres(make_case: Callable[..., Case]) -> None:
    document = case_document(make_case(None), rating("Anna", MASK), rating("Ben", REFERENCE))
    assert {row[2] for row in table(document, "Label or region").rows} == {"no voxel size"}
    outlines = table(document, "Region", "outlines").rows
    assert all(set(row[1:]) == {"no voxel size"} for row in outlines)
    assert "of unknown size" in words_of(document)
    assert table(document, "Region", "Diameters").rows[0][1].endswith(" px")


def test_no_name_of_case_or_file_is_printed_unless_asked_for(make_case: Callable[..., Case]) -> None:
    case = make_case()
    source = Source(Path("/archive/Jane_Doe_second.nii.gz"), "f" * 64)
    shown = rating("Jane_Doe_second", MASK, source=source)
    case.ratings.append(shown)
    given = Tally(Totals(Given.of("Jane_Doe_flair_seg", REFERENCE), {}))
    record = Audit(case, shown, given).record()
    shown.details = {"started_from": {"rater": "Jane_Doe_seg", "model": "glioma-unet"}}
    document = case_document(case, shown, rating("Reference", REFERENCE), audit=record)
    html, pdf = to_html(document), to_pdf(document, compressed=False)
    for secret in ("Jane", "Doe", "archive", ".nii"):
        assert secret not in html
        assert secret.encode() not in pdf
        assert all(secret not in page.text for page in read_pages(pdf))
    assert "FLAIR" * 16 in html
    named = to_html(case_document(case, shown, None, show_name=True))
    assert "Case report: Jane_Doe" in named


def test_audit_remark_and_network_are_told(make_case: Callable[..., Case]) -> None:
    case = make_case()
    details = {"model": "glioma-unet", "version": "2", "sha256": "ab" * 32, "sequences_used": ["T1", "FLAIR"]}
    shown = rating("Łukasz", MASK, details={"started_from": {"rater": "AI (glioma-unet)", **details}})
    tools = {"Brush": ToolUse(12, 1, 3456, 345_000)}
    record = Audit(case, shown, Tally(Totals(Given.of("AI (glioma-unet)", REFERENCE), tools))).record()
    remark = "The margin is uncertain; see Müller <2>."
    document = case_document(
        case, shown, rating("AI", REFERENCE, RaterKind.MODEL, details=details), remark=remark, audit=record
    )
    changes = {row[0]: row[1:] for row in table(document, "Label or region", "What became").rows}
    kept = int(((MASK != 0) & (REFERENCE != 0)).sum()) / 1000
    assert changes["Oedema"][1] == f"{kept:.2f}"
    assert table(document, "Tool").rows == (("Brush", "12", "1", "3,456", "5.8"),)
    headings = [b.text for b in document.blocks if isinstance(b, Heading)]
    assert {"Remark", "Started from", "Audit"} <= set(headings)
    assert "Made by a network" not in headings
    assert Paragraph(remark) in document.blocks
    origin = dict(
        row for b in document.blocks if isinstance(b, Table) and "card" in b.header[-1] for row in b.rows
    )
    assert origin["Network"] == "glioma-unet"
    assert origin["SHA-256 of the weights"] == "ab" * 32
    assert origin["Sequences it read"] == "T1, FLAIR"
    pages = read_pages(to_pdf(document, compressed=False))
    text = "".join(p.text for p in pages).replace(" ", "")
    assert remark.replace(" ", "") in text
    for page in pages:
        on_the_page(page)


@pytest.mark.parametrize(
    ("case_name", "rater", "printed"),
    [
        ("7", "Reader 7", True),
        ("7", "7_seg", False),
        ("7", "7", False),
        ("Jane_Doe", "jane_doe second", False),
    ],
)
def test_a_short_name_of_a_case_hides_only_what_is_called_after_it(
    make_case: Callable[..., Case], case_name: str, rater: str, printed: bool
) -> None:
    case = make_case()
    case.name = case_name
    document = case_document(case, rating(rater, MASK), None)
    mask = dict(table(document, "").rows)["Mask"]
    assert mask == (f"{rater} (reader)" if printed else "\N{EN DASH} (reader)")
