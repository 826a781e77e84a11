"""Keeps the agreement panel and the volumes in step with the masks, while painting too."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QDialog, QLabel, QTableWidget, QTableWidgetItem, QVBoxLayout

from brainseg_desktop.core.case import Rating
from brainseg_desktop.core.labels import TISSUE_NAMES, Region, Tissue
from brainseg_desktop.gui.desk import Desk
from brainseg_desktop.gui.panels.compare_panel import ComparePanel, score_text
from brainseg_desktop.gui.panels.labels_panel import LabelsPanel
from brainseg_desktop.gui.panels.parts import faint
from brainseg_desktop.gui.views.viewer import Viewer
from brainseg_desktop.services.compare import AgreementReport, compare

# The numbers follow the brush, but the screen need not show more than some twenty sets a second.
_REFRESH_MS = 50
_RULES = (
    ("dice", "Dice"),
    ("iou", "IoU"),
    ("precision", "Precision"),
    ("sensitivity", "Sensitivity"),
    ("specificity", "Specificity"),
    ("hd95_mm", "HD95"),
    ("assd_mm", "ASSD"),
    ("surface_dice", "Surface Dice"),
    ("state", "Words in place of numbers"),
)


class Agreement(QObject):
    """Between the session's counts and the panels that show them."""

    def __init__(self, desk: Desk, panel: ComparePanel, labels: LabelsPanel, viewer: Viewer) -> None:
        super().__init__(desk.window)
        self._desk, self._panel, self._labels, self._viewer = desk, panel, labels, viewer
        self._others: list[Rating] = []
        self._sets: dict[str, Region] = {}
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_REFRESH_MS)
        self._timer.timeout.connect(self.refresh)
        self.report_dialog: QDialog | None = None
        panel.reference_chosen.connect(self._choose_reference)
        panel.region_chosen.connect(self._choose_region)
        panel.slice_clicked.connect(self._go_to_slice)
        desk.state.cursor_changed.connect(self._mark_slice)

    def follow(self) -> None:
        """Masks came, went or changed places."""
        session = self._desk.session
        ratings = session.case.ratings if session.case is not None else []
        self._others = [r for r in ratings if r is not session.shown]
        chosen = self._others.index(session.reference) if session.reference in self._others else -1
        self._panel.set_choices([r.rater for r in self._others], chosen)
        self._sets = self._regions(session.shown, session.reference)
        if self._desk.state.region.name not in self._sets and self._sets:
            self._desk.state.region = next(iter(self._sets.values()))
        self._panel.set_regions(list(self._sets), self._desk.state.region.name)
        self.refresh()

    def voxels_changed(self) -> None:
        """A stroke goes on: refresh soon."""
        if not self._timer.isActive():
            self._timer.start()

    def refresh(self) -> None:
        """Bring all numbers up to date."""
        self._timer.stop()
        self._refresh_volumes()
        session = self._desk.session
        live = session.live
        if live is None or session.shown is None or session.reference is None:
            why = (
                "Open a case to compare masks." if session.case is None else "Choose a mask to compare with."
            )
            if session.case is not None and not self._others:
                why = "There is no other mask to compare with. Segment with AI, or load a mask."
            self._panel.clear(why)
            return
        regions = [r for r in self._sets.values() if r.name in ("WT", "TC", "ET")]
        pair = f"{session.shown.rater} against {session.reference.rater}"
        tissues = session.shown.scheme.tissues
        scores = live.scores(regions, tissues)
        named = {TISSUE_NAMES[t]: scores[t.name.lower()] for t in tissues}
        self._panel.set_scores(pair, {r.name: scores[r.name] for r in regions}, named)
        plane = self._viewer.views[0].plane if self._viewer.views else self._viewer.plane
        region = self._desk.state.region
        self._panel.set_slices(
            live.dice_by_slice(plane.axis, region), self._desk.state.cursor[plane.axis], region.name
        )

    def _refresh_volumes(self) -> None:
        session = self._desk.session
        if session.case is None or session.shown is None:
            self._labels.set_volumes({})
            return
        live, grid = session.live, session.case.grid
        if live is not None:
            counts = live.histogram.sum(axis=0)
        else:
            counts = np.zeros(len(Tissue), np.int64)
            for part in session.shown.label_map.array:  # the whole array at once would become int64
                if part.any():
                    counts += np.bincount(part.ravel(), minlength=len(Tissue))
        self._labels.set_unit("mL" if grid.spacing_known else "voxels")
        factor = grid.voxel_volume_ml if grid.spacing_known else 1.0
        decimals = 1 if grid.spacing_known else 0
        self._labels.set_volumes({t: f"{counts[t] * factor:,.{decimals}f}" for t in Tissue})

    def _regions(self, shown: Rating | None, other: Rating | None) -> dict[str, Region]:
        """Regions that both masks can tell apart, then the labels of the mask shown, each as a region."""
        if shown is None:
            return {}
        regions = list(shown.scheme.regions)
        if other is not None:
            regions = [r for r in regions if r in other.scheme.regions]
        single = [Region(TISSUE_NAMES[t], frozenset({t})) for t in shown.scheme.tissues]
        return {r.name: r for r in (*regions, *single)}

    def _choose_reference(self, row: int) -> None:
        self._desk.session.compare_with(self._others[row] if 0 <= row < len(self._others) else None)

    def _choose_region(self, name: str) -> None:
        if name in self._sets:
            self._desk.state.set_region(self._sets[name])
            self.refresh()

    def _go_to_slice(self, index: int) -> None:
        state = self._desk.state
        plane = self._viewer.views[0].plane
        state.step(plane, index - state.cursor[plane.axis])

    def _mark_slice(self) -> None:
        if self._viewer.views:
            plane = self._viewer.views[0].plane
            self._panel.set_current_slice(self._desk.state.cursor[plane.axis])

    # The full report --------------------------------------------------------------------------------

    def show_report(self) -> None:
        """Measure everything, distances too, in the background, and show it as a table."""
        session = self._desk.session
        case, shown, reference = session.case, session.shown, session.reference
        if case is None or shown is None:
            return
        if reference is None:
            self._desk.say("Choose a mask to compare with, in the agreement panel.")
            return
        first, second = reference.label_map.array.copy(), shown.label_map.array.copy()
        regions = [r for r in self._sets.values() if r.name in ("WT", "TC", "ET")]
        title = f"{case.name}: {shown.rater} against {reference.rater}"
        self._desk.jobs.free(
            lambda: compare(
                first, second, case.grid, regions, shown.scheme.tissues, scheme=shown.scheme.name
            ),
            lambda report: self._show(title, report),
            self._desk.complain,
        )

    def _show(self, title: str, report: AgreementReport) -> None:
        dialog = QDialog(self._desk.window)
        dialog.setWindowTitle("Agreement")
        dialog.resize(960, 600)
        columns = [
            "Dice",
            "IoU",
            "Precision",
            "Sensitivity",
            "Specificity",
            "HD95 mm",
            "ASSD mm",
            "Surface Dice",
            "Other mL",
            "Mask mL",
        ]
        rows: list[tuple[str, list[str]]] = []
        for name, region in report.regions.items():
            one, surface = region.overlap, region.surface
            cells = [
                score_text(getattr(one, k))
                for k in ("dice", "iou", "precision", "sensitivity", "specificity")
            ]
            cells += (
                [score_text(s, 2) for s in (surface.hd95_mm, surface.assd_mm, surface.surface_dice)]
                if surface
                else ["", "", ""]
            )
            rows.append((name, cells + [score_text(v, 2) for v in one.volume_ml]))
        for tissue, one in report.labels.items():
            cells = [
                score_text(getattr(one, k))
                for k in ("dice", "iou", "precision", "sensitivity", "specificity")
            ]
            rows.append(
                (TISSUE_NAMES[tissue], [*cells, "", "", "", *(score_text(v, 2) for v in one.volume_ml)])
            )
        table = QTableWidget(len(rows), len(columns))
        table.setHorizontalHeaderLabels(columns)
        table.setVerticalHeaderLabels([name for name, _ in rows])
        table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        for row, (_, texts) in enumerate(rows):
            for column, text in enumerate(texts):
                table.setItem(row, column, QTableWidgetItem(text))
        table.resizeColumnsToContents()
        rules = "\n".join(f"{name}: {report.definitions[key]}" for key, name in _RULES)
        layout = QVBoxLayout(dialog)
        layout.addWidget(QLabel(title))
        layout.addWidget(table, 1)
        layout.addWidget(faint(rules))
        self.report_dialog = dialog
        dialog.show()
