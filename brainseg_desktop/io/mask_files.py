"""Masks of every form that is read: NIfTI, with ITK-SNAP's labels, TIFF slices, NRRD, DICOM SEG."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.labels import Label, LabelScheme
from brainseg_desktop.core.volume import ImageChoice
from brainseg_desktop.io import images, nifti, tiff
from brainseg_desktop.io.dicom.seg_read import is_dicom, is_segmentation, read_seg
from brainseg_desktop.io.itksnap import description_beside, read_description
from brainseg_desktop.io.names import read_name
from brainseg_desktop.io.nifti import MaskFile
from brainseg_desktop.io.pictures import numbered_slices
from brainseg_desktop.io.seg_nrrd import is_nrrd, read_nrrd_mask
from brainseg_desktop.io.segments import Understood, understand


def read_any_mask(
    path: Path,
    scheme: LabelScheme | None = None,
    hints: Iterable[str] = (),
    near: Grid | None = None,
    choice: ImageChoice | None = None,
) -> MaskFile:
    """Read a mask, told by its content rather than by its name.

    Parameters
    ----------
    path : Path
        A file, or a folder of ``_mask.tif`` or of numbered slices.
    scheme : LabelScheme or None
        None: find out, by coded terms and names before numbers.
    hints : names of files that lie with it
    near : Grid or None
        Of the images.
    choice : ImageChoice, optional
        Which volume of several, and the spacing of pictures.

    Raises
    ------
    UserError
        What `io.tiff.read_masks`, `io.seg_nrrd.read_nrrd_mask`, `io.dicom.seg_read.read_seg` or
        `io.nifti.read_mask` raises.
    """
    if _has_lgg_masks(path):
        return tiff.read_masks(path)
    head = _head(path)
    if is_nrrd(head):
        return read_nrrd_mask(path, scheme)
    if is_dicom(head):
        return read_seg(path, scheme, near)
    named = None if scheme is not None else _named(path)
    if named is None:
        return images.read_mask(path, scheme, hints, choice)
    labels = tuple(Label(value, tissue) for value, tissue in sorted(named.tissues.items()))
    mask = nifti.read_mask(path, LabelScheme("itksnap", "ITK-SNAP", labels), hints, choice)
    if mask.sidecar is not None:
        return nifti.read_mask(path, None, hints, choice)
    return replace(mask, scheme=named.scheme, why=named.why)


def _has_lgg_masks(path: Path) -> bool:
    """Whether a folder holds masks of slices in the layout of the LGG set, or no pictures of another."""
    return path.is_dir() and (bool(tiff.slices_in(path)[1]) or not numbered_slices(path))


def mask_form(path: Path) -> str:
    """``"nrrd"`` or ``"dicom-seg"`` of a file that can only be a mask; empty where it may be an image."""
    head = _head(path) if path.is_file() else b""
    if is_nrrd(head):
        return "nrrd" if read_name(path.name.split(".")[0]).sequence is None else ""
    return "dicom-seg" if is_dicom(head) and is_segmentation(path) else ""


def _named(path: Path) -> Understood | None:
    """What ITK-SNAP's labels beside a mask say, if they name every tissue in words that leave no doubt."""
    beside = description_beside(path)
    if beside is None:
        return None
    try:
        told = understand(read_description(beside), beside, None)
    except UserError:
        return None
    return told if told.why.code == "scheme_by_segments" else None


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(132)
    except OSError:
        return b""  # the reader of NIfTI says what is wrong
