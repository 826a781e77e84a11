"""Icons: one for each name, sharp at each size, in the colours of the theme; and the theme's contrasts."""

from __future__ import annotations

import ast
import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QSize
from PySide6.QtGui import QAction, QColor, QFont, QIcon, QImage, QPainter, QPixmap, QScreen
from PySide6.QtWidgets import QApplication, QPushButton, QToolButton
from pytestqt.qtbot import QtBot

from brainseg_desktop.gui import theme as theme_module
from brainseg_desktop.gui.actions import ACTIONS
from brainseg_desktop.gui.icons import has_icon, icon, icon_size, set_icons
from brainseg_desktop.gui.theme import DARK, LIGHT, THEMES, Theme, apply_theme
from brainseg_desktop.io.resources import resources_dir

FOLDER = resources_dir() / "icons"
NAMES = sorted(path.stem for path in FOLDER.glob("*.svg"))
GUI = Path(theme_module.__file__).parent


def pixels(pixmap: QPixmap) -> np.ndarray:
    """Array (height, width, RGBA) of a pixmap."""
    image = pixmap.toImage().convertToFormat(QImage.Format.Format_RGBA8888)
    return np.array(image.constBits()).reshape(image.height(), image.width(), 4)


def ink(pixmap: QPixmap) -> str:
    """The colour of the pixels that are covered wholly."""
    array = pixels(pixmap)
    covered = array[array[..., 3] > 250][:, :3]
    assert covered.size
    return "#" + "".join(f"{v:02x}" for v in np.median(covered, axis=0).astype(int))


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2.2."""
    parts = np.array(QColor(colour).getRgb()[:3]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def contrast(first: str, second: str) -> float:
    """Contrast ratio of WCAG 2.2."""
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def words_of_the_gui() -> set[str]:
    """Every text constant in the modules of the window, whole and split into words."""
    found: set[str] = set()
    for path in GUI.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= {node.value, *node.value.split()}
    return found


def test_each_drawing_is_used() -> None:
    assert NAMES
    assert set(NAMES) - {a.name for a in ACTIONS} - words_of_the_gui() == set()


def test_each_name_used_has_a_drawing() -> None:
    calls = {
        name
        for path in GUI.glob("*.py")
        for name in re.findall(r"\bicon\(\s*\"(\w+)\"", path.read_text(encoding="utf-8"))
    }
    assert calls - set(NAMES) == set()


def test_the_pictures_of_the_style_sheet_are_those_it_names() -> None:
    there = {path.name for path in (FOLDER / "style").glob("*.svg")}
    named = {
        match
        for theme in THEMES.values()
        for match in re.findall(
            r"/style/([\w.]+)\"", theme_module._controls(theme) + theme_module._bars(theme)
        )
    }
    assert there == named


def test_a_missing_icon_is_an_error(qapp: QApplication) -> None:
    with pytest.raises(KeyError):
        icon("no_such_icon", DARK)
    assert not has_icon("no_such_icon")


@pytest.mark.parametrize("name", NAMES)
def test_each_drawing_is_of_the_set(qapp: QApplication, name: str) -> None:
    text = (FOLDER / f"{name}.svg").read_text(encoding="utf-8")
    assert 'viewBox="0 0 24 24"' in text
    assert 'stroke-width="1.75"' in text
    assert set(re.findall(r"(?:fill|stroke)=\"([^\"]+)\"", text)) <= {"none", "currentColor"}
    # Something is drawn, and nothing of it is cut off at the edge.
    alpha = pixels(icon(name, DARK).pixmap(QSize(24, 24), 1.0))[..., 3]
    assert np.count_nonzero(alpha > 128) > 25
    assert max(alpha[0].max(), alpha[-1].max(), alpha[:, 0].max(), alpha[:, -1].max()) == 0


@pytest.mark.parametrize("ratio", [1.0, 1.25, 1.5, 2.0])
def test_an_icon_has_as_many_pixels_as_the_screen(
    qapp: QApplication, ratio: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QScreen, "devicePixelRatio", lambda _: ratio)
    made = icon("brush", DARK)
    for side in (16, 20, 24):
        drawn = made.pixmap(QSize(side, side), ratio)
        assert drawn.size() == QSize(side, side) * ratio
        assert drawn.devicePixelRatio() == pytest.approx(ratio, abs=0.02)
        # Drawn with that many pixels, not scaled to it.
        assert QSize(round(side * ratio), round(side * ratio)) in made.availableSizes()


def test_an_icon_painted_into_a_fine_picture_is_fine(
    qapp: QApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QScreen, "devicePixelRatio", lambda _: 2.0)
    canvas = QPixmap(40, 40)
    canvas.setDevicePixelRatio(2)
    canvas.fill(QColor(0, 0, 0, 0))
    painter = QPainter(canvas)
    icon("surface", DARK).paint(painter, 0, 0, 20, 20)
    painter.end()
    direct = icon("surface", DARK).pixmap(QSize(40, 40), 1.0)
    assert np.array_equal(pixels(canvas), pixels(direct))


@pytest.mark.parametrize("theme", THEMES.values(), ids=lambda t: t.name)
def test_colours_follow_theme_and_state(qapp: QApplication, theme: Theme) -> None:
    def drawn(mode: QIcon.Mode, state: QIcon.State, *, on_accent: bool = False) -> str:
        return ink(icon("show_mask", theme, on_accent=on_accent).pixmap(QSize(24, 24), 1.0, mode, state))

    assert drawn(QIcon.Mode.Normal, QIcon.State.Off) == theme.text
    assert drawn(QIcon.Mode.Active, QIcon.State.Off) == theme.text
    assert drawn(QIcon.Mode.Normal, QIcon.State.On) == theme.bright
    assert drawn(QIcon.Mode.Disabled, QIcon.State.On) == theme.disabled
    assert drawn(QIcon.Mode.Normal, QIcon.State.Off, on_accent=True) == theme.accent_text


def test_actions_get_the_icon_of_their_name_and_keep_it_when_the_theme_changes(qtbot: QtBot) -> None:
    actions = {name: QAction(name) for name in ("undo", "segment", "no_such_icon")}
    for theme in (DARK, LIGHT):
        set_icons(actions, theme)
        assert ink(actions["undo"].icon().pixmap(24, 24)) == theme.text
        assert ink(actions["segment"].icon().pixmap(24, 24)) == theme.accent_text
    assert actions["no_such_icon"].icon().isNull()
    button = QToolButton()
    qtbot.addWidget(button)
    button.setDefaultAction(actions["undo"])
    assert ink(button.icon().pixmap(24, 24)) == LIGHT.text


def test_icons_grow_with_the_font(qapp: QApplication) -> None:
    font = QFont(qapp.font())
    before = icon_size(font).width()
    font.setPointSizeF(font.pointSizeF() * 1.5)
    assert icon_size(font).width() == pytest.approx(1.5 * before, abs=2)


@pytest.mark.parametrize("theme", THEMES.values(), ids=lambda t: t.name)
def test_words_can_be_read(theme: Theme) -> None:
    grounds = (theme.window, theme.panel, theme.raised)
    for ground in grounds:
        for words in (theme.text, theme.faint, theme.bright):
            assert contrast(words, ground) >= 4.5, (words, ground)
    assert contrast(theme.text, theme.pressed) >= 4.5
    assert contrast(theme.bright, theme.pressed) >= 3
    assert contrast(theme.accent_text, theme.accent) >= 4.5
    assert contrast(theme.warning, theme.window) >= 4.5
    # Lines that carry a meaning, and what is switched off, need 3 or can still be found.
    for edge in (theme.warning, theme.good):
        assert contrast(edge, theme.raised) >= 3
    assert contrast(theme.disabled, theme.window) >= 2.5
    # Colours, not names or half-transparent ones, so that the figures above hold.
    for field in fields(theme):
        if field.name != "name":
            assert re.fullmatch(r"#[0-9a-f]{6}", getattr(theme, field.name))


@pytest.mark.parametrize("theme", THEMES.values(), ids=lambda t: t.name)
def test_the_control_with_the_keys_has_a_bright_frame(qtbot: QtBot, qapp: QApplication, theme: Theme) -> None:
    apply_theme(qapp, theme)
    button = QPushButton("Press")
    qtbot.addWidget(button)
    button.show()
    qtbot.waitExposed(button)
    button.activateWindow()
    button.setFocus()
    qtbot.waitUntil(button.hasFocus)
    edge = button.grab().toImage().pixelColor(button.width() // 2, 0).name()
    assert edge == theme.bright
    button.clearFocus()
    assert button.grab().toImage().pixelColor(button.width() // 2, 0).name() == theme.line
