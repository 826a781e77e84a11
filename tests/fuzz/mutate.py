"""Changes to a file's bytes, drawn from a random generator: the same seed makes the same file."""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Callable, Sequence

Change = Callable[[bytearray, random.Random, Sequence[bytes]], bytearray]

EXTREMES = (0, 1, -1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**62)
FLOATS = (0.0, -0.0, 1.0, -1.0, 1e-40, 1e38, -1e38, float("inf"), float("-inf"), float("nan"))
TEXTS = (
    b"\xff\xfe", b"\0", b"../../x", b"/etc/hostname", b"C:\\x", b"1e999", b"NaN", b"-1",
    b"99999999999999999999", b"null", b"true", b"{}", b"[]", b'""', b"1_0", b"\\ud800", b"%s%n{}", b"\r\n",
    "\N{GREEK SMALL LETTER MU}".encode(),
)  # fmt: skip


def mutate(raw: bytes, draw: random.Random, others: Sequence[bytes]) -> bytes:
    """A file with one to four changes.

    Parameters
    ----------
    raw : bytes
    draw : Random
    others : sequence of bytes
        Sound files of the same form, to splice parts from.
    """
    data = bytearray(raw)
    for _ in range(draw.choice((1, 1, 1, 2, 2, 4))):
        data = draw.choice(CHANGES)(data, draw, others)
    return bytes(data)


def _place(data: bytearray, draw: random.Random) -> int:
    """A place in the file; its beginning, where headers are, three times in four."""
    top = len(data) if draw.random() < 0.25 else min(len(data), draw.choice((16, 64, 348, 700)))
    return draw.randrange(top + 1)


def _flip_bits(data: bytearray, draw: random.Random, others: Sequence[bytes]) -> bytearray:
    for _ in range(draw.choice((1, 1, 3, 16)) if data else 0):
        data[min(_place(data, draw), len(data) - 1)] ^= 1 << draw.randrange(8)
    return data


def _truncate(data: bytearray, draw: random.Random, others: Sequence[bytes]) -> bytearray:
    return data[: _place(data, draw)]


def _set_integer(data: bytearray, draw: random.Random, others: Sequence[bytes]) -> bytearray:
    width = draw.choice((1, 2, 4, 8))
    value = draw.choice(EXTREMES) % (1 << 8 * width)
    return _overwrite(data, draw, value.to_bytes(width, draw.choice(("little", "big"))))


def _set_float(data: bytearray, draw: random.Random, others: Sequence[bytes]) -> bytearray:
    return _overwrite(data, draw, struct.pack(draw.choice("<>") + draw.choice("fd"), draw.choice(FLOATS)))


def _overwrite(data: bytearray, draw: random.Random, value: bytes) -> bytearray:
    at = _place(data, draw)
    at -= at % min(len(value), draw.choice((1, 2, 4, 8)))
    data[at : at + len(value)] = value
    return data


def _insert_text(data: bytearray, draw: random.Random, others: Sequence[bytes]) -> bytearray:
    at = _place(data, draw)
    text = draw.choice(TEXTS)
    data[at : at + draw.choice((0, len(text)))] = text
    return data


def _change_number(data: bytearray, draw: random.Random, others: Sequence[bytes]) -> bytearray:
    """Another number in a text; in a file without any, nothing."""
    found = list(re.finditer(rb"-?\d+(?:\.\d+)?", bytes(data[:20_000])))
    if found:
        match = draw.choice(found)
        text = draw.choice((*TEXTS, *(str(e).encode() for e in EXTREMES)))
        data[match.start() : match.end()] = text
    return data


def _repeat_part(data: bytearray, draw: random.Random, others: Sequence[bytes]) -> bytearray:
    start = _place(data, draw)
    part = data[start : start + draw.choice((1, 8, 60, 1000))]
    data[start:start] = part * draw.choice((1, 2, 50))
    return data


def _cut_part(data: bytearray, draw: random.Random, others: Sequence[bytes]) -> bytearray:
    start = _place(data, draw)
    del data[start : start + draw.choice((1, 2, 8, 100))]
    return data


def _splice(data: bytearray, draw: random.Random, others: Sequence[bytes]) -> bytearray:
    other = draw.choice(others) if others else b""
    return data[: _place(data, draw)] + other[_place(bytearray(other), draw) :]


def _nest(data: bytearray, draw: random.Random, others: Sequence[bytes]) -> bytearray:
    """Brackets inside brackets, deeper than any reader can follow."""
    depth = draw.choice((10, 2_000, 100_000))
    at = _place(data, draw)
    data[at:at] = draw.choice((b"[", b'{"a":', b"(", b"a = {b=")) * depth
    return data


CHANGES: tuple[Change, ...] = (
    *(_flip_bits, _flip_bits, _truncate, _set_integer, _set_integer, _set_float, _insert_text),
    *(_change_number, _repeat_part, _cut_part, _splice, _nest),
)
