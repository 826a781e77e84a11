"""Our reading of headers against nibabel's."""

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nibabel.nifti1 import Nifti1Header, Nifti1PairHeader
from nibabel.nifti2 import Nifti2Header, Nifti2PairHeader

from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.io.nifti_header import mask_header, read_header

KINDS = [Nifti1Header, Nifti2Header, Nifti1PairHeader, Nifti2PairHeader]
numbers = st.floats(-5, 5, width=32)


@settings(max_examples=300, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    order=st.sampled_from("<>"),
    shape=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    codes=st.tuples(st.integers(-1, 7), st.integers(-1, 7)),
    quaternion=st.tuples(*[st.floats(-0.5625, 0.5625, width=32)] * 3),
    qfac=st.sampled_from([-1, 1, 0]),
    pixdim=st.tuples(*[st.sampled_from([0.5, 1, 2.5, -1, 0])] * 3),
    offsets=st.tuples(*[numbers] * 3),
    rows=st.lists(numbers, min_size=12, max_size=12),
    dtype=st.sampled_from(["u1", "i2", "i4", "f4", "f8", "u2"]),
)
def test_as_nibabel(kind, order, shape, codes, quaternion, qfac, pixdim, offsets, rows, dtype):
    header = kind(endianness=order)
    header.set_data_dtype(dtype)
    header.set_data_shape(shape)
    header["pixdim"][:4] = (qfac, *pixdim)
    header["qform_code"], header["sform_code"] = codes
    header["quatern_b"], header["quatern_c"], header["quatern_d"] = quaternion
    header["qoffset_x"], header["qoffset_y"], header["qoffset_z"] = offsets
    for i, name in enumerate(("srow_x", "srow_y", "srow_z")):
        header[name] = rows[4 * i : 4 * i + 4]
    raw = header.binaryblock
    ours = read_header(raw)
    theirs = kind(raw, endianness=order, check=False)
    theirs.check_fix(logger=None, error_level=50)  # what nibabel mends on loading
    assert (ours.shape, ours.dtype, ours.is_single) == (
        tuple(shape),
        theirs.get_data_dtype(),
        theirs.is_single,
    )
    np.testing.assert_allclose(ours.affine, theirs.get_best_affine(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("slope", "inter", "expected"),
    [
        (0, 3, None),
        (np.nan, 0, None),
        (np.inf, 0, None),
        (1, 0, None),
        (1, 2, (1, 2)),
        (0.5, np.nan, (0.5, 0)),
        (-2, 0, (-2, 0)),
    ],
)
def test_scaling(slope, inter, expected):
    header = nibabel.Nifti1Header()
    header["scl_slope"], header["scl_inter"] = slope, inter
    assert read_header(header.binaryblock).scaling == expected


def test_what_is_no_header():
    raw = nibabel.Nifti1Header().binaryblock
    assert read_header(b"") is None
    assert read_header(b"hello" * 100) is None
    assert read_header(raw[:344] + b"\0\0\0\0") is None  # Analyze
    with pytest.raises(EOFError):
        read_header(raw[:200])


@pytest.mark.parametrize("known", [True, False])
def test_a_header_of_our_own(known):
    affine = np.array([[0, -2.0, 0, 5], [-1, 0, 0, 7], [0, 0, 3, -4], [0, 0, 0, 1]])
    grid = Grid((4, 5, 6), np.eye(4), spacing_known=known)
    raw = mask_header(None, (4, 5, 6), grid, affine)
    header = nibabel.Nifti1Header(raw[:348])
    np.testing.assert_array_equal(header.get_best_affine(), affine)
    assert header.get_zooms() == (1, 2, 3)
    assert header.get_xyzt_units()[0] == ("mm" if known else "unknown")
    assert header.get_data_shape() == (4, 5, 6)
    assert header.get_data_offset() == len(raw)
