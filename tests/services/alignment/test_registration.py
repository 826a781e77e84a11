"""Registration: known motions are found back, and its process can be ended, killed and lied to."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.rigid import RigidTransform
from brainseg_desktop.core.volume import Sequence, Volume
from brainseg_desktop.services.alignment.client import register_rigid
from brainseg_desktop.services.alignment.registration import register
from tests.exams import Exam, make_exam, phantom, read_sample

SLEEPER = [sys.executable, "-c", "import sys, time; sys.stdin.readline(); time.sleep(60)"]


def error_mm(exam: Exam, sequence: Sequence, found: RigidTransform) -> tuple[float, float]:
    """Largest error over the brain in mm, and of the angle in degrees."""
    # The points as the sequence's header has them, brought back by what was found.
    left = found.compose(exam.motions[sequence].inverse())
    return float(left.shift_mm(exam.points).max()), left.angle_degrees


def moved_phantom(motion: RigidTransform) -> Volume:
    volume = phantom()
    return Volume(volume.data, motion.moved(volume.grid), volume.source, Sequence.T2)


@pytest.mark.parametrize("seed", [1, 2])
def test_thick_oblique_slices_of_another_sequence_are_brought_back(sample_dir: Path, seed: int) -> None:
    volumes = read_sample(sample_dir)
    kept = {s: volumes[s] for s in (Sequence.FLAIR, (Sequence.T2, Sequence.T1CE)[seed % 2])}
    exam = make_exam(kept, seed=seed)
    sequence = next(s for s in kept if s is not Sequence.FLAIR)
    told: list[float] = []
    found = register_rigid(exam.volumes[sequence], exam.volumes[Sequence.FLAIR], tell=told.append)
    mm, degrees = error_mm(exam, sequence, found.transform)
    assert mm < 1.0
    assert degrees < 1.0
    assert found.after > found.before
    assert told == sorted(told)
    assert 0 < told[0] < told[-1] <= 1


@pytest.mark.data
def test_the_marker_case_is_brought_back(data_dir: Path) -> None:
    folder = data_dir / "brats" / "BraTS2021_00006"
    volumes = read_sample(folder, "BraTS2021_00006_{}.nii.gz")
    exam = make_exam({s: volumes[s] for s in (Sequence.FLAIR, Sequence.T2)}, seed=5)
    fixed, moving = exam.volumes[Sequence.FLAIR], exam.volumes[Sequence.T2]
    found = register(moving.data, moving.grid, fixed.data, fixed.grid, lambda _: None)
    mm, degrees = error_mm(exam, Sequence.T2, found.transform)
    assert mm < 1.0
    assert degrees < 1.0


def test_heads_far_apart_are_found_by_their_centres() -> None:
    fixed, far = phantom(), RigidTransform.about((0, 0, 1), 8, shift_mm=(0, 75, 60))
    moving = moved_phantom(far.inverse())
    found = register(moving.data, moving.grid, fixed.data, fixed.grid, lambda _: None)
    left = found.transform.compose(far.inverse())
    assert found.started_from == "centres"
    assert left.shift_mm(fixed.grid.world_of([[10, 10, 10], [40, 40, 30]])).max() < 0.5


def test_the_same_twice_is_the_same() -> None:
    fixed = phantom()
    moving = moved_phantom(RigidTransform.about((1, 1, 0), 5, shift_mm=(4, -3, 2)))
    one, two = (register(moving.data, moving.grid, fixed.data, fixed.grid, lambda _: None) for _ in range(2))
    assert one.transform.matrix == pytest.approx(two.transform.matrix, abs=1e-3)


def test_voxels_that_are_not_finite_do_not_matter() -> None:
    fixed, motion = phantom(), RigidTransform.about((0, 1, 0), 6, shift_mm=(5, 0, -3))
    moving = moved_phantom(motion.inverse())
    data = np.array(moving.data)
    data[::7, ::5, ::3] = np.nan
    data[0, 0, 0] = np.inf
    found = register(data, moving.grid, fixed.data, fixed.grid, lambda _: None)
    assert found.transform.compose(motion.inverse()).shift_mm([0, 0, 0]) < 1.5


@pytest.mark.parametrize("value", [0.0, 7.0, np.nan])
@pytest.mark.parametrize("which", ["moving", "fixed"])
def test_a_constant_image_is_refused(value: float, which: str) -> None:
    head = phantom()
    flat = np.full(head.data.shape, value, np.float32)
    images = (flat, head.data) if which == "moving" else (head.data, flat)
    with pytest.raises(UserError) as caught:
        register(images[0], head.grid, images[1], head.grid, lambda _: None)
    assert (caught.value.code, caught.value.params["which"]) == ("alignment_constant", which)


def test_an_error_of_the_process_comes_home_in_its_words() -> None:
    head = phantom()
    flat = Volume(np.ones(head.data.shape, np.float32), head.grid, head.source)
    with pytest.raises(UserError, match="alignment_constant"):
        register_rigid(flat, head)


def test_a_cancel_ends_it_within_a_second() -> None:
    cancel = threading.Event()
    threading.Timer(0.3, cancel.set).start()
    started = time.monotonic()
    with pytest.raises(UserError, match="cancelled"):
        register_rigid(phantom(), phantom(), cancelled=cancel.is_set, command=SLEEPER)
    assert time.monotonic() - started < 1.3


def test_a_cancel_before_the_start_starts_nothing() -> None:
    with pytest.raises(UserError, match="cancelled"):
        register_rigid(phantom(), phantom(), cancelled=lambda: True, command=["/no/such/program"])


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os; os.kill(os.getpid(), 9)", "alignment_died"),
        ("print('nonsense')", "alignment_died"),
        ('print(\'{"event": "done", "matrix": [[1]]}\')', "alignment_died"),
        ("import sys; sys.exit(3)", "alignment_died"),
    ],
)
def test_a_process_that_dies_or_lies_is_told(code: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        register_rigid(phantom(), phantom(), command=[sys.executable, "-c", code])


def test_a_process_that_cannot_be_started_is_told() -> None:
    with pytest.raises(UserError, match="worker_missing"):
        register_rigid(phantom(), phantom(), command=["/no/such/program"])


def test_no_file_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(UserError):
        register_rigid(phantom(), phantom(), command=[sys.executable, "-c", ""])
    assert os.listdir(tmp_path) == []  # noqa: PTH208


def test_without_voxel_sizes_nothing_is_registered() -> None:
    head = phantom()
    loose = Volume(head.data, Grid(head.grid.shape, np.eye(4), spacing_known=False), head.source)
    with pytest.raises(UserError, match="alignment_no_spacing"):
        register_rigid(loose, head)
