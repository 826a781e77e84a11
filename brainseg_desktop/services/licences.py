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
# Written by whoever builds the installed app, which has no metadata of packages.
NOTICES_FILE = "third-party.json"
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


def _noticed() -> list[Part]:
    """The parts that the build of an installed app has written down; none outside of one."""
    for place in _places():
        try:
            return msgspec.json.decode((place / NOTICES_FILE).read_bytes(), type=list[Part])
        except (OSError, msgspec.DecodeError):
            continue
    return []


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
