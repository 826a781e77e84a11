"""Keeps the window's panels and actions in step with the session and the state of the views."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from brainseg_desktop.core.case import Rating
from brainseg_desktop.core.geometry import Box
from brainseg_desktop.gui.commands import LAYOUTS, OVERLAYS, PLANES
from brainseg_desktop.gui.phrases import step_words
from brainseg_desktop.gui.tasks.studying import HIDDEN_WHILE_BLINDED
from brainseg_desktop.gui.views.view_state import MaskStyle, Split
from brainseg_desktop.services.language import tr

if TYPE_CHECKING:
    from brainseg_desktop.gui.main_window import MainWindow

# What cannot be done without a case.
_NEED_CASE = (
    "segment export case_report load_mask align close_case compare crosshair window brush eraser ruler angle "
    "roi diameters smart_brush polygon lasso spline scissors fill threshold scribble interpolate "
    "intensity_rule delete_measurement fit auto_window maximise link view_window view_menu copy_picture "
    "save_picture curtain blink both_masks difference label_centre next_labelled previous_labelled cine "
    "slice_up slice_down"
)
# What cannot be done without a network's uncertainty.
_NEED_DOUBT = ("uncertainty", "next_doubt", "previous_doubt", "accept_doubt", "edit_doubt", "clear_doubt")


class Following(QObject):
    """Listens to the session and the state.

    Parameters
    ----------
    window : MainWindow
        With all its parts made.
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        session, state = window.session, window.state
        session.ratings_changed.connect(lambda _: self.follow_ratings())
        session.voxels_changed.connect(self._voxels_changed)
        session.history_changed.connect(lambda _: self.follow_history())
        state.tool_changed.connect(self.follow_tool)
        state.overlay_changed.connect(self.follow_tool)
        state.camera_changed.connect(self.follow_tool)
        window.viewer.arranged.connect(self.follow_layout)
        window.viewer.focused.connect(lambda view: self._follow_view())

    def follow_case(self) -> None:
        """A case was opened or closed."""
        window, case = self._window, self._window.session.case
        window.show_case(case is not None)
        window.setWindowTitle("BrainSeg Desktop" if case is None else f"{case.name} - BrainSeg Desktop")
        actions = window.actions_by_name
        for name in (*_NEED_CASE.split(), *LAYOUTS, *PLANES):
            actions[name].setEnabled(case is not None)
        for name in ("cancel", *_NEED_DOUBT):
            actions[name].setEnabled(False)
        window.agreement.follow_actions()
        self.follow_layout()
        self.follow_tool()
        self.follow_history()
        self.follow_study()

    def follow_study(self) -> None:
        """What can be done depends on the study and on whether the reading is blinded."""
        window, studying = self._window, self._window.studying
        actions, reading = window.actions_by_name, studying.reading is not None
        for name, on in (
            ("last_study", bool(window.settings.last_study)),
            ("study_window", studying.study is not None),
            ("close_study", studying.study is not None),
            ("accept_reading", reading),
            ("save_reading", reading and not window.session.terms.read_only),
        ):
            actions[name].setEnabled(on)
        if reading:
            # A reading's mask comes from the reader; the network's belongs to the study, not to a reading.
            actions["segment"].setEnabled(False)
        blinded = studying.current.is_blinded
        if blinded:
            for name in HIDDEN_WHILE_BLINDED:
                actions[name].setEnabled(False)
            window.archiving.follow()
        actions["pacs"].setEnabled(not blinded)
        if blinded is window.agreement.is_available:
            # Emits no change of its own once it is so.
            window.agreement.set_available(not blinded, tr("Hidden until the reading is unblinded."))
        for panel in (window.audit, window.doubt):
            panel.setVisible(not blinded and window.session.case is not None)

    def follow_ratings(self) -> None:
        """A mask came, went, or another one is shown or compared."""
        window, session, state = self._window, self._window.session, self._window.state
        case = session.case
        if case is None:
            window.masks.set_masks([], [], -1)
            window.display.set_uncertainty(None)
            window.labels.set_scheme(None, state.tissue, frozenset(), state.colours)
            window.agreement.follow()
            window.audit.set_audit(None)
            return
        shown = case.ratings.index(session.shown) if session.shown in case.ratings else -1
        window.masks.set_masks(
            [r.rater for r in case.ratings],
            [session.is_own(r) and not session.terms.read_only for r in case.ratings],
            shown,
        )
        scheme = session.shown.scheme if session.shown is not None else None
        if scheme is not None and state.tissue not in scheme.tissues:
            state.set_tissue(scheme.tissues[0])
        window.labels.set_scheme(scheme, state.tissue, state.hidden, state.colours, state.constraints.locked)
        state.reference, state.compared = session.reference, session.compared
        doubted = session.doubted
        state.uncertainty = doubted.uncertainty if doubted is not None else None
        for name in _NEED_DOUBT:
            window.actions_by_name[name].setEnabled(doubted is not None)
        window.display.set_uncertainty(doubted)
        state.set_rating(session.shown)
        window.agreement.follow()
        self.follow_history()
        self.follow_study()

    def follow_history(self) -> None:
        """What undo and redo would do."""
        window = self._window
        window.audit.set_audit(window.session.audit(window.session.shown))
        rating = window.session.editable()
        for name, steps in (
            ("undo", rating.history.undo_names if rating else ()),
            ("redo", rating.history.redo_names if rating else ()),
        ):
            action = window.actions_by_name[name]
            action.setEnabled(bool(steps))
            word = tr("Undo") if name == "undo" else tr("Redo")
            text = f"{word} {step_words(steps[0])}" if steps else word
            action.setText(text)
            keys = ", ".join(window.commands.keys[name])
            action.setToolTip(f"{text} ({keys})" if keys else text)
            action.setIconText(window.tool_bar.elided(name, text))
        window.show_saved(tr("not exported yet, kept in the journal") if window.session.unsaved else "")

    def follow_tool(self) -> None:
        """Which tool and which look are on."""
        window, state = self._window, self._window.state
        actions = window.actions_by_name
        actions[state.mode.value].setChecked(True)
        for name, kind in OVERLAYS.items():
            actions[name].setChecked(state.overlay is kind)
        for name, on in (
            ("ball", state.ball),
            ("keep_others", state.constraints.keep_others),
            ("intensity_rule", state.constraints.intensity is not None),
            ("show_mask", state.show_mask),
            ("outline", state.style is MaskStyle.OUTLINE),
            ("fill_outline", state.style is MaskStyle.BOTH),
            ("curtain", state.split is Split.CURTAIN),
            ("blink", state.split is Split.BLINK),
            ("smooth", state.smooth),
            ("neurological", not state.orientation.radiological),
            ("nose_right", not state.orientation.nose_left),
            ("theme", window.settings.theme == "light"),
        ):
            actions[name].setChecked(on)
        window.labels.set_tissue(state.tissue)

    def follow_layout(self) -> None:
        """Planes can be chosen for several sequences, a sequence for three planes."""
        window, viewer = self._window, self._window.viewer
        actions, of_planes = window.actions_by_name, viewer.layout_kind.is_of_planes
        actions[viewer.layout_kind.value].setChecked(True)
        window.tool_bar.show_layout(actions[viewer.layout_kind.value])
        for name, plane in PLANES.items():
            actions[name].setVisible(not of_planes)
            actions[name].setChecked(plane is viewer.plane)
        case = window.session.case
        sequences = list(case.volumes) if case is not None else []
        window.tool_bar.set_sequences(sequences, viewer.sequence, shown=of_planes)
        self._follow_view()

    def _follow_view(self) -> None:
        """Another view has the keys, or it shows something else."""
        window = self._window
        view = window.viewer.active_panel.view
        window.actions_by_name["link"].setChecked(view.position.is_linked)
        if view.volume is not None:
            window.windowing.set_sequence(view.sequence)

    def _voxels_changed(self, change: tuple[Rating, Box]) -> None:
        rating, box = change
        session = self._window.session
        if rating in (session.shown, session.measured, session.reference):
            self._window.state.touch(box)
            self._window.agreement.voxels_changed()
