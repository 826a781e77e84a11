"""Which series of a DICOM exam is which sequence: pictures, what was recognised and why, and a choice."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QColor, QFont, QImage, QPainter, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.gui.panels.parts import faint
from brainseg_desktop.gui.phrases import listed
from brainseg_desktop.gui.qt_language import keep_sides
from brainseg_desktop.io.dicom.exams import Exam
from brainseg_desktop.io.dicom.recognise import Suggestion
from brainseg_desktop.io.dicom.series import DicomSeries
from brainseg_desktop.services.jobs import Jobs
from brainseg_desktop.services.language import mark, tr, tr_many
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.series_preview import Preview, preview

_SKIP = mark("Leave out")
_PICTURE, _SERIES, _WHY, _USE = range(4)


class SeriesDialog(QDialog):
    """Lists the series of an exam; each sequence can be given to one of them.

    Parameters
    ----------
    exam : Exam
    jobs : Jobs
        Loads the pictures; the list can be used before they are there.
    parent : QWidget or None
    load : function
        Makes the picture of a series, in the background.
    """

    def __init__(
        self,
        exam: Exam,
        jobs: Jobs,
        parent: QWidget | None = None,
        load: Callable[[DicomSeries], Preview] = preview,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Which series is which sequence?"))
        line = self.fontMetrics().height()
        self.resize(QSize(62 * line, 40 * line).boundedTo(self.screen().availableSize() * 0.9))
        pairs = list(zip(exam.series, exam.suggestions, strict=True))
        # What can be used first, each part in the order of the scanner.
        self._rows = sorted(pairs, key=lambda pair: not pair[0].is_offered)
        self._choices: dict[int, QComboBox] = {}
        self._pictures: list[QLabel] = []
        self._jobs, self._load = jobs, load
        self._table = self._make_table()
        self._why = faint()
        self._buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self._open = self._buttons.addButton(tr("Open"), QDialogButtonBox.ButtonRole.AcceptRole)
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)
        self._open.setDefault(True)
        layout = QVBoxLayout(self)
        layout.addWidget(faint(_introduction(exam)))
        layout.addWidget(self._table, 1)
        for note in exam.notes:
            layout.addWidget(faint(words(note)))
        layout.addWidget(self._why)
        layout.addWidget(self._buttons)
        self._check()
        self._open.setFocus()
        self._load_next(0)

    @property
    def chosen(self) -> dict[Sequence, DicomSeries]:
        """The series for each sequence."""
        return {
            Sequence(choice.currentText()): self._rows[row][0]
            for row, choice in self._choices.items()
            if choice.currentText() != tr(_SKIP)
        }

    def _make_table(self) -> QTableWidget:
        line = self.fontMetrics().height()
        table = QTableWidget(len(self._rows), 4)
        table.setHorizontalHeaderLabels(["", tr("Series"), tr("Suggested"), tr("Use as")])
        table.setAccessibleName(tr("Series of the exam"))
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(7 * line)
        table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        table.setTabKeyNavigation(False)
        table.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        header = table.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(_SERIES, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(_WHY, QHeaderView.ResizeMode.Stretch)
        table.setColumnWidth(_PICTURE, round(7.5 * line))
        table.setColumnWidth(_USE, 9 * line)
        for row, (series, hint) in enumerate(self._rows):
            picture = QLabel()
            picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
            picture.setAccessibleName(tr("Middle slice of {series}", series=series.name))
            table.setCellWidget(row, _PICTURE, picture)
            self._pictures.append(picture)
            table.setItem(row, _SERIES, _cell(series_text(series), series.is_offered))
            table.setItem(row, _WHY, _cell(reason_text(series, hint), series.is_offered))
            if series.is_offered:
                table.setCellWidget(row, _USE, self._make_choice(row, series, hint))
            else:
                table.setItem(row, _USE, _cell(tr("Cannot be used"), False))
        return table

    def _make_choice(self, row: int, series: DicomSeries, hint: Suggestion) -> QWidget:
        choice = QComboBox()
        choice.addItems([*(s.value for s in Sequence), tr(_SKIP)])
        choice.setCurrentText(hint.sequence.value if hint.sequence is not None else tr(_SKIP))
        choice.setAccessibleName(tr("Use {series} as", series=series.name))
        choice.currentTextChanged.connect(self._check)
        self._choices[row] = choice
        holder = QWidget()
        box = QVBoxLayout(holder)
        box.setContentsMargins(6, 0, 6, 0)
        box.addWidget(choice)
        return holder

    def _check(self) -> None:
        names = [c.currentText() for c in self._choices.values() if c.currentText() != tr(_SKIP)]
        twice = [s.value for s in Sequence if names.count(s.value) > 1]
        if twice:
            why = tr("{sequences} chosen twice. Leave one of them out.", sequences=listed(twice))
        elif not names:
            why = tr("Choose at least one sequence.")
        else:
            missing = [s.value for s in Sequence if s.value not in names]
            why = tr("Not in this exam: {missing}.", missing=", ".join(missing)) if missing else ""
        self._why.setText(why)
        self._open.setEnabled(bool(names) and not twice)

    # Pictures ---------------------------------------------------------------------------------------

    def _load_next(self, row: int) -> None:
        """One after another, so that other work need not wait behind all of them."""
        if row >= len(self._rows):
            return
        series = self._rows[row][0]

        def done(found: Preview | None) -> None:
            # The dialog may be closed: its labels are gone then, and nobody waits for the rest.
            if not self._is_closed:
                self._show(row, found)
                self._load_next(row + 1)

        def load() -> Preview | None:
            try:
                return self._load(series)
            except UserError:
                return None

        self._jobs.free(load, done, lambda error: done(None))

    _is_closed = False

    def done(self, result: int) -> None:
        """Closed, by whichever way."""
        self._is_closed = True
        super().done(result)

    def _show(self, row: int, found: Preview | None) -> None:
        label = self._pictures[row]
        if found is None:
            label.setText("no\npicture")
            label.setEnabled(False)
            return
        side = round(6.6 * self.fontMetrics().height())
        label.setPixmap(_pixmap(found, side, self.devicePixelRatioF(), self._rows[row][0].is_offered))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            for row, (series, _) in enumerate(self._rows):
                for column in (_SERIES, _WHY, _USE):
                    item = self._table.item(row, column)
                    if item is not None and not series.is_offered:
                        item.setForeground(QBrush(self.palette().placeholderText().color()))


def series_text(series: DicomSeries) -> str:
    """Description, slices, spacing and plane of a series, in three lines."""
    columns, rows, count = series.shape
    lines = [series.description or series.protocol or tr("No description")]
    if not columns:
        return "\n".join((lines[0], _capital(series.name)))
    slices = tr_many("{count} slice", "{count} slices", count)
    lines.append(
        tr(
            "{series}: {slices} of {columns} x {rows}",
            series=_capital(series.name),
            slices=slices,
            columns=columns,
            rows=rows,
        )
    )
    if series.spacing_mm is not None:
        tilt = (
            tr(", {degrees:.0f} degrees oblique", degrees=series.tilt_degrees)
            if series.tilt_degrees >= 1
            else ""
        )
        lines.append(" x ".join(f"{mm:.3g}" for mm in series.spacing_mm) + f" mm, {tr(series.plane)}{tilt}")
    return "\n".join(lines)


def reason_text(series: DicomSeries, hint: Suggestion) -> str:
    """What a series seems to be, and why; or why it cannot be used."""
    reason = words(hint.why)
    if not series.is_offered:
        return reason
    named = hint.sequence.value if hint.sequence is not None else tr(_SKIP)
    look = "" if hint.is_clear else tr(" Please look.")
    return f"{named}{'' if hint.is_clear else '?'}\n{reason}{look if 'ook at' not in reason else ''}"


def _introduction(exam: Exam) -> str:
    usable = sum(series.is_offered for series in exam.series)
    return tr(
        "{exam}: {count} series, {usable} of them can be used. What each seems to be is "
        "filled in; Enter opens the exam so.",
        exam=exam.name,
        count=len(exam.series),
        usable=usable,
    )


def _cell(text: str, is_enabled: bool) -> QTableWidgetItem:
    item = QTableWidgetItem(text)
    item.setToolTip(text)
    item.setFlags(Qt.ItemFlag.ItemIsEnabled if is_enabled else Qt.ItemFlag.NoItemFlags)
    item.setTextAlignment(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft)
    return item


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _pixmap(found: Preview, side: int, ratio: float, is_offered: bool) -> QPixmap:
    """The slice in its true proportions, its side named, faint where it cannot be used."""
    rows, columns = found.pixels.shape
    image = QImage(found.pixels.data, columns, rows, columns, QImage.Format.Format_Grayscale8)  # type: ignore[call-overload]
    pixmap = QPixmap(QSize(round(side * ratio), round(side * ratio)))
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(QColor(0, 0, 0))
    scale = side / max(*found.size_mm, 1e-6)
    height, width = (mm * scale for mm in found.size_mm)
    painter = QPainter(pixmap)
    keep_sides(painter)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.setOpacity(1.0 if is_offered else 0.45)
    painter.drawImage(QRectF((side - width) / 2, (side - height) / 2, width, height), image)
    painter.setOpacity(1.0)
    font = QFont(painter.font())
    font.setPixelSize(max(9, side // 8))
    painter.setFont(font)
    # Black behind the letter: it lies on the picture where that is wide.
    for shift, grey in ((1, 0), (-1, 0), (0, 235)):
        painter.setPen(QColor(grey, grey, grey))
        painter.drawText(QRectF(4 + shift, shift, side, side), Qt.AlignmentFlag.AlignVCenter, found.left)
    painter.end()
    return pixmap
