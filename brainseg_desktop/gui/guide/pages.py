"""The pages of the user guide: one Markdown file a task, listed in the order of ``index.md``. No Qt.

Names and keys are never written out. ``{key:brush}``, ``{action:brush}`` and ``{menu:brush}`` stand for the
key of an action, for its text, and for the way to it through the menus; a page is filled in when it is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.io.resources import resources_dir

INDEX = "index.md"
PICTURES = "pictures"
MARK = re.compile(r"\{(key|action|menu):([a-z0-9_]+)\}")
PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)]+)\)")
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)]+)\)")
_ENTRY = re.compile(r"^[-*] \[([^\]]+)\]\(([^)]+\.md)\)")


@dataclass(frozen=True, slots=True)
class Names:
    """What is filled into the pages, by name of action.

    Parameters
    ----------
    keys : key or keys in words, empty where an action has none
    actions : texts of buttons and menu entries
    menus : menu, an arrow and the entry; only for actions that stand in a menu
    """

    keys: Mapping[str, str]
    actions: Mapping[str, str]
    menus: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Entry:
    """A page as the contents list it.

    Parameters
    ----------
    file : str
        Name of the file, which is also what links name.
    title : str
    group : str
        Heading under which it stands.
    """

    file: str
    title: str
    group: str


def guide_dir() -> Path:
    """Folder of the guide in this installation."""
    return resources_dir() / "guide"


def read_contents(folder: Path) -> tuple[Entry, ...]:
    """The pages in their order, as ``index.md`` lists them.

    Raises
    ------
    UserError
        ``guide_page_broken`` (params ``path``, ``reason``).
    """
    path, group, entries = folder / "pages" / INDEX, "", []
    for line in _text(path).splitlines():
        if line.startswith("## "):
            group = line[3:].strip()
        elif found := _ENTRY.match(line):
            entries.append(Entry(found[2], found[1], group))
    if not entries:
        raise UserError("guide_page_broken", path=path, reason="it lists no page")
    return tuple(entries)


def read_page(folder: Path, file: str, names: Names) -> str:
    """The Markdown of a page, names and keys filled in.

    Raises
    ------
    UserError
        ``guide_page_broken`` (params ``path``, ``reason``).
    """
    path = folder / "pages" / Path(file).name
    try:
        return fill(_text(path), names)
    except KeyError as error:
        raise UserError("guide_page_broken", path=path, reason=f"no action {error.args[0]}") from error


def fill(text: str, names: Names) -> str:
    """The text with the names and keys of actions in place of their marks; an unknown name is a KeyError.

    Examples
    --------
    >>> names = Names({"fit": "Home", "quit": ""}, {"fit": "Fit", "quit": "Quit"}, {"quit": "Case > Quit"})
    >>> fill("Press {key:fit} or {key:quit}: {action:fit}.", names)
    'Press `Home` or **Case > Quit**: **Fit**.'
    """

    def put(found: re.Match[str]) -> str:
        kind, name = found[1], found[2]
        if kind == "action":
            return f"**{names.actions[name]}**"
        if kind == "key" and names.keys[name]:
            return _as_key(names.keys[name])
        # Who has taken the key of an action away finds it in the menus.
        return f"**{names.menus[name] if name in names.menus else names.actions[name]}**"

    return MARK.sub(put, text)


def title_of(markdown: str) -> str:
    """The first heading of a page."""
    return next((line[2:].strip() for line in markdown.splitlines() if line.startswith("# ")), "")


def _as_key(text: str) -> str:
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def _text(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = "it is no text" if isinstance(error, UnicodeDecodeError) else (error.strerror or str(error))
        raise UserError("guide_page_broken", path=path, reason=reason) from error
    if not text.strip():
        raise UserError("guide_page_broken", path=path, reason="it is empty")
    return text
