"""Export: a rating becomes a label file on the images' own grid, read back and compared before it counts.

A file that is not what it should be never takes the old one's name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.case import Case, Rating
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.labels import LabelScheme
from brainseg_desktop.core.volume import Source, to_native
from brainseg_desktop.io import atomic, nifti, tiff
from brainseg_desktop.io.schemes import scheme_named, sidecar_path
from brainseg_desktop.services.exporting.writing import (
    as_json,
    description,
    make_folder,
    read_back,
    refuse_inputs,
)
from brainseg_desktop.services.opening import grid_source
from brainseg_desktop.services.studies.blinding import check_write


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written and proved right.

    Parameters
    ----------
    path : Path
        The mask, or the folder of mask slices.
    sidecar : Path
    voxels : int
        Number of voxels that carry a label.
    """

    path: Path
    sidecar: Path
    voxels: int


def export_rating(
    case: Case,
    rating: Rating,
    destination: Path,
    *,
    scheme: LabelScheme | None = None,
    like: Source | None = None,
    audit: Mapping[str, Any] | None = None,
    within: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
    wide: bool = False,
) -> Exported:
    """Write a mask and its sidecar, both or neither, and compare them with what was meant.

    Parameters
    ----------
    case, rating
    destination : Path
        ``.nii`` or ``.nii.gz``; for a case of slices a folder, which gets one ``_mask.tif`` a slice.
    scheme : LabelScheme or None
        Numbers to write; None: the rating's. Slices are always 0 and 255.
    like : Source or None
        Image whose native grid and header are taken; None: FLAIR, else the first sequence there is.
    audit : mapping, optional
        What was changed, for the sidecar.
    within : function, optional
        A study's, that completes the sidecar of a mask in its own folder; nobody else writes there.
    wide : bool
        Numbers as int16 instead of uint8, for programs that ask for it; NIfTI only.

    Raises
    ------
    UserError
        ``destination_not_nifti``, ``would_overwrite_input``, ``inside_ratings``, ``scheme_cannot_hold``,
        ``export_differs``, ``disk_full``, ``no_permission``, ``write_failed``. Whatever lay at the
        destination is then unchanged.
    """
    if within is None:
        check_write([destination])
    source = like or grid_source(case)
    labels = np.array(rating.label_map.array)
    chosen = scheme or rating.scheme
    if nifti.is_nifti_name(destination):
        if destination.name.lower().endswith((".hdr", ".hdr.gz")):
            raise UserError("destination_not_nifti", path=destination)
        contents = {destination: nifti.mask_bytes(destination, labels, chosen, source, case.grid, wide)}
        sidecar, folder = sidecar_path(destination), destination.parent
    elif source.files:
        chosen = scheme_named("lgg")
        slices = tiff.mask_slices(labels, chosen, source)
        contents = {destination / name: content for name, content in slices.items()}
        sidecar, folder = destination / "masks.json", destination
    else:
        raise UserError("destination_not_nifti", path=destination)
    refuse_inputs(case, rating, (*contents, sidecar))
    digest = hashlib.sha256(b"".join(contents.values())).hexdigest()
    about = description(case, rating, chosen, labels, source, destination.name, digest)
    if audit is not None:
        about["audit"] = dict(audit)
    if within is not None:
        about = within(about)
    make_folder(folder)
    with atomic.staged(folder) as stage:
        written = [stage.add(target, content) for target, content in contents.items()]
        told = as_json(about)
        written_sidecar = stage.add(sidecar, told)
        with read_back(destination) as check:
            check(_hold(written, digest, chosen.encode(labels), source))
            check(written_sidecar.read_bytes() == told)
        stage.commit()
    return Exported(destination, sidecar, int(np.count_nonzero(labels)))


def export_uncertainty(case: Case, rating: Rating, destination: Path) -> Path:
    """Write how undecided the network was, and compare the file with what was meant.

    Parameters
    ----------
    case : Case
    rating : Rating
        A network's, with uncertainty.
    destination : Path
        ``.nii`` or ``.nii.gz``. Whole numbers with a slope of 1/255: readers see 0 to 1 bit.

    Raises
    ------
    UserError
        ``destination_not_nifti``, ``would_overwrite_input``, ``export_differs``, ``disk_full``,
        ``no_permission``, ``write_failed``. Whatever lay at the destination is then unchanged.
    """
    assert rating.uncertainty is not None
    if not destination.name.lower().endswith((".nii", ".nii.gz")):
        raise UserError("destination_not_nifti", path=destination)
    refuse_inputs(case, rating, (destination,))
    source = grid_source(case)
    content = nifti.map_bytes(destination, rating.uncertainty, source, case.grid, 1 / 255)
    make_folder(destination.parent)
    with atomic.staged(destination.parent) as stage:
        written = stage.add(destination, content)
        with read_back(destination) as check:
            check(_holds(written, rating.uncertainty, source, 1 / 255))
        stage.commit()
    return destination


def _hold(paths: list[Path], digest: str, numbers: NDArray[np.uint8], source: Source) -> bool:
    """Whether the files on the disk hold these numbers (canonical) on the source's grid.

    NIfTI is read by nibabel's own loader, so that a fault of our reader cannot hide one of our writer.
    """
    if hashlib.sha256(b"".join(p.read_bytes() for p in paths)).hexdigest() != digest:
        return False
    if not nifti.is_nifti_name(paths[0]):
        stack = tiff.read_mask_stack(paths)
        return bool(np.array_equal(stack, np.where(numbers > 0, np.uint8(255), np.uint8(0))))
    return _holds(paths[0], numbers, source, 1.0)


def _holds(path: Path, numbers: NDArray[np.uint8], source: Source, slope: float) -> bool:
    """Whether a NIfTI file stores these numbers (canonical) with this slope on the source's grid."""
    import nibabel

    image: Any = nibabel.load(path)  # type: ignore[attr-defined]
    if not np.array_equal(image.dataobj.get_unscaled(), to_native(numbers, source)):
        return False
    if not np.isclose(image.dataobj.slope, slope) or image.dataobj.inter != 0:
        return False
    return source.header is None or bool(
        np.allclose(image.affine, source.header.affine, rtol=1e-5, atol=1e-4)
    )
