"""The line at the bottom: where the mouse is, what each sequence measures there, and what it is marked as."""

from __future__ import annotations

from brainseg_desktop.core.labels import TISSUE_NAMES, Tissue
from brainseg_desktop.core.reslice import value_at
from brainseg_desktop.gui.views.view_state import ViewState
from brainseg_desktop.services.language import tr


def readout(state: ViewState, voxel: tuple[int, int, int] | None) -> str:
    """The text for a voxel; None stands for the crosshair."""
    case = state.case
    if case is None:
        return ""
    where = voxel or state.cursor
    parts = []
    if case.grid.spacing_known:
        x, y, z = case.grid.world_of(where)
        parts.append(f"x {x:.1f}  y {y:.1f}  z {z:.1f} mm")
    parts.append("[" + " ".join(str(i + 1) for i in where) + "]")
    # A sequence on a grid of its own is read at the same millimetres; "-" where it was not measured.
    parts += [f"{s.value} {_value(value_at(v, case.grid, where))}" for s, v in case.volumes.items()]
    if state.rating is not None:
        parts.append(TISSUE_NAMES[Tissue(int(state.rating.label_map.array[where]))])
    if state.uncertainty is not None and state.shows_uncertainty:
        parts.append(tr("uncertainty {uncertainty:.2f} bit", uncertainty=state.uncertainty[where] / 255))
    return "    ".join(parts)


def _value(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.3g}"
