"""Pictures of what the network got right and wrong: image, reference in green, prediction in red."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from brainseg_desktop.core.labels import REGIONS
from brainseg_desktop.inference.frame import to_native
from brainseg_desktop.training.exams import PreparedExam
from brainseg_desktop.training.figures import ExamCounts, slice_values

Picture = NDArray[np.uint8]

PANEL = 300
STRIP = 26
GAP = 6
GREEN, RED, INK = (0, 200, 90), (255, 60, 50), (225, 225, 225)
WORST_SLICES = 3


@dataclass(frozen=True, slots=True)
class Choice:
    """A slice worth looking at, and why."""

    why: str
    exam: str
    place: int
    text: str


@dataclass(frozen=True, slots=True)
class Check:
    """A finished picture: name of its file, words below it, PNG bytes."""

    file: str
    caption: str
    png: bytes


def choose_slices(exams: Sequence[ExamCounts], row: str) -> list[Choice]:
    """Best, median and worst exam by Dice, each at its largest reference, and the worst slices of all.

    Of an exam at most one slice is among the worst.
    """
    ranked = sorted(
        (value, exam.name, exam)
        for exam in exams
        if row in exam.rows and (value := exam.value(row, "dice")) is not None
    )
    if not ranked:
        return []
    chosen = []
    last = len(ranked) - 1
    # Of two exams there is no third one to be the median.
    places = {last: "best", 0: "worst"} if last < 2 else {last: "best", last // 2: "median", 0: "worst"}
    for index, why in places.items():
        value, name, exam = ranked[index]
        counts = exam.of(row)
        at = int((counts[:, 0] + counts[:, 2]).argmax())
        text = f"{row} Dice {value:.3f} of the exam, {slice_values(counts[at], 'dice'):.3f} of this slice"
        chosen.append(Choice(f"{why} exam", name, int(exam.places[at]), text))
    slices = []
    for _, name, exam in ranked:
        counts = exam.of(row)
        values, wrong = slice_values(counts, "dice"), counts[:, 1] + counts[:, 2]
        at = int(np.lexsort((-wrong, values))[0])
        slices.append((float(values[at]), -int(wrong[at]), name, int(exam.places[at])))
    for value, wrong_voxels, name, place in sorted(slices)[:WORST_SLICES]:
        text = f"{row} Dice {value:.3f} of this slice, {-wrong_voxels} voxels wrong"
        chosen.append(Choice("worst slice", name, place, text))
    return chosen


def draw_checks(
    choices: Sequence[Choice],
    exams: Sequence[PreparedExam],
    labels_of: Callable[[PreparedExam], NDArray[np.uint8]],
    channels: Sequence[str],
    side: str,
) -> list[Check]:
    """Draw the chosen slices; each exam among them is segmented once more.

    Parameters
    ----------
    labels_of : callable
        Gives the `Tissue` values (X, Y, Z) of an exam.
    channels : sequence of str
        Names of the channels of the network slices.
    side : str
        Begins the names of the files.
    """
    by_name = {exam.name: exam for exam in exams}
    found: dict[str, NDArray[np.uint8]] = {}
    checks = []
    for number, choice in enumerate(choices, 1):
        exam = by_name[choice.exam]
        if exam.name not in found:
            found[exam.name] = labels_of(exam)
        at = choice.place
        labels = found[exam.name][:, :, at]
        masks = np.stack([region.mask(labels) for region in REGIONS])[list(exam.known)]
        reference = np.asarray(exam.regions)[list(exam.known)][..., at]
        picture = three_panels(native_image(exam, at, channels), reference, masks)
        why = choice.why.replace(" ", "-")
        caption = f"{choice.why.capitalize()}: {choice.exam}, slice {at + 1}. {choice.text}"
        checks.append(Check(f"{side}-{number}-{why}.png", caption, to_png(picture)))
    return checks


def native_image(exam: PreparedExam, place: int, channels: Sequence[str]) -> NDArray[np.float32]:
    """A slice (X, Y) of the exam's FLAIR, else of the first sequence it has; zeros where it was not kept."""
    found = np.flatnonzero(np.asarray(exam.kept) == place)
    if not found.size:
        return np.zeros(exam.frame.native_shape[:2], np.float32)
    there = [index for index, present in enumerate(exam.present) if present] or [0]
    channel = next((index for index in there if channels[index] == "FLAIR"), there[0])
    image = np.asarray(exam.slices[found[0], channel], np.float32)
    # Outside the network slice nothing is known; it is drawn like the darkest of it.
    return np.asarray(to_native((image - image.min())[None, None], exam.frame)[0, :, :, 0])


def three_panels(
    image: NDArray[np.floating], reference: NDArray[np.bool_], masks: NDArray[np.bool_]
) -> Picture:
    """The image; with the reference in green outlines; with the prediction in red ones.

    Parameters
    ----------
    image : (X, Y) array
    reference, masks : (R, X, Y) bool arrays

    Returns
    -------
    (rows, columns, 3) array
        The patient's right is on the left, the front is on top.
    """
    factor = max(1, round(PANEL / max(image.shape)))
    low, high = np.percentile(image, (1, 99.7))
    grey = np.clip((image - low) / max(float(high - low), 1e-6), 0, 1)
    panel = np.repeat(_enlarged(grey * 255, factor).astype(np.uint8)[:, :, None], 3, axis=2)
    panels = [panel]
    for regions, colour in ((reference, GREEN), (masks, RED)):
        marked = panel.copy()
        for region in regions:
            marked[_outline(_enlarged(region, factor).astype(bool))] = colour
        panels.append(marked)
    gap = np.zeros((panel.shape[0], GAP, 3), np.uint8)
    row = np.concatenate([panels[0], gap, panels[1], gap, panels[2]], axis=1)
    return _titled(row, ("image", "reference", "prediction"), panel.shape[1] + GAP)


def to_png(picture: Picture) -> bytes:
    """The bytes of a PNG file."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _titled(row: Picture, titles: Sequence[str], step: int) -> Picture:
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("RGB", (row.shape[1], row.shape[0] + STRIP))
    image.paste(Image.fromarray(row), (0, STRIP))
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(15)
    for index, (title, colour) in enumerate(zip(titles, (INK, GREEN, RED), strict=True)):
        draw.text((index * step + 6, 4), title, fill=colour, font=font)
    return np.asarray(image)


def _enlarged(plane: NDArray[np.generic], factor: int) -> NDArray[np.generic]:
    """A plane (X, Y) as rows and columns of a picture."""
    turned = np.asarray(plane[::-1, ::-1].T)
    return np.repeat(np.repeat(turned, factor, axis=0), factor, axis=1)


def _outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray(mask & ~ndimage.binary_erosion(mask, iterations=2))
