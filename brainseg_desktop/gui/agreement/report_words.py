"""What the measures mean, as a page beside them."""

from __future__ import annotations

from html import escape

from brainseg_desktop.services.pair_report import PairReport
from brainseg_desktop.services.pair_tables import columns_of, definition

_MORE = (
    ("surface", "Surface"),
    ("lesion_wise", "Lesions"),
)


def definitions_html(report: PairReport) -> str:
    """One sentence for each measure and each rule."""
    tolerance = report.agreement.tolerance_mm
    lines: dict[str, str] = {}
    for column in columns_of(report):
        title = "Volumes" if column.key in ("reference_ml", "mask_ml") else column.name
        lines[title] = definition(column, tolerance)
    lines |= {title: report.agreement.definitions[key] for key, title in _MORE}
    lines["State"] = (
        "Which of the two masks is empty: a measure of two empty masks has no value, shown as a dash, not 0 "
        "and not 1. Without a voxel size in the files nothing is given in mm or mL."
    )
    lines["Slices"] = (
        "Dice of a slice has no value where both masks are empty there. The worst slice is the one with the "
        "most voxels in one mask only."
    )
    return "".join(f"<p><b>{escape(title)}</b>: {escape(text)}</p>" for title, text in lines.items())
