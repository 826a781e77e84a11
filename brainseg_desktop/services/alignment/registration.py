"""Finding the rigid motion between two sequences of one head, by mutual information.

SimpleITK climbs Mattes' mutual information (Mattes et al., IEEE TMI 22, 2003) at two low resolutions. It is
started from the place that the headers state and from the place where the two heads' centres meet, and the
better of them is followed. The last millimetre is found by `polish`, at full resolution.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.rigid import RigidTransform
from brainseg_desktop.services.alignment.itk import sitk, to_array, to_image
from brainseg_desktop.services.alignment.polish import MutualInformation, polish

# Share done, 0 to 1.
Tell = Callable[[float], object]

SEED = 20260
BINS = 32
# Of each resolution: voxel size in mm, smoothing in mm, first and last step in mm, most iterations.
COARSE = (6.0, 4.0, 4.0, 0.2, 60)
LEVELS = (COARSE, (3.0, 2.0, 1.0, 0.05, 40))
# Mutual information, in nats, by which the headers' place is preferred: it is where the scanner put the head.
HEADER_BONUS = 0.01
# Fewer voxels that both images cover tell nothing.
LEAST_SHARED = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class Registration:
    """What was found.

    Parameters
    ----------
    transform : RigidTransform
        From where the headers put the moving image to where it belongs.
    before, after : float
        Mutual information in nats with the headers' place and with the one found; larger is better.
    started_from : str
        ``"headers"`` or ``"centres"``.
    """

    transform: RigidTransform
    before: float
    after: float
    started_from: str


def register(
    moving: NDArray[Any], moving_grid: Grid, fixed: NDArray[Any], fixed_grid: Grid, tell: Tell
) -> Registration:
    """Find the motion that brings `moving` onto `fixed`.

    Parameters
    ----------
    moving, fixed : (X, Y, Z) arrays
        Of the same head; any sequences, stripped or not, thick slices too.
    tell : callable
        Gets the share done.

    Raises
    ------
    UserError
        ``alignment_constant`` (param ``which``): an image has one value only, or none that is a number.
        ``alignment_no_overlap``: no start brings the two to overlap.
    """
    scaled = {"fixed": _scaled(fixed, "fixed"), "moving": _scaled(moving, "moving")}
    fixed_image, moving_image = to_image(scaled["fixed"], fixed_grid), to_image(scaled["moving"], moving_grid)
    images = (fixed_image, moving_image)
    centre = _centre(fixed_image)
    starts = {"headers": np.zeros(3), "centres": _centre(moving_image) - centre}
    coarse, finer = ([_at(image, size, blur) for image in images] for size, blur, *_ in LEVELS)
    found: dict[str, tuple[Any, float]] = {}
    for number, (name, shift) in enumerate(starts.items()):
        start = _start(centre, shift)
        if _measure(coarse[0], coarse[1], start) is not None:
            found[name] = _climb(coarse[0], coarse[1], start, COARSE)
        tell(0.1 * (number + 1))
    if not found:
        raise UserError("alignment_no_overlap")
    best = max(found, key=lambda n: found[n][1] + (HEADER_BONUS if n == "headers" else 0.0))
    motion, _ = _climb(finer[0], finer[1], found[best][0], LEVELS[1])
    tell(0.4)
    start = _rigid(motion)

    def tell_rest(share: float) -> None:
        tell(0.4 + 0.6 * share)

    if max(fixed_grid.spacing_mm) >= max(moving_grid.spacing_mm):
        metric = MutualInformation(scaled["fixed"], fixed_grid, scaled["moving"], moving_grid, SEED)
        there = polish(metric, start, tell_rest)
        transform = there.inverse()
    else:
        metric = MutualInformation(scaled["moving"], moving_grid, scaled["fixed"], fixed_grid, SEED)
        transform = there = polish(metric, start.inverse(), tell_rest)
    return Registration(transform, metric(RigidTransform.identity()), metric(there), best)


def _scaled(data: NDArray[Any], which: str) -> NDArray[np.float32]:
    """Intensities as 0 to 1 from the 0.5th to the 99.5th percentile: a vessel must not fill the histogram."""
    numbers = np.asarray(data, np.float32)
    finite = numbers[np.isfinite(numbers)]
    if finite.size == 0 or finite.min() == finite.max():
        raise UserError("alignment_constant", which=which)
    low, high = np.percentile(finite, (0.5, 99.5))
    if low == high:
        low, high = finite.min(), finite.max()
    scaled = np.clip((np.nan_to_num(numbers, nan=float(low)) - low) / (high - low), 0, 1)
    return np.asarray(scaled, np.float32)


def _centre(image: Any) -> NDArray[np.float64]:
    """Centre of what is bright, in mm."""
    data = to_array(image)[::2, ::2, ::2]
    bright = np.argwhere(data > max(0.2, float(np.percentile(data, 50))))
    voxel = 2 * bright.mean(axis=0) if len(bright) else (np.array(image.GetSize()) - 1) / 2
    return np.array(image.TransformContinuousIndexToPhysicalPoint(voxel.tolist()))


def _at(image: Any, size_mm: float, blur_mm: float) -> Any:
    """The image smoothed, with voxels of about a size; axes that are coarser stay as they are."""
    itk = sitk()
    spacing, size = np.array(image.GetSpacing()), np.array(image.GetSize())
    sigmas = [max(0.0, blur_mm if s < blur_mm * 2 else 0.0) for s in spacing]
    for axis, sigma in enumerate(sigmas):
        # The recursive filter needs four voxels.
        if sigma > 0 and size[axis] >= 4:
            image = itk.RecursiveGaussian(
                image, sigma, False, itk.RecursiveGaussianImageFilter.ZeroOrder, axis
            )
    wanted = np.maximum(spacing, size_mm)
    count = np.maximum(1, np.floor(size * spacing / wanted + 0.5)).astype(int)
    new = size * spacing / count
    first = image.TransformContinuousIndexToPhysicalPoint(((new / spacing - 1) / 2).tolist())
    return itk.Resample(
        image,
        count.tolist(),
        itk.Transform(3, itk.sitkIdentity),
        itk.sitkLinear,
        first,
        new.tolist(),
        image.GetDirection(),
        0.0,
        itk.sitkFloat32,
    )


def _start(centre: NDArray[np.float64], shift: NDArray[np.float64]) -> Any:
    motion = sitk().Euler3DTransform()
    motion.SetCenter(centre.tolist())
    motion.SetTranslation(shift.tolist())
    return motion


def _method() -> Any:
    method = sitk().ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(BINS)
    method.SetMetricSamplingStrategy(method.NONE)
    method.SetInterpolator(sitk().sitkLinear)
    return method


def _measure(fixed: Any, moving: Any, motion: Any) -> float | None:
    """Mutual information at a place; None where the two hardly overlap."""
    if _shared(fixed, moving, motion) < LEAST_SHARED:
        return None
    method = _method()
    method.SetInitialTransform(motion)
    return -float(method.MetricEvaluate(fixed, moving))


def _shared(fixed: Any, moving: Any, motion: Any) -> float:
    """Share of the smaller image that the other covers."""
    itk = sitk()
    ones = itk.Image(moving.GetSize(), itk.sitkUInt8) + 1
    ones.CopyInformation(moving)
    on = to_array(itk.Resample(ones, fixed, motion, itk.sitkNearestNeighbor, 0))
    volumes = [float(np.prod(i.GetSpacing()) * np.prod(i.GetSize())) for i in (fixed, moving)]
    return float(on.sum()) * float(np.prod(fixed.GetSpacing())) / min(volumes)


def _climb(
    fixed: Any, moving: Any, start: Any, level: tuple[float, float, float, float, int]
) -> tuple[Any, float]:
    """Follow the metric uphill from a start; the motion reached and its mutual information."""
    itk = sitk()
    _, _, first_step, last_step, iterations = level
    motion = itk.Euler3DTransform(start)
    method = _method()
    method.SetInitialTransform(motion, inPlace=True)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=first_step,
        minStep=last_step,
        numberOfIterations=iterations,
        relaxationFactor=0.6,
        gradientMagnitudeTolerance=1e-7,
    )
    method.SetOptimizerScalesFromPhysicalShift()
    try:
        method.Execute(fixed, moving)
    except RuntimeError:
        # The climb has left the image: where it began is the best that is known.
        motion = itk.Euler3DTransform(start)
    value = _measure(fixed, moving, motion)
    return motion, float("-inf") if value is None else value


def _rigid(motion: Any) -> RigidTransform:
    """ITK's motion (from fixed to moving points) about its centre as one about the origin."""
    rotation = np.array(motion.GetMatrix()).reshape(3, 3)
    left, _, right = np.linalg.svd(rotation)
    centre, shift = np.array(motion.GetCenter()), np.array(motion.GetTranslation())
    rotation = left @ right
    return RigidTransform(rotation, centre + shift - rotation @ centre)
