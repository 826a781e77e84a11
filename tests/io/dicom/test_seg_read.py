"""Segmentation objects of other programs, and what is refused of them."""

from __future__ import annotations

from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom.sr.codedict import codes

from brainseg_desktop.core.case import Case
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.core.volume import to_canonical
from brainseg_desktop.io.dicom.seg_read import read_seg
from brainseg_desktop.io.schemes import scheme_named
from brainseg_desktop.services.mask_files import compare_files
from brainseg_desktop.services.opening import load_mask, on_one_grid, read_rating
from tests.dicom_example import example, oblique

SHAPE = (9, 8, 7)


@pytest.fixture
def exam(tmp_path: Path) -> Case:
    return example(tmp_path / "exam", oblique((8, -14, 21), (0.9, 1.1, 4.0)), SHAPE)


def foreign(
    exam: Case,
    path: Path,
    frames: np.ndarray,
    names: list[str],
    kind: str = "BINARY",
    code: pydicom.sr.coding.Code = codes.SCT.Tissue,
) -> Path:
    """An object as another program writes it; ``frames`` is (slice, row, column, segment)."""
    header = next(iter(exam.volumes.values())).source.header
    highdicom.seg.Segmentation(
        source_images=[pydicom.dcmread(f) for f in header.files],
        pixel_array=frames,
        segmentation_type=kind,
        segment_descriptions=[
            highdicom.seg.SegmentDescription(
                n, name, codes.SCT.MorphologicallyAbnormalStructure, code, "MANUAL"
            )
            for n, name in enumerate(names, 1)
        ],
        series_instance_uid=highdicom.UID(),
        series_number=9,
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer="Other",
        manufacturer_model_name="Other",
        software_versions="1",
        device_serial_number="1",
    ).save_as(path)
    return path


def frames_of(*voxels: tuple[int, int, int, int], segments: int) -> np.ndarray:
    """Marked (slice, row, column, segment) in an empty array."""
    frames = np.zeros((SHAPE[2], SHAPE[1], SHAPE[0], segments), np.uint8)
    for voxel in voxels:
        frames[voxel] = 1
    return frames


def stored(exam: Case, frames: np.ndarray, tissues: list[Tissue]) -> np.ndarray:
    labels = np.zeros(SHAPE, np.uint8)
    for number, tissue in enumerate(tissues):
        labels[frames[..., number].transpose(2, 1, 0) > 0] = tissue
    return to_canonical(labels, next(iter(exam.volumes.values())).source.native_axes)


def test_names_tell_where_codes_do_not(exam: Case, tmp_path: Path) -> None:
    # Only every third slice is marked: the frames between are not in the file.
    frames = frames_of((0, 1, 2, 0), (3, 4, 5, 1), (6, 7, 8, 2), (6, 0, 0, 2), segments=3)
    path = foreign(exam, tmp_path / "m.dcm", frames, ["NCR", "Peritumoral edema", "Enhancing tumor"])
    rating, why = read_rating(exam, path)
    tissues = [Tissue.NECROSIS, Tissue.OEDEMA, Tissue.ENHANCING]
    np.testing.assert_array_equal(rating.label_map.array, stored(exam, frames, tissues))
    assert why.code == "scheme_by_segments"


def test_what_is_not_told_is_asked(exam: Case, tmp_path: Path) -> None:
    frames = frames_of((1, 1, 2, 0), (2, 4, 5, 1), (2, 4, 6, 2), segments=3)
    path = foreign(exam, tmp_path / "m.dcm", frames, ["Segment 1", "Segment 2", "Segment 3"])
    with pytest.raises(UserError) as caught:
        read_rating(exam, path)
    assert caught.value.code == "scheme_ambiguous"
    assert {"brats2023", "brats2015"} <= set(caught.value.params["candidates"])
    rating, _ = read_rating(exam, path, scheme_named("brats2023"))
    tissues = [Tissue.NECROSIS, Tissue.OEDEMA, Tissue.ENHANCING]
    np.testing.assert_array_equal(rating.label_map.array, stored(exam, frames, tissues))
    with pytest.raises(UserError, match="label_outside_scheme"):
        read_rating(exam, path, scheme_named("lgg"))


def test_fractions_count_from_one_half(exam: Case, tmp_path: Path) -> None:
    frames = np.zeros((SHAPE[2], SHAPE[1], SHAPE[0], 1))
    frames[2, 3, 4], frames[2, 3, 5], frames[2, 3, 6] = 1.0, 0.6, 0.4
    path = foreign(exam, tmp_path / "m.dcm", frames, ["Tumour"], "FRACTIONAL", codes.SCT.Neoplasm)
    rating, _ = read_rating(exam, path)
    expected = stored(exam, frames > 0.5, [Tissue.TUMOUR])
    np.testing.assert_array_equal(rating.label_map.array, expected)


def test_overlaps_are_refused_in_words(exam: Case, tmp_path: Path) -> None:
    frames = frames_of((1, 1, 2, 0), (1, 1, 2, 1), (1, 1, 3, 1), segments=2)
    path = foreign(exam, tmp_path / "m.dcm", frames, ["Oedema", "Necrosis"])
    with pytest.raises(UserError) as caught:
        read_rating(exam, path)
    assert (caught.value.code, caught.value.params["count"]) == ("segments_overlap", 1)
    twice = foreign(exam, tmp_path / "n.dcm", frames_of((1, 1, 2, 0), segments=2)[..., :1], ["Oedema"])
    assert read_seg(twice).tissues.any()


def test_a_mask_of_another_place_is_not_moved(exam: Case, tmp_path: Path) -> None:
    path = foreign(exam, tmp_path / "m.dcm", frames_of((1, 1, 2, 0), (3, 1, 2, 0), segments=1), ["Oedema"])
    shared = pydicom.dcmread(path).SharedFunctionalGroupsSequence[0]
    directions = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float)
    normal = np.cross(*directions.reshape(2, 3))
    for shift, reason in ((0.4, "position"), (400.0, "shape")):
        moved = pydicom.dcmread(path)
        for group in moved.PerFrameFunctionalGroupsSequence:
            place = group.PlanePositionSequence[0]
            place.ImagePositionPatient = [
                f"{v:.8g}" for v in np.array(place.ImagePositionPatient, float) + shift * normal
            ]
        moved.save_as(tmp_path / "moved.dcm")
        with pytest.raises(UserError) as caught:
            read_rating(exam, tmp_path / "moved.dcm")
        assert (caught.value.code, caught.value.params["reason"]) == ("mask_grid_mismatch", reason)


def test_parts_are_compared_on_one_grid(exam: Case, tmp_path: Path) -> None:
    """Two objects of one series keep different slices each: compared, they are completed."""
    first = foreign(exam, tmp_path / "a.dcm", frames_of((1, 1, 2, 0), (2, 1, 2, 0), segments=1), ["Oedema"])
    second = foreign(exam, tmp_path / "b.dcm", frames_of((2, 1, 2, 0), (5, 1, 2, 0), segments=1), ["Oedema"])
    masks = on_one_grid(load_mask(p) for p in (first, second))
    assert [int(np.count_nonzero(m.tissues)) for m in masks] == [2, 2]
    assert int(np.count_nonzero(masks[0].tissues & masks[1].tissues)) == 1
    assert compare_files(first, second).to_dict()["regions"]["WT"]["dice"]["value"] == 0.5


def test_files_that_are_no_segmentation(exam: Case, tmp_path: Path) -> None:
    image = next(iter(exam.volumes.values())).source.header.files[0]
    with pytest.raises(UserError, match="seg_unusable"):
        read_seg(image)
    path = foreign(exam, tmp_path / "m.dcm", frames_of((1, 1, 2, 0), segments=1), ["Oedema"])
    raw = path.read_bytes()
    for size in range(200, len(raw), 97):
        (tmp_path / "cut.dcm").write_bytes(raw[:size])
        with pytest.raises(UserError):
            load_mask(tmp_path / "cut.dcm")
    with pytest.raises(UserError, match="file_missing"):
        read_seg(tmp_path / "gone.dcm")


@pytest.mark.data
def test_real_objects(data_dir: Path) -> None:
    folder = data_dir / "dicom"
    scheme = scheme_named("lgg")
    for name in ("binary", "binary_fractional", "binary_single_frame"):
        path = folder / f"seg_image_ct_{name}.dcm"
        with pytest.raises(UserError, match="scheme_ambiguous"):
            load_mask(path)
        mask = load_mask(path, scheme)
        pixels = pydicom.dcmread(path).pixel_array.astype(int)
        assert np.count_nonzero(mask.tissues) == np.count_nonzero(pixels * 2 >= pixels.max())
    with pytest.raises(UserError, match="segments_overlap"):
        load_mask(folder / "seg_image_ct_binary_overlap.dcm", scheme)
