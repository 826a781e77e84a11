"""What became of the labels the mask was started from, with which tools, in what time of work."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from brainseg_desktop.gui.panels.compare_panel import score_text
from brainseg_desktop.gui.panels.parts import faint, heading
from brainseg_desktop.gui.phrases import step_words
from brainseg_desktop.services.audit import Audit, AuditRecord, ChangeRecord
from brainseg_desktop.services.language import mark, tr, tr_many

_MEANING = mark(
    "Given: what the mask was started with. Kept: still so. Added: has the label now and "
    "had not.\n"
    "Removed: had the label and has it no more. A voxel moved to another label is "
    "removed from one and\n"
    "added to the other. Dice: the mask now against what was given."
)
# The panel is narrow: what the signs mean is said above the table.
_COLUMNS = (mark("Given"), mark("Kept"), "+", "\u2212", mark("Dice"))
_NAMES = (mark("Given"), mark("Kept"), mark("Added"), mark("Removed"), mark("Dice"))
_DELAY_MS = 150


def duration_text(seconds: float) -> str:
    """A time of work in words.

    Examples
    --------
    >>> duration_text(42.4), duration_text(125), duration_text(3720)
    ('42 s', '2 min 5 s', '1 h 2 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


class AuditPanel(QWidget):
    """Shows the audit of the mask it is given; counts a moment after a step, and only if it is seen."""

    def __init__(self) -> None:
        super().__init__()
        self._audit: Audit | None = None
        self._pair = faint()
        self._table = QTableWidget(0, len(_COLUMNS))
        self._table.setAccessibleName(tr("Changes against the mask it was started from"))
        self._table.setAccessibleDescription(tr(_MEANING))
        self._table.setToolTip(tr(_MEANING))
        self._table.setTabKeyNavigation(False)
        self._table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self._table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self._table.setShowGrid(False)
        self._table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        header = self._table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        header.setHighlightSections(False)
        rows = self._table.verticalHeader()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setDefaultSectionSize(self.fontMetrics().height() + 7)
        self._time = faint()
        self._tools = faint()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (heading(tr("Your changes")), self._pair, self._table, self._time, self._tools):
            layout.addWidget(part)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_DELAY_MS)
        self._timer.timeout.connect(self.refresh)
        self.refresh()

    def set_audit(self, audit: Audit | None) -> None:
        """Follow this mask from now on; call it again after each step."""
        if audit is not self._audit:
            self._audit = audit
            self.refresh()
        elif audit is not None and self.isVisible() and not self._timer.isActive():
            self._timer.start()

    def showEvent(self, event: object) -> None:
        super().showEvent(event)  # type: ignore[arg-type]
        self._timer.start()

    def refresh(self) -> None:
        """Count and show."""
        record = self._audit.record() if self._audit is not None else None
        has_given = record is not None and record.given_by is not None
        self._table.setVisible(has_given)
        self._time.setVisible(record is not None)
        self._tools.setVisible(record is not None and bool(record.tools))
        if record is None:
            self._pair.setText(tr("Only your own mask is followed."))
            return
        self._time.setText(
            tr(
                "Time of work {duration}; pauses of {pause:g} s or more are left out.",
                duration=duration_text(record.active_s),
                pause=record.idle_limit_s,
            )
        )
        self._tools.setText("\n".join(_tool_lines(record)))
        self._tools.setToolTip("\n".join(_tool_lines(record, full=True)))
        if not has_given:
            self._pair.setText(tr("This mask was not started from another one."))
            return
        rows = {**record.labels, **record.regions}
        in_ml = all(change.given_ml is not None for change in rows.values())
        unit = "mL" if in_ml else tr("voxels")
        self._pair.setText(
            tr(
                "Against {mask} as it was given, in {unit}: + added, − removed.",  # noqa: RUF001
                mask=record.given_by,
                unit=unit,
            )
        )
        self._fill(rows, in_ml)

    def _fill(self, rows: dict[str, ChangeRecord], in_ml: bool) -> None:
        table = self._table
        table.setHorizontalHeaderLabels([tr(title) for title in _COLUMNS])
        table.setRowCount(len(rows))
        table.setVerticalHeaderLabels(list(rows))
        for row, change in enumerate(rows.values()):
            for column, text in enumerate(_cells(change, in_ml)):
                item = QTableWidgetItem(text)
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                item.setToolTip(_tip(change, column))
                table.setItem(row, column, item)
        for column in range(table.columnCount()):
            title = table.horizontalHeaderItem(column)
            if title is not None:
                title.setToolTip(f"{tr(_NAMES[column])}\n\n{tr(_MEANING)}")
                title.setData(Qt.ItemDataRole.AccessibleTextRole, tr(_NAMES[column]))
                title.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        height = table.verticalHeader().defaultSectionSize()
        table.setFixedHeight(table.horizontalHeader().sizeHint().height() + len(rows) * height + 4)


def _cells(change: ChangeRecord, in_ml: bool) -> list[str]:
    if in_ml:
        volumes = (change.given_ml, change.kept_ml, change.added_ml, change.removed_ml)
        texts = [_short(volume) for volume in volumes if volume is not None]
    else:
        voxels = (change.given_voxels, change.kept_voxels, change.added_voxels, change.removed_voxels)
        texts = [f"{count:,}" if count < 10_000 else f"{count / 1000:,.0f}k" for count in voxels]
    dice = change.dice_against_given
    return [*texts, score_text(dice, 2) if dice.value is not None else "\u2013"]


def _short(volume_ml: float) -> str:
    """Three figures: the column holds no more, and the tooltip tells all voxels."""
    decimals = 0 if volume_ml >= 99.95 else 1 if volume_ml >= 9.995 else 2
    return f"{volume_ml:.{decimals}f}"


def _tip(change: ChangeRecord, column: int) -> str:
    voxels = (change.given_voxels, change.kept_voxels, change.added_voxels, change.removed_voxels)
    if column < len(voxels):
        return f"{tr(_NAMES[column])}: {_voxels(voxels[column])}"
    dice = change.dice_against_given
    return tr("{score}: the mask now against what was given", score=score_text(dice))


def _tool_lines(record: AuditRecord, *, full: bool = False) -> list[str]:
    """A line a tool, that of the longest work first; with all that is counted, or the most important."""
    by_time = sorted(record.tools.items(), key=lambda tool: -tool[1].active_s)
    lines = []
    for name, tool in by_time:
        back = tr(", {count:,} taken back", count=tool.undone) if tool.undone else ""
        more = f"{back}, {_voxels(tool.voxels)}" if full else ""
        amounts = tr_many("{count:,} step", "{count:,} steps", tool.steps) + more
        lines.append(f"{step_words(name)}: {amounts}, {duration_text(tool.active_s)}")
    return lines


def _voxels(count: int) -> str:
    return tr_many("{count:,} voxel", "{count:,} voxels", count)
