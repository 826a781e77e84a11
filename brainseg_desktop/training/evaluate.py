"""Measures a network on exams that it has not learnt from, each on its own grid and after the clean-up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.labels import REGIONS
from brainseg_desktop.inference.card import NetworkCard, Postprocess
from brainseg_desktop.inference.frame import to_native
from brainseg_desktop.inference.onnx_backend import OnnxSegmenter
from brainseg_desktop.inference.postprocess import clean, label_tissues
from brainseg_desktop.inference.preprocess import CHANNELS, Prepared
from brainseg_desktop.inference.registry import read_model
from brainseg_desktop.inference.segmentation import segment, segment_slices
from brainseg_desktop.inference.segmenter import Segmenter
from brainseg_desktop.training.calibration import Views, region_probabilities, temperature_tensor
from brainseg_desktop.training.config import Recipe
from brainseg_desktop.training.data.sources import Entry, find_all
from brainseg_desktop.training.data.splits import SIDES, split_entries
from brainseg_desktop.training.exams import Exam, PreparedExam, Problem, region_masks
from brainseg_desktop.training.figures import CLASSES, ExamCounts, count_slices
from brainseg_desktop.training.predict import predict_logits

DATA_NAMES = {"lgg": "LGG", "brats": "BraTS", "stacks": "BraTS", "coco": "COCO", "pictures": "Pictures"}
Tell = Callable[[str], None]
# Probabilities (R, X, Y, N) in 0..255, of the N kept slices of an exam on its own in-plane grid.
Predict = Callable[[PreparedExam], NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class Measured:
    """The exams of one side that were measured, and what could not be."""

    exams: list[ExamCounts] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def network_views(network: nn.Module, recipe: Recipe) -> Views:
    """What a torch network says of an exam: its logits, and those of the mirror image if the recipe asks."""

    def views(exam: PreparedExam) -> list[NDArray[np.float32]]:
        found = [predict_logits(network, exam, recipe)]
        if recipe.evaluation.mirrored:
            mirrored = replace(exam, slices=np.asarray(exam.slices)[:, :, ::-1])
            found.append(predict_logits(network, mirrored, recipe)[:, :, ::-1])
        return [np.ascontiguousarray(logits, np.float32) for logits in found]

    return views


def network_predictor(views: Views, recipe: Recipe, temperatures: Mapping[str, float]) -> Predict:
    """A torch network as a predictor, for those that cannot be exported."""

    def predict(exam: PreparedExam) -> NDArray[np.uint8]:
        shown = []
        for logits in views(exam):
            scale = temperature_tensor(temperatures, recipe, logits.shape[1])
            found = region_probabilities(torch.from_numpy(logits), recipe.selection.targets, scale)
            shown.append(found.numpy()[:, : len(recipe.regions)])
        native = to_native(np.mean(shown, axis=0, dtype=np.float32), exam.frame)
        return np.asarray(np.rint(native.clip(0, 1) * 255), np.uint8)

    return predict


def file_predictor(segmenter: Segmenter, network: NetworkCard) -> Predict:
    """A published network as a predictor, run slice by slice as the program runs it."""

    def predict(exam: PreparedExam) -> NDArray[np.uint8]:
        slices = np.asarray(exam.slices, np.float32)
        prepared = Prepared(slices, exam.present, network.kinds[0], exam.frame)
        found = np.zeros((len(network.regions), *exam.frame.native_shape[:2], len(slices)), np.uint8)
        for result in segment_slices(segmenter, network, prepared, None):
            found[..., list(result.z)] = result.probabilities
        return found

    return predict


def whole_exam(probabilities: NDArray[np.uint8], exam: PreparedExam) -> NDArray[np.uint8]:
    """Probabilities (R, X, Y, Z) of all slices; nothing is found in those that were not kept."""
    whole = np.zeros((len(probabilities), *exam.frame.native_shape), np.uint8)
    whole[..., np.asarray(exam.kept)] = probabilities
    return whole


def measured_places(exam: PreparedExam, recipe: Recipe) -> NDArray[np.int64]:
    """The slices that count: all of the exam, unless the recipe is about some of them only.

    Slices left out because they show nothing do count: the reference of one may hold tumour.
    """
    selection = recipe.selection
    if recipe.split.by == "slice" or selection.first_slice or selection.slice_count:
        return np.asarray(exam.kept)
    return np.arange(exam.frame.native_shape[2])


def evaluate(
    predict: Predict,
    exams: Iterable[PreparedExam],
    recipe: Recipe,
    postprocess: Postprocess,
    tell: Tell = lambda text: None,
) -> list[ExamCounts]:
    """Measure prepared exams.

    Parameters
    ----------
    predict : callable
        From `file_predictor` or `network_predictor`.
    tell : callable
        Called with one line for each exam.
    """
    every = []
    for exam in exams:
        places = measured_places(exam, recipe)
        labels = labels_of(predict, exam, recipe.regions, postprocess)
        rows, found = count_labels(labels, np.asarray(exam.regions), exam.known, recipe.regions, places)
        counts = ExamCounts(exam.name, exam.patient, data_name(exam), exam.kind, rows, places, found)
        tell(line(counts))
        every.append(counts)
    return every


def labels_of(
    predict: Predict, exam: PreparedExam, regions: tuple[str, ...], postprocess: Postprocess
) -> NDArray[np.uint8]:
    """`Tissue` values (X, Y, Z) of an exam."""
    return clean(label_tissues(whole_exam(predict(exam), exam), regions, postprocess), postprocess)


def count_labels(
    labels: NDArray[np.uint8],
    reference: NDArray[np.bool_],
    known: Sequence[bool],
    regions: tuple[str, ...],
    places: NDArray[np.int64],
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Compare labels (X, Y, Z) with a reference (3, X, Y, Z), in the regions that both know.

    Where all three are known the classes are counted too; each is what a region has more than the one inside.

    Returns
    -------
    rows : tuple of str
    counts : (len(places), len(rows), 4) array
    """
    both = [i for i, region in enumerate(REGIONS) if known[i] and region.name in regions]
    masks = np.stack([REGIONS[i].mask(labels[:, :, places]) for i in both])
    expected = reference[both][..., places]
    rows = tuple(REGIONS[i].name for i in both)
    if len(rows) == 3:
        masks, expected = (np.concatenate([nested, _classes(nested)]) for nested in (masks, expected))
        rows += CLASSES
    return rows, count_slices(expected, masks)


def data_name(exam: Exam | PreparedExam) -> str:
    """The data set that an exam is of."""
    return DATA_NAMES.get(exam.source, exam.source)


def line(counts: ExamCounts) -> str:
    """Dice of the regions of an exam in one line; a dash where both masks are empty."""
    cells = [(row, counts.value(row, "dice")) for row in counts.rows if row not in CLASSES]
    told = ", ".join(f"{row} -" if value is None else f"{row} {value:.3f}" for row, value in cells)
    return f"{counts.name} ({counts.kind}): {told}"


def evaluate_model(
    folder: Path, recipe: Recipe, side: str, *, drop: Sequence[str] = (), tell: Tell = lambda text: None
) -> Measured:
    """Measure a published model on one side of a recipe, from the files on, as the program would run it.

    Parameters
    ----------
    folder : Path
        With ``model.toml``.
    side : str
        One of `SIDES`.
    drop : sequence of str
        Sequences that are withheld.

    Raises
    ------
    UserError
        Those of `read_model`, ``side_unknown`` (params ``side``, ``known``), ``side_unmeasured`` (``side``),
        ``split_by_slice`` (``name``): the program segments whole exams, ``sequence_not_dropped`` (``name``,
        ``known``).
    """
    if side not in SIDES:
        raise UserError("side_unknown", side=side, known=SIDES)
    if recipe.split.by == "slice":
        raise UserError("split_by_slice", name=recipe.name)
    known = [sequence.value for sequence in CHANNELS]
    for name in drop:
        if name not in known:
            raise UserError("sequence_not_dropped", name=name, known=known)
    segmenter = OnnxSegmenter(read_model(folder))
    result = Measured()
    found = [entry for _, entries in find_all(recipe, result.problems) for entry in entries]
    sides, _ = split_entries(found, recipe, result.problems)
    for entry in sides[side]:
        counts = _measure_entry(segmenter, entry, drop, result.problems)
        if counts is not None:
            tell(line(counts))
            result.exams.append(counts)
    if not result.exams:
        raise UserError("side_unmeasured", side=side)
    return result


def _measure_entry(
    segmenter: Segmenter, entry: Entry, drop: Sequence[str], problems: list[Problem]
) -> ExamCounts | None:
    try:
        exam = entry.read(problems)
        if exam is None:
            return None
        volumes = {name: data for name, data in exam.volumes.items() if name not in drop}
        prediction = segment(segmenter, volumes, exam.spacing_mm)
    except UserError as error:
        problems.append(Problem(error.code, entry.name, str(error)))
        return None
    reference = region_masks(exam.reference, exam.coding)
    places = np.arange(exam.reference.shape[2])
    rows, counts = count_labels(prediction.labels, reference, exam.taught, prediction.regions, places)
    return ExamCounts(exam.name, exam.patient, data_name(exam), prediction.kind, rows, places, counts)


def _classes(nested: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """`CLASSES` (4, ...) of the nested regions WT, TC, ET (3, ...)."""
    whole, core, enhancing = nested
    return np.stack([~whole, core & ~enhancing, whole & ~core, enhancing])
