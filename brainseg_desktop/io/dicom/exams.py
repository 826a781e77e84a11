"""Exams in a folder: one for each study, with its series and what they seem to be. No name of a patient."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.io.dicom.instances import Instance, without
from brainseg_desktop.io.dicom.read import read_series
from brainseg_desktop.io.dicom.recognise import Suggestion, recognise
from brainseg_desktop.io.dicom.scan import Progress, scan_folder
from brainseg_desktop.io.dicom.series import DicomSeries, group_series


@dataclass(frozen=True, slots=True, eq=False)
class Exam:
    """One study.

    Parameters
    ----------
    name : str
        That of its folder, or a running number; never the patient's.
    root : Path
        What was looked at: a folder, or a DICOMDIR.
    folder : Path
        Holds all files of the exam.
    is_alone : bool
        Whether no other exam lies in `folder`.
    series : tuple of DicomSeries
    suggestions : tuple of Suggestion
        One for each series.
    notes : tuple of UserError
    """

    name: str
    root: Path
    folder: Path
    is_alone: bool
    series: tuple[DicomSeries, ...]
    suggestions: tuple[Suggestion, ...]
    notes: tuple[UserError, ...] = ()
    chosen: Mapping[Sequence, DicomSeries] = field(init=False)

    def __post_init__(self) -> None:
        pairs = zip(self.series, self.suggestions, strict=True)
        found = {hint.sequence: one for one, hint in pairs if hint.sequence is not None}
        object.__setattr__(self, "chosen", {s: found[s] for s in Sequence if s in found})


def find_exams(path: Path, on_progress: Progress | None = None, *, by_values: bool = True) -> list[Exam]:
    """The exams below a folder or of a DICOMDIR, the oldest first.

    Parameters
    ----------
    path : Path
    on_progress : function, optional
        Is told how many files of how many were read.
    by_values : bool
        Whether series are read where their headers do not tell the sequence.

    Raises
    ------
    UserError
        What `scan.scan_folder` raises. A folder without DICOM gives an empty list.
    """
    scan = scan_folder(path, on_progress)
    studies: dict[str, list[Instance]] = defaultdict(list)
    for instance in scan.instances:
        studies[instance.study].append(instance)
    ordered = sorted(studies.values(), key=lambda s: (min(i.order for i in s), str(min(i.path for i in s))))
    folders = [_common_folder(study) for study in ordered]
    exams = []
    for place, (study, folder) in enumerate(zip(ordered, folders, strict=True)):
        is_alone = not any(_overlap(folder, other) for i, other in enumerate(folders) if i != place)
        home = scan.root if len(ordered) == 1 else folder
        series = group_series(study)
        exams.append(
            Exam(
                _name(home, study, place + 1, is_numbered=len(ordered) > 1 and not is_alone),
                path,
                home,
                is_alone,
                tuple(series),
                recognise(series, read_series if by_values else None),
                scan.notes,
            )
        )
    return exams


def _name(folder: Path, study: list[Instance], place: int, *, is_numbered: bool) -> str:
    """The folder's name, with a number where it holds several exams; "exam" where it names the patient."""
    name = folder.resolve().name
    identity = frozenset(word for instance in study for word in instance.identity)
    if not name or without(name, identity) != name or any(len(w) > 3 and w in name.lower() for w in identity):
        return f"exam {place}"
    return f"{name} exam {place}" if is_numbered else name


def _common_folder(study: list[Instance]) -> Path:
    return Path(os.path.commonpath([str(i.path.parent) for i in study]))


def _overlap(one: Path, other: Path) -> bool:
    return one == other or one in other.parents or other in one.parents
