from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brainseg_desktop.io.coco import annotation_mask, polygon_mask, run_mask, unpack_counts
from brainseg_desktop.training.config import SourceConfig
from brainseg_desktop.training.data.sources import find_entries

# Made with pycocotools 2.0: maskUtils.encode of the mask, maskUtils.frPyObjects of a polygon.
SMALL = np.array([[1, 0, 0, 0, 0], [0, 1, 1, 1, 0], [0, 1, 1, 1, 0], [0, 0, 0, 0, 0]], bool)
HOLE = "lo0R4V200000000VMTNX1l1hNTNX1l1hNTNX1l1hNTNX1l1b100000000000000000000dn0"


def packed(counts: list[int]) -> str:
    """``rleToString`` of the COCO API, written down from its C source."""
    text = ""
    for i, count in enumerate(counts):
        value = count - counts[i - 2] if i > 2 else count
        while True:
            group, value = value & 0x1F, value >> 5
            more = value != -1 if group & 0x10 else value != 0
            text += chr((group | (0x20 if more else 0)) + 48)
            if not more:
                break
    return text


def test_worked_examples_of_run_lengths():
    assert unpack_counts("0141N0003") == [0, 1, 4, 2, 2, 2, 2, 2, 5]
    np.testing.assert_array_equal(annotation_mask({"size": [4, 5], "counts": "0141N0003"}, 4, 5), SMALL)
    plain = {"size": [4, 5], "counts": [0, 1, 4, 2, 2, 2, 2, 2, 5]}
    np.testing.assert_array_equal(annotation_mask(plain, 4, 5), SMALL)


def test_a_rectangle_with_a_hole():
    mask = np.zeros((200, 30), bool)
    mask[20:150, 5:25] = True
    mask[60:70, 10:14] = False
    np.testing.assert_array_equal(annotation_mask({"size": [200, 30], "counts": HOLE}, 200, 30), mask)


@given(st.lists(st.integers(0, 70_000), min_size=1, max_size=40))
def test_packed_and_plain_are_one(counts):
    assert unpack_counts(packed(counts)) == counts


@given(st.integers(1, 12), st.integers(1, 12), st.data())
def test_runs_give_back_any_mask(height, width, data):
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=height * width, max_size=height * width)))
    flat = mask.reshape(height, width).T.ravel()
    edges = np.flatnonzero(np.diff(np.r_[False, flat]))
    counts = np.diff(np.r_[0, edges, flat.size]).tolist()
    np.testing.assert_array_equal(run_mask(counts, height, width), mask.reshape(height, width))


@pytest.mark.parametrize(
    "segmentation",
    [
        {"size": [4, 5], "counts": [3, 4]},
        {"size": [4, 5], "counts": [-1, 21]},
        {"size": [5, 4], "counts": [20]},
        {"size": [4, 5], "counts": "0141N000"},
        {"size": [4, 5], "counts": "\x7f"},
        {"size": [4, 5], "counts": "P"},
        [],
        None,
        [[0, 0, 1]],
        [[0, 0, 1, 1, float("nan"), 2]],
    ],
)
def test_what_is_broken_is_refused(segmentation):
    with pytest.raises(ValueError):  # noqa: PT011 (the reason is for people)
        annotation_mask(segmentation, 4, 5)


def test_a_pixel_belongs_to_a_polygon_if_its_centre_does():
    # The same squares by pycocotools.
    square = np.zeros((6, 8), bool)
    square[1:4, 2:6] = True
    np.testing.assert_array_equal(annotation_mask([[2, 1, 6, 1, 6, 4, 2, 4]], 6, 8), square)
    # On the centres themselves: the edge above and to the left is in, the one below and to the right is not.
    half = np.array([[0.5, 0.5], [3.5, 0.5], [3.5, 3.5], [0.5, 3.5]])
    assert polygon_mask(half, 5, 5).sum() == 9
    assert polygon_mask(half - 100, 5, 5).sum() == 0
    assert polygon_mask(half * 100 - 60, 5, 5).all()


@given(
    st.lists(st.tuples(st.floats(-5, 45), st.floats(-5, 45)), min_size=3, max_size=3),
)
def test_triangles_have_their_area(corners):
    """The pixels of a triangle differ from its area by no more than its outline crosses."""
    points = np.clip(np.array(corners), 0, 40)
    (ax, ay), (bx, by), (cx, cy) = points
    area = abs((bx - ax) * (cy - ay) - (cx - ax) * (by - ay)) / 2
    outline = sum(np.linalg.norm(points[i] - points[i - 1]) for i in range(3))
    assert abs(int(polygon_mask(points, 40, 40).sum()) - area) <= outline + 3


def test_two_triangles_fill_their_square_without_overlap():
    one, other = [[3, 2, 17, 2, 17, 15]], [[3, 2, 17, 15, 3, 15]]
    first, second = annotation_mask(one, 20, 20), annotation_mask(other, 20, 20)
    assert not (first & second).any()
    np.testing.assert_array_equal(first | second, annotation_mask([[3, 2, 17, 2, 17, 15, 3, 15]], 20, 20))


@pytest.mark.data
def test_real_polygons_keep_their_area(data_dir):
    """The area fields of this set are those of the bounding boxes; the true ones come from the corners."""
    import json

    drawn, exact, boxes, stated = [], [], [], []
    for side in ("train", "val"):
        content = json.loads((data_dir / "coco" / side / "_annotations.coco.json").read_text())
        for annotation in content["annotations"]:
            (polygon,) = annotation["segmentation"]
            x, y = np.array(polygon).reshape(-1, 2).T
            exact.append(abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2)
            mask = annotation_mask([polygon], 256, 256)
            drawn.append(mask.sum())
            boxes.append(np.prod([np.ptp(np.flatnonzero(mask.any(axis=a))) + 1 for a in (0, 1)]))
            stated.append(annotation["area"])
    assert len(drawn) == 229
    assert sum(drawn) / sum(exact) == pytest.approx(1, abs=0.002)
    assert np.median(np.abs(np.array(drawn) / np.array(exact) - 1)) < 0.005
    assert sum(boxes) / sum(stated) == pytest.approx(1, abs=0.02)


@pytest.mark.data
def test_copies_of_a_picture_are_one_patient(data_dir):
    problems: list = []
    entries = find_entries(data_dir, SourceConfig(kind="coco", path="coco/train"), problems)
    assert (len(entries), len({entry.patient for entry in entries}), problems) == (154, 86, [])
