"""After a crash: every stroke comes back, with undo, on the images it was drawn on."""

import errno
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import nibabel
import numpy as np
import pytest

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Box
from brainseg_desktop.io.layouts import find_case
from brainseg_desktop.services import opening, recovery
from brainseg_desktop.services.export import export_rating
from brainseg_desktop.services.session import Session

SHAPE = (12, 10, 8)

# Paints ten strokes, undoes three, makes one again, says so, and waits to be killed.
SCRIPT = """
import sys, time
import numpy as np
from pathlib import Path
from brainseg_desktop.core.geometry import Box
from brainseg_desktop.io.layouts import find_case
from brainseg_desktop.services import opening, recovery
case = opening.open_case(find_case(Path(sys.argv[1]))).case
rating = opening.new_rating(case, "Reader", like=case.ratings[0])
journal = recovery.start_journal(case, rating, Path(sys.argv[2]))
for i in range(10):
    with rating.history.edit(f"Brush {i}") as stroke:
        stroke.paint(Box((i, 0, 0), (i + 2, 4, 4)), np.ones((2, 4, 4), bool), 1 + i % 4)
rating.history.undo(); rating.history.undo(); rating.history.undo(); rating.history.redo()
np.save(sys.argv[3], rating.label_map.array)
print("ready", flush=True)
time.sleep(60)
"""


def make_case(folder: Path) -> Path:
    folder = folder / "BraTS2021_00001"
    folder.mkdir(parents=True)
    data = np.random.default_rng(0).integers(0, 900, SHAPE).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(data, np.eye(4)), folder / "BraTS2021_00001_flair.nii.gz")
    seg = np.random.default_rng(1).choice(np.array([0, 1, 2, 4], np.uint8), SHAPE)
    nibabel.save(nibabel.Nifti1Image(seg, np.eye(4)), folder / "BraTS2021_00001_seg.nii.gz")
    return folder


@pytest.fixture
def case(tmp_path):
    return opening.open_case(find_case(make_case(tmp_path))).case


def paint(rating, i, name="Brush"):
    with rating.history.edit(name) as stroke:
        stroke.paint(Box((0, 0, 0), (i, 2, 2)), np.ones((i, 2, 2), bool), 3)


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_killed_in_the_middle_everything_comes_back_with_undo(tmp_path):
    folder, state, labels = make_case(tmp_path), tmp_path / "state", tmp_path / "labels.npy"
    command = [sys.executable, "-c", SCRIPT, str(folder), str(state), str(labels)]
    root = str(Path(opening.__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            assert recovery.pending(state) == []  # a running program's work is not offered
        finally:
            process.send_signal(signal.SIGKILL)
        process.wait()
    (found,) = recovery.pending(state)
    assert (found.case, found.rater, found.strokes) == ("BraTS2021_00001", "Reader", 10)
    assert "BraTS" not in found.path.name
    case = opening.open_case(recovery.case_files(found)).case
    assert [r.rater for r in case.ratings] == ["Reference"]
    rating, journal = recovery.restore(found, case)
    np.testing.assert_array_equal(rating.label_map.array, np.load(labels))
    assert rating.history.undo_names == tuple(f"Brush {i}" for i in range(7, -1, -1))
    assert rating.history.redo_names == ("Brush 8", "Brush 9")
    rating.history.redo()
    rating.history.redo()
    while rating.history.undo():
        pass
    np.testing.assert_array_equal(rating.label_map.array, case.ratings[0].label_map.array)
    assert rating.scheme.name == "brats2021"
    assert rating.details["started_from"]["rater"] == "Reference"
    assert recovery.pending(state) == []  # it is ours now
    journal.close(keep=False)


def test_unsaved_work_is_offered_after_a_clean_end_too(case, tmp_path):
    rating = opening.new_rating(case, "Reader")
    journal = recovery.start_journal(case, rating, tmp_path / "state")
    paint(rating, 1)
    journal.close()
    (found,) = recovery.pending(tmp_path / "state")
    again, journal = recovery.restore(found, case)
    paint(again, 3, "Later")
    journal.close(keep=True)
    (found,) = recovery.pending(tmp_path / "state")
    assert found.strokes == 2
    recovery.discard(found)
    assert recovery.pending(tmp_path / "state") == []


def test_exported_work_is_not_offered(case, tmp_path):
    rating = opening.new_rating(case, "Reader")
    journal = recovery.start_journal(case, rating, tmp_path / "state")
    paint(rating, 1)
    journal.checkpoint()
    journal.close(keep=True)  # as after a crash
    assert recovery.pending(tmp_path / "state") == []
    (kept,) = journals(tmp_path / "state")
    assert kept.parent.name == "exported"
    assert "BraTS" not in kept.name


def journals(state):
    """All journals there are, of exported masks too."""
    return sorted((state / "journals").rglob("*.journal"))


def exported_and_closed(case, folder, state, name="Reader"):
    """Three strokes, one of them taken back, an export, a clean end; the file written."""
    session = Session(state, name)
    session.open(case)
    own = session.own_rating()
    for i in (1, 2, 3):
        paint(own, i, f"Brush {i}")
    session.undo()
    result = export_rating(case, own, folder / f"BraTS2021_00001_seg-{name.lower()}.nii.gz")
    session.mark_exported(own)
    assert session.unsaved == ()
    session.close()
    return result.path


def reopened(folder, state, name="Reader"):
    session = Session(state, name)
    session.open(opening.open_case(find_case(folder)).case)
    return session, session.own_rating()


def test_steps_come_back_with_an_exported_mask(tmp_path):
    folder, state = make_case(tmp_path), tmp_path / "state"
    case = opening.open_case(find_case(folder)).case
    path = exported_and_closed(case, folder, state)
    assert recovery.pending(state) == []
    session, own = reopened(folder, state)
    assert own.source.path == path
    assert (own.history.undo_names, own.history.redo_names) == (("Brush 2", "Brush 1"), ("Brush 3",))
    assert session.unsaved == ()
    session.close()
    # Opened and closed without a change: it is still there, once.
    assert len(journals(state)) == 1
    session, own = reopened(folder, state)
    session.undo()
    paint(own, 5, "Later")
    assert session.unsaved == (own,)
    labels = own.label_map.array.copy()
    session.close()
    # Not exported now: offered as any other unsaved work, with the steps from before the export.
    (found,) = recovery.pending(state)
    again, journal = recovery.restore(found, opening.open_case(find_case(folder)).case)
    np.testing.assert_array_equal(again.label_map.array, labels)
    assert again.history.undo_names == ("Later", "Brush 1")
    again.history.go_to(0)
    assert not again.label_map.array.any()
    journal.close(keep=False)
    assert journals(state) == []


def test_steps_come_back_after_a_crash_behind_the_export(tmp_path):
    folder, state = make_case(tmp_path), tmp_path / "state"
    case = opening.open_case(find_case(folder)).case
    session = Session(state)
    session.open(case)
    own = session.own_rating()
    paint(own, 2, "Brush")
    export_rating(case, own, folder / "BraTS2021_00001_seg-reader.nii.gz")
    session.mark_exported(own)
    for journal in session._journals.values():
        journal.close(keep=True)  # as after a crash
    assert recovery.pending(state) == []
    session, own = reopened(folder, state)
    assert own.history.undo_names == ("Brush",)
    session.close()


def test_a_mask_changed_elsewhere_has_no_steps(tmp_path):
    folder, state = make_case(tmp_path), tmp_path / "state"
    path = exported_and_closed(opening.open_case(find_case(folder)).case, folder, state)
    image = nibabel.load(path)
    data = np.asarray(image.dataobj).copy()
    data[0, 0, 0] = 1 - min(1, data[0, 0, 0])
    nibabel.save(nibabel.Nifti1Image(data, image.affine), path)
    session, own = reopened(folder, state)
    assert own.history.steps == ()
    session.close()
    assert len(journals(state)) == 1


def test_another_readers_steps_are_not_taken_over(tmp_path):
    folder, state = make_case(tmp_path), tmp_path / "state"
    path = exported_and_closed(opening.open_case(find_case(folder)).case, folder, state)
    for old in (path, path.with_name("BraTS2021_00001_seg-reader.json")):
        old.rename(old.with_name(old.name.replace("reader", "other")))
    sidecar = path.with_name("BraTS2021_00001_seg-other.json")
    sidecar.write_text(sidecar.read_text().replace('"Reader"', '"Other"'))
    session, own = reopened(folder, state, "Other")
    assert own.rater == "Other"
    assert own.history.steps == ()
    session.close()


def test_a_damaged_kept_journal_is_no_reason_to_fail(tmp_path):
    folder, state = make_case(tmp_path), tmp_path / "state"
    exported_and_closed(opening.open_case(find_case(folder)).case, folder, state)
    (kept,) = journals(state)
    kept.write_bytes(kept.read_bytes()[:100])
    session, own = reopened(folder, state)
    assert own.history.steps == ()
    paint(own, 5)
    assert session.unsaved == (own,)
    session.close()


def test_a_kept_journal_that_cannot_be_moved_gives_no_steps(tmp_path, monkeypatch):
    folder, state = make_case(tmp_path), tmp_path / "state"
    exported_and_closed(opening.open_case(find_case(folder)).case, folder, state)

    def refuse(*_):
        raise OSError(errno.EROFS, "read only")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", refuse)
        session, own = reopened(folder, state)
        # An undo could not be journaled: better none than one that a crash would turn into other labels.
        assert own.history.steps == ()
        session.close()


def test_kept_journals_are_bounded(tmp_path, monkeypatch):
    kept = tmp_path / "journals" / "exported"
    kept.mkdir(parents=True)
    now = time.time()
    for day in range(6):
        path = kept / f"{day}.journal"
        path.write_bytes(bytes(100))
        os.utime(path, (now - day * 86_400 - 60,) * 2)
    monkeypatch.setattr(recovery, "KEPT_AGE", timedelta(days=4))
    recovery.pending(tmp_path)
    assert sorted(p.stem for p in kept.iterdir()) == ["0", "1", "2", "3"]
    monkeypatch.setattr(recovery, "KEPT_FILES", 3)
    recovery.pending(tmp_path)
    assert sorted(p.stem for p in kept.iterdir()) == ["0", "1", "2"]
    monkeypatch.setattr(recovery, "KEPT_BYTES", 199)
    recovery.pending(tmp_path)
    assert [p.stem for p in kept.iterdir()] == ["0"]


def test_other_images_are_refused(case, tmp_path):
    rating = opening.new_rating(case, "Reader")
    journal = recovery.start_journal(case, rating, tmp_path / "state")
    paint(rating, 1)
    journal.close()
    (found,) = recovery.pending(tmp_path / "state")
    path = found.images[0][1]
    nibabel.save(nibabel.Nifti1Image(np.zeros(SHAPE, np.int16), np.eye(4)), path)
    other = opening.open_case(recovery.case_files(found)).case
    with pytest.raises(UserError, match="journal_other_images"):
        recovery.restore(found, other)
    assert len(recovery.pending(tmp_path / "state")) == 1
    path.unlink()
    with pytest.raises(UserError, match="file_missing"):
        recovery.case_files(found)


def test_a_damaged_journal_does_not_hide_the_others(case, tmp_path):
    rating = opening.new_rating(case, "Reader")
    journal = recovery.start_journal(case, rating, tmp_path / "state")
    paint(rating, 1)
    journal.close()
    damaged = tmp_path / "state" / "journals" / "x.journal"
    damaged.write_bytes(b"rubbish")
    assert len(recovery.pending(tmp_path / "state")) == 1
    assert damaged.exists()


def test_no_state_folder_yet(tmp_path):
    assert recovery.pending(tmp_path / "none") == []


def test_a_journal_in_use_cannot_be_discarded(case, tmp_path):
    rating = opening.new_rating(case, "Reader")
    journal = recovery.start_journal(case, rating, tmp_path / "state")
    paint(rating, 1)
    journal.close()
    (found,) = recovery.pending(tmp_path / "state")
    _, journal = recovery.restore(found, case)
    with pytest.raises(UserError, match="journal_in_use"):
        recovery.discard(found)
    journal.close(keep=False)
