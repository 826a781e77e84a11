"""What stands in the middle while no case is open: what to do first."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from brainseg_desktop.gui.parts import faint
from brainseg_desktop.io.resources import resources_dir


class EmptyView(QWidget):
    """Two buttons and three lines.

    Signals
    -------
    open_folder : the user wants to choose a folder.
    open_sample : path of the sample case.
    """

    open_folder = Signal()
    open_sample = Signal(Path)

    def __init__(self) -> None:
        super().__init__()
        self._title = QLabel("Open a case to begin")
        font = self._title.font()
        font.setPointSizeF(font.pointSizeF() * 1.8)
        self._title.setFont(font)
        hint = faint(
            "Drop a case folder here (BraTS names, or a folder of .tif slices), or image files.\n"
            "Then: Segment with AI, correct the mask with the brush, compare, export."
        )
        hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._open = QPushButton("Open a case...")
        self._open.setDefault(True)
        self._open.clicked.connect(self.open_folder)
        sample = resources_dir() / "sample"
        self._sample = QPushButton("Try the sample case")
        self._sample.clicked.connect(lambda: self.open_sample.emit(sample))
        self._sample.setVisible(sample.is_dir())
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self._open)
        row.addWidget(self._sample)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setSpacing(16)
        column.addStretch(2)
        column.addWidget(self._title, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(hint)
        column.addLayout(row)
        column.addStretch(3)

    def set_busy(self, text: str) -> None:
        """Say what is being read; empty when it is over."""
        self._title.setText(f"{text} ..." if text else "Open a case to begin")
        self._open.setEnabled(not text)
        self._sample.setEnabled(not text)
