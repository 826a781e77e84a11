"""The real window and ways to act on it as a user does."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from brainseg_desktop.core.geometry import nearest_voxel
from brainseg_desktop.gui.app import make_window
from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.gui.views.slice_view import SliceView


@pytest.fixture
def make(qtbot: QtBot, qapp: QApplication) -> Iterator[Callable[[], MainWindow]]:
    """Opens main windows; each is closed at the end."""
    windows: list[MainWindow] = []

    def open_window() -> MainWindow:
        window = make_window(qapp)
        qtbot.addWidget(window)
        window.resize(1280, 800)
        window.show()
        qtbot.waitExposed(window)
        windows.append(window)
        return window

    yield open_window
    for window in windows:
        window.close()
    qapp.processEvents()


@pytest.fixture
def window(make: Callable[[], MainWindow]) -> MainWindow:
    return make()


@pytest.fixture
def sample(sample_dir: Path, tmp_path: Path) -> Path:
    """A copy of the sample case that a test may write beside."""
    folder = tmp_path / "sample"
    shutil.copytree(sample_dir, folder)
    return folder


def open_case(qtbot: QtBot, window: MainWindow, path: Path) -> None:
    """Open a case as the button does and wait until it is shown."""
    with qtbot.waitSignal(window.opener.opened, timeout=20_000):
        window.open_path(path)
    qtbot.wait(10)


def pixel_of(view: SliceView, voxel: tuple[float, float, float]) -> QPoint:
    """The widget pixel over a voxel."""
    projection = view.projection
    assert projection is not None
    return projection.point_of(voxel).toPoint()


def voxel_at(view: SliceView, pixel: QPoint) -> tuple[int, int, int]:
    """The voxel under a widget pixel."""
    projection = view.projection
    assert projection is not None
    return nearest_voxel(projection.voxel_of(pixel.toPointF(), view.index))


def dab(qtbot: QtBot, view: SliceView, pixel: QPoint, keys: Qt.KeyboardModifier | None = None) -> None:
    """Press and release the left button."""
    modifier = keys if keys is not None else Qt.KeyboardModifier.NoModifier
    qtbot.mouseMove(view, pixel)
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, modifier, pixel)
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, modifier, pixel)


def disc(
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    centre: tuple[float, float, float],
    diameter_mm: float,
) -> np.ndarray:
    """Voxels of an axial disc by brute force, as an oracle for the brush."""
    x, y = np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij")
    squared = ((x - centre[0]) * spacing[0]) ** 2 + ((y - centre[1]) * spacing[1]) ** 2
    flat = squared <= (diameter_mm / 2) ** 2 + 1e-9
    flat[nearest_voxel(centre)[:2]] = True
    mask = np.zeros(shape, dtype=bool)
    mask[:, :, nearest_voxel(centre)[2]] = flat
    return mask


@pytest.fixture
def tiff_case(tmp_path: Path) -> Path:
    """Four slices as the LGG set lays them out, of a bright ball in a noisy head."""
    folder = tmp_path / "TCGA_XX_0001_20000101"
    folder.mkdir()
    random = np.random.default_rng(5)
    x, y = np.meshgrid(np.arange(64), np.arange(64))
    head = ((x - 32) ** 2 + (y - 32) ** 2 < 26**2) * 90
    for number in range(1, 5):
        slices = np.stack([head + random.integers(0, 12, head.shape) + 20 * c for c in range(3)], axis=-1)
        path = folder / f"{folder.name}_{number}.tif"
        tifffile.imwrite(path, slices.astype(np.uint8), photometric="rgb")
        mask = ((x - 40) ** 2 + (y - 28) ** 2 < 6**2).astype(np.uint8) * 255
        tifffile.imwrite(path.with_name(f"{path.stem}_mask.tif"), mask)
    return folder
