"""A recipe from its data to its page: learn, calibrate, export, clean up, measure, report, publish."""

from __future__ import annotations

import copy
import hashlib
import os
import platform
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.inference.card import Calibration, ModelCard, NetworkCard, Postprocess
from brainseg_desktop.inference.onnx_backend import OnnxSegmenter
from brainseg_desktop.inference.registry import contradiction, read_model
from brainseg_desktop.services.messages import words
from brainseg_desktop.training.architectures import build_network, count_parameters
from brainseg_desktop.training.calibration import Reliability, calibrate
from brainseg_desktop.training.checkpoint import CHECKPOINT, load_trained
from brainseg_desktop.training.config import Recipe, read_recipe
from brainseg_desktop.training.crossing import crossed_views
from brainseg_desktop.training.data.loading import Dataset, load_data
from brainseg_desktop.training.evaluate import (
    Predict,
    evaluate,
    file_predictor,
    labels_of,
    network_predictor,
    network_views,
)
from brainseg_desktop.training.exams import PreparedExam, context_stack
from brainseg_desktop.training.export import Exported, Store, export_network
from brainseg_desktop.training.figures import ExamCounts, card_figures, class_means, summarise
from brainseg_desktop.training.loop import TrainResult, train
from brainseg_desktop.training.publish import publish
from brainseg_desktop.training.report.checks import Check, choose_slices, draw_checks
from brainseg_desktop.training.report.page import write_index, write_report
from brainseg_desktop.training.report.results import (
    Export,
    Machine,
    Results,
    SideResults,
    case_of,
    compare_published,
    read_results,
    recipe_content,
    write_results,
)
from brainseg_desktop.training.targets import output_count
from brainseg_desktop.training.tuning import tune

Tell = Callable[[str], None]
FloatArray = NDArray[np.float32]

MEASURED_SIDES = ("validation", "test")
MODEL_FOLDER = "model"
# File and network are compared on so many validation slices.
PARITY_SLICES = 64
PARITY_BATCH = 4


def run_recipe(
    path: Path, run: str | None = None, *, resume: bool = False, evaluate_only: bool = False, tell: Tell
) -> Results | None:
    """Do a run of a recipe, or what is left of it.

    A run that was finished with the same recipe is not done again: its results are read.

    Parameters
    ----------
    path : Path
    run : str, optional
        Name of the run, where the recipe has several.
    resume : bool
        Go on from the checkpoint if there is one.
    evaluate_only : bool
        Measure, report and publish what the checkpoint holds, without training.
    tell : callable
        Called with lines of progress.

    Returns
    -------
    Results or None
        None in all processes of a torchrun but the first.

    Raises
    ------
    UserError
        ``run_unfinished`` (params ``path``) if training has begun there and neither was asked for, and those
        of reading the recipe, the data and the checkpoint.
    """
    recipe = read_recipe(path, run)
    reason = unusable(recipe)
    if reason is not None:
        raise UserError("recipe_invalid", path=path, reason=reason)
    work = Path(recipe.work)
    done = read_results(work)
    if done is not None and done.recipe == recipe_content(recipe) and not evaluate_only:
        tell(f"{recipe.name} was finished before; its results lie in {work}")
        return done
    begun = (work / CHECKPOINT).is_file()
    if begun and not resume and not evaluate_only:
        raise UserError("run_unfinished", path=work)
    dataset = load_data(recipe, tell)
    outcome = kept(recipe, tell) if evaluate_only else train(recipe, dataset, resume=begun, tell=tell)
    if os.environ.get("RANK", "0") != "0":
        return None
    return finish(recipe, dataset, outcome, path.read_text(encoding="utf-8"), tell)


def unusable(recipe: Recipe) -> str | None:
    """Why what comes of a recipe could not be run by the program, in words, told before hours of training."""
    regions = {"classes": ("WT", "TC", "ET"), "binary": ("WT",)}
    wanted = regions.get(recipe.selection.targets, recipe.regions)
    if recipe.regions != wanted:
        return f"targets = {recipe.selection.targets!r} goes with the regions {', '.join(wanted)}"
    network = NetworkCard(
        kinds=recipe.kinds,
        weights="weights.onnx",
        sha256="",
        architecture=recipe.network.name,
        parameters=0,
        regions=recipe.regions,
        preparation=recipe.preparation,
    )
    card = ModelCard(
        name=recipe.name,
        version=recipe.version,
        title=recipe.title,
        licence=recipe.licence,
        networks=(network,),
    )
    return contradiction(card)


def kept(recipe: Recipe, tell: Tell) -> TrainResult:
    """The network of a run's checkpoint as it stands."""
    network = build_network(recipe.network, recipe.preparation.input_channels, output_count(recipe), tell)
    progress = load_trained(network, Path(recipe.work))
    schedule = recipe.schedule
    whole = progress.step >= schedule.steps if schedule.steps else len(progress.history) >= schedule.epochs
    reason = "finished" if whole else "measured"
    return TrainResult(network.eval(), progress.history, progress.step, progress.seconds, reason)


def finish(recipe: Recipe, dataset: Dataset, outcome: TrainResult, source: str, tell: Tell) -> Results:
    """Everything that comes after the training."""
    work = Path(recipe.work)
    views = network_views(outcome.network, recipe)
    temperatures: dict[str, float] = {}
    reliabilities: list[Reliability] = []
    chosen_on, crossed = dataset.validation, None
    if recipe.evaluation.tune and recipe.evaluation.parts:
        chosen_on = [*dataset.validation, *dataset.train]
        crossed = crossed_views(recipe, dataset.train, tell)
    met = {exam.name for exam in dataset.train}

    def unmet(exam: PreparedExam) -> Sequence[FloatArray]:
        return crossed(exam) if crossed is not None and exam.name in met else views(exam)

    if recipe.evaluation.tune and chosen_on:
        tell(f"calibrating on {len(chosen_on)} exams")
        temperatures, reliabilities = calibrate(unmet, chosen_on, recipe)
    network = copy.deepcopy(outcome.network).cpu()
    exported, not_exported = _export(network, recipe, dataset, temperatures, tell)
    card = _card(recipe, dataset, outcome, reliabilities, exported)
    predict = network_predictor(views, recipe, temperatures)
    if exported is not None:
        # The figures are those of the file, run as the program runs it.
        shutil.rmtree(work / MODEL_FOLDER, ignore_errors=True)
        published = _publish(work / MODEL_FOLDER, recipe, card, exported)
        segmenter = OnnxSegmenter(read_model(work / MODEL_FOLDER), recipe.schedule.threads)
        predict = file_predictor(segmenter, published.networks[0])
    postprocess = recipe.evaluation.postprocess
    if recipe.evaluation.tune and chosen_on:
        tell(f"choosing thresholds and clean-up on {len(chosen_on)} exams")
        predict_unmet = network_predictor(unmet, recipe, temperatures)
        postprocess = tune(lambda e: (predict_unmet if e.name in met else predict)(e), chosen_on, recipe)
    counts = {
        side: evaluate(predict, dataset.side(side), recipe, postprocess, tell)
        for side in MEASURED_SIDES
        if dataset.side(side)
    }
    sides = {side: _side_results(of_side, recipe) for side, of_side in counts.items()}
    if exported is not None:
        figures = [f for side in sides for f in card_figures(sides[side].figures, side)]
        card = msgspec.structs.replace(card, postprocess=postprocess, figures=tuple(figures))
        _publish(work / MODEL_FOLDER, recipe, card, exported)
        if recipe.model:
            _publish(Path(recipe.model), recipe, card, exported)
    results = Results(
        recipe=recipe_content(recipe),
        source=source,
        parameters=card.parameters,
        patients=_names(dataset, "patient"),
        exams=_names(dataset, "name"),
        slices={side: sum(len(e.kept) for e in dataset.side(side)) for side in ("train", *MEASURED_SIDES)},
        warnings=tuple(dataset.warnings),
        problems=tuple({"code": p.code, "name": p.name, "reason": p.reason} for p in dataset.problems),
        history=tuple(msgspec.to_builtins(record) for record in outcome.history),
        steps=outcome.steps,
        seconds=outcome.seconds,
        stopped_because=outcome.stopped_because,
        machine=_machine(recipe),
        postprocess=postprocess,
        temperatures=temperatures,
        reliabilities=tuple(reliabilities),
        export=_export_facts(exported),
        not_exported=not_exported,
        published_to=recipe.model if exported is not None else "",
        sides=sides,
        comparisons=compare_published(recipe, sides),
    )
    checks = {
        side: _checks(predict, dataset.side(side), of_side, recipe, postprocess, side)
        for side, of_side in counts.items()
    }
    page = write_report(work, results, checks)
    # Last: where it is, the run is finished.
    write_results(work, results)
    tell(f"report: {page}")
    return results


def compare_runs(title: str, results: Sequence[Results]) -> Path | None:
    """Write the page that puts the runs of a recipe side by side; None if there is one run only."""
    if len(results) < 2:
        return None
    folders = [Path(r.recipe["work"]) for r in results]
    return write_index(folders[0].parent, title, [(f.name, r) for f, r in zip(folders, results, strict=True)])


def parity_batches(exams: Sequence[PreparedExam], recipe: Recipe) -> list[FloatArray]:
    """Slices that file and network are compared on, spread over the exams; those of a batch have one size."""
    places = [(exam, z) for exam in exams for z in range(len(exam.slices))]
    chosen = np.unique(np.linspace(0, len(places) - 1, PARITY_SLICES).astype(int))
    by_size: dict[tuple[int, ...], list[FloatArray]] = {}
    for exam, z in (places[i] for i in chosen):
        image = context_stack(exam.slices, z, recipe.preparation.context)
        by_size.setdefault(image.shape, []).append(image)
    return [
        np.stack(images[first : first + PARITY_BATCH])
        for images in by_size.values()
        for first in range(0, len(images), PARITY_BATCH)
    ]


def _export(
    network: nn.Module, recipe: Recipe, dataset: Dataset, temperatures: dict[str, float], tell: Tell
) -> tuple[Exported | None, str]:
    """The weights file with the shortest kernels that are true to the network, or why there is none."""
    tell("exporting")
    batches = parity_batches(dataset.validation or dataset.train, recipe)
    stores: tuple[Store, ...] = ("int8", "float16")
    reason = ""
    for store in stores:
        try:
            return export_network(network, recipe, temperatures, batches, store), ""
        except UserError as error:
            reason = words(error)
            tell(reason)
            if error.code != "weights_differ":
                break
    return None, reason


def _publish(folder: Path, recipe: Recipe, card: NetworkCard, exported: Exported) -> ModelCard:
    return publish(
        folder,
        card,
        exported.content,
        version=recipe.version,
        title=recipe.title or recipe.name,
        licence=recipe.licence,
    )


def _card(
    recipe: Recipe,
    dataset: Dataset,
    outcome: TrainResult,
    reliabilities: Sequence[Reliability],
    exported: Exported | None,
) -> NetworkCard:
    calibration: dict[str, Calibration] = {r.region: r.calibration for r in reliabilities}
    names = _names(dataset, "name")
    return NetworkCard(
        kinds=recipe.kinds,
        weights="",
        sha256="",
        architecture=recipe.network.name,
        parameters=count_parameters(outcome.network),
        regions=recipe.regions,
        preparation=recipe.preparation,
        calibration=calibration,
        mirrored=recipe.evaluation.mirrored,
        recipe=recipe.name,
        steps=outcome.steps,
        export_difference=round(exported.parity.difference, 5) if exported is not None else 0.0,
        train=names["train"],
        validation=names["validation"],
        test=names["test"],
        training_data=recipe.training_data,
        note=recipe.note,
    )


def _side_results(counts: Sequence[ExamCounts], recipe: Recipe) -> SideResults:
    figures = summarise(counts, resamplings=recipe.evaluation.bootstrap, seed=recipe.seed)
    return SideResults(
        figures=tuple(figures),
        class_means=tuple(class_means(figures)),
        cases=tuple(case_of(exam) for exam in counts),
    )


def _checks(
    predict: Predict,
    exams: Sequence[PreparedExam],
    counts: Sequence[ExamCounts],
    recipe: Recipe,
    postprocess: Postprocess,
    side: str,
) -> list[Check]:
    choices = choose_slices(counts, recipe.regions[0])
    return draw_checks(
        choices,
        exams,
        lambda exam: labels_of(predict, exam, recipe.regions, postprocess),
        recipe.preparation.channels,
        side,
    )


def _names(dataset: Dataset, what: str) -> dict[str, tuple[str, ...]]:
    """Patients or exams of each side."""
    return {
        side: tuple(sorted({getattr(exam, what) for exam in dataset.side(side)}))
        for side in ("train", *MEASURED_SIDES)
    }


def _machine(recipe: Recipe) -> Machine:
    cuda = recipe.schedule.device != "cpu" and torch.cuda.is_available()
    return Machine(
        system=f"{platform.system()} {platform.machine()}",
        processors=os.cpu_count() or 1,
        device=torch.cuda.get_device_name() if cuda else "the processor",
        torch=str(torch.__version__),
    )


def _export_facts(exported: Exported | None) -> Export | None:
    if exported is None:
        return None
    return Export(
        store=exported.store,
        size=len(exported.content),
        sha256=hashlib.sha256(exported.content).hexdigest(),
        difference=exported.parity.difference,
        flipped=exported.parity.flipped,
    )
