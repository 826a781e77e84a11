"""The main window: cases left, pictures in the middle, masks, brush and agreement right."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
from PySide6.QtCore import QByteArray, Qt, QTimer, Signal
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
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from brainseg_desktop.core.case import Case, Rating
from brainseg_desktop.core.constraints import Constraints
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.core.palettes import palette
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.gui.bars import ToolBar, make_menus
from brainseg_desktop.gui.commands import Commands
from brainseg_desktop.gui.desk import Desk
from brainseg_desktop.gui.dialogs.colours_dialog import ColoursDialog
from brainseg_desktop.gui.following import Following
from brainseg_desktop.gui.garbage import Garbage
from brainseg_desktop.gui.measuring.measurements_panel import MeasurementsPanel
from brainseg_desktop.gui.measuring.measuring import Measuring
from brainseg_desktop.gui.pacs.archiving import Archiving
from brainseg_desktop.gui.panels.audit_panel import AuditPanel
from brainseg_desktop.gui.panels.cases_panel import CasesPanel
from brainseg_desktop.gui.panels.compare_panel import ComparePanel
from brainseg_desktop.gui.panels.display_panel import DisplayPanel
from brainseg_desktop.gui.panels.doubt_panel import DoubtPanel
from brainseg_desktop.gui.panels.edit_panel import EditPanel
from brainseg_desktop.gui.panels.empty_view import EmptyView
from brainseg_desktop.gui.panels.history_panel import HistoryPanel
from brainseg_desktop.gui.panels.jobs_panel import JobBar
from brainseg_desktop.gui.panels.labels_panel import LabelsPanel, MasksPanel
from brainseg_desktop.gui.panels.parts import Column, MessageBar
from brainseg_desktop.gui.panels.readout import readout
from brainseg_desktop.gui.panels.refine_panel import RefinePanel
from brainseg_desktop.gui.panels.tools_panel import ToolsPanel
from brainseg_desktop.gui.panels.window_panel import WindowPanel
from brainseg_desktop.gui.tasks.agreement import Agreement
from brainseg_desktop.gui.tasks.aligning import Aligning
from brainseg_desktop.gui.tasks.case_report import CaseReporter
from brainseg_desktop.gui.tasks.exporting import Exporter
from brainseg_desktop.gui.tasks.kept_display import KeptDisplay
from brainseg_desktop.gui.tasks.label_editing import LabelEditing
from brainseg_desktop.gui.tasks.navigating import Navigator
from brainseg_desktop.gui.tasks.networks import Networks
from brainseg_desktop.gui.tasks.opening import Opener
from brainseg_desktop.gui.tasks.recovering import Recovering
from brainseg_desktop.gui.tasks.refining import Refining
from brainseg_desktop.gui.tasks.segmenting import Segmenting
from brainseg_desktop.gui.tasks.setting import SettingsShower
from brainseg_desktop.gui.tasks.starting import Starting
from brainseg_desktop.gui.tasks.studying import CASE, KEY, Studying
from brainseg_desktop.gui.tasks.welcoming import Welcoming
from brainseg_desktop.gui.tools.brush_tool import BrushTool
from brainseg_desktop.gui.tools.contour_freehand import LassoTool, ScissorsTool
from brainseg_desktop.gui.tools.contour_nodes import PolygonTool, SplineTool
from brainseg_desktop.gui.tools.editing import Editing
from brainseg_desktop.gui.tools.fill_tool import FillTool
from brainseg_desktop.gui.tools.interpolating import Interpolating
from brainseg_desktop.gui.tools.scribble_tool import ScribbleTool
from brainseg_desktop.gui.tools.smart_brush import SmartBrush
from brainseg_desktop.gui.tools.threshold_tool import ThresholdTool
from brainseg_desktop.gui.tools.toolbox import Toolbox
from brainseg_desktop.gui.tour.touring import TOUR, Touring
from brainseg_desktop.gui.views.layouts import Layout, Shown, first_contents
from brainseg_desktop.gui.views.overlay import Colour
from brainseg_desktop.gui.views.plane import Orientation, Plane
from brainseg_desktop.gui.views.slice_view import SliceView
from brainseg_desktop.gui.views.view_pictures import ViewPictures
from brainseg_desktop.gui.views.view_state import MaskStyle, Mode, ViewState
from brainseg_desktop.gui.views.view_windows import ViewWindows
from brainseg_desktop.gui.views.viewer import Viewer
from brainseg_desktop.services.case_display import DisplayKeeper
from brainseg_desktop.services.jobs import Jobs
from brainseg_desktop.services.language import mark, tr, tr_many
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.scrubbing import Scrubber
from brainseg_desktop.services.session import Session
from brainseg_desktop.services.settings import Brush, Settings, save_settings, with_recent
from brainseg_desktop.services.worker_client import WorkerClient


class MainWindow(QMainWindow):
    """Puts the parts together and connects them; what they do is theirs.

    Parameters
    ----------
    session, jobs, client : made by `gui.app`, closed with the window.
    settings : Settings

    Signals
    -------
    settings_changed : None, or the `UserError` that kept them from being written
    """

    settings_changed = Signal(object)

    def __init__(self, session: Session, jobs: Jobs, client: WorkerClient, settings: Settings) -> None:
        super().__init__()
        self.session, self.jobs, self.client, self.settings = session, jobs, client, settings
        self.garbage: Garbage | None = None
        # Keeps names of cases out of the log and of reports.
        self.scrubber = Scrubber()
        self.setWindowTitle("BrainSeg Desktop")
        self.setAcceptDrops(True)
        self.resize(1440, 900)
        self.state: ViewState = ViewState(self)
        self._restore_display()
        self.messages = MessageBar()
        self.desk = Desk(self, session, self.state, jobs, self.messages)
        self.job_bar = JobBar()
        self.editing = Editing(self.state, self._editable, self.desk.say)
        self.networks = Networks(self.desk, settings.model)
        self.segmenting = Segmenting(self.desk, client, self.job_bar, self.networks, settings.device)
        self.refining = Refining(self.desk, self.editing, self.segmenting)
        self._make_tools()
        self.measuring = Measuring(self.state, self.desk.say, self)
        self.navigator = Navigator(self.desk)
        self.viewer = Viewer(self.state, self.toolbox, self.measuring, self.navigator, jobs)
        self.view_windows = ViewWindows(self, self.viewer, self.state)
        self.view_pictures = ViewPictures(self.desk)
        self.kept = KeptDisplay(self.state, DisplayKeeper(self.desk.complain), self)
        self.cases = CasesPanel()
        self.masks, self.labels, self.tools, self.compare = (
            MasksPanel(),
            LabelsPanel(),
            ToolsPanel(self.state),
            ComparePanel(),
        )
        self.display, self.windowing = DisplayPanel(self.state), WindowPanel(self.state)
        self.doubt = DoubtPanel(self.navigator, self.state, self.refining)
        self.measurements = MeasurementsPanel(self.state)
        self.refine = RefinePanel(self.refining, self.state, self.scribbles)
        self.whole_label = EditPanel(self.label_editing, self.state)
        self.rules = self.whole_label.rules
        self.steps, self.audit = HistoryPanel(session), AuditPanel()
        self.agreement = Agreement(self.desk, self.compare, self.labels, self.viewer)
        self.opener = Opener(self.desk)
        self.opener.reference = settings.reference
        self.starting = Starting(self.desk, self.opener)
        self.aligning = Aligning(self.desk, settings.reference)
        self.exporter = Exporter(self.desk)
        self.exporter.first_folder = lambda: self.settings.exports_dir
        self.exporter.cases = lambda: [Path(key) for key in self.cases.listed()]
        self.case_reporter = CaseReporter(self.desk)
        self.recovering = Recovering(self.desk, self.opener)
        self.studying = Studying(self.desk, self, settings.device)
        self.archiving = Archiving(self.desk, self.open_path)
        self.settings_shower = SettingsShower(self)
        self.welcoming = Welcoming(self)
        self.touring: Touring = Touring(self)
        self.commands = Commands(self)
        self.actions_by_name = self.commands.make_actions()
        self.agreement.set_actions(self.actions_by_name)
        self._lay_out()
        self.following = Following(self)
        self._connect()
        self._restore_views()
        self._restore_window()
        self._list_recent()
        self.commands.name_keys()
        self.following.follow_case()
        # Strokes that a full disk or a lost share kept from the journal go there as soon as there is room.
        self._retry = QTimer(self, interval=10_000)
        self._retry.timeout.connect(session.retry_journals)
        self._retry.start()

    def _make_tools(self) -> None:
        editing, jobs = self.editing, self.jobs
        brush = BrushTool(editing)
        self.scribbles = ScribbleTool(editing, jobs, self.refining.opinion)
        self.toolbox = Toolbox(
            self.state,
            {
                Mode.BRUSH: brush,
                Mode.ERASER: brush,
                Mode.SMART_BRUSH: SmartBrush(editing),
                Mode.POLYGON: PolygonTool(editing),
                Mode.LASSO: LassoTool(editing),
                Mode.SPLINE: SplineTool(editing),
                Mode.SCISSORS: ScissorsTool(editing),
                Mode.FILL: FillTool(editing, jobs),
                Mode.THRESHOLD: ThresholdTool(editing, jobs),
                Mode.SCRIBBLE: self.scribbles,
            },
        )
        self.interpolating = Interpolating(self.state, editing, jobs, self.desk.say, self)
        self.toolbox.proposals.append(self.interpolating.draw)
        self.label_editing = LabelEditing(
            self.state, editing, jobs, self.session, self.desk.say, self.desk.complain
        )

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
        column.addWidget(self.studying.current.bar)
        column.addWidget(self.viewer, 1)
        column.addWidget(self.empty, 1)
        self.setCentralWidget(middle)
        left = self._dock(mark("Cases"), self.cases, Qt.DockWidgetArea.LeftDockWidgetArea, 150)
        right = Qt.DockWidgetArea.RightDockWidgetArea
        self._reading = (
            self.masks,
            self.labels,
            self.tools,
            self.compare,
            self.audit,
            self.doubt,
            self.measurements,
        )
        self._correcting = (self.refine, self.whole_label, self.steps)
        self._looking = (self.windowing, self.display)
        reading = self._dock(mark("Reading"), Column(*self._reading), right, 310)
        correcting = self._dock(mark("Edit"), Column(*self._correcting), right, 310)
        looking = self._dock(mark("Display"), Column(*self._looking), right, 310)
        for dock in (reading, correcting, looking):
            # Its tab says what it is.
            dock.setTitleBarWidget(QWidget())
        self.setTabPosition(right, QTabWidget.TabPosition.North)
        self.tabifyDockWidget(reading, correcting)
        self.tabifyDockWidget(correcting, looking)
        reading.raise_()
        self.resizeDocks([left, reading], [170, 320], Qt.Orientation.Horizontal)
        self._where = QLabel()
        self._saved = QLabel()
        self.statusBar().addWidget(self._where, 1)
        self.statusBar().addPermanentWidget(self.archiving.inbox_label)
        self.statusBar().addPermanentWidget(self.job_bar)
        self.statusBar().addPermanentWidget(self._saved)

    def _dock(self, title: str, widget: QWidget, area: Qt.DockWidgetArea, width: int) -> QDockWidget:
        dock = QDockWidget(tr(title))
        dock.setObjectName(title)
        dock.setFeatures(QDockWidget.DockWidgetFeature.DockWidgetMovable)
        widget.setMinimumWidth(max(width, widget.minimumWidth()))
        dock.setWidget(widget)
        self.addDockWidget(area, dock)
        return dock

    def _connect(self) -> None:
        session, state = self.session, self.state
        session.journal_failed.connect(self._journal_failed)
        session.journal_mended.connect(lambda _: self.messages.hide())
        self.opener.replacing.connect(self._end_work_on_case)
        self.opener.opened.connect(self._case_opened)
        self.opener.listed.connect(
            lambda cases, where: self.cases.set_cases(
                cases,
                tr_many("{count} cases in {where}", "{count} cases in {where}", len(cases), where=where),
            )
        )
        self.opener.busy.connect(self._show_busy)
        self.opener.align_wanted.connect(self.aligning.show)
        self.aligning.placed.connect(self._sequence_placed)
        self.aligning.reference_chosen.connect(self._reference_chosen)
        self.segmenting.running.connect(self._segmentation_runs)
        self.networks.chosen.connect(self._network_chosen)
        self.opener.began.connect(self.studying.abandon)
        self.studying.replacing.connect(self._end_work_on_case)
        self.studying.opened.connect(self._case_opened)
        self.studying.changed.connect(self._study_changed)
        self.cases.chosen.connect(self.open_listed)
        self.masks.chosen.connect(lambda row: self._show_mask(row))
        self.masks.start_from.connect(self._start_from)
        self.labels.chosen.connect(state.set_tissue)
        self.labels.hidden.connect(state.set_hidden)
        self.labels.locked.connect(state.set_locked)
        self.viewer.menu_requested.connect(self.commands.open_view_menu)
        self.viewer.arranged.connect(self.agreement.refresh)
        self.measuring.changed.connect(self._repaint_views)
        self.interpolating.changed.connect(self._repaint_views)
        self.measuring.changed.connect(lambda: self.measurements.select(self.measuring.selected))
        self.measurements.chosen.connect(self.measuring.select)
        self.navigator.cine_changed.connect(self.actions_by_name["cine"].setChecked)
        self.windowing.presets_changed.connect(lambda presets: self.remember(window_presets=presets))
        self.display.colours_wanted.connect(lambda: self.choose_colours())
        self.display.split_wanted.connect(self.commands.split)
        self.display.sides_wanted.connect(self.commands.look)
        self.viewer.hovered.connect(lambda voxel: self._where.setText(readout(state, voxel)))
        self.tool_bar.sequence_chosen.connect(self.viewer.set_sequence)
        self.empty.open_folder.connect(self.commands.open_folder)
        self.empty.open_sample.connect(self.open_path)
        self.empty.open_recent.connect(self.opener.open_key)
        self.empty.take_tour.connect(self.touring.ask)
        self.touring.replacing.connect(self._end_work_on_case)
        self.touring.opened.connect(self._case_opened)
        state.cursor_changed.connect(lambda: self._where.setText(readout(state, None)))

    # Following the model ----------------------------------------------------------------------------

    def _case_opened(self, case: Case, key: str) -> None:
        self.scrubber.learn_paths(v.source.path for v in case.volumes.values())
        self.scrubber.learn([case.name])
        self.state.set_case(case)
        of_study = key.startswith((KEY, CASE, TOUR))
        # Measurements and windows of a first reading would give a hidden repeat away; a tour leaves nothing.
        self.kept.load(case, keep=not of_study)
        if not of_study:
            self.settings = with_recent(self.settings, key)
            self._save_settings()
            if self.studying.study is None and (self.cases.neighbour(0) is None or not self._is_listed(key)):
                self._list_recent()
        self.cases.mark(key)
        self.following.follow_case()
        self.following.follow_ratings()
        self.viewer.views[0].setFocus()
        self._forget_former_case()

    def _sequence_placed(self) -> None:
        self._repaint_views()
        self.kept.changed()

    def _reference_chosen(self, name: str) -> None:
        self.opener.reference = name
        self.remember(reference=name)

    def _forget_former_case(self) -> None:
        """Its images are large, and windows and models hold each other in circles."""
        if self.garbage is not None:
            self.garbage.collect_soon()

    def _is_listed(self, key: str) -> bool:
        self.cases.mark(key)
        return self.cases.neighbour(0) == key

    def open_listed(self, key: str) -> None:
        """Open an entry of the list of cases: a case, or a reading of the study."""
        if key.startswith(KEY):
            self.studying.read_key(key)
        elif key.startswith(CASE):
            self.studying.compare(key.removeprefix(CASE))
        else:
            self.opener.open_key(key)

    def _study_changed(self) -> None:
        """A study was opened or closed, or one of its readings is further."""
        studying = self.studying
        if studying.study is None:
            self._list_recent()
        else:
            self.cases.set_cases(studying.entries(), tr("Study {study}", study=studying.study.design.name))
        self.following.follow_study()

    def _segmentation_runs(self, running: bool) -> None:
        free = not running and self.session.case is not None and self.studying.reading is None
        self.actions_by_name["segment"].setEnabled(free)
        self.actions_by_name["cancel"].setEnabled(running)

    def set_reader(self, name: str) -> None:
        """The reader's name for masks of cases opened from now on; an open mask keeps its own."""
        self.session.reader = name
        self.remember(rater=name)

    def set_device(self, device: str) -> None:
        """Run networks on this device from the next time on."""
        self.segmenting.device = self.studying.device = device
        self.remember(device=device)
        if not self.segmenting.is_running:
            self.segmenting.warm_up()

    def _network_chosen(self, name: str) -> None:
        self.remember(model=name)
        if not self.segmenting.is_running:
            self.segmenting.warm_up()

    def _show_busy(self, text: str) -> None:
        self.empty.set_busy(text)
        self._where.setText(f"{text} ..." if text else readout(self.state, None))

    def _journal_failed(self, error: UserError) -> None:
        self.messages.show_message(
            tr("{reason} Your strokes are kept in memory; export soon.", reason=words(error)),
            error=True,
            action=tr("Try again"),
            call=self.session.retry_journals,
        )

    # Acting -----------------------------------------------------------------------------------------

    def show_case(self, on: bool) -> None:
        """Show the views and panels of a case, or what to do first."""
        self.viewer.setVisible(on)
        self.empty.setVisible(not on)
        for part in (
            self.masks,
            self.labels,
            self.tools,
            self.compare,
            self.audit,
            *self._correcting,
            *self._looking,
        ):
            part.setVisible(on)
        if not on:
            self._where.setText("")

    def show_saved(self, text: str) -> None:
        """What is not exported yet, at the lower right."""
        self._saved.setText(text)

    def choose_colours(self, above: QWidget | None = None) -> None:
        """Ask for the colours of the labels, above a dialog or the window; they are shown while choosing."""
        dialog = ColoursDialog(
            self.settings.palette, self.settings.own_colours, self._show_colours, above or self
        )
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.accepted.connect(lambda: self.remember(palette=dialog.choice, own_colours=dialog.own))
        dialog.open()

    def _show_colours(self, colours: Mapping[Tissue, Colour]) -> None:
        self.state.set_colours(colours)
        self.following.follow_ratings()

    def _repaint_views(self) -> None:
        for view in self.findChildren(SliceView):
            view.update()

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
        self.following.follow_case()
        self._forget_former_case()

    def _end_work_on_case(self) -> None:
        """The case is being let go: a stroke under way is a step, a segmentation is dropped."""
        self.kept.save()
        self.measuring.cancel()
        self.interpolating.drop()
        self.refining.cancel_threshold()
        self.toolbox.finish()
        self.segmenting.drop()
        self.aligning.drop()
        self.studying.current.leave()

    def _editable(self) -> Rating | None:
        """The mask the brush may change; if the one shown may not be, say what to do."""
        if self.segmenting.is_running and self.state.preview is not None:
            self.desk.say(tr("The network is still outlining. Wait for it or cancel it, then paint."))
            return None
        rating = self.session.editable()
        if rating is None and self.session.terms.read_only:
            self.desk.complain(UserError("mask_locked"))
        elif rating is None and self.session.shown is not None:
            self.messages.show_message(
                tr("{rater} is read only.", rater=self.session.shown.rater),
                error=False,
                action=tr("Start from this mask"),
                call=lambda: self._start_from(self._row_shown()),
            )
        return rating

    def _row_shown(self) -> int:
        case = self.session.case
        return case.ratings.index(self.session.shown) if case and self.session.shown else -1

    def _show_mask(self, row: int) -> None:
        case = self.session.case
        if case is not None and 0 <= row < len(case.ratings):
            self.toolbox.finish()
            self.session.show(case.ratings[row])

    def _start_from(self, row: int) -> None:
        case = self.session.case
        if case is not None and 0 <= row < len(case.ratings):
            self.toolbox.finish()
            try:
                self.session.start_from(case.ratings[row])
            except UserError as error:
                self.desk.complain(error)

    # Events -----------------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and (self.toolbox.is_busy or self.measuring.is_busy):
            self.toolbox.cancel()
            self.measuring.cancel()
            return
        if event.key() == Qt.Key.Key_Escape and (
            self.interpolating.proposal or self.interpolating.is_working
        ):
            self.interpolating.drop()
            return
        if event.key() == Qt.Key.Key_Escape and self.touring.is_on:
            self.touring.leave()
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
        """A mask goes onto the open case; anything else is opened as what it means."""
        if len(paths) == 1 and self.session.case is not None and self._looks_like_mask(paths[0]):
            self.opener.load_mask(paths[0])
        else:
            self.starting.open(paths)

    @staticmethod
    def _looks_like_mask(path: Path) -> bool:
        from brainseg_desktop.io.mask_files import mask_form
        from brainseg_desktop.io.names import NameKind, read_name
        from brainseg_desktop.io.nifti import is_nifti_name, nifti_stem

        named = path.is_file() and is_nifti_name(path)
        return bool(mask_form(path)) or (named and read_name(nifti_stem(path)).kind is NameKind.MASK)

    def closeEvent(self, event: QCloseEvent) -> None:
        self.touring.leave()
        self.toolbox.finish()
        self.studying.close()
        self.archiving.close()
        self._end_work_on_case()
        for dialog in self.findChildren(QDialog):
            dialog.close()
        self.remember(
            window=self.saveGeometry().toBase64().toStdString(),
            layout=self.saveState().toBase64().toStdString(),
            opacity=self.state.opacity,
            mask_style=self.state.style.value[0],
            smooth=self.state.smooth,
            layout_kind=self.viewer.layout_kind.value,
            contents={
                layout.value: [(s.sequence.value, s.plane.title) for s in shown]
                for layout, shown in self.viewer.contents.items()
            },
            view_windows=self.view_windows.places(),
            brush=Brush(
                diameter_mm=self.state.brush_mm,
                shape="ball" if self.state.ball else "disc",
                keep_others=self.state.constraints.keep_others,
            ),
        )
        self.kept.close()
        self.view_windows.close_all()
        self.client.close()
        self.exporter.stop()
        self.jobs.close()
        self.session.close()
        if self.garbage is not None:
            self.garbage.stop()
        event.accept()

    # Settings ---------------------------------------------------------------------------------------

    def _restore_display(self) -> None:
        self.state.opacity = self.settings.opacity
        self.state.style = next(s for s in MaskStyle if s.value[0] == self.settings.mask_style)
        self.state.smooth = self.settings.smooth
        self.state.orientation = Orientation(self.settings.radiological, self.settings.nose_left)
        self.state.colours = palette(self.settings.palette, self.settings.own_colours)
        self.state.set_brush_mm(self.settings.brush.diameter_mm)
        self.state.ball = self.settings.brush.shape == "ball"
        self.state.constraints = Constraints(keep_others=self.settings.brush.keep_others)

    def _restore_views(self) -> None:
        """The layout, what its views showed, and the views in windows of their own."""
        sequences, planes = {s.value: s for s in Sequence}, {p.title: p for p in Plane}
        for layout in Layout:
            kept = self.settings.contents.get(layout.value, ())
            shown = [Shown(sequences[s], planes[p]) for s, p in kept if s in sequences and p in planes]
            if len(shown) == len(first_contents(layout, self.viewer.sequence, self.viewer.plane)):
                self.viewer.contents[layout] = shown
        self.viewer.arrange(
            next((k for k in Layout if k.value == self.settings.layout_kind), Layout.SEQUENCES)
        )
        self.windowing.set_presets(self.settings.window_presets)
        self.view_windows.restore(self.settings.view_windows)

    def _restore_window(self) -> None:
        if self.settings.window:
            self.restoreGeometry(QByteArray.fromBase64(self.settings.window.encode()))
        if self.settings.layout:
            self.restoreState(QByteArray.fromBase64(self.settings.layout.encode()))

    def _list_recent(self) -> None:
        import os

        recent = [(key, Path(key.split(os.pathsep)[0]).name) for key in self.settings.recent_cases]
        self.cases.set_cases(recent, tr("Recent cases") if recent else "")
        self.empty.set_recent(recent)

    def remember(self, **changes: object) -> None:
        """Keep settings for the next start."""
        self.settings = msgspec.structs.replace(self.settings, **changes)
        self._save_settings()

    def _save_settings(self) -> None:
        problem = None
        try:
            save_settings(self.settings)
        except UserError as error:
            problem = error
            self.desk.complain(error)
        self.settings_changed.emit(problem)
