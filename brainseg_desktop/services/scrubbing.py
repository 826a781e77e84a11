"""Takes out of texts what could name a patient: names of cases and files, folders, the user's home."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterable
from pathlib import Path, PurePath

# Code of this program, of libraries and of Python itself: where it is installed is nobody's secret but the
# user's, and what follows is what a report needs.
_CODE = re.compile(
    r"(?:(?P<open>[\"'])[^\"'\n]*?[/\\]|(?:[A-Za-z]:)?[/\\](?:[^\s\"']*?[/\\])?)"
    r"(?P<rest>(?:brainseg_desktop|site-packages|dist-packages|lib[/\\]python3\.\d+|_internal)[/\\]"
    r"[^\"'\n:]*\.pyc?\b)"
)
_QUOTED = re.compile(r"(?P<quote>[\"'])(?:[A-Za-z]:)?[^\"'\n]*[/\\][^\"'\n]*(?P=quote)")
# A path with spaces has no end that can be seen: it reaches to the next parameter, clause or quote.
_WHOLE = re.compile(
    r"(?<![\w.>/\\])(?:file:|https?:|[A-Za-z]:|~)?[/\\]+[\w.$%-](?:(?!, \w+=|: |; | \(|[\"'\n)]).)*"
)
_RELATIVE = re.compile(r"[^\s\"',;:()<>=]+[/\\][^\s\"',;:()<>]*")
_WORDS = re.compile(r"[A-Za-z]+/[a-z]+|[\d.]+/[\d.]+")
# Names as DICOM writes them.
_PERSON = re.compile(r"[^\s\"'=(,]*\w\^[^\s\"',)]*")
_SHORTEST = 4
# Names that many folders have: they tell nothing, and would make holes in every sentence.
_COMMON = frozenset(
    (
        *("data", "images", "image", "anat", "scans", "scan", "cases", "case", "study", "studies", "series"),
        *(
            "home",
            "users",
            "documents",
            "desktop",
            "downloads",
            "temp",
            "work",
            "dicom",
            "ratings",
            "reports",
        ),
        *("mask", "masks", "label", "labels", "brain", "flair", "t1ce", "t1gd", "sample", "resources"),
        *("brainseg", "brainseg_desktop", "python", "session", "reports"),
    )
)


def alias(name: object) -> str:
    """A short stand-in for a case name or path: the same one each time, and no way back to the name.

    Examples
    --------
    >>> alias("patient") == alias("patient"), len(alias("patient"))
    (True, 8)
    """
    return hashlib.sha256(str(name).encode(errors="surrogateescape")).hexdigest()[:8]


class Scrubber:
    """Knows names that must not stand in a text, and what paths look like.

    Parameters
    ----------
    home : Path, optional
        The user's; found out if not given.
    """

    def __init__(self, home: Path | None = None) -> None:
        self._names: set[str] = set()
        self._user = (home or _home()).name
        self._pattern: re.Pattern[str] | None = None
        self.learn([self._user])

    def learn(self, names: Iterable[str]) -> None:
        """Take these names out from now on; very short ones and common words are left."""
        found = {n.strip() for n in names}
        found = {n for n in found if len(n) >= _SHORTEST and n.lower() not in _COMMON} - self._names
        if found:
            self._names |= found
            # The longest first: one name may be a part of another.
            ordered = sorted(self._names, key=len, reverse=True)
            self._pattern = re.compile(
                r"(?<![^\W_])(?:" + "|".join(map(re.escape, ordered)) + r")(?![^\W_])", re.IGNORECASE
            )

    def learn_paths(self, paths: Iterable[PurePath]) -> None:
        """Take out the names of these files and of the two folders they lie in."""
        for path in paths:
            stem = path.name.split(".")[0]
            self.learn([path.name, stem, path.parent.name, path.parent.parent.name])

    def clean(self, text: str) -> str:
        """The text with aliases in place of names and paths; places of program code stay readable."""
        return "\n".join(self._line(line) for line in text.split("\n"))

    def _line(self, line: str) -> str:
        parts = []
        end = 0
        for found in _CODE.finditer(line):
            parts += [
                self._words(line[end : found.start()]),
                found["open"] or "",
                found["rest"].replace("\\", "/"),
            ]
            end = found.end()
        parts.append(self._words(line[end:]))
        return "".join(parts)

    def _words(self, text: str) -> str:
        text = _QUOTED.sub(lambda m: f"{m['quote']}{_stand_in(m[0][1:-1])}{m['quote']}", text)
        text = _WHOLE.sub(lambda m: _stand_in(m[0]), text)
        # "Input/output" and "3/4" are no paths.
        text = _RELATIVE.sub(lambda m: m[0] if _WORDS.fullmatch(m[0]) else _stand_in(m[0]), text)
        text = _PERSON.sub(lambda m: f"<name {alias(m[0])}>", text)
        if self._pattern is not None:
            text = self._pattern.sub(lambda m: f"<name {alias(m[0])}>", text)
        return text


def _stand_in(path: str) -> str:
    """An alias of a path that still tells what kind of file it is."""
    name = re.split(r"[/\\]", path.rstrip("/\\"))[-1]
    suffix = re.search(r"(?:\.nii)?\.[A-Za-z0-9]{1,6}$", name)
    return f"<path {alias(path)}{suffix[0] if suffix else ''}>"


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        return Path(sys.prefix)
