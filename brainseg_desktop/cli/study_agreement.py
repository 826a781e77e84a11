"""agreement of a whole study: measured, written and printed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from brainseg_desktop.cli.batches import Measuring, print_counts, tally_bar
from brainseg_desktop.cli.console import number, print_json, print_table, progress_bar

if TYPE_CHECKING:
    from brainseg_desktop.core.reliability import Interval
    from brainseg_desktop.services.batch.tally import Tally
    from brainseg_desktop.services.studies.results import (
        CaseStatistic,
        Material,
        MeanScore,
        RegionResults,
        StudyReport,
    )

DESIGN = "study.toml"


def study_agreement(
    folder: Path,
    output: Path | None,
    scheme: str | None,
    tolerance_mm: float | None,
    how: Measuring,
    as_json: bool,
    *,
    names: bool = False,
) -> int:
    """Measure a study's folder, or one with masks of readers; results on stdout."""
    from brainseg_desktop.services.studies.measuring import measure_study

    material = _material(folder, scheme, tolerance_mm)
    run: dict[str, Any] = {}
    with tally_bar("Measuring") as tell:

        def count(tally: Tally) -> None:
            tell(tally)
            run.update(tally.to_dict())

        report = measure_study(
            material, workers=how.jobs, count=count, scheduler=how.scheduler, anew=not how.resume
        )
    written: tuple[Path, ...] = ()
    if output is not None:
        from brainseg_desktop.services.studies.output import write_study

        with progress_bar("Writing") as bar:
            written = write_study(output, material, report, bar, show_names=names)
    if as_json:
        from brainseg_desktop.services.studies.tables import study_to_dict

        print_json(study_to_dict(report) | {"written": [str(p) for p in written], "run": run})
        return 0
    print_study(report)
    click.echo("")
    print_counts(run)
    for path in written:
        click.echo(str(path))
    return 0


def _material(folder: Path, scheme: str | None, tolerance_mm: float | None) -> Material:
    if (folder / DESIGN).is_file():
        from brainseg_desktop.services.studies.material import material_of

        material: Material = material_of(folder)
        return material if tolerance_mm is None else replace(material, tolerance_mm=tolerance_mm)
    from brainseg_desktop.services.studies.loose import material_from_folder

    return material_from_folder(folder, scheme, tolerance_mm or 1.0)


def print_study(report: StudyReport) -> None:
    """The report in plain text: for each region the matrix, the means, and what speaks of all readers."""
    from brainseg_desktop.services.messages import words

    click.echo(
        f"{report.name}: {_counted(len(report.cases))}, {_counted(len(report.readers), 'human reader')} and "
        f"{_counted(len(report.raters) - len(report.readers), 'other rater')}, scheme {report.scheme}"
    )
    for exclusion in report.exclusions:
        who = f" by {exclusion.rater}" if exclusion.rater else ""
        click.echo(f"  left out: {exclusion.case}{who}. {words(exclusion.reason)}")
    for region in report.regions.values():
        click.echo("")
        _print_matrix(report, region)
        _print_measures(region)
        _print_readers(report, region)
        _print_volumes(report, region)
    click.echo("")
    for key, rule in report.rules.items():
        click.echo(click.wrap_text(f"{key}: {rule}", 110, subsequent_indent="  "))


def _print_matrix(report: StudyReport, region: RegionResults) -> None:
    click.echo(f"{region.region}: mean Dice of each pair, mean volume, mean Dice with the consensus")
    pairs = region.measures["dice"].pairs
    names = [rater.name for rater in report.raters]
    rows = []
    for a in names:
        cells = ["" if a == b else _mean(pairs.get((a, b)) or pairs.get((b, a))) for b in names]
        volumes = [s.value for s in region.volumes_ml.get(a, {}).values() if s.value is not None]
        volume = number(sum(volumes) / len(volumes), 1) if volumes else "-"
        rows.append([a, *cells, volume, _mean(region.consensus.get(a))])
    print_table(["", *names, "mL", "Consensus"], rows)


def _print_measures(region: RegionResults) -> None:
    rows = []
    for table in region.measures.values():
        found, measure = table.readers, table.measure
        title = f"{measure.title} {measure.unit}".strip()
        values = (found.mean, found.sd, found.median, found.lowest, found.highest)
        counts = (found.n, found.left_out, found.missing)
        rows.append([title, *map(number, values), _interval(found.interval), *map(str, counts)])
    heads = ["Mean", "SD", "Median", "Least", "Most", "95 % CI", "n", "Left out", "Missing"]
    print_table(["Between readers", *heads], rows)


def _print_readers(report: StudyReport, region: RegionResults) -> None:
    statistics = {
        "Fleiss' kappa": region.fleiss_kappa,
        "Krippendorff's alpha": region.krippendorff_alpha,
        "Generalised conformity index": region.conformity,
    }
    for title, statistic in statistics.items():
        click.echo(f"  {title} {_mean_in_words(statistic)}")
    found = region.icc
    if found.state == "ok":
        click.echo(
            f"  ICC(2,1) of volumes {number(found.icc_2_1)} {_interval(found.ci_2_1)}, ICC(3,1) "
            f"{number(found.icc_3_1)} {_interval(found.ci_3_1)}; "
            f"{_counted(found.n)}, {found.excluded} left out"
        )
    else:
        why = {
            "too_few": "it needs two cases that two readers or more have all read",
            "no_variation": "the volumes do not differ",
        }
        click.echo(f"  ICC of volumes -: {why.get(found.state, found.state)}")
    for reader, repeats in region.repeats.items():
        click.echo(
            f"  {reader}, first against second reading: Dice {_mean(repeats.dice)} (n {repeats.dice.n}), "
            f"coefficient of variation {number(repeats.variation.value)}, RMSE "
            f"{number(repeats.rmse_ml.value)} mL"
        )


def _print_volumes(report: StudyReport, region: RegionResults) -> None:
    rows = [
        [
            f"{a} - {b}",
            *map(number, (f.bias, f.lower, f.upper)),
            _interval(f.bias_ci),
            str(f.n),
            str(f.excluded),
        ]
        for (a, b), f in region.bland_altman.items()
    ]
    print_table(["Volumes, mL (Bland-Altman)", "Bias", "Lower", "Upper", "95 % CI", "n", "Missing"], rows)


def _mean(found: MeanScore | None) -> str:
    if found is None or (found.mean is None and not found.left_out):
        return "-"
    return "empty" if found.mean is None else number(found.mean)


def _mean_in_words(statistic: CaseStatistic) -> str:
    found = statistic.mean
    text = number(found.mean)
    if found.interval is not None:
        text += f" {_interval(found.interval)}, {number(found.lowest)} to {number(found.highest)}"
    return f"{text}; {_counted(found.n)}, {found.left_out} left out, {found.missing} missing"


def _counted(n: int, noun: str = "case") -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _interval(found: Interval | None) -> str:
    return "-" if found is None else f"[{found.lower:.3f}, {found.upper:.3f}]"
