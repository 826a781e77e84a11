"""agreement, audit: commands about several readers and what they did."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from brainseg_desktop.cli.batches import Jobs, Measuring, scheduler_option
from brainseg_desktop.cli.console import number, print_json, print_table, progress_bar
from brainseg_desktop.cli.extras import require
from brainseg_desktop.core.errors import UserError

if TYPE_CHECKING:
    from brainseg_desktop.services.agreement import ReadersReport

FILE = click.Path(path_type=Path)


@click.command("agreement")
@click.argument("places", nargs=-1, required=True, type=FILE, metavar="STUDY | MASK MASK...")
@click.option(
    "-o", "output", type=FILE, metavar="DIR", help="Write tables, report and consensus masks there."
)
@click.option("--scheme", metavar="S", help="How the masks number their labels, where that is not plain.")
@click.option(
    "--tolerance-mm",
    type=click.FloatRange(min=0, min_open=True),
    help="Of the surface Dice; that of the study, or 1.",
)
@click.option("--names", is_flag=True, help="Name the cases in the report; numbered if left out.")
@click.option(
    "--jobs",
    "--workers",
    "jobs",
    type=Jobs(),
    default="auto",
    show_default=True,
    help="Processes for a study; auto: one a core, six at most.",
)
@click.option(
    "--resume/--anew",
    default=True,
    show_default=True,
    help="Use the numbers kept of cases whose masks are the same, of a broken-off run too; or measure anew.",
)
@scheduler_option
@click.option("--json", "as_json", is_flag=True, help="Print results as JSON.")
def agreement_command(
    places: tuple[Path, ...],
    output: Path | None,
    scheme: str | None,
    tolerance_mm: float | None,
    names: bool,
    jobs: int,
    resume: bool,
    scheduler: str | None,
    as_json: bool,
) -> int:
    """Measure the agreement of several readers: of a study, or of their masks of one case.

    STUDY is the folder of a study, or one with a folder of masks for each reader or each case.
    """
    if scheduler is not None:
        require("distributed", "cluster")
    how = Measuring(jobs or None, resume, scheduler)
    if len(places) == 1 and places[0].is_dir():
        from brainseg_desktop.cli.study_agreement import study_agreement

        return study_agreement(places[0], output, scheme, tolerance_mm, how, as_json, names=names)
    if len(places) == 1 and not places[0].exists():
        raise UserError("file_missing", path=places[0])
    from brainseg_desktop.services.agreement import agree_on_files, write_agreement

    tolerance_mm = tolerance_mm or 1.0
    with progress_bar("Comparing readers") as bar:
        report, loose = agree_on_files(places, scheme, tolerance_mm, tell=bar)
    written = write_agreement(output, report, loose) if output is not None else ()
    if output is not None and all(place.is_file() for place in places):
        from brainseg_desktop.services.studies.loose import material_from_masks
        from brainseg_desktop.services.studies.measuring import measure_study
        from brainseg_desktop.services.studies.output import write_study

        material = material_from_masks(places, loose.scheme.name, tolerance_mm)
        measured = measure_study(material, workers=how.jobs, anew=not resume, scheduler=scheduler)
        written += write_study(output, material, measured, show_names=names)
    if as_json:
        print_json(report.to_dict() | {"written": [str(p) for p in written]})
        return 0
    _print_readers(report)
    for path in written:
        click.echo(str(path))
    return 0


def _print_readers(report: ReadersReport) -> None:
    from brainseg_desktop.services.agreement import RULES, Summary

    for name, region in report.regions.items():
        click.echo(f"{name}: Dice of each pair, volume, and Dice with the consensus of the others")
        rows = []
        for i, reader in enumerate(report.readers):
            scores = [
                None if i == j else region.pairs["dice"][min(i, j), max(i, j)]
                for j in range(len(report.readers))
            ]
            cells = ["" if s is None else "empty" if s.value is None else number(s.value) for s in scores]
            consensus = number(region.against_consensus[i].value)
            rows.append([reader, *cells, number(region.volumes_ml[i].value, 1), consensus])
        print_table(["", *report.readers, "mL", "Consensus"], rows)
        for measure, found in region.pairs.items():
            summary = Summary.of(found.values())
            click.echo(
                f"  {measure}: mean {number(summary.mean)}, SD {number(summary.sd)}, median "
                f"{number(summary.median)}, {number(summary.lowest)} to {number(summary.highest)}; "
                f"{summary.n} pairs, {summary.left_out} left out"
            )
        click.echo(
            f"  generalised conformity index {number(region.conformity.value)}, "
            f"Fleiss' kappa {number(region.fleiss_kappa.value)}, "
            f"Krippendorff's alpha {number(region.krippendorff_alpha.value)}"
        )
    for rule in RULES.values():
        click.echo(rule)


@click.command("audit")
@click.argument("masks", nargs=-1, required=True, type=FILE, metavar="MASK...")
@click.option("-o", "output", required=True, type=FILE, metavar="FILE.csv", help="Table to write.")
def audit_command(masks: tuple[Path, ...], output: Path) -> int:
    """Tabulate what readers changed in exported masks: from the .json beside each MASK."""
    from brainseg_desktop.services.audit import audits_of, write_audit_csv

    for path in write_audit_csv(output, audits_of(masks)):
        click.echo(str(path))
    return 0
