"""The main window: cases left, pictures in the middle, masks, brush and agreement right."""

from __future__ import annotations

from pathlib import Path

import msgspec
from PySide6.QtCore import QByteArray, Qt, QTimer
from PySide6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDropEvent,
    QKeyEvent,
)
from PySide6.QtWidgets import (
    QDialog,
    QDockWidget,
    QLabel,
    QMainWindow,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from brainseg_desktop.core.case import Case, Rating
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Box
from brainseg_desktop.gui.agreement import Agreement
from brainseg_desktop.gui.bars import ToolBar, make_menus
from brainseg_desktop.gui.brush_tool import BrushTool
from brainseg_desktop.gui.cases_panel import CasesPanel
from brainseg_desktop.gui.commands import PLANES, Commands
from brainseg_desktop.gui.compare_panel import ComparePanel
from brainseg_desktop.gui.desk import Desk
from brainseg_desktop.gui.empty_view import EmptyView
from brainseg_desktop.gui.exporting import Exporter
from brainseg_desktop.gui.jobs_panel import JobBar
from brainseg_desktop.gui.labels_panel import LabelsPanel, MasksPanel
from brainseg_desktop.gui.networks import Networks
from brainseg_desktop.gui.opening import Opener
from brainseg_desktop.gui.parts import MessageBar, faint
from brainseg_desktop.gui.readout import readout
from brainseg_desktop.gui.recovering import Recovering
from brainseg_desktop.gui.segmenting import Segmenting
from brainseg_desktop.gui.tools_panel import ToolsPanel
from brainseg_desktop.gui.view_state import OverlayKind, ViewState
from brainseg_desktop.gui.viewer import Layout, Viewer
from brainseg_desktop.services.jobs import Jobs
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.session import Session
from brainseg_desktop.services.settings import Brush, Settings, save_settings, with_recent
from brainseg_desktop.services.worker_client import WorkerClient


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
        self.networks = Networks(self.desk, settings.model)
        self.segmenting = Segmenting(self.desk, client, self.job_bar, self.networks, settings.device)
        self.exporter = Exporter(self.desk)
        self.recovering = Recovering(self.desk, self.opener)
        self.commands = Commands(self)
        self.actions_by_name = self.commands.make_actions()
        self._lay_out()
        self._connect()
        self._restore_window()
        self._list_recent()
        self._follow_case()

    # Building ---------------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        make_menus(self.menuBar(), self.actions_by_name, self.networks.menu)
        self.tool_bar = ToolBar(self.actions_by_name, self.networks.menu)
        self.addToolBar(self.tool_bar)
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
        reading = self._dock("Reading", scroll, Qt.DockWidgetArea.RightDockWidgetArea, 310)
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

    def _connect(self) -> None:
        session, state = self.session, self.state
        session.ratings_changed.connect(lambda _: self._follow_ratings())
        session.voxels_changed.connect(self._voxels_changed)
        session.history_changed.connect(lambda _: self._follow_history())
        session.journal_failed.connect(self._journal_failed)
        session.journal_mended.connect(lambda _: self.messages.hide())
        self.opener.replacing.connect(self._end_work_on_case)
        self.opener.opened.connect(self._case_opened)
        self.opener.listed.connect(
            lambda cases, where: self.cases.set_cases(cases, f"{len(cases)} cases in {where}")
        )
        self.opener.busy.connect(self._show_busy)
        self.segmenting.running.connect(self._segmentation_runs)
        self.networks.chosen.connect(self._network_chosen)
        self.cases.chosen.connect(self.opener.open_key)
        self.masks.chosen.connect(lambda row: self._show_mask(row))
        self.masks.start_from.connect(self._start_from)
        self.labels.chosen.connect(state.set_tissue)
        self.labels.hidden.connect(state.set_hidden)
        self.viewer.hovered.connect(lambda voxel: self._where.setText(readout(state, voxel)))
        self.tool_bar.sequence_chosen.connect(self.viewer.set_sequence)
        self.empty.open_folder.connect(self.commands.open_folder)
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
        for name in ("cancel", "uncertainty"):
            self.actions_by_name[name].setEnabled(False)
        self._follow_layout()
        self._follow_tool()
        self._follow_history()

    def _follow_ratings(self) -> None:
        session, case = self.session, self.session.case
        if case is None:
            self.masks.set_masks([], [], -1)
            self.tools.set_uncertainty(None)
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
        doubted = session.doubted
        self.state.uncertainty = doubted.uncertainty if doubted is not None else None
        self.actions_by_name["uncertainty"].setEnabled(doubted is not None)
        self.tools.set_uncertainty(doubted)
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
            action.setIconText(self.tool_bar.elided(name, text))
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
            ("uncertainty", state.overlay is OverlayKind.UNCERTAINTY),
            ("sequences" if self.viewer.layout_kind is Layout.SEQUENCES else "planes", True),
            (next(n for n, p in PLANES.items() if p is self.viewer.plane), True),
        ):
            self.actions_by_name[name].setChecked(on)
        self.actions_by_name["theme"].setChecked(self.settings.theme == "light")
        self.labels.set_tissue(state.tissue)

    def arrange(self, kind: Layout) -> None:
        """Four sequences or three planes."""
        self.viewer.arrange(kind)
        self._follow_layout()

    def _follow_layout(self) -> None:
        """Planes can be chosen for the four sequences, a sequence for the three planes."""
        planes = self.viewer.layout_kind is Layout.PLANES
        case = self.session.case
        for name in PLANES:
            self.actions_by_name[name].setVisible(not planes)
            self.actions_by_name[name].setEnabled(case is not None)
        sequences = list(case.volumes) if case is not None else []
        self.tool_bar.set_sequences(sequences, self.viewer.sequence, shown=planes)

    def _segmentation_runs(self, running: bool) -> None:
        self.actions_by_name["segment"].setEnabled(not running and self.session.case is not None)
        self.actions_by_name["cancel"].setEnabled(running)

    def _network_chosen(self, name: str) -> None:
        self.remember(model=name)
        if not self.segmenting.is_running:
            self.segmenting.warm_up()

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

    def close_case(self) -> None:
        """Let the case go; strokes that were not exported stay in the journal."""
        self._end_work_on_case()
        self.messages.hide()
        self.session.close()
        self.state.set_case(None)
        self.cases.mark("")
        self._follow_case()

    def _end_work_on_case(self) -> None:
        """The case is being let go: a stroke under way is a step, a segmentation is dropped."""
        self.tool.release()
        self.segmenting.drop()

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
        self._end_work_on_case()
        for dialog in self.findChildren(QDialog):
            dialog.close()
        self.remember(
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

    def remember(self, **changes: object) -> None:
        """Keep settings for the next start."""
        self.settings = msgspec.structs.replace(self.settings, **changes)
        self._save_settings()

    def _save_settings(self) -> None:
        try:
            save_settings(self.settings)
        except UserError as error:
            self.desk.complain(error)
