"""Measures of a pair against other programs and against the definitions retold without their shortcuts.

Where a definition differs on purpose the difference is bounded and the reason stands beside the bound.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.labels import TC, WT
from brainseg_desktop.core.metrics import confusion
from brainseg_desktop.core.surface import surface_distances
from brainseg_desktop.io.nifti import read_mask
from brainseg_desktop.io.schemes import scheme_named
from brainseg_desktop.services.compare import compare, compare_both_ways
from brainseg_desktop.services.live_agreement import LiveAgreement

MONAI_WARNS = pytest.mark.filterwarnings("ignore:monai.metrics.utils get_mask_edges:FutureWarning")

shapes = st.tuples(st.integers(2, 6), st.integers(2, 6), st.integers(2, 6))
spacings = st.tuples(*[st.sampled_from([0.5, 1.0, 1.2, 3.0])] * 3)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    a = draw(hnp.arrays(bool, shapes))
    return a, draw(hnp.arrays(bool, a.shape))


def ball(radius: float, shift: tuple[float, float, float], spacing: tuple[float, float, float]) -> np.ndarray:
    """A ball of so many mm, whose centre lies `shift` mm from that of a box of 60 mm."""
    axes = np.ogrid[tuple(slice(0, round(60 / s)) for s in spacing)]
    squares = [(a * s - 30 - d) ** 2 for a, s, d in zip(axes, spacing, shift, strict=True)]
    return np.asarray(sum(squares) <= radius**2)


def itk(mask: np.ndarray, spacing: tuple[float, float, float]) -> sitk.Image:
    image = sitk.GetImageFromArray(mask.astype(np.uint8).T)
    image.SetSpacing(spacing)
    return image


def assert_as_simpleitk(a: np.ndarray, b: np.ndarray, spacing: tuple[float, float, float]) -> None:
    oracle = sitk.LabelOverlapMeasuresImageFilter()
    oracle.Execute(itk(b, spacing), itk(a, spacing))
    counts = confusion(a, b)
    assert counts.dice.value == pytest.approx(oracle.GetDiceCoefficient(1), rel=1e-12, abs=0)
    assert counts.iou.value == pytest.approx(oracle.GetJaccardCoefficient(1), rel=1e-12, abs=0)
    volumes = counts.volume_ml(math.prod(spacing) / 1000)
    for mask, volume in zip((a, b), volumes, strict=True):
        shape = sitk.LabelShapeStatisticsImageFilter()
        shape.Execute(itk(mask, spacing))
        assert mask.sum() == shape.GetNumberOfPixels(1)
        assert volume.value == pytest.approx(shape.GetPhysicalSize(1) / 1000, rel=1e-12)


@given(pairs(), spacings)
@settings(deadline=None, max_examples=50)
def test_overlap_and_volumes_equal_simpleitk(pair, spacing):
    assume(pair[0].any() and pair[1].any())
    assert_as_simpleitk(*pair, spacing)


def test_overlap_and_volumes_of_real_raters_equal_simpleitk(data_dir):
    files = sorted((data_dir / "raters" / "TCGA-DU-7294").glob("rater-*.nii.gz"))[:2]
    masks = [read_mask(path, scheme_named("brats2021")) for path in files]
    for one, other in itertools.combinations(masks, 2):
        for region in (WT, TC):
            a, b = region.mask(one.tissues), region.mask(other.tissues)
            assert_as_simpleitk(a, b, one.grid.spacing_mm)


def plain_surface(mask: np.ndarray) -> list[tuple[int, ...]]:
    """Voxels with a face neighbour outside the mask, asked one by one."""
    inside = {tuple(v) for v in np.argwhere(mask)}
    steps = [s for s in itertools.product((-1, 0, 1), repeat=3) if sum(map(abs, s)) == 1]
    return [
        v for v in inside if any(tuple(a + d for a, d in zip(v, s, strict=True)) not in inside for s in steps)
    ]


def plain_percentile(values: list[float], percent: float) -> float:
    """Linear between ranks."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


@given(pairs(), spacings)
@settings(deadline=None, max_examples=50)
def test_hd95_and_assd_equal_brute_force(pair, spacing):
    assume(pair[0].any() and pair[1].any())
    points = [[[i * s for i, s in zip(v, spacing, strict=True)] for v in plain_surface(m)] for m in pair]
    there, back = (
        [min(math.dist(p, q) for q in targets) for p in origins]
        for origins, targets in (points, points[::-1])
    )
    found = surface_distances(*pair, spacing)
    hd95 = max(plain_percentile(there, 95), plain_percentile(back, 95))
    assert found.hd95_mm.value == pytest.approx(hd95, abs=1e-6)
    assd = (sum(there) + sum(back)) / (len(there) + len(back))
    assert found.assd_mm.value == pytest.approx(assd, abs=1e-6)
    near = sum(d <= 1.0 for d in (*there, *back))
    assert found.surface_dice(1.0).value == pytest.approx(near / (len(there) + len(back)), abs=1e-6)


# MONAI --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def monai():
    import monai.metrics

    return monai.metrics


def batch(mask: np.ndarray):
    """A batch of one with one class, as MONAI takes masks."""
    import torch

    return torch.from_numpy(mask[None, None].astype(np.float32))


@MONAI_WARNS
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.0, 1.5, 3.0)])
def test_hd95_assd_and_surface_dice_equal_those_of_monai(monai, spacing):
    # One definition: surface voxels by the six-neighbour erosion, distances between voxel centres, linear
    # percentiles, one mean over the distances of both ways.
    a, b = ball(17, (0, 0, 0), spacing), ball(15, (3, -2, 1), spacing) | ball(4, (12, 12, 9), spacing)
    found = surface_distances(a, b, spacing)
    given = {"y_pred": batch(b), "y": batch(a), "include_background": True, "spacing": spacing}
    hd95 = float(monai.compute_hausdorff_distance(**given, percentile=95))
    assert found.hd95_mm.value == pytest.approx(hd95, rel=1e-5)
    assd = float(monai.compute_average_surface_distance(**given, symmetric=True))
    assert found.assd_mm.value == pytest.approx(assd, rel=1e-5)
    for tolerance in (1.0, 2.0):
        near = float(monai.compute_surface_dice(**given, class_thresholds=[tolerance]))
        assert found.surface_dice(tolerance).value == pytest.approx(near, abs=1e-6)


@MONAI_WARNS
def test_one_empty_mask_has_a_name_here_and_is_not_a_number_in_monai(monai):
    full, empty = ball(9, (0, 0, 0), (3.0, 3.0, 3.0)), np.zeros((20, 20, 20), bool)
    given = {"y_pred": batch(empty), "y": batch(full), "include_background": True}
    with pytest.warns(UserWarning, match="prediction of class 0 is all 0"):
        assert math.isnan(float(monai.compute_hausdorff_distance(**given, percentile=95)))
    assert surface_distances(full, empty, (1, 1, 1)).hd95_mm.state == "one_empty"


# DeepMind -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Surfels:
    """Distances by DeepMind's surface-distance, in mm, and the area of surface that each stands for.

    As published (Nikolov et al. 2018): every 2 x 2 x 2 neighbourhood that is neither full nor empty is a
    surface element at a corner of voxels, with the area of its marching-cubes triangles; MONAI has the table.
    """

    there: np.ndarray
    back: np.ndarray
    there_areas: np.ndarray
    back_areas: np.ndarray

    @staticmethod
    def of(a: np.ndarray, b: np.ndarray, spacing: tuple[float, float, float]) -> Surfels:
        import torch
        from monai.metrics.utils import get_mask_edges

        masks = [torch.from_numpy(np.pad(m, 2)) for m in (a, b)]
        first, second, first_areas, second_areas = (
            np.asarray(found) for found in get_mask_edges(*masks, crop=False, spacing=spacing)
        )
        to_first, to_second = (
            ndimage.distance_transform_edt(~edges, sampling=spacing) for edges in (first, second)
        )
        return Surfels(to_second[first], to_first[second], first_areas[first], second_areas[second])

    def hausdorff_mm(self, percent: float) -> float:
        """The larger of the two distances below which so much of a surface's area lies."""
        directed = []
        for distances, areas in ((self.there, self.there_areas), (self.back, self.back_areas)):
            order = np.lexsort((areas, distances))
            share = np.cumsum(areas[order]) / areas.sum()
            place = min(int(np.searchsorted(share, percent / 100)), distances.size - 1)
            directed.append(distances[order][place])
        return float(max(directed))

    @property
    def assd_mm(self) -> float:
        """Mean of both ways over the area."""
        total = self.there @ self.there_areas + self.back @ self.back_areas
        return float(total / (self.there_areas.sum() + self.back_areas.sum()))

    def surface_dice(self, tolerance_mm: float) -> float:
        near = self.there_areas[self.there <= tolerance_mm].sum()
        near += self.back_areas[self.back <= tolerance_mm].sum()
        return float(near / (self.there_areas.sum() + self.back_areas.sum()))


@MONAI_WARNS
@given(pairs(), spacings)
@settings(deadline=None, max_examples=30)
def test_deepminds_hausdorff_is_never_more_than_the_diagonal_of_a_voxel_away(pair, spacing):
    # Their surface lies on corners of voxels, ours on centres: of each surface voxel a corner is a surface
    # element, and next to each element lies a surface voxel, half a diagonal away. Both ends may be off so.
    assume(pair[0].any() and pair[1].any())
    diagonal = math.hypot(*spacing)
    theirs = Surfels.of(*pair, spacing).hausdorff_mm(100)
    assert abs(surface_distances(*pair, spacing).hausdorff_mm(100).value - theirs) <= diagonal + 1e-6


@MONAI_WARNS
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.0, 1.5, 3.0)])
@pytest.mark.parametrize("shift", [(0, 0, 0), (3, 0, 0), (4, -3, 3)])
def test_deepminds_measures_of_smooth_masks_are_near(monai, spacing, shift):
    # They weigh by area what we count by voxel, and round a percentile up to a distance that occurs: on
    # smooth outlines this comes to less than half a diagonal for HD95, a quarter of it for ASSD and, at a
    # tolerance that is not itself a common distance, 0.15 for surface Dice.
    a, b = ball(18, (0, 0, 0), spacing), ball(16, shift, spacing)
    ours, theirs = surface_distances(a, b, spacing), Surfels.of(a, b, spacing)
    diagonal = math.hypot(*spacing)
    assert abs(ours.hd95_mm.value - theirs.hausdorff_mm(95)) < diagonal / 2
    assert abs(ours.assd_mm.value - theirs.assd_mm) < diagonal / 4
    tolerance = 1.1 * max(spacing)
    assert abs(ours.surface_dice(tolerance).value - theirs.surface_dice(tolerance)) < 0.15


@MONAI_WARNS
def test_a_moved_box_is_moved_alike_for_deepmind(monai):
    # Faces, and nothing but faces: with every element as far away as every voxel the two agree exactly.
    a, b = np.zeros((2, 20, 12, 12), bool)
    a[2:9, 2:10, 2:10], b[2:9, 2:10, 2:10] = True, True
    same = Surfels.of(a, b, (1.0, 1.0, 2.0))
    assert (same.hausdorff_mm(95), same.assd_mm, same.surface_dice(0.5)) == (0.0, 0.0, 1.0)
    c = np.roll(a, 3, axis=0)
    theirs = Surfels.of(a, c, (1.0, 1.0, 2.0))
    ours = surface_distances(a, c, (1.0, 1.0, 2.0))
    assert ours.hausdorff_mm(100).value == theirs.hausdorff_mm(100) == 3.0


# Both ways ----------------------------------------------------------------------------------------------


def test_one_comparison_both_ways_is_two_comparisons_and_the_live_one():
    rng = np.random.default_rng(5)
    a, b = (rng.integers(0, 4, (12, 11, 10)).astype(np.uint8) for _ in range(2))
    grid = Grid((12, 11, 10), np.eye(4))
    there, back = compare(a, b, grid, [WT], ()), compare(b, a, grid, [WT], ())
    both = compare_both_ways(a, b, grid, [WT])["WT"]
    live = LiveAgreement(a, b, grid).scores([WT])["WT"]
    assert both.there == there.regions["WT"]
    assert both.back == back.regions["WT"]
    assert live == both.there.overlap
    assert both.counts.turned == confusion(WT.mask(b), WT.mask(a))
