"""The design of a study of several readers: who reads what, in which order, how often, and what is hidden.

Everything follows from the design and its seed by hashes, not from a random generator whose next version may
shuffle otherwise: a reader's order is the same on every machine and for ever, and stays as it is when other
readers are added.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from brainseg_desktop.core.errors import UserError

Start = Literal["blank", "ai"]
Reveal = Literal["study", "case"]

MOST_READERS = 63  # what `core.consensus` can fuse


@dataclass(frozen=True, slots=True)
class Reader:
    """Someone who reads in a study.

    Parameters
    ----------
    name : str
        As shown.
    key : str
        Letters and digits: the folder, and the ``seg-`` part of file names.
    """

    name: str
    key: str


@dataclass(frozen=True, slots=True)
class StudyCase:
    """One case of a study.

    Parameters
    ----------
    name : str
        Unique in the study; begins the names of its masks.
    path : str
        Of its folder or file, relative to the study's folder where it lies inside it.
    """

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading that a reader has to do.

    Parameters
    ----------
    reader, case : str
        Key of the reader, name of the case.
    repeat : int
        1, or 2 for the hidden second reading.
    number : int
        Place in the reader's order, from 1.
    """

    reader: str
    case: str
    repeat: int
    number: int

    @property
    def label(self) -> str:
        """What a blinded reader sees in place of the case's name.

        Examples
        --------
        >>> Reading("anna", "BraTS2021_00006", 1, 7).label
        'Reading 007'
        """
        return f"Reading {self.number:03d}"

    @property
    def stem(self) -> str:
        """Name of its mask without ending, as BIDS derivatives are called.

        Examples
        --------
        >>> Reading("anna", "case-1", 2, 7).stem
        'case-1_run-2_seg-anna_dseg'
        """
        run = "" if self.repeat == 1 else f"_run-{self.repeat}"
        return f"{self.case}{run}_seg-{self.reader}_dseg"


@dataclass(frozen=True, slots=True)
class StudyDesign:
    """How a study is made.

    Parameters
    ----------
    name : str
    scheme : str
        Label scheme of all masks.
    readers : tuple of Reader
    cases : tuple of StudyCase
    blinded : bool
        Whether others' masks, the network's and all scores are hidden.
    reveal : {"study", "case"}
        Until when: until the study is unblinded, or until the reader has locked all readings of that case.
    start : {"blank", "ai"}
        From what a reading starts.
    seed : int
        Of the readers' orders and of the choice of repeats.
    repeats : int
        How many cases each reader gets a second time without being told.
    assigned : mapping of reader key to tuple of case names
        A reader who is not in it reads every case.
    tolerance_mm : float
        Of the surface Dice.
    identifier : str
        Tells this study from others of the same name.
    created_utc : str

    Raises
    ------
    UserError
        ``study_invalid`` (param ``reason``) for a design that cannot be carried out.
    """

    name: str
    scheme: str
    readers: tuple[Reader, ...]
    cases: tuple[StudyCase, ...]
    blinded: bool = True
    reveal: Reveal = "study"
    start: Start = "blank"
    seed: int = 0
    repeats: int = 0
    assigned: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tolerance_mm: float = 1.0
    identifier: str = ""
    created_utc: str = ""

    def __post_init__(self) -> None:
        for reason in self._faults():
            raise UserError("study_invalid", name=self.name, reason=reason)

    def reader(self, key: str) -> Reader:
        """The reader with this key.

        Raises
        ------
        UserError
            ``study_reader_unknown``.
        """
        found = next((r for r in self.readers if r.key == key), None)
        if found is None:
            raise UserError("study_reader_unknown", reader=key, known=[r.name for r in self.readers])
        return found

    def case(self, name: str) -> StudyCase:
        """The case with this name; KeyError if there is none."""
        for case in self.cases:
            if case.name == name:
                return case
        raise KeyError(name)

    def cases_of(self, reader: str) -> tuple[str, ...]:
        """Names of the cases that a reader reads, in the order of the study."""
        assigned = self.assigned.get(reader)
        names = tuple(c.name for c in self.cases)
        return names if assigned is None else tuple(n for n in names if n in set(assigned))

    def readings(self, reader: str) -> tuple[Reading, ...]:
        """All readings of a reader, in the order in which they are to be read.

        The order is a shuffle by the seed. A repeat comes about half a list after its first reading, never
        before it; which cases are repeated is the same for all readers who read them.

        Examples
        --------
        >>> cases = tuple(StudyCase(f"c{i}", f"c{i}") for i in range(4))
        >>> design = StudyDesign("Study", "brats2021", (Reader("Anna", "anna"),), cases, seed=3, repeats=1)
        >>> [(r.case, r.repeat) for r in design.readings("anna")]
        [('c0', 1), ('c3', 1), ('c1', 1), ('c2', 1), ('c1', 2)]
        """
        mine = self.cases_of(reader)
        repeated = sorted(mine, key=lambda name: self._draw("repeat", name))[: self.repeats]
        place = {name: self._draw("order", reader, name) for name in mine}
        due = [(place[name], name, 1) for name in mine]
        due += [(place[name] + 0.5 + self._draw("again", reader, name) / 2, name, 2) for name in repeated]
        return tuple(
            Reading(reader, name, repeat, number)
            for number, (_, name, repeat) in enumerate(sorted(due), start=1)
        )

    def _draw(self, *what: str) -> float:
        """A number from 0 to 1 that the seed and these words decide."""
        digest = hashlib.sha256("\0".join((str(self.seed), *what)).encode()).digest()
        return int.from_bytes(digest[:8], "big") / 2.0**64

    def _faults(self) -> list[str]:
        faults = []
        if not self.name.strip():
            faults.append("it has no name")
        if not self.readers:
            faults.append("it has no readers")
        if len(self.readers) > MOST_READERS:
            faults.append(f"it has more than {MOST_READERS} readers")
        if not self.cases:
            faults.append("it has no cases")
        for what, words in (
            ("readers", [r.key for r in self.readers]),
            ("readers", [r.name for r in self.readers]),
            ("cases", [c.name for c in self.cases]),
        ):
            twice = sorted(w for w, n in _counted([w.casefold() for w in words]).items() if n > 1)
            if twice:
                faults.append(f"two {what} are called {twice[0]}")
        if any(not re.fullmatch(r"[A-Za-z0-9]+", r.key) or r.key in RESERVED for r in self.readers):
            faults.append("a reader's key is not made of letters and digits")
        if any(c.name != safe_name(c.name) for c in self.cases):
            faults.append("a case's name has characters that a file name may not have")
        known = {c.name for c in self.cases}
        unknown = sorted({n for names in self.assigned.values() for n in names} - known)
        if unknown:
            faults.append(f"the case {unknown[0]} is assigned but not in it")
        if not set(self.assigned) <= {r.key for r in self.readers}:
            faults.append("cases are assigned to a reader who is not in it")
        if self.readers and not faults:
            fewest = min(len(self.cases_of(r.key)) for r in self.readers)
            if not 0 <= self.repeats <= fewest:
                faults.append(f"{self.repeats} repeats of {fewest} cases are asked for")
        if self.blinded not in (True, False) or self.reveal not in ("study", "case"):
            faults.append("its blinding is not understood")
        if self.start not in ("blank", "ai"):
            faults.append("its start is not understood")
        if not 0 < self.tolerance_mm < 100:
            faults.append("its tolerance is not a length in mm")
        return faults


# Folders of ratings/ that are no reader's.
AI_KEY, MAJORITY_KEY, STAPLE_KEY = "ai", "majority", "staple"
RESERVED = frozenset({AI_KEY, MAJORITY_KEY, STAPLE_KEY})


def make_readers(names: Sequence[str]) -> tuple[Reader, ...]:
    """Readers with keys made of their names, each key once.

    Examples
    --------
    >>> [r.key for r in make_readers(["Anna Müller", "Anna Muller", "李"])]
    ['AnnaMuller', 'AnnaMuller2', 'reader3']
    """
    taken = {word.casefold() for word in RESERVED}
    readers = []
    for number, name in enumerate(names, start=1):
        plain = unicodedata.normalize("NFKD", name.replace("ß", "ss").replace("ł", "l").replace("ø", "o"))
        key = re.sub(r"[^A-Za-z0-9]", "", plain) or f"reader{number}"
        unique, more = key, 2
        while unique.casefold() in taken:
            unique, more = f"{key}{more}", more + 1
        taken.add(unique.casefold())
        readers.append(Reader(name.strip(), unique))
    return tuple(readers)


def safe_name(name: str) -> str:
    """A name that any file system takes, with what it may not have replaced.

    Examples
    --------
    >>> safe_name("Case 1/a"), safe_name("..")
    ('Case-1-a', 'case')
    """
    kept = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")
    return kept[:120] or "case"


def _counted(words: Sequence[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    return counts
