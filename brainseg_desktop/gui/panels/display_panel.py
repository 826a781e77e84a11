"""How images and masks are drawn: windows, overlay, a second image or mask, display sides."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from brainseg_desktop.core.case import Rating
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.gui.panels.parts import faint, heading
from brainseg_desktop.gui.views.plane import Orientation
from brainseg_desktop.gui.views.view_state import MaskStyle, OverlayKind, Split, ViewState
from brainseg_desktop.services.language import mark, tr

_STYLES = {
    MaskStyle.FILL: mark("Filled"),
    MaskStyle.OUTLINE: mark("Outline"),
    MaskStyle.BOTH: mark("Filled and outline"),
}
_OVERLAYS = {
    OverlayKind.MASK: mark("Mask"),
    OverlayKind.BOTH_MASKS: mark("Mask, the other one dashed"),
    OverlayKind.DIFFERENCE: mark("Difference of the two masks"),
    OverlayKind.AGREEMENT_MAP: mark("Agreement of the readers"),
    OverlayKind.UNCERTAINTY: mark("Uncertainty of the network"),
}


class DisplayPanel(QWidget):
    """Follows the `ViewState` and changes it.

    Signals
    -------
    colours_wanted : the reader wants to choose the colours of the labels.
    split_wanted : `Split` to show the second image or mask.
    sides_wanted : `Orientation`
    """

    colours_wanted = Signal()
    split_wanted = Signal(object)
    sides_wanted = Signal(object)

    def __init__(self, state: ViewState) -> None:
        super().__init__()
        self._state = state
        self._style = _combo(
            tr("How the mask is drawn (O, Shift+O)"),
            tr("Look of the mask"),
            [tr(text) for text in _STYLES.values()],
        )
        self._style.activated.connect(lambda row: state.set_style(list(_STYLES)[row]))
        self._overlay = _combo(
            tr("What lies over the images (Shift+F, F, U, Shift+U)"),
            tr("Overlay"),
            [tr(text) for text in _OVERLAYS.values()],
        )
        self._overlay.activated.connect(lambda row: state.set_overlay(list(_OVERLAYS)[row]))
        self._colours = QPushButton(tr("Colours..."))
        self._colours.setToolTip(tr("Colours of the labels: safe for colour blindness, classic, or your own"))
        self._colours.clicked.connect(self.colours_wanted)
        self._mean = faint()
        self._second = _combo(
            tr("Sequence behind the curtain, or shown while blinking"), tr("Second sequence"), ()
        )
        self._second.activated.connect(self._choose_second)
        self._curtain = _toggle(tr("Curtain"), tr("Uncover the second image and mask right of a line (C)"))
        self._curtain.clicked.connect(lambda on: self.split_wanted.emit(Split.CURTAIN if on else Split.NONE))
        self._blink = _toggle(tr("Blink"), tr("Change to the second image and mask and back (T)"))
        self._blink.clicked.connect(lambda on: self.split_wanted.emit(Split.BLINK if on else Split.NONE))
        self._masks = faint()
        self._neurological = _tick(
            tr("Neurological: left is left"), tr("The patient's left on the left of axial and coronal views")
        )
        self._nose = _tick(tr("Nose to the right"), tr("In sagittal views"))
        for box in (self._neurological, self._nose):
            box.clicked.connect(self._turn)
        self._sequences: list[Sequence | None] = [None]
        self._lay_out()
        state.overlay_changed.connect(self.follow)
        state.camera_changed.connect(self.follow)
        state.case_changed.connect(self.follow)
        self.set_uncertainty(None)
        self.follow()

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(heading(tr("Mask")))
        form = QFormLayout()
        form.addRow(tr("Look"), self._style)
        form.addRow(tr("Overlay"), self._overlay)
        column.addLayout(form)
        column.addWidget(self._mean)
        column.addWidget(self._colours)
        column.addSpacing(8)
        column.addWidget(heading(tr("Second image or mask")))
        second = QFormLayout()
        second.addRow(tr("Sequence"), self._second)
        column.addLayout(second)
        buttons = QHBoxLayout()
        buttons.addWidget(self._curtain)
        buttons.addWidget(self._blink)
        column.addLayout(buttons)
        column.addWidget(self._masks)
        column.addSpacing(8)
        column.addWidget(heading(tr("Sides")))
        column.addWidget(self._neurological)
        column.addWidget(self._nose)

    def follow(self) -> None:
        """Show what the state says."""
        state = self._state
        self._style.setCurrentIndex(list(_STYLES).index(state.style))
        self._overlay.setCurrentIndex(list(_OVERLAYS).index(state.overlay))
        self._curtain.setChecked(state.split is Split.CURTAIN)
        self._blink.setChecked(state.split is Split.BLINK)
        self._neurological.setChecked(not state.orientation.radiological)
        self._nose.setChecked(not state.orientation.nose_left)
        sequences = [None, *(state.case.volumes if state.case is not None else ())]
        if sequences != self._sequences or self._second.count() != len(sequences):
            self._sequences = sequences
            self._second.clear()
            self._second.addItems([tr("The same") if s is None else s.value for s in sequences])
        chosen = state.second_sequence if state.second_sequence in sequences else None
        self._second.setCurrentIndex(sequences.index(chosen))
        masks = (
            tr("Second mask: {rater}, the one compared with.", rater=state.reference.rater)
            if state.reference is not None
            else tr("No second mask: choose one to compare with under Reading.")
        )
        if self._masks.text() != masks:
            self._masks.setText(masks)

    def set_uncertainty(self, rating: Rating | None) -> None:
        """Tell the mean uncertainty of a network's mask; None if there is no such mask."""
        bits = rating.details.get("mean_uncertainty_bits") if rating is not None else None
        self._mean.setVisible(bits is not None)
        if bits is not None:
            self._mean.setText(tr("Mean uncertainty inside the AI mask: {bits:.2f} bit", bits=bits))

    def _choose_second(self, row: int) -> None:
        self._state.set_second_sequence(self._sequences[row])

    def _turn(self) -> None:
        self.sides_wanted.emit(Orientation(not self._neurological.isChecked(), not self._nose.isChecked()))


def _combo(tip: str, name: str, items: object) -> QComboBox:
    box = QComboBox()
    box.setToolTip(tip)
    box.setAccessibleName(name)
    box.addItems(list(items))  # type: ignore[call-overload]
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(8)
    return box


def _toggle(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setCheckable(True)
    button.setToolTip(tip)
    return button


def _tick(text: str, tip: str) -> QCheckBox:
    box = QCheckBox(text)
    box.setToolTip(tip)
    return box
