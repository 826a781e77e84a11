"""Votes and STAPLE of several readers, against SimpleITK and by their own rules."""

from collections.abc import Sequence

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from brainseg_desktop.core.consensus import majority_vote, staple, staple_labels, vote_counts
from brainseg_desktop.core.labels import REGIONS, WT, Tissue
from brainseg_desktop.core.metrics import Score

BRATS = (Tissue.NECROSIS, Tissue.OEDEMA, Tissue.ENHANCING)
readings = hnp.arrays(
    np.uint8, st.tuples(st.integers(1, 6), st.just(3), st.just(4)), elements=st.integers(0, 6)
)


def itk_staple(masks: Sequence[np.ndarray], rounds: int = 1000):
    oracle = sitk.STAPLEImageFilter()
    oracle.SetForegroundValue(1)
    oracle.SetMaximumIterations(rounds)
    images = [sitk.GetImageFromArray(mask.astype(np.uint8)) for mask in masks]
    probability = sitk.GetArrayFromImage(oracle.Execute(images))
    return probability, oracle.GetSensitivity(), oracle.GetSpecificity()


def assert_like_itk(masks: Sequence[np.ndarray]) -> None:
    probability, sensitivity, specificity = itk_staple(masks)
    ours = staple(masks)
    assert ours.probability.dtype == np.float32
    np.testing.assert_allclose(ours.probability, probability, atol=1e-3)
    assert [s.value for s in ours.sensitivity] == pytest.approx(sensitivity, abs=1e-3)
    assert [s.value for s in ours.specificity] == pytest.approx(specificity, abs=1e-3)


def ball(radius: float, shift: float = 0.0, size: int = 32) -> np.ndarray:
    x, y, z = (axis - size / 2 for axis in np.ogrid[:size, :size, :size])
    return (x - shift) ** 2 + y**2 + z**2 <= radius**2


def nested(radius: float, shift: float = 0.0) -> np.ndarray:
    labels = np.zeros((32, 32, 32), np.uint8)
    labels[ball(radius, shift)] = Tissue.OEDEMA
    labels[ball(radius * 0.7, shift)] = Tissue.ENHANCING
    labels[ball(radius * 0.4, shift)] = Tissue.NECROSIS
    return labels


@pytest.mark.parametrize("readers", [2, 4, 5, 9])
def test_staple_of_noisy_readers_is_that_of_simpleitk(readers):
    rng = np.random.default_rng(readers)
    truth = ball(9)
    assert_like_itk([truth ^ (rng.random(truth.shape) < 0.02 * (n + 1)) for n in range(readers)])


def test_staple_of_nested_balls_is_that_of_simpleitk():
    masks = [nested(r, s) for r, s in ((10, 0), (11, 1), (9, -1.5), (12, 0.5), (10, 2))]
    for region in REGIONS:
        assert_like_itk([region.mask(mask) for mask in masks])


def test_readers_who_agree_are_faultless():
    result = staple([ball(8)] * 4)
    assert np.array_equal(result.mask, ball(8))
    assert [s.value for s in result.sensitivity + result.specificity] == pytest.approx([1.0] * 8)
    assert result.performance.converged
    assert result.performance.prior == pytest.approx(ball(8).mean())


def test_a_reader_who_marked_nothing_has_no_sensitivity_and_does_not_spoil_the_others():
    masks = [ball(9), ball(9.5), ball(9, 0.5), np.zeros((32, 32, 32), bool)]
    assert_like_itk(masks)
    result = staple(masks)
    assert result.sensitivity[3].value == 0.0
    assert result.specificity[3].value == 1.0
    assert np.array_equal(result.mask & ball(9), ball(9))


def test_two_readers():
    assert_like_itk([ball(8), ball(9, 1)])
    both, either = ball(8) & ball(9, 1), ball(8) | ball(9, 1)
    result = staple([ball(8), ball(9, 1)])
    assert result.mask[both].all()
    assert not result.mask[~either].any()


def test_nothing_marked_has_named_states_and_no_nan():
    empty = np.zeros((3, 4, 5), bool)
    nobody, everybody = staple([empty] * 3), staple([~empty] * 3)
    assert not nobody.probability.any()
    assert nobody.sensitivity == everybody.specificity == (Score(None, "both_empty"),) * 3
    assert nobody.specificity == everybody.sensitivity == (Score(1.0),) * 3
    assert everybody.mask.all()
    assert nobody.iterations == 0
    assert not staple([empty] * 2, prior=0.2).probability.any()
    labels = staple_labels([empty.astype(np.uint8)] * 3, BRATS)
    assert not labels.labels.any()
    assert list(labels.regions) == ["WT", "TC", "ET"]
    assert labels.regions["ET"].sensitivity == (Score(None, "both_empty"),) * 3
    assert not majority_vote([empty.astype(np.uint8)] * 3).any()


def test_rounds_that_run_out_are_said():
    rng = np.random.default_rng(0)
    masks = [rng.random((12, 12, 12)) < 0.3 for _ in range(3)]
    result = staple(masks, max_iterations=2)
    assert (result.iterations, result.performance.converged) == (2, False)
    np.testing.assert_allclose(result.probability, itk_staple(masks, 2)[0], atol=1e-6)


@settings(deadline=None)
@given(hnp.arrays(bool, st.tuples(st.integers(1, 5), st.just(3), st.just(4))))
def test_staple_never_leaves_zero_to_one(masks):
    result = staple(list(masks))
    assert np.isfinite(result.probability).all()
    assert result.probability.min() >= 0
    assert result.probability.max() <= 1
    values = [s.value for s in result.sensitivity + result.specificity if s.value is not None]
    assert all(0 <= value <= 1 for value in values)


def test_what_cannot_be_fused_is_refused():
    mask = np.zeros((2, 2, 2), np.uint8)
    for fuse in (vote_counts, majority_vote, staple):
        with pytest.raises(ValueError, match="no mask"):
            fuse([])
        with pytest.raises(ValueError, match="shapes"):
            fuse([mask, np.zeros((2, 2, 3), np.uint8)])
        with pytest.raises(ValueError, match="64 readers"):
            fuse([mask] * 64)
    with pytest.raises(ValueError, match="prior"):
        staple([mask > 0], prior=1.0)
    with pytest.raises(ValueError, match="without voxels"):
        staple([np.zeros((0, 2, 2), bool)])
    with pytest.raises(ValueError, match=r"\[5\]"):
        staple_labels([mask, mask + np.uint8(5)], BRATS)


def test_votes_are_counted():
    masks = [np.array([0, 1, 2, 5], np.uint8), np.array([0, 0, 3, 5], np.uint8)]
    assert vote_counts(masks).tolist() == [0, 1, 2, 2]
    assert vote_counts(masks, WT.mask).tolist() == [0, 1, 2, 0]
    assert vote_counts([m > 1 for m in masks]).dtype == np.uint8


@pytest.mark.parametrize(
    ("votes", "winner"),
    [
        ((2, 0), 0),  # half is not enough
        ((1, 3), 1),  # both see core, one enhancing: core, but not enhancing
        ((2, 3), 2),  # both see tumour, one core
        ((1, 2, 3), 1),
        ((0, 2, 2), 2),
        ((2, 2, 6, 6), 2),  # equal: the lower number
        ((5, 5, 2), 5),
        ((5, 2), 0),
        ((5, 5, 2, 2), 0),
        ((3, 3, 1, 4, 4), 4),
        ((3, 3, 3, 0, 0), 3),
    ],
)
def test_majority_by_hand(votes, winner):
    assert majority_vote([np.array([v], np.uint8) for v in votes]).tolist() == [winner]


@given(readings)
def test_majority_of_labels_and_of_regions_agree(masks):
    readers = len(masks)
    result = majority_vote(list(masks))
    for region in REGIONS:
        assert np.array_equal(region.mask(result), 2 * region.mask(masks).sum(axis=0) > readers)
    for tissue in Tissue:
        assert (result[2 * (masks == tissue).sum(axis=0) > readers] == tissue).all()


@settings(deadline=None)
@given(readings)
def test_staple_labels_are_the_nested_regions(masks):
    result = staple_labels(list(masks), tuple(Tissue))
    assert not result.labels[vote_counts(list(masks)) == 0].any()
    wt, tc, et = (staple([region.mask(mask) for mask in masks]).mask for region in REGIONS)
    marked = (vote_counts(list(masks)) > 0) & (result.labels != Tissue.CAVITY)
    for region, mask in zip(REGIONS, (wt, wt & tc, wt & tc & et), strict=True):
        assert np.array_equal(region.mask(result.labels)[marked], mask[marked])


def test_staple_labels_of_readers_who_agree_are_their_labels():
    labels = nested(11)
    labels[:3] = Tissue.CAVITY
    result = staple_labels([labels] * 3, (*BRATS, Tissue.CAVITY))
    assert np.array_equal(result.labels, labels)
    assert list(result.regions) == ["WT", "TC", "ET", "Cavity"]
    tumour = np.where(ball(8), np.uint8(Tissue.TUMOUR), np.uint8(0))
    whole = staple_labels([tumour] * 3, (Tissue.TUMOUR,))
    assert np.array_equal(whole.labels, tumour)
    assert list(whole.regions) == ["WT"]


@pytest.mark.data
def test_five_real_readers_are_fused_as_simpleitk_does(data_dir):
    files = sorted((data_dir / "raters" / "TCGA-DU-7294").glob("rater-*.nii.gz"))
    if len(files) != 5:
        pytest.skip("needs the five readers of TCGA-DU-7294")
    brats = np.array([0, 1, 2, 3, 3], np.uint8)
    masks = [brats[np.asarray(nibabel.load(f).dataobj).astype(np.uint8)] for f in files]
    assert_like_itk([WT.mask(mask) for mask in masks])
    result = staple_labels(masks, BRATS)
    for region in REGIONS:
        alone = staple([region.mask(mask) for mask in masks]).mask
        assert np.array_equal(region.mask(result.labels), alone)
