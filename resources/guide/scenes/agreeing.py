"""Comparing, measuring, exporting, networks, archives, sequences on other grids."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
from PySide6.QtWidgets import QApplication, QWidget

from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.gui.agreement.report_window import ReportWindow
from brainseg_desktop.gui.dialogs.dialogs import HelpSheet
from brainseg_desktop.gui.dialogs.export_dialog import ExportDialog
from brainseg_desktop.gui.dialogs.network_card import NetworkCardDialog
from brainseg_desktop.inference.registry import read_card
from brainseg_desktop.io.resources import models_dir
from brainseg_desktop.services.pacs.nodes import PacsNode, PacsSettings, save_pacs
from scenes.stage import Stage


def compare(stage: Stage) -> None:
    """All measures of a pair."""
    stage.outlined()
    stage.do("difference", "compare")
    shown = _top(stage, ReportWindow)
    stage.until(lambda: shown.report is not None)
    shown.resize(1180, 700)
    stage.settle(1.0)
    stage.take("compare.png", shown)
    shown.close()


def measure(stage: Stage) -> None:
    """A ruler, and RANO diameters of the enhancing tumour."""
    window = stage.outlined()
    window.state.set_tissue(window.labels.tissues[2])
    stage.do("outline", "diameters")
    stage.settle(0.5)
    t1ce = window.viewer.views[1]
    stage.do("ruler")
    x, y, z = window.state.cursor
    stage.drag(t1ce, [(x - 60, y - 60, z), (x - 60, y - 10, z)])
    stage.do("crosshair")
    window.messages.hide()
    stage.settle(0.5)
    window.viewer.toggle_maximised(window.viewer.panels[1])
    stage.settle(0.5)
    stage.take_together("measure.png", [window.viewer.panels[1].grab(), window.measurements.grab()])


def export(stage: Stage) -> None:
    """Form, place, labels and numbers of an export."""
    window = stage.outlined()
    stage.do("export")
    dialog = window.findChild(ExportDialog)
    stage.settle(0.5)
    stage.take("export.png", dialog)
    dialog.reject()


def card(stage: Stage) -> None:
    """What a network says of itself."""
    folder = models_dir() / "glioma-unet"
    # Where the program lies on this computer is nobody's business.
    dialog = NetworkCardDialog(read_card(folder), Path(folder.name), stage.window)
    dialog.resize(860, 560)
    dialog.show()
    stage.settle(0.5)
    stage.take("card.png", dialog)
    dialog.close()


def keys(stage: Stage) -> None:
    """The sheet of keys, searched."""
    window = stage.window
    stage.do("help")
    sheet = window.findChild(HelpSheet)
    sheet._search.setText("brush")
    sheet.resize(800, 420)
    stage.settle(0.3)
    stage.take("keys.png", sheet)
    sheet.close()


def pacs(stage: Stage) -> None:
    """The window of archives, with one entered."""
    window = stage.window
    node = PacsNode(key="guide", title="Hospital", host="pacs.example.org", ae_title="ARCHIVE")
    save_pacs(PacsSettings(nodes=(node,)))
    stage.do("pacs")
    shown = window.archiving.window
    shown.resize(1000, 520)
    shown.list.setCurrentRow(0)
    stage.settle(0.5)
    stage.take("pacs.png", shown)
    shown.close()


def align(stage: Stage) -> None:
    """A sequence for which the patient had moved, found again and checked."""
    case = stage.sample()
    path = case / "sample_t2.nii.gz"
    image = nibabel.load(path)
    turn = np.radians(5)
    moved = np.array(
        [[np.cos(turn), -np.sin(turn), 0, 6], [np.sin(turn), np.cos(turn), 0, -4], [0, 0, 1, 3], [0, 0, 0, 1]]
    )
    nibabel.save(nibabel.Nifti1Image(np.asarray(image.dataobj), moved @ image.affine), path)
    window = stage.open(case)
    stage.do("align")
    dialog = window.aligning.dialog
    dialog.resize(900, 640)
    rows = [dialog.table.item(row, 0).text() for row in range(dialog.table.rowCount())]
    dialog.table.selectRow(rows.index(Sequence.T2.value))
    stage.settle()
    dialog.register.click()
    stage.until(lambda: not window.aligning.is_running)
    dialog.blink.setChecked(False)
    dialog.swap.click()
    stage.settle(0.8)
    stage.take("align.png", dialog)
    dialog.close()


def _top(stage: Stage, kind: type[QWidget]) -> QWidget:
    def found() -> list[QWidget]:
        return [w for w in QApplication.topLevelWidgets() if isinstance(w, kind) and w.isVisible()]

    stage.until(found)
    return found()[0]
