"""Choosing the colours of the labels: shown at once, taken back by Cancel, warned of where two look alike."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QAbstractButton,
    QColorDialog,
    QDialogButtonBox,
    QLabel,
    QPushButton,
    QRadioButton,
)
from pytestqt.qtbot import QtBot

from brainseg_desktop.core.labels import TISSUE_NAMES, Tissue
from brainseg_desktop.core.palettes import CLASSIC, SAFE, Colour, palette
from brainseg_desktop.gui.dialogs.colours_dialog import ColoursDialog

Shown = list[dict[Tissue, Colour]]
Make = Callable[..., tuple[ColoursDialog, Shown]]


@pytest.fixture
def make(qtbot: QtBot) -> Make:
    def open_dialog(choice: str = "safe", own: dict[str, str] | None = None) -> tuple[ColoursDialog, Shown]:
        shown: Shown = []
        dialog = ColoursDialog(choice, own or {}, shown.append)
        qtbot.addWidget(dialog)
        dialog.show()
        qtbot.waitExposed(dialog)
        return dialog, shown

    return open_dialog


def choose(qtbot: QtBot, dialog: ColoursDialog, title: str) -> None:
    radio = next(r for r in dialog.findChildren(QRadioButton) if r.text() == title)
    qtbot.keyClick(radio, Qt.Key.Key_Space)


def press(qtbot: QtBot, dialog: ColoursDialog, which: QDialogButtonBox.StandardButton) -> None:
    box = dialog.findChild(QDialogButtonBox)
    qtbot.mouseClick(box.button(which), Qt.MouseButton.LeftButton)


def colour_button(dialog: ColoursDialog, tissue: Tissue) -> QPushButton:
    name = f"Colour of {TISSUE_NAMES[tissue].lower()}"
    return next(b for b in dialog.findChildren(QPushButton) if b.accessibleName() == name)


def warning(dialog: ColoursDialog) -> str:
    return "\n".join(
        label.text()
        for label in dialog.findChildren(QLabel)
        if "look alike" in label.text() or "told apart, also" in label.text()
    )


def test_a_choice_is_shown_at_once_and_kept_by_ok(qtbot: QtBot, make: Make) -> None:
    dialog, shown = make()
    assert shown[-1] == dict(SAFE)
    choose(qtbot, dialog, "Classic")
    assert shown[-1] == dict(CLASSIC)
    press(qtbot, dialog, QDialogButtonBox.StandardButton.Ok)
    assert dialog.result() == ColoursDialog.DialogCode.Accepted
    assert (dialog.choice, dialog.own, dialog.colours) == ("classic", {}, dict(CLASSIC))
    assert shown[-1] == dict(CLASSIC)


@pytest.mark.parametrize("how", ["button", "escape", "close"])
def test_cancel_takes_the_preview_back(qtbot: QtBot, make: Make, how: str) -> None:
    own = {"oedema": "#0000ff"}
    dialog, shown = make("own", own)
    choose(qtbot, dialog, "Classic")
    assert shown[-1] == dict(CLASSIC)
    if how == "button":
        press(qtbot, dialog, QDialogButtonBox.StandardButton.Cancel)
    elif how == "escape":
        qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    else:
        dialog.close()
    assert dialog.result() == ColoursDialog.DialogCode.Rejected
    assert shown[-1] == palette("own", own)


def test_own_colours_begin_with_those_on_the_screen(qtbot: QtBot, make: Make) -> None:
    dialog, shown = make("classic")
    assert not colour_button(dialog, Tissue.OEDEMA).isEnabled()
    choose(qtbot, dialog, "My own")
    assert colour_button(dialog, Tissue.OEDEMA).isEnabled()
    assert shown[-1] == dict(CLASSIC)
    dialog.set_own(Tissue.OEDEMA, (1, 2, 3))
    assert shown[-1] == {**CLASSIC, Tissue.OEDEMA: (1, 2, 3)}
    assert dialog.own["oedema"] == "#010203"
    assert palette("own", dialog.own) == dialog.colours
    # Another set and back: one's own are still there.
    choose(qtbot, dialog, "Safe")
    choose(qtbot, dialog, "My own")
    assert dialog.colours[Tissue.OEDEMA] == (1, 2, 3)


def test_a_colour_is_picked_with_preview_and_can_be_taken_back(qtbot: QtBot, make: Make) -> None:
    dialog, shown = make("own", {"oedema": "#0000ff"})
    for accepted in (False, True):
        qtbot.mouseClick(colour_button(dialog, Tissue.OEDEMA), Qt.MouseButton.LeftButton)
        picker = dialog.findChild(QColorDialog)
        assert picker.currentColor() == QColor(0, 0, 255)
        picker.setCurrentColor(QColor(10, 20, 30))
        assert shown[-1][Tissue.OEDEMA] == (10, 20, 30)
        if accepted:
            picker.accept()
        else:
            picker.reject()
        qtbot.waitUntil(lambda: dialog.findChild(QColorDialog) is None)
        assert shown[-1][Tissue.OEDEMA] == ((10, 20, 30) if accepted else (0, 0, 255))


def test_look_alikes_are_named_in_words(qtbot: QtBot, make: Make) -> None:
    dialog, _ = make()
    assert "told apart" in warning(dialog)
    choose(qtbot, dialog, "My own")
    dialog.set_own(Tissue.NECROSIS, (200, 0, 0))
    dialog.set_own(Tissue.OEDEMA, (0, 130, 0))
    assert "Necrosis and oedema look alike to a reader with deuteranopia" in warning(dialog)
    dialog.set_own(Tissue.OEDEMA, (205, 3, 3))
    assert "Necrosis and oedema look alike to a reader with usual colour vision" in warning(dialog)
    dialog.set_own(Tissue.OEDEMA, SAFE[Tissue.OEDEMA])
    assert "Necrosis" not in warning(dialog)


def test_reset_goes_back_to_safe_and_forgets_ones_own(qtbot: QtBot, make: Make) -> None:
    dialog, shown = make("own", {"oedema": "#0000ff"})
    press(qtbot, dialog, QDialogButtonBox.StandardButton.Reset)
    assert dialog.isVisible()
    assert (dialog.choice, dialog.own) == ("safe", {})
    assert shown[-1] == dict(SAFE)


def test_broken_settings_do_no_harm(make: Make) -> None:
    dialog, shown = make("mauve", {"oedema": "blue"})
    assert dialog.choice == "safe"
    assert shown[-1] == dict(SAFE)


def test_a_swatch_shows_its_colour_even_where_it_cannot_be_changed(make: Make) -> None:
    dialog, _ = make("classic")
    for tissue, colour in CLASSIC.items():
        button = colour_button(dialog, tissue)
        image = button.grab().toImage()
        inside = {
            image.pixelColor(x, y).getRgb()[:3]
            for x in range(image.width())
            for y in range(image.height() // 3, 2 * image.height() // 3)
        }
        assert colour in inside


def test_every_control_has_a_name(make: Make) -> None:
    dialog, _ = make()
    for control in dialog.findChildren(QAbstractButton):
        assert control.accessibleName() or control.text()
