"""Images of every form we read, told by their content: NIfTI, NRRD, TIFF stacks and folders of slices."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.labels import LabelScheme
from brainseg_desktop.core.volume import ImageChoice, Sequence, Volume
from brainseg_desktop.io import nifti, nrrd, pictures
from brainseg_desktop.io.nifti import MaskFile

_TIFF_MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def is_image_name(path: Path) -> bool:
    """Whether the name ends as files do that hold one volume and say what it is: NIfTI or NRRD.

    Segmentations of 3D Slicer (``.seg.nrrd``) bring their own meaning of labels and are no images.
    """
    return nifti.is_nifti_name(path) or (
        nrrd.is_nrrd_name(path) and not path.name.lower().endswith((".seg.nrrd", ".seg.nhdr"))
    )


def read_image(
    path: Path,
    sequence: Sequence | None = None,
    notes: list[UserError] | None = None,
    choice: ImageChoice | None = None,
) -> Volume:
    """Read an image of any form in canonical order.

    Parameters
    ----------
    path : Path
        A file, or a folder of numbered slices.
    sequence : Sequence or None
    notes : list, optional
        Remarks for the user are appended.
    choice : ImageChoice, optional
        What the file does not say itself: which of several volumes, or the spacing.

    Raises
    ------
    UserError
        What `io.nifti.read_volume`, `io.nrrd.read_volume` and `io.pictures.read_volume` raise.
    """
    form = _form(path)
    if form == "nrrd":
        return nrrd.read_volume(path, sequence, notes, choice)
    if form == "pictures":
        return pictures.read_volume(path, sequence, notes, choice)
    return nifti.read_volume(path, sequence, notes, choice)


def read_mask(
    path: Path,
    scheme: LabelScheme | None = None,
    hints: Iterable[str] = (),
    choice: ImageChoice | None = None,
) -> MaskFile:
    """Read a mask of any form whose numbers are those of a scheme; see `io.nifti.read_mask`."""
    form = _form(path)
    if form == "nrrd":
        return nrrd.read_mask(path, scheme, hints, choice)
    if form == "pictures":
        return pictures.read_mask(path, scheme, hints, choice)
    return nifti.read_mask(path, scheme, hints, choice)


def _form(path: Path) -> str:
    """The form by the first bytes; by the name where they cannot be read or tell nothing."""
    if path.is_dir():
        return "nifti" if nifti.is_nifti_name(path) else "pictures"
    start = b""
    if path.is_file():
        try:
            with path.open("rb") as file:
                start = file.read(8)
        except OSError:
            pass  # the reader says why
    if start.startswith(nrrd.MAGIC) or (nrrd.is_nrrd_name(path) and not nifti.is_nifti_name(path)):
        return "nrrd"
    if start.startswith(_TIFF_MAGICS) or pictures.is_stack_name(path):
        return "pictures"
    return "nifti"
