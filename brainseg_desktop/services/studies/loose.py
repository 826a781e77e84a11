"""Masks that lie about without a study: which reader and which case each is, told by folders and names."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from brainseg_desktop.core.case import RaterKind
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.io.names import NameKind, read_name
from brainseg_desktop.io.nifti import is_nifti_name, nifti_stem
from brainseg_desktop.io.schemes import read_sidecar, recognise_scheme, scheme_named
from brainseg_desktop.services.opening import REFERENCE_NAME, load_mask
from brainseg_desktop.services.studies.blinding import check_open
from brainseg_desktop.services.studies.results import Material, Rater, RatingFile

# Folders that hold no masks of readers.
_NOT_RATERS = {"cases", "images", "reports", "report"}
_KINDS = {
    RaterKind.REFERENCE: ("reference", "ref", "truth", "groundtruth", "gt"),
    RaterKind.CONSENSUS: ("consensus", "majority", "staple"),
    RaterKind.MODEL: ("ai", "model", "network"),
}
_ORDER = (RaterKind.HUMAN, RaterKind.MODEL, RaterKind.REFERENCE, RaterKind.CONSENSUS)
_REPEAT = re.compile(r"[_-](?:run|repeat)-?0*(?P<number>\d+)(?=[_-]|$)", re.I)
_SUFFIX = re.compile(
    r"[_-](?:d?seg|mask|labels?|segmentation|rater|reader)(?:-[A-Za-z0-9+]+)?(?:[_-](?:d?seg|mask))?$", re.I
)
# Of so many masks the labels are looked at to find the scheme: all those of a few cases.
_LOOKED_AT = 24
ORIGIN = "Masks without a study: nothing is known of blinding, order or times."


@dataclass(frozen=True, slots=True)
class _Found:
    """A mask and what its place says of it."""

    path: Path
    case: str
    rater: str
    kind: RaterKind | None = None
    repeat: int = 1


def material_from_folder(folder: Path, scheme: str | None = None, tolerance_mm: float = 1.0) -> Material:
    """The masks of a folder: one sub-folder a rater, one sub-folder a case, or all of one case.

    A sub-folder is a case where images lie in it or its masks are of different raters, as
    ``case/rater-anna.nii.gz``; else a rater, as ``anna/case_seg-anna_dseg.nii.gz``. A folder ``ratings`` in
    it is looked at in its place. ``run-2`` in a name makes a second reading. A sidecar of ours says better.

    Raises
    ------
    UserError
        ``file_missing``; ``masks_not_found`` (param ``path``); ``masks_of_one_reading`` (params ``case``,
        ``rater``, ``names``) where two masks claim to be the same; ``scheme_ambiguous`` and what else reading
        a mask raises, where the scheme has to be found out; ``blinded_mask``, ``blinded_case``.
    """
    if not folder.is_dir():
        raise UserError("file_missing", path=folder)
    place = folder / "ratings" if (folder / "ratings").is_dir() else folder
    own = _masks_in(place)
    if own:
        found = _as_case(place, own, place.resolve().name)
    else:
        by_folder = {
            sub: masks
            for sub in sorted(place.iterdir())
            if sub.is_dir() and not sub.name.startswith(".") and sub.name.lower() not in _NOT_RATERS
            if (masks := _masks_in(sub))
        }
        if any(_is_case(sub, masks) for sub, masks in by_folder.items()):
            found = [f for sub, masks in by_folder.items() for f in _as_case(sub, masks, sub.name)]
        else:
            found = [_of_rater(path, sub.name) for sub, masks in by_folder.items() for path in masks]
    if not found:
        raise UserError("masks_not_found", path=folder)
    return _material(folder.resolve().name, found, scheme, tolerance_mm)


def material_from_masks(
    paths: Sequence[Path], scheme: str | None = None, tolerance_mm: float = 1.0, case: str = ""
) -> Material:
    """Several raters' masks of one case, each a rater by its file's name.

    Raises
    ------
    UserError
        As `material_from_folder`; ``masks_too_few``.
    """
    different = list(dict.fromkeys(paths))
    if len(different) < 2:
        raise UserError("masks_too_few", n=len(different))
    stems = [nifti_stem(path) for path in different]
    name = case or _common_start(stems) or different[0].resolve().parent.name
    named = [read_name(stem).rater or stem for stem in stems]
    raters = named if len(set(named)) == len(named) else [str(path) for path in different]
    found = [_Found(path, name, rater) for path, rater in zip(different, raters, strict=True)]
    return _material(name, found, scheme, tolerance_mm)


def _masks_in(folder: Path) -> list[Path]:
    """NIfTI files of a folder that are no images; only those whose name says mask, where any does."""
    paths = sorted(p for p in folder.iterdir() if p.is_file() and is_nifti_name(p) and p.name[0] != ".")
    kinds = {p: read_name(nifti_stem(p)).kind for p in paths}
    masks = [p for p in paths if kinds[p] is NameKind.MASK]
    return masks or [p for p in paths if kinds[p] is NameKind.UNKNOWN]


def _is_case(folder: Path, masks: Iterable[Path]) -> bool:
    raters = {read_name(nifti_stem(p)).rater for p in masks}
    images = any(
        read_name(nifti_stem(p)).kind is NameKind.IMAGE for p in folder.iterdir() if is_nifti_name(p)
    )
    return images or len(raters) > 1


def _as_case(folder: Path, masks: Sequence[Path], case: str) -> list[_Found]:
    """The masks of one case: a rater by the name's own word, a plain name is the reference."""
    found = []
    for path in masks:
        said = read_name(nifti_stem(path))
        if said.rater is not None:
            found.append(_Found(path, case, said.rater))
        elif said.kind is NameKind.MASK:
            found.append(_Found(path, case, REFERENCE_NAME, RaterKind.REFERENCE))
        else:
            found.append(_Found(path, case, nifti_stem(path)))
    references = [f for f in found if f.kind is RaterKind.REFERENCE]
    if len(references) > 1:
        found = [
            replace(f, rater=nifti_stem(f.path), kind=None) if f.kind is RaterKind.REFERENCE else f
            for f in found
        ]
    return found


def _of_rater(path: Path, rater: str) -> _Found:
    stem = _SUFFIX.sub("", nifti_stem(path))
    repeat = _REPEAT.search(stem)
    number = int(repeat["number"]) if repeat else 1
    return _Found(path, _REPEAT.sub("", stem) or stem, rater, repeat=max(1, number))


def _common_start(stems: Sequence[str]) -> str:
    first, last = min(stems), max(stems)
    same = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return _SUFFIX.sub("", re.sub(r"[_-](?:seg|rater|reader)[_-]?$", "", first[:same])).strip("_-. ")


def _material(name: str, found: Sequence[_Found], scheme: str | None, tolerance_mm: float) -> Material:
    check_open(mask.path for mask in found)
    files: list[RatingFile] = []
    kinds: dict[str, RaterKind] = {}
    for mask in found:
        sha256 = _digest(mask.path)
        sidecar = read_sidecar(mask.path, sha256) or {}
        kind = kinds.setdefault(mask.rater, _kind_of(mask, sidecar))
        files.append(RatingFile(mask.case, mask.rater, kind, mask.path, sha256, mask.repeat))
    claimed: dict[tuple[str, str, int], list[Path]] = defaultdict(list)
    for file in files:
        claimed[file.case, file.rater, file.repeat].append(file.path)
    for (case, rater, _), paths in claimed.items():
        if len(paths) > 1:
            raise UserError("masks_of_one_reading", case=case, rater=rater, names=[p.name for p in paths])
    chosen = scheme_named(scheme).name if scheme else _scheme_of([f.path for f in files])
    raters = sorted((Rater(n, k) for n, k in kinds.items()), key=lambda r: (_ORDER.index(r.kind), r.name))
    place = {rater.name: i for i, rater in enumerate(raters)}
    return Material(
        name=name,
        scheme=chosen,
        cases=tuple(sorted({f.case for f in files})),
        raters=tuple(raters),
        files=tuple(sorted(files, key=lambda f: (f.case, place[f.rater], f.repeat))),
        design={"Origin": ORIGIN},
        tolerance_mm=tolerance_mm,
    )


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError as error:
        raise UserError("file_missing", path=path) from error
    except OSError as error:
        raise UserError("file_unreadable", path=path, reason=error.strerror or str(error)) from error


def _kind_of(mask: _Found, sidecar: Mapping[str, Any]) -> RaterKind:
    """What a sidecar of ours says, else the place, else the rater's name."""
    said = sidecar.get("kind")
    if said in {kind.value for kind in RaterKind}:
        return RaterKind(said)
    if mask.kind is not None:
        return mask.kind
    word = mask.rater.lower()
    return next((kind for kind, words in _KINDS.items() if word in words), RaterKind.HUMAN)


def _scheme_of(paths: Sequence[Path]) -> str:
    """The one scheme that holds the labels of all masks: a mask of oedema alone does not tell."""
    values: set[int] = set()
    sidecars: list[str] = []
    for path in paths[:_LOOKED_AT]:
        try:
            mask = load_mask(path)
        except UserError as error:
            found = error.params.get("values")
            if error.code == "scheme_ambiguous" and isinstance(found, list):
                values |= {int(v) for v in found}
            elif len(paths) == 1:
                raise
            continue
        values |= {int(v) for v in np.flatnonzero(np.bincount(mask.scheme.encode(mask.tissues).ravel()))}
        if mask.why.code == "scheme_by_sidecar":
            sidecars.append(mask.scheme.name)
    said = next((s for s in sidecars if scheme_named(s).values >= values - {0}), None)
    if said is not None:
        return said
    return recognise_scheme(values, paths[0], hints=[p.name for p in paths[1:_LOOKED_AT]]).scheme.name
