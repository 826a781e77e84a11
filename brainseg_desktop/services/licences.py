"""The licence of the program, and those of all it carries."""

from __future__ import annotations

import importlib.metadata
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

from brainseg_desktop.io.resources import resources_dir

DISTRIBUTION = "brainseg-desktop"
# Written into resources/licences when the installed app is built, which has no metadata of packages.
TABLE_FILE = "third-party.json"
_TEXTS_BEGIN = re.compile(r"^={100}\n\[(\d+)\] [^\n]*\n={100}\n", re.MULTILINE)
_LICENCE_NAME = re.compile(r"licen[cs]e|copying|notice", re.IGNORECASE)
_REQUIRED_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_OF_RESOURCES = {"fonts": "DejaVu fonts", "sample": "Sample case"}


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Something of others that the program carries.

    Parameters
    ----------
    name, version : str
    licence : str
        Its short name.
    text : str
        Its licence word for word; empty where the part brings none.
    """

    name: str
    version: str = ""
    licence: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Licences:
    """What the About window shows of them.

    Parameters
    ----------
    own : str
        Text of the program's own licence; empty if it cannot be found.
    parts : tuple of Part
        By name.
    """

    own: str
    parts: tuple[Part, ...]


def read_licences() -> Licences:
    """Everything there is; reads some hundred small files, so it is meant for an executor's thread."""
    parts = [*(_noticed() or _installed()), *_resources()]
    return Licences(_own(), tuple(sorted(parts, key=lambda part: part.name.lower())))


def _places() -> list[Path]:
    frozen = getattr(sys, "_MEIPASS", None)
    roots = [Path(frozen)] if frozen is not None else []
    return [*roots, resources_dir() / "licences", resources_dir().parent]


def _own() -> str:
    for place in _places():
        text = _read(place / "LICENSE")
        if text:
            return text
    try:
        return _texts(importlib.metadata.distribution(DISTRIBUTION))
    except importlib.metadata.PackageNotFoundError:
        return ""


class _Table(msgspec.Struct, frozen=True, kw_only=True):
    """What the build has written down: its parts, and the name of the file with all texts."""

    notices: str = ""
    parts: tuple[Part, ...] = ()


def installed_version(name: str) -> str | None:
    """Version of a package that the program runs on; None if it is not there."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return next((p.version for p in _table().parts if p.name.lower() == name.lower()), None)


def _table() -> _Table:
    """What the build of an installed app has written down; empty outside of one."""
    try:
        raw = (resources_dir() / "licences" / TABLE_FILE).read_bytes()
        return msgspec.json.decode(raw, type=_Table)
    except (OSError, msgspec.DecodeError):
        return _Table()


def _noticed() -> list[Part]:
    """The parts of an installed app with their texts; none outside of one."""
    table = _table()
    if not table.notices:
        return []
    notices = _read(resources_dir() / "licences" / Path(table.notices).name)
    # Number, text, number, text ... behind the list of the parts.
    listed, *pieces = _TEXTS_BEGIN.split(notices)
    texts = {number: text.strip() for number, text in zip(pieces[::2], pieces[1::2], strict=True)}
    return [msgspec.structs.replace(part, text=_text_of(part, listed, texts)) for part in table.parts]


def _text_of(part: Part, listed: str, texts: dict[str, str]) -> str:
    """The texts that the list of the notices names for a part by their numbers."""
    title = re.escape(f"{part.name} {part.version}".strip())
    entry = re.search(rf"^{title}\n(?: +[^\n]*\n)*? +Texts: +([^\n]*)$", listed, re.MULTILINE)
    numbers = re.findall(r"\[(\d+)\]", entry[1]) if entry is not None else []
    return "\n\n".join(texts[number] for number in numbers if number in texts)


def _installed() -> list[Part]:
    """The packages that the program needs, as they are installed."""
    found: dict[str, Part] = {
        "python": Part(
            name="Python", version=sys.version.split()[0], licence="PSF-2.0", text=_python_licence()
        )
    }
    waiting = [DISTRIBUTION]
    while waiting:
        name = waiting.pop()
        key = re.sub(r"[-_.]+", "-", name).lower()
        if key in found:
            continue
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            # Of another system, or it is a source tree without an installation.
            continue
        found[key] = _part(distribution)
        for requirement in distribution.requires or ():
            wanted = _REQUIRED_NAME.match(requirement)
            if wanted is not None and not re.search(r";.*\bextra\b", requirement):
                waiting.append(wanted[0])
    found.pop(DISTRIBUTION, None)
    return list(found.values())


def _part(distribution: importlib.metadata.Distribution) -> Part:
    data = distribution.metadata
    classes = [c.rsplit(" :: ", 1)[-1] for c in data.get_all("Classifier") or () if c.startswith("License")]
    # Some write the whole text where its name belongs.
    named = _field(data, "License")
    expression = _field(data, "License-Expression")
    short = named if named and len(named) < 80 and "\n" not in named else ""
    return Part(
        name=data["Name"],
        version=distribution.version,
        licence=expression or short or ", ".join(classes),
        text=_texts(distribution) or (named if named != short else ""),
    )


def _field(data: importlib.metadata.PackageMetadata, name: str) -> str:
    return next(iter(data.get_all(name) or ()), "").strip()


def _texts(distribution: importlib.metadata.Distribution) -> str:
    files = [
        file
        for file in distribution.files or ()
        if ".dist-info" in str(file) and _LICENCE_NAME.search(file.name) and file.suffix != ".py"
    ]
    texts = [_read(Path(str(file.locate()))) for file in files]
    return "\n\n".join(text for text in texts if text)


def _python_licence() -> str:
    folder = Path(sys.base_prefix)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    places = (folder / "LICENSE.txt", folder / "lib" / version / "LICENSE.txt")
    return next(filter(None, map(_read, places)), "")


def _resources() -> list[Part]:
    parts = []
    for folder, name in _OF_RESOURCES.items():
        text = _read(resources_dir() / folder / "LICENCE.txt")
        if text:
            parts.append(Part(name=name, text=text))
    return parts


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
