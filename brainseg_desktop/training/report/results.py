"""All that is known of a run, as the page shows it and ``results.json`` keeps it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.inference.card import Postprocess
from brainseg_desktop.io.atomic import write_bytes
from brainseg_desktop.training.calibration import Reliability
from brainseg_desktop.training.config import Recipe
from brainseg_desktop.training.figures import (
    CLASSES,
    MEASURES,
    ClassMeans,
    ExamCounts,
    RegionFigures,
    Spread,
)

RESULTS_FILE = "results.json"


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one exam.

    Parameters
    ----------
    measures : dict of row to dict of measure to float or None
        Rows are regions, and classes where they were measured.
    """

    name: str
    patient: str
    data: str
    kind: str
    slices: int
    measures: dict[str, dict[str, float | None]]


class SideResults(msgspec.Struct, frozen=True, kw_only=True):
    """One side of the split."""

    figures: tuple[RegionFigures, ...]
    class_means: tuple[ClassMeans, ...]
    cases: tuple[Case, ...]


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """The weights file: how it stores kernels, its size in bytes, and how far it is from the network."""

    store: str
    size: int
    sha256: str
    difference: float
    flipped: float


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """A published figure beside ours.

    Parameters
    ----------
    where : str
        What the mean is over; ours is taken over the same.
    ours, by_patient : float or None
        `by_patient`: the mean over patients, where a mean over slices or classes was published.
    """

    measure: str
    side: str
    where: str
    published: float
    ours: float | None
    by_patient: Spread | None


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where the run was made."""

    system: str
    processors: int
    device: str
    torch: str


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """A finished run.

    Parameters
    ----------
    recipe : dict
        As read, all defaults filled in.
    source : str
        Text of the recipe's file.
    parameters : int
    patients, exams, slices : dict of side to names, names and number
    warnings : tuple of str
        What may make the figures mean less than they seem to; first of all leaks.
    problems : tuple of dict
        Files that could not be used: code, name, reason.
    history : tuple of dict
        One for each epoch (`checkpoint.EpochRecord`).
    steps : int
    seconds : float
        Of training.
    stopped_because : str
    temperatures : dict of region to float
    not_exported : str
        Why there is no weights file; empty if there is one.
    published_to : str
        Folder of the model; empty if it was only measured.
    """

    recipe: dict[str, Any]
    source: str
    parameters: int
    patients: dict[str, tuple[str, ...]]
    exams: dict[str, tuple[str, ...]]
    slices: dict[str, int]
    warnings: tuple[str, ...]
    problems: tuple[dict[str, str], ...]
    history: tuple[dict[str, Any], ...]
    steps: int
    seconds: float
    stopped_because: str
    machine: Machine
    postprocess: Postprocess
    temperatures: dict[str, float]
    reliabilities: tuple[Reliability, ...]
    export: Export | None
    not_exported: str
    published_to: str
    sides: dict[str, SideResults]
    comparisons: tuple[Comparison, ...]

    @property
    def name(self) -> str:
        """Of the recipe, and of the run where it has several."""
        return str(self.recipe["name"])


def write_results(folder: Path, results: Results) -> Path:
    """Write ``results.json``; a number that is infinite is null there."""
    path = folder / RESULTS_FILE
    write_bytes(path, msgspec.json.format(msgspec.json.encode(results)))
    return path


def to_json(content: Any) -> Any:
    """Figures or results as lists, tables and numbers of JSON; what is infinite is None."""
    return json.loads(msgspec.json.encode(content))


def read_results(folder: Path) -> Results | None:
    """What a run in this folder came to; None if none was finished there.

    Raises
    ------
    UserError
        ``results_unreadable`` (params ``path``, ``reason``).
    """
    path = folder / RESULTS_FILE
    try:
        content = json.loads(path.read_bytes())
        if content["postprocess"].get("speck_voxels") is None:
            content["postprocess"].pop("speck_voxels", None)
        return msgspec.convert(content, type=Results)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise UserError("results_unreadable", path=path, reason=str(error)) from error


def case_of(exam: ExamCounts) -> Case:
    """The figures of an exam."""
    return Case(
        name=exam.name,
        patient=exam.patient,
        data=exam.data,
        kind=exam.kind,
        slices=len(exam.places),
        measures={row: {m: exam.value(row, m) for m in MEASURES} for row in exam.rows},
    )


def recipe_content(recipe: Recipe) -> dict[str, Any]:
    """A recipe as it stands in `Results.recipe`, equal before and after it was in a file."""
    content: dict[str, Any] = to_json(recipe)
    return content


def compare_published(recipe: Recipe, sides: dict[str, SideResults]) -> tuple[Comparison, ...]:
    """The published figures of a recipe beside ours, each taken over what the published one was taken over.

    `published["where"]` says over what: ``all slices``, ``tumour slices``, ``classes`` (all voxels pooled,
    the background a class), anything else the patients. The outermost region of the first data set is
    compared.
    """
    told = recipe.published
    side, where = str(told.get("side", "test")), str(told.get("where", ""))
    results = sides.get(side)
    found = None
    if results is not None:
        found = next((f for f in results.figures if f.region == recipe.regions[0]), None)
    rows = []
    for measure, value in told.items():
        if not isinstance(value, float | int):
            continue
        spread = found.patients.get(measure) if found is not None else None
        ours = None
        if results is not None and where == "classes":
            ours = next((c.means.get(measure) for c in results.class_means), None)
        elif found is not None and where == "all slices":
            ours = found.all_slices.get(measure)
        elif found is not None and where == "tumour slices":
            ours = found.tumour_slices.get(measure)
        elif spread is not None:
            ours = spread.mean
        rows.append(
            Comparison(
                measure=measure,
                side=side,
                where=where,
                published=float(value),
                ours=ours,
                by_patient=spread,
            )
        )
    return tuple(rows)


def regions_first(figures: tuple[RegionFigures, ...]) -> tuple[list[RegionFigures], list[RegionFigures]]:
    """Figures of regions, and those of classes."""
    return (
        [f for f in figures if f.region not in CLASSES],
        [f for f in figures if f.region in CLASSES],
    )
