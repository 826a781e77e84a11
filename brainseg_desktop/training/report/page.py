"""One page for a run, and one that puts the runs of a recipe side by side; neither needs another file."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

from brainseg_desktop.io.atomic import write_bytes
from brainseg_desktop.training.figures import MEASURES, RegionFigures, Spread
from brainseg_desktop.training.report.checks import Check
from brainseg_desktop.training.report.curves import line_chart, reliability_chart
from brainseg_desktop.training.report.results import Results, SideResults, regions_first
from brainseg_desktop.training.report.style import STYLE

PAGE_FILE = "report.html"
INDEX_FILE = "index.html"
CHECKS_FOLDER = "checks"
SIDE_NAMES = {"train": "training", "validation": "validation", "test": "test"}

RULES = (
    "Dice, IoU, precision, sensitivity, specificity and accuracy of a patient are taken over all measured "
    "voxels of all exams, on the exam's own grid and after the clean-up; brackets hold a 95 % bootstrap "
    "interval of the mean over patients. A patient whose reference and mask are both empty has no Dice "
    "and is left out. Slices: Dice and IoU are 1 where reference and mask are both empty and 0 where one "
    "of them is; other measures leave out slices in which they have no value. False slices are those "
    "without the region in which the mask holds some. Accuracy and specificity count the background and "
    "are close to 1 for any small tumour: read them beside the Dice only."
)
COMPARISON_HEAD = ("Measure", "Side", "Over", "Published", "Ours, over the same", "Ours, by patient [95 %]")
NO_DEVICE = "Research use only; no medical device."
MEASURE_NAMES = {measure: measure.capitalize() for measure in MEASURES} | {"iou": "IoU"}
ENDS = {
    "finished": "after all steps",
    "early_stop": "early: the validation Dice rose no more; the best epoch was kept",
    "minutes": "when the minutes of the recipe were over, before all steps",
    "measured": "before its end: measured as the checkpoint stood",
}
# The measures that count the background: they differ in the last places only.
FINE = ("specificity", "accuracy")


def write_report(folder: Path, results: Results, checks: Mapping[str, Sequence[Check]]) -> Path:
    """Write the page of a run, and its pictures beside it.

    Parameters
    ----------
    folder : Path
        The run's work folder.
    checks : dict of side to pictures

    Returns
    -------
    Path
        Of the page.
    """
    pictures = folder / CHECKS_FOLDER
    pictures.mkdir(parents=True, exist_ok=True)
    for old in pictures.glob("*.png"):
        old.unlink()
    for side in checks.values():
        for check in side:
            write_bytes(pictures / check.file, check.png)
    path = folder / PAGE_FILE
    write_bytes(path, run_page(results, checks).encode())
    return path


def write_index(folder: Path, title: str, runs: Sequence[tuple[str, Results]]) -> Path:
    """Write the page that compares runs.

    Parameters
    ----------
    folder : Path
    title : str
    runs : pairs of the folder of a run, relative to `folder`, and its results
    """
    path = folder / INDEX_FILE
    write_bytes(path, index_page(title, runs).encode())
    return path


def run_page(results: Results, checks: Mapping[str, Sequence[Check]]) -> str:
    """The page of a run."""
    recipe = results.recipe
    title = f"{results.name}: {recipe['title']}" if recipe["title"] else results.name
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="soft">Version {escape(str(recipe["version"]))}. {NO_DEVICE}</p>',
        *(f'<p class="bad"><b>Warning.</b> {escape(text)}</p>' for text in results.warnings),
        _problems(results),
        _compared(COMPARISON_HEAD, _comparison_rows(results), words=(0, 1, 2)),
        "<h2>Figures</h2>",
        *(_side(name, side) for name, side in results.sides.items()),
        f'<p class="soft">{escape(RULES)}</p>',
        "<h2>Training</h2>",
        _facts(results),
        _curves(results),
        *(_checks(side, of_side) for side, of_side in checks.items() if of_side),
        _calibration(results),
        "<h2>Patients</h2>",
        *(_cases(name, side) for name, side in results.sides.items()),
        _split(results),
        f"<h2>Recipe</h2><pre>{escape(results.source.strip())}</pre>",
    ]
    return _document(title, parts)


def index_page(title: str, runs: Sequence[tuple[str, Results]]) -> str:
    """The page that puts runs side by side."""
    trained, measured = [], []
    for folder, results in runs:
        name = escape(_short(results.name))
        link = f'<a href="{escape(folder)}/{PAGE_FILE}">{name}</a>'
        network, minutes = escape(str(results.recipe["network"]["name"])), f"{results.seconds / 60:.1f}"
        ended = ENDS.get(results.stopped_because, escape(results.stopped_because))
        trained.append([link, network, f"{results.parameters:,}", f"{results.steps:,}", minutes, ended])
        for side, found in results.sides.items():
            regions, _ = regions_first(found.figures)
            if regions:
                measured.append([name, SIDE_NAMES[side], *_index_cells(regions[0])])
    trained_head = ["Run", "Network", "Parameters", "Steps", "Minutes", "Ended"]
    head = ["Run", "Side", "Patients", "Dice [95 %]", "Median", "Worst", "IoU", "Accuracy", "Slice Dice"]
    head += ["False slices"]
    compared = [[escape(_short(r.name)), *row] for _, r in runs for row in _comparison_rows(r)]
    warnings = sorted({text for _, results in runs for text in results.warnings})
    loss = line_chart(
        "Validation loss",
        {_short(r.name): [(h["epoch"], h["validation_loss"]) for h in r.history] for _, r in runs},
    )
    dice = line_chart(
        "Validation Dice",
        {_short(r.name): [(h["epoch"], h["metrics"].get("dice")) for h in r.history] for _, r in runs},
    )
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="soft">Outermost region, mean over patients. {NO_DEVICE}</p>',
        *(f'<p class="bad"><b>Warning.</b> {escape(text)}</p>' for text in warnings),
        _table(trained_head, trained, words=(0, 1, 5)),
        "<h2>Figures</h2>",
        _table(head, measured, words=(0, 1)),
        _compared(["Run", *COMPARISON_HEAD], compared, words=(0, 1, 2, 3)),
        f'<div class="charts">{dice}{loss}</div>',
        f'<p class="soft">{escape(RULES)}</p>',
    ]
    return _document(title, parts)


def _index_cells(figure: RegionFigures) -> list[str]:
    return [
        *_patient_cells(figure, ("dice",)),
        _number(_mean_of(figure, "iou")),
        _number(_mean_of(figure, "accuracy"), _digits("accuracy")),
        _number(figure.all_slices["dice"]),
        _percent(figure.false_slices),
    ]


def _document(title: str, parts: Iterable[str]) -> str:
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>"
        f"{chr(10).join(part for part in parts if part)}</main></body></html>\n"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], words: Sequence[int] = (0,)) -> str:
    """A table; cells are HTML already, and those outside the columns of words are aligned as numbers."""

    def row(cells: Sequence[str], tag: str) -> str:
        marks = ("" if i in words else ' class="n"' for i in range(len(cells)))
        return "".join(f"<{tag}{mark}>{cell}</{tag}>" for mark, cell in zip(marks, cells, strict=True))

    body = "".join(f"<tr>{row(cells, 'td')}</tr>" for cells in rows)
    top = f"<thead><tr>{row([escape(cell) for cell in head], 'th')}</tr></thead>"
    return f'<div class="scroll"><table>{top}<tbody>{body}</tbody></table></div>'


def _problems(results: Results) -> str:
    if not results.problems:
        return ""
    counts = Counter(problem["code"] for problem in results.problems)
    told = ", ".join(f"{escape(code)} {count}" for code, count in sorted(counts.items()))
    rows = [[escape(p[key]) for key in ("code", "name", "reason")] for p in results.problems]
    table = _table(["Problem", "File or case", "Details"], rows, words=(0, 1, 2))
    return (
        f'<p class="bad"><b>{len(rows)} problems in the data</b> ({told}). What they name was left out, or '
        f"read as well as it could be.</p><details><summary>All {len(rows)}</summary>{table}</details>"
    )


def _comparison_rows(results: Results) -> list[list[str]]:
    return [
        [
            MEASURE_NAMES.get(c.measure, escape(c.measure)),
            SIDE_NAMES.get(c.side, escape(c.side)),
            escape(c.where),
            _number(c.published, 4),
            f'<span class="strong">{_number(c.ours, 4)}</span>',
            _spread(c.by_patient),
        ]
        for c in results.comparisons
    ]


def _compared(head: Sequence[str], rows: Sequence[Sequence[str]], words: Sequence[int]) -> str:
    """Published figures beside ours; empty where none is."""
    if not rows:
        return ""
    return (
        f"<h2>Beside the published figures</h2>{_table(head, rows, words=words)}"
        '<p class="soft">Published on other patients and another split: a difference is not proof. By '
        "patient is the outermost region, whatever the published mean is over.</p>"
    )


def _side(name: str, side: SideResults) -> str:
    regions, classes = regions_first(side.figures)
    title = f"<h3>{SIDE_NAMES[name].capitalize()}</h3>"
    if not regions:
        return f"{title}<p>Nobody is on this side.</p>"
    others = tuple(m for m in MEASURES if m != "dice")
    by_patient = [
        [
            escape(f.data),
            f.region,
            *_patient_cells(f, ("dice",)),
            *(_number(_mean_of(f, m), _digits(m)) for m in others),
            str(f.left_out),
        ]
        for f in regions
    ]
    head = ["Data", "Region", "Patients", "Dice [95 %]", "Median", "Worst"]
    head += [MEASURE_NAMES[m] for m in others] + ["Left out"]
    by_slice = [
        [
            escape(f.data),
            f.region,
            str(f.slices),
            _number(f.all_slices["dice"]),
            _number(f.all_slices["iou"]),
            _number(f.all_slices["accuracy"], 4),
            str(f.tumour_slice_count),
            _number(f.tumour_slices["dice"]),
            _number(f.tumour_slices["iou"]),
            _number(f.tumour_slices["precision"]),
            _number(f.tumour_slices["sensitivity"]),
            _percent(f.false_slices),
        ]
        for f in regions
    ]
    slice_head = ["Data", "Region", "All slices", "Dice", "IoU", "Accuracy", "With tumour", "Dice", "IoU"]
    slice_head += ["Precision", "Sensitivity", "False slices"]
    return (
        f'{title}<p class="soft">Mean over patients</p>{_table(head, by_patient, words=(0, 1))}'
        f'<p class="soft">Mean over slices</p>{_table(slice_head, by_slice, words=(0, 1))}'
        f"{_classes(classes, side)}"
    )


def _classes(classes: Sequence[RegionFigures], side: SideResults) -> str:
    if not classes:
        return ""
    rows = [
        [escape(f.data), f.region, *(_number(f.pooled[m], _digits(m)) for m in MEASURES)] for f in classes
    ]
    rows += [
        [
            escape(c.data),
            "<b>mean of four</b>",
            *(_number(c.means[m], _digits(m)) for m in MEASURES),
        ]
        for c in side.class_means
    ]
    head = ["Data", "Class", *(MEASURE_NAMES[m] for m in MEASURES)]
    return (
        '<p class="soft">Classes, all voxels of the side counted together. The mean counts the background as '
        "a class; its accuracy is the share of voxels whose class is right.</p>"
        + _table(head, rows, words=(0, 1))
    )


def _facts(results: Results) -> str:
    recipe, schedule = results.recipe, results.recipe["schedule"]
    length = f"{schedule['epochs']} epochs" if schedule["epochs"] else f"{schedule['steps']:,} steps"
    facts = {
        "network": f"{recipe['network']['name']}, {results.parameters:,} parameters",
        "learnt": recipe["selection"]["targets"],
        "loss": recipe["loss"]["name"],
        "optimizer": f"{recipe['optimizer']['name']}, rate {recipe['optimizer']['learning_rate']:g}, "
        f"decay {recipe['optimizer']['weight_decay']:g}, {schedule['policy']}",
        "length": f"{results.steps:,} optimizer steps; asked for: {length}; batch {schedule['batch']} x "
        f"{schedule['accumulate']}",
        "ended": ENDS.get(results.stopped_because, results.stopped_because),
        "time": f"{results.seconds / 60:.1f} min of training",
        "machine": f"{results.machine.system}, {results.machine.processors} processors, on "
        f"{results.machine.device}, torch {results.machine.torch}",
        "seed": str(recipe["seed"]),
        "clean-up": _clean_up(results),
        "weights file": _weights_file(results),
        "published to": results.published_to or "nowhere: only measured",
    }
    rows = "".join(f"<tr><th>{name}</th><td>{escape(fact)}</td></tr>" for name, fact in facts.items())
    return f'<div class="scroll"><table>{rows}</table></div>'


def _weights_file(results: Results) -> str:
    export = results.export
    if export is None:
        return f"none: {results.not_exported}"
    return (
        f"kernels as {export.store}, {export.size / 2**20:.2f} MiB; largest difference of a probability from "
        f"the network {export.difference:.4f}, {100 * export.flipped:.3f} % of the voxels above 0.01 decided "
        f"otherwise; sha256 {export.sha256}"
    )


def _clean_up(results: Results) -> str:
    post = results.postprocess
    names = results.recipe["regions"]
    words = ["thresholds " + ", ".join(f"{n} {post.thresholds.get(n, 0.5):g}" for n in names)]
    if post.speck_share:
        size = "" if post.speck_voxels == float("inf") else f" and {post.speck_voxels:g} voxels"
        words.append(f"pieces below {post.speck_share:g} of the largest{size} dropped")
    if post.fill_holes:
        words.append("holes filled")
    return "; ".join(words) + " (chosen without the test side)"


def _curves(results: Results) -> str:
    history = results.history
    validation = sorted({key for h in history for key in h["metrics"]}, key=_measure_order)

    def of(key: str) -> list[tuple[float, float | None]]:
        return [(h["epoch"], h[key]) for h in history]

    def of_validation(keys: Sequence[str]) -> dict[str, list[tuple[float, float | None]]]:
        return {k: [(h["epoch"], h["metrics"].get(k)) for h in history] for k in keys if k in validation}

    charts = [
        line_chart("Loss", {"training": of("train_loss"), "validation": of("validation_loss")}),
        line_chart("Learning rate", {"rate": of("learning_rate")}),
        line_chart("Validation: overlap", of_validation(("dice", "iou"))),
        line_chart("Validation: precision, sensitivity", of_validation(("dice", "precision", "sensitivity"))),
        line_chart("Validation: with the background", of_validation(("dice", "accuracy", "specificity"))),
    ]
    return f'<div class="charts">{"".join(charts)}</div>'


def _checks(side: str, checks: Sequence[Check]) -> str:
    figures = "".join(
        f'<figure><img alt="{escape(c.caption)}" src="data:image/png;base64,'
        f'{base64.b64encode(c.png).decode()}">'
        f"<figcaption>{escape(c.caption)}</figcaption></figure>"
        for c in checks
    )
    return (
        f"<h2>Pictures of the {SIDE_NAMES[side]} side</h2><p class='soft'>Image, reference in green, "
        f"prediction in red. The patient's right is on the left.</p>{figures}"
    )


def _calibration(results: Results) -> str:
    if not results.reliabilities:
        return ""
    head = ["Region", "Temperature", "Calibration error before", "after"]
    rows = [
        [
            r.region,
            _number(r.calibration.temperature),
            _number(r.calibration.ece_before, 4),
            _number(r.calibration.ece_after, 4),
        ]
        for r in results.reliabilities
    ]
    charts = "".join(
        reliability_chart(f"{r.region}: how often it is right", r.before, r.after)
        for r in results.reliabilities
    )
    return (
        f"<h2>Calibration</h2>{_table(head, rows)}<p class='soft'>Expected calibration error over 15 bins of "
        "the probability, weighted by their voxels, over voxels whose probability is above 0.01; on the "
        "validation side, where the temperature was chosen. On the diagonal a tenth of the voxels told as "
        f"0.1 are tumour. Larger dots hold more voxels.</p><div class='charts'>{charts}</div>"
    )


def _cases(name: str, side: SideResults) -> str:
    rows = [
        [
            escape(case.name),
            escape(case.data),
            escape(case.kind.replace("_", " ")),
            str(case.slices),
            row,
            *(_number(found[m], _digits(m)) for m in MEASURES),
        ]
        for case in side.cases
        for row, found in case.measures.items()
        if row in ("WT", "TC", "ET")
    ]
    head = [
        "Exam",
        "Data",
        "Kind",
        "Slices",
        "Region",
        *(MEASURE_NAMES[m] for m in MEASURES),
    ]
    return f"<h3>{SIDE_NAMES[name].capitalize()}</h3>{_table(head, rows, words=(0, 1, 2, 4))}"


def _split(results: Results) -> str:
    rows = [
        [SIDE_NAMES[side], str(len(names)), str(len(results.exams[side])), f"{results.slices[side]:,}"]
        for side, names in results.patients.items()
    ]
    lists = "".join(
        f"<details><summary>{SIDE_NAMES[side].capitalize()}: {len(names)} patients by name</summary>"
        f"<p>{escape(', '.join(names)) or 'none'}</p></details>"
        for side, names in results.patients.items()
    )
    return f"<h2>Split</h2>{_table(['Side', 'Patients', 'Exams', 'Slices'], rows)}{lists}"


def _patient_cells(figure: RegionFigures, measures: Sequence[str]) -> list[str]:
    cells = []
    for measure in measures:
        spread = figure.patients.get(measure)
        cells += (
            [str(spread.n), _spread(spread), _number(spread.median), _number(spread.lowest)]
            if spread is not None
            else ["0", "-", "-", "-"]
        )
    return cells


def _spread(spread: Spread | None) -> str:
    """A mean with its interval; of one patient there is none."""
    if spread is None:
        return "-"
    interval = f" [{spread.low:.3f}, {spread.high:.3f}]" if spread.n > 1 else ""
    return f'<span class="strong">{spread.mean:.3f}</span>{interval}'


def _mean_of(figure: RegionFigures, measure: str) -> float | None:
    spread = figure.patients.get(measure)
    return spread.mean if spread is not None else None


def _measure_order(name: str) -> int:
    return MEASURES.index(name) if name in MEASURES else len(MEASURES)


def _number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _digits(measure: str) -> int:
    return 4 if measure in FINE else 3


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _short(name: str) -> str:
    return name.rpartition("/")[2]
