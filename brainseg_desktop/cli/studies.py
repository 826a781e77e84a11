"""study: make a study of several readers, see how far it is, unblind it, have its cases outlined."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

import click

from brainseg_desktop.cli.console import print_json, print_table, progress_bar

FILE = click.Path(path_type=Path)
MENDABLE = 2


@click.group("study")
def study_command() -> None:
    """Studies of several readers; they read in the window."""


@study_command.command("create")
@click.argument("folder", type=FILE, metavar="STUDY")
@click.option("--cases", required=True, type=FILE, metavar="DIR", help="Folder with a folder for each case.")
@click.option("--reader", "readers", multiple=True, required=True, metavar="NAME", help="Once for each.")
@click.option("--name", default="Study", show_default=True)
@click.option("--scheme", required=True, metavar="S", help="How masks number their labels, e.g. brats2023.")
@click.option("--open-label", is_flag=True, help="Do not blind: everybody sees all masks at any time.")
@click.option(
    "--reveal",
    type=click.Choice(["study", "case"]),
    default="study",
    show_default=True,
    help="Hide others' masks until the study is unblinded, or until the reader has locked the case.",
)
@click.option(
    "--start",
    type=click.Choice(["blank", "ai"]),
    default="blank",
    show_default=True,
    help="What a reading starts from.",
)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of the orders.")
@click.option(
    "--repeats", type=click.IntRange(min=0), default=0, show_default=True, help="Hidden second readings."
)
@click.option("--tolerance-mm", type=click.FloatRange(min=0, min_open=True), default=1.0, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print results as JSON.")
def create_command(
    folder: Path, cases: Path, readers: tuple[str, ...], open_label: bool, as_json: bool, **options: Any
) -> int:
    """Make a study in the folder STUDY."""
    from brainseg_desktop.services.studies.study import cases_in, create_study

    name = options.pop("name")
    study = create_study(folder, name, cases_in(cases), readers, blinded=not open_label, **options)
    if as_json:
        print_json({"study": str(folder), "cases": len(study.design.cases), "readers": list(readers)})
    else:
        click.echo(f"{folder}: {len(study.design.cases)} cases, {len(readers)} readers.")
    return 0


@study_command.command("status")
@click.argument("folder", type=FILE, metavar="STUDY")
@click.option("--json", "as_json", is_flag=True, help="Print results as JSON.")
def status_command(folder: Path, as_json: bool) -> int:
    """Tell how far each reader is."""
    from brainseg_desktop.services.studies.study import Study

    study = Study.open(folder)
    items = study.worklist()
    rows: list[dict[str, Any]] = []
    for reader in study.design.readers:
        mine = [i for i in items if i.reading.reader == reader.key]
        rows.append(
            {
                "reader": reader.name,
                "readings": len(mine),
                "locked": sum(i.status == "locked" for i in mine),
                "begun": sum(i.status in ("started", "draft") for i in mine),
                "flagged": sum(bool(i.flags) for i in mine),
                "active_s": round(sum(i.active_s for i in mine), 1),
            }
        )
    if as_json:
        print_json({"study": study.design.name, "blinded": study.is_blinded, "readers": rows})
    else:
        print_table(
            ["Reader", "Readings", "Locked", "Begun", "Flagged", "Minutes"],
            [
                [
                    r["reader"],
                    *(str(r[k]) for k in ("readings", "locked", "begun", "flagged")),
                    f"{r['active_s'] / 60:.1f}",
                ]
                for r in rows
            ],
        )
        click.echo("Blinded." if study.is_blinded else "Not blinded: masks and scores can be seen.")
    return 0


@study_command.command("unblind")
@click.argument("folder", type=FILE, metavar="STUDY")
@click.option("--early", is_flag=True, help="Though readings are not locked yet.")
@click.option("--by", default=None, metavar="NAME", help="Who unblinds; the user's name if left out.")
def unblind_command(folder: Path, early: bool, by: str | None) -> int:
    """Show masks and scores to everybody, for good."""
    from brainseg_desktop.services.studies.study import Study

    study = Study.open(folder)
    note = study.unblind(by=by or getpass.getuser(), early=early)
    click.echo(f"{folder} is unblinded; {note.open_readings} readings were not locked.")
    return 0


@study_command.command("outline")
@click.argument("folder", type=FILE, metavar="STUDY")
@click.option("--model", metavar="NAME|FOLDER", help="The bundled network if left out.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
def outline_command(folder: Path, model: str | None, device: str) -> int:
    """Have the network outline the cases, to start readings from and to be measured beside them."""
    from brainseg_desktop.services.messages import words
    from brainseg_desktop.services.studies.outlining import outline_cases
    from brainseg_desktop.services.studies.study import Study

    with progress_bar("Outlining") as bar:
        result = outline_cases(Study.open(folder), model=model, device=device, tell=bar)
    click.echo(f"{result.written} cases outlined, {result.kept} were outlined before.")
    for case, error in result.problems:
        click.echo(f"brainseg: {case}: {words(error)}", err=True)
    return MENDABLE if result.problems else 0
