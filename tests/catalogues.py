"""Catalogues made at test time: nothing half translated lies in the repository."""

from __future__ import annotations

import importlib.util
import math
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
PSEUDO = "xx"


def write_catalogue(folder: Path, code: str, texts: Mapping[str, str], plural: str = "n != 1") -> Path:
    """A `.mo` file as msgfmt writes it.

    Parameters
    ----------
    texts : mapping
        Text to translation; plural forms are joined with NUL, a context stands before the text with EOT.
    """
    head = f"Content-Type: text/plain; charset=UTF-8\nPlural-Forms: nplurals=2; plural={plural};\n"
    entries = sorted((k.encode(), v.encode()) for k, v in {"": head, **texts}.items())
    start = 7 * 4
    offset = start + 16 * len(entries)
    tables: list[bytes] = []
    strings = b""
    for which in (0, 1):
        table = b""
        for entry in entries:
            table += struct.pack("<II", len(entry[which]), offset + len(strings))
            strings += entry[which] + b"\0"
        tables.append(table)
    path = folder / code / "LC_MESSAGES" / "brainseg.mo"
    path.parent.mkdir(parents=True, exist_ok=True)
    numbers = (0x950412DE, 0, len(entries), start, start + 8 * len(entries), 0, start)
    path.write_bytes(struct.pack("<7I", *numbers) + b"".join(tables) + strings)
    return path


def extractor() -> ModuleType:
    """The script that writes brainseg.pot."""
    path = ROOT / "resources" / "languages" / "extract.py"
    spec = importlib.util.spec_from_file_location("extract_texts", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up by name.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def pseudo(text: str, longer: float = 0.0) -> str:
    """The text between signs that no other text has, lengthened by a part of itself."""
    extra = math.ceil(longer * len(text))
    filler = ("~~~~ " * extra)[:extra].strip()
    return f"⟦{text}{' ' if len(filler) > 4 else ''}{filler}⟧"


def write_pseudo(folder: Path, longer: float = 0.0) -> Path:
    """A catalogue of every text there is."""
    texts: dict[str, str] = {}
    for entry in extractor().collect():
        key = f"{entry.context}\x04{entry.text}" if entry.context else entry.text
        if entry.many:
            one, many = pseudo(entry.text, longer), pseudo(entry.many, longer)
            texts[f"{entry.text}\0{entry.many}"] = f"{one}\0{many}"
        else:
            texts[key] = pseudo(entry.text, longer)
    return write_catalogue(folder, PSEUDO, texts)
