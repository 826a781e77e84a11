"""The export dialog by keys and clicks: what can be chosen, what it says, and what lies on the disk then."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QDialogButtonBox, QLineEdit, QListWidget, QPushButton
from pytestqt.qtbot import QtBot

from brainseg_desktop.gui.dialogs.export_dialog import ExportDialog
from brainseg_desktop.gui.main_window import MainWindow
from tests.gui.conftest import open_case


def ask(qtbot: QtBot, window: MainWindow) -> ExportDialog:
    qtbot.keyClick(window, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    dialog = window.findChild(ExportDialog)
    assert dialog is not None
    qtbot.waitExposed(dialog)
    return dialog


def go_to(qtbot: QtBot, dialog: ExportDialog, title: str) -> None:
    """Move through the list with the arrow keys until the form is reached."""
    forms = dialog.findChild(QListWidget)
    qtbot.keyClick(forms, Qt.Key.Key_Home)
    for _ in range(forms.count()):
        if dialog.form.title == title:
            return
        qtbot.keyClick(forms, Qt.Key.Key_Down)
    raise AssertionError(f"{title} cannot be reached by keys")


def sentence(dialog: ExportDialog) -> str:
    return dialog._sentence.text()


def box(dialog: ExportDialog, text: str) -> QCheckBox:
    return next(b for b in dialog.findChildren(QCheckBox) if text in b.text())


def ok(dialog: ExportDialog) -> QPushButton:
    return dialog.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Ok)


def test_forms_by_keys(qtbot: QtBot, window: MainWindow, sample: Path, tmp_path: Path) -> None:
    open_case(qtbot, window, sample)
    window.session.show(window.session.case.rating("Reference"))
    dialog = ask(qtbot, window)
    assert dialog.form.key == "nifti"
    assert "on the grid of the images" in sentence(dialog)
    forms = dialog.findChild(QListWidget)
    row = next(i for i in range(forms.count()) if "DICOM SEG" in forms.item(i).text())
    assert "needs a DICOM exam" in forms.item(row).text()
    assert "Open the DICOM exam" in forms.item(row).toolTip()
    assert not forms.item(row).flags() & Qt.ItemFlag.ItemIsEnabled
    go_to(qtbot, dialog, "3D Slicer segmentation (.seg.nrrd)")
    assert dialog.destination.name.endswith(".seg.nrrd")
    assert not dialog._wide.isEnabled()
    go_to(qtbot, dialog, "Volumes and diameters (CSV)")
    assert not dialog._scheme.isEnabled()
    go_to(qtbot, dialog, "STL surfaces")
    assert dialog.destination.suffix == ""
    qtbot.keyClick(box(dialog, "A file each"), Qt.Key.Key_Space)
    assert dialog.destination.suffix == ".stl"
    field = dialog.findChild(QLineEdit)
    field.selectAll()
    qtbot.keyClicks(field, str(tmp_path / "out" / "tumour.obj"))
    assert not ok(dialog).isEnabled()
    assert ".stl" in sentence(dialog)
    go_to(qtbot, dialog, "NIfTI")
    field.selectAll()
    qtbot.keyClicks(field, str(tmp_path / "out" / "m.nii"))
    qtbot.keyClick(box(dialog, "int16"), Qt.Key.Key_Space)
    for name in ("Oedema", "Necrosis"):
        qtbot.keyClick(box(dialog, name), Qt.Key.Key_Space)
    assert sentence(dialog).startswith("Enhancing of Reference will be written")
    with qtbot.waitSignal(window.exporter.exported, timeout=20_000):
        qtbot.keyClick(ok(dialog), Qt.Key.Key_Space)
    image = nibabel.load(tmp_path / "out" / "m.nii")
    original = nibabel.load(sample / "sample_seg.nii.gz")
    assert image.get_data_dtype() == np.int16
    numbers = np.asanyarray(image.dataobj)
    np.testing.assert_array_equal(numbers > 0, np.asanyarray(original.dataobj) == numbers.max())
    assert "Saved" in window.messages.text


def test_a_mask_without_any_label_chosen_is_not_written(
    qtbot: QtBot, window: MainWindow, sample: Path
) -> None:
    open_case(qtbot, window, sample)
    window.session.show(window.session.case.rating("Reference"))
    dialog = ask(qtbot, window)
    for name in ("Oedema", "Necrosis", "Enhancing"):
        qtbot.keyClick(box(dialog, name), Qt.Key.Key_Space)
    assert not ok(dialog).isEnabled()
    assert sentence(dialog) == "Choose at least one label."
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)


def test_slices_cannot_go_where_millimetres_are_needed(
    qtbot: QtBot, window: MainWindow, tiff_case: Path
) -> None:
    open_case(qtbot, window, tiff_case)
    dialog = ask(qtbot, window)
    assert (dialog.form.key, dialog.destination.suffix) == ("tif", "")
    assert "named after the images" in sentence(dialog)
    forms = dialog.findChild(QListWidget)
    told = [forms.item(i).text() for i in range(forms.count())]
    assert sum("needs a spacing in mm" in text for text in told) == 3
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)


@pytest.mark.parametrize("bad", [False, True])
def test_all_cases_of_the_list(
    qtbot: QtBot, window: MainWindow, sample: Path, small_case: Path, tmp_path: Path, bad: bool
) -> None:
    open_case(qtbot, window, sample)
    window.exporter.cases = lambda: [small_case, tmp_path / "gone"] if bad else [small_case, sample]
    dialog = ask(qtbot, window)
    go_to(qtbot, dialog, "NIfTI with ITK-SNAP labels")
    qtbot.keyClick(box(dialog, "all 2 cases"), Qt.Key.Key_Space)
    assert "masks that lie beside the images of 2 cases" in sentence(dialog)
    field = dialog.findChild(QLineEdit)
    field.selectAll()
    qtbot.keyClicks(field, str(tmp_path / "all"))
    with qtbot.waitSignal(window.exporter.all_exported, timeout=30_000) as caught:
        qtbot.mouseClick(ok(dialog), Qt.MouseButton.LeftButton)
    outcomes = caught.args[0]
    # The sample has two masks beside its images.
    assert [o.written is None for o in outcomes] == ([False, True] if bad else [False, False, False])
    assert len(list((tmp_path / "all").glob("*.nii.gz"))) == (1 if bad else 3)
    assert ("gone" in window.messages.text) == bad
