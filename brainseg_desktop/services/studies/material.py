"""What of a study may be looked at and measured: its locked readings, and the other masks of its cases."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from brainseg_desktop.core.case import RaterKind, Rating
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.study import AI_KEY, MAJORITY_KEY, STAPLE_KEY, Reading
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.io import nifti, tiff
from brainseg_desktop.io.layouts import CaseFiles, CaseKind
from brainseg_desktop.io.schemes import read_sidecar as read_mask_sidecar
from brainseg_desktop.io.study import Sidecar
from brainseg_desktop.services.opening import OpenedCase, mask_labels, read_case
from brainseg_desktop.services.studies.reading import changes_since, hash_file, images_changed
from brainseg_desktop.services.studies.results import Exclusion, Material, Rater, RatingFile
from brainseg_desktop.services.studies.study import Study, WorkItem, case_files

REFERENCE = "Reference"
REPEAT = "{name} (repeat)"
# Masks that no reader made, by their folder.
OTHERS = {
    AI_KEY: ("AI", RaterKind.MODEL),
    MAJORITY_KEY: ("Majority", RaterKind.CONSENSUS),
    STAPLE_KEY: ("STAPLE", RaterKind.CONSENSUS),
}

Tell = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Overview:
    """What the disk said of a study when it was read last: a window shows it without asking again.

    Parameters
    ----------
    items : tuple of WorkItem
    is_blinded : bool
    design : mapping of str to str
        In words.
    """

    items: tuple[WorkItem, ...]
    is_blinded: bool
    design: Mapping[str, str]


def look_over(study: Study) -> Overview:
    """Read how far a study is: the readings of its reader, or those of all.

    Raises
    ------
    UserError
        What reading it raises.
    """
    reader = study.reader.key if study.reader is not None else None
    return Overview(tuple(study.worklist(reader)), study.is_blinded, design_words(study))


def material_of(folder: Path, tell: Tell = lambda _: None) -> Material:
    """What the statistics of a study are made of.

    Only locked readings count. A reading whose mask, sidecar or images were changed since it was locked is
    left out, and said to be.

    Raises
    ------
    UserError
        ``study_blinded`` (params ``study``, ``open``, ``all``) while the study is blinded; what opening it
        raises.
    """
    study = Study.open(folder)
    design = study.design
    if study.is_blinded:
        left = len(study.open_readings())
        total = sum(len(r) for r in study.readings.values())
        raise UserError("study_blinded", path=folder, study=design.name, open=left, all=total)
    files: list[RatingFile] = []
    exclusions: list[Exclusion] = []
    names = [c.name for c in design.cases]
    with ThreadPoolExecutor(4) as pool:
        for number, (found, left_out) in enumerate(pool.map(lambda n: _of_case(study, n), names), start=1):
            files += found
            exclusions += left_out
            tell(number / len(names))
    present = {f.rater for f in files}
    raters = [Rater(r.name, RaterKind.HUMAN) for r in design.readers]
    raters += [Rater(n, k) for n, k in (*OTHERS.values(), (REFERENCE, RaterKind.REFERENCE)) if n in present]
    return Material(
        name=design.name,
        scheme=design.scheme,
        cases=tuple(names),
        raters=tuple(raters),
        files=tuple(files),
        exclusions=tuple(exclusions),
        design=design_words(study),
        seed=design.seed,
        tolerance_mm=design.tolerance_mm,
    )


def open_comparison(study: Study, case: str) -> OpenedCase:
    """A case with all its masks: those of the readers, locked ones only, and the others'.

    Raises
    ------
    UserError
        ``study_blinded`` while the present reader may not see them; what `read_case` raises. A mask that
        cannot be taken goes to `OpenedCase.problems`.
    """
    if not study.may_see_others(case):
        left = len(study.open_readings())
        total = sum(len(r) for r in study.readings.values())
        raise UserError("study_blinded", path=study.folder, study=study.design.name, open=left, all=total)
    files = case_files(study, case)
    opened = read_case(replace(files, masks=()))
    problems = list(opened.problems)
    for rater, kind, path in _masks(study, case, files):
        try:
            content = tiff.read_masks(path) if path.is_dir() else nifti.read_mask(path, study.scheme)
            opened.case.ratings.append(
                Rating(
                    rater,
                    kind,
                    mask_labels(content, opened.case.grid),
                    content.scheme,
                    content.source,
                    details=(content.sidecar or {}).get("details") or {},
                )
            )
        except UserError as error:
            problems.append(error)
    return replace(opened, problems=tuple(problems))


def design_words(study: Study) -> dict[str, str]:
    """How a study is made, in words, for its report."""
    design, unblinded = study.design, study.unblinded
    readers = ", ".join(f"{r.name} ({len(study.readings[r.key])} readings)" for r in design.readers)
    if not design.blinded:
        blinding = "Not blinded."
    else:
        until = (
            "the study was unblinded"
            if design.reveal == "study"
            else "the reader had locked all readings of the case"
        )
        blinding = f"Masks of others, the network's mask and all scores were hidden until {until}."
        if unblinded is not None:
            blinding += f" Unblinded {unblinded.at_utc} by {unblinded.by}, "
            blinding += f"with {unblinded.open_readings} readings open."
    repeats = (
        f"{design.repeats} cases a reader, the same for all, read a second time without being told."
        if design.repeats
        else "None."
    )
    return {
        "Cases": str(len(design.cases)),
        "Readers": readers,
        "Order": f"Shuffled for each reader, seed {design.seed}.",
        "Blinding": blinding,
        "Hidden repeats": repeats,
        "Readings start from": "the network's mask" if design.start == "ai" else "a blank mask",
        "Begun": design.created_utc,
    }


def _of_case(study: Study, case: str) -> tuple[list[RatingFile], list[Exclusion]]:
    files: list[RatingFile] = []
    exclusions: list[Exclusion] = []
    try:
        images: CaseFiles | None = case_files(study, case)
    except UserError as error:
        # Masks can be measured without their images, but nobody can say that these are unchanged.
        exclusions.append(Exclusion(case, "", error))
        images = None
    digests = _digests(images)
    for reading in _readings_of(study, case):
        reader = study.design.reader(reading.reader).name
        path = study.mask_path(reading)
        found = None
        try:
            found = study.sidecar(reading)
            if found is None and not path.exists():
                continue
            sha256 = hash_file(path)
            faults = changes_since(found, sha256, None, path)
            if found is not None:
                faults += images_changed(found, digests, path) if images is not None else []
                if found.record.status != "locked":
                    faults = [UserError("reading_not_locked", path=path)]
        except UserError as error:
            faults = [error]
        except OSError as error:
            missing = isinstance(error, FileNotFoundError)
            code = "reading_mask_missing" if missing else "file_unreadable"
            if missing and found is not None and found.record.status == "started":
                code = "reading_not_locked"
            faults = [UserError(code, path=path, reason=error.strerror or "")]
        if faults:
            exclusions.append(Exclusion(case, reader, faults[0]))
            continue
        assert found is not None
        files.append(
            RatingFile(
                case,
                reader,
                RaterKind.HUMAN,
                path,
                sha256,
                reading.repeat,
                found.record.active_s,
                found.record.blinded,
            )
        )
    for rater, kind, path in _others(study, case, images):
        try:
            files.append(RatingFile(case, rater, kind, path, _mask_digest(path)))
        except OSError as error:
            reason = UserError("file_unreadable", path=path, reason=error.strerror or str(error))
            exclusions.append(Exclusion(case, rater, reason))
    return files, exclusions


def _readings_of(study: Study, case: str) -> Iterator[Reading]:
    for readings in study.readings.values():
        yield from (r for r in readings if r.case == case)


def _masks(study: Study, case: str, files: CaseFiles) -> Iterator[tuple[str, RaterKind, Path]]:
    """All masks of a case that may be shown: locked readings, and the others."""
    for reading in _readings_of(study, case):
        found: Sidecar | None = study.sidecar(reading)
        if found is not None and found.record.status == "locked":
            name = study.design.reader(reading.reader).name
            if reading.repeat > 1:
                name = REPEAT.format(name=name)
            yield name, RaterKind.HUMAN, study.mask_path(reading)
    yield from _others(study, case, files)


def _others(study: Study, case: str, files: CaseFiles | None) -> Iterator[tuple[str, RaterKind, Path]]:
    for key, (name, kind) in OTHERS.items():
        path = study.other_path(key, case)
        if path.exists():
            yield name, kind, path
    if files is not None and files.masks:
        # The plainest name stands first; a mask with a sidecar of ours that names a rater is no reference.
        path = files.masks[0]
        sidecar = None if path.is_dir() else read_mask_sidecar(path, hash_file(path))
        if sidecar is None or sidecar.get("kind") == RaterKind.REFERENCE.value:
            yield REFERENCE, RaterKind.REFERENCE, path


def _mask_digest(path: Path) -> str:
    return tiff.read_masks(path).source.sha256 if path.is_dir() else hash_file(path)


def _digests(files: CaseFiles | None) -> Callable[[str], str | None]:
    """The digests of the images of a case as they are now, each computed when it is asked for."""
    known: dict[str, str | None] = {}

    def digest(sequence: str) -> str | None:
        if files is None or sequence not in {s.value for s in files.images}:
            return None
        if sequence not in known:
            path = files.images[Sequence(sequence)]
            plain = files.kind is CaseKind.NIFTI and not path.name.lower().endswith((".hdr", ".hdr.gz"))
            if plain:
                known[sequence] = hash_file(path)
            else:
                volumes = read_case(replace(files, masks=())).case.volumes
                known.update({s.value: v.source.sha256 for s, v in volumes.items()})
        return known.get(sequence)

    return digest
