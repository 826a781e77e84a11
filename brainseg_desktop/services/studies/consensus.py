"""The readers' masks of a case fused into one, as a new rating with the record of whom it was made of."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from brainseg_desktop import __version__
from brainseg_desktop.core.case import RaterKind
from brainseg_desktop.core.consensus import Performance, majority_vote, staple_labels
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.labels import LabelScheme
from brainseg_desktop.core.volume import Source
from brainseg_desktop.io import nifti
from brainseg_desktop.io.atomic import staged, write_error
from brainseg_desktop.io.schemes import PROGRAM, SIDECAR_FORMAT, scheme_named, sidecar_path
from brainseg_desktop.services.opening import load_mask
from brainseg_desktop.services.studies.results import Exclusion, Material, RatingFile

Method = Literal["majority", "staple"]
METHODS: tuple[Method, ...] = ("majority", "staple")
TITLES: Mapping[Method, str] = {"majority": "Majority", "staple": "STAPLE"}


@dataclass(frozen=True, slots=True, eq=False)
class Consensus:
    """One mask out of those of all human readers of a case.

    Parameters
    ----------
    case : str
    method : {"majority", "staple"}
    labels : (X, Y, Z) array of uint8
        `Tissue` values.
    grid : Grid
    scheme : LabelScheme
    source : Source
        Of the first reader's file, whose grid and header a file of it gets.
    details : mapping
        For its sidecar: method, readers with the hashes of their masks and, of STAPLE, their sensitivity and
        specificity by region.
    left_out : tuple of Exclusion
        Masks it could not be made of.
    """

    case: str
    method: Method
    labels: NDArray[np.uint8]
    grid: Grid
    scheme: LabelScheme
    source: Source
    details: Mapping[str, Any]
    left_out: tuple[Exclusion, ...] = ()


def make_consensus(material: Material, case: str, method: Method) -> Consensus:
    """Fuse the first readings of all human readers of a case.

    Raises
    ------
    UserError
        ``readers_too_few`` (params ``case``, ``n``) with fewer than two usable masks.
    """
    scheme = scheme_named(material.scheme)
    used: list[tuple[RatingFile, nifti.MaskFile]] = []
    left_out: list[Exclusion] = []
    for file in material.files:
        if file.case != case or file.kind is not RaterKind.HUMAN or file.repeat > 1:
            continue
        try:
            mask = load_mask(file.path, scheme)
            if mask.source.sha256 != file.sha256:
                raise UserError("mask_changed", path=file.path)
            used.append((file, mask))
        except UserError as error:
            left_out.append(Exclusion(case, file.rater, error))
    used, off_grid = _on_one_grid(used)
    left_out += off_grid
    if len(used) < 2:
        raise UserError("readers_too_few", case=case, n=len(used))
    masks = [mask.tissues for _, mask in used]
    details: dict[str, Any] = {
        "method": method,
        "readers": [{"rater": file.rater, "sha256": file.sha256} for file, _ in used],
    }
    if method == "majority":
        labels = majority_vote(masks)
        details["rule"] = "Each region is what more than half of the readers marked; a tie is background."
    else:
        fused = staple_labels(masks, scheme.tissues)
        labels = fused.labels
        raters = [file.rater for file, _ in used]
        details["regions"] = {n: _performance(raters, p) for n, p in fused.regions.items()}
    first = used[0][1]
    return Consensus(case, method, labels, first.grid, scheme, first.source, details, tuple(left_out))


def consensus_path(folder: Path, case: str, method: Method) -> Path:
    """Where the consensus of a case belongs in a folder of ratings.

    Examples
    --------
    >>> consensus_path(Path("ratings"), "case1", "staple").as_posix()
    'ratings/staple/case1_seg-staple_dseg.nii.gz'
    """
    return folder / method / f"{case}_seg-{method}_dseg.nii.gz"


def write_consensus(consensus: Consensus, path: Path) -> tuple[Path, Path]:
    """Write a consensus and its sidecar, both or neither.

    Raises
    ------
    UserError
        ``would_overwrite_input`` if the file is no consensus, but a mask by someone; ``disk_full``,
        ``no_permission``, ``write_failed``.
    """
    sidecar = sidecar_path(path)
    if path.exists() and not _is_consensus(sidecar):
        raise UserError("would_overwrite_input", path=path)
    content = nifti.mask_bytes(path, consensus.labels, consensus.scheme, consensus.source, consensus.grid)
    about = {
        "format": SIDECAR_FORMAT,
        "program": PROGRAM,
        "program_version": __version__,
        "notice": "Research use only. Not a medical device.",
        "case": consensus.case,
        "mask": path.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "rater": TITLES[consensus.method],
        "kind": RaterKind.CONSENSUS.value,
        "scheme": consensus.scheme.name,
        "labels": {str(label.value): label.name for label in consensus.scheme.labels},
        "details": dict(consensus.details),
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(error, path.parent) from error
    with staged(path.parent) as stage:
        stage.add(path, content)
        stage.add(sidecar, msgspec.json.format(msgspec.json.encode(about), indent=1))
        stage.commit()
    return path, sidecar


def _is_consensus(sidecar: Path) -> bool:
    try:
        content = msgspec.json.decode(sidecar.read_bytes())
    except (OSError, msgspec.DecodeError, RecursionError):
        return False
    return isinstance(content, dict) and content.get("kind") == RaterKind.CONSENSUS.value


def _on_one_grid(
    used: Sequence[tuple[RatingFile, nifti.MaskFile]],
) -> tuple[list[tuple[RatingFile, nifti.MaskFile]], list[Exclusion]]:
    """Those on the grid that most share, in a tie that of the first, and why the others are not."""
    if not used:
        return [], []
    grids = [mask.grid for _, mask in used]
    grid = max(grids, key=lambda g: sum(g.mismatch(other) is None for other in grids))
    kept, left_out = [], []
    for file, mask in used:
        reason = grid.mismatch(mask.grid)
        if reason is None:
            kept.append((file, mask))
        else:
            error = UserError("rating_off_grid", path=file.path, case=file.case, reason=reason)
            left_out.append(Exclusion(file.case, file.rater, error))
    return kept, left_out


def _performance(raters: Sequence[str], found: Performance) -> dict[str, Any]:
    """What STAPLE says of the readers on one region."""
    return {
        "readers": {
            rater: {"sensitivity": sensitivity.to_dict(), "specificity": specificity.to_dict()}
            for rater, sensitivity, specificity in zip(
                raters, found.sensitivity, found.specificity, strict=True
            )
        },
        "prior": found.prior,
        "iterations": found.iterations,
        "converged": found.converged,
    }
