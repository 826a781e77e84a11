"""What stands where on the pages of an uncompressed PDF of ours: words with their boxes."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np

from brainseg_desktop.services.charts.letters import text_width
from brainseg_desktop.services.report.pdf import SIDE, WIDE

TOKEN = re.compile(r"\((?:\\.|[^()\\])*\)|\[[^\]]*\]|/[^\s/\[\]()<>]+|[-+.\d]+|[A-Za-z*'\"]+", re.DOTALL)
OCTAL = re.compile(r"\\(\d{3}|.)", re.DOTALL)
NAMED = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


@dataclass(frozen=True)
class Words:
    """One written line: its start on the page, from the bottom left, and its box."""

    text: str
    x: float
    y: float
    size: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class Page:
    words: tuple[Words, ...]

    @property
    def text(self) -> str:
        return " ".join(w.text for w in self.words)


def read_pages(data: bytes) -> list[Page]:
    """The pages in order."""
    text = data.decode("latin-1")
    objects = {int(n): body for n, body in re.findall(r"(?m)^(\d+) 0 obj\n(.*?)endobj", text, re.DOTALL)}
    pages = [body for body in objects.values() if re.search(r"/Type /Page\b", body)]
    kids = re.search(r"/Kids \[([^\]]*)\] /Type /Pages", text)
    assert kids is not None
    order = [int(n) for n in re.findall(r"(\d+) 0 R", kids[1])]
    assert len(order) == len(pages)
    fonts = _fonts(objects)
    return [Page(tuple(_words(_stream(objects, objects[n]), fonts))) for n in order]


def on_the_page(page: Page) -> None:
    """Assert that all words lie between the margins."""
    for word in page.words:
        left, bottom, right, top = word.box
        assert left >= SIDE - 1, word
        assert right <= WIDE - SIDE + 1, word
        assert bottom >= 15, word
        assert top <= 841.9 - 20, word


def _stream(objects: dict[int, str], page: str) -> str:
    found = re.search(r"/Contents (\d+) 0 R", page)
    assert found is not None
    return objects[int(found[1])].partition("stream")[2].rpartition("endstream")[0]


def _fonts(objects: dict[int, str]) -> dict[str, tuple[dict[int, str], bool]]:
    """For each font of the pages what its codes mean, and whether it is bold; every one must be embedded."""
    table = next(body for body in objects.values() if re.match(r"<<\s*/F\d", body))
    fonts = {}
    for name, number in re.findall(r"(/F\S+) (\d+) 0 R", table):
        font = objects[int(number)]
        meaning, descriptor = (
            objects[int(re.search(rf"/{key} (\d+) 0 R", font)[1])]  # type: ignore[index]
            for key in ("ToUnicode", "FontDescriptor")
        )
        assert "/FontFile2" in descriptor
        codes = re.findall(r"<([0-9A-F]{2})> <([0-9A-F]{4,8})>", meaning)
        fonts[name] = ({int(a, 16): bytes.fromhex(b).decode("utf-16-be") for a, b in codes}, "Bold" in font)
    return fonts


def _words(stream: str, fonts: dict[str, tuple[dict[int, str], bool]]) -> list[Words]:
    """Follow the commands that move and write."""
    now, held, found = np.eye(3), [], []
    line, font, size = np.eye(3), "", 1.0
    operands: list[str] = []
    for token in TOKEN.findall(stream):
        if not re.fullmatch(r"[A-Za-z*'\"]+", token):
            operands.append(token)
            continue
        if token == "q":
            held.append(now)
        elif token == "Q":
            now = held.pop()
        elif token == "cm":
            now = _matrix(operands[-6:]) @ now
        elif token == "Tm":
            line = _matrix(operands[-6:])
        elif token == "Td":
            line = _matrix(["1", "0", "0", "1", *operands[-2:]]) @ line
        elif token == "Tf":
            font, size = operands[-2], float(operands[-1])
        elif token == "Tj":
            codes, bold = fonts[font]
            text = "".join(codes[ord(c)] for c in _unescaped(operands[-1]))
            found.append(_placed(text, line @ now, size, bold))
        operands = []
    return found


def _placed(text: str, place: np.ndarray, size: float, bold: bool) -> Words:
    wide = text_width(text, size, bold)
    corners = np.array([[x, y, 1] for x in (0, wide) for y in (-0.24 * size, 0.76 * size)]) @ place
    low, high = corners.min(axis=0), corners.max(axis=0)
    scale = math.hypot(place[0, 0], place[0, 1])
    box = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    return Words(text, float(place[2, 0]), float(place[2, 1]), size * scale, box)


def _matrix(numbers: list[str]) -> np.ndarray:
    a, b, c, d, e, f = map(float, numbers)
    return np.array([[a, b, 0], [c, d, 0], [e, f, 1]])


def _unescaped(text: str) -> str:
    def one(match: re.Match[str]) -> str:
        code = match[1]
        return chr(int(code, 8)) if code.isdigit() else NAMED.get(code, code)

    return OCTAL.sub(one, text[1:-1])
