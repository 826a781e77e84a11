"""Masks with ITK-SNAP's labels, and segmentations of COCO."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.io.coco import annotation_mask, pack_counts, polygons, run_lengths, unpack_counts
from brainseg_desktop.io.itksnap import read_description
from brainseg_desktop.io.mask_files import read_any_mask

# As ITK-SNAP 4.0 writes it.
SNAP = """################################################
# ITK-SnAP Label Description File
################################################
    0     0    0    0        0  0  0    "Clear Label"
    1   255    0    0        1  1  1    "Enhancing tumor"
    2     0  255    0        1  1  1    "edema"
    3     0    0  255        1  1  1    "necrotic core"
"""


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    numbers = np.zeros((3, 3, 3), np.uint8)
    numbers[0, 0, 0], numbers[1, 1, 1], numbers[2, 2, 2] = 1, 2, 3
    path = tmp_path / "tumour.nii.gz"
    nibabel.save(nibabel.Nifti1Image(numbers, np.eye(4)), path)
    return path


def test_labels_beside_a_mask_say_what_its_numbers_are(mask: Path) -> None:
    mask.with_name("tumour.txt").write_text(SNAP)
    read = read_any_mask(mask)
    found = [int(read.tissues[i, i, i]) for i in range(3)]
    assert found == [Tissue.ENHANCING, Tissue.OEDEMA, Tissue.NECROSIS]
    assert read.why.code == "scheme_by_segments"
    assert set(read.scheme.tissues) >= set(found)


def test_labels_that_leave_doubt_do_not_count(mask: Path) -> None:
    mask.with_name("tumour.txt").write_text(SNAP.replace("edema", "Label 2"))
    assert read_any_mask(mask).why.code == "scheme_by_values"
    mask.with_name("tumour.txt").write_bytes(bytes(range(256)))
    assert read_any_mask(mask).why.code == "scheme_by_values"
    assert read_description(mask.with_name("tumour.txt")) == []
    with pytest.raises(UserError, match="file_unreadable"):
        read_description(mask.parent)


pictures = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda size: st.binary(min_size=size[0] * size[1], max_size=size[0] * size[1]).map(
        lambda raw: (np.frombuffer(raw, np.uint8) % 2 > 0).reshape(size)
    )
)


@given(pictures)
def test_coco_gives_every_mask_back(mask: np.ndarray) -> None:
    """Specks, touching corners, holes, holes in islands in holes."""
    if mask.any():
        np.testing.assert_array_equal(annotation_mask(polygons(mask), *mask.shape), mask)
    counts = run_lengths(mask)
    assert unpack_counts(pack_counts(counts)) == counts
    packed = {"size": list(mask.shape), "counts": pack_counts(counts)}
    np.testing.assert_array_equal(annotation_mask(packed, *mask.shape), mask)


def test_polygons_of_a_ring() -> None:
    mask = np.ones((5, 5), bool)
    mask[2, 2] = False
    [ring] = polygons(mask)
    # By the shoelace formula: what the hole takes away is not counted, whoever draws it.
    x, y = np.array(ring[::2]), np.array(ring[1::2])
    assert abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2 == 24
