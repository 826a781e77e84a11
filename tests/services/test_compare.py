"""The agreement report, the difference map and the counts that follow the brush."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Box, Grid
from brainseg_desktop.core.history import History, LabelMap
from brainseg_desktop.core.labels import ET, REGIONS, TC, WT, Tissue
from brainseg_desktop.core.lesions import lesion_wise
from brainseg_desktop.core.metrics import confusion, joint_histogram
from brainseg_desktop.core.surface import surface_distances
from brainseg_desktop.services.compare import DEFINITIONS, compare, difference_map
from brainseg_desktop.services.live_agreement import LiveAgreement

TISSUES = (Tissue.NECROSIS, Tissue.OEDEMA, Tissue.ENHANCING)
SHAPE = (20, 18, 16)
GRID = Grid(SHAPE, np.diag([1.0, 1.0, 2.0, 1.0]))
MEASURES = {
    "dice",
    "iou",
    "precision",
    "sensitivity",
    "specificity",
    "accuracy",
    "hd95_mm",
    "assd_mm",
    "surface_dice",
    "volume_ml",
    "volume_difference_ml",
}
label_arrays = hnp.arrays(np.uint8, (5, 4, 6), elements=st.integers(0, 6))


def tumour(offset=0):
    labels = np.zeros(SHAPE, np.uint8)
    labels[4 + offset : 14 + offset, 4:14, 4:12] = Tissue.OEDEMA
    labels[6 + offset : 12 + offset, 6:12, 5:10] = Tissue.ENHANCING
    labels[8 + offset : 10 + offset, 8:10, 6:8] = Tissue.NECROSIS
    return labels


def test_the_report_equals_the_measures_of_each_region():
    reference, mask = tumour(), tumour(2)
    report = compare(reference, mask, GRID, REGIONS, TISSUES, scheme="brats2021")
    for region in REGIONS:
        a, b = region.mask(reference), region.mask(mask)
        scores = report.regions[region.name]
        assert scores.overlap.dice == confusion(a, b).dice
        assert scores.overlap.specificity == confusion(a, b).specificity
        assert scores.surface.hd95_mm == surface_distances(a, b, GRID.spacing_mm).hd95_mm
        assert scores.lesions.dice == lesion_wise(a, b, GRID.spacing_mm).dice
        assert scores.lesions.hd95_mm == lesion_wise(a, b, GRID.spacing_mm).hd95_mm
    assert report.labels[Tissue.NECROSIS].volume_ml[0].value == pytest.approx(8 * 2 / 1000)
    assert report.regions["WT"].overlap.volume_difference_ml.value == 0.0


def test_the_edge_of_the_crop_is_no_edge_of_the_image():
    reference, mask = np.zeros((2, 30, 30, 30), np.uint8)
    reference[0:9, 5:14, 5:14] = mask[0:8, 5:14, 5:14] = Tissue.ENHANCING
    grid = Grid((30, 30, 30), np.eye(4))
    report = compare(reference, mask, grid, [ET], [])
    whole = surface_distances(reference > 0, mask > 0, grid.spacing_mm)
    assert report.regions["ET"].surface.assd_mm == whole.assd_mm
    assert report.regions["ET"].surface.surface_dice == whole.surface_dice(1.0)


def test_json_has_every_score_as_value_state_unit():
    table = json.loads(json.dumps(compare(tumour(), tumour(1), GRID, REGIONS, TISSUES, 2.0).to_dict()))
    assert set(table["regions"]) == {"WT", "TC", "ET"} == set(table["lesion_wise"])
    assert set(table["labels"]) == {"necrosis", "oedema", "enhancing"}
    for scores in table["regions"].values():
        assert set(scores) == MEASURES
        reference, mask = scores.pop("volume_ml")
        for score in (*scores.values(), reference, mask):
            assert set(score) == {"value", "state", "unit"}
    assert set(table["definitions"]) == set(DEFINITIONS)
    assert "2 mm" in table["definitions"]["surface_dice"]


def test_without_spacing_there_is_nothing_in_mm_or_ml():
    grid = Grid(SHAPE, np.eye(4), spacing_known=False)
    scores = compare(tumour(), tumour(1), grid, [WT], TISSUES).to_dict()
    whole = scores["regions"]["WT"]
    assert whole["dice"]["value"] > 0.8
    for name in ("hd95_mm", "assd_mm", "surface_dice", "volume_difference_ml"):
        assert (whole[name]["value"], whole[name]["state"]) == (None, "no_spacing")
    assert {s["state"] for s in whole["volume_ml"]} == {"no_spacing"}
    assert scores["lesion_wise"]["WT"]["dice"]["state"] == "no_spacing"


def test_two_empty_masks():
    empty = np.zeros(SHAPE, np.uint8)
    scores = compare(empty, empty, GRID, REGIONS, TISSUES).to_dict()["regions"]["WT"]
    assert (scores["dice"]["value"], scores["dice"]["state"]) == (None, "both_empty")
    assert (scores["hd95_mm"]["value"], scores["hd95_mm"]["state"]) == (None, "both_empty")
    assert scores["accuracy"]["value"] == 1.0
    assert scores["volume_ml"][0]["value"] == 0.0


def test_surfaces_only_when_asked_for():
    table = compare(tumour(), tumour(1), GRID, REGIONS, TISSUES, surface=False).to_dict()
    assert "hd95_mm" not in table["regions"]["WT"]
    assert table["lesion_wise"] == {}


def test_masks_of_other_shapes_are_told():
    with pytest.raises(UserError, match="masks_differ_in_shape"):
        compare(tumour(), tumour()[:5], GRID, REGIONS, TISSUES)


@given(label_arrays, label_arrays)
@settings(deadline=None, max_examples=30)
def test_counts_of_the_crop_are_those_of_the_whole(reference, mask):
    grid = Grid((5, 4, 6), np.eye(4))
    report = compare(reference, mask, grid, REGIONS, TISSUES, surface=False)
    for region in REGIONS:
        counts = confusion(region.mask(reference), region.mask(mask))
        assert report.regions[region.name].overlap.accuracy == counts.accuracy
        assert report.regions[region.name].overlap.dice == counts.dice


@given(label_arrays, label_arrays)
@settings(deadline=None, max_examples=30)
def test_the_difference_map_follows_the_masks(reference, mask):
    for region in REGIONS:
        a, b = region.mask(reference), region.mask(mask)
        expected = np.select([a & b, a & ~b, ~a & b], [1, 2, 3], 0)
        np.testing.assert_array_equal(difference_map(reference, mask, region), expected)


boxes = st.tuples(*[st.integers(0, n - 1) for n in SHAPE]).flatmap(
    lambda start: st.tuples(
        st.just(start), st.tuples(*[st.integers(a + 1, n) for a, n in zip(start, SHAPE, strict=True)])
    )
)
actions = st.lists(
    st.one_of(
        st.tuples(boxes, st.integers(0, 6), st.integers(0, 99)), st.sampled_from(["undo", "redo", "cancel"])
    ),
    max_size=12,
)


@given(actions)
@settings(deadline=None, max_examples=50)
def test_live_counts_equal_a_recount_after_any_edits(steps):
    reference, label_map = tumour(), LabelMap(tumour(2))
    history = History(label_map)
    live = LiveAgreement(reference, label_map.array, GRID)
    history.changed.connect(live.update)
    for step in steps:
        if step == "undo":
            history.undo()
        elif step == "redo":
            history.redo()
        elif step == "cancel":
            stroke = history.begin()
            stroke.paint(Box((3, 3, 3), (9, 9, 9)), np.ones((6, 6, 6), bool), 5)
            history.cancel()
        else:
            (start, stop), value, seed = step
            box = Box(start, stop)
            with history.edit("Brush") as stroke:
                stroke.paint(box, np.random.default_rng(seed).random(box.shape) < 0.5, value)
        np.testing.assert_array_equal(live.histogram, joint_histogram(reference, label_map.array))
    whole = compare(reference, label_map.array, GRID, REGIONS, TISSUES, surface=False)
    scores = live.scores(REGIONS, TISSUES)
    for region in REGIONS:
        assert scores[region.name] == whole.regions[region.name].overlap
    for tissue in TISSUES:
        assert scores[tissue.name.lower()] == whole.labels[tissue]
    for axis in range(3):
        found = live.dice_by_slice(axis, TC)
        for index in range(SHAPE[axis]):
            a, b = (TC.mask(x.take(index, axis=axis)) for x in (reference, label_map.array))
            expected = confusion(a, b).dice.value
            assert np.isnan(found[index]) if expected is None else found[index] == pytest.approx(expected)


def test_live_agreement_follows_the_reference_too():
    reference, edited = LabelMap(tumour()), LabelMap(tumour(2))
    live = LiveAgreement(reference.array, edited.array, GRID)
    history = History(reference)
    history.changed.connect(live.update)
    with history.edit("Replace") as stroke:
        stroke.replace(Box((0, 0, 0), SHAPE), tumour(2))
    assert live.dice(WT).value == 1.0


def test_live_agreement_of_empty_masks_and_boxes_outside():
    empty = np.zeros(SHAPE, np.uint8)
    live = LiveAgreement(empty, empty, GRID)
    live.update(Box((0, 0, 0), (0, 0, 0)))
    live.update(Box((-5, -5, -5), (99, 99, 99)))
    assert live.dice(WT).state == "both_empty"
    assert live.histogram[0, 0] == empty.size
    with pytest.raises(ValueError, match="shapes"):
        LiveAgreement(empty, empty[:3], GRID)


def test_distances_of_single_labels_are_there_when_asked_for():
    reference, mask = tumour(), tumour(2)
    plain = compare(reference, mask, GRID, REGIONS, TISSUES)
    assert plain.label_surfaces == {}
    assert "hd95_mm" not in plain.to_dict()["labels"]["oedema"]
    report = compare(reference, mask, GRID, REGIONS, TISSUES, label_surface=True)
    for tissue in TISSUES:
        distances = surface_distances(reference == tissue, mask == tissue, GRID.spacing_mm)
        found = report.label_surfaces[tissue]
        assert (found.hd95_mm, found.assd_mm) == (distances.hd95_mm, distances.assd_mm)
        assert report.to_dict()["labels"][tissue.name.lower()]["hd95_mm"] == distances.hd95_mm.to_dict()


def test_lesions_and_the_place_of_hd95_are_told_in_the_whole_image():
    reference, mask = np.zeros((60, 50, 40), np.uint8), np.zeros((60, 50, 40), np.uint8)
    reference[40:46, 30:36, 30:36] = Tissue.OEDEMA
    mask[40:49, 30:36, 30:36] = Tissue.OEDEMA
    region = compare(reference, mask, Grid(reference.shape, np.eye(4)), (WT,), ()).regions["WT"]
    assert region.lesions.lesions[0].centre == (42, 32, 32)
    assert region.surface.hd95_mm.value == 3.0
    assert region.surface.hd95_voxel[0] == 48
