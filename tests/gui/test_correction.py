"""How many acts of a reader bring the network's mask to the reference: counted, by real events."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from scipy import ndimage
from skimage.measure import find_contours

from brainseg_desktop.core.labels import WT, Region, Tissue
from brainseg_desktop.core.metrics import confusion
from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.gui.views.slice_view import SliceView
from brainseg_desktop.gui.views.view_state import Mode
from tests.gui.conftest import open_case

MOST = 60
WANTED = 0.95


def mouse(view: SliceView, kind: QEvent.Type, point: QPointF, keys: Qt.KeyboardModifier) -> None:
    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    button = none if kind is QEvent.Type.MouseMove else left
    held = none if kind is QEvent.Type.MouseButtonRelease else left
    QApplication.sendEvent(view, QMouseEvent(kind, point, view.mapToGlobal(point), button, held, keys))


def lasso(view: SliceView, corners: np.ndarray, *, cut: bool) -> None:
    """Draw round (N, 2) positions on the axial slice shown."""
    keys = Qt.KeyboardModifier.ControlModifier if cut else Qt.KeyboardModifier.NoModifier
    points = [view.projection.point_of((x, y, view.index)) for x, y in corners]
    mouse(view, QEvent.Type.MouseButtonPress, points[0], keys)
    for point in points[1:]:
        mouse(view, QEvent.Type.MouseMove, point, keys)
    mouse(view, QEvent.Type.MouseButtonRelease, points[-1], keys)


def largest_error(labels: np.ndarray, reference: np.ndarray) -> tuple[int, int, np.ndarray]:
    """Label, slice and outline of the largest connected piece of wrong voxels on one axial slice."""
    best: tuple[int, int, int, np.ndarray] = (0, 0, 0, np.empty(0))
    wrong = labels != reference
    for tissue in np.unique(reference[wrong]):
        error = wrong & (reference == tissue)
        for z in np.flatnonzero(error.any(axis=(0, 1))):
            if error[:, :, z].sum() <= best[0]:
                continue
            pieces, _ = ndimage.label(error[:, :, z])
            sizes = np.bincount(pieces.ravel())[1:]
            if sizes.max() > best[0]:
                best = (int(sizes.max()), int(tissue), int(z), pieces == sizes.argmax() + 1)
    return best[1], best[2], best[3]


def outline(piece: np.ndarray) -> np.ndarray:
    contours = find_contours(np.pad(piece, 1).astype(float), 0.5)
    return max(contours, key=len) - 1


def dice(window: MainWindow, reference: np.ndarray, region: Region) -> float:
    own = window.session.own_rating().label_map.array
    value = confusion(region.mask(reference), region.mask(own)).dice.value
    assert value is not None
    return value


def correct(window: MainWindow, qtbot: QtBot, reference: np.ndarray, region: Region) -> tuple[int, float]:
    """Lasso the largest error, again and again; (acts, Dice) when `WANTED` or the limit is reached."""
    window.viewer.toggle_maximised(window.viewer.panels[0])
    qtbot.wait(20)
    view, state = window.viewer.views[0], window.state
    own = window.session.own_rating()
    qtbot.keyClick(view, Qt.Key.Key_L, Qt.KeyboardModifier.ShiftModifier)
    assert state.mode is Mode.LASSO
    acts = 0
    while dice(window, reference, region) < WANTED and acts < MOST:
        seen, given = own.label_map.array, reference
        if region is WT:  # whichever tumour label: only its outer edge counts
            given = np.where((given > 0) & (seen > 0), seen, given)
        tissue, z, piece = largest_error(seen, given)
        state.set_cursor((*state.cursor[:2], z))
        if tissue:
            state.set_tissue(Tissue(tissue))
        steps = len(own.history.undo_names)
        lasso(view, outline(piece), cut=tissue == Tissue.BACKGROUND)
        assert len(own.history.undo_names) == steps + 1
        acts += 1
    return acts, dice(window, reference, region)


def lgg_patient(data_dir: Path, name: str, into: Path) -> Path:
    """The folder of one patient of the LGG set, unpacked."""
    with zipfile.ZipFile(data_dir / "lgg-mri-segmentation.zip") as archive:
        names = [n for n in archive.namelist() if f"/{name}" in n and n.endswith(".tif")]
        archive.extractall(into, names)
    return (into / names[0]).parent


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("name", ["BraTS2021_00006", "TCGA_CS_4944"])
def test_a_real_mask_is_corrected(
    qtbot: QtBot, window: MainWindow, data_dir: Path, tmp_path: Path, name: str
) -> None:
    is_lgg = name.startswith("TCGA")
    folder = lgg_patient(data_dir, name, tmp_path) if is_lgg else data_dir / "brats" / name
    open_case(qtbot, window, folder)
    window.segmenting.start()
    qtbot.waitUntil(lambda: not window.segmenting.is_running, timeout=120_000)
    reference = window.session.case.rating("Reference").label_map.array
    before = dice(window, reference, WT)
    acts, after = correct(window, qtbot, reference, WT)
    if os.environ.get("BRAINSEG_REPORT"):
        print(f"{name}: WT {before:.3f} to {after:.3f} in {acts} acts")
    assert after >= WANTED
    assert acts <= MOST
