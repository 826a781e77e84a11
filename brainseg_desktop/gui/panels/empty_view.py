"""What stands in the middle while no case is open: what to do first."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from brainseg_desktop.gui.keys import FIRST, Keys
from brainseg_desktop.gui.panels.parts import faint, heading, show_page
from brainseg_desktop.io.resources import resources_dir
from brainseg_desktop.services.language import mark, tr

_TITLE = mark("Open a case to begin")
_ROWS_SHOWN = 5


class EmptyView(QWidget):
    """Three steps, two buttons, and the cases opened last.

    Signals
    -------
    open_folder : the user wants to choose a folder.
    open_sample : path of the sample case.
    open_recent : key of a case, as given to `set_recent`.
    take_tour : the user wants to be shown around.

    Attributes
    ----------
    sample : Path
        Of the sample case.
    """

    open_folder = Signal()
    open_sample = Signal(Path)
    open_recent = Signal(str)
    take_tour = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(tr("Start page"))
        self._title = QLabel(tr(_TITLE))
        self._title.setObjectName("title")
        self._title.setWordWrap(True)
        self._open = QPushButton()
        self._open.setDefault(True)
        self._open.clicked.connect(self.open_folder)
        self.sample = sample = resources_dir() / "sample"
        self._sample = QPushButton(tr("Try the sample case"))
        self._sample.setToolTip(tr("Open the case that comes with the program"))
        self._sample.clicked.connect(lambda: self.open_sample.emit(sample))
        self._sample.setVisible(sample.is_dir())
        self._tour = QPushButton(tr("Take the tour"))
        self._tour.setToolTip(tr("Three minutes on the sample case, step by step in this window"))
        self._tour.clicked.connect(self.take_tour)
        self._tour.setVisible(sample.is_dir())
        self._recent_title = heading(tr("Recent cases"))
        self._recent = QListWidget()
        self._recent.setAccessibleName(tr("Recent cases"))
        self._recent.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._recent.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self._recent.itemClicked.connect(self._picked)
        self._recent.itemActivated.connect(self._picked)
        # Some desktops activate with a single click, which would ask for the case twice.
        self._asked = ""
        self._page = QWidget()
        self._page.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        column = QVBoxLayout(self._page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        column.addStretch(2)
        column.addWidget(self._title)
        self._segment, self._correct = faint(), faint()
        column.addWidget(self._steps())
        column.addWidget(self._recent_title)
        column.addWidget(self._recent, 100)
        column.addWidget(
            faint(tr("For research use only. Not a medical device; not for diagnosis or treatment."))
        )
        column.addStretch(3)
        show_page(self, self._page)
        self.set_keys(FIRST)
        self.set_recent([])

    def set_keys(self, keys: Keys) -> None:
        """Name the keys in use."""

        def key(name: str) -> str:
            return f" ({keys[name][0]})" if keys[name] else ""

        self._open.setText(tr("Open a case...{key}", key=key("open")))
        self._open.setToolTip(tr("Choose a case folder{key}", key=key("open")))
        self._segment.setText(
            tr(
                "Segment with AI{key} lets a network outline the tumour. Your own painting is kept.",
                key=key("segment"),
            )
        )
        self._correct.setText(
            tr(
                "Paint{brush} and erase{eraser}, compare with another mask{compare}, write the mask to a "
                "file{export}. All keys and mouse acts{help} are in the menu Help.",
                brush=key("brush"),
                eraser=key("eraser"),
                compare=key("compare"),
                export=key("export"),
                help=key("help"),
            )
        )

    def set_busy(self, text: str) -> None:
        """Say what is being read; empty when it is over."""
        self._title.setText(f"{text} ..." if text else tr(_TITLE))
        for control in (self._open, self._sample, self._tour, self._recent):
            control.setEnabled(not text)
        if not text:
            self._asked = ""

    def set_recent(self, cases: list[tuple[str, str]]) -> None:
        """List (key, title) pairs of the cases opened last, newest first."""
        self._asked = ""
        self._recent.clear()
        for key, title in cases:
            item = QListWidgetItem(title)
            item.setData(Qt.ItemDataRole.UserRole, key)
            item.setToolTip(key)
            self._recent.addItem(item)
        for widget in (self._recent_title, self._recent):
            widget.setVisible(bool(cases))
        row = self._recent.sizeHintForRow(0) if cases else 0
        self._recent.setMinimumHeight(2 * row)
        self._recent.setMaximumHeight(min(_ROWS_SHOWN, max(2, len(cases))) * row + 6)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        # Enter opens a case at once, and the keys are never left on a view that is gone.
        self._open.setFocus(Qt.FocusReason.OtherFocusReason)

    def _steps(self) -> QWidget:
        steps = QWidget()
        grid = QGridLayout(steps)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(8)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(self._open)
        buttons.addWidget(self._sample)
        buttons.addWidget(self._tour)
        buttons.addStretch(1)
        drop = tr("Drop a folder here (DICOM, BraTS names, or .tif slices), or image files. Or choose one:")
        for row, (title, text) in enumerate(
            (
                (tr("Open a case"), faint(drop)),
                (tr("Segment"), self._segment),
                (tr("Correct, measure, export"), self._correct),
            )
        ):
            tile = QFrame()
            tile.setObjectName("tile")
            inside = QGridLayout(tile)
            inside.setColumnStretch(1, 1)
            inside.setHorizontalSpacing(14)
            number, name = QLabel(str(row + 1)), QLabel(title)
            number.setObjectName("score")
            name.setObjectName("step")
            inside.addWidget(number, 0, 0, 2, 1, Qt.AlignmentFlag.AlignTop)
            inside.addWidget(name, 0, 1)
            inside.addWidget(text, 1, 1)
            if row == 0:
                inside.addLayout(buttons, 2, 1)
            grid.addWidget(tile, row, 0)
        return steps

    def _picked(self, item: QListWidgetItem) -> None:
        key = item.data(Qt.ItemDataRole.UserRole)
        if key != self._asked:
            self._asked = key
            self.open_recent.emit(key)
