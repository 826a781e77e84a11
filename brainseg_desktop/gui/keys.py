"""The keys of the actions as the reader has set them: the table's own, and what was changed."""

from __future__ import annotations

import re
from collections.abc import Mapping

from PySide6.QtCore import QKeyCombination, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QMenuBar, QWidget

from brainseg_desktop.gui.actions import ACTIONS
from brainseg_desktop.services.language import tr

Keys = Mapping[str, tuple[str, ...]]

FIRST: Keys = {spec.name: spec.keys for spec in ACTIONS}
_OWNERS = {key: name for name, keys in FIRST.items() for key in keys}
# What tools, dialogs and the screen reader need always.
_TAKEN = frozenset(("Esc", "Return", "Enter", "Backspace", "Tab", "Shift+Tab", "Backtab", "+", "-", "="))
_MODIFIERS = {
    Qt.Key.Key_Shift,
    Qt.Key.Key_Control,
    Qt.Key.Key_Alt,
    Qt.Key.Key_AltGr,
    Qt.Key.Key_Meta,
    Qt.Key.Key_CapsLock,
    Qt.Key.Key_NumLock,
    Qt.Key.Key_unknown,
}
_AT_END = re.compile(r" \(([^()]+)\)$")


def keys_in_use(changed: Keys) -> dict[str, tuple[str, ...]]:
    """Keys of every action; one that the reader gave to an action is no other's, as after an upgrade."""
    usable = {name: keys for name, keys in changed.items() if name in FIRST}
    found: dict[str, tuple[str, ...]] = {}
    taken: set[str] = set()
    for names in (usable, [name for name in FIRST if name not in usable]):
        for name in names:
            wanted = [_spelt(key) for key in usable.get(name, FIRST[name]) if key not in _TAKEN]
            found[name] = tuple(key for key in wanted if key and key not in taken)
            taken.update(found[name])
    return found


def unusable_keys(changed: Keys) -> list[str]:
    """Names of actions whose keys in a settings file are no key, or one that cannot be chosen."""
    return [
        name
        for name, keys in changed.items()
        if name in FIRST and any(not _spelt(key) or _spelt(key) in _TAKEN for key in keys)
    ]


def pressed_key(event: QKeyEvent) -> str:
    """The key of an event in Qt's spelling; empty while only Shift or the like is down."""
    if Qt.Key(event.key()) in _MODIFIERS:
        return ""
    modifiers = event.modifiers() & ~(
        Qt.KeyboardModifier.KeypadModifier | Qt.KeyboardModifier.GroupSwitchModifier
    )
    text = event.text()
    # "!" is Shift+1 on one keyboard and something else on another: the sign alone is what is meant.
    if len(text) == 1 and text.isprintable() and not text.isalpha() and not text.isspace():
        modifiers &= ~Qt.KeyboardModifier.ShiftModifier
    return QKeySequence(QKeyCombination(modifiers, Qt.Key(event.key()))).toString(
        QKeySequence.SequenceFormat.PortableText
    )


def refusal(key: str, action: str, keys: Keys, menus: QMenuBar | None = None) -> str:
    """A sentence on why an action cannot have a key; empty if it can."""
    if key in _TAKEN:
        return tr(
            "{key} cannot be chosen: tools, dialogs and the way from control to control need it.", key=key
        )
    texts = {spec.name: spec.text.rstrip(".") for spec in ACTIONS}
    for name, theirs in keys.items():
        if key in theirs and name != action:
            return tr(
                "{key} is already the key of '{action}'. Take it from there first.",
                key=key,
                action=tr(texts[name]),
            )
    for menu in menus.actions() if menus is not None else ():
        if QKeySequence.mnemonic(menu.text()).toString(QKeySequence.SequenceFormat.PortableText) == key:
            return tr("{key} opens the menu {menu}.", key=key, menu=menu.text().replace("&", ""))
    return ""


def without_first(keys: Keys) -> dict[str, tuple[str, ...]]:
    """Only what is not as in the table, for the settings."""
    return {name: theirs for name, theirs in keys.items() if theirs != FIRST[name]}


def follow_keys(root: QWidget, keys: Keys) -> None:
    """Have the tooltips of a window's parts that end in keys, in brackets, name those in use."""
    for widget in root.findChildren(QWidget):
        tip = widget.property("first_tip") or widget.toolTip()
        at_end = _AT_END.search(tip)
        if at_end is None or widget.window() is not root:
            continue
        named = at_end[1].split(", ")
        if not all(key in _OWNERS for key in named):
            continue
        widget.setProperty("first_tip", tip)
        owners = dict.fromkeys(_OWNERS[key] for key in named)
        now = [key for owner in owners for key in keys[owner]]
        widget.setToolTip(tip[: at_end.start()] + (f" ({', '.join(now)})" if now else ""))


def _spelt(key: str) -> str:
    """A key as Qt writes it; empty if it is none, or several after each other."""
    sequence = QKeySequence(key, QKeySequence.SequenceFormat.PortableText)
    spelt = sequence.toString(QKeySequence.SequenceFormat.PortableText)
    if sequence.count() != 1:
        return ""
    combination: QKeyCombination = sequence[0]  # type: ignore[index]
    return "" if combination.key() in _MODIFIERS else spelt
