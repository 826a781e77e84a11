"""The whole job by real events: open, segment, paint, undo, compare, export; and what a kill leaves."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QDialogButtonBox, QLineEdit
from pytestqt.qtbot import QtBot

from brainseg_desktop.core.case import RaterKind
from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.core.metrics import confusion
from brainseg_desktop.gui.dialogs.export_dialog import ExportDialog
from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.gui.views.view_state import Mode
from tests.gui.conftest import dab, disc, open_case

_NUMBERS = {Tissue.BACKGROUND: 0, Tissue.NECROSIS: 1, Tissue.OEDEMA: 2, Tissue.ENHANCING: 4}


def segment(qtbot: QtBot, window: MainWindow) -> None:
    """Press the button and wait for the end."""
    button = window.findChild(object, "segment")
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert window.segmenting.is_running
    qtbot.waitUntil(lambda: not window.segmenting.is_running, timeout=240_000)


def export(qtbot: QtBot, window: MainWindow, destination: Path) -> None:
    """Ctrl+S, type the file name, press Export, wait until it was read back."""
    qtbot.keyClick(window, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    dialog = window.findChild(ExportDialog)
    field = dialog.findChild(QLineEdit)
    field.clear()
    qtbot.keyClicks(field, str(destination))
    with qtbot.waitSignal(window.exporter.exported, timeout=30_000):
        button = dialog.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Ok)
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


@pytest.mark.data
@pytest.mark.slow
def test_main_job_on_a_real_case(qtbot: QtBot, window: MainWindow, data_dir: Path, tmp_path: Path) -> None:
    folder = data_dir / "brats" / "BraTS2021_00006"
    open_case(qtbot, window, folder)
    segment(qtbot, window)
    session, state = window.session, window.state
    ai = session.case.rating("AI (glioma-unet)")
    assert ai is not None, window.messages.text
    assert ai.kind is RaterKind.MODEL
    assert ai.probabilities is not None
    own = session.own_rating()
    assert session.shown is own
    expected = ai.label_map.array.copy()
    np.testing.assert_array_equal(own.label_map.array, expected)

    # Twenty dabs on two slices with three labels, the last five of which are taken back.
    view = window.viewer.views[0]
    qtbot.keyClick(view, Qt.Key.Key_P)
    state.set_brush_mm(7)
    steps = [expected.copy()]
    for number in range(20):
        qtbot.keyClick(view, (Qt.Key.Key_1, Qt.Key.Key_2, Qt.Key.Key_3)[number % 3])
        if number == 10:
            qtbot.keyClick(view, Qt.Key.Key_PageUp)
        pixel = QPoint(view.width() // 2 - 90 + 9 * number, view.height() // 2 - 40 + 5 * (number % 4))
        centre = view.projection.voxel_of(pixel.toPointF(), view.index)
        dab(qtbot, view, pixel)
        now = steps[-1].copy()
        now[disc(now.shape, session.case.grid.spacing_mm, centre, 7.0)] = state.tissue
        # A dab over voxels that have the label already is no step.
        if not np.array_equal(now, steps[-1]):
            steps.append(now)
        np.testing.assert_array_equal(own.label_map.array, now)
    for _ in range(5):
        qtbot.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    expected = steps[-6]
    np.testing.assert_array_equal(own.label_map.array, expected)

    # The live number is that of a full count.
    reference = session.case.rating("Reference")
    window.agreement.refresh()
    for region in own.scheme.regions:
        counted = confusion(
            region.mask(reference.label_map.array), region.mask(np.asarray(own.label_map.array))
        )
        assert session.live.dice(region).value == counted.dice.value

    out = tmp_path / "corrected.nii.gz"
    export(qtbot, window, out)
    assert window.messages.text.startswith("Saved")
    written, source = nib.load(out), nib.load(folder / "BraTS2021_00006_flair.nii.gz")
    assert nib.aff2axcodes(source.affine) == ("L", "P", "S")
    np.testing.assert_array_equal(written.affine, source.affine)
    assert written.get_data_dtype() == np.uint8
    numbers = np.zeros(7, dtype=np.uint8)
    numbers[list(_NUMBERS)] = list(_NUMBERS.values())
    # The file is LPS, the model RAS: the first two axes run the other way.
    np.testing.assert_array_equal(np.asarray(written.dataobj), numbers[expected][::-1, ::-1])
    about = json.loads((tmp_path / "corrected.json").read_text())
    assert about["scheme"] == "brats2021"
    assert not session.unsaved


_KILLED = """
import os, signal, sys
from pathlib import Path
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from brainseg_desktop.gui.app import make_window
from brainseg_desktop.gui.views.view_state import Mode
import numpy as np

app = QApplication([])
window = make_window(app)
window.resize(1280, 800)
window.show()
window.open_path(Path(sys.argv[1]))
while window.session.case is None:
    app.processEvents()
app.processEvents()
window.state.set_mode(Mode.BRUSH)
view = window.viewer.views[0]
for number in range(10):
    pixel = QPoint(view.width() // 2 - 60 + 12 * number, view.height() // 2)
    QTest.mouseMove(view, pixel)
    QTest.mousePress(view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, pixel)
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, pixel)
    np.save(Path(sys.argv[2]) / f"{number}.npy", window.session.own_rating().label_map.array)
os.kill(os.getpid(), signal.SIGKILL)
"""


def _kill_after_ten_strokes(case: Path, steps: Path) -> None:
    steps.mkdir()
    ended = subprocess.run(
        [sys.executable, "-c", _KILLED, str(case), str(steps)],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()


def _restore_by_button(qtbot: QtBot, window: MainWindow) -> None:
    window.recovering.offer()
    qtbot.waitUntil(lambda: window.recovering.dialog is not None, timeout=10_000)
    with qtbot.waitSignal(window.opener.opened, timeout=20_000):
        qtbot.keyClick(window.recovering.dialog, Qt.Key.Key_Return)
    qtbot.waitUntil(window.isActiveWindow)


def _check_restored(qtbot: QtBot, window: MainWindow, steps: Path) -> None:
    own = window.session.editable()
    assert own is not None
    assert len(own.history.undo_names) == 10
    for number in range(9, -1, -1):
        np.testing.assert_array_equal(own.label_map.array, np.load(steps / f"{number}.npy"))
        qtbot.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert not own.label_map.array.any()
    for _ in range(10):
        qtbot.keyClick(window, Qt.Key.Key_Y, Qt.KeyboardModifier.ControlModifier)
    np.testing.assert_array_equal(own.label_map.array, np.load(steps / "9.npy"))


def test_killed_after_ten_strokes(
    qtbot: QtBot, make: Callable[[], MainWindow], sample: Path, tmp_path: Path
) -> None:
    _kill_after_ten_strokes(sample, tmp_path / "steps")
    window = make()
    _restore_by_button(qtbot, window)
    _check_restored(qtbot, window, tmp_path / "steps")


@pytest.mark.data
@pytest.mark.slow
def test_killed_after_ten_strokes_on_a_real_case(
    qtbot: QtBot, make: Callable[[], MainWindow], data_dir: Path, tmp_path: Path
) -> None:
    _kill_after_ten_strokes(data_dir / "brats" / "BraTS2021_00006", tmp_path / "steps")
    window = make()
    _restore_by_button(qtbot, window)
    _check_restored(qtbot, window, tmp_path / "steps")


def test_discarded_strokes_are_not_offered_again(
    qtbot: QtBot, make: Callable[[], MainWindow], sample: Path, tmp_path: Path
) -> None:
    _kill_after_ten_strokes(sample, tmp_path / "steps")
    window = make()
    window.recovering.offer()
    qtbot.waitUntil(lambda: window.recovering.dialog is not None, timeout=10_000)
    dialog = window.recovering.dialog
    dialog._choose("discard")
    window.recovering.offer()
    qtbot.waitUntil(lambda: window.jobs.is_idle, timeout=10_000)
    assert window.recovering.dialog is None


def test_unsaved_work_of_a_closed_window_is_offered(
    qtbot: QtBot, make: Callable[[], MainWindow], sample: Path
) -> None:
    first = make()
    open_case(qtbot, first, sample)
    first.state.set_mode(Mode.BRUSH)
    view = first.viewer.views[0]
    dab(qtbot, view, QPoint(view.width() // 2, view.height() // 2))
    painted = first.session.own_rating().label_map.array.copy()
    first.close()
    second = make()
    _restore_by_button(qtbot, second)
    np.testing.assert_array_equal(second.session.editable().label_map.array, painted)


def test_strokes_are_back_when_the_case_is_opened_again(
    qtbot: QtBot, window: MainWindow, sample: Path, tmp_path: Path
) -> None:
    """Another case in between must not look as if the strokes were lost."""
    other = tmp_path / "other"
    shutil.copytree(sample, other)
    open_case(qtbot, window, sample)
    window.state.set_mode(Mode.BRUSH)
    view = window.viewer.views[0]
    dab(qtbot, view, QPoint(view.width() // 2, view.height() // 2))
    painted = window.session.own_rating().label_map.array.copy()
    open_case(qtbot, window, other)
    assert not window.session.own_rating().label_map.array.any()
    open_case(qtbot, window, sample)
    own = window.session.editable()
    np.testing.assert_array_equal(own.label_map.array, painted)
    assert len(own.history.undo_names) == 1
    assert "are back" in window.messages.text


def test_exported_work_is_not_offered(
    qtbot: QtBot, make: Callable[[], MainWindow], sample: Path, tmp_path: Path
) -> None:
    first = make()
    open_case(qtbot, first, sample)
    first.state.set_mode(Mode.BRUSH)
    view = first.viewer.views[0]
    dab(qtbot, view, QPoint(view.width() // 2, view.height() // 2))
    export(qtbot, first, tmp_path / "mask.nii.gz")
    first.close()
    second = make()
    second.recovering.offer()
    qtbot.waitUntil(lambda: second.jobs.is_idle, timeout=10_000)
    assert second.recovering.dialog is None
