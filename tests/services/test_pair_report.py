"""All measures of two masks of a case, their tables, and where each number leads."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from brainseg_desktop.core.case import Case, RaterKind, Rating
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.history import LabelMap
from brainseg_desktop.core.kappa import cohen_kappa
from brainseg_desktop.core.labels import ET, REGIONS, TC, WT, Tissue
from brainseg_desktop.core.metrics import confusion
from brainseg_desktop.core.surface import surface_distances
from brainseg_desktop.core.volume import Sequence, Source, Volume
from brainseg_desktop.io.schemes import scheme_named
from brainseg_desktop.services.pair_report import PairReport, PairSource, measure_pair
from brainseg_desktop.services.pair_tables import (
    COLUMNS,
    DASH,
    cell,
    columns_of,
    definition,
    lesion_summary,
    lesions_table,
    measures_table,
    rule,
    state_words,
    tsv,
    write_tables,
)

SHAPE = (40, 36, 30)
GRID = Grid(SHAPE, np.diag([1.0, 1.0, 2.0, 1.0]))
# An affine of nothing but ones and no unit is how a stack of slices comes.
BARE = Grid(SHAPE, np.eye(4), spacing_known=False)
TISSUES = (Tissue.NECROSIS, Tissue.OEDEMA, Tissue.ENHANCING)
BY_KEY = {column.key: column for column in COLUMNS}


def boxed(*parts: tuple[tuple[slice, slice, slice], Tissue]) -> np.ndarray:
    labels = np.zeros(SHAPE, np.uint8)
    for where, tissue in parts:
        labels[where] = tissue
    return labels


BIG = (slice(4, 14), slice(4, 14), slice(4, 12))
MOVED = (slice(5, 15), slice(4, 14), slice(4, 12))
MISSED = (slice(26, 32), slice(6, 12), slice(6, 10))
FALSE = (slice(24, 27), slice(24, 30), slice(20, 24))
SPECK = (slice(34, 36), slice(30, 32), slice(26, 28))
REFERENCE = boxed((BIG, Tissue.OEDEMA), (MISSED, Tissue.OEDEMA), (SPECK, Tissue.OEDEMA))
MASK = boxed((MOVED, Tissue.OEDEMA), (FALSE, Tissue.OEDEMA))


def report_of(reference: np.ndarray, mask: np.ndarray, grid: Grid = GRID, mm: float = 1.0) -> PairReport:
    source = PairSource("case", "A", "B", reference, mask, grid, REGIONS, TISSUES, "brats2021")
    return measure_pair(source, mm)


def test_rows_are_regions_and_labels_with_the_measures_of_each() -> None:
    report = report_of(REFERENCE, MASK)
    assert list(report.rows) == ["WT", "TC", "ET", "Necrosis", "Oedema", "Enhancing"]
    for row, region in report.rows.items():
        first, second = region.mask(REFERENCE), region.mask(MASK)
        counts = confusion(first, second)
        assert report.confusion(row) == counts
        assert report.overlap(row).dice == counts.dice
        distances = surface_distances(first, second, GRID.spacing_mm)
        found = report.surface(row)
        assert (found.hd95_mm, found.assd_mm) == (distances.hd95_mm, distances.assd_mm)
        assert found.surface_dice == distances.surface_dice(1.0)
        assert (report.lesions(row) is None) == (region not in REGIONS)


@settings(max_examples=30, deadline=None)
@given(hnp.arrays(np.uint8, (4, 3, 5), elements=st.integers(0, 3)), st.data())
def test_kappa_slices_and_worst_slice_equal_a_full_count(first: np.ndarray, data: st.DataObject) -> None:
    second = data.draw(hnp.arrays(np.uint8, first.shape, elements=st.integers(0, 3)))
    grid = Grid(first.shape, np.eye(4))
    report = measure_pair(PairSource("case", "A", "B", first, second, grid, REGIONS, TISSUES, ""))
    for row, region in report.rows.items():
        assert report.kappa(row) == cohen_kappa(first, second, [region.tissues], scope="grid")
        a, b = region.mask(first), region.mask(second)
        for axis in range(3):
            across = tuple(n for n in range(3) if n != axis)
            counts = report.slices(row, axis)
            np.testing.assert_array_equal(counts.reference, a.sum(axis=across))
            np.testing.assert_array_equal(counts.mask, b.sum(axis=across))
            np.testing.assert_array_equal(counts.differing, (a != b).sum(axis=across))
            voxel = report.worst_voxel(row, axis)
            if (a == b).all():
                assert voxel is None
            else:
                assert (a != b)[voxel]
                assert voxel[axis] == (a != b).sum(axis=across).argmax()


def test_a_number_leads_to_the_slice_that_differs_most_and_hd95_to_its_voxel() -> None:
    report = report_of(REFERENCE, MASK)
    assert report.worst_voxel("WT", 2)[2] in range(6, 10)
    at = report.surface("WT").hd95_voxel
    value = report.surface("WT").hd95_mm.value
    first, second = WT.mask(REFERENCE), WT.mask(MASK)
    origin, target = (first, second) if first[at] else (second, first)
    assert origin[at]
    steps = (np.argwhere(target) - np.array(at)) * np.array(GRID.spacing_mm)
    assert np.sqrt((steps**2).sum(axis=1)).min() == pytest.approx(value, rel=0.1)


def test_a_slice_leads_to_the_middle_of_what_is_marked_on_it() -> None:
    report = report_of(REFERENCE, MASK)
    assert report.middle_of_slice("WT", 2, 27) in ((34, 30, 27), (34, 31, 27), (35, 30, 27), (35, 31, 27))
    assert report.middle_of_slice("WT", 2, 0) is None


def test_every_lesion_is_matched_missed_false_or_left_out_and_has_its_place() -> None:
    report = report_of(REFERENCE, MASK)
    lesions = report.lesions("WT").lesions
    assert [lesion.status for lesion in lesions] == ["matched", "missed", "missed", "false"]
    assert [lesion.counted for lesion in lesions] == [True, True, False, True]
    for lesion, where in zip(lesions, (BIG, MISSED, SPECK, FALSE), strict=True):
        assert all(s.start <= v < s.stop for v, s in zip(lesion.centre, where, strict=True))
    text = lesion_summary(report, "WT")
    assert text.startswith("WT: 1 matched, 1 missed, 1 false, 1 left out (up to 50 mm\u00b3")
    assert "regions" in lesion_summary(report, "Oedema")
    table = lesions_table(report)
    assert [row[1] for row in table if row[0] == "WT"] == ["matched", "missed", "left out, missed", "false"]
    # Slices are numbered from 1, as in the views.
    assert table[4][-3:] == [str(v + 1) for v in lesions[3].centre]


def test_an_empty_mask_is_said_in_words_beside_a_dash() -> None:
    report = report_of(REFERENCE, np.zeros(SHAPE, np.uint8))
    assert state_words(report, "WT") == "mask empty"
    assert cell(report, "WT", BY_KEY["dice"]) == "0.000"
    assert cell(report, "WT", BY_KEY["hd95_mm"]) == DASH
    assert "B does not mark WT" in rule(report, "WT")
    assert "precision" in rule(report, "WT")
    assert report.surface("WT").hd95_voxel is None
    assert state_words(report, "ET") == "both empty"
    assert cell(report, "ET", BY_KEY["dice"]) == DASH
    assert cell(report, "ET", BY_KEY["kappa"]) == DASH
    assert "leaves this case out" in rule(report, "ET")
    assert lesion_summary(report, "ET").endswith("No lesion to score.")
    turned = report_of(np.zeros(SHAPE, np.uint8), REFERENCE)
    assert state_words(turned, "WT") == "reference empty"
    assert "A does not mark WT" in rule(turned, "WT")
    assert "sensitivity" in rule(turned, "WT")


def test_without_a_voxel_size_there_is_no_millimetre_and_volumes_are_counted() -> None:
    report = report_of(REFERENCE, MASK, BARE)
    columns = {c.key: c for c in columns_of(report)}
    assert cell(report, "WT", columns["hd95_mm"]) == DASH
    assert columns["mask_ml"].heading == "Mask vox."
    assert columns["mask_ml"].full_heading == "Mask volume, voxels"
    assert cell(report, "WT", columns["mask_ml"]) == f"{np.count_nonzero(MASK):,}"
    assert "no voxel size" in state_words(report, "WT")
    assert "voxels" in rule(report, "WT")
    assert "no voxel size" in lesion_summary(report, "WT")
    assert lesions_table(report) == lesions_table(report)[:1]


def test_the_tolerance_is_in_the_number_and_in_its_definition() -> None:
    near, far = report_of(REFERENCE, MASK, mm=0.5), report_of(REFERENCE, MASK, mm=3.0)
    assert far.surface("WT").surface_dice.value > near.surface("WT").surface_dice.value
    assert "within 3 mm" in definition(BY_KEY["surface_dice"], 3.0)


def test_tables_are_written_with_units_and_all_digits(tmp_path: Path) -> None:
    report = report_of(REFERENCE, MASK)
    paths = write_tables(tmp_path / "pair.csv", report)
    assert [p.name for p in paths] == ["pair.csv", "pair_lesions.csv"]
    with paths[0].open(newline="") as file:
        rows = list(csv.reader(file))
    head = next(n for n, row in enumerate(rows) if row[:1] == ["Region"])
    assert "HD95, mm" in rows[head]
    assert "Reference volume, mL" in rows[head]
    wt = dict(zip(rows[head], rows[head + 1], strict=True))
    assert float(wt["Dice"]) == pytest.approx(report.overlap("WT").dice.value, rel=1e-5)
    # What has no value is an empty cell, with the reason beside it.
    et = dict(zip(rows[head], rows[head + 3], strict=True))
    assert et["Dice"] == ""
    assert et["State"] == "both empty"
    shown = tsv(measures_table(report)).splitlines()
    assert len(shown) == 7
    assert all(line.count("\t") == len(COLUMNS) + 1 for line in shown)


def test_a_table_that_cannot_be_written_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError):
        write_tables(tmp_path / "missing" / "pair.csv", report_of(REFERENCE, MASK))
    assert list(tmp_path.iterdir()) == []


def test_the_source_is_a_copy_with_what_both_schemes_can_tell() -> None:
    volume = Volume(np.zeros(SHAPE, np.int16), GRID, Source(Path("a.nii"), ""), Sequence.FLAIR)
    case = Case("case", GRID, {Sequence.FLAIR: volume})
    full = Rating("A", RaterKind.HUMAN, LabelMap(REFERENCE), scheme_named("brats2021"))
    whole = Rating(
        "B", RaterKind.HUMAN, LabelMap((MASK > 0).astype(np.uint8) * np.uint8(6)), scheme_named("lgg")
    )
    source = PairSource.of(case, full, whole)
    assert source.regions == (WT,)
    assert source.tissues == (*TISSUES, Tissue.TUMOUR)
    assert not np.shares_memory(source.reference, full.label_map.array)
    both = PairSource.of(case, full, full)
    assert both.regions == (WT, TC, ET)
