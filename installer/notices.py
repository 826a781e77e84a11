"""The notices that go with the frozen program: one file to read, one for the About window."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from inventory import HERE, Part

TEXT_NAME = "THIRD-PARTY-NOTICES.txt"
JSON_NAME = "third-party.json"
_LINE = "=" * 100


def write_notices(
    parts: Sequence[Part], replaceable: Sequence[Part], folder: Path, version: str
) -> tuple[Path, Path]:
    """Write both files into a folder, which is made if needed.

    Parameters
    ----------
    parts, replaceable : sequence of Part
        All parts, and those under a licence that lets the user replace them.
    folder : Path
        Where to.
    version : str
        Of BrainSeg Desktop.
    """
    folder.mkdir(parents=True, exist_ok=True)
    readable, table = folder / TEXT_NAME, folder / JSON_NAME
    readable.write_text(_readable(parts, replaceable, version), "utf-8", newline="\n")
    table.write_text(
        json.dumps(_table(parts, version), indent=1, ensure_ascii=False) + "\n", "utf-8", newline="\n"
    )
    return readable, table


def _table(parts: Sequence[Part], version: str) -> dict[str, object]:
    return {
        "format": 1,
        "program": {"name": "BrainSeg Desktop", "version": version, "licence": "Apache-2.0"},
        "notices": TEXT_NAME,
        "parts": [
            {
                "name": part.name,
                "version": part.version,
                "kind": part.kind,
                "licence": part.licence,
                "source": part.source,
                "files": sorted(part.files),
            }
            for part in parts
        ],
    }


def _readable(parts: Sequence[Part], replaceable: Sequence[Part], version: str) -> str:
    numbers: dict[str, int] = {}
    names: dict[int, list[str]] = {}
    entries = []
    for part in parts:
        own = set()
        for name, text in part.texts.items():
            plain = "\n".join(line.rstrip() for line in text.strip().splitlines())
            number = numbers.setdefault(plain, len(numbers) + 1)
            names.setdefault(number, []).append(f"{part.name}, {name.rpartition('/')[2]}")
            own.add(number)
        entries.append(
            f"{_titled(part)}\n"
            f"    Licence: {part.licence}\n"
            f"    Source:  {part.source}\n"
            f"    Texts:   {', '.join(f'[{number}]' for number in sorted(own)) or 'none needed'}\n"
        )
    opening = (HERE / "opening.txt").read_text("utf-8")
    opening = opening.format(
        version=version, replaceable="\n".join(f"  {_titled(part)}: {part.licence}" for part in replaceable)
    )
    printed = [
        f"{_LINE}\n[{number}] {_several(names[number])}\n{_LINE}\n\n{text}\n"
        for text, number in numbers.items()
    ]
    return "\n".join([opening, "All parts\n---------", *entries, "Licence texts\n-------------", *printed])


def _several(names: Sequence[str]) -> str:
    shown = list(dict.fromkeys(names))
    return "; ".join(shown[:4]) + (f"; and {len(shown) - 4} more" if len(shown) > 4 else "")


def _titled(part: Part) -> str:
    return f"{part.name} {part.version}".strip()
