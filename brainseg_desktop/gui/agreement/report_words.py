"""What the measures mean, as a page beside them."""

from __future__ import annotations

from html import escape

from brainseg_desktop.services.compare import DEFINITIONS
from brainseg_desktop.services.language import mark, tr
from brainseg_desktop.services.pair_report import PairReport
from brainseg_desktop.services.pair_tables import columns_of, definition_text

_MORE = (
    ("surface", mark("Surface")),
    ("lesion_wise", mark("Lesions")),
)


def definitions_html(report: PairReport) -> str:
    """One sentence for each measure and each rule."""
    tolerance = report.agreement.tolerance_mm
    lines: dict[str, str] = {}
    for column in columns_of(report):
        title = tr("Volumes") if column.key in ("reference_ml", "mask_ml") else tr(column.name)
        lines[title] = tr(definition_text(column), tolerance_mm=tolerance)
    lines |= {tr(title): tr(DEFINITIONS[key], tolerance_mm=tolerance) for key, title in _MORE}
    lines[tr("State")] = tr(
        "Which of the two masks is empty: a measure of two empty masks has no value, shown "
        "as a dash, not 0 and not 1. Without a voxel size in the files nothing is given in "
        "mm or mL."
    )
    lines[tr("Slices")] = tr(
        "Dice of a slice has no value where both masks are empty there. The worst slice is "
        "the one with the most voxels in one mask only."
    )
    return "".join(f"<p><b>{escape(title)}</b>: {escape(text)}</p>" for title, text in lines.items())
