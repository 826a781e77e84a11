"""compare, export: commands that take a mask."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from brainseg_desktop.cli.choices import choice_of, choice_options
from brainseg_desktop.cli.console import number, print_json, print_table, progress_bar

if TYPE_CHECKING:
    from brainseg_desktop.services.compare import AgreementReport

FILE = click.Path(path_type=Path)


@click.command("compare")
@click.argument("reference", type=FILE)
@click.argument("mask", type=FILE)
@click.option("--scheme", metavar="S", help="How both masks number their labels, where that is not plain.")
@click.option(
    "--tolerance-mm",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="Of the surface Dice.",
)
@choice_options
@click.option("--json", "as_json", is_flag=True, help="Print results as JSON.")
def compare_command(
    reference: Path,
    mask: Path,
    scheme: str | None,
    tolerance_mm: float,
    volume: int | None,
    spacing_mm: tuple[float, float, float] | None,
    as_json: bool,
) -> int:
    """Measure how well MASK agrees with REFERENCE."""
    from brainseg_desktop.services.mask_files import compare_files

    report = compare_files(reference, mask, scheme, tolerance_mm, choice_of(volume, spacing_mm))
    if as_json:
        print_json(report.to_dict())
    else:
        _print_report(report)
    return 0


def _print_report(report: AgreementReport) -> None:
    rows = []
    for name, region in report.regions.items():
        overlap, surface = region.overlap, region.surface
        distances = (surface.hd95_mm, surface.assd_mm, surface.surface_dice) if surface else ()
        scores = [overlap.dice, overlap.iou, overlap.precision, overlap.sensitivity, *distances]
        # A missing score says why: it must not pass for a bad one.
        cells = [number(s.value) if s.state == "ok" else f"{number(s.value)} {s.state}" for s in scores]
        rows.append([name, *cells, *(number(v.value, 1) for v in overlap.volume_ml)])
    distance_heads = ("HD95 mm", "ASSD mm", f"Surface Dice {report.tolerance_mm:g} mm")
    print_table(
        ["", "Dice", "IoU", "Precision", "Sensitivity", *distance_heads, "Reference mL", "Mask mL"],
        rows,
    )


@click.command("export")
@click.argument("masks", metavar="MASK...", nargs=-1, required=True, type=FILE)
@click.option(
    "--like",
    "image",
    type=FILE,
    help="Image, folder of slices or exam, whose grid is taken. Without it MASK is the folder of a case, and "
    "the masks beside its images are written.",
)
@click.option(
    "--to",
    "form",
    required=True,
    metavar="nifti|dicom-seg|nrrd|itksnap|tif|png|coco|stl|ply|csv|bids",
    help="Form of the file.",
)
@click.option(
    "-o", "output", required=True, type=FILE, metavar="FILE|DIR", help="File or folder; for several a folder."
)
@click.option("--scheme", metavar="S", help="How the mask numbers its labels, where that is not plain.")
@click.option("--int16", "wide", is_flag=True, help="NIfTI with numbers of 16 bits instead of 8.")
@choice_options
def export_command(
    masks: tuple[Path, ...],
    image: Path | None,
    form: str,
    output: Path,
    scheme: str | None,
    wide: bool,
    volume: int | None,
    spacing_mm: tuple[float, float, float] | None,
) -> int:
    """Write masks in another form, on the grid of an image."""
    choice = choice_of(volume, spacing_mm)
    if image is None or len(masks) > 1:
        return _export_many(masks, image, form, output, scheme, wide)
    from brainseg_desktop.services.mask_files import export_file

    for path in export_file(masks[0], image, form, output, scheme, wide, choice):
        click.echo(str(path))
    return 0


def _export_many(
    masks: tuple[Path, ...], image: Path | None, form: str, output: Path, scheme: str | None, wide: bool
) -> int:
    """One line for each mask: its file on stdout, or on stderr why there is none."""
    from brainseg_desktop.io.schemes import scheme_named
    from brainseg_desktop.services.exporting.batch import export_many, masks_beside, masks_like
    from brainseg_desktop.services.exporting.forms import form_named
    from brainseg_desktop.services.messages import words

    chosen, numbering = form_named(form), scheme_named(scheme) if scheme else None
    wanted = masks_beside(masks, numbering) if image is None else masks_like(masks, image, numbering)
    failed = 0
    with progress_bar("Export") as tell:
        for outcome in export_many(wanted, chosen, output, wide=wide, tell=tell):
            if outcome.written is not None:
                click.echo(str(outcome.written.path))
            elif outcome.error is not None:
                failed += 1
                click.echo(f"{outcome.name}: {words(outcome.error)}", err=True)
    return 2 if failed else 0
