"""What a file does not say is asked, and the answer reaches the voxels; nobody is asked twice."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
import tifffile
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialogButtonBox, QDoubleSpinBox, QLabel, QPushButton, QSlider, QSpinBox
from pytestqt.qtbot import QtBot

from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.gui.dialogs.image_dialogs import SpacingDialog, VolumeDialog
from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.io import layouts
from brainseg_desktop.services.choices import choices_path
from tests.gui.conftest import open_case

OK = QDialogButtonBox.StandardButton.Ok


@pytest.fixture
def four_d(tmp_path: Path) -> Path:
    """Three volumes of 10, 20 and 30 times a ramp."""
    ramp = np.arange(8 * 9 * 10, dtype=np.int16).reshape(8, 9, 10)
    folder = tmp_path / "case"
    folder.mkdir()
    data = np.stack([ramp * (i + 1) for i in range(3)], axis=-1)
    nib.save(nib.Nifti1Image(data, np.diag([1.0, 1.0, 2.0, 1.0])), folder / "case_flair.nii.gz")
    return folder


@pytest.fixture
def stacks(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    random = np.random.default_rng(0)
    for name in ("flair", "t1"):
        tifffile.imwrite(folder / f"{name}.tif", random.integers(0, 255, (6, 12, 10), np.uint8))
    return folder


def asked(qtbot: QtBot, window: MainWindow, path: Path, kind: type) -> object:
    window.open_path(path)
    qtbot.waitUntil(lambda: bool(window.findChildren(kind)), timeout=20_000)
    return window.findChildren(kind)[-1]


def picture_of(dialog: VolumeDialog) -> QLabel:
    return next(c for c in dialog.findChildren(QLabel) if c.accessibleName().startswith("Middle slice"))


def test_a_volume_is_chosen_by_its_picture(qtbot: QtBot, window: MainWindow, four_d: Path) -> None:
    dialog = asked(qtbot, window, four_d, VolumeDialog)
    qtbot.waitUntil(lambda: not picture_of(dialog).pixmap().isNull(), timeout=10_000)
    slider, number = dialog.findChild(QSlider), dialog.findChild(QSpinBox)
    slider.setFocus()
    QTest.keyClick(slider, Qt.Key.Key_Right)
    assert (number.value(), slider.value(), number.text()) == (2, 2, "2 of 3")
    QTest.keyClick(number, Qt.Key.Key_Up)
    with qtbot.waitSignal(window.opener.opened, timeout=20_000):
        qtbot.mouseClick(dialog.findChild(QDialogButtonBox).button(OK), Qt.MouseButton.LeftButton)
    volume = window.session.case.volumes[Sequence.FLAIR]
    assert volume.source.volume == 3
    assert volume.data.max() == 3 * (8 * 9 * 10 - 1)
    assert "volume 3 of 3" in window.messages.text
    # The answer is kept: the case opens by itself the next time.
    open_case(qtbot, window, four_d)
    assert window.session.case.volumes[Sequence.FLAIR].source.volume == 3


def test_no_volume_no_case(qtbot: QtBot, window: MainWindow, sample: Path, four_d: Path) -> None:
    open_case(qtbot, window, sample)
    case = window.session.case
    dialog = asked(qtbot, window, four_d, VolumeDialog)
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not dialog.isVisible())
    qtbot.wait(50)
    assert window.session.case is case
    assert not choices_path().exists()


def test_spacing_is_asked_and_kept(qtbot: QtBot, window: MainWindow, stacks: Path) -> None:
    dialog = asked(qtbot, window, stacks, SpacingDialog)
    accept = dialog.findChild(QDialogButtonBox).button(OK)
    sizes = dialog.findChildren(QDoubleSpinBox)
    assert not accept.isEnabled()
    for size, text in zip(sizes, ("0.9", "0.8", "5"), strict=True):
        size.setFocus()
        size.selectAll()
        QTest.keyClicks(size, text)
        QTest.keyClick(size, Qt.Key.Key_Tab)
    with qtbot.waitSignal(window.opener.opened, timeout=20_000):
        qtbot.mouseClick(accept, Qt.MouseButton.LeftButton)
    grid = window.session.case.grid
    assert grid.spacing_known
    np.testing.assert_allclose(grid.spacing_mm, (0.9, 0.8, 5))
    assert "0.9, 0.8, 5 mm, as you said" in window.messages.text
    open_case(qtbot, window, stacks)
    assert window.session.case.grid.spacing_known


def test_spacing_may_be_left_unsaid(qtbot: QtBot, window: MainWindow, stacks: Path) -> None:
    dialog = asked(qtbot, window, stacks, SpacingDialog)
    without = next(b for b in dialog.findChildren(QPushButton) if "without" in b.text())
    with qtbot.waitSignal(window.opener.opened, timeout=20_000):
        qtbot.mouseClick(without, Qt.MouseButton.LeftButton)
    assert not window.session.case.grid.spacing_known
    assert "nothing is given in mm" in window.messages.text


def test_a_tree_becomes_a_list_and_says_what_it_left_out(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = nib.Nifti1Image(np.arange(60, dtype=np.int16).reshape(3, 4, 5), np.eye(4))
    for place in ("a/b/c/d/one", "two", "locked"):
        (tmp_path / "root" / place).mkdir(parents=True)
        nib.save(image, tmp_path / "root" / place / f"{Path(place).name}_flair.nii.gz")
    flat = tmp_path / "root" / "flat"
    flat.mkdir()
    for name in ("x_t1", "x_t2", "y_t1", "y_t2"):
        nib.save(image, flat / f"{name}.nii.gz")

    def scandir(path: Path) -> object:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return os.scandir(path)

    monkeypatch.setattr(layouts, "os", SimpleNamespace(scandir=scandir))
    with qtbot.waitSignal(window.opener.opened, timeout=20_000):
        window.open_path(tmp_path / "root")
    assert window.session.case.name == "one"
    assert "locked" in window.messages.text
    assert "cannot be listed" in window.messages.text
    # Cases of one folder are opened by their files, each of them.
    for name in ("x", "y", "two"):
        with qtbot.waitSignal(window.opener.opened, timeout=20_000):
            key = window.cases.neighbour(1)
            window.open_listed(key)
        assert window.session.case.name == name
