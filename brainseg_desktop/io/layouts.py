"""Which files make a case: folders as BraTS, BIDS and the LGG set lay them out, or loose files."""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.volume import ImageChoice, Sequence
from brainseg_desktop.io import pictures, tiff
from brainseg_desktop.io.dicom.exams import Exam, find_exams
from brainseg_desktop.io.dicom.files import is_dicom
from brainseg_desktop.io.dicom.scan import DICOMDIR, holds_dicom
from brainseg_desktop.io.dicom.series import DicomSeries
from brainseg_desktop.io.images import is_image_name
from brainseg_desktop.io.names import Name, NameKind, read_name
from brainseg_desktop.io.nifti import is_nifti_name, nifti_stem
from brainseg_desktop.io.nrrd import is_nrrd_name

_DEPTH = 12
# Folders that systems and programs make, never an archive's own.
_SYSTEM_FOLDERS = frozenset(
    ("$recycle.bin", "system volume information", "lost+found", "__macosx", "@eadir", "node_modules")
)
_CHANNEL = re.compile(r"^(?P<case>.+)_(?P<channel>\d{4})$")
_CORRECTED = re.compile(r"[_\-. ](?:bias|biascorr|n4|bfc|unbiased)(?=$|[_\-. ])", re.I)


class CaseKind(str, Enum):
    """How a case lies on the disk."""

    NIFTI = "nifti"
    NRRD = "nrrd"
    PICTURES = "pictures"
    SLICES = "slices"
    DICOM = "dicom"


@dataclass(frozen=True, slots=True)
class CaseFiles:
    """The files of one case, by what they are; nothing has been read yet.

    Parameters
    ----------
    name : str
    kind : CaseKind
    images : mapping of Sequence to Path
        For slices every sequence maps to the folder, for DICOM to the file of its series' first slice.
    masks : tuple of Path
        The plainest name (``..._seg``) first.
    unassigned : tuple of Path
        Files whose sequence the name does not tell; the user says.
    notes : tuple of UserError
        Remarks for the user.
    folder : Path or None
    series : mapping of Sequence to DicomSeries
        The series chosen, of a DICOM exam.
    exam : Exam or None
        All series of a DICOM exam, and why these were chosen.
    choices : mapping of Path to ImageChoice
        What the user said of a file: the volume of several, the spacing of pictures.
    """

    name: str
    kind: CaseKind
    images: Mapping[Sequence, Path]
    masks: tuple[Path, ...] = ()
    unassigned: tuple[Path, ...] = ()
    notes: tuple[UserError, ...] = field(default=(), compare=False)
    folder: Path | None = None
    series: Mapping[Sequence, DicomSeries] = field(default_factory=dict, compare=False)
    exam: Exam | None = field(default=None, compare=False)
    choices: Mapping[Path, ImageChoice] = field(default_factory=dict, compare=False)

    def with_choice(self, choice: ImageChoice) -> CaseFiles:
        """The same files, all of them to be read as somebody said."""
        paths = (*self.images.values(), *self.masks, *self.unassigned)
        return replace(self, choices=dict.fromkeys(paths, choice))


def find_case(path: Path) -> CaseFiles:
    """The one case at a path: a folder, or a single image file (its neighbours are not taken along).

    A slice of a stack stands for its whole folder, a DICOM file for the exam it belongs to.

    Raises
    ------
    UserError
        ``file_missing``, ``not_nifti``, ``case_not_found`` (no images), ``folder_of_cases`` (params
        ``count``, ``cases``: the first names).
    """
    if not path.exists():
        raise UserError("file_missing", path=path)
    if path.is_file():
        if is_image_name(path):
            return assign([path])
        whole = _case_of_slice(path)
        if whole is not None:
            return replace(whole, notes=(*whole.notes, UserError("whole_folder_taken", path=path)))
        if pictures.is_stack_name(path):
            return assign([path])
        if path.name.upper() == DICOMDIR:
            return _only_one([_exam_case(exam) for exam in find_exams(path)], path)
        if is_dicom(path):
            found = find_exam(path.parent, path)
            return replace(found, notes=(*found.notes, UserError("whole_exam_taken", path=path)))
        raise UserError("not_nifti", path=path, reason="its name ends otherwise")
    return _only_one(find_cases(path), path)


def find_exam(folder: Path, file: Path) -> CaseFiles:
    """The DICOM exam below a folder that a file belongs to.

    Raises
    ------
    UserError
        ``case_not_found``.
    """
    for exam in find_exams(folder):
        if any(file in one.files for one in exam.series):
            return _exam_case(exam)
    raise UserError("case_not_found", path=file)


def exam_at(place: Path, images: Mapping[Sequence, Path]) -> CaseFiles:
    """The DICOM exam in a folder or DICOMDIR of which these series are suggested, known by their first files.

    Raises
    ------
    UserError
        ``file_missing`` if there is none any more.
    """
    for exam in find_exams(place):
        found = _exam_case(exam)
        if found.images == images:
            return found
    raise UserError("file_missing", path=next(iter(images.values()), place))


def choose_series(files: CaseFiles, chosen: Mapping[Sequence, DicomSeries]) -> CaseFiles:
    """The same exam with the series that somebody chose: how they were recognised needs no telling then."""
    assert files.exam is not None
    ordered = {s: chosen[s] for s in Sequence if s in chosen}
    images = {s: one.path for s, one in ordered.items()}
    return replace(files, images=images, series=ordered, notes=files.exam.notes)


def series_at(images: Mapping[Sequence, Path]) -> CaseFiles:
    """The DICOM exam of series that were chosen before, each known by the file of its first slice.

    Raises
    ------
    UserError
        ``file_missing`` if there is no such series any more.
    """
    folder = Path(os.path.commonpath([path.parent for path in images.values()]))
    for exam in find_exams(folder, by_values=False):
        by_path = {one.path: one for one in reversed(exam.series)}
        if set(images.values()) <= set(by_path):
            return choose_series(_exam_case(exam), {s: by_path[path] for s, path in images.items()})
    raise UserError("file_missing", path=next(iter(images.values())))


def _only_one(cases: list[CaseFiles], path: Path) -> CaseFiles:
    if not cases:
        raise UserError("case_not_found", path=path)
    if len(cases) > 1:
        raise UserError("folder_of_cases", path=path, count=len(cases), cases=[c.name for c in cases[:20]])
    return cases[0]


def find_cases(folder: Path, notes: list[UserError] | None = None) -> list[CaseFiles]:
    """Every case in a folder and below, sorted by place.

    Hidden folders and those of systems are passed over, and a folder that a link leads back to is not
    entered twice.

    Parameters
    ----------
    folder : Path
    notes : list, optional
        Remarks are appended: ``folder_unreadable`` for each folder below that cannot be listed.

    DICOM is looked for where nothing else is found, further down too.

    Raises
    ------
    UserError
        ``file_unreadable`` if the folder itself cannot be listed.
    """
    try:
        return _find(folder, _DEPTH, set(), notes if notes is not None else []) or _dicom_cases(folder)
    except OSError as error:
        raise UserError("file_unreadable", path=folder, reason=error.strerror or str(error)) from error


def assign(paths: Iterable[Path], by_hand: Mapping[Path, Sequence | None] | None = None) -> CaseFiles:
    """Make a case of given files: what each is, is read from its name or said by hand.

    Parameters
    ----------
    paths : image files, or folders of numbered slices
    by_hand : mapping, optional
        Path to its sequence, or to None for a mask; goes before the name.
    """
    by_hand = by_hand or {}
    ordered = sorted(dict.fromkeys(paths), key=lambda p: p.name)
    channels = _channels(ordered)
    claims: dict[Sequence, list[Path]] = defaultdict(list)
    masks: list[Path] = []
    unassigned: list[Path] = []
    notes: list[UserError] = []
    for path in ordered:
        if path in by_hand:
            sequence = by_hand[path]
            if sequence is None:
                masks.append(path)
            else:
                # A second hand assignment to one sequence falls through to the rule for two claims.
                claims[sequence].append(path)
            continue
        said = _said(path)
        if path in channels:
            claims[channels[path]].append(path)
        elif said.kind is NameKind.MASK:
            masks.append(path)
        elif said.kind is NameKind.IMAGE and said.sequence is not None:
            claims[said.sequence].append(path)
        else:
            unassigned.append(path)
    images: dict[Sequence, Path] = {}
    for sequence in Sequence:
        claimed = claims[sequence]
        chosen = [p for p in claimed if p in by_hand] or _without_copies(claimed)
        if len(chosen) == 1:
            images[sequence] = chosen[0]
            unassigned += [p for p in claimed if p not in chosen]
        elif claimed:
            unassigned += claimed
            names = [p.name for p in claimed]
            notes.append(UserError("sequence_claimed_twice", sequence=sequence.value, names=names))
    masks.sort(key=lambda p: (read_name(nifti_stem(p)).rater is not None, len(p.name), p.name))
    return CaseFiles(
        _name_of(ordered),
        _kind_of(images.values() or ordered),
        images,
        tuple(masks),
        tuple(sorted(unassigned)),
        tuple(notes),
        ordered[0].parent if ordered else None,
    )


def _case_of_slice(path: Path) -> CaseFiles | None:
    """The case of the folder that a slice lies in; None for a picture that is no slice of a series."""
    if path.suffix.lower() not in pictures.PICTURE_SUFFIXES:
        return None
    if pictures.is_stack_name(path) and tiff.slices_in(path.parent)[0]:
        return find_case(path.parent)
    if len(pictures.numbered_slices(path.parent)) > 1:
        return assign([path.parent])
    return None


def _find(folder: Path, depth: int, seen: set[tuple[int, int]], notes: list[UserError]) -> list[CaseFiles]:
    names: list[str] = []
    folders: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith("."):
                (folders if entry.is_dir() else names).append(entry.name)
    place = folder.stat()
    seen.add((place.st_dev, place.st_ino))
    folders = sorted(name for name in folders if name.lower() not in _SYSTEM_FOLDERS)
    own = cases_in(folder, sorted(names), folders)
    if any(c.images for c in own) or depth == 0:
        return own
    below: dict[str, list[CaseFiles]] = {}
    for name in folders:
        try:
            inside = (folder / name).stat()
            if (inside.st_dev, inside.st_ino) not in seen:
                below[name] = [c for c in _find(folder / name, depth - 1, seen, notes) if c.images]
        except OSError:
            notes.append(UserError("folder_unreadable", path=folder / name))
    if any(below.values()):
        # Beside cases of another kind a folder may hold a DICOM exam; with none at all the whole is scanned.
        below = {name: found or _dicom_cases(folder / name) for name, found in below.items()}
    return [case for found in below.values() for case in found] or own


def _dicom_cases(folder: Path) -> list[CaseFiles]:
    """The DICOM exams below a folder."""
    return [_exam_case(exam) for exam in find_exams(folder)] if holds_dicom(folder) else []


def _exam_case(exam: Exam) -> CaseFiles:
    """An exam as a case of the series suggested, with a remark on each: nothing is taken in silence."""
    taken = [
        UserError(
            "series_taken",
            sequence=hint.sequence.value,
            series=one.name,
            description=one.description or "no description",
            why=hint.why,
        )
        for one, hint in zip(exam.series, exam.suggestions, strict=True)
        if hint.sequence is not None
    ]
    return CaseFiles(
        exam.name,
        CaseKind.DICOM,
        {s: one.path for s, one in exam.chosen.items()},
        notes=(*exam.notes, *taken),
        folder=exam.folder,
        series=exam.chosen,
        exam=exam,
    )


def cases_in(folder: Path, names: list[str], folders: Iterable[str] = ()) -> list[CaseFiles]:
    """The cases made of files that lie in this very folder, or of folders of slices named as sequences."""
    images, masks = tiff.slices_in(folder, names)
    stacks = {n for n in names if pictures.is_stack_name(Path(n))}
    stacks -= {p.name for p in (*images.values(), *masks.values())}
    telling = [
        n for n in names if n in stacks and read_name(nifti_stem(Path(n))).kind is not NameKind.UNKNOWN
    ]
    paths = [folder / name for name in names if is_image_name(folder / name)]
    paths += [folder / name for name in telling]
    paths += [] if images else _slice_folders(folder, folders)
    if paths:
        groups = group_by_case(paths)
        if len(groups) > 1:
            return [assign(group) for group in groups]
        case = assign(paths)
        # A folder with nothing but masks (an output folder) is no case, nor are several nameless images.
        if not case.images and (not case.unassigned or len(case.unassigned) > len(Sequence)):
            return []
        return [replace(case, name=_folder_name(folder, case.name), folder=folder)]
    # Slices of an exam have masks beside them, or at least carry on from one another.
    carry_on = len(images) > 1 and len(images) == max(images) - min(images) + 1
    if len(images) > 1 and (masks or (carry_on and not pictures.is_grey_tiff(next(iter(images.values()))))):
        stack = dict.fromkeys(tiff.CHANNELS, folder)
        place = (folder,) if masks else ()
        return [CaseFiles(folder.resolve().name, CaseKind.SLICES, stack, place, folder=folder)]
    if len(pictures.numbered_slices(folder, names)) > 1:
        return [replace(assign([folder]), folder=folder)]
    return []


def _slice_folders(folder: Path, folders: Iterable[str]) -> list[Path]:
    """The folders of slices that are named as sequences or masks."""
    found = []
    for name in folders:
        if read_name(name).kind is NameKind.UNKNOWN:
            continue
        try:
            if len(pictures.numbered_slices(folder / name)) > 1 and not tiff.slices_in(folder / name)[1]:
                found.append(folder / name)
        except OSError:
            continue
    return found


def _said(path: Path) -> Name:
    """What a file's or a folder's name says; where a folder's tells nothing, what those of its slices say."""
    if is_image_name(path) or pictures.is_stack_name(path) or not path.is_dir():
        return read_name(nifti_stem(path))
    said = read_name(path.name)
    if said.kind is NameKind.UNKNOWN:
        slices = pictures.numbered_slices(path)
        return read_name(pictures.series_name(slices)) if slices else said
    return said


def _kind_of(paths: Iterable[Path]) -> CaseKind:
    """NIfTI, unless every image has another form."""
    kinds = {
        CaseKind.NIFTI
        if is_nifti_name(p)
        else CaseKind.NRRD
        if is_nrrd_name(p)
        else CaseKind.PICTURES
        if pictures.is_pictures(p)
        else CaseKind.NIFTI
        for p in paths
    }
    return kinds.pop() if len(kinds) == 1 else CaseKind.NIFTI


def _without_copies(claimed: list[Path]) -> list[Path]:
    """One of several files for a sequence where the others are its own copies with the bias field removed."""
    plain = [p for p in claimed if not _CORRECTED.search(nifti_stem(p))]
    return plain if len(plain) == 1 else claimed


def _channels(paths: list[Path]) -> dict[Path, Sequence]:
    """Sequences of files named by channel (``case_0000.nii.gz``), as the ``dataset.json`` beside them says.

    Without that file the numbers tell nothing: every data set has an order of its own.
    """
    matches = {p: m for p in paths if (m := _CHANNEL.match(nifti_stem(p)))}
    if not matches:
        return {}
    folder = next(iter(matches)).parent
    for place in (folder, folder.parent):
        try:
            table = json.loads((place / "dataset.json").read_bytes())
            names = table.get("channel_names") or table.get("modality") or {}
            said = {int(k): read_name(str(v)).sequence for k, v in names.items()}
        except (OSError, ValueError, TypeError, AttributeError, RecursionError):
            continue
        found = {p: said.get(int(m["channel"])) for p, m in matches.items()}
        return {p: sequence for p, sequence in found.items() if sequence is not None}
    return {}


def group_by_case(paths: list[Path]) -> list[list[Path]]:
    """Files of several cases in one flat folder, told apart by what is left of the name.

    Only groups with two sequences or more count as cases of their own: two T1 images in one folder are
    rather two series of one exam.
    """
    by_rest: dict[str, list[Path]] = defaultdict(list)
    others: list[Path] = []
    channels = _channels(paths)
    for path in paths:
        said = read_name(nifti_stem(path))
        if path in channels:
            by_rest[nifti_stem(path)[:-5].lower()].append(path)
        elif said.kind is NameKind.IMAGE:
            by_rest[said.rest].append(path)
        else:
            others.append(path)
    sequences = {p: channels.get(p) or read_name(nifti_stem(p)).sequence for p in paths}
    full = {r: g for r, g in by_rest.items() if len({sequences[p] for p in g}) > 1}
    if len(full) < 2:
        return [paths]
    for path in others + [p for r, g in by_rest.items() if r not in full for p in g]:
        fitting = [r for r in full if path.name.lower().startswith(r)]
        if fitting:
            full[max(fitting, key=len)].append(path)
    return [group for _, group in sorted(full.items())]


def _folder_name(folder: Path, prefix: str) -> str:
    """The folder's name, unless it is a part of a BIDS tree that names no case."""
    name = folder.resolve().name
    return prefix if name in ("anat", "") or name.startswith("ses-") else name


def _name_of(paths: list[Path]) -> str:
    """The common beginning of the names, cut where a word ends; the folder's name if there is none."""
    stems = [nifti_stem(p) for p in paths]
    if not stems:
        return ""
    if len(stems) == 1:
        return stems[0]
    first, last = min(stems), max(stems)
    same = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    prefix = first[:same]
    if any(len(s) > len(prefix) and s[len(prefix)].isalnum() for s in stems):
        cut = max(prefix.rfind(c) for c in "_-. ")
        prefix = prefix[: max(cut, 0)]
    return prefix.strip("_-. ") or paths[0].resolve().parent.name
