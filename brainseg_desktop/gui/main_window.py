"""The main window: cases left, pictures in the middle, masks, brush and agreement right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
from PySide6.QtCore import QByteArray, Qt, QTimer
from PySide6.QtGui import (
    QAction,
    QActionGroup,
    QCloseEvent,
    QDragEnterEvent,
    QDropEvent,
    QKeyEvent,
    QKeySequence,
)
from PySide6.QtWidgets import (
    QApplication,
    QComboBox,
    QDialog,
    QDockWidget,
    QFileDialog,
    QLabel,
    QMainWindow,
    QMessageBox,
    QScrollArea,
    QSizePolicy,
    QToolBar,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from brainseg_desktop.core.case import Case, Rating
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Box
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.gui.actions import ACTIONS, ActionSpec
from brainseg_desktop.gui.agreement import Agreement
from brainseg_desktop.gui.brush_tool import BrushTool
from brainseg_desktop.gui.cases_panel import CasesPanel
from brainseg_desktop.gui.compare_panel import ComparePanel
from brainseg_desktop.gui.desk import Desk
from brainseg_desktop.gui.dialogs import HelpSheet, about_text
from brainseg_desktop.gui.empty_view import EmptyView
from brainseg_desktop.gui.exporting import Exporter
from brainseg_desktop.gui.jobs_panel import JobBar
from brainseg_desktop.gui.labels_panel import LabelsPanel, MasksPanel
from brainseg_desktop.gui.opening import Opener
from brainseg_desktop.gui.parts import MessageBar, faint
from brainseg_desktop.gui.plane import Plane
from brainseg_desktop.gui.readout import readout
from brainseg_desktop.gui.recovering import Recovering
from brainseg_desktop.gui.segmenting import Segmenting
from brainseg_desktop.gui.theme import THEMES, apply_theme
from brainseg_desktop.gui.tools_panel import ToolsPanel
from brainseg_desktop.gui.view_state import Mode, OverlayKind, ViewState
from brainseg_desktop.gui.viewer import Layout, Viewer
from brainseg_desktop.services.jobs import Jobs
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.session import Session
from brainseg_desktop.services.settings import Brush, Settings, save_settings, with_recent
from brainseg_desktop.services.worker_client import WorkerClient

_PLANES = {"axial": Plane.AXIAL, "coronal": Plane.CORONAL, "sagittal": Plane.SAGITTAL}
_MODES = {m.value: m for m in Mode}


class MainWindow(QMainWindow):
    """Puts the parts together and connects them; what they do is theirs.

    Parameters
    ----------
    session, jobs, client : made by `gui.app`, closed with the window.
    settings : Settings
    """

    def __init__(self, session: Session, jobs: Jobs, client: WorkerClient, settings: Settings) -> None:
        super().__init__()
        self.session, self.jobs, self.client, self.settings = session, jobs, client, settings
        self.setWindowTitle("BrainSeg Desktop")
        self.setAcceptDrops(True)
        self.resize(1440, 900)
        self.state = ViewState(self)
        self._restore_display()
        self.tool = BrushTool(self.state, self._editable)
        self.messages = MessageBar()
        self.desk = Desk(self, session, self.state, jobs, self.messages)
        self.viewer = Viewer(self.state, self.tool)
        self.cases = CasesPanel()
        self.masks, self.labels, self.tools, self.compare = (
            MasksPanel(),
            LabelsPanel(),
            ToolsPanel(self.state),
            ComparePanel(),
        )
        self.agreement = Agreement(self.desk, self.compare, self.labels, self.viewer)
        self.job_bar = JobBar()
        self.opener = Opener(self.desk)
        self.segmenting = Segmenting(self.desk, client, self.job_bar)
        self.exporter = Exporter(self.desk)
        self.recovering = Recovering(self.desk, self.opener)
        self.actions_by_name: dict[str, QAction] = {}
        self._make_actions()
        self._lay_out()
        self._connect()
        self._restore_window()
        self._list_recent()
        self._follow_case()

    # Building ---------------------------------------------------------------------------------------

    def _make_actions(self) -> None:
        slots = self._slots()
        for spec in ACTIONS:
            action = QAction(spec.text, self)
            action.setShortcuts([QKeySequence(key) for key in spec.keys])
            action.setCheckable(spec.checkable)
            action.setToolTip(_tip(spec))
            action.setStatusTip("")
            # A checkable action hands its new state on; the others hand on nothing.
            slot = slots[spec.name]
            action.triggered.connect(slot if spec.checkable else lambda _=False, slot=slot: slot())
            self.addAction(action)
            self.actions_by_name[spec.name] = action
        # Room is short on a small screen; radiologists know these.
        for name, short in (("axial", "Ax"), ("coronal", "Cor"), ("sagittal", "Sag")):
            self.actions_by_name[name].setIconText(short)
        for names in (("crosshair", "window", "brush", "eraser"), ("sequences", "planes"), tuple(_PLANES)):
            group = QActionGroup(self)
            for name in names:
                group.addAction(self.actions_by_name[name])

    def _slots(self) -> dict[str, Callable[..., object]]:
        state, viewer = self.state, self.viewer
        slots: dict[str, Callable[..., object]] = {
            "open": self._open_folder,
            "open_files": self._open_files,
            "load_mask": self._load_mask,
            "close_case": self._close_case,
            "next_case": lambda: self._open_neighbour(1),
            "previous_case": lambda: self._open_neighbour(-1),
            "segment": self.segmenting.start,
            "cancel": self.segmenting.cancel,
            "export": self.exporter.ask,
            "quit": self.close,
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
            "auto_window": state.auto_windows,
            "fit": state.reset_camera,
            "smooth": state.set_smooth,
            "maximise": viewer.toggle_maximised,
            "slice_up": lambda: viewer.step(1),
            "slice_down": lambda: viewer.step(-1),
            "sequences": lambda _on: self._arrange(Layout.SEQUENCES),
            "planes": lambda _on: self._arrange(Layout.PLANES),
            "theme": self._set_theme,
            "compare": self.agreement.show_report,
            "help": self._show_help,
            "about": lambda: QMessageBox.about(self, "About", about_text()),
        }
        for name, plane in _PLANES.items():
            slots[name] = lambda _on, plane=plane: viewer.set_plane(plane)
        for name, mode in _MODES.items():
            slots[name] = lambda _on, mode=mode: state.set_mode(mode)
        for number in range(4):
            slots[f"label_{number + 1}"] = lambda number=number: self._choose_label(number)
        return slots

    def _lay_out(self) -> None:
        self._make_menus()
        self._make_toolbar()
        self.empty = EmptyView()
        middle = QWidget()
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.messages)
        column.addWidget(self.viewer, 1)
        column.addWidget(self.empty, 1)
        self.setCentralWidget(middle)
        left = self._dock("Cases", self.cases, Qt.DockWidgetArea.LeftDockWidgetArea, 150)
        right = QWidget()
        sections = QVBoxLayout(right)
        sections.setContentsMargins(10, 8, 10, 8)
        sections.setSpacing(12)
        for part in (self.masks, self.labels, self.tools, self.compare):
            sections.addWidget(part)
        sections.addStretch(1)
        sections.addWidget(faint("For research use only."))
        scroll = QScrollArea()
        scroll.setWidget(right)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        reading = self._dock("Reading", scroll, Qt.DockWidgetArea.RightDockWidgetArea, 300)
        self.resizeDocks([left, reading], [170, 320], Qt.Orientation.Horizontal)
        self._where = QLabel()
        self._saved = QLabel()
        self.statusBar().addWidget(self._where, 1)
        self.statusBar().addPermanentWidget(self.job_bar)
        self.statusBar().addPermanentWidget(self._saved)

    def _dock(self, title: str, widget: QWidget, area: Qt.DockWidgetArea, width: int) -> QDockWidget:
        dock = QDockWidget(title)
        dock.setObjectName(title)
        dock.setFeatures(QDockWidget.DockWidgetFeature.DockWidgetMovable)
        widget.setMinimumWidth(width)
        dock.setWidget(widget)
        self.addDockWidget(area, dock)
        return dock

    def _make_menus(self) -> None:
        for title, names in (
            ("&Case", "open open_files load_mask - next_case previous_case - export - close_case quit"),
            ("&Edit", "undo redo - brush eraser ball keep_others smaller larger"),
            (
                "&View",
                "sequences planes - axial coronal sagittal - show_mask outline less_opaque more_opaque "
                "difference - window auto_window crosshair fit maximise smooth theme",
            ),
            ("&Agreement", "compare difference"),
            ("&Help", "help about"),
        ):
            menu = self.menuBar().addMenu(title)
            for name in names.split():
                if name == "-":
                    menu.addSeparator()
                else:
                    menu.addAction(self.actions_by_name[name])

    def _make_toolbar(self) -> None:
        bar = QToolBar("Tools")
        bar.setObjectName("tools")
        bar.setMovable(False)
        self.addToolBar(bar)
        self._undo_width = self.fontMetrics().horizontalAdvance("Undo Brush, enhancing") + 24
        row = (
            "open segment | undo redo | crosshair window brush eraser | "
            "sequences planes | axial coronal sagittal = > compare export"
        )
        for name in row.split():
            if name == "|":
                bar.addSeparator()
            elif name == "=":
                self._sequence = QComboBox()
                self._sequence.setAccessibleName("Sequence of the three planes")
                self._sequence.setToolTip("Sequence shown in three planes")
                self._sequence.currentTextChanged.connect(self._choose_sequence)
                self._sequence_action = bar.addWidget(self._sequence)
            elif name == ">":
                room = QWidget()
                room.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
                bar.addWidget(room)
            else:
                bar.addAction(self.actions_by_name[name])
                button = bar.widgetForAction(self.actions_by_name[name])
                if isinstance(button, QToolButton):
                    button.setObjectName(name)
                    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
                    if name == "undo":
                        button.setFixedWidth(self._undo_width)

    def _connect(self) -> None:
        session, state = self.session, self.state
        session.ratings_changed.connect(lambda _: self._follow_ratings())
        session.voxels_changed.connect(self._voxels_changed)
        session.history_changed.connect(lambda _: self._follow_history())
        session.journal_failed.connect(self._journal_failed)
        session.journal_mended.connect(lambda _: self.messages.hide())
        self.opener.opened.connect(self._case_opened)
        self.opener.listed.connect(
            lambda cases, where: self.cases.set_cases(cases, f"{len(cases)} cases in {where}")
        )
        self.opener.busy.connect(self._show_busy)
        self.segmenting.running.connect(self._segmentation_runs)
        self.cases.chosen.connect(self.opener.open_key)
        self.masks.chosen.connect(lambda row: self._show_mask(row))
        self.masks.start_from.connect(self._start_from)
        self.labels.chosen.connect(state.set_tissue)
        self.labels.hidden.connect(state.set_hidden)
        self.viewer.hovered.connect(lambda voxel: self._where.setText(readout(state, voxel)))
        self.empty.open_folder.connect(self._open_folder)
        self.empty.open_sample.connect(self.open_path)
        state.tool_changed.connect(self._follow_tool)
        state.overlay_changed.connect(self._follow_tool)
        state.cursor_changed.connect(lambda: self._where.setText(readout(state, None)))

    # Following the model ----------------------------------------------------------------------------

    def _case_opened(self, case: Case, key: str) -> None:
        self.state.set_case(case)
        self.settings = with_recent(self.settings, key)
        self._save_settings()
        if self.cases.neighbour(0) is None or not self._is_listed(key):
            self._list_recent()
        self.cases.mark(key)
        self._follow_case()
        self._follow_ratings()
        self.viewer.views[0].setFocus()

    def _is_listed(self, key: str) -> bool:
        self.cases.mark(key)
        return self.cases.neighbour(0) == key

    def _follow_case(self) -> None:
        case = self.session.case
        self.viewer.setVisible(case is not None)
        self.empty.setVisible(case is None)
        for part in (self.masks, self.labels, self.tools, self.compare):
            part.setVisible(case is not None)
        self.setWindowTitle("BrainSeg Desktop" if case is None else f"{case.name} - BrainSeg Desktop")
        if case is None:
            self._where.setText("")
        for name in (
            "segment",
            "export",
            "load_mask",
            "close_case",
            "compare",
            "brush",
            "eraser",
            "window",
            "crosshair",
            "fit",
            "auto_window",
            "sequences",
            "planes",
            "maximise",
            "difference",
        ):
            self.actions_by_name[name].setEnabled(case is not None)
        self.actions_by_name["cancel"].setEnabled(False)
        self._follow_layout()
        self._follow_tool()
        self._follow_history()

    def _follow_ratings(self) -> None:
        session, case = self.session, self.session.case
        if case is None:
            self.masks.set_masks([], [], -1)
            self.labels.set_scheme(None, self.state.tissue, frozenset())
            self.agreement.follow()
            return
        shown = case.ratings.index(session.shown) if session.shown in case.ratings else -1
        self.masks.set_masks(
            [r.rater for r in case.ratings], [session.is_own(r) for r in case.ratings], shown
        )
        scheme = session.shown.scheme if session.shown is not None else None
        if scheme is not None and self.state.tissue not in scheme.tissues:
            self.state.set_tissue(scheme.tissues[0])
        self.labels.set_scheme(scheme, self.state.tissue, self.state.hidden)
        self.state.reference = session.reference
        self.state.set_rating(session.shown)
        self.agreement.follow()
        self._follow_history()

    def _follow_history(self) -> None:
        rating = self.session.editable()
        for name, steps in (
            ("undo", rating.history.undo_names if rating else ()),
            ("redo", rating.history.redo_names if rating else ()),
        ):
            action = self.actions_by_name[name]
            action.setEnabled(bool(steps))
            text = f"{name.capitalize()} {steps[0]}" if steps else name.capitalize()
            action.setText(text)
            action.setToolTip(f"{text} ({action.shortcut().toString()})")
            # On the button cut to its fixed width, or all buttons behind it would move at each stroke.
            room = self._undo_width - 24 if name == "undo" else 60
            action.setIconText(self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, room))
        self._saved.setText("not exported yet, kept in the journal" if self.session.unsaved else "")

    def _voxels_changed(self, change: tuple[Rating, Box]) -> None:
        rating, box = change
        if rating is self.session.shown or rating is self.session.reference:
            self.state.touch(box)
            self.agreement.voxels_changed()

    def _follow_tool(self) -> None:
        state = self.state
        for name, on in (
            (state.mode.value, True),
            ("ball", state.ball),
            ("keep_others", state.keep_others),
            ("show_mask", state.show_mask),
            ("outline", state.outline_only),
            ("difference", state.overlay is OverlayKind.DIFFERENCE),
            ("sequences" if self.viewer.layout_kind is Layout.SEQUENCES else "planes", True),
            (next(n for n, p in _PLANES.items() if p is self.viewer.plane), True),
        ):
            self.actions_by_name[name].setChecked(on)
        self.actions_by_name["theme"].setChecked(self.settings.theme == "light")
        self.labels.set_tissue(state.tissue)

    def _choose_sequence(self, name: str) -> None:
        if name:
            self.viewer.set_sequence(Sequence(name))

    def _arrange(self, kind: Layout) -> None:
        self.viewer.arrange(kind)
        self._follow_layout()

    def _follow_layout(self) -> None:
        """Planes can be chosen for the four sequences, a sequence for the three planes."""
        planes = self.viewer.layout_kind is Layout.PLANES
        self._sequence_action.setVisible(planes)
        case = self.session.case
        for name in _PLANES:
            self.actions_by_name[name].setVisible(not planes)
            self.actions_by_name[name].setEnabled(case is not None)
        self._sequence.blockSignals(True)
        self._sequence.clear()
        self._sequence.addItems([s.value for s in case.volumes] if case is not None else [])
        self._sequence.setCurrentText(self.viewer.sequence.value)
        self._sequence.blockSignals(False)

    def _segmentation_runs(self, running: bool) -> None:
        self.actions_by_name["segment"].setEnabled(not running and self.session.case is not None)
        self.actions_by_name["cancel"].setEnabled(running)

    def _show_busy(self, text: str) -> None:
        self.empty.set_busy(text)
        self._where.setText(f"{text} ..." if text else readout(self.state, None))

    def _journal_failed(self, error: UserError) -> None:
        self.messages.show_message(
            f"{words(error)} Your strokes are kept in memory; export soon.",
            error=True,
            action="Try again",
            call=self.session.retry_journals,
        )

    # Acting -----------------------------------------------------------------------------------------

    def open_path(self, path: Path) -> None:
        """Open a case folder or file."""
        self.opener.open_path(Path(path))

    def _open_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Open a case folder", self.settings.last_open_dir)
        if chosen:
            self._remember(last_open_dir=str(Path(chosen).parent))
            self.open_path(Path(chosen))

    def _open_files(self) -> None:
        chosen, _ = QFileDialog.getOpenFileNames(
            self,
            "Open image files",
            self.settings.last_open_dir,
            "Images (*.nii *.nii.gz *.tif *.tiff);;All files (*)",
        )
        if chosen:
            self._remember(last_open_dir=str(Path(chosen[0]).parent))
            self.opener.open_files([Path(p) for p in chosen], ask=True)

    def _load_mask(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(
            self, "Load a mask", self.settings.last_open_dir, "NIfTI (*.nii *.nii.gz)"
        )
        if chosen:
            self.opener.load_mask(Path(chosen))

    def _open_neighbour(self, steps: int) -> None:
        key = self.cases.neighbour(steps)
        if key is not None:
            self.opener.open_key(key)

    def _close_case(self) -> None:
        self.tool.release()
        self.segmenting.drop()
        self.messages.hide()
        self.session.close()
        self.state.set_case(None)
        self.cases.mark("")
        self._follow_case()

    def _editable(self) -> Rating | None:
        """The mask the brush may change; if the one shown may not be, say what to do."""
        if self.segmenting.is_running and self.state.preview is not None:
            self.desk.say("The network is still outlining. Wait for it or cancel it, then paint.")
            return None
        rating = self.session.editable()
        if rating is None and self.session.shown is not None:
            self.messages.show_message(
                f"{self.session.shown.rater} is read only.",
                error=False,
                action="Start from this mask",
                call=lambda: self._start_from(self._row_shown()),
            )
        return rating

    def _row_shown(self) -> int:
        case = self.session.case
        return case.ratings.index(self.session.shown) if case and self.session.shown else -1

    def _show_mask(self, row: int) -> None:
        case = self.session.case
        if case is not None and 0 <= row < len(case.ratings):
            self.tool.release()
            self.session.show(case.ratings[row])

    def _start_from(self, row: int) -> None:
        case = self.session.case
        if case is not None and 0 <= row < len(case.ratings):
            self.tool.release()
            self.session.start_from(case.ratings[row])

    def _undo(self) -> None:
        if not self.tool.is_painting:
            self.session.undo()

    def _redo(self) -> None:
        if not self.tool.is_painting:
            self.session.redo()

    def _choose_label(self, number: int) -> None:
        if number < len(self.labels.tissues):
            self.state.set_tissue(self.labels.tissues[number])

    def _step_label(self, steps: int) -> None:
        tissues = self.labels.tissues
        if self.state.tissue in tissues:
            self._choose_label((tissues.index(self.state.tissue) + steps) % len(tissues))

    def _show_help(self) -> None:
        sheet = HelpSheet(self)
        sheet.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        sheet.show()

    def _set_theme(self, light: bool) -> None:
        self._remember(theme="light" if light else "dark")
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        apply_theme(app, THEMES[self.settings.theme])

    # Events -----------------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self.tool.is_painting:
            self.tool.cancel()
            return
        super().keyPressEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        event.acceptProposedAction()
        # The drag must end before a dialog opens: some window systems freeze until it does.
        QTimer.singleShot(0, lambda: self.open_dropped(paths))

    def open_dropped(self, paths: list[Path]) -> None:
        """A folder is opened as a case; several files by their names, asked where these do not tell."""
        if len(paths) == 1 and self.session.case is not None and self._looks_like_mask(paths[0]):
            self.opener.load_mask(paths[0])
        elif len(paths) == 1:
            self.open_path(paths[0])
        elif paths:
            self.opener.open_files(paths, ask=False)

    @staticmethod
    def _looks_like_mask(path: Path) -> bool:
        from brainseg_desktop.io.names import NameKind, read_name
        from brainseg_desktop.io.nifti import is_nifti_name, nifti_stem

        return path.is_file() and is_nifti_name(path) and read_name(nifti_stem(path)).kind is NameKind.MASK

    def closeEvent(self, event: QCloseEvent) -> None:
        self.tool.release()
        self.segmenting.drop()
        for dialog in self.findChildren(QDialog):
            dialog.close()
        self._remember(
            window=self.saveGeometry().toBase64().toStdString(),
            layout=self.saveState().toBase64().toStdString(),
            opacity=self.state.opacity,
            outline_only=self.state.outline_only,
            brush=Brush(
                diameter_mm=self.state.brush_mm,
                shape="ball" if self.state.ball else "disc",
                keep_others=self.state.keep_others,
            ),
        )
        self.client.close()
        self.jobs.close()
        self.session.close()
        event.accept()

    # Settings ---------------------------------------------------------------------------------------

    def _restore_display(self) -> None:
        self.state.opacity = self.settings.opacity
        self.state.outline_only = self.settings.outline_only
        self.state.set_brush_mm(self.settings.brush.diameter_mm)
        self.state.ball = self.settings.brush.shape == "ball"
        self.state.keep_others = self.settings.brush.keep_others

    def _restore_window(self) -> None:
        if self.settings.window:
            self.restoreGeometry(QByteArray.fromBase64(self.settings.window.encode()))
        if self.settings.layout:
            self.restoreState(QByteArray.fromBase64(self.settings.layout.encode()))

    def _list_recent(self) -> None:
        import os

        recent = [(key, Path(key.split(os.pathsep)[0]).name) for key in self.settings.recent_cases]
        self.cases.set_cases(recent, "Recent cases" if recent else "")

    def _remember(self, **changes: object) -> None:
        self.settings = msgspec.structs.replace(self.settings, **changes)
        self._save_settings()

    def _save_settings(self) -> None:
        try:
            save_settings(self.settings)
        except UserError as error:
            self.desk.complain(error)


def _tip(spec: ActionSpec) -> str:
    keys = f" ({', '.join(spec.keys)})" if spec.keys else ""
    return f"{spec.tip or spec.text}{keys}"
