"""Which cases are meant, in which order, and what each writes: decided before any of them is begun."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.io.layouts import CaseFiles, CaseKind, exam_at, find_case, find_cases


@dataclass(frozen=True, slots=True)
class Planned:
    """One case of a run.

    Parameters
    ----------
    name : str
    files : CaseFiles or None
        None if there is no such case.
    error : UserError or None
        Why nothing is done for it: no case, or another one takes its output's name.
    """

    name: str
    files: CaseFiles | None = None
    error: UserError | None = None


class Remark(msgspec.Struct, frozen=True):
    """A `UserError` as JSON holds it."""

    code: str
    params: dict[str, str | int | float | list[str | int | float]]


class CaseRef(msgspec.Struct, frozen=True):
    """`CaseFiles` as JSON holds them; paths are absolute, since other processes lie elsewhere."""

    name: str
    kind: str
    images: dict[Sequence, str]
    masks: list[str]
    unassigned: list[str] = msgspec.field(default_factory=list)
    notes: list[Remark] = msgspec.field(default_factory=list)
    folder: str | None = None
    # Of a DICOM exam: the folder or DICOMDIR to find it in.
    exam: str | None = None


@dataclass(slots=True)
class Plan:
    """The cases of a run, and what tells them apart."""

    folder: Path
    cases: list[Planned] = field(default_factory=list)
    _taken: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, files: CaseFiles) -> None:
        """Plan a case; of two with one name the second is told, whatever becomes of the first."""
        output = self.output(files)
        # Some file systems do not tell capitals apart.
        if output.name.casefold() in self._taken:
            error = UserError("output_name_taken", path=output, name=files.name)
            self.cases.append(Planned(name, error=error))
            return
        self._taken[output.name.casefold()] = name
        self.cases.append(Planned(name, files))

    def output(self, files: CaseFiles) -> Path:
        """Where the mask of a case goes."""
        return output_of(self.folder, files)


def plan_cases(places: Iterable[Path | CaseFiles], folder: Path) -> Plan:
    """Find the cases: each place is one, or a folder of many at any depth.

    What cannot be read or is no case becomes a planned case with its error, in its place.
    """
    plan = Plan(folder)
    for place in places:
        if isinstance(place, CaseFiles):
            plan.add(place.name, place)
            continue
        name = place.name or place.resolve().name
        notes: list[UserError] = []
        try:
            found = find_cases(place, notes) if place.is_dir() else []
            for files in found or [find_case(place)]:
                plan.add(files.name, files)
        except UserError as error:
            plan.cases.append(Planned(name, error=error))
        for note in notes:
            unread = note.params.get("path")
            plan.cases.append(Planned(unread.name if isinstance(unread, Path) else name, error=note))
    return plan


def output_of(folder: Path, files: CaseFiles) -> Path:
    """The mask of a case, or the folder of its slices' masks."""
    return folder / (files.name if files.kind is CaseKind.SLICES else f"{files.name}_seg.nii.gz")


def as_ref(files: CaseFiles) -> CaseRef:
    """A case as JSON holds it."""
    exam = files.exam
    return CaseRef(
        files.name,
        files.kind.value,
        {s: _whole(p) for s, p in files.images.items()},
        [_whole(p) for p in files.masks],
        [_whole(p) for p in files.unassigned],
        [_remark(note) for note in files.notes],
        None if files.folder is None else _whole(files.folder),
        None if exam is None else _whole(exam.folder if exam.is_alone else exam.root),
    )


def from_ref(ref: CaseRef) -> CaseFiles:
    """The case of a reference; a DICOM exam is looked at again.

    Raises
    ------
    UserError
        ``file_missing`` if an exam is not there any more.
    """
    images = {s: Path(p) for s, p in ref.images.items()}
    if ref.exam is not None:
        return replace(exam_at(Path(ref.exam), images), name=ref.name)
    return CaseFiles(
        ref.name,
        CaseKind(ref.kind),
        images,
        tuple(map(Path, ref.masks)),
        tuple(map(Path, ref.unassigned)),
        tuple(UserError(note.code, **note.params) for note in ref.notes),
        None if ref.folder is None else Path(ref.folder),
    )


def input_files(files: CaseFiles, outputs: Iterable[Path]) -> Mapping[str, list[Path]]:
    """The files that a case's mask follows from, by what each is; a mask that the run itself writes is not.

    With a mask go the files beside it that say what its numbers mean.
    """
    own = {p.resolve() for p in outputs}
    found = {s.value: _files_at(p) for s, p in files.images.items()}
    found |= {s.value: sorted(one.files) for s, one in files.series.items()}
    masks = [p for p in files.masks if p.resolve() not in own]
    found["masks"] = [p for mask in masks for p in _files_at(mask)]
    stems = {mask.parent / mask.name.split(".")[0] for mask in masks if mask.is_file()}
    beside = [
        stem.with_name(stem.name + end) for stem in sorted(stems) for end in (".json", ".txt", ".label")
    ]
    found["beside"] = [p for p in beside if p.is_file()]
    return found


def _files_at(place: Path) -> list[Path]:
    """A file, or those of a folder of slices."""
    if not place.is_dir():
        return [place]
    return sorted(p for p in place.iterdir() if p.is_file() and not p.name.startswith("."))


def _whole(path: Path) -> str:
    return str(path.absolute())


def _remark(note: UserError) -> Remark:
    params: dict[str, str | int | float | list[str | int | float]] = {}
    for name, value in note.params.items():
        if isinstance(value, str | int | float):
            params[name] = value
        elif isinstance(value, list | tuple):
            params[name] = [v if isinstance(v, str | int | float) else str(v) for v in value]
        else:
            params[name] = str(value)
    return Remark(note.code, params)
