"""NIfTI in and out: every orientation, every odd file, every kind of damage."""

import gzip
import hashlib
import itertools
import os
import tracemalloc
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.volume import ImageChoice, Sequence
from brainseg_desktop.io import nifti
from brainseg_desktop.io.schemes import scheme_named

DATA = Path(os.environ.get("BRAINSEG_DATA", Path(__file__).parents[3] / "shared" / "data"))
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"no real cases at {DATA}")
ORIENTATIONS = [
    (order, signs)
    for order in itertools.permutations(range(3))
    for signs in itertools.product((1, -1), repeat=3)
]


def oriented_affine(order, signs, spacing=(1.0, 2.0, 3.0), tilt=0.0):
    """Stored axis i runs along world axis order[i] in direction signs[i]."""
    affine = np.eye(4)
    affine[:3, :3] = 0
    for stored, (world, sign) in enumerate(zip(order, signs, strict=True)):
        affine[world, stored] = sign * spacing[stored]
    turn = np.eye(3)
    turn[1:, 1:] = [[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]]
    affine[:3, :3] = turn @ affine[:3, :3]
    affine[:3, 3] = (-11.0, 7.5, 3.0)
    return affine


def save(path, data, affine=None, kind=nibabel.Nifti1Image, **fields):
    image = kind(data, np.eye(4) if affine is None else affine)
    for name, value in fields.items():
        image.header[name] = value
    nibabel.save(image, path)
    return path


def code_of(path, read=nifti.read_volume):
    with pytest.raises(UserError) as caught:
        read(path)
    assert Path(str(caught.value.params["path"])) == path
    return caught.value.code


@settings(max_examples=60, deadline=None)
@given(
    orientation=st.sampled_from(ORIENTATIONS),
    shape=st.tuples(*[st.integers(1, 6)] * 3),
    tilt=st.floats(-0.6, 0.6),
    seed=st.integers(0, 2**32 - 1),
    suffix=st.sampled_from([".nii", ".nii.gz"]),
    kind=st.sampled_from([nibabel.Nifti1Image, nibabel.Nifti2Image]),
)
def test_canonical_as_nibabel_and_masks_go_back_voxel_for_voxel(
    tmp_path_factory, orientation, shape, tilt, seed, suffix, kind
):
    folder = tmp_path_factory.mktemp("n")
    random = np.random.default_rng(seed)
    affine = oriented_affine(*orientation, tilt=tilt)
    path = save(folder / f"x{suffix}", random.integers(-500, 900, shape).astype(np.int16), affine, kind)
    image = nibabel.load(path)
    volume = nifti.read_volume(path)
    canonical = nibabel.as_closest_canonical(image)
    assert volume.data.dtype == np.int16
    np.testing.assert_array_equal(volume.data, np.asanyarray(canonical.dataobj))
    np.testing.assert_allclose(volume.grid.voxel_to_world, canonical.affine, atol=1e-6)

    scheme = scheme_named("brats2021")
    numbers = random.choice(np.array([0, 1, 2, 4], np.uint8), shape)
    mask_path = save(folder / f"m{suffix}", numbers, affine, kind)
    mask = nifti.read_mask(mask_path, scheme)
    out = folder / f"out{suffix}"
    nifti.write_mask(out, mask.tissues, scheme, volume)
    written = nibabel.load(out)
    np.testing.assert_array_equal(np.asanyarray(written.dataobj), numbers)
    np.testing.assert_array_equal(written.affine, image.affine)
    assert written.get_data_dtype() == np.uint8
    assert type(written) is kind
    np.testing.assert_array_equal(nifti.read_mask(out, scheme).tissues, mask.tissues)
    np.testing.assert_array_equal(scheme.encode(mask.tissues)[mask.tissues == 3], 4)


def test_header_of_the_image_is_kept(tmp_path):
    path = tmp_path / "x.nii.gz"
    image = nibabel.Nifti1Image(np.zeros((3, 4, 5), np.int16), oriented_affine((0, 1, 2), (-1, -1, 1)))
    image.header.set_xyzt_units("mm", "sec")
    image.header["descrip"] = b"scanner text"
    image.header["cal_max"] = 900
    image.header["scl_slope"], image.header["scl_inter"] = 2.0, 5.0
    image.set_sform(image.affine, code=4)
    image.set_qform(oriented_affine((0, 1, 2), (-1, -1, 1)), code=2)
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"name of a patient"))
    nibabel.save(image, path)
    out = tmp_path / "mask.nii.gz"
    nifti.write_mask(out, np.zeros((3, 4, 5), np.uint8), scheme_named("brats2021"), nifti.read_volume(path))
    header = nibabel.load(out).header
    assert (int(header["sform_code"]), int(header["qform_code"])) == (4, 2)
    assert header["descrip"].item() == b"scanner text"
    assert header.get_xyzt_units() == ("mm", "sec")
    assert float(header["cal_max"]) == 0
    raw = nibabel.Nifti1Header(gzip.decompress(out.read_bytes())[:348])
    assert raw.get_slope_inter() == (1.0, 0.0)
    assert not header.extensions
    assert b"name of a patient" not in gzip.decompress(out.read_bytes())


def test_equal_masks_give_equal_bytes(tmp_path):
    volume = nifti.read_volume(save(tmp_path / "x.nii", np.zeros((3, 4, 5), np.int16)))
    tissues = np.ones((3, 4, 5), np.uint8)
    for name in ("a.nii.gz", "b.nii.gz"):
        nifti.write_mask(tmp_path / name, tissues, scheme_named("brats2021"), volume)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_source_tells_the_bytes_and_the_sequence(tmp_path):
    path = save(tmp_path / "x.nii.gz", np.zeros((3, 4, 5), np.int16))
    volume = nifti.read_volume(path, Sequence.T2)
    assert volume.sequence is Sequence.T2
    assert volume.source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert volume.source.native_shape == (3, 4, 5)


@pytest.mark.parametrize("offset", [352, 0, 416])
def test_scaled_integers_are_scaled(tmp_path, offset):
    stored = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    image = nibabel.Nifti1Image(stored, np.eye(4))
    image.header.set_slope_inter(0.5, -3.0)
    image.header.set_data_offset(offset)
    raw = image.header.binaryblock.ljust(offset or 352, b"\0") + stored.tobytes(order="F")
    path = tmp_path / "x.nii"
    path.write_bytes(raw)
    volume = nifti.read_volume(path)
    assert volume.data.dtype == np.float32
    np.testing.assert_allclose(volume.data, stored * 0.5 - 3.0)


@pytest.mark.parametrize("extra", [(1,), (1, 1)])
def test_trailing_single_axes_are_no_fourth_dimension(tmp_path, extra):
    path = save(tmp_path / "x.nii", np.zeros((3, 4, 5, *extra), np.int16))
    assert nifti.read_volume(path).data.shape == (3, 4, 5)


def test_one_slice(tmp_path):
    path = save(tmp_path / "x.nii.gz", np.arange(12, dtype=np.int16).reshape(3, 4, 1))
    assert nifti.read_volume(path).data.shape == (3, 4, 1)


def test_voxels_that_are_not_finite_become_background_and_are_told(tmp_path):
    data = np.zeros((6, 6, 6), np.float32)
    data[2:4, 2:4, 2:4] = 5
    data[3, 3, 3], data[0, 0, 0] = np.nan, np.inf
    notes: list[UserError] = []
    volume = nifti.read_volume(save(tmp_path / "x.nii.gz", data), notes=notes)
    assert [(n.code, n.params["count"]) for n in notes] == [("image_not_finite", 2)]
    assert volume.data[3, 3, 3] == 0
    assert volume.data[0, 0, 0] == 0
    assert volume.data[2, 2, 2] == 5


def test_big_endian_is_turned(tmp_path):
    path = tmp_path / "x.nii"
    header = nibabel.Nifti1Header(endianness=">")
    header.set_data_dtype(">i2")
    nibabel.save(nibabel.Nifti1Image(np.arange(24).reshape(2, 3, 4).astype(">i2"), np.eye(4), header), path)
    volume = nifti.read_volume(path)
    assert volume.data.dtype.isnative
    assert volume.data.ravel().tolist() == list(range(24))
    out = tmp_path / "m.nii"
    nifti.write_mask(out, np.ones((2, 3, 4), np.uint8), scheme_named("brats2021"), volume)
    assert np.asanyarray(nibabel.load(out).dataobj).min() == 1


def test_pair_of_files(tmp_path):
    data = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    nibabel.save(nibabel.Nifti1Pair(data, np.eye(4)), tmp_path / "x.hdr")
    volume = nifti.read_volume(tmp_path / "x.hdr")
    np.testing.assert_array_equal(volume.data, data)
    nifti.write_mask(tmp_path / "m.nii", np.ones((2, 3, 4), np.uint8), scheme_named("brats2021"), volume)
    assert nifti.read_mask(tmp_path / "m.nii", scheme_named("brats2021")).tissues.min() == 1
    (tmp_path / "x.img").unlink()
    assert code_of(tmp_path / "x.hdr") == "image_part_missing"


def test_several_gzip_members_and_padding(tmp_path):
    path = save(tmp_path / "x.nii", np.arange(4096, dtype=np.int16).reshape(16, 16, 16))
    raw = path.read_bytes()
    half = len(raw) // 2
    packed = tmp_path / "x.nii.gz"
    for content in (
        gzip.compress(raw[:half]) + gzip.compress(raw[half:]),
        gzip.compress(raw) + b"\0" * 512,
    ):
        packed.write_bytes(content)
        np.testing.assert_array_equal(nifti.read_volume(packed).data, nifti.read_volume(path).data)


@pytest.mark.parametrize("kept", [0.02, 0.3, 0.9, 0.999])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_truncated(tmp_path, kept, suffix):
    random = np.random.default_rng(0).integers(0, 900, (24, 24, 24)).astype(np.int16)
    path = save(tmp_path / f"x{suffix}", random)
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * kept)])
    assert code_of(path) == "file_truncated"


def test_damaged_inside(tmp_path):
    path = save(tmp_path / "x.nii.gz", np.random.default_rng(0).integers(0, 900, (20, 20, 20)).astype("i2"))
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 0x55
    path.write_bytes(raw)
    assert code_of(path) == "file_truncated"


def test_refusals(tmp_path):
    assert code_of(tmp_path / "none.nii") == "file_missing"
    assert code_of(tmp_path) == "not_nifti"
    text = tmp_path / "text.nii.gz"
    text.write_bytes(b"hello" * 200)
    assert code_of(text) == "not_nifti"
    text.write_bytes(gzip.compress(b"hello" * 200))
    assert code_of(text) == "not_nifti"
    text.write_bytes(b"")
    assert code_of(text) == "file_truncated"
    assert code_of(save(tmp_path / "4d.nii", np.zeros((3, 3, 3, 2), np.int16))) == "image_4d"
    assert code_of(save(tmp_path / "complex.nii", np.zeros((3, 3, 3), np.complex64))) == "image_not_grey"
    rgb = np.zeros((3, 3, 3), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    assert code_of(save(tmp_path / "rgb.nii", rgb)) == "image_not_grey"
    header = nibabel.Nifti1Header()
    header.set_data_shape((0, 3, 3))
    (tmp_path / "empty.nii").write_bytes(header.binaryblock + b"\0" * 400)
    assert code_of(tmp_path / "empty.nii") == "image_empty"


def test_singular_affine(tmp_path):
    header = nibabel.Nifti1Header()
    header.set_data_shape((2, 2, 2))
    header.set_data_dtype(np.uint8)
    header["sform_code"] = 1  # with rows of zeros
    path = tmp_path / "x.nii"
    path.write_bytes(header.binaryblock + b"\0" * 100)
    assert code_of(path) == "bad_affine"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root reads everything")
def test_file_without_permission(tmp_path):
    path = save(tmp_path / "x.nii", np.zeros((2, 2, 2), np.int16))
    path.chmod(0)
    assert code_of(path) == "file_unreadable"


def test_float_masks(tmp_path):
    numbers = np.zeros((4, 4, 4), np.float32)
    numbers[1], numbers[2] = 1, 3.0000002
    mask = nifti.read_mask(save(tmp_path / "m.nii.gz", numbers))
    assert mask.scheme.name == "brats2023"
    assert np.unique(mask.tissues).tolist() == [0, 1, 3]
    numbers[3, 3, 3] = 0.5
    assert code_of(save(tmp_path / "m.nii.gz", numbers), nifti.read_mask) == "label_not_whole"
    numbers[3, 3, 3] = np.nan
    assert code_of(save(tmp_path / "m.nii.gz", numbers), nifti.read_mask) == "mask_not_finite"
    assert code_of(save(tmp_path / "m.nii", np.full((2, 2, 2), 9, np.uint8)), nifti.read_mask) == (
        "label_outside_scheme"
    )


def test_binary_mask_of_a_picture_program(tmp_path):
    numbers = np.zeros((4, 4, 4), np.uint8)
    numbers[1] = 255
    mask = nifti.read_mask(save(tmp_path / "m.nii.gz", numbers), scheme_named("lgg"))
    assert np.unique(mask.tissues).tolist() == [0, 6]


def test_sform_goes_before_qform_and_a_difference_is_told(tmp_path):
    image = nibabel.Nifti1Image(np.zeros((3, 4, 5), np.int16), np.eye(4))
    image.set_sform(np.diag([2.0, 2.0, 2.0, 1.0]), code=1)
    image.set_qform(np.diag([-2.0, -2.0, 2.0, 1.0]), code=1)
    nibabel.save(image, tmp_path / "x.nii")
    notes: list[UserError] = []
    volume = nifti.read_volume(tmp_path / "x.nii", notes=notes)
    assert volume.grid.axis_codes == ("R", "A", "S")
    np.testing.assert_allclose(volume.grid.voxel_to_world, np.diag([2.0, 2.0, 2.0, 1.0]))
    assert [(n.code, n.params["apart_mm"]) for n in notes] == [("sform_against_qform", pytest.approx(12.0))]


@pytest.mark.parametrize(("unit", "factor"), [("meter", 1000.0), ("micron", 0.001), ("mm", 1.0)])
@pytest.mark.parametrize("code", ["sform", "qform"])
def test_lengths_become_millimetres(tmp_path, unit, factor, code):
    affine = np.diag([1 / factor, 2 / factor, 3 / factor, 1.0])
    image = nibabel.Nifti1Image(np.zeros((3, 4, 5), np.int16), None)
    (image.set_sform if code == "sform" else image.set_qform)(affine, code=1)
    image.header.set_xyzt_units(unit)
    nibabel.save(image, tmp_path / "x.nii")
    notes: list[UserError] = []
    volume = nifti.read_volume(tmp_path / "x.nii", notes=notes)
    assert volume.grid.spacing_mm == pytest.approx((1, 2, 3))
    assert [n.code for n in notes] == ([] if unit == "mm" else ["units_converted"])
    write = tmp_path / "m.nii.gz"
    nifti.write_mask(write, np.zeros((3, 4, 5), np.uint8), scheme_named("brats2021"), volume)
    assert nifti.read_mask(write).grid.mismatch(volume.grid) is None


def test_a_gzip_that_grows_without_end_takes_no_memory(tmp_path):
    path = save(tmp_path / "x.nii", np.arange(60, dtype=np.int16).reshape(3, 4, 5))
    packed = tmp_path / "x.nii.gz"
    packed.write_bytes(gzip.compress(path.read_bytes() + bytes(200 << 20), 1))
    tracemalloc.start()
    volume = nifti.read_volume(packed)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(volume.data.ravel(), np.arange(60))
    assert peak < 20 << 20


@pytest.mark.data
@needs_data
def test_every_odd_file_opens_as_nibabel_and_simpleitk_do_or_says_why():
    refused = {"nifti1.hdr": "image_part_missing", "not-nifti.nii": "not_nifti"}
    several = {"5D_small.nii": 3, "example4d.nii.gz": 2, "example_nifti2.nii.gz": 2}
    for path in sorted((DATA / "geometry").iterdir()):
        if path.name in refused:
            assert code_of(path) == refused[path.name]
            continue
        if path.name in several:
            assert code_of(path) == "image_4d"
        for number in range(1, several.get(path.name, 1) + 1):
            volume = nifti.read_volume(path, choice=ImageChoice(number))
            check_like_nibabel(volume, path, number)
            # ITK reads no NIfTI-2, and takes the fifth axis for the parts of scaled vectors.
            if path.name not in ("5D_small.nii", "example_nifti2.nii.gz"):
                check_like_simpleitk(volume, path, number)


def check_like_nibabel(volume, path, number):
    image = nibabel.load(path)
    whole = np.asanyarray(image.dataobj)
    part = whole.reshape(*whole.shape[:3], -1, order="F")[..., number - 1]
    image = nibabel.as_closest_canonical(nibabel.Nifti1Image(part, image.affine))
    expected = np.asanyarray(image.dataobj)
    finite = np.isfinite(expected)
    np.testing.assert_allclose(volume.data[finite], expected[finite], rtol=1e-6)
    np.testing.assert_allclose(volume.grid.voxel_to_world, image.affine, atol=1e-5)
    assert np.isfinite(volume.data).all()


def check_like_simpleitk(volume, path, number):
    """Values and places of voxels in all octants; of NIfTI-2 ITK's qform differs by a rounding error."""
    image = sitk.ReadImage(str(path))
    values = sitk.GetArrayViewFromImage(image)  # the last axis first
    values = values.reshape(-1, *values.shape[-3:])
    origin, spacing, directions = image.GetOrigin(), image.GetSpacing(), np.array(image.GetDirection())
    n = image.GetDimension()
    matrix = directions.reshape(n, n)[:3, :3] * spacing[:3]
    shape = image.GetSize()[:3]
    for index in itertools.product(*[(k // 4, (3 * k) // 4) for k in shape]):
        world = (matrix @ index + origin[:3]) * (-1, -1, 1)
        found = volume.grid.voxel_of(world)
        np.testing.assert_allclose(volume.grid.world_of(np.rint(found)), world, atol=2e-3)
        value = float(values[(number - 1, *index[::-1])])
        if np.isfinite(value):
            assert volume.data[tuple(np.rint(found).astype(int))] == pytest.approx(value, rel=1e-6)


@pytest.mark.data
@needs_data
def test_real_mask_goes_back_voxel_for_voxel(tmp_path):
    folder = DATA / "brats" / "BraTS2021_00006"
    flair = nifti.read_volume(folder / "BraTS2021_00006_flair.nii.gz", Sequence.FLAIR)
    mask = nifti.read_mask(folder / "BraTS2021_00006_seg.nii.gz")
    assert (mask.scheme.name, mask.why.code) == ("brats2021", "scheme_by_name")
    out = tmp_path / "out.nii.gz"
    nifti.write_mask(out, mask.tissues, mask.scheme, flair)
    expected = nibabel.load(folder / "BraTS2021_00006_seg.nii.gz")
    written = nibabel.load(out)
    np.testing.assert_array_equal(np.asanyarray(written.dataobj), np.asanyarray(expected.dataobj))
    np.testing.assert_array_equal(written.affine, expected.affine)
    assert nibabel.aff2axcodes(written.affine) == ("L", "P", "S")
