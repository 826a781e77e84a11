"""Opening: files on the disk become a `Case` with its ratings, or a reason why not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from brainseg_desktop.core.case import Case, RaterKind, Rating
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.history import LabelMap
from brainseg_desktop.core.labels import LabelScheme
from brainseg_desktop.core.placing import joint_grid, offset_on, placed
from brainseg_desktop.core.volume import ImageChoice, Sequence, Source, Volume
from brainseg_desktop.io import images, nifti, tiff
from brainseg_desktop.io.dicom.header import DicomHeader
from brainseg_desktop.io.dicom.read import read_series
from brainseg_desktop.io.layouts import CaseFiles, CaseKind
from brainseg_desktop.io.mask_files import read_any_mask
from brainseg_desktop.io.names import read_name
from brainseg_desktop.io.nifti import MaskFile
from brainseg_desktop.io.nifti_header import NiftiHeader
from brainseg_desktop.io.nrrd import NrrdHeader
from brainseg_desktop.io.schemes import recognise_scheme, scheme_named
from brainseg_desktop.services.studies.blinding import check_open

# Where nothing else tells, the grid of a case is that of the sequence a mask is usually drawn on.
GRID_ORDER = (Sequence.FLAIR, Sequence.T1CE, Sequence.T2, Sequence.T1)
_PICTURE_NOTES = ("picture_axes", "spacing_not_given", "spacing_given")
REFERENCE_NAME = "Reference"


@dataclass(frozen=True, slots=True, eq=False)
class OpenedCase:
    """A case and what the user should know about it.

    Parameters
    ----------
    case : Case
    notes : tuple of UserError
        Remarks (not errors): how a label scheme was recognised, voxels that were not finite,
        ``sequence_off_grid`` for each sequence on a grid of its own, ...
    problems : tuple of UserError
        Masks that could not be taken; ``scheme_ambiguous`` carries ``path`` and ``candidates``, so that the
        user can be asked and `read_rating` called.
    """

    case: Case
    notes: tuple[UserError, ...] = ()
    problems: tuple[UserError, ...] = ()


def open_case(
    files: CaseFiles, *, scheme: LabelScheme | None = None, reference: Sequence | None = None
) -> OpenedCase:
    """Read a case that belongs to no blinded study; see `read_case`.

    Raises
    ------
    UserError
        ``blinded_mask``, ``blinded_case`` (`services.studies.blinding`), and what `read_case` raises.
    """
    check_open(places_of(files))
    return read_case(files, scheme=scheme, reference=reference)


def places_of(files: CaseFiles) -> tuple[Path, ...]:
    """The files that a blinded study may forbid; of a DICOM series one for each of its folders."""
    dicom = {file.parent: file for one in files.series.values() for file in one.files}
    return (*files.images.values(), *files.masks, *dicom.values())


def read_case(
    files: CaseFiles, *, scheme: LabelScheme | None = None, reference: Sequence | None = None
) -> OpenedCase:
    """Read the images (and the masks beside them) of a case, all files at the same time.

    Parameters
    ----------
    files : CaseFiles
    scheme : LabelScheme or None
        How masks are to be read; None: find out.
    reference : Sequence or None
        That masks shall be drawn on where no mask says so yet; None: see `reference_grid`.

    Raises
    ------
    UserError
        ``case_empty``, ``sequences_unassigned`` (only files whose names tell nothing), ``series_unassigned``
        (a DICOM exam of which no series tells its sequence), ``grid_mismatch`` and
        ``place_unknown`` (a sequence on another grid that cannot be put in relation to the others), or what
        reading an image raises. A bad mask is no reason to fail: it goes to `OpenedCase.problems`.
    """
    if not files.images:
        if files.unassigned:
            raise UserError("sequences_unassigned", name=files.name, names=[p.name for p in files.unassigned])
        if files.exam is not None:
            raise UserError("series_unassigned", name=files.name, count=len(files.exam.series))
        raise UserError("case_empty", name=files.name)
    notes = list(files.notes)
    hints = tuple(p.name for p in files.images.values())
    with ThreadPoolExecutor(max_workers=8) as pool:
        masks: list[tuple[Path, Future[MaskFile]]] = []
        if files.kind is CaseKind.SLICES:
            folder = next(iter(files.images.values()))
            spacing = next((c.spacing_mm for c in files.choices.values()), None)
            stack = pool.submit(tiff.read_slices, folder, notes, spacing)
            masks = [(path, pool.submit(tiff.read_masks, path)) for path in files.masks]
            volumes = {s: v for s, v in stack.result().items() if s in files.images}
        else:
            reads = [
                (s, pool.submit(read_series, files.series[s], s, notes))
                if s in files.series
                else (s, pool.submit(images.read_image, p, s, notes, files.choices.get(p)))
                for s in Sequence
                if (p := files.images.get(s)) is not None
            ]
            masks = [
                (p, pool.submit(read_any_mask, p, scheme, hints, None, files.choices.get(p)))
                for p in files.masks
            ]
            volumes = {s: read.result() for s, read in reads}
    case = Case(files.name, reference_grid(volumes, _mask_grids(masks), reference), volumes)
    notes += off_grid_notes(case)
    problems = []
    for _, read in masks:
        try:
            mask = read.result()
            case.ratings.append(_rating(case, mask, name=None))
            notes.append(mask.why)
        except UserError as error:
            problems.append(error)
    return OpenedCase(case, tuple(_told_once(notes)), tuple(problems))


def _told_once(notes: Iterable[UserError]) -> Iterator[UserError]:
    """Remarks on pictures that hold for all sequences of a case are made once, of their folder."""
    told = set()
    for note in notes:
        path = note.params.get("path")
        if note.code not in _PICTURE_NOTES or not isinstance(path, Path):
            yield note
        elif note.code not in told:
            told.add(note.code)
            yield UserError(note.code, **{**note.params, "path": path.parent})


def reference_grid(
    volumes: Mapping[Sequence, Volume], masks: Iterable[Grid] = (), preferred: Sequence | None = None
) -> Grid:
    """The grid that the masks of a case live on, where its sequences do not share one.

    Parameters
    ----------
    volumes : mapping of Sequence to Volume
        At least one.
    masks : iterable of Grid
        Of the masks beside the images, the most important one first.
    preferred : Sequence or None
        The reader's choice.

    Returns
    -------
    Grid
        That of the sequence which the first fitting mask was drawn on; else that of `preferred`, if the
        exam has it; else the one that most sequences
        share; of several equal ones that of FLAIR, T1CE, T2, T1, in this order.
    """
    grids = [volumes[s].grid for s in GRID_ORDER if s in volumes]
    if all(grids[0].mismatch(grid) is None for grid in grids):
        return grids[0]
    for mask in masks:
        for grid in grids:
            if grid.mismatch(mask) is None:
                return grid
    if preferred is not None and preferred in volumes:
        return volumes[preferred].grid
    return max(grids, key=lambda grid: sum(grid.mismatch(other) is None for other in grids))


def _mask_grids(masks: Iterable[tuple[Path, Future[MaskFile]]]) -> Iterator[Grid]:
    """The grids of masks; of one whose numbers are not understood yet too, since the user will be asked."""
    for path, read in masks:
        error = read.exception()
        if error is None:
            yield read.result().grid
        elif isinstance(error, UserError) and error.code == "scheme_ambiguous":
            yield images.read_image(path).grid


def off_grid_notes(case: Case) -> list[UserError]:
    """A remark for each sequence on a grid of its own: it is shown, but the network does not get it.

    Raises
    ------
    UserError
        ``place_unknown`` (params ``path``, ``sequence``, ``reason``) if the headers do not say how the two
        grids lie to each other: millimetres of different spaces must not be mixed.
    """
    notes = []
    masks_on = [s.value for s in case.aligned]
    for sequence, reason in case.off_grid.items():
        path, name = case.volumes[sequence].source.path, sequence.value
        spaces = {_space(case.volumes[sequence].source), _space(grid_source(case))}
        if all(isinstance(v.source.header, DicomHeader) for v in case.volumes.values()):
            # One study of one patient: shown where the headers say, and told that he may have moved.
            code = "series_other_frame" if len(spaces) > 1 or "" in spaces else "series_off_grid"
            notes.append(UserError(code, sequence=name, reason=reason, masks_on=masks_on))
            continue
        if len(spaces) > 1 or "" in spaces:
            raise UserError("place_unknown", path=path, sequence=name, reason=reason, masks_on=masks_on)
        notes.append(
            UserError("sequence_off_grid", path=path, sequence=name, reason=reason, masks_on=masks_on)
        )
    return notes


def _space(source: Source) -> str:
    """What the millimetres of an image are measured from; empty if its header does not say.

    A code of 0 in both fields means that an affine was made up from the voxel sizes alone (nifti1.h, method
    1); 3 to 5 are standard brains, which have nothing to do with where this patient lay in the scanner.
    """
    if isinstance(source.header, DicomHeader):
        return source.header.frame_of_reference_uid
    if isinstance(source.header, NrrdHeader):
        return "patient" if source.header.has_place else ""
    if not isinstance(source.header, NiftiHeader):
        return ""
    code = next((c for c in source.header.codes if c), 0)
    return ("", "patient", "patient", "talairach", "mni", "template")[code]


def check_readable(paths: Iterable[Path]) -> None:
    """Read images only to see that they can be read; one of several volumes can, once somebody says which.

    Raises
    ------
    UserError
        What `io.images.read_image` raises for the first that cannot; ``blinded_mask``, ``blinded_case``.
    """
    paths = tuple(paths)
    check_open(paths)
    for path in paths:
        try:
            images.read_image(path)
        except UserError as error:
            if error.code != "image_4d":
                raise


def load_mask(path: Path, scheme: LabelScheme | None = None, choice: ImageChoice | None = None) -> MaskFile:
    """Read a mask without a case, in any form of `io.mask_files`.

    Raises
    ------
    UserError
        ``blinded_mask``, ``blinded_case``; what `io.mask_files.read_any_mask` raises.
    """
    check_open([path])
    return read_any_mask(path, scheme, choice=choice)


def read_rating(
    case: Case, path: Path, scheme: LabelScheme | None = None, name: str | None = None
) -> tuple[Rating, UserError]:
    """Read a mask of a case as a rating, without adding it.

    Parameters
    ----------
    case : Case
    path : Path
        Any form of `io.mask_files`.
    scheme : LabelScheme or None
        None: find out.
    name : str or None
        None: what a sidecar of ours or the file's name says, else "Reference", else the file's name.

    Returns
    -------
    Rating, UserError
        And why its numbers were understood so (not an error).

    Raises
    ------
    UserError
        ``mask_grid_mismatch`` (params ``path``, ``reason``), or what `load_mask` raises.
    """
    check_open([path])
    hints = [v.source.path.name for v in case.volumes.values()]
    mask = read_any_mask(path, scheme, hints, case.grid)
    return _rating(case, mask, name), mask.why


def mask_labels(mask: MaskFile, grid: Grid) -> LabelMap:
    """The labels of a mask, if it lies on this grid.

    Raises
    ------
    UserError
        ``mask_grid_mismatch`` with the reason ``shape``, ``spacing``, ``orientation`` or ``position``.
    """
    offset = offset_on(mask.grid, grid) if mask.part else grid.mismatch(mask.grid) or (0, 0, 0)
    if isinstance(offset, str):
        raise UserError(
            "mask_grid_mismatch",
            path=mask.source.path,
            reason=offset,
            shape=mask.grid.shape,
            expected=grid.shape,
        )
    return LabelMap(placed(mask.tissues, offset, grid))


def on_one_grid(masks: Iterable[MaskFile]) -> tuple[MaskFile, ...]:
    """Masks of one case on the grid they share; forms that leave out what is not marked are completed.

    Raises
    ------
    UserError
        ``mask_grid_mismatch``.
    """
    found = tuple(masks)
    grid = next((mask.grid for mask in found if not mask.part), None)
    if grid is None:
        grid = found[0].grid
        for mask in found[1:]:
            wider = joint_grid(grid, mask.grid)
            if not isinstance(wider, str):
                grid = wider
    return tuple(replace(m, tissues=mask_labels(m, grid).array, grid=grid) for m in found)


def new_rating(
    case: Case, name: str, like: Rating | None = None, scheme: LabelScheme | None = None
) -> Rating:
    """A human's rating for a case, not added yet: blank, or a copy of another to be corrected.

    Parameters
    ----------
    name : str
        Made unique by a number if the case has such a rating already.
    like : Rating or None
        To copy; its probabilities and uncertainty go along, its undo steps do not.
    scheme : LabelScheme or None
        None: that of `like`, else `default_scheme`.
    """
    chosen = scheme or (like.scheme if like is not None else default_scheme(case))
    labels = LabelMap(like.label_map.array if like is not None else np.zeros(case.grid.shape, np.uint8))
    details: dict[str, Any] = {}
    if like is not None:
        details = {"started_from": {"rater": like.rater, "kind": like.kind.value, **dict(like.details)}}
    return Rating(
        unique_name(case, name),
        RaterKind.HUMAN,
        labels,
        chosen,
        probabilities=like.probabilities if like is not None else None,
        uncertainty=like.uncertainty if like is not None else None,
        details=details,
    )


def default_scheme(case: Case) -> LabelScheme:
    """The scheme for a new mask: that of the reference or of another rating, else what the names suggest."""
    if case.ratings:
        references = [r for r in case.ratings if r.kind is RaterKind.REFERENCE]
        return (references or case.ratings)[0].scheme
    source = grid_source(case)
    if source.files:
        return scheme_named("lgg")
    return recognise_scheme((), source.path).scheme


def grid_source(case: Case) -> Source:
    """The image whose grid and header a mask of this case is written with; see `grid_volume`."""
    return grid_volume(case).source


def grid_volume(case: Case) -> Volume:
    """The image that gives the case its grid: FLAIR if it lies on it, else T1CE, T2, T1."""
    return next(case.aligned[s] for s in GRID_ORDER if s in case.aligned)


def unique_name(case: Case, name: str) -> str:
    """`name`, with a number behind it if a rating is called so already."""
    taken = {r.rater for r in case.ratings}
    if name not in taken:
        return name
    return next(f"{name} {i}" for i in range(2, len(taken) + 3) if f"{name} {i}" not in taken)


def _rating(case: Case, mask: MaskFile, name: str | None) -> Rating:
    labels = mask_labels(mask, case.grid)
    rater, kind, details = _author(case, mask)
    return Rating(
        unique_name(case, name or rater), kind, labels, mask.scheme, source=mask.source, details=details
    )


def _author(case: Case, mask: MaskFile) -> tuple[str, RaterKind, dict[str, Any]]:
    """Who made a mask: said by our own sidecar, or by the file's name; else it is the reference."""
    sidecar = mask.sidecar or {}
    if isinstance(sidecar.get("rater"), str):
        kinds = {k.value: k for k in RaterKind}
        details = sidecar.get("details")
        return (
            sidecar["rater"],
            kinds.get(str(sidecar.get("kind")), RaterKind.HUMAN),
            details if isinstance(details, dict) else {},
        )
    stem = nifti.nifti_stem(mask.source.path)
    named = read_name(stem).rater
    if named is not None:
        return named, RaterKind.HUMAN, {}
    return (REFERENCE_NAME if case.rating(REFERENCE_NAME) is None else stem), RaterKind.REFERENCE, {}
