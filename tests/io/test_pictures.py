"""TIFF stacks and folders of slices: sides, spacing, order, and what is refused."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.volume import ImageChoice, Sequence
from brainseg_desktop.io import pictures, tiff
from brainseg_desktop.io.layouts import CaseKind, find_case
from brainseg_desktop.io.nifti import read_volume as read_nifti
from brainseg_desktop.services.opening import read_case

STACK = np.arange(6 * 5 * 4, dtype=np.uint8).reshape(6, 5, 4)  # slice, row, column


def refused(path, choice=None):
    with pytest.raises(UserError) as caught:
        pictures.read_volume(path, choice=choice)
    return caught.value.code


def save_slices(folder, stack=STACK, name="im_{}.png", first=1, step=1):
    folder.mkdir(parents=True, exist_ok=True)
    for i, picture in enumerate(stack):
        path = folder / name.format(first + i * step)
        tifffile.imwrite(path, picture) if path.suffix == ".tif" else Image.fromarray(picture).save(path)
    return folder


def test_a_marked_pixel_lies_on_the_side_that_is_said(tmp_path):
    """First slice lowest, first row in front, first column on the patient's right."""
    marked = np.zeros((6, 5, 4), np.uint16)
    marked[0, 0, 0], marked[5, 4, 3] = 900, 901
    tifffile.imwrite(tmp_path / "a.tif", marked, photometric="minisblack")
    volume = pictures.read_volume(tmp_path / "a.tif", choice=ImageChoice(spacing_mm=(0.5, 0.75, 4)))
    assert volume.data[3, 4, 0] == 900  # right, front, low
    assert volume.data[0, 0, 5] == 901
    assert volume.grid.spacing_mm == (0.5, 0.75, 4)
    assert volume.grid.axis_codes == ("R", "A", "S")


@pytest.mark.parametrize(
    "options", [{}, {"compression": "zlib"}, {"bigtiff": True}, {"imagej": True}, {"byteorder": ">"}]
)
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_stacks(tmp_path, options, dtype):
    tifffile.imwrite(tmp_path / "a.tif", STACK.astype(dtype), photometric="minisblack", **options)
    notes = []
    volume = pictures.read_volume(tmp_path / "a.tif", Sequence.T1, notes)
    np.testing.assert_array_equal(volume.data, STACK.transpose(2, 1, 0)[::-1, ::-1])
    assert not volume.grid.spacing_known
    assert [n.code for n in notes] == ["picture_axes", "spacing_not_given"]


@pytest.mark.parametrize("name", ["im_{}.png", "{:03}.tif", "IMG-{:04}-x.png"])
@pytest.mark.parametrize("step", [1, 2])
def test_slices_are_ordered_by_number(tmp_path, name, step):
    folder = save_slices(tmp_path / "s", np.tile(STACK, (2, 1, 1)), name, first=5, step=step)
    volume = pictures.read_volume(folder)
    np.testing.assert_array_equal(volume.data[..., :6], STACK.transpose(2, 1, 0)[::-1, ::-1])
    assert volume.data.shape == (4, 5, 12)


def test_colour(tmp_path):
    grey = save_slices(tmp_path / "grey", np.stack([STACK] * 3, axis=-1))
    np.testing.assert_array_equal(pictures.read_volume(grey).data, STACK.transpose(2, 1, 0)[::-1, ::-1])
    tinted = np.stack([STACK, STACK, 255 - STACK], axis=-1)
    assert refused(save_slices(tmp_path / "tinted", tinted)) == "image_not_grey"
    tifffile.imwrite(tmp_path / "c.tif", tinted, photometric="rgb")
    assert refused(tmp_path / "c.tif") == "image_not_grey"


def test_refusals(tmp_path):
    folder = save_slices(tmp_path / "gap")
    (folder / "im_3.png").unlink()
    assert refused(folder) == "slice_missing"
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(folder / "im_3.png")
    assert refused(folder) == "slice_shape"
    (folder / "im_3.png").write_bytes(b"no picture")
    assert refused(folder) == "slice_unreadable"
    (tmp_path / "empty").mkdir()
    assert refused(tmp_path / "empty") == "case_not_found"
    (tmp_path / "a.tif").write_bytes(b"II*\0")
    assert refused(tmp_path / "a.tif") == "slice_unreadable"
    tifffile.imwrite(tmp_path / "b.tif", STACK)
    for spacing in ((0, 1, 1), (1, float("nan"), 1), (1, 1, 1e9)):
        assert refused(tmp_path / "b.tif", ImageChoice(spacing_mm=spacing)) == "spacing_impossible"


def test_a_case_of_stacks_and_a_mask(tmp_path):
    folder = tmp_path / "brats_2013_pat0009_1"
    folder.mkdir()
    for name in ("flair", "t1ce"):
        tifffile.imwrite(folder / f"{name}.tif", STACK, photometric="minisblack")
    seg = np.zeros_like(STACK)
    seg[0, 0, 0] = 4
    tifffile.imwrite(folder / "seg.tif", seg, photometric="minisblack")
    files = find_case(folder)
    assert files.kind is CaseKind.PICTURES
    opened = read_case(files.with_choice(ImageChoice(spacing_mm=(1, 1, 2))))
    assert set(opened.case.volumes) == {Sequence.FLAIR, Sequence.T1CE}
    assert opened.case.grid.spacing_known
    (rating,) = opened.case.ratings
    assert rating.scheme.name == "brats2015"
    assert np.argwhere(rating.label_map.array).tolist() == [[3, 4, 0]]
    assert [n.code for n in opened.notes].count("picture_axes") == 1


def test_folders_of_slices_named_as_sequences(tmp_path):
    for name in ("T1", "FLAIR", "other"):
        save_slices(tmp_path / "case" / name)
    files = find_case(tmp_path / "case")
    assert {s: p.name for s, p in files.images.items()} == {Sequence.T1: "T1", Sequence.FLAIR: "FLAIR"}
    np.testing.assert_array_equal(
        read_case(files).case.volumes[Sequence.T1].data, STACK.transpose(2, 1, 0)[::-1, ::-1]
    )
    lone = find_case(save_slices(tmp_path / "series"))
    assert (lone.images, [p.name for p in lone.unassigned]) == ({}, ["series"])
    assert find_case(tmp_path / "series" / "im_2.png").notes[-1].code == "whole_folder_taken"


def test_a_picture_mask_goes_out_as_nifti_in_its_own_order(tmp_path):
    import nibabel

    from brainseg_desktop.io.nifti import write_mask
    from brainseg_desktop.io.schemes import scheme_named

    tifffile.imwrite(tmp_path / "flair.tif", STACK, photometric="minisblack")
    volume = pictures.read_volume(tmp_path / "flair.tif", choice=ImageChoice(spacing_mm=(0.5, 0.75, 4)))
    tissues = np.zeros(volume.grid.shape, np.uint8)
    tissues[3, 4, 0] = 1
    write_mask(tmp_path / "m.nii.gz", tissues, scheme_named("brats2021"), volume)
    written = nibabel.load(tmp_path / "m.nii.gz")
    assert np.asarray(written.dataobj)[0, 0, 0] == 1
    assert nibabel.aff2axcodes(written.affine) == ("L", "P", "S")
    assert read_nifti(tmp_path / "m.nii.gz").grid.mismatch(volume.grid) is None


def test_a_tiff_with_parts_without_end_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", STACK[0], rowsperstrip=1)
    raw = bytearray((tmp_path / "a.tif").read_bytes())
    place = raw.index((257).to_bytes(2, "little"))  # ImageLength
    raw[place + 2 : place + 12] = b"\4\0\1\0\0\0" + (5_000_000).to_bytes(4, "little")
    (tmp_path / "a.tif").write_bytes(raw)
    assert refused(tmp_path / "a.tif") == "slice_unreadable"
    with pytest.raises(ValueError, match="parts"), tifffile.TiffFile(tmp_path / "a.tif") as file:
        tiff.check_parts(file)
