"""A study on the disk: its design, the records of its readings, and who is writing.

::

    study.toml                       the design; written once
    unblinded.json                   when and by whom it was unblinded; written once
    cases/...                        or paths to the cases elsewhere
    ratings/<reader>/<stem>.nii.gz   a mask, BIDS-derivative names
    ratings/<reader>/<stem>.json     its sidecar; the part "reading" says how far it is
    ratings/<reader>/.claim.json     which program writes in this folder now
    reports/

There is one writer a file, so that a network share is enough and no database is needed.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.study import Reader, Reveal, Start, StudyCase, StudyDesign
from brainseg_desktop.io.atomic import write_bytes, write_error
from brainseg_desktop.io.schemes import refuse_newer

DESIGN_FILE = "study.toml"
UNBLINDED_FILE = "unblinded.json"
RATINGS, REPORTS = "ratings", "reports"
FORMAT = 1

Status = Literal["new", "started", "draft", "locked"]


class _Case(msgspec.Struct, frozen=True):
    name: str
    path: str


class _Reader(msgspec.Struct, frozen=True):
    name: str
    key: str
    cases: list[str] | None = None


class _Design(msgspec.Struct, frozen=True, kw_only=True):
    format: int
    identifier: str
    name: str
    scheme: str
    created_utc: str
    blinded: bool
    reveal: Reveal
    start: Start
    seed: int
    repeats: int
    tolerance_mm: float
    readers: list[_Reader]
    cases: list[_Case]


class ReadingRecord(msgspec.Struct, frozen=True, kw_only=True):
    """How far a reading is: the part ``reading`` of a sidecar.

    Parameters
    ----------
    study : str
        Identifier of the study.
    reader, case, repeat
        Which reading it is.
    status : {"new", "started", "draft", "locked"}
        ``new`` is never written: there is no record yet. ``started``: opened, nothing saved. ``locked``: done
        and never changed again.
    active_s : float
        Time at work on it.
    blinded : bool
        Whether others' masks were hidden when it was locked.
    seal : str
        sha256 of the rest of the sidecar.
    """

    study: str
    reader: str
    case: str
    repeat: int = 1
    status: Status = "started"
    started_utc: str = ""
    saved_utc: str = ""
    locked_utc: str = ""
    active_s: float = 0.0
    flags: tuple[str, ...] = ()
    remark: str = ""
    blinded: bool = False
    start: str = "blank"
    seal: str = ""


class Unblinded(msgspec.Struct, frozen=True):
    """When and by whom a study was unblinded, and how many readings were open then."""

    by: str
    at_utc: str
    open_readings: int = 0
    format: int = FORMAT


# The design -------------------------------------------------------------------------------------------------


def is_study(folder: Path) -> bool:
    """Whether a folder holds a study."""
    return (folder / DESIGN_FILE).is_file()


def read_design(folder: Path) -> StudyDesign:
    """Read the design of a study.

    Raises
    ------
    UserError
        ``study_missing``, ``study_broken`` (params ``path``, ``reason``), ``study_newer``, ``study_invalid``,
        ``file_unreadable``.
    """
    path = folder / DESIGN_FILE
    try:
        raw = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UserError("study_missing", path=folder) from error
    except OSError as error:
        raise UserError("file_unreadable", path=path, reason=error.strerror or str(error)) from error
    try:
        table = tomllib.loads(raw.decode())
        if isinstance(table.get("format"), int) and table["format"] > FORMAT:
            raise UserError("study_newer", path=path)
        found = msgspec.convert(table, _Design)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError, RecursionError) as error:
        raise UserError("study_broken", path=path, reason=str(error)) from error
    return StudyDesign(
        name=found.name,
        scheme=found.scheme,
        readers=tuple(Reader(r.name, r.key) for r in found.readers),
        cases=tuple(StudyCase(c.name, c.path) for c in found.cases),
        blinded=found.blinded,
        reveal=found.reveal,
        start=found.start,
        seed=found.seed,
        repeats=found.repeats,
        assigned={r.key: tuple(r.cases) for r in found.readers if r.cases is not None},
        tolerance_mm=found.tolerance_mm,
        identifier=found.identifier,
        created_utc=found.created_utc,
    )


def write_design(folder: Path, design: StudyDesign) -> Path:
    """Write the design of a new study into a folder, which is made.

    Raises
    ------
    UserError
        ``study_exists`` if there is one already; what writing raises.
    """
    import tomli_w

    path = folder / DESIGN_FILE
    if path.exists():
        raise UserError("study_exists", path=folder)
    table = {
        "format": FORMAT,
        **{
            field: getattr(design, field)
            for field in (
                *("identifier", "name", "scheme", "created_utc", "blinded", "reveal", "start", "seed"),
                *("repeats", "tolerance_mm"),
            )
        },
        "readers": [
            {"name": r.name, "key": r.key}
            | ({"cases": list(design.assigned[r.key])} if r.key in design.assigned else {})
            for r in design.readers
        ],
        "cases": [{"name": c.name, "path": c.path} for c in design.cases],
    }
    try:
        (folder / RATINGS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(error, folder) from error
    write_bytes(path, tomli_w.dumps(table).encode())
    return path


# Unblinding -------------------------------------------------------------------------------------------------


def read_unblinded(folder: Path) -> Unblinded | None:
    """When a study was unblinded; None if it was not.

    Raises
    ------
    UserError
        ``study_broken`` for a file that cannot be understood: nobody may conclude from it that a study is
        unblinded, nor that it is not. ``study_newer``.
    """
    path = folder / UNBLINDED_FILE
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Unblinded)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError("study_broken", path=path, reason=str(error)) from error
    if found.format > FORMAT:
        raise UserError("study_newer", path=path)
    return found


def write_unblinded(folder: Path, note: Unblinded) -> None:
    """Record that a study was unblinded; the first record stays."""
    if read_unblinded(folder) is None:
        write_bytes(folder / UNBLINDED_FILE, msgspec.json.encode(note) + b"\n")


# Readings ---------------------------------------------------------------------------------------------------


def seal_of(sidecar: Mapping[str, Any]) -> str:
    """The sha256 of a sidecar without its own seal.

    It is no signature: it tells a slip of an editor, not a forger.
    """
    reading = {k: v for k, v in dict(sidecar.get("reading", {})).items() if k != "seal"}
    plain = json.dumps({**sidecar, "reading": reading}, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(plain.encode()).hexdigest()


def sealed(sidecar: Mapping[str, Any], record: ReadingRecord) -> dict[str, Any]:
    """A sidecar with a record in it, sealed."""
    plain = json.loads(json.dumps({**sidecar, "reading": msgspec.to_builtins(record)}, default=str))
    return {**plain, "reading": {**plain["reading"], "seal": seal_of(plain)}}


class Sidecar(msgspec.Struct, frozen=True):
    """A sidecar as it was read: its record, all of it, and whether the seal holds."""

    record: ReadingRecord
    content: dict[str, Any]
    seal_holds: bool


def read_sidecar(path: Path) -> Sidecar | None:
    """The sidecar of a reading; None if there is none.

    Raises
    ------
    UserError
        ``sidecar_newer``; ``reading_sidecar_broken`` (params ``path``, ``reason``) if nobody can read it.
    """
    try:
        content = json.loads(path.read_bytes())
        refuse_newer(content if isinstance(content, dict) else {}, path)
        record = msgspec.convert(content["reading"], ReadingRecord)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError, msgspec.ValidationError) as error:
        raise UserError("reading_sidecar_broken", path=path, reason=str(error)) from error
    return Sidecar(record, content, record.seal == seal_of(content))
