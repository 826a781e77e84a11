"""The report of two masks as tables of text: for the window, the clipboard and CSV files."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from brainseg_desktop.core.lesions import LEFT_OUT_MM3, Lesion
from brainseg_desktop.core.metrics import Score
from brainseg_desktop.core.reliability import Statistic
from brainseg_desktop.io.atomic import staged
from brainseg_desktop.services.compare import DEFINITIONS
from brainseg_desktop.services.language import mark, tr
from brainseg_desktop.services.pair_report import KAPPA_RULE, PairReport

DASH = "\u2013"
Kind = Literal["overlap", "surface", "volume", "kappa"]


@dataclass(frozen=True, slots=True)
class Column:
    """One measure of the table.

    Parameters
    ----------
    key : str
        As in the JSON and in `DEFINITIONS`.
    name, title, unit : str
        The title is short enough for a table on the screen; files have the name.
    kind : {"overlap", "surface", "volume", "kappa"}
    decimals : int
    """

    key: str
    name: str
    title: str
    unit: str
    kind: Kind
    decimals: int = 3

    @property
    def heading(self) -> str:
        """Title and unit, e.g. ``Diff., mL``."""
        return f"{self.title}, {self.unit}" if self.unit in ("mm", "mL") else self.title

    @property
    def full_heading(self) -> str:
        """Name and unit, e.g. ``Volume difference, mL``."""
        return f"{self.name}, {self.unit}" if self.unit else self.name


COLUMNS = (
    Column("dice", "Dice", "Dice", "", "overlap"),
    Column("iou", "IoU", "IoU", "", "overlap"),
    Column("precision", "Precision", "Precision", "", "overlap"),
    Column("sensitivity", "Sensitivity", "Sensitivity", "", "overlap"),
    Column("specificity", "Specificity", "Specificity", "", "overlap", 4),
    Column("accuracy", "Accuracy", "Accuracy", "", "overlap", 4),
    Column("hd95_mm", "HD95", "HD95", "mm", "surface", 2),
    Column("assd_mm", "ASSD", "ASSD", "mm", "surface", 2),
    Column("surface_dice", "Surface Dice", "Surf. Dice", "", "surface"),
    Column("reference_ml", "Reference volume", "Ref.", "mL", "volume", 2),
    Column("mask_ml", "Mask volume", "Mask", "mL", "volume", 2),
    Column("volume_difference_ml", "Volume difference", "Diff.", "mL", "volume", 2),
    Column("kappa", "Cohen's kappa", "Kappa", "", "kappa"),
)
LESION_COLUMNS = (
    "Lesion",
    "Dice",
    "HD95, mm",
    "Ref., mL",
    "Mask, mL",
    "Sag.",
    "Cor.",
    "Ax.",
)


def columns_of(report: PairReport) -> tuple[Column, ...]:
    """The columns; volumes are counted in voxels where the files state no voxel size."""
    if report.source.grid.spacing_known:
        return COLUMNS
    return tuple(
        replace(c, unit="voxels", title=f"{c.title} vox.", decimals=0) if c.kind == "volume" else c
        for c in COLUMNS
    )


def definition(column: Column, tolerance_mm: float) -> str:
    """What a measure is, in one sentence."""
    return definition_text(column).format(tolerance_mm=tolerance_mm)


def definition_text(column: Column) -> str:
    """The same with ``{tolerance_mm}`` left open, as a catalogue has it."""
    if column.kind == "kappa":
        return KAPPA_RULE
    if column.key in ("reference_ml", "mask_ml"):
        return DEFINITIONS["volume_ml"]
    return DEFINITIONS[column.key]


def score_of(report: PairReport, row: str, column: Column) -> Score | Statistic:
    """The number behind a cell."""
    if column.kind == "kappa":
        return report.kappa(row)
    if column.kind == "surface":
        score: Score = getattr(report.surface(row), column.key)
        return score
    if column.kind == "volume":
        if column.unit == "voxels":
            counts = report.confusion(row)
            voxels = (counts.reference_count, counts.mask_count, counts.mask_count - counts.reference_count)
            return Score(float(voxels[_VOLUMES.index(column.key)]), "ok", "voxels")
        overlap = report.overlap(row)
        return (*overlap.volume_ml, overlap.volume_difference_ml)[_VOLUMES.index(column.key)]
    found: Score = getattr(report.overlap(row), column.key)
    return found


_VOLUMES = ("reference_ml", "mask_ml", "volume_difference_ml")


def cell(report: PairReport, row: str, column: Column) -> str:
    """A number as the reader meets it; a dash where it has no value (`state_words` says why)."""
    value = score_of(report, row, column).value
    if value is None:
        return DASH
    # A difference of almost nothing is no "-0.00".
    text = f"{value:,.{column.decimals}f}"
    return text.removeprefix("-") if float(text.replace(",", "")) == 0 else text.replace("-", "\u2212")


def state_words(report: PairReport, row: str) -> str:
    """Which mask is empty, and whether millimetres are known; empty where all is as usual."""
    counts = report.confusion(row)
    words = []
    if counts.state == "both_empty":
        words.append(mark("both empty"))
    elif counts.reference_count == 0:
        words.append(mark("reference empty"))
    elif counts.mask_count == 0:
        words.append(mark("mask empty"))
    if not report.source.grid.spacing_known:
        words.append(mark("no voxel size"))
    return ", ".join(words)


def rule(report: PairReport, row: str) -> str:
    """What follows for the numbers of a row from its state, in words; empty where all is as usual."""
    source, counts = report.source, report.confusion(row)
    parts = []
    if counts.state == "both_empty":
        parts.append(
            tr(
                "Neither mask marks {row}: overlap and distances have no value, not 0 and not 1, and a mean "
                "leaves this case out.",
                row=row,
            )
        )
    elif counts.state == "one_empty":
        empty = source.reference_name if counts.reference_count == 0 else source.mask_name
        if counts.reference_count == 0:
            text = mark(
                "{mask} does not mark {row}: Dice and IoU are 0, sensitivity and the distances have no value."
            )
        else:
            text = mark(
                "{mask} does not mark {row}: Dice and IoU are 0, precision and the distances have no value."
            )
        parts.append(tr(text, mask=empty, row=row))
    if not source.grid.spacing_known:
        parts.append(
            tr("The files state no voxel size: nothing is given in mm or mL, volumes are in voxels.")
        )
    return " ".join(parts)


def lesion_row(lesion: Lesion) -> tuple[str, ...]:
    """A lesion as text, in the order of `LESION_COLUMNS`; slices are numbered from 1 as in the views."""
    status = lesion.status if lesion.counted else f"left out, {lesion.status}"
    return (
        status,
        f"{lesion.dice:.3f}",
        f"{lesion.hd95_mm:.2f}",
        f"{lesion.reference_ml:.2f}",
        f"{lesion.mask_ml:.2f}",
        *(str(v + 1) for v in lesion.centre),
    )


def lesion_summary(report: PairReport, row: str) -> str:
    """How many lesions were found, and the means, in one sentence; or why there are none."""
    found = report.lesions(row)
    if found is None:
        return tr("Lesions are counted for the regions (WT, TC, ET), as BraTS 2023 defines them.")
    if not report.source.grid.spacing_known:
        return tr("The files state no voxel size: which lesions are large enough to count cannot be told.")
    left_out = sum(not lesion.counted for lesion in found.lesions)
    parts = [
        tr(
            "{row}: {matched} matched, {missed} missed, {false} false",
            row=row,
            matched=found.count("matched"),
            missed=found.count("missed"),
            false=found.count("false"),
        )
    ]
    if left_out:
        parts.append(
            tr(
                "{count} left out (up to {volume:g} mm\u00b3 in the reference)",
                count=left_out,
                volume=LEFT_OUT_MM3,
            )
        )
    text = ", ".join(parts)
    if found.dice.value is None or found.hd95_mm.value is None:
        return text + tr(". No lesion to score.")
    return text + tr(
        ". Mean Dice {dice:.3f}, HD95 {hd95:.2f} mm.", dice=found.dice.value, hd95=found.hd95_mm.value
    )


def measures_table(report: PairReport, *, exact: bool = False) -> list[list[str]]:
    """Head and rows; as shown, or with all digits and a point for the decimals."""
    columns = columns_of(report)
    table = [["Region", *(c.full_heading for c in columns), "State"]]
    for row in report.rows:
        if exact:
            values = [score_of(report, row, c).value for c in columns]
            cells = [
                "" if v is None else f"{v:.6g}" if c.kind != "volume" else f"{v:.6f}"
                for v, c in zip(values, columns, strict=True)
            ]
        else:
            cells = [cell(report, row, c) for c in columns]
        table.append([row, *cells, state_words(report, row)])
    return table


def lesions_table(report: PairReport) -> list[list[str]]:
    """Head and a row for each lesion of each region."""
    table = [["Region", *LESION_COLUMNS]]
    for row in report.rows:
        found = report.lesions(row)
        table += [[row, *lesion_row(lesion)] for lesion in (found.lesions if found is not None else ())]
    return table


def tsv(table: Sequence[Sequence[str]]) -> str:
    """For the clipboard: a spreadsheet puts each cell in its own."""
    return "\n".join("\t".join(row) for row in table)


def write_tables(path: Path, report: PairReport) -> tuple[Path, ...]:
    """Write the measures, and beside them ``<name>_lesions.csv``, both or none.

    Raises
    ------
    UserError
        ``disk_full``, ``no_permission`` or ``write_failed``.
    """
    lesions = path.with_name(f"{path.stem}_lesions{path.suffix}")
    source = report.source
    about = ["Case", source.case], ["Reference", source.reference_name], ["Mask", source.mask_name]
    tolerance = ["Surface Dice, tolerance in mm", f"{report.agreement.tolerance_mm:g}"]
    with staged(path.parent) as stage:
        stage.add(path, _csv([*about, tolerance, [], *measures_table(report, exact=True)]))
        stage.add(lesions, _csv([*about, [], *lesions_table(report)]))
        stage.commit()
    return path, lesions


def _csv(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
