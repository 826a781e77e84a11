"""The report of one mask of one case: pictures, volumes, agreement with a reference, where it came from."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop import __version__
from brainseg_desktop.core.case import Case, Rating
from brainseg_desktop.core.diameters import rano_diameters
from brainseg_desktop.core.labels import TISSUE_NAMES, Region, Tissue
from brainseg_desktop.core.lesions import LesionScores
from brainseg_desktop.io.schemes import PROGRAM
from brainseg_desktop.services.audit import AuditRecord
from brainseg_desktop.services.charts.sheet import fixed
from brainseg_desktop.services.compare import (
    AgreementReport,
    OverlapScores,
    RegionScores,
    SurfaceScores,
    compare,
)
from brainseg_desktop.services.messages import state_words
from brainseg_desktop.services.picture import largest_slice
from brainseg_desktop.services.report.case_origin import Names, audit_blocks, image_blocks, origin_blocks
from brainseg_desktop.services.report.cells import KINDS, rule_terms, score
from brainseg_desktop.services.report.check_picture import check_png, most_different_slice, sequences_shown
from brainseg_desktop.services.report.document import (
    LEFT,
    RIGHT,
    Block,
    Definitions,
    Document,
    Heading,
    Paragraph,
    Picture,
    Table,
)

Labels = NDArray[np.uint8]
RATIOS = (("dice", "Dice"), ("iou", "IoU"), ("precision", "Precision"), ("sensitivity", "Sensitivity"))
FINE = (("specificity", "Specificity"), ("accuracy", "Accuracy"))


def case_document(
    case: Case,
    shown: Rating,
    reference: Rating | None,
    *,
    remark: str = "",
    show_name: bool = False,
    tolerance_mm: float = 1.0,
    audit: AuditRecord | None = None,
) -> Document:
    """The pages of a case.

    Parameters
    ----------
    shown : Rating
        The mask that the report is about.
    reference : Rating or None
        What it is held against; without one there are no measures of agreement.
    remark : str
        The reader's own words.
    show_name : bool
        Whether the case's name is printed. Without it no name of a case or of a file is, for both may say
        who the patient is.
    tolerance_mm : float
        Of the surface Dice.
    audit : AuditRecord or None
        What became of the labels the mask was started from, in what time.

    Raises
    ------
    UserError
        ``masks_differ_in_shape``; ``resource_missing`` where the font for the pictures is not installed.
    """
    labels = shown.label_map.array
    held = None if reference is None else reference.label_map.array
    report = None if held is None else _agreement(case, shown, held, labels, tolerance_mm)
    names = Names(case, show_name)
    blocks: list[Block] = [
        *_facts(case, shown, reference, names),
        *_remark(remark),
        *_pictures(case, labels, held),
        *_volumes(case, shown, report),
        *_diameters(case, shown),
    ]
    if report is not None:
        blocks += [*_measures(report), *_lesions(report)]
    blocks += [*audit_blocks(audit, names), *origin_blocks(shown, names), *image_blocks(case)]
    if report is not None:
        blocks += [Heading("Rules"), Definitions(rule_terms(report.definitions))]
    return Document(
        title=f"Case report: {case.name}" if show_name else "Case report",
        subtitle=f"Made {datetime.now(UTC):%Y-%m-%d %H:%M} UTC.",
        blocks=tuple(blocks),
        footer="" if show_name else "Without the name of the case",
        software=f"{PROGRAM} {__version__}",
    )


def _rater(rating: Rating, names: Names) -> str:
    return f"{names.said(rating.rater)} ({KINDS[rating.kind]})"


def _agreement(
    case: Case, shown: Rating, reference: Labels, labels: Labels, tolerance_mm: float
) -> AgreementReport:
    scheme = shown.scheme
    return compare(
        reference,
        labels,
        case.grid,
        scheme.regions,
        scheme.tissues,
        tolerance_mm,
        scheme=scheme.name,
        label_surface=True,
    )


def _facts(case: Case, shown: Rating, reference: Rating | None, names: Names) -> Iterator[Block]:
    shape = " x ".join(map(str, case.grid.shape))
    size = " x ".join(f"{v:.3g}" for v in case.grid.spacing_mm) + " mm"
    rows = [
        ("Mask", _rater(shown, names)),
        ("Reference", "none" if reference is None else _rater(reference, names)),
        ("Label scheme", f"{shown.scheme.title} ({shown.scheme.name})"),
        ("Sequences", ", ".join(s.value for s in case.volumes)),
        ("Voxels", f"{shape}, each {size}" if case.grid.spacing_known else f"{shape}, of unknown size"),
    ]
    yield Table(("", "This report is about"), tuple(rows), align=(LEFT, LEFT))


def _remark(remark: str) -> Iterator[Block]:
    if remark.strip():
        yield Heading("Remark")
        yield Paragraph(remark)


def _pictures(case: Case, labels: Labels, reference: Labels | None) -> Iterator[Block]:
    yield Heading("Pictures")
    if not sequences_shown(case):
        yield Paragraph("No sequence lies on the grid of the mask, so there is no picture.")
        return
    largest = largest_slice(labels)
    area = "the largest area of the mask" if labels.any() else "the middle of the image: the mask is empty"
    slices = {largest: f"{area}"}
    if reference is not None:
        worst = most_different_slice(labels, reference)
        if worst is None:
            yield Paragraph("Mask and reference mark the same voxels as whole tumour.")
        elif worst == largest:
            slices[worst] = f"{area}, and the most voxels marked by one of the two only"
        else:
            slices[worst] = "the most voxels marked by one of the two only"
    colours = "outlines and fills in the colours of the labels; patient's right on the left"
    held = "image, reference, mask" if reference is not None else "image, mask"
    for index, why in slices.items():
        png = check_png(case, labels, reference, index)
        yield Picture(
            png, f"Axial slice {index + 1} of {labels.shape[2]}, {why}. {held.capitalize()}: {colours}."
        )


def _volumes(case: Case, shown: Rating, report: AgreementReport | None) -> Iterator[Block]:
    """Volumes of labels and regions, of the reference too where there is one."""
    yield Heading("Volumes")
    labels = shown.label_map.array
    counts = np.bincount(labels.ravel(), minlength=len(Tissue))
    parts = [(TISSUE_NAMES[t], [t]) for t in shown.scheme.tissues]
    parts += [(f"Region {r.name}", list(r.tissues)) for r in shown.scheme.regions]
    scores = [*_of_labels(report), *_of_regions(report)]
    head: tuple[str, ...] = ("Label or region", "Voxels", "Mask (mL)")
    if report is not None:
        head = (*head, "Reference (mL)", "Difference (mL)")
    rows = []
    for place, (name, tissues) in enumerate(parts):
        voxels = int(counts[tissues].sum())
        row: tuple[str, ...] = (name, f"{voxels:,}", _millilitres(case, voxels))
        if report is not None:
            row = (*row, score(scores[place].volume_ml[0], 2), score(scores[place].volume_difference_ml, 2))
        rows.append(row)
    note = "Number of voxels times the volume of one. Difference: mask minus reference."
    yield Table(head, tuple(rows), note=note if report is not None else note.split(".")[0] + ".")


def _of_labels(report: AgreementReport | None) -> list[OverlapScores]:
    return [] if report is None else list(report.labels.values())


def _of_regions(report: AgreementReport | None) -> list[OverlapScores]:
    return [] if report is None else [region.overlap for region in report.regions.values()]


def _millilitres(case: Case, voxels: int) -> str:
    if not case.grid.spacing_known:
        return state_words("no_spacing")
    return fixed(voxels * case.grid.voxel_volume_ml, 2)


def _diameters(case: Case, shown: Rating) -> Iterator[Block]:
    """The two diameters of RANO for each region."""
    rows = [_diameter_row(case, shown.label_map.array, region) for region in shown.scheme.regions]
    head = ("Region", "Long", "Perpendicular", "Product", "Axial slice", "Measurable")
    note = (
        "Longest diameter and longest one perpendicular to it, of the largest connected part in an axial "
        "slice; measurable by RANO 2.0: both 10 mm or more (two slices where slices are thicker than "
        "5 mm), on two slices at least."
    )
    yield Table(head, tuple(rows), "Diameters", note=note)


def _diameter_row(case: Case, labels: Labels, region: Region) -> tuple[str, ...]:
    found = rano_diameters(region.mask(labels), case.grid)
    if found is None:
        return (region.name, state_words("empty"), *("" for _ in range(4)))
    lengths = (f"{fixed(v, 1)} {found.unit}" for v in (found.long, found.short))
    product = f"{fixed(found.product, 0)} {found.unit}²"
    return (region.name, *lengths, product, str(found.index + 1), "yes" if found.measurable else "no")


def _measures(report: AgreementReport) -> Iterator[Block]:
    """All measures of agreement, the regions in rows; then the labels'."""
    yield Heading("Agreement with the reference")
    rows = tuple((name, *_overlap_cells(r.overlap), *_outline_cells(r)) for name, r in report.regions.items())
    heads = tuple(title for _, title in (*RATIOS, *FINE))
    outlines = ("HD95 (mm)", "ASSD (mm)", f"Surface Dice ({report.tolerance_mm:g} mm)")
    lesions = ("Lesion-wise Dice", "Lesion-wise HD95 (mm)")
    yield Table(
        ("Region", *heads), tuple((row[0], *row[1 : len(heads) + 1]) for row in rows), "Regions: overlap"
    )
    yield Table(
        ("Region", *outlines, *lesions),
        tuple((row[0], *row[len(heads) + 1 :]) for row in rows),
        "Regions: outlines and lesions",
        note="A measure without a number says why: how many of the two masks are empty, or that the files "
        "state no voxel size. Rules at the end.",
    )
    labels = tuple((TISSUE_NAMES[t], *_overlap_cells(s)) for t, s in report.labels.items())
    yield Table(("Label", *heads), labels, "Labels: overlap")
    distances = tuple((TISSUE_NAMES[t], *_surface_cells(s)) for t, s in report.label_surfaces.items())
    yield Table(("Label", *outlines), distances, "Labels: outlines")


def _overlap_cells(found: OverlapScores) -> tuple[str, ...]:
    ratios = (score(getattr(found, name), 3) for name, _ in RATIOS)
    return (*ratios, *(score(getattr(found, name), 5) for name, _ in FINE))


def _outline_cells(found: RegionScores) -> tuple[str, ...]:
    lesions = found.lesions
    means = (None, None) if lesions is None else (lesions.dice, lesions.hd95_mm)
    return (*_surface_cells(found.surface), score(means[0], 3), score(means[1], 2))


def _surface_cells(found: SurfaceScores | None) -> tuple[str, ...]:
    if found is None:
        return (score(None, 2),) * 3
    return (score(found.hd95_mm, 2), score(found.assd_mm, 2), score(found.surface_dice, 3))


def _lesions(report: AgreementReport) -> Iterator[Block]:
    yield Heading("Lesion by lesion")
    for name, region in report.regions.items():
        lesions = region.lesions
        if lesions is None or not lesions.lesions:
            why = state_words(lesions.dice.state) if lesions is not None else "not measured"
            yield Paragraph(f"{name}: no lesion in either mask ({why}).")
            continue
        yield _lesion_table(name, lesions)


def _lesion_table(region: str, found: LesionScores) -> Table:
    rows = tuple(
        (
            str(place),
            lesion.status if lesion.counted else f"{lesion.status}, not counted",
            fixed(lesion.dice, 3),
            fixed(lesion.hd95_mm, 2),
            fixed(lesion.reference_ml, 2),
            fixed(lesion.mask_ml, 2),
            " ".join(str(v + 1) for v in lesion.centre),
        )
        for place, lesion in enumerate(found.lesions, 1)
    )
    counts = ", ".join(f"{found.count(status)} {status}" for status in ("matched", "missed", "false"))
    left_out = sum(not lesion.counted for lesion in found.lesions)
    return Table(
        ("No.", "Lesion", "Dice", "HD95 (mm)", "Reference (mL)", "Mask (mL)", "Middle voxel"),
        rows,
        f"{region}: {counts}, {left_out} not counted",
        (LEFT, LEFT, RIGHT, RIGHT, RIGHT, RIGHT, RIGHT),
        "BraTS 2023 rules. Voxels are counted from 1, from the patient's left, back and feet.",
    )
