"""What each action of the table does; most of it is one call on the part concerned."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QApplication, QFileDialog, QMessageBox

from brainseg_desktop.gui.actions import ACTIONS, ActionSpec
from brainseg_desktop.gui.dialogs import HelpSheet, about_text
from brainseg_desktop.gui.plane import Plane
from brainseg_desktop.gui.theme import THEMES, apply_theme
from brainseg_desktop.gui.view_state import Mode, OverlayKind
from brainseg_desktop.gui.viewer import Layout

if TYPE_CHECKING:
    from brainseg_desktop.gui.main_window import MainWindow

PLANES = {"axial": Plane.AXIAL, "coronal": Plane.CORONAL, "sagittal": Plane.SAGITTAL}
_MODES = {m.value: m for m in Mode}


class Commands:
    """The slots behind menus, buttons and keys.

    Parameters
    ----------
    window : MainWindow
        With all its parts made.
    """

    def __init__(self, window: MainWindow) -> None:
        self._window = window

    def make_actions(self) -> dict[str, QAction]:
        """One action for each line of the table, by name."""
        window, slots = self._window, self._slots()
        made: dict[str, QAction] = {}
        for spec in ACTIONS:
            action = QAction(spec.text, window)
            action.setShortcuts([QKeySequence(key) for key in spec.keys])
            action.setCheckable(spec.checkable)
            action.setToolTip(_tip(spec))
            action.setStatusTip("")
            # A checkable action hands its new state on; the others hand on nothing.
            slot = slots[spec.name]
            action.triggered.connect(slot if spec.checkable else lambda _=False, slot=slot: slot())
            window.addAction(action)
            made[spec.name] = action
        # Room is short on a small screen; radiologists know these.
        for name, short in (("axial", "Ax"), ("coronal", "Cor"), ("sagittal", "Sag")):
            made[name].setIconText(short)
        for names in (("crosshair", "window", "brush", "eraser"), ("sequences", "planes"), tuple(PLANES)):
            group = QActionGroup(window)
            for name in names:
                group.addAction(made[name])
        return made

    def _slots(self) -> dict[str, Callable[..., object]]:
        state, viewer = self._window.state, self._window.viewer
        slots: dict[str, Callable[..., object]] = {
            "open": self.open_folder,
            "open_files": self._open_files,
            "load_mask": self._load_mask,
            "close_case": self._window.close_case,
            "next_case": lambda: self._open_neighbour(1),
            "previous_case": lambda: self._open_neighbour(-1),
            "segment": self._window.segmenting.start,
            "cancel": self._window.segmenting.cancel,
            "about_network": self._window.networks.show_card,
            "models_folder": self._window.networks.open_folder,
            "export": self._window.exporter.ask,
            "quit": self._window.close,
            "undo": self._undo,
            "redo": self._redo,
            "smaller": lambda: state.set_brush_mm(state.brush_mm - 1),
            "larger": lambda: state.set_brush_mm(state.brush_mm + 1),
            "ball": state.set_ball,
            "keep_others": state.set_keep_others,
            "previous_label": lambda: self._step_label(-1),
            "next_label": lambda: self._step_label(1),
            "show_mask": state.set_show_mask,
            "outline": state.set_outline_only,
            "less_opaque": lambda: state.set_opacity(state.opacity - 0.1),
            "more_opaque": lambda: state.set_opacity(state.opacity + 0.1),
            "difference": lambda on: state.set_overlay(OverlayKind.DIFFERENCE if on else OverlayKind.MASK),
            "uncertainty": lambda on: state.set_overlay(OverlayKind.UNCERTAINTY if on else OverlayKind.MASK),
            "auto_window": state.auto_windows,
            "fit": state.reset_camera,
            "smooth": state.set_smooth,
            "maximise": viewer.toggle_maximised,
            "slice_up": lambda: viewer.step(1),
            "slice_down": lambda: viewer.step(-1),
            "sequences": lambda _on: self._window.arrange(Layout.SEQUENCES),
            "planes": lambda _on: self._window.arrange(Layout.PLANES),
            "theme": self._set_theme,
            "compare": self._window.agreement.show_report,
            "help": self._show_help,
            "about": lambda: QMessageBox.about(self._window, "About", about_text()),
        }
        for name, plane in PLANES.items():
            slots[name] = lambda _on, plane=plane: viewer.set_plane(plane)
        for name, mode in _MODES.items():
            slots[name] = lambda _on, mode=mode: state.set_mode(mode)
        for number in range(4):
            slots[f"label_{number + 1}"] = lambda number=number: self._choose_label(number)
        return slots

    def open_folder(self) -> None:
        """Ask for a case folder and open it."""
        chosen = QFileDialog.getExistingDirectory(
            self._window, "Open a case folder", self._window.settings.last_open_dir
        )
        if chosen:
            self._window.remember(last_open_dir=str(Path(chosen).parent))
            self._window.open_path(Path(chosen))

    def _open_files(self) -> None:
        chosen, _ = QFileDialog.getOpenFileNames(
            self._window,
            "Open image files",
            self._window.settings.last_open_dir,
            "Images (*.nii *.nii.gz *.tif *.tiff);;All files (*)",
        )
        if chosen:
            self._window.remember(last_open_dir=str(Path(chosen[0]).parent))
            self._window.opener.open_files([Path(p) for p in chosen], ask=True)

    def _load_mask(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(
            self._window, "Load a mask", self._window.settings.last_open_dir, "NIfTI (*.nii *.nii.gz)"
        )
        if chosen:
            self._window.opener.load_mask(Path(chosen))

    def _open_neighbour(self, steps: int) -> None:
        key = self._window.cases.neighbour(steps)
        if key is not None:
            self._window.opener.open_key(key)

    def _undo(self) -> None:
        if not self._window.tool.is_painting:
            self._window.session.undo()

    def _redo(self) -> None:
        if not self._window.tool.is_painting:
            self._window.session.redo()

    def _choose_label(self, number: int) -> None:
        if number < len(self._window.labels.tissues):
            self._window.state.set_tissue(self._window.labels.tissues[number])

    def _step_label(self, steps: int) -> None:
        tissues = self._window.labels.tissues
        if self._window.state.tissue in tissues:
            self._choose_label((tissues.index(self._window.state.tissue) + steps) % len(tissues))

    def _show_help(self) -> None:
        sheet = HelpSheet(self._window)
        sheet.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        sheet.show()

    def _set_theme(self, light: bool) -> None:
        self._window.remember(theme="light" if light else "dark")
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        apply_theme(app, THEMES[self._window.settings.theme])


def _tip(spec: ActionSpec) -> str:
    keys = f" ({', '.join(spec.keys)})" if spec.keys else ""
    return f"{spec.tip or spec.text}{keys}"
