"""Choosing a network, reading its card, and seeing where it was undecided: by real keys and clicks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QComboBox, QDockWidget, QLabel, QTextBrowser, QToolButton
from pytestqt.qtbot import QtBot

from brainseg_desktop.core.case import RaterKind, Rating
from brainseg_desktop.core.history import LabelMap
from brainseg_desktop.gui.dialogs.network_card import NetworkCardDialog, card_html
from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.gui.views.overlay import UNCERTAINTY_COLOURS, uncertainty_table
from brainseg_desktop.gui.views.view_state import OverlayKind
from brainseg_desktop.inference.registry import read_card
from brainseg_desktop.services.models import find_network
from brainseg_desktop.services.paths import user_models_dir
from tests.gui.conftest import open_case, pixel_of
from tests.inference.tiny import write_tiny


def doubtful(window: MainWindow) -> Rating:
    """A network's mask with a box of tumour, certain inside, and a wider box of doubt about it."""
    case = window.session.case
    labels, doubt = (np.zeros(case.grid.shape, np.uint8) for _ in range(2))
    x, y, z = (n // 2 for n in case.grid.shape)
    doubt[x - 10 : x + 10, y - 10 : y + 10, z] = 255
    doubt[x - 5 : x + 5, y - 5 : y + 5, z] = 0
    labels[x - 8 : x + 8, y - 8 : y + 8, z] = 2
    scheme = window.session.own_rating().scheme
    details = {"mean_uncertainty_bits": 0.61}
    return Rating("AI (x)", RaterKind.MODEL, LabelMap(labels), scheme, details=details, uncertainty=doubt)


def test_uncertainty_is_shown_and_hidden_with_a_key(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    open_case(qtbot, window, sample)
    view, state = window.viewer.views[0], window.state
    action = window.actions_by_name["uncertainty"]
    overlay = next(b for b in window.display.findChildren(QComboBox) if b.accessibleName() == "Overlay")
    qtbot.keyClick(view, Qt.Key.Key_U)
    assert not action.isEnabled()
    assert state.overlay is OverlayKind.MASK

    window.session.add(doubtful(window))
    window.session.show(window.session.case.rating("AI (x)"))
    assert any(label.text().endswith("0.61 bit") for label in window.display.findChildren(QLabel))
    x, y, z = state.cursor
    window.state.set_cursor((x - 30, y - 30, z))
    centre, ring = pixel_of(view, (x, y, z)), pixel_of(view, (x - 6.5, y, z))
    before = view.grab().toImage()
    qtbot.keyClick(view, Qt.Key.Key_U)
    assert (action.isChecked(), state.shows_uncertainty) == (True, True)
    assert overlay.currentText() == "Uncertainty of the network"
    shown = view.grab().toImage()
    # Where the network is certain the image is bare; where it is not, the colour is that of 1 bit.
    grey = shown.pixelColor(centre)
    assert grey.red() == grey.green() == grey.blue()
    assert before.pixelColor(centre) != grey
    found, brightest = shown.pixelColor(ring), UNCERTAINTY_COLOURS[-1]
    assert np.abs(np.subtract(found.getRgb()[:3], brightest)).max() < 40
    # Its scale stands in the corner.
    corner = shown.pixelColor(QPoint(view.width() - 14, view.height() - 14))
    assert np.abs(np.subtract(corner.getRgb()[:3], UNCERTAINTY_COLOURS[0])).max() < 40
    voxel_text = window._where.text
    qtbot.mouseMove(view, QPoint(2, 2))
    qtbot.mouseMove(view, ring)
    assert "uncertainty 1.00 bit" in voxel_text()

    qtbot.keyClick(view, Qt.Key.Key_U)
    assert view.grab().toImage() == before
    window.findChild(QDockWidget, "Display").raise_()
    qtbot.keyClick(overlay, Qt.Key.Key_End)
    assert state.shows_uncertainty
    # The difference and the uncertainty are not shown at once.
    qtbot.keyClick(view, Qt.Key.Key_F)
    assert not action.isChecked()


def test_the_more_uncertain_the_brighter_and_the_less_transparent() -> None:
    table = uncertainty_table(0.5)
    alpha = (table >> 24).astype(int)
    assert (np.diff(alpha) >= 0).all()
    assert alpha[:7].max() == 0
    assert alpha[255] > 220
    luminance = sum(
        w * ((table[8:] >> s) & 255) for w, s in ((0.2126, 16), (0.7152, 8), (0.0722, 0))
    ) / np.maximum(alpha[8:], 1)
    assert (np.diff(luminance) > -0.02).all()
    # Premultiplied: no colour is above its alpha.
    for shift in (16, 8, 0):
        assert (((table >> shift) & 255) <= table >> 24).all()
    assert not uncertainty_table(0.0).any()


def fill_menu(qtbot: QtBot, window: MainWindow) -> dict[str, object]:
    """What the menu lists once it was opened; the offscreen platform cannot pop it up."""
    window.networks.offers = []
    window.networks.menu.aboutToShow.emit()
    qtbot.waitUntil(lambda: bool(window.networks.offers), timeout=10_000)
    return {action.text().split()[0]: action for action in window.networks.menu.actions()}


def test_networks_are_chosen_in_the_menu_and_remembered(
    qtbot: QtBot, make: Callable[[], MainWindow], sample: Path
) -> None:
    write_tiny(user_models_dir() / "mine", name="mine")
    (user_models_dir() / "wrong.pt").write_bytes(b"")
    window = make()
    button = window.findChild(QToolButton, "segment")
    assert button.menu() is window.networks.menu
    actions = fill_menu(qtbot, window)
    assert list(actions) == ["glioma-unet", "mine", "wrong.pt"]
    assert actions["glioma-unet"].isChecked()
    assert not actions["wrong.pt"].isEnabled()
    assert "pickled" in actions["wrong.pt"].text()
    assert str(user_models_dir()) in actions["wrong.pt"].toolTip()
    actions["mine"].trigger()
    assert window.networks.name == "mine"
    open_case(qtbot, window, sample)
    window.segmenting.start()
    qtbot.waitUntil(lambda: not window.segmenting.is_running, timeout=120_000)
    assert window.session.case.rating("AI (mine)") is not None, window.messages.text
    window.close()

    again = make()
    assert again.networks.name == "mine"
    assert fill_menu(qtbot, again)["mine"].isChecked()


def test_a_network_that_is_gone_is_told_when_it_is_needed(
    qtbot: QtBot, window: MainWindow, sample: Path
) -> None:
    window.networks.name = "gone"
    open_case(qtbot, window, sample)
    window.segmenting.start()
    qtbot.waitUntil(lambda: not window.segmenting.is_running, timeout=20_000)
    assert "There is no network gone" in window.messages.text
    window.messages.hide()
    window.actions_by_name["about_network"].trigger()
    qtbot.waitUntil(lambda: "There is no network gone" in window.messages.text, timeout=10_000)


def test_the_card_can_be_read(qtbot: QtBot, window: MainWindow) -> None:
    window.actions_by_name["about_network"].trigger()
    qtbot.waitUntil(lambda: window.findChild(NetworkCardDialog) is not None, timeout=10_000)
    dialog = window.findChild(NetworkCardDialog)
    text = dialog.findChild(QTextBrowser).toPlainText()
    card = read_card(find_network(None))
    for expected in (card.version, card.licence, "95 % interval", "research use only"):
        assert expected in text
    for network in card.networks:
        assert f"{network.parameters:,}" in text
        for figure in network.figures:
            assert f"{figure.dice:.3f}" in text
    dialog.close()


def test_the_card_asked_for_twice_is_one_window(qtbot: QtBot, window: MainWindow) -> None:
    seen: set[NetworkCardDialog] = set()

    def shown() -> list[NetworkCardDialog]:
        dialogs = [d for d in window.findChildren(NetworkCardDialog) if d.isVisible()]
        seen.update(dialogs)
        return dialogs

    window.actions_by_name["about_network"].trigger()
    qtbot.waitUntil(lambda: len(shown()) == 1, timeout=10_000)
    window.actions_by_name["about_network"].trigger()
    qtbot.waitUntil(lambda: bool(shown()) and len(seen) == 2, timeout=10_000)
    (dialog,) = shown()
    dialog.close()


def test_a_card_s_texts_are_no_html(tmp_path: Path) -> None:
    folder = write_tiny(tmp_path / "m", name="<img src=x>")
    html = card_html(read_card(folder), tmp_path)
    assert "<img" not in html
    assert "&lt;img src=x&gt;" in html


@pytest.mark.parametrize("works", [True, False])
def test_the_folder_of_own_networks_is_shown(
    window: MainWindow, monkeypatch: pytest.MonkeyPatch, works: bool
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(
        QDesktopServices, "openUrl", lambda url: bool(opened.append(url.toLocalFile())) or works
    )
    window.actions_by_name["models_folder"].trigger()
    assert opened == [str(user_models_dir())]
    assert user_models_dir().is_dir()
    assert (str(user_models_dir()) in window.messages.text) == (not works)


def test_a_folder_that_cannot_be_made_is_told(window: MainWindow) -> None:
    user_models_dir().parent.mkdir(parents=True, exist_ok=True)
    user_models_dir().write_text("in the way")
    window.actions_by_name["models_folder"].trigger()
    assert "could not be written" in window.messages.text
