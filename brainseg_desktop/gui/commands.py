"""What each action of the table does; most of it is one call on the part concerned."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QApplication, QFileDialog

from brainseg_desktop.core.labels import TISSUE_NAMES
from brainseg_desktop.gui.actions import ACTIONS, ActionSpec
from brainseg_desktop.gui.dialogs.dialogs import HelpSheet
from brainseg_desktop.gui.file_manager import show_folder
from brainseg_desktop.gui.icons import set_icons
from brainseg_desktop.gui.keys import Keys, follow_keys, keys_in_use, without_first
from brainseg_desktop.gui.theme import THEMES, apply_theme
from brainseg_desktop.gui.views.layouts import Layout
from brainseg_desktop.gui.views.plane import Orientation, Plane
from brainseg_desktop.gui.views.slice_panel import SlicePanel
from brainseg_desktop.gui.views.view_menu import make_view_menu
from brainseg_desktop.gui.views.view_state import MaskStyle, Mode, OverlayKind, Split
from brainseg_desktop.services.language import tr
from brainseg_desktop.services.paths import log_dir

if TYPE_CHECKING:
    from brainseg_desktop.gui.main_window import MainWindow

PLANES = {"axial": Plane.AXIAL, "coronal": Plane.CORONAL, "sagittal": Plane.SAGITTAL}
LAYOUTS = {layout.value: layout for layout in Layout}
MODES = {mode.value: mode for mode in Mode if mode.value in {spec.name for spec in ACTIONS}}
OVERLAYS = {kind.value: kind for kind in OverlayKind if kind is not OverlayKind.MASK}


class Commands:
    """The slots behind menus, buttons and keys.

    Parameters
    ----------
    window : MainWindow
        With all its parts made.
    """

    def __init__(self, window: MainWindow) -> None:
        self._window = window
        self.keys = keys_in_use(window.settings.keys)

    def make_actions(self) -> dict[str, QAction]:
        """One action for each line of the table, by name."""
        window, slots = self._window, self._slots()
        made: dict[str, QAction] = {}
        for spec in ACTIONS:
            action = QAction(tr(spec.text), window)
            action.setShortcuts([QKeySequence(key) for key in self.keys[spec.name]])
            action.setCheckable(spec.checkable)
            action.setToolTip(_tip(spec, self.keys))
            action.setStatusTip("")
            # A checkable action hands its new state on; the others hand on nothing.
            slot = slots[spec.name]
            action.triggered.connect(slot if spec.checkable else lambda _=False, slot=slot: slot())
            window.addAction(action)
            made[spec.name] = action
        # Room is short on a small screen; radiologists know these.
        for name, short in (("axial", tr("Ax")), ("coronal", tr("Cor")), ("sagittal", tr("Sag"))):
            made[name].setIconText(short)
        set_icons(made, THEMES[window.settings.theme])
        for names in (tuple(MODES), tuple(LAYOUTS), tuple(PLANES)):
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
            "align": self._window.aligning.show,
            "close_case": self._window.close_case,
            "next_case": lambda: self._open_neighbour(1),
            "previous_case": lambda: self._open_neighbour(-1),
            "segment": self._window.segmenting.start,
            "cancel": self._window.segmenting.cancel,
            "about_network": self._window.networks.show_card,
            "models_folder": self._window.networks.open_folder,
            "export": self._window.exporter.ask,
            "case_report": self._window.case_reporter.ask,
            "pacs": self._window.archiving.show,
            "quit": self._window.close,
            "interpolate": self._interpolate,
            "drop_proposal": self._window.interpolating.drop,
            "intensity_rule": self._window.rules.set_intensity_on,
            "delete_measurement": self._window.measuring.delete_selected,
            "diameters": self._measure_diameters,
            "label_colours": self._window.choose_colours,
            "copy_picture": lambda: self._picture(self._window.view_pictures.copy),
            "save_picture": lambda: self._picture(self._window.view_pictures.ask),
            "label_centre": lambda: self._window.navigator.go_to_label(state.tissue),
            "next_labelled": lambda: self._window.navigator.next_labelled(self._plane(), 1),
            "previous_labelled": lambda: self._window.navigator.next_labelled(self._plane(), -1),
            "next_doubt": lambda: self._window.navigator.next_doubtful(1),
            "previous_doubt": lambda: self._window.navigator.next_doubtful(-1),
            "accept_doubt": self._window.doubt.accept_region,
            "edit_doubt": self._window.doubt.edit_region,
            "clear_doubt": self._window.doubt.clear_region,
            "cine": lambda _on: self._window.navigator.cine(self._plane()),
            "curtain": lambda on: self.split(Split.CURTAIN if on else Split.NONE),
            "blink": lambda on: self.split(Split.BLINK if on else Split.NONE),
            "neurological": lambda on: self.look(Orientation(not on, state.orientation.nose_left)),
            "nose_right": lambda on: self.look(Orientation(state.orientation.radiological, not on)),
            "link": self._link,
            "view_window": lambda: self._window.view_windows.open(viewer.active_panel.shown),
            "view_menu": viewer.request_menu,
            "undo": self._undo,
            "redo": self._redo,
            "smaller": lambda: state.set_tool_mm(state.tool_mm - 1),
            "larger": lambda: state.set_tool_mm(state.tool_mm + 1),
            "ball": state.set_ball,
            "keep_others": state.set_keep_others,
            "previous_label": lambda: self._step_label(-1),
            "next_label": lambda: self._step_label(1),
            "show_mask": state.set_show_mask,
            "outline": lambda on: state.set_style(MaskStyle.OUTLINE if on else MaskStyle.FILL),
            "fill_outline": lambda on: state.set_style(MaskStyle.BOTH if on else MaskStyle.FILL),
            "less_opaque": lambda: state.set_opacity(state.opacity - 0.1),
            "more_opaque": lambda: state.set_opacity(state.opacity + 0.1),
            "auto_window": state.auto_windows,
            "fit": state.reset_camera,
            "smooth": state.set_smooth,
            "maximise": viewer.toggle_maximised,
            "slice_up": lambda: viewer.step(1),
            "slice_down": lambda: viewer.step(-1),
            "theme": self.set_theme,
            "compare": self._window.agreement.show_report,
            "new_study": self._window.studying.ask_new,
            "open_study": self._open_study,
            "last_study": lambda: self._window.studying.open_folder(Path(self._window.settings.last_study)),
            "study_window": self._window.studying.show_window,
            "accept_reading": self._window.studying.current.accept,
            "save_reading": self._window.studying.current.save,
            "close_study": self._window.studying.close_study,
            "swap_pair": self._window.agreement.swap,
            "majority": lambda: self._window.agreement.ask_consensus("majority"),
            "staple": lambda: self._window.agreement.ask_consensus("staple"),
            "tour": self._window.touring.ask,
            "sample": lambda: self._window.open_path(self._window.empty.sample),
            "log_folder": self._open_log_folder,
            "guide": self._show_guide,
            "help": self._show_help,
            "settings": self._window.settings_shower.show,
            "about": self._window.settings_shower.show_about,
        }
        for name, plane in PLANES.items():
            slots[name] = lambda _on, plane=plane: viewer.set_plane(plane)
        for name, layout in LAYOUTS.items():
            slots[name] = lambda _on, layout=layout: viewer.arrange(layout)
        for name, kind in OVERLAYS.items():
            slots[name] = lambda on, kind=kind: state.set_overlay(kind if on else OverlayKind.MASK)
        for name, mode in MODES.items():
            slots[name] = lambda _on, mode=mode: state.set_mode(mode)
        for number in range(4):
            slots[f"label_{number + 1}"] = lambda number=number: self._choose_label(number)
        return slots

    def open_folder(self) -> None:
        """Ask for a case folder and open it."""
        chosen = QFileDialog.getExistingDirectory(
            self._window, tr("Open a case folder"), self._window.settings.opening_dir
        )
        if chosen:
            self._window.remember(last_open_dir=str(Path(chosen).parent))
            self._window.open_path(Path(chosen))

    def _open_files(self) -> None:
        chosen, _ = QFileDialog.getOpenFileNames(
            self._window,
            tr("Open image files"),
            self._window.settings.opening_dir,
            tr("Images (*.nii *.nii.gz *.tif *.tiff);;All files (*)"),
        )
        if chosen:
            self._window.remember(last_open_dir=str(Path(chosen[0]).parent))
            self._window.opener.open_files([Path(p) for p in chosen], ask=True)

    def _load_mask(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(
            self._window,
            tr("Load a mask"),
            self._window.settings.opening_dir,
            tr("Masks (*.nii *.nii.gz *.nrrd *.dcm);;All files (*)"),
        )
        if chosen:
            self._window.opener.load_mask(Path(chosen))

    def _open_study(self) -> None:
        chosen = QFileDialog.getExistingDirectory(
            self._window, tr("Open the folder of a study"), self._window.settings.last_study
        )
        if chosen:
            self._window.studying.open_folder(Path(chosen))

    # Views ------------------------------------------------------------------------------------------

    def _plane(self) -> Plane:
        return self._window.viewer.active_panel.view.plane

    def _picture(self, act: Callable[..., object]) -> None:
        if self._window.state.case is not None:
            act(self._window.viewer.active_panel.view, annotated=True)

    def _link(self, on: bool) -> None:
        self._window.viewer.active_panel.view.set_linked(on)

    def look(self, orientation: Orientation) -> None:
        """Look from this side, and remember it."""
        self._window.state.set_orientation(orientation)
        self._window.remember(radiological=orientation.radiological, nose_left=orientation.nose_left)

    def split(self, split: Split) -> None:
        """Show the second sequence and mask behind a curtain, in place of the first, or not at all."""
        state = self._window.state
        if split is not Split.NONE and state.second_sequence is None and state.reference is None:
            # Without a second mask another sequence is what the reader means.
            first = self._window.viewer.active_panel.view.sequence
            others = [s for s in (state.case.volumes if state.case is not None else ()) if s is not first]
            if not others:
                self._window.desk.say(tr("There is no second sequence and no second mask to show."))
                split = Split.NONE
            else:
                state.set_second_sequence(others[0])
        state.set_split(split)

    def open_view_menu(self, panel: SlicePanel, where: QPoint) -> None:
        """Open the menu of a view."""
        if self._window.state.case is not None:
            menu = make_view_menu(self._window, panel)
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            menu.popup(where)

    def _interpolate(self) -> None:
        """The first time a proposal, the second time its acceptance."""
        interpolating = self._window.interpolating
        if interpolating.proposal is not None:
            interpolating.accept()
        elif self._window.state.case is not None:
            interpolating.preview()

    def _measure_diameters(self) -> None:
        window = self._window
        if window.state.case is not None:
            tissue, rating = window.state.tissue, window.state.rating
            name = TISSUE_NAMES[tissue] if rating is None else f"{TISSUE_NAMES[tissue]}, {rating.rater}"
            window.measuring.add_diameters(frozenset({tissue}), name, self._plane())

    # Cases and labels -------------------------------------------------------------------------------

    def _open_neighbour(self, steps: int) -> None:
        key = self._window.cases.neighbour(steps)
        if key is not None:
            self._window.open_listed(key)

    def _undo(self) -> None:
        if not self._window.toolbox.is_busy:
            self._window.session.undo()

    def _redo(self) -> None:
        if not self._window.toolbox.is_busy:
            self._window.session.redo()

    def _choose_label(self, number: int) -> None:
        if number < len(self._window.labels.tissues):
            self._window.state.set_tissue(self._window.labels.tissues[number])

    def _step_label(self, steps: int) -> None:
        tissues = self._window.labels.tissues
        if self._window.state.tissue in tissues:
            self._choose_label((tissues.index(self._window.state.tissue) + steps) % len(tissues))

    def _open_log_folder(self) -> None:
        error = show_folder(log_dir(), make=True)
        if error is not None:
            self._window.desk.complain(error)

    def _show_help(self) -> None:
        sheet = HelpSheet(self._window, self.keys)
        sheet.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        sheet.show()

    def _show_guide(self) -> None:
        from brainseg_desktop.gui.guide.guide_window import show_guide

        show_guide(self._window)

    def set_theme(self, light: bool) -> None:
        """Change to the light or the dark look, and remember it."""
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        theme = THEMES["light" if light else "dark"]
        apply_theme(app, theme)
        set_icons(self._window.actions_by_name, theme)
        self._window.actions_by_name["theme"].setChecked(light)
        self._window.following.follow_layout()
        self._window.remember(theme=theme.name)

    def set_keys(self, keys: Keys) -> None:
        """Give the actions these keys, wherever they are named, and remember what is not as in the table."""
        changed = without_first(keys)
        self.keys = keys_in_use(changed)
        for spec in ACTIONS:
            action = self._window.actions_by_name[spec.name]
            action.setShortcuts([QKeySequence(key) for key in self.keys[spec.name]])
            action.setToolTip(_tip(spec, self.keys))
        self.name_keys()
        self._window.following.follow_history()
        self._window.remember(keys=changed)

    def name_keys(self) -> None:
        """Have the parts of the window name the keys in use."""
        follow_keys(self._window, self.keys)
        self._window.empty.set_keys(self.keys)


def _tip(spec: ActionSpec, in_use: Keys) -> str:
    keys = f" ({', '.join(in_use[spec.name])})" if in_use[spec.name] else ""
    return f"{tr(spec.tip or spec.text)}{keys}"
