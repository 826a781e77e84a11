from __future__ import annotations

import numpy as np
import pytest

from brainseg_desktop.core.labels import ET, TC, WT, Tissue
from brainseg_desktop.inference.postprocess import label_tissues, remove_specks
from brainseg_desktop.inference.preprocess import KINDS

ALL = ("WT", "TC", "ET")


def test_labels_follow_the_nested_regions():
    probabilities = np.array([[0, 127, 128, 255, 255], [0, 0, 0, 200, 255], [0, 0, 0, 10, 255]], np.uint8)
    labels = label_tissues(probabilities, ALL)
    assert labels.tolist() == [0, 0, Tissue.OEDEMA, Tissue.NECROSIS, Tissue.ENHANCING]


def test_regions_of_the_labels_are_nested_even_if_probabilities_are_not():
    random = np.random.default_rng(0)
    labels = label_tissues(random.integers(0, 256, (3, 6, 6, 6)).astype(np.uint8), ALL)
    whole, core, enhancing = (region.mask(labels) for region in (WT, TC, ET))
    assert not (core & ~whole).any()
    assert not (enhancing & ~core).any()
    assert enhancing.any()


def test_whole_tumour_alone_is_one_label():
    assert label_tissues(np.array([[0, 200]], np.uint8), ("WT",)).tolist() == [0, Tissue.TUMOUR]


def test_unknown_regions_are_refused():
    with pytest.raises(ValueError, match="TC"):
        label_tissues(np.zeros((1, 2), np.uint8), ("TC",))


def test_specks_go_and_satellites_stay():
    labels = np.zeros((40, 40, 20), np.uint8)
    labels[5:20, 5:20, 5:15] = Tissue.OEDEMA  # 2250 voxels
    labels[30:32, 30:32, 5:8] = Tissue.ENHANCING  # 12: a speck
    labels[30:35, 5:10, 5:10] = Tissue.OEDEMA  # 125: more than 60
    cleaned = remove_specks(labels, "skull_stripped")
    assert not cleaned[30:32, 30:32].any()
    assert np.count_nonzero(cleaned) == 2250 + 125
    # 125 voxels are 0.06 of the largest piece: in a whole head that is a false piece.
    assert np.count_nonzero(remove_specks(labels, "whole_head")) == 2250


@pytest.mark.parametrize("kind", KINDS)
def test_a_small_tumour_alone_stays(kind):
    labels = np.zeros((10, 10, 5), np.uint8)
    labels[2:4, 2:4, 2] = Tissue.TUMOUR
    assert np.array_equal(remove_specks(labels, kind), labels)
