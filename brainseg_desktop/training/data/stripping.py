"""Rough skull stripping of whole heads: the stripped cases proper are too few to show many tumours.

It need not be exact: as augmentation it only has to leave brain with a hard edge on an empty background.
The product never strips an exam.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.inference.preparation import Preparation
from brainseg_desktop.inference.preprocess import CLIP
from brainseg_desktop.training.exams import PreparedExam

# Lengths below are network pixels of `SPACING_MM`, brightness is in deviations of the tissue.
SPACING_MM = 1.5
SKULL_DEPTHS = range(4, 13)
SMALLEST_BRAIN = 600


def can_strip(preparation: Preparation) -> bool:
    """Whether exams prepared so can be stripped: the rule knows FLAIR on one scale of size and brightness."""
    return (
        Sequence.FLAIR.value in preparation.channels
        and preparation.normalise == "tissue"
        and preparation.spacing_mm == SPACING_MM
        and preparation.size is None
    )


def strip_exam(exam: PreparedExam, preparation: Preparation) -> PreparedExam | None:
    """The exam with all but its brain set to background, slices that show little brain left out.

    Returns None if fewer than five slices remain, or if it has no FLAIR.
    """
    channel = preparation.channels.index(Sequence.FLAIR.value)
    if not exam.present[channel]:
        return None
    masks = [brain_mask(image) for image in exam.slices[:, channel].astype(np.float32)]
    # The face is left out: below the middle of the head this simple rule does not find the brain.
    kept = [z for z in range(int(0.4 * len(masks)), len(masks)) if masks[z].sum() >= SMALLEST_BRAIN]
    if len(kept) < 5:
        return None
    brain = np.stack([masks[z] for z in kept])
    slices = np.zeros((len(kept), *exam.slices.shape[1:]), np.float32)
    for channel, present in enumerate(exam.present):
        if present:
            slices[:, channel] = _renormalise(exam.slices[kept, channel].astype(np.float32), brain)
    return dataclasses.replace(
        exam,
        name=exam.name + " stripped",
        kind="skull_stripped",
        slices=slices.astype(np.float16),
        targets=exam.targets[kept] * brain[:, None].astype(np.uint8),
        kept=exam.kept[kept],
    )


def brain_mask(image: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Brain in one FLAIR slice: what lies inside the dark ring of the skull.

    Parameters
    ----------
    image : (H, W) array
    """
    empty = np.zeros(image.shape, bool)
    background = float(np.median(np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])))
    inner = image[image > background + 0.3]
    if inner.size < SMALLEST_BRAIN:
        return empty
    head = _largest(ndimage.binary_opening(image > background + 0.3 * (np.median(inner) - background)))
    head = ndimage.binary_fill_holes(ndimage.binary_closing(np.pad(head, 6), iterations=6))[6:-6, 6:-6]
    depth = ndimage.distance_transform_edt(head)
    core = image[depth > 16]
    if core.size < 100:
        return empty
    level = float(np.median(core))
    rings = [float(np.median(image[(depth > d) & (depth <= d + 1)])) for d in SKULL_DEPTHS]
    skull = SKULL_DEPTHS[int(np.argmin(rings))]
    tissue = (depth > skull) & (image > background + 0.45 * (level - background))
    brain = _largest(ndimage.binary_opening(tissue, iterations=2))
    brain = ndimage.binary_fill_holes(ndimage.binary_closing(np.pad(brain, 4), iterations=4))[4:-4, 4:-4]
    return np.asarray(brain & (depth > skull))


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    labels, count = ndimage.label(mask)
    if count == 0:
        return mask
    sizes = np.bincount(labels.ravel())[1:]
    return np.asarray(labels == 1 + int(sizes.argmax()))


def _renormalise(slices: NDArray[np.float32], brain: NDArray[np.bool_]) -> NDArray[np.float32]:
    tissue = slices[brain]
    low, high = np.percentile(tissue, (0.5, 99.5))
    tissue = np.clip(tissue, low, high)
    # As in a stripped export, the background lies at the dark end of the tissue.
    slices = np.where(brain, slices, low)
    return np.asarray(np.clip((slices - tissue.mean()) / max(float(tissue.std()), 1e-3), *CLIP), np.float32)
