"""The program's own line icons, drawn in the colours of the theme and sharp on every screen connected."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QAction, QColor, QFont, QFontMetrics, QGuiApplication, QIcon, QPainter, QPixmap

from brainseg_desktop.gui.theme import Theme
from brainseg_desktop.io.resources import resources_dir

# Menus, tool bars, large buttons; an icon of another size is scaled down from the next larger one. Each size
# more costs a few milliseconds at the start.
_SIDES = (16, 20, 24)


def icon(name: str, theme: Theme, *, on_accent: bool = False) -> QIcon:
    """The icon of an action.

    Parameters
    ----------
    name : str
        File name in ``resources/icons``, without ``.svg``.
    theme : Theme
    on_accent : bool
        It stands on the accent colour (the button that segments).

    Raises
    ------
    KeyError
        There is no icon of that name.
    """
    # Loaded with the first icon, not with the module.
    from PySide6.QtSvg import QSvgRenderer

    try:
        drawing = (resources_dir() / "icons" / f"{name}.svg").read_bytes()
    except FileNotFoundError as error:
        raise KeyError(name) from error
    renderer = QSvgRenderer(QByteArray(drawing.replace(b"currentColor", b"#000000")))
    ink = theme.accent_text if on_accent else theme.text
    inks = (
        (QIcon.Mode.Normal, QIcon.State.Off, ink),
        (QIcon.Mode.Normal, QIcon.State.On, theme.accent_text if on_accent else theme.bright),
        (QIcon.Mode.Disabled, QIcon.State.Off, theme.disabled),
        (QIcon.Mode.Disabled, QIcon.State.On, theme.disabled),
        (QIcon.Mode.Selected, QIcon.State.Off, theme.accent_text),
        (QIcon.Mode.Selected, QIcon.State.On, theme.accent_text),
    )
    # Made of pictures and not of an engine that draws on demand: Qt copies engines, and a copy made in Python
    # is thrown away while Qt still uses it.
    made = QIcon()
    for side in _pixels():
        shape = QPixmap(side, side)
        shape.fill(Qt.GlobalColor.transparent)
        painter = QPainter(shape)
        renderer.render(painter, QRectF(0, 0, side, side))
        painter.end()
        drawn = {colour: _tinted(shape, colour) for colour in {colour for *_, colour in inks}}
        for mode, state, colour in inks:
            made.addPixmap(drawn[colour], mode, state)
    return made


def has_icon(name: str) -> bool:
    """Whether an action of that name has an icon."""
    return (resources_dir() / "icons" / f"{name}.svg").is_file()


def icon_size(font: QFont) -> QSize:
    """Size of the icons beside words of this font: they grow with it."""
    side = round(1.3 * QFontMetrics(font).height())
    return QSize(side, side)


def set_icons(actions: Mapping[str, QAction], theme: Theme) -> None:
    """Give each action the icon of its name, where there is one; called again when the theme changes."""
    for name, action in actions.items():
        if has_icon(name):
            action.setIcon(icon(name, theme, on_accent=name == "segment"))


def _pixels() -> list[int]:
    """Sides to draw, in pixels of the screens connected."""
    sides = {*_SIDES, icon_size(QGuiApplication.font()).width()}
    ratios = {1.0, *(screen.devicePixelRatio() for screen in QGuiApplication.screens())}
    return sorted({round(side * ratio) for side in sides for ratio in ratios})


def _tinted(shape: QPixmap, colour: str) -> QPixmap:
    """The shape in one colour."""
    tinted = QPixmap(shape)
    painter = QPainter(tinted)
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceIn)
    painter.fillRect(tinted.rect(), QColor(colour))
    painter.end()
    return tinted
