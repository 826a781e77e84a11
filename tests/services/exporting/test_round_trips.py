"""Every form in every orientation, by voxel and by millimetre, with readers that are not ours."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import nibabel
import nrrd
import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from brainseg_desktop.core.case import Case, Rating
from brainseg_desktop.core.labels import WT, Tissue
from brainseg_desktop.io.schemes import scheme_named
from brainseg_desktop.services.exporting.forms import FORMS, form_named
from brainseg_desktop.services.exporting.job import job_for
from brainseg_desktop.services.exporting.run import Written, write_form
from brainseg_desktop.services.opening import read_rating
from tests.dicom_example import example, oblique
from tests.exporting_example import (
    ORIENTATIONS,
    SHAPE,
    listed,
    marked_mm,
    nifti_case,
    octants,
    orientation_affine,
)

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
AFFINES = [orientation_affine(o) for o in ORIENTATIONS] + [
    oblique((11, -24, 38), (0.9, 0.9, 5.0)),
    oblique((-40, 30, 100), (1.0, 1.2, 0.8)) @ np.diag([-1.0, 1, 1, 1]),
]


def write(case: Case, rating: Rating, key: str, path: Path, **options: object) -> Written:
    return write_form(form_named(key), job_for(case, rating, path, **options))


def by_sitk(path: Path) -> set[tuple[int, float, float, float]]:
    image = sitk.ReadImage(str(path))
    numbers = sitk.GetArrayFromImage(image).transpose(2, 1, 0)
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return listed(numbers, LPS @ affine)


@pytest.mark.parametrize("affine", AFFINES, ids=range(len(AFFINES)))
def test_masks_lie_where_they_were_drawn(tmp_path: Path, affine: np.ndarray) -> None:
    case = nifti_case(tmp_path / "in", affine)
    rating = octants(case)
    meant = marked_mm(case, rating)
    for key, name in (("nifti", "m.nii"), ("itksnap", "s.nii.gz"), ("nrrd", "m.seg.nrrd")):
        path = tmp_path / "out" / name
        write(case, rating, key, path, wide=key == "itksnap")
        assert by_sitk(path) == meant, key
        back, _ = read_rating(case, path)
        np.testing.assert_array_equal(back.label_map.array, rating.label_map.array)
        assert (back.rater, back.kind) == (rating.rater, rating.kind)
    stored = nibabel.load(tmp_path / "out" / "m.nii")
    assert listed(np.asanyarray(stored.dataobj), stored.affine) == meant
    assert stored.shape == SHAPE  # on the axes of the input, not on ours
    np.testing.assert_allclose(stored.affine, affine, atol=1e-5)
    numbers, header = nrrd.read(str(tmp_path / "out" / "m.seg.nrrd"))
    place = np.eye(4)
    place[:3] = np.column_stack([np.array(header["space directions"]).T, header["space origin"]])
    assert listed(numbers, LPS @ place) == meant


@pytest.mark.parametrize("orientation", range(48))
def test_pictures_tables_and_surfaces_are_those_of_the_patient(tmp_path: Path, orientation: int) -> None:
    """Whatever the storage, rows run to the back, columns to the left, slices up; surfaces lie in RAS mm."""
    case = nifti_case(tmp_path / "in", orientation_affine(ORIENTATIONS[orientation]))
    rating = octants(case)
    labels, grid = rating.label_map.array, case.grid
    numbers = rating.scheme.encode(labels)
    drawn = numbers[::-1, ::-1, :].transpose(2, 1, 0)
    write(case, rating, "tif", tmp_path / "stack.tif")
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "stack.tif"))), drawn)
    write(case, rating, "tif", tmp_path / "slices")
    pictures = [np.array(Image.open(p)) for p in sorted((tmp_path / "slices").glob("*.tif"))]
    np.testing.assert_array_equal(np.stack(pictures), drawn)

    write(case, rating, "coco", tmp_path / "coco")
    content = json.loads((tmp_path / "coco" / "_annotations.coco.json").read_text())
    found = np.zeros_like(drawn)
    for annotation in content["annotations"]:
        image = content["images"][annotation["image_id"] - 1]
        x, y, width, height = annotation["bbox"]
        assert (tmp_path / "coco" / image["file_name"]).is_file()
        if annotation["area"] == 1:
            assert (width, height) == (1, 1)
            found[image["slice"], y, x] = annotation["category_id"]
    singles = sum(a["area"] for a in content["annotations"] if a["area"] == 1)
    assert np.count_nonzero(found) == singles
    np.testing.assert_array_equal(found[found > 0], drawn[found > 0])

    write(case, rating, "stl", tmp_path / "all.stl")
    raw = (tmp_path / "all.stl").read_bytes()
    triangles = np.frombuffer(raw[84:], np.dtype([("f", "<f4", 12), ("a", "<u2")]))["f"].reshape(-1, 4, 3)
    assert len(triangles) == int.from_bytes(raw[80:84], "little")
    centres = grid.world_of(np.argwhere(labels))
    write(case, rating, "ply", tmp_path / "all.ply")
    for corners in (triangles[:, 1:].reshape(-1, 3), ply_corners(tmp_path / "all.ply")):
        distance = np.linalg.norm(corners[:, None] - centres[None], axis=2)
        assert distance.min(axis=1).max() < max(grid.spacing_mm)  # every corner beside a marked voxel
        assert (distance.min(axis=0) < max(grid.spacing_mm)).all()  # and every marked voxel in a surface

    write(case, rating, "csv", tmp_path / "t.csv")
    rows = {(r["what"], r["name"]): r for r in csv.DictReader((tmp_path / "t.csv").read_text().splitlines())}
    assert rows["region", "WT"]["voxels"] == "8"
    assert float(rows["region", "WT"]["volume_ml"]) == pytest.approx(8 * grid.voxel_volume_ml, rel=1e-4)


def ply_corners(path: Path) -> np.ndarray:
    """The corners of a binary PLY file, read by its own header."""
    raw = path.read_bytes()
    head, rest = raw.split(b"end_header\n", 1)
    lines = head.decode().splitlines()
    count = next(int(line.split()[2]) for line in lines if line.startswith("element vertex"))
    types = {"float": "<f4", "uchar": "u1", "double": "<f8"}
    first = next(i for i, line in enumerate(lines) if line.startswith("element vertex")) + 1
    fields = []
    for line in lines[first:]:
        if not line.startswith("property"):
            break
        _, kind, name = line.split()
        fields.append((name, types[kind]))
    corners = np.frombuffer(rest, np.dtype(fields), count)
    return np.column_stack([corners[axis] for axis in "xyz"]).astype(float)


# As scanners store them: slices follow one another along the normal, so left-handed ones do not occur.
RIGHT_HANDED = [a for a in map(orientation_affine, ORIENTATIONS) if np.linalg.det(a) > 0]


@pytest.mark.parametrize("frames", [False, True], ids=["single", "multi-frame"])
@pytest.mark.parametrize(
    "affine",
    [
        *RIGHT_HANDED,
        oblique((12, -20, 33), (0.9, 0.9, 5.0)),
        oblique((80, 15, -60), (0.9, 1.1, 3.0)),
    ],
    ids=range(len(RIGHT_HANDED) + 2),
)
def test_dicom_exams(tmp_path: Path, affine: np.ndarray, frames: bool) -> None:
    import highdicom

    case = example(tmp_path / "exam", affine, SHAPE, frames=frames)
    rating = octants(case)
    meant = marked_mm(case, rating)
    path = tmp_path / "m.dcm"
    write(case, rating, "dicom-seg", path)
    found: set[tuple[int, float, float, float]] = set()
    segmentation = highdicom.seg.segread(path)
    numbers = {label.name: label.value for label in rating.scheme.labels}
    for segment in segmentation.segment_numbers:
        volume = segmentation.get_volume(segment_numbers=[segment], combine_segments=True, relabel=True)
        number = numbers[segmentation.get_segment_description(segment).segment_label]
        found |= {
            (number, *place)
            for _, *place in listed(np.asarray(volume.array), LPS @ np.asarray(volume.affine))
        }
    assert found == meant
    back, why = read_rating(case, path)
    np.testing.assert_array_equal(back.label_map.array, rating.label_map.array)
    assert (back.rater, back.kind, why.code) == ("Dr. Who", rating.kind, "scheme_by_segments")
    for key, name in (("nifti", "m.nii.gz"), ("nrrd", "m.seg.nrrd")):
        write(case, rating, key, tmp_path / name)
        assert by_sitk(tmp_path / name) == meant


@pytest.mark.parametrize("affine", AFFINES, ids=range(len(AFFINES)))
def test_bids(tmp_path: Path, affine: np.ndarray) -> None:
    case = nifti_case(tmp_path / "in", affine)
    rating = octants(case)
    for name in ("Dr. Who", "Second"):
        rating.rater = name
        write(case, rating, "bids", tmp_path / "set")
    root = tmp_path / "set" / "derivatives" / "brainseg"
    told = json.loads((root / "dataset_description.json").read_text())
    assert (told["DatasetType"], told["GeneratedBy"][0]["Name"]) == ("derivative", "BrainSeg Desktop")
    stem = "sub-Exam_desc-DrWho_dseg"
    names = [p.name for p in sorted((root / "sub-Exam" / "anat").iterdir())]
    assert names[:3] == [stem + ".json", stem + ".nii.gz", stem + ".tsv"]
    assert len(names) == 6
    image = nibabel.load(root / "sub-Exam" / "anat" / (stem + ".nii.gz"))
    assert listed(np.asanyarray(image.dataobj), image.affine) == marked_mm(case, rating)
    table = (root / "sub-Exam" / "anat" / (stem + ".tsv")).read_text().splitlines()
    rows = list(csv.DictReader(table, delimiter="\t"))
    assert [(r["index"], r["name"]) for r in rows][-1] == ("4", "Enhancing")


@pytest.mark.parametrize("orientation", range(48))
def test_overlays_show_every_marked_slice(tmp_path: Path, orientation: int) -> None:
    # 40 x 40 x 6 voxels as the program holds them, stored in any way.
    affine = orientation_affine(ORIENTATIONS[orientation])
    axes = np.abs(affine[:3, :3]).argmax(axis=0)
    case = nifti_case(tmp_path / "in", affine, tuple(int((40, 40, 6)[a]) for a in axes))
    rating = octants(case)
    with rating.history.edit("x") as stroke:
        from brainseg_desktop.core.geometry import Box

        box = Box((4, 4, 2), (14, 14, 3))
        stroke.paint(box, np.ones(box.shape, bool), Tissue.ENHANCING)
    written = write(case, rating, "png", tmp_path / "series")
    slices = np.flatnonzero(rating.label_map.array.any(axis=(0, 1)))
    assert [p.name for p in written.files] == [f"Exam_axial-{k + 1:03d}.png" for k in slices]
    picture = np.asarray(Image.open(tmp_path / "series" / "Exam_axial-003.png"))
    below = picture[picture.shape[0] // 2 :].astype(int)
    yellow = np.argwhere((below[..., 0] > below[..., 2] + 60) & (below[..., 1] > below[..., 2] + 60))
    rows, columns = yellow.mean(axis=0) / (below.shape[0], below.shape[1])
    assert rows > 0.55  # low in A: towards the back, which is down
    assert columns > 0.55  # low in R: the patient's left, which is on the right
    single = write(case, rating, "png", tmp_path / "one.png")
    assert single.files == (tmp_path / "one.png",)


def test_labels_and_numbers_that_go_in(tmp_path: Path) -> None:
    case = nifti_case(tmp_path / "in", AFFINES[3])
    rating = octants(case)
    write(case, rating, "nifti", tmp_path / "m.nii", scheme=scheme_named("brats2023"), wide=True,
          tissues=[Tissue.ENHANCING])  # fmt: skip
    image = nibabel.load(tmp_path / "m.nii")
    assert image.get_data_dtype() == np.int16
    assert np.unique(np.asanyarray(image.dataobj)).tolist() == [0, 3]
    assert np.count_nonzero(WT.mask(rating.label_map.array)) == 8  # the rating itself is not touched


def test_every_form_says_what_it_writes() -> None:
    assert len({form.key for form in FORMS}) == 11
    for form in FORMS:
        assert form.says
        assert form.suffixes or form.folder
