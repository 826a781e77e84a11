"""What every export shares: inputs are spared, what was written is doubted, and a mask says what it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from brainseg_desktop import __version__
from brainseg_desktop.core.case import Case, RaterKind, Rating
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.labels import TISSUE_NAMES, LabelScheme, Tissue
from brainseg_desktop.core.volume import Source
from brainseg_desktop.io import atomic
from brainseg_desktop.io.dicom.header import DicomHeader
from brainseg_desktop.io.schemes import PROGRAM, SIDECAR_FORMAT
from brainseg_desktop.services.alignment.placing import alignment_record


@contextmanager
def read_back(destination: Path) -> Iterator[Callable[[bool], None]]:
    """Whatever a check or a reader says against the file, it is not what it should be."""

    def check(same: bool) -> None:
        if not same:
            raise UserError("export_differs", path=destination, reason="content")

    try:
        yield check
    except UserError:
        raise
    except Exception as error:
        raise UserError("export_differs", path=destination, reason=str(error)) from error


def refuse_inputs(case: Case, rating: Rating, targets: Iterable[Path]) -> None:
    """Images and references are never overwritten; a reader's own earlier export may be."""
    sources = [v.source for v in case.volumes.values()]
    sources += [r.source for r in case.ratings if r.source is not None and r.kind is RaterKind.REFERENCE]
    if rating.source is not None and rating.kind is RaterKind.REFERENCE:
        sources.append(rating.source)
    inputs = {p.resolve() for s in sources for p in _files_of(s)}
    for target in targets:
        if target.resolve() in inputs or (target.exists() and any(_same(target, p) for p in inputs)):
            raise UserError("would_overwrite_input", path=target)


def _files_of(source: Source) -> tuple[Path, ...]:
    instances = source.header.files if isinstance(source.header, DicomHeader) else ()
    return (*source.files, *instances) or (source.path,)


def _same(a: Path, b: Path) -> bool:
    try:
        return a.samefile(b)
    except OSError:
        return False


def make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise atomic.write_error(error, folder) from error


def description(
    case: Case,
    rating: Rating,
    scheme: LabelScheme,
    labels: NDArray[np.uint8],
    source: Source,
    name: str,
    digest: str,
) -> dict[str, Any]:
    """What a mask is and where it comes from, as JSON holds it."""
    counts = np.bincount(labels[labels != 0], minlength=256)
    voxel_ml = case.grid.voxel_volume_ml if case.grid.spacing_known else None
    regions = {region.name: int(sum(counts[int(t)] for t in region.tissues)) for region in scheme.regions}
    return {
        "format": SIDECAR_FORMAT,
        "program": PROGRAM,
        "program_version": __version__,
        "notice": "Research use only. Not a medical device.",
        "case": case.name,
        "mask": name,
        "sha256": digest,
        "rater": rating.rater,
        "kind": rating.kind.value,
        "details": dict(rating.details),
        "scheme": scheme.name,
        "labels": {str(label.value): label.name for label in scheme.labels},
        "created_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "images": {
            s.value: {"file": v.source.path.name, "sha256": v.source.sha256} for s, v in case.volumes.items()
        },
        "alignment": alignment_record(case),
        "shape": list(source.native_shape),
        "spacing_known": case.grid.spacing_known,
        "voxels": {TISSUE_NAMES[Tissue(int(t))]: int(counts[t]) for t in np.flatnonzero(counts)},
        "region_voxels": regions,
        "volumes_ml": {
            n: None if voxel_ml is None else round(count * voxel_ml, 6) for n, count in regions.items()
        },
    }


def as_json(content: Any) -> bytes:
    """JSON for people to read too; what it has no form for becomes a string."""
    return msgspec.json.format(msgspec.json.encode(content, enc_hook=str), indent=1)
