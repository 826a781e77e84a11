"""compare, export: commands that take a mask."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from brainseg_desktop.cli.choices import choice_of, choice_options
from brainseg_desktop.cli.console import number, print_json, print_table

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
@click.argument("mask", type=FILE)
@click.option(
    "--like", "image", required=True, type=FILE, help="Image or folder of slices, whose grid is taken."
)
@click.option("--to", "form", required=True, metavar="nifti|tif|png", help="Form of the file.")
@click.option("-o", "output", required=True, type=FILE, metavar="FILE", help="File; for tif a folder.")
@click.option("--scheme", metavar="S", help="How the mask numbers its labels, where that is not plain.")
@choice_options
def export_command(
    mask: Path,
    image: Path,
    form: str,
    output: Path,
    scheme: str | None,
    volume: int | None,
    spacing_mm: tuple[float, float, float] | None,
) -> int:
    """Write MASK in another form, on the grid of an image."""
    from brainseg_desktop.services.mask_files import export_file

    for path in export_file(mask, image, form, output, scheme, choice_of(volume, spacing_mm)):
        click.echo(str(path))
    return 0
