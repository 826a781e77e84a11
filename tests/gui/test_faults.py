"""What goes wrong while the window is open: the reader is told in one sentence, and nothing is lost."""

from __future__ import annotations

import errno
import gzip
import os
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication, QDialogButtonBox
from pytestqt.qtbot import QtBot

from brainseg_desktop.gui.dialogs.dialogs import AssignDialog, SchemeDialog
from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.gui.views.view_state import Mode
from brainseg_desktop.io.schemes import scheme_named
from tests.gui.conftest import dab, open_case


def wait_for_message(qtbot: QtBot, window: MainWindow, text: str) -> str:
    qtbot.waitUntil(lambda: text in window.messages.text, timeout=20_000)
    return window.messages.text


def paint_once(qtbot: QtBot, window: MainWindow) -> np.ndarray:
    window.state.set_mode(Mode.BRUSH)
    view = window.viewer.views[0]
    dab(qtbot, view, QPoint(view.width() // 2, view.height() // 2))
    return window.session.own_rating().label_map.array.copy()


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("truncated", "is cut short"),
        ("text", "is not a NIfTI file"),
        ("grid", "does not lie on the grid"),
    ],
)
def test_bad_image_leaves_the_open_case(
    qtbot: QtBot, window: MainWindow, sample: Path, tmp_path: Path, fault: str, sentence: str
) -> None:
    open_case(qtbot, window, sample)
    painted = paint_once(qtbot, window)
    bad = tmp_path / "bad"
    shutil.copytree(sample, bad)
    path = bad / "sample_t2.nii.gz"
    if fault == "truncated":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif fault == "text":
        path.write_bytes(gzip.compress(b"no image" * 100))
    else:
        image = nib.load(path)
        affine = image.affine.copy()
        affine[:3, 3] += 1000.0  # somewhere else in the scanner
        nib.save(nib.Nifti1Image(np.asarray(image.dataobj), affine), path)
    window.open_path(bad)
    message = wait_for_message(qtbot, window, sentence)
    assert "sample_t2.nii.gz" in message
    np.testing.assert_array_equal(window.session.own_rating().label_map.array, painted)


def test_empty_folder(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    empty = tmp_path / "nothing"
    empty.mkdir()
    window.open_path(empty)
    assert "nothing" in wait_for_message(qtbot, window, "images")
    assert window.empty.isVisible()


def test_nan_voxels_are_told_and_shown(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    path = sample / "sample_flair.nii.gz"
    image = nib.load(path)
    data = np.asarray(image.dataobj, dtype=np.float32)
    data[3, 4, 5] = np.nan
    nib.save(nib.Nifti1Image(data, image.affine), path)
    open_case(qtbot, window, sample)
    assert "not numbers" in wait_for_message(qtbot, window, "1 voxel")


def test_mask_of_another_shape_is_left_out(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    path = sample / "sample_seg.nii.gz"
    image = nib.load(path)
    labels = np.minimum(np.asarray(image.dataobj)[:-2], 2).astype(np.uint8)  # 1 and 2 need no question
    nib.save(nib.Nifti1Image(labels, image.affine), path)
    open_case(qtbot, window, sample)
    assert window.session.case.rating("Reference") is None
    assert "sample_seg.nii.gz" in window.messages.text


def test_ambiguous_mask_is_asked(qtbot: QtBot, window: MainWindow, sample: Path, tmp_path: Path) -> None:
    open_case(qtbot, window, sample)
    ratings = len(window.session.case.ratings)
    image = nib.load(sample / "sample_seg.nii.gz")
    loose = tmp_path / "drawn.nii.gz"
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), image.affine), loose)
    window.opener.load_mask(loose)
    qtbot.waitUntil(lambda: window.findChild(SchemeDialog) is not None, timeout=10_000)
    dialog = window.findChild(SchemeDialog)
    accept = dialog.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Ok)
    assert not accept.isEnabled(), "nothing is chosen for the reader"
    names = [s.name for s in dialog._schemes]
    dialog._radios[names.index("brats2021")].click()
    qtbot.mouseClick(accept, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(window.session.case.ratings) == ratings + 1, timeout=10_000)
    added = window.session.case.ratings[-1]
    expected = scheme_named("brats2021").decode(np.asarray(image.dataobj).astype(np.uint8))
    np.testing.assert_array_equal(added.label_map.array, expected[::-1, ::-1])


def test_files_without_names_are_asked(
    qtbot: QtBot, window: MainWindow, sample: Path, tmp_path: Path
) -> None:
    first, second = tmp_path / "a.nii.gz", tmp_path / "b.nii.gz"
    shutil.copy(sample / "sample_flair.nii.gz", first)
    shutil.copy(sample / "sample_t1.nii.gz", second)
    window.open_dropped([first, second])
    qtbot.waitUntil(lambda: window.findChild(AssignDialog) is not None, timeout=10_000)
    dialog = window.findChild(AssignDialog)
    accept = dialog.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Ok)
    dialog._choices[0].setCurrentText("FLAIR")
    dialog._choices[1].setCurrentText("FLAIR")
    assert not accept.isEnabled()
    dialog._choices[1].setCurrentText("T1")
    with qtbot.waitSignal(window.opener.opened, timeout=10_000):
        qtbot.mouseClick(accept, Qt.MouseButton.LeftButton)
    assert [s.value for s in window.session.case.missing] == ["T1CE", "T2"]
    assert "Not in this exam: T1CE, T2" in window.messages.text


def test_export_to_a_full_disk_keeps_the_old_file(
    qtbot: QtBot, window: MainWindow, sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_case(qtbot, window, sample)
    painted = paint_once(qtbot, window)
    target = tmp_path / "mask.nii.gz"
    target.write_bytes(b"an older mask")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    rating = window.session.own_rating()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        window.exporter.write(window.session.case, rating, target, rating.scheme)
        assert "mask.nii.gz" in wait_for_message(qtbot, window, "no room left")
    assert target.read_bytes() == b"an older mask"
    assert window.session.unsaved == (rating,)
    np.testing.assert_array_equal(rating.label_map.array, painted)


def test_journal_on_a_full_disk_goes_on_and_retries(
    qtbot: QtBot, window: MainWindow, sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_case(qtbot, window, sample)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        painted = paint_once(qtbot, window)
        assert painted.any()
        assert "kept in memory" in wait_for_message(qtbot, window, "no room left")
    window.session.retry_journals()
    assert window.messages.text == ""


def test_segmentation_cancelled_twice_and_started_again(
    qtbot: QtBot, window: MainWindow, sample: Path
) -> None:
    open_case(qtbot, window, sample)
    painted = paint_once(qtbot, window)
    window.segmenting.start()
    window.segmenting.start()
    window.segmenting.cancel()
    window.segmenting.cancel()
    assert not window.segmenting.is_running
    qtbot.waitUntil(lambda: window.jobs.is_idle, timeout=20_000)
    assert window.state.preview is None
    assert all(r.rater != "AI (glioma-unet)" for r in window.session.case.ratings)
    window.segmenting.start()
    qtbot.waitUntil(lambda: not window.segmenting.is_running, timeout=240_000)
    found = window.session.case.rating("AI (glioma-unet)")
    assert found is not None, window.messages.text
    window.state.set_cursor((0, 0, 0))
    window.segmenting._tell_where("Done.", found)
    assert window.messages.text == "Done."
    window.messages._action.click()
    assert found.label_map.array[:, :, window.state.cursor[2]].any()
    window.segmenting._tell_where(found_text := "Your own mask was left as it is", found)
    assert window.messages.text == found_text
    # The reader had painted already: the mask is not touched, and the reader is told.
    np.testing.assert_array_equal(window.session.own_rating().label_map.array, painted)
    assert "left as it is" in window.messages.text


def test_worker_killed_is_told_and_the_window_lives(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    open_case(qtbot, window, sample)
    window.segmenting.start()
    qtbot.waitUntil(lambda: window.client.is_running, timeout=20_000)
    window.client._process.kill()
    message = wait_for_message(qtbot, window, "network")
    assert not window.segmenting.is_running, message
    assert paint_once(qtbot, window).any()


def test_case_closed_while_the_network_runs(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    open_case(qtbot, window, sample)
    window.segmenting.start()
    window.close_case()
    assert window.session.case is None
    qtbot.waitUntil(lambda: window.jobs.is_idle, timeout=20_000)
    open_case(qtbot, window, sample)
    assert [r.kind.value for r in window.session.case.ratings if r.kind.value == "model"] == []


def test_other_case_opened_while_the_network_runs_and_a_stroke_is_open(
    qtbot: QtBot, window: MainWindow, sample: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(sample, other)
    open_case(qtbot, window, sample)
    first = window.session.own_rating()
    window.state.set_mode(Mode.BRUSH)
    view = window.viewer.views[0]
    middle = QPoint(view.width() // 2, view.height() // 2)
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, middle)
    window.segmenting.start()
    open_case(qtbot, window, other)
    assert not window.segmenting.is_running
    assert window.job_bar.isHidden()
    assert window.actions_by_name["segment"].isEnabled()
    assert len(first.history.undo_names) == 1
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, middle)
    assert not window.session.own_rating().label_map.array.any()
    open_case(qtbot, window, sample)
    np.testing.assert_array_equal(
        window.session.editable().label_map.array, np.asarray(first.label_map.array)
    )


def test_window_closed_while_the_network_runs(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    open_case(qtbot, window, sample)
    window.segmenting.start()
    qtbot.wait(300)
    window.close()
    assert not window.client.is_running


def test_opening_twice_shows_the_later_case(
    qtbot: QtBot, window: MainWindow, sample: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(sample, other)
    window.open_path(sample)
    window.open_path(other)
    qtbot.waitUntil(lambda: window.jobs.is_idle and window.session.case is not None, timeout=20_000)
    assert window.windowTitle().startswith(window.session.case.name)
    assert window.session.case.volumes[next(iter(window.session.case.volumes))].source.path.parent == other


def test_signals_do_not_eat_references_of_true(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    """PySide6 6.12.0 on Python 3.11 drops one reference of True per signal, and aborts in the end."""
    import sys

    open_case(qtbot, window, sample)
    before = sys.getrefcount(True)
    for number in range(3000):
        window.segmenting.running.emit(bool(number % 2))
    QApplication.processEvents()
    assert sys.getrefcount(True) >= before - 50
