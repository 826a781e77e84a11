"""Label descriptions of ITK-SNAP: which number has which name and colour, in a text file beside a mask."""

from __future__ import annotations

import re
from pathlib import Path

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.labels import LabelScheme
from brainseg_desktop.io.segments import Segment

_HEAD = """################################################
# ITK-SnAP Label Description File
# File format:
# IDX   -R-  -G-  -B-  -A--  VIS MSH  LABEL
# Fields:
#    IDX:   Zero-based index
#    -R-:   Red color component (0..255)
#    -G-:   Green color component (0..255)
#    -B-:   Blue color component (0..255)
#    -A-:   Label transparency (0.00 .. 1.00)
#    VIS:   Label visibility (0 or 1)
#    IDX:   Label mesh visibility (0 or 1)
#  LABEL:   Label description
################################################
"""
_LINE = re.compile(r'^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(\d)\s+(\d)\s+"(.*)"\s*$')
_LARGEST = 1 << 20


def description_bytes(scheme: LabelScheme) -> bytes:
    """The label description of a scheme."""
    lines = ['    0     0    0    0        0  0  0    "Clear Label"']
    for label in scheme.labels:
        red, green, blue = label.colour
        lines.append(f'{label.value:5d} {red:5d}{green:5d}{blue:5d}        1  1  1    "{label.name}"')
    return (_HEAD + "\n".join(lines) + "\n").encode()


def read_description(path: Path) -> list[Segment]:
    """The labels of a description; empty if the file is none.

    Raises
    ------
    UserError
        ``file_unreadable``.
    """
    try:
        if path.stat().st_size > _LARGEST:
            return []
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UserError("file_unreadable", path=path, reason=error.strerror or str(error)) from error
    found = (_LINE.match(line) for line in text.splitlines())
    return [Segment(int(m[1]), m[8]) for m in found if m and int(m[1]) > 0]


def description_beside(mask: Path) -> Path | None:
    """The label description that lies with a mask: named like it, or the only one of ITK-SNAP's names."""
    stem = re.sub(r"\.nii(\.gz)?$", "", mask.name, flags=re.I)
    names = (f"{stem}.txt", f"{stem}.label", f"{stem}_labels.txt", f"{stem}.labels.txt")
    return next((p for p in (mask.with_name(name) for name in names) if p.is_file()), None)
