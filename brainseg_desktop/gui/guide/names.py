"""Names, keys and menu places of the actions, as they are in the window that the guide is opened from."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QMenuBar

from brainseg_desktop.gui.actions import ACTIONS
from brainseg_desktop.gui.bars import make_menus
from brainseg_desktop.gui.guide.pages import Names
from brainseg_desktop.services.language import tr


def names_of(actions: Mapping[str, QAction], bar: QMenuBar) -> Names:
    """Names as this window shows them: keys that the reader has changed are his."""
    # Not the texts of the actions: undo carries the step that it would take back.
    texts = {spec.name: tr(spec.text) for spec in ACTIONS}
    by_action = {action: name for name, action in actions.items()}
    menus: dict[str, str] = {}
    for top in bar.actions():
        menu = top.menu()
        if isinstance(menu, QMenu):
            for name in filter(None, (by_action.get(action) for action in menu.actions())):
                menus.setdefault(name, f"{plain(top.text())} > {texts[name]}")
    keys = {name: keys_in_words(action.shortcuts()) for name, action in actions.items()}
    return Names(keys, {name: text.rstrip(".") for name, text in texts.items()}, menus)


def names_of_table() -> Names:
    """Names as a fresh installation shows them, from the table of actions alone."""
    made = {spec.name: QAction(spec.text) for spec in ACTIONS}
    for spec in ACTIONS:
        made[spec.name].setShortcuts([QKeySequence(key) for key in spec.keys])
    bar, networks = QMenuBar(), QMenu()
    make_menus(bar, made, networks)
    return names_of(made, bar)


def keys_in_words(keys: list[QKeySequence]) -> str:
    """Keys as this system writes them."""
    return " or ".join(key.toString(QKeySequence.SequenceFormat.NativeText) for key in keys)


def plain(text: str) -> str:
    """A text without the marks of its access key.

    Examples
    --------
    >>> plain("Mea&sure && more")
    'Measure & more'
    """
    return text.replace("&&", "\0").replace("&", "").replace("\0", "&")
