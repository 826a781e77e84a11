"""A study that is open: its readings and how far they are, who reads, and until when masks are hidden."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.study import (
    Reader,
    Reading,
    Reveal,
    Start,
    StudyCase,
    StudyDesign,
    make_readers,
    safe_name,
)
from brainseg_desktop.io.claims import Claim, claim_folder
from brainseg_desktop.io.layouts import CaseFiles, find_case, find_cases
from brainseg_desktop.io.schemes import scheme_named
from brainseg_desktop.io.study import (
    RATINGS,
    ReadingRecord,
    Sidecar,
    Status,
    Unblinded,
    read_design,
    read_sidecar,
    read_unblinded,
    write_design,
    write_unblinded,
)
from brainseg_desktop.services.studies.known import remember_study

FLAGS = {"unsure": "Unsure", "images": "Poor images", "discuss": "To discuss"}
MASK_SUFFIX = ".nii.gz"


@dataclass(frozen=True, slots=True)
class WorkItem:
    """A line of the worklist.

    Parameters
    ----------
    reading : Reading
    title : str
        Name of the case, or what stands for it while the reader is blinded.
    status : Status
    active_s : float
    flags : tuple of str
        Keys of `FLAGS`.
    remark : str
    changed_utc : str
        When it was saved or locked last.
    problem : UserError or None
        A sidecar that cannot be read.
    """

    reading: Reading
    title: str
    status: Status
    active_s: float = 0.0
    flags: tuple[str, ...] = ()
    remark: str = ""
    changed_utc: str = ""
    problem: UserError | None = None


class Study:
    """One study, opened by a reader or, with `reader` None, by whoever looks after it.

    Parameters
    ----------
    folder : Path
    design : StudyDesign
    reader : Reader or None
    claim : Claim or None
        Held while a reader reads.
    """

    def __init__(
        self, folder: Path, design: StudyDesign, reader: Reader | None = None, claim: Claim | None = None
    ) -> None:
        self.folder, self.design, self.reader, self.claim = folder, design, reader, claim
        self.scheme = scheme_named(design.scheme)
        remember_study(folder)

    @staticmethod
    def open(folder: Path, reader: str | None = None) -> Study:
        """Open a study; as a reader, the folder of his readings is claimed until `close`.

        Raises
        ------
        UserError
            What `io.study.read_design` raises; ``study_reader_unknown``; ``study_reader_elsewhere`` (params
            ``reader``, ``host``, ``since``) if the same reader has it open somewhere; ``scheme_unknown``.
        """
        design = read_design(folder)
        if reader is None:
            return Study(folder, design)
        who = design.reader(reader)
        try:
            claim = claim_folder(folder / RATINGS / who.key)
        except UserError as error:
            if error.code != "claim_held":
                raise
            raise UserError(
                "study_reader_elsewhere",
                path=folder,
                reader=who.name,
                host=error.params["host"],
                since=error.params["since"],
            ) from error
        return Study(folder, design, who, claim)

    def close(self) -> None:
        """Let the reader's folder go."""
        if self.claim is not None:
            self.claim.release()

    # Readings ---------------------------------------------------------------------------------------

    @cached_property
    def readings(self) -> Mapping[str, tuple[Reading, ...]]:
        """The readings of every reader, in their order, by reader key."""
        return {r.key: self.design.readings(r.key) for r in self.design.readers}

    @cached_property
    def _cases(self) -> Mapping[str, StudyCase]:
        return {c.name: c for c in self.design.cases}

    def case_path(self, name: str) -> Path:
        """Where a case lies."""
        return self.folder / self._cases[name].path

    def mask_path(self, reading: Reading) -> Path:
        """Where the mask of a reading belongs."""
        return self.folder / RATINGS / reading.reader / f"{reading.stem}{MASK_SUFFIX}"

    def other_path(self, key: str, case: str) -> Path:
        """Where a mask that no reader made belongs; `key` is one of `core.study.RESERVED`."""
        return self.folder / RATINGS / key / f"{case}_seg-{key}_dseg{MASK_SUFFIX}"

    def sidecar_path(self, reading: Reading) -> Path:
        """Where its record belongs."""
        return self.folder / RATINGS / reading.reader / f"{reading.stem}.json"

    def sidecar(self, reading: Reading) -> Sidecar | None:
        """What is recorded of a reading; None if it was never opened."""
        return read_sidecar(self.sidecar_path(reading))

    def worklist(self, reader: str | None = None) -> list[WorkItem]:
        """The readings of a reader (or of all of them) with their states.

        A thousand small files are read with several at a time, for the sake of slow shares.
        """
        keys = [reader] if reader is not None else [r.key for r in self.design.readers]
        readings = [reading for key in keys for reading in self.readings[key]]
        present = {key: self._names_in(key) for key in keys}
        hidden = self.is_blinded

        def item(reading: Reading) -> WorkItem:
            title = reading_title(reading, hidden=hidden)
            if f"{reading.stem}.json" not in present[reading.reader]:
                return WorkItem(reading, title, "new")
            try:
                found = self.sidecar(reading)
            except UserError as error:
                return WorkItem(reading, title, "started", problem=error)
            if found is None:
                return WorkItem(reading, title, "new")
            return item_of(reading, found.record, hidden=hidden)

        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(item, readings, chunksize=64))

    def _names_in(self, reader: str) -> frozenset[str]:
        try:
            return frozenset(p.name for p in (self.folder / RATINGS / reader).iterdir())
        except FileNotFoundError:
            return frozenset()
        except OSError as error:
            raise UserError("file_unreadable", path=self.folder, reason=error.strerror or "") from error

    # Blinding ---------------------------------------------------------------------------------------

    @property
    def unblinded(self) -> Unblinded | None:
        """When it was unblinded."""
        return read_unblinded(self.folder)

    @property
    def is_blinded(self) -> bool:
        """Whether masks and scores are hidden at present."""
        return self.design.blinded and self.unblinded is None

    def may_see_others(self, case: str) -> bool:
        """Whether the present reader may see all masks of a case and their scores."""
        if not self.is_blinded:
            return True
        if self.design.reveal != "case" or self.reader is None:
            return False
        own = [r for r in self.readings[self.reader.key] if r.case == case]
        return bool(own) and all(self._is_locked(r) for r in own)

    def open_readings(self) -> list[Reading]:
        """The readings that nobody has locked yet."""
        return [item.reading for item in self.worklist() if item.status != "locked"]

    def unblind(self, *, by: str, early: bool = False) -> Unblinded:
        """Show masks and scores to everybody, for good.

        Raises
        ------
        UserError
            ``study_not_finished`` (params ``open``, ``all``) while readings are open, unless `early`: what is
            locked later is then marked as not blind.
        """
        left = len(self.open_readings())
        if left and not early:
            raise UserError(
                "study_not_finished",
                path=self.folder,
                open=left,
                all=sum(map(len, self.readings.values())),
            )
        note = Unblinded(by, now_utc(), left)
        write_unblinded(self.folder, note)
        return note

    def _is_locked(self, reading: Reading) -> bool:
        try:
            found = self.sidecar(reading)
        except UserError:
            return False
        return found is not None and found.record.status == "locked"

    def new_record(self, reading: Reading) -> ReadingRecord:
        """The record of a reading that is opened for the first time."""
        return ReadingRecord(
            study=self.design.identifier,
            reader=reading.reader,
            case=reading.case,
            repeat=reading.repeat,
            started_utc=now_utc(),
            start=self.design.start,
        )


def reading_title(reading: Reading, *, hidden: bool) -> str:
    """What a reading is called: its case, or its number while cases and repeats are hidden."""
    if hidden:
        return reading.label
    return reading.case if reading.repeat == 1 else f"{reading.case} (repeat)"


def item_of(reading: Reading, record: ReadingRecord, *, hidden: bool) -> WorkItem:
    """The line of a reading with its record."""
    changed = record.locked_utc or record.saved_utc or record.started_utc
    return WorkItem(
        reading,
        reading_title(reading, hidden=hidden),
        record.status,
        record.active_s,
        record.flags,
        record.remark,
        changed,
    )


def now_utc() -> str:
    """The time as records hold it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def create_study(
    folder: Path,
    name: str,
    cases: Iterable[CaseFiles],
    readers: Sequence[str],
    *,
    scheme: str,
    blinded: bool = True,
    reveal: Reveal = "study",
    start: Start = "blank",
    seed: int = 0,
    repeats: int = 0,
    assigned: Mapping[str, Sequence[str]] | None = None,
    tolerance_mm: float = 1.0,
) -> Study:
    """Make a study in a folder.

    Parameters
    ----------
    folder : Path
        Made at need; must not hold a study.
    cases : iterable of CaseFiles
        As `cases_in` finds them. They stay where they are; those inside `folder` are named by their relative
        place, so that the study can be moved.
    readers : sequence of str
        Names.
    assigned : mapping of reader name to case names, optional
        Who reads what; a reader who is not in it reads every case.

    Raises
    ------
    UserError
        ``study_invalid``, ``study_exists``, ``scheme_unknown``; what writing raises.
    """
    scheme_named(scheme)
    people = make_readers(readers)
    keys = {r.name: r.key for r in people}
    entries = []
    taken: set[str] = set()
    for files in cases:
        place = case_place(files)
        unique, more = safe_name(files.name), 2
        while unique.casefold() in taken:
            unique, more = f"{safe_name(files.name)}-{more}", more + 1
        taken.add(unique.casefold())
        try:
            path = place.resolve().relative_to(folder.resolve()).as_posix()
        except ValueError:
            path = str(place.resolve())
        entries.append(StudyCase(unique, path))
    design = StudyDesign(
        name=name.strip(),
        scheme=scheme,
        readers=people,
        cases=tuple(entries),
        blinded=blinded,
        reveal=reveal,
        start=start,
        seed=seed,
        repeats=repeats,
        assigned={keys[n.strip()]: tuple(c) for n, c in (assigned or {}).items() if n.strip() in keys},
        tolerance_mm=tolerance_mm,
        identifier=secrets.token_hex(8),
        created_utc=now_utc(),
    )
    write_design(folder, design)
    return Study(folder, design)


def cases_in(folder: Path) -> list[CaseFiles]:
    """The cases of a folder that a study can be made of: each in a folder of its own.

    Raises
    ------
    UserError
        ``case_not_found``; ``study_cases_share_folder`` where several cases lie in one folder, since a study
        names a case by its folder.
    """
    found = [f for f in find_cases(folder) if f.images]
    if not found:
        raise UserError("case_not_found", path=folder)
    places = [case_place(f) for f in found]
    for place in places:
        if places.count(place) > 1:
            raise UserError("study_cases_share_folder", path=place)
    return found


def case_place(files: CaseFiles) -> Path:
    """The folder (or lone file) that stands for a case."""
    if files.folder is not None:
        return files.folder
    return next(iter(files.images.values()))


def case_files(study: Study, case: str) -> CaseFiles:
    """The files of a case of a study.

    Raises
    ------
    UserError
        ``study_case_missing`` (params ``case``, ``path``) or what `io.layouts.find_case` raises.
    """
    path = study.case_path(case)
    if not path.exists():
        raise UserError("study_case_missing", case=case, path=path)
    return find_case(path)
