"""Questions that an image's file does not answer: which of several volumes, how large a voxel is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QImage, QPixmap, QResizeEvent
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from brainseg_desktop.core.volume import ImageChoice
from brainseg_desktop.gui.dialogs.dialogs import accept_buttons, size_by_font
from brainseg_desktop.gui.panels.parts import faint
from brainseg_desktop.services.language import tr

# Asks for the picture of a volume; the function is called with it, or with a sentence why there is none.
FetchPicture = Callable[[int, Callable[[NDArray[np.uint8] | str], None]], None]


class VolumeDialog(QDialog):
    """Which volume of a file with several: a slider, its number, and its middle slice."""

    def __init__(self, path: Path, count: int, fetch: FetchPicture, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Which volume?"))
        self._fetch = fetch
        self._wanted = 0
        self._picture = _Picture()
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._slider.setRange(1, count)
        self._slider.setPageStep(max(1, count // 10))
        self._slider.setAccessibleName(tr("Volume"))
        self._number = QSpinBox()
        self._number.setRange(1, count)
        self._number.setAccessibleName(tr("Number of the volume"))
        self._number.setSuffix(tr(" of {count}", count=count))
        self._slider.valueChanged.connect(self._number.setValue)
        self._number.valueChanged.connect(self._slider.setValue)
        self._number.valueChanged.connect(self._show)
        row = QHBoxLayout()
        row.addWidget(self._slider, 1)
        row.addWidget(self._number)
        told = QLabel(tr("{file} holds {count} volumes. One is opened:", file=path.name, count=count))
        told.setTextFormat(Qt.TextFormat.PlainText)
        told.setWordWrap(True)
        buttons = accept_buttons(self, tr("Open this volume"))
        layout = QVBoxLayout(self)
        layout.addWidget(told)
        layout.addWidget(self._picture, 1)
        layout.addLayout(row)
        layout.addWidget(faint(tr("Shown is the middle slice, the patient's right on the left.")))
        layout.addWidget(buttons)
        size_by_font(self, 26, 30)
        self._number.setFocus()
        self._show(1)

    @property
    def volume(self) -> int:
        """The number chosen, from 1."""
        return self._number.value()

    def let_go(self) -> None:
        """The dialog is answered: a picture that comes now has no place any more."""
        self._wanted = 0

    def _show(self, number: int) -> None:
        self._wanted = number

        def came(found: NDArray[np.uint8] | str) -> None:
            if number == self._wanted:  # else a later one was asked for meanwhile
                self._picture.show_picture(found)

        self._fetch(number, came)


class SpacingDialog(QDialog):
    """How large a voxel is, of pictures that do not say; it may be left unsaid.

    Attributes
    ----------
    is_unknown : whether the user wants to open without a size.
    """

    def __init__(self, path: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("How large is a voxel?"))
        self.is_unknown = False
        told = QLabel(
            tr("{file} is made of pictures, which do not state the size of a voxel.", file=path.name)
        )
        told.setTextFormat(Qt.TextFormat.PlainText)
        told.setWordWrap(True)
        form = QFormLayout()
        self._sizes: list[QDoubleSpinBox] = []
        for name in (tr("Between columns"), tr("Between rows"), tr("Between slices")):
            size = QDoubleSpinBox()
            size.setRange(0.0, 100.0)
            size.setDecimals(4)
            size.setSingleStep(0.1)
            size.setSpecialValueText(tr("not said"))
            size.setSuffix(" mm")
            size.setAccessibleName(name)
            size.valueChanged.connect(self._check)
            form.addRow(name, size)
            self._sizes.append(size)
        self._buttons = accept_buttons(self, tr("Open with this size"))
        without = QPushButton(tr("Open without a size"))
        without.setToolTip(tr("Nothing is then given in mm or mL"))
        without.setAutoDefault(False)
        without.clicked.connect(self._leave_unsaid)
        self._buttons.addButton(without, QDialogButtonBox.ButtonRole.ActionRole)
        layout = QVBoxLayout(self)
        layout.addWidget(told)
        layout.addLayout(form)
        layout.addWidget(
            faint(
                tr(
                    "Slices are taken to run upwards, rows to the back and columns to the patient's "
                    "left. Without a size nothing is given in mm or mL."
                )
            )
        )
        layout.addStretch(1)
        layout.addWidget(self._buttons)
        size_by_font(self, 30, 15)
        self._sizes[0].setFocus()
        self._sizes[0].selectAll()
        self._check()

    @property
    def choice(self) -> ImageChoice:
        """What was said."""
        x, y, z = (round(size.value(), 4) for size in self._sizes)
        return ImageChoice() if self.is_unknown else ImageChoice(spacing_mm=(x, y, z))

    def _check(self) -> None:
        said = all(size.value() >= 0.001 for size in self._sizes)
        self._buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(said)

    def _leave_unsaid(self) -> None:
        self.is_unknown = True
        self.accept()


class _Picture(QLabel):
    """A picture that fills its place without being stretched."""

    def __init__(self) -> None:
        super().__init__(tr("Reading..."))
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setWordWrap(True)
        self.setMinimumSize(QSize(120, 120))
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(tr("Middle slice of the volume"))
        self._whole = QPixmap()

    def show_picture(self, found: NDArray[np.uint8] | str) -> None:
        """Show grey values (row, column), or why there are none."""
        if isinstance(found, str):
            self._whole = QPixmap()
            self.setText(found)
            return
        rows, columns = found.shape
        image = QImage(found.tobytes(), columns, rows, columns, QImage.Format.Format_Grayscale8)
        self._whole = QPixmap.fromImage(image.copy())
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        if not self._whole.isNull():
            self.setPixmap(
                self._whole.scaled(
                    self.size(),
                    Qt.AspectRatioMode.KeepAspectRatio,
                    Qt.TransformationMode.SmoothTransformation,
                )
            )
