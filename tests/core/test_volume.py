"""Volumes, their stored axes, background and grey window."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.volume import (
    Source,
    Volume,
    background_value,
    default_window,
    to_canonical,
    to_native,
)


@given(st.permutations([0, 1, 2]), st.tuples(*[st.sampled_from([1, -1])] * 3))
@settings(deadline=None)
def test_native_and_canonical_are_inverse_and_as_nibabel_has_it(order, signs):
    stored = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    affine = np.zeros((4, 4))
    affine[3, 3] = 1
    for axis in range(3):
        affine[order[axis], axis] = signs[axis]
    axes = nib.orientations.io_orientation(affine)
    # nibabel says for each stored axis where it goes; a Source says for each canonical axis where it is from.
    native_axes = tuple(
        (int(np.flatnonzero(axes[:, 0] == world)[0]), int(axes[axes[:, 0] == world, 1][0]))
        for world in range(3)
    )
    canonical = to_canonical(stored, native_axes)
    image = nib.as_closest_canonical(nib.Nifti1Image(stored.astype(np.int16), affine))
    np.testing.assert_array_equal(canonical, np.asarray(image.dataobj))
    source = Source(Path("a.nii"), "", native_shape=stored.shape, native_axes=native_axes)
    np.testing.assert_array_equal(to_native(canonical, source), stored)


def test_a_volume_is_read_only_and_fits_its_grid():
    grid = Grid((2, 3, 4), np.eye(4))
    data = np.zeros((2, 3, 4))
    volume = Volume(data, grid, Source(Path("a"), ""))
    with pytest.raises(ValueError, match="read-only"):
        volume.data[0, 0, 0] = 1
    data[0, 0, 0] = 1  # the caller's own array stays writeable
    with pytest.raises(ValueError, match="does not fit"):
        Volume(np.zeros((2, 3, 5)), grid, Source(Path("a"), ""))


def head(background, dtype=np.float32):
    rng = np.random.default_rng(0)
    data = np.full((20, 20, 20), background, dtype)
    data[4:16, 4:16, 4:16] = rng.normal(100, 10, (12, 12, 12)).astype(dtype)
    return data


@pytest.mark.parametrize("background", [0.0, -1.25, 0.1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_background_fills_the_border(background, dtype):
    assert background_value(head(background, dtype)) == pytest.approx(background)


def test_background_of_an_image_without_border_is_its_minimum():
    data = np.arange(6**3, dtype=np.int16).reshape(6, 6, 6)
    assert background_value(data) == 0.0
    assert background_value(data + np.int16(7)) == 7.0


def test_background_of_nothing_finite_is_zero():
    assert background_value(np.full((3, 3, 3), np.nan)) == 0.0
    assert default_window(np.full((3, 3, 3), np.nan)) == (0.0, 1.0)


@pytest.mark.parametrize("background", [0.0, -1.25, 0.1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_window_spans_the_head_not_the_background(background, dtype):
    data = head(background, dtype)
    inside = data[4:16, 4:16, 4:16]
    assert default_window(data) == pytest.approx(tuple(np.percentile(inside, (0.5, 99.5))), rel=1e-4)


def test_the_window_of_a_constant_image_is_not_empty():
    low, high = default_window(np.full((4, 4, 4), 3, np.int16))
    assert low < high


def test_nan_voxels_do_not_spoil_the_window():
    data = head(0.0)
    data[5, 5, 5] = np.nan
    low, high = default_window(data)
    assert 60 < low < high < 140
