"""NRRD in, against pynrrd and SimpleITK as independent readers."""

import bz2
import gzip
import itertools
from pathlib import Path

import nrrd as pynrrd
import numpy as np
import pytest
import SimpleITK as sitk

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.volume import ImageChoice
from brainseg_desktop.io import nrrd
from brainseg_desktop.io.images import is_image_name, read_image

VALUES = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
ORIENTATIONS = [
    (order, signs)
    for order in itertools.permutations(range(3))
    for signs in ((1, 1, 1), (-1, -1, 1), (1, -1, -1))
]


def write(path, data=VALUES, **fields):
    header = {"space": "left-posterior-superior", "space directions": np.diag([1.0, 2.0, 3.0])}
    header |= {"space origin": [5.0, -6.0, 7.5]} | fields
    pynrrd.write(str(path), data, {k: v for k, v in header.items() if v is not None}, index_order="F")
    return path


def refused(path, choice=None):
    with pytest.raises(UserError) as caught:
        nrrd.read_volume(path, choice=choice)
    return caught.value.code


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS)
@pytest.mark.parametrize(
    "space", ["left-posterior-superior", "right-anterior-superior", "left-anterior-superior"]
)
def test_every_voxel_lies_where_simpleitk_puts_it(tmp_path, order, signs, space):
    directions = np.zeros((3, 3))
    for axis, (world, sign) in enumerate(zip(order, signs, strict=True)):
        directions[axis, world] = sign * (1.0, 2.0, 3.0)[axis]
    turn = np.array([[1, 0, 0], [0, np.cos(0.3), -np.sin(0.3)], [0, np.sin(0.3), np.cos(0.3)]])
    path = write(tmp_path / "a.nrrd", **{"space": space, "space directions": directions @ turn.T})
    volume = nrrd.read_volume(path)
    image = sitk.ReadImage(str(path))
    assert volume.data.dtype == np.int16
    for index in itertools.product((0, 3), (0, 4), (1, 5)):
        left, back, up = image.TransformIndexToPhysicalPoint(index)
        found = np.rint(volume.grid.voxel_of((-left, -back, up))).astype(int)
        np.testing.assert_allclose(volume.grid.world_of(found), (-left, -back, up), atol=1e-4)
        assert volume.data[tuple(found)] == image.GetPixel(*index)


@pytest.mark.parametrize("encoding", ["raw", "gzip", "bzip2"])
@pytest.mark.parametrize("dtype", ["u1", ">i2", "<i4", "f4", ">f8", "u2"])
def test_encodings_and_types(tmp_path, encoding, dtype):
    path = write(tmp_path / "a.nrrd", VALUES.astype(dtype), encoding=encoding)
    data, header = pynrrd.read(str(path), index_order="F")
    volume = nrrd.read_volume(path)
    np.testing.assert_array_equal(volume.data, data[::-1, ::-1])
    assert volume.data.dtype.isnative
    assert header["encoding"] == encoding


def test_header_and_voxels_in_two_files(tmp_path):
    pynrrd.write(
        str(tmp_path / "a.nhdr"), VALUES, {"encoding": "gzip"}, detached_header=True, index_order="F"
    )
    notes = []
    volume = nrrd.read_volume(tmp_path / "a.nhdr", notes=notes)
    np.testing.assert_array_equal(volume.data, VALUES[::-1, ::-1])
    assert [n.code for n in notes] == ["position_unstated"]
    next(p for p in tmp_path.iterdir() if p.suffix != ".nhdr").unlink()
    assert refused(tmp_path / "a.nhdr") == "image_part_missing"


@pytest.mark.parametrize("named", ["../a.raw", "/etc/hostname", "LIST", "a%03d.raw 1 3 1", "C:\\a.raw"])
def test_voxels_are_not_looked_for_elsewhere(tmp_path, named):
    text = "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 2 2 2\nencoding: raw\ndata file: "
    (tmp_path / "a.nhdr").write_text(text + named + "\n")
    assert refused(tmp_path / "a.nhdr") == "not_nrrd"


@pytest.mark.parametrize("first", [True, False])
def test_a_volume_of_several(tmp_path, first):
    several = np.stack([VALUES, VALUES + 1000, VALUES + 2000], axis=0 if first else -1)
    lists = ["list", "domain", "domain", "domain"] if first else ["domain", "domain", "domain", "list"]
    nowhere = np.full((1, 3), np.nan)
    rows = [nowhere, np.eye(3)] if first else [np.eye(3), nowhere]
    path = write(tmp_path / "a.nrrd", several, **{"kinds": lists, "space directions": np.concatenate(rows)})
    assert refused(path) == "image_4d"
    assert refused(path, ImageChoice(4)) == "volume_outside"
    for number in (1, 2, 3):
        notes = []
        volume = nrrd.read_volume(path, notes=notes, choice=ImageChoice(number))
        np.testing.assert_array_equal(volume.data, VALUES[::-1, ::-1] + 1000 * (number - 1))
        assert (volume.source.volume, [n.code for n in notes]) == (number, ["volume_chosen"])


def test_colour_flat_and_unknown_spaces(tmp_path):
    colour = np.zeros((3, 4, 5, 6), np.uint8)
    nowhere = np.concatenate([np.full((1, 3), np.nan), np.eye(3)])
    kinds = ["RGB-color", "domain", "domain", "domain"]
    assert (
        refused(write(tmp_path / "c.nrrd", colour, **{"kinds": kinds, "space directions": nowhere}))
        == "image_not_grey"
    )
    flat = write(
        tmp_path / "f.nrrd", VALUES[..., 0], **{"space": None, "space directions": None, "space origin": None}
    )
    assert refused(flat) == "image_flat"
    assert refused(write(tmp_path / "s.nrrd", space="scanner-xyz")) == "nrrd_space"
    singular = write(tmp_path / "x.nrrd", **{"space directions": np.zeros((3, 3))})
    assert refused(singular) == "bad_affine"
    (tmp_path / "n.nrrd").write_bytes(b"no image")
    assert refused(tmp_path / "n.nrrd") == "not_nrrd"


def test_units_of_the_space(tmp_path):
    metres = write(
        tmp_path / "a.nrrd", **{"space directions": np.eye(3) / 1000, "space units": ["m", "m", "m"]}
    )
    assert nrrd.read_volume(metres).grid.spacing_mm == pytest.approx((1, 1, 1))


@pytest.mark.parametrize(
    ("encoding", "pack"), [("raw", bytes), ("gzip", gzip.compress), ("bzip2", bz2.compress)]
)
def test_cut_short(tmp_path, encoding, pack):
    path = write(tmp_path / "a.nrrd", encoding=encoding)
    raw = path.read_bytes()
    path.write_bytes(raw[:-30])
    assert refused(path) == "file_truncated"
    assert pack(b"") is not None


def test_a_header_that_states_too_much_takes_no_memory(tmp_path):
    path = tmp_path / "a.nrrd"
    path.write_bytes(b"NRRD0004\ntype: double\ndimension: 3\nsizes: 99999 99999 99999\nencoding: raw\n\n")
    assert refused(path) == "image_too_large"


def test_told_by_content_and_by_name(tmp_path):
    path = write(tmp_path / "a.nrrd")
    renamed = path.rename(tmp_path / "really_nrrd.nii")
    np.testing.assert_array_equal(read_image(renamed).data, VALUES[::-1, ::-1])
    assert is_image_name(Path("x_T1.NRRD"))
    assert not is_image_name(Path("x.seg.nrrd"))
