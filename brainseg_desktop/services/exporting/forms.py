"""The forms that masks are exported in: what each is called, needs, and says it will write."""

from __future__ import annotations

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.services.exporting.coco import coco_content
from brainseg_desktop.services.exporting.dicom import needs_dicom, seg_content
from brainseg_desktop.services.exporting.job import Form, anything, needs_millimetres
from brainseg_desktop.services.exporting.labels import (
    bids_content,
    itksnap_content,
    nifti_content,
    nrrd_content,
    tiff_content,
)
from brainseg_desktop.services.exporting.pictures import png_content
from brainseg_desktop.services.exporting.surfaces import ply_content, stl_content
from brainseg_desktop.services.exporting.tables import csv_content

_NIFTI = (".nii.gz", ".nii")
_GRID = "on the grid of the images, in their own space"

FORMS: tuple[Form, ...] = (
    Form("nifti", "NIfTI", _NIFTI, False, True, True, _GRID, anything, nifti_content),
    Form(
        "dicom-seg", "DICOM SEG", (".dcm",), False, False, False,
        "as one object with a segment for each label, in the space of the series that it refers to",
        needs_dicom, seg_content,
    ),
    Form(
        "nrrd", "3D Slicer segmentation (.seg.nrrd)", (".seg.nrrd", ".nrrd"), False, True, False,
        _GRID + ", with names, colours and coded terms", needs_millimetres, nrrd_content,
    ),
    Form(
        "itksnap", "NIfTI with ITK-SNAP labels", _NIFTI, False, True, True,
        _GRID + ", with a .txt of names and colours beside it", anything, itksnap_content,
    ),
    Form(
        "tif", "TIFF masks", (".tif", ".tiff"), True, True, False,
        "as axial slices from below to above, rows to the back, columns to the patient's left: a .tif gets "
        "all of them, a folder one file each", anything, tiff_content,
    ),
    Form(
        "png", "PNG overlays", (".png",), True, False, False,
        "as pictures in radiological view: a .png shows the slice with most tumour, a folder gets every "
        "slice that is marked", anything, png_content,
    ),
    Form(
        "coco", "COCO (pictures and JSON)", (), True, True, False,
        "as a picture for each slice that is marked, rows to the back, columns to the patient's left, with "
        "the labels as polygons and as run lengths in two JSON files", anything, coco_content,
    ),
    Form(
        "stl", "STL surfaces", (".stl",), True, False, False,
        "in RAS millimetres: a .stl gets one surface around all labels, a folder one file for each label and "
        "region", needs_millimetres, stl_content,
    ),
    Form(
        "ply", "PLY surfaces", (".ply",), True, False, False,
        "in RAS millimetres: a .ply gets the labels in their colours, a folder one file for each label and "
        "region", needs_millimetres, ply_content,
    ),
    Form(
        "csv", "Volumes and diameters (CSV)", (".csv",), False, False, False,
        "as a table of volumes and RANO diameters of each label and region", anything, csv_content,
    ),
    Form(
        "bids", "BIDS derivatives", (), True, True, True,
        _GRID + ", below derivatives/brainseg, with a .json and a table of the labels",
        anything, bids_content,
    ),
)  # fmt: skip


def form_named(key: str) -> Form:
    """The form with this name.

    Raises
    ------
    UserError
        ``format_not_offered`` with the names there are.
    """
    found = next((form for form in FORMS if form.key == key), None)
    if found is None:
        raise UserError("format_not_offered", format=key, known=[form.key for form in FORMS])
    return found
