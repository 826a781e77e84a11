"""open, segment, models, check: a case, and the networks that outline it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from brainseg_desktop.cli.batches import Jobs, print_summary, scheduler_option, tally_bar
from brainseg_desktop.cli.choices import choice_of, choice_options
from brainseg_desktop.cli.console import number, print_json, print_table, progress_bar
from brainseg_desktop.cli.extras import require

if TYPE_CHECKING:
    from brainseg_desktop.cli.entry import Front
    from brainseg_desktop.core.volume import Sequence
    from brainseg_desktop.io.layouts import CaseFiles
    from brainseg_desktop.services.batch.segment_run import Run
    from brainseg_desktop.services.check import CheckResult

MENDABLE, INTERRUPTED = 2, 130
FILE = click.Path(path_type=Path)


@click.command("open")
@click.argument("case", nargs=-1, metavar="[CASE]...")
@click.option(
    "--if-no-display",
    "output",
    type=FILE,
    metavar="DIR",
    help="Without a display, segment and compare CASE and write mask, scores and a picture to DIR.",
)
@click.pass_obj
def open_command(front: Front, case: tuple[str, ...], output: Path | None) -> int:
    """Open the app, with CASE if given: a folder, or files, which are one case if they belong together."""
    from brainseg_desktop.core.errors import UserError
    from brainseg_desktop.io.neighbours import path_given
    from brainseg_desktop.services.headless import do_whole_job, has_display

    paths = tuple(path_given(text) for text in case if text)
    # A platform named on purpose (offscreen, a test) is taken at its word, unless there is other work to do.
    if has_display() or (output is None and os.environ.get("QT_QPA_PLATFORM")):
        return front.open_window(paths)
    if output is None or not paths:
        raise UserError("no_display")
    if len(paths) > 1:
        raise click.UsageError("Only one CASE can be done without a display.")
    with progress_bar("Segmenting") as bar:
        lines = do_whole_job(paths[0], output, bar)
    for line in lines:
        click.echo(line)
    return 0


@click.command("segment")
@click.argument("cases", nargs=-1, type=FILE, metavar="CASE...")
@click.option("-o", "output", required=True, type=FILE, metavar="DIR", help="Folder for the masks.")
@click.option(
    "--model",
    metavar="NAME|FOLDER",
    help="A network that brainseg models lists, or the folder of one; the bundled one if left out.",
)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--scheme", metavar="S", help="How the mask numbers its labels, e.g. brats2021.")
@click.option("--t1", type=FILE, metavar="FILE")
@click.option("--t1ce", type=FILE, metavar="FILE")
@click.option("--t2", type=FILE, metavar="FILE")
@click.option("--flair", type=FILE, metavar="FILE", help="Sequences of one exam, instead of CASE.")
@click.option(
    "--align",
    type=click.Choice(["headers", "register", "off"]),
    default="headers",
    show_default=True,
    help="Sequences on other grids: resample them where their headers put them, register all by mutual "
    "information, or leave them out.",
)
@click.option(
    "--reference",
    type=click.Choice(["T1", "T1CE", "T2", "FLAIR"], case_sensitive=False),
    help="The sequence whose grid the mask gets, where the grids differ and no mask is there yet.",
)
@click.option(
    "--uncertainty",
    is_flag=True,
    help="Also write DIR/<case>_uncertainty.nii.gz: how undecided the network is in each voxel, 0 to 1 bit "
    "(whole numbers 0 to 255 with the header's slope 1/255, which readers apply).",
)
@choice_options
@click.option(
    "--jobs",
    type=Jobs(),
    default="1",
    show_default=True,
    help="Cases at the same time on this machine; auto: as many as cores and free memory allow.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Leave out what an earlier run wrote to DIR, if inputs, network, options and masks are the same.",
)
@scheduler_option
@click.option("--json", "as_json", is_flag=True, help="Print results as JSON.")
def segment_command(
    cases: tuple[Path, ...],
    output: Path,
    model: str | None,
    device: str,
    scheme: str | None,
    t1: Path | None,
    t1ce: Path | None,
    t2: Path | None,
    flair: Path | None,
    align: str,
    reference: str | None,
    uncertainty: bool,
    volume: int | None,
    spacing_mm: tuple[float, float, float] | None,
    jobs: int,
    resume: bool,
    scheduler: str | None,
    as_json: bool,
) -> int:
    """Outline the tumour in each CASE and write its mask to DIR.

    A CASE is one exam, or a folder of many at any depth. A mask that DIR has already is written anew, unless
    --resume says otherwise.
    """
    from brainseg_desktop.core.errors import UserError
    from brainseg_desktop.core.volume import Sequence

    given = {s: path for s, path in zip(Sequence, (t1, t1ce, t2, flair), strict=True) if path is not None}
    if given and cases:
        raise UserError("sequences_and_cases")
    if not given and not cases:
        raise UserError("no_sequences_given")
    if scheduler is not None:
        require("distributed", "cluster")
    from brainseg_desktop.services.batch.segment_job import SegmentOptions
    from brainseg_desktop.services.batch.segment_run import segment_many

    wanted: list[Path | CaseFiles] = [_loose_case(given)] if given else list(cases)
    options = SegmentOptions(
        str(output),
        model,
        device,
        scheme,
        uncertainty,
        align,
        Sequence(reference) if reference else None,
        volume,
        spacing_mm,
    )
    try:
        with tally_bar("Segmenting") as tell:
            run = segment_many(
                wanted, output, options, jobs=jobs, resume=resume, scheduler=scheduler, tell=tell
            )
    except KeyboardInterrupt:
        if given or (len(cases) == 1 and not cases[0].is_dir()):
            raise
        click.echo("brainseg: Stopped. What is done is kept: run the same command with --resume.", err=True)
        return INTERRUPTED
    return _tell_run(run, output, as_json)


def _tell_run(run: Run, output: Path, as_json: bool) -> int:
    """Results on stdout, remarks and faults on stderr; of many cases also a table in the output folder."""
    from brainseg_desktop.core.errors import UserError
    from brainseg_desktop.services.batch.segment_summary import summarise, write_summary
    from brainseg_desktop.services.messages import words

    results = [outcome.segmented for outcome in run.outcomes]
    summary = summarise(run.outcomes, run.seconds)
    problems = [] if run.problem is None else [words(run.problem)]
    table = None
    if len(results) > 1:
        try:
            table = write_summary(output, run.outcomes)
        except UserError as error:
            problems.append(words(error))
    if as_json:
        print_json({"cases": [o.to_dict() for o in run.outcomes], "summary": summary.to_dict()})
    else:
        rows = [
            [
                r.case,
                *(number(r.volumes_ml.get(name), 1) for name in ("WT", "TC", "ET")),
                number(r.seconds, 1),
                str(r.output or "-"),
            ]
            for r in results
        ]
        print_table(["Case", "WT mL", "TC mL", "ET mL", "Seconds", "Mask"], rows)
        if table is not None:
            print_summary(summary)
            click.echo(str(table))
    for note in (n for r in results for n in (*r.notes, *r.outside)):
        click.echo(note, err=True)
    problems = [r.error for r in results if r.error is not None] + problems
    for problem in problems:
        click.echo(f"brainseg: {problem}", err=True)
    return MENDABLE if problems else 0


def _loose_case(given: dict[Sequence, Path]) -> CaseFiles:
    """The case of files named one by one; its mask is named after the FLAIR, else the first file."""
    from dataclasses import replace

    from brainseg_desktop.core.volume import Sequence
    from brainseg_desktop.io.layouts import assign
    from brainseg_desktop.io.nifti import nifti_stem

    files = assign(given.values(), {path: sequence for sequence, path in given.items()})
    naming = given.get(Sequence.FLAIR) or next(iter(given.values()))
    return replace(files, name=nifti_stem(naming))


@click.command("models")
@click.option("--json", "as_json", is_flag=True, help="Print results as JSON.")
def models_command(as_json: bool) -> int:
    """List the networks, what they know, and what was measured on held-out patients."""
    from brainseg_desktop.services.messages import words
    from brainseg_desktop.services.models import KIND_NAMES, list_offers, measured
    from brainseg_desktop.services.paths import user_models_dir

    offers = list_offers()
    if as_json:
        print_json({"models": [o.to_dict() for o in offers], "own_folder": str(user_models_dir())})
        return 0
    rows = [
        [
            o.name,
            o.card.version,
            KIND_NAMES[kind],
            ", ".join(network.regions),
            measured(network),
            o.card.licence,
            str(o.folder),
        ]
        for o in offers
        if o.card is not None
        for network in o.card.networks
        for kind in network.kinds
    ]
    print_table(["Name", "Version", "Exams", "Regions", "Held-out mean Dice", "Licence", "Place"], rows)
    for offer in offers:
        if offer.problem is not None:
            click.echo(f"Not usable: {offer.name}. {words(offer.problem)}")
    click.echo(f"Networks of your own go into {user_models_dir()}, each in a folder with its model.toml.")
    return 0


@click.command("check")
@click.argument("paths", nargs=-1, required=True, type=FILE, metavar="PATH...")
@click.option("--scheme", metavar="S", help="How masks number their labels, where their values do not tell.")
@choice_options
@click.option("--json", "as_json", is_flag=True, help="Print results as JSON.")
def check_command(
    paths: tuple[Path, ...],
    scheme: str | None,
    volume: int | None,
    spacing_mm: tuple[float, float, float] | None,
    as_json: bool,
) -> int:
    """Say what each PATH is, what is missing, and whether it opens."""
    from brainseg_desktop.io.schemes import scheme_named
    from brainseg_desktop.services.check import check

    chosen = scheme_named(scheme) if scheme else None
    choice = choice_of(volume, spacing_mm)
    results = [result for path in paths for result in check(path, chosen, choice)]
    if as_json:
        print_json({"results": [r.to_dict() for r in results]})
    else:
        for result in results:
            click.echo(f"{result.name}: {_described(result)}")
            for sentence in (*result.notes, *result.problems):
                click.echo(f"  {sentence}")
    return 0 if all(r.is_sound for r in results) else MENDABLE


def _described(result: CheckResult) -> str:
    """One line of what was found."""
    if not result.opens:
        return "does not open"
    parts = []
    if result.sequences:
        parts.append(", ".join(result.sequences))
    if result.missing:
        parts.append(f"without {', '.join(result.missing)}")
    if result.shape is not None:
        parts.append(" x ".join(str(n) for n in result.shape))
    if result.spacing_mm is not None:
        parts.append(" x ".join(f"{n:g}" for n in result.spacing_mm) + " mm")
    parts += [f"mask {rater} ({scheme})" for rater, scheme in result.masks]
    return "; ".join(parts)
