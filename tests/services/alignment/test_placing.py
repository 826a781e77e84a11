"""What is done with sequences on other grids: placed, judged, kept, restored, and given to the network."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from brainseg_desktop.core.case import Case, Placement
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.rigid import RigidTransform
from brainseg_desktop.core.volume import Sequence, Source, Volume
from brainseg_desktop.services.alignment.placing import (
    alignment_record,
    by_headers,
    by_registration,
    movable,
    network_volumes,
    place_by_headers,
    reference_sequence,
    restore,
)
from brainseg_desktop.services.alignment.registration import Registration
from brainseg_desktop.services.alignment.resampling import resample
from brainseg_desktop.services.case_display import CaseDisplay, load_display, save_display
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.opening import reference_grid
from tests.exams import oblique_grid, phantom

MOTION = RigidTransform.about((0, 0, 1), 5, shift_mm=(6, -4, 3))


def exam() -> Case:
    """FLAIR and T1 on one grid, T2 on an oblique one of thick slices."""
    flair = phantom()
    grid = oblique_grid(flair.grid, (2.5, 2.5, 6.0), np.array([1.0, 2.0, 0.5]), 10, np.zeros(3))
    t2 = replace(resample(flair, grid), source=Source(Path("t2.nii"), "2"), sequence=Sequence.T2)
    t1 = replace(flair, source=Source(Path("t1.nii"), "1"), sequence=Sequence.T1)
    return Case("a", flair.grid, {Sequence.T1: t1, Sequence.T2: t2, Sequence.FLAIR: flair})


def found(transform: RigidTransform = MOTION, before: float = 0.2, after: float = 0.9) -> Registration:
    return Registration(transform, before, after, "headers")


def test_what_can_be_moved_and_to_what() -> None:
    case = exam()
    assert reference_sequence(case) is Sequence.FLAIR
    assert movable(case) == (Sequence.T1, Sequence.T2)
    loose = Volume(np.ones((2, 2, 2)), Grid((2, 2, 2), np.eye(4), spacing_known=False), Source(Path("a"), ""))
    assert movable(Case("b", loose.grid, {Sequence.FLAIR: loose})) == ()


def test_by_headers_the_network_gets_it_on_the_grid_of_the_masks() -> None:
    case = exam()
    assert set(network_volumes(case)) == {Sequence.T1, Sequence.FLAIR}
    (note, *_) = place_by_headers(case)
    assert note.code == "sequence_resampled"
    inputs = network_volumes(case)
    assert all(v.data.shape == case.grid.shape for v in inputs.values())
    agreement = np.corrcoef(inputs[Sequence.T2].data.ravel(), inputs[Sequence.FLAIR].data.ravel())[0, 1]
    assert agreement > 0.97
    # What is shown is still what was measured.
    assert case.volumes[Sequence.T2] is case.as_read(Sequence.T2)
    assert case.off_grid == {Sequence.T2: "shape"}


def test_a_registered_sequence_is_the_same_voxels_elsewhere() -> None:
    case = exam()
    placement, quality = by_registration(case, Sequence.T2, found())
    assert (quality.is_refused, quality.doubts) == (False, ())
    case.place(Sequence.T2, placement)
    read, now = case.as_read(Sequence.T2), case.volumes[Sequence.T2]
    assert np.array_equal(now.data, read.data)
    assert now.grid.voxel_to_world == pytest.approx(MOTION.matrix @ read.grid.voxel_to_world)
    assert network_volumes(case)[Sequence.T2].data == pytest.approx(resample(now, case.grid).data)
    case.place(Sequence.T2, None)
    assert case.volumes[Sequence.T2] is read
    assert dict(case.placements) == {}


def test_a_moved_sequence_of_the_same_grid_is_no_longer_read_by_voxels() -> None:
    case = exam()
    case.place(Sequence.T1, by_registration(case, Sequence.T1, found())[0])
    assert not case.is_aligned(Sequence.T1)
    assert network_volumes(case)[Sequence.T1].data.shape == case.grid.shape


def test_the_reference_is_not_moved_away() -> None:
    flair = phantom()
    case = Case("a", flair.grid, {Sequence.FLAIR: flair})
    with pytest.raises(ValueError, match="stays where it is"):
        case.place(Sequence.FLAIR, Placement("registered", MOTION))
    assert case.is_aligned(Sequence.FLAIR)


@pytest.mark.parametrize(
    ("registration", "doubt"),
    [
        (found(RigidTransform.about((0, 0, 1), 0, shift_mm=(31, 0, 0))), "alignment_far"),
        (found(RigidTransform.about((0, 0, 1), 40)), "alignment_far"),
        (found(after=0.1), "alignment_worse"),
        (found(after=0.2), "alignment_worse"),
        (found(RigidTransform.about((0, 0, 1), 0, shift_mm=(0, 0, 500))), "alignment_apart"),
    ],
)
def test_what_looks_wrong_is_refused_in_words(registration: Registration, doubt: str) -> None:
    case = exam()
    _, quality = by_registration(case, Sequence.T2, registration)
    assert doubt in quality.doubts
    assert quality.is_refused


def test_a_shift_is_measured_in_the_head_and_not_at_the_origin() -> None:
    flair = phantom()
    affine = np.array(flair.grid.voxel_to_world)
    affine[:3, 3] += 1000  # a turn about the head's middle moves the origin of the world by far
    grid = Grid(flair.grid.shape, affine)
    far = replace(flair, grid=grid)
    case = Case("a", grid, {Sequence.FLAIR: far, Sequence.T2: replace(far, sequence=Sequence.T2)})
    middle = grid.world_of(np.array(grid.shape) // 2)
    turn = RigidTransform.about((0, 0, 1), 10, middle, (3, 0, 4))
    _, quality = by_registration(case, Sequence.T2, found(turn))
    assert quality.shift_mm == pytest.approx(5, abs=0.6)
    assert not quality.is_refused


def test_a_slab_is_told_and_one_beside_the_head_is_left_out() -> None:
    flair = phantom()
    for start, code in ((20, "alignment_partial"), (39, "alignment_apart")):
        affine = np.array(flair.grid.voxel_to_world)
        affine[2, 3] += 3.0 * start
        slab = Volume(flair.data[:, :, :10], Grid((48, 56, 10), affine), flair.source, Sequence.T2)
        case = Case("a", flair.grid, {Sequence.FLAIR: flair, Sequence.T2: slab})
        notes = place_by_headers(case)
        assert code in [n.code for n in notes]
        assert (Sequence.T2 in case.placements) is (code == "alignment_partial")
        assert all("T2" in words(n) for n in notes)


def test_it_is_kept_with_the_display_and_comes_back() -> None:
    case = exam()
    case.place(Sequence.T2, by_registration(case, Sequence.T2, found())[0])
    case.place(Sequence.T1, by_headers(case, Sequence.T1)[0])
    save_display(case, CaseDisplay(alignment=json.loads(json.dumps(alignment_record(case)))))
    again = exam()
    kept = load_display(again)
    assert kept is not None
    assert restore(again, kept.alignment) == ["T2", "T1"]
    assert again.volumes[Sequence.T2].grid.mismatch(case.volumes[Sequence.T2].grid, 1e-6) is None
    assert alignment_record(again) == alignment_record(case)


@pytest.mark.parametrize(
    "record",
    [
        {"T7": {"how": "headers", "matrix": np.eye(4).tolist(), "reference": "FLAIR"}},
        {"T2": {"how": "headers", "matrix": np.eye(4).tolist(), "reference": "T1CE"}},
        {"T2": {"how": "magic", "matrix": np.eye(4).tolist(), "reference": "FLAIR"}},
        {"T2": {"how": "registered", "matrix": np.ones((4, 4)).tolist(), "reference": "FLAIR"}},
        {"T2": {"how": "registered", "reference": "FLAIR"}},
        {"FLAIR": {"how": "registered", "matrix": np.eye(4).tolist(), "reference": "FLAIR"}},
    ],
)
def test_a_record_that_makes_no_sense_is_passed_over(record: dict) -> None:
    case = exam()
    assert restore(case, record) == []
    assert dict(case.placements) == {}


def test_the_reader_chooses_the_grid_where_no_mask_does() -> None:
    case = exam()
    t2 = case.volumes[Sequence.T2].grid
    assert reference_grid(case.volumes, (), Sequence.T2) is t2
    assert reference_grid(case.volumes, (), Sequence.T1CE) is not t2
    assert reference_grid(case.volumes, (case.grid,), Sequence.T2) is not t2
