"""How images and masks look: the same as in the menus and the panel, and in step with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QCheckBox

from brainseg_desktop.core.palettes import palette
from brainseg_desktop.gui.panels.parts import LabelledSlider, swatch
from brainseg_desktop.gui.settings.page import Choice, Page, push
from brainseg_desktop.gui.views.plane import Orientation
from brainseg_desktop.gui.views.view_state import MaskStyle
from brainseg_desktop.services.language import tr

if TYPE_CHECKING:
    from brainseg_desktop.gui.main_window import MainWindow

_STYLES = {style.value[0]: style for style in MaskStyle}


class DisplayPage(Page):
    """Follows the view state and the settings, and changes them."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(tr("Display"))
        self._window, self._state = window, window.state
        self.add_heading(tr("Window"))
        self._theme = Choice(
            tr("Look of the window"),
            (("dark", tr("Dark, for a reading room")), ("light", tr("Light"))),
            lambda name: window.commands.set_theme(name == "light"),
        )
        self.add_form().addRow(tr("Look"), self._theme)
        self.add_heading(tr("Sides"))
        self._sides = Choice(
            tr("Sides of axial and coronal views"),
            (
                ("radiological", tr("Radiological: the patient's left is on the right")),
                ("neurological", tr("Neurological: the patient's left is on the left")),
            ),
            lambda name: self._look(Orientation(name == "radiological", self._state.orientation.nose_left)),
        )
        self._nose = Choice(
            tr("Sagittal views"),
            (("left", tr("Nose to the left")), ("right", tr("Nose to the right"))),
            lambda side: self._look(Orientation(self._state.orientation.radiological, side == "left")),
        )
        form = self.add_form()
        form.addRow(tr("Axial, coronal"), self._sides)
        form.addRow(tr("Sagittal"), self._nose)
        self.add_note(tr("Each view always says which side is which."))
        self.add_heading(tr("Mask"))
        self._style = Choice(
            tr("How the mask is drawn"),
            (("fill", tr("Filled")), ("outline", tr("Outline")), ("both", tr("Filled and outline"))),
            self._set_style,
        )
        self._opacity = LabelledSlider(tr("Opacity"), 0, 100, lambda value: f"{value} %")
        self._opacity.changed.connect(lambda value: self._state.set_opacity(value / 100))
        self._opacity.slider.setToolTip(tr("Opacity of the mask"))
        self._colours = push(
            tr("Colours..."),
            tr("Colours of the labels: safe for colour blindness, classic, or your own"),
            lambda: window.choose_colours(self.window()),
        )
        form = self.add_form()
        form.addRow(tr("Style"), self._style)
        form.addRow(self._opacity)
        form.addRow(tr("Colours of labels"), self._colours)
        self.add_heading(tr("Images"))
        self._smooth = QCheckBox(tr("Smooth images"))
        self._smooth.setToolTip(tr("Interpolate between voxels (display only)"))
        self._smooth.clicked.connect(self._set_smooth)
        self.column.addWidget(self._smooth)
        self._reference = Choice(
            tr("Sequence that masks are drawn on"),
            (("", tr("By the usual rule")), ("FLAIR", "FLAIR"), ("T1CE", "T1CE")),
            window.aligning.choose_reference,
        )
        self.add_form().addRow(tr("Draw masks on"), self._reference)
        self.add_note(tr("Where the sequences of a case lie on different grids; from the next case on."))
        self._followed = (
            self._state.overlay_changed,
            self._state.camera_changed,
            self._state.windows_changed,
        )
        for signal in self._followed:
            signal.connect(self.follow)
        self.finish()

    def follow(self) -> None:
        settings, state = self._window.settings, self._state
        self._theme.set_value(settings.theme)
        self._sides.set_value("radiological" if state.orientation.radiological else "neurological")
        self._nose.set_value("left" if state.orientation.nose_left else "right")
        self._style.set_value(state.style.value[0])
        self._opacity.set_value(round(100 * state.opacity))
        self._smooth.setChecked(state.smooth)
        self._reference.set_value(settings.reference)
        colour = next(iter(palette(settings.palette, settings.own_colours).values()))
        self._colours.setIcon(swatch(colour))

    def leave(self) -> None:
        for signal in self._followed:
            signal.disconnect(self.follow)
        state, settings = self._state, self._window.settings
        if round(state.opacity, 3) != round(settings.opacity, 3):
            self._window.remember(opacity=state.opacity)

    def _look(self, orientation: Orientation) -> None:
        self._window.commands.look(orientation)

    def _set_style(self, name: str) -> None:
        self._state.set_style(_STYLES[name])
        self._window.remember(mask_style=name)

    def _set_smooth(self, on: bool) -> None:
        self._state.set_smooth(on)
        self._window.following.follow_tool()
        self._window.remember(smooth=on)
