"""The window of the user guide: contents and search left, the page right."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QEvent, QModelIndex, QObject, Qt, QUrl
from PySide6.QtGui import QKeyEvent, QKeySequence, QShortcut, QTextDocument
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QPushButton,
    QSplitter,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.gui.dialogs.dialogs import size_by_font
from brainseg_desktop.gui.guide.names import names_of
from brainseg_desktop.gui.guide.page_view import PageView
from brainseg_desktop.gui.guide.pages import Entry, Names, guide_dir, read_contents, read_page
from brainseg_desktop.gui.panels.parts import faint
from brainseg_desktop.gui.views.view_state import Mode
from brainseg_desktop.services.language import tr
from brainseg_desktop.services.messages import words

if TYPE_CHECKING:
    from brainseg_desktop.gui.main_window import MainWindow

_FILE = Qt.ItemDataRole.UserRole
FIRST = "outline.md"
# Where a reader with this tool in hand is helped.
_PAGES = {
    Mode.WINDOW: "look.md",
    Mode.BRUSH: "brush.md",
    Mode.ERASER: "brush.md",
    Mode.SMART_BRUSH: "brush.md",
    Mode.RULER: "measure.md",
    Mode.ANGLE: "measure.md",
    Mode.ROI: "measure.md",
    Mode.POLYGON: "tools.md",
    Mode.LASSO: "tools.md",
    Mode.SPLINE: "tools.md",
    Mode.SCISSORS: "tools.md",
    Mode.FILL: "tools.md",
    Mode.THRESHOLD: "tools.md",
    Mode.SCRIBBLE: "tools.md",
}


class GuideWindow(QDialog):
    """The guide beside the work: it stays open and blocks nothing.

    Parameters
    ----------
    names : Names
        Keys and names as the window has them now.
    folder : Path or None
        Of the guide, the one that came with the program by default.
    """

    def __init__(self, names: Names, folder: Path | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._names, self._folder = names, folder or guide_dir()
        self._entries: tuple[Entry, ...] = ()
        self._items: dict[str, QTreeWidgetItem] = {}
        self._texts: dict[str, str] = {}
        self._file = ""
        self._before: list[tuple[str, int]] = []
        self._after: list[tuple[str, int]] = []
        self.setWindowTitle(tr("User guide"))
        self.setWindowFlag(Qt.WindowType.WindowMinMaxButtonsHint)
        size_by_font(self, 72, 46)
        self._make_parts()
        self._lay_out()
        self._add_keys()
        self._list_pages()

    @property
    def file(self) -> str:
        """The page that is shown."""
        return self._file

    def open_page(self, file: str) -> None:
        """Show a page; the way back is kept."""
        if file == self._file:
            return
        if self._file:
            self._before.append((self._file, self.page.verticalScrollBar().value()))
            self._after.clear()
        self._show(file)

    def set_names(self, names: Names) -> None:
        """Names and keys are others now: the page shows them, at the same place."""
        if names != self._names:
            self._names = names
            self._texts.clear()
            self._show(self._file, self.page.verticalScrollBar().value())

    def go_back(self) -> None:
        """Show the page shown before this one."""
        self._step(self._before, self._after)

    def go_forward(self) -> None:
        """Show the page that was left by going back."""
        self._step(self._after, self._before)

    # Building ---------------------------------------------------------------------------------------

    def _make_parts(self) -> None:
        self.search = QLineEdit()
        self.search.setPlaceholderText(tr("Search all pages"))
        self.search.setAccessibleName(tr("Search all pages"))
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._search)
        self.search.installEventFilter(self)
        self.contents = QTreeWidget()
        self.contents.setHeaderHidden(True)
        self.contents.setColumnCount(2)
        self.contents.header().setStretchLastSection(False)
        self.contents.header().setMinimumSectionSize(0)
        self.contents.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.contents.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.contents.setStyleSheet("QTreeWidget::item { padding: 0.15em 0; }")
        self.contents.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.contents.setRootIsDecorated(False)
        self.contents.setIndentation(10)
        self.contents.setAccessibleName(tr("Contents"))
        self.contents.currentItemChanged.connect(self._chosen)
        self._found = faint()
        self._found.hide()
        self.page = PageView(self._folder)
        self.page.anchorClicked.connect(self._follow)
        self.back = self._button(tr("Back"), tr("The page before this one (Alt+Left)"), self.go_back)
        self.forward = self._button(
            tr("Forward"), tr("The page you came back from (Alt+Right)"), self.go_forward
        )
        self._smaller = self._button("A-", tr("Smaller text (Ctrl+-)"), lambda: self._zoom(-1))
        self._larger = self._button("A+", tr("Larger text (Ctrl++)"), lambda: self._zoom(1))
        self._smaller.setAccessibleName(tr("Smaller text"))
        self._larger.setAccessibleName(tr("Larger text"))

    @staticmethod
    def _button(text: str, tip: str, call) -> QPushButton:  # type: ignore[no-untyped-def]
        button = QPushButton(text)
        button.setToolTip(tip)
        button.setAutoDefault(False)
        button.clicked.connect(lambda _=False: call())
        return button

    def _lay_out(self) -> None:
        left, right = QWidget(), QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 8, 0)
        column.addWidget(self.search)
        column.addWidget(self._found)
        column.addWidget(self.contents)
        row = QHBoxLayout()
        row.addWidget(self.back)
        row.addWidget(self.forward)
        row.addStretch()
        row.addWidget(self._smaller)
        row.addWidget(self._larger)
        column = QVBoxLayout(right)
        column.setContentsMargins(8, 0, 0, 0)
        column.addLayout(row)
        column.addWidget(self.page)
        splitter = QSplitter()
        splitter.addWidget(left)
        splitter.addWidget(right)
        splitter.setStretchFactor(1, 1)
        line = self.fontMetrics().height()
        splitter.setSizes([23 * line, 49 * line])
        splitter.setHandleWidth(1)
        splitter.setChildrenCollapsible(False)
        layout = QVBoxLayout(self)
        layout.addWidget(splitter)

    def _add_keys(self) -> None:
        for key, call in (
            ("Alt+Left", self.go_back),
            ("Alt+Right", self.go_forward),
            ("Ctrl+F", self._begin_search),
            ("Ctrl++", lambda: self._zoom(1)),
            ("Ctrl+=", lambda: self._zoom(1)),
            ("Ctrl+-", lambda: self._zoom(-1)),
            ("Ctrl+0", lambda: self._zoom(-self.page.zoom)),
        ):
            QShortcut(QKeySequence(key), self, call)

    def _list_pages(self) -> None:
        try:
            self._entries = read_contents(self._folder)
        except UserError as error:
            self.page.show_page(words(error))
        self._fill_contents({entry.file: 0 for entry in self._entries})
        self._show_ways()

    def _fill_contents(self, hits: dict[str, int]) -> None:
        """List these pages under their headings, with the number of hits where there are some."""
        self.contents.blockSignals(True)
        self.contents.clear()
        self._items.clear()
        groups: dict[str, QTreeWidgetItem] = {}
        for entry in self._entries:
            if entry.file not in hits:
                continue
            if entry.group not in groups:
                heading = QTreeWidgetItem(self.contents, [entry.group])
                heading.setFlags(Qt.ItemFlag.ItemIsEnabled)
                heading.setForeground(0, self.palette().placeholderText())
                heading.setFirstColumnSpanned(True)
                groups[entry.group] = heading
            count = hits[entry.file]
            item = QTreeWidgetItem(groups[entry.group], [entry.title, str(count) if count else ""])
            item.setToolTip(0, entry.title)
            item.setData(0, _FILE, entry.file)
            self._items[entry.file] = item
        self.contents.expandAll()
        self._mark_in_contents()
        self.contents.blockSignals(False)

    # Pages ------------------------------------------------------------------------------------------

    def _show(self, file: str, scroll: int = 0) -> None:
        self._file = file
        try:
            text = read_page(self._folder, file, self._names) + self._neighbours(file)
        except UserError as error:
            text = words(error)
        self.page.show_page(text)
        self.page.verticalScrollBar().setValue(scroll)
        self._mark_in_contents()
        self._show_ways()

    def _neighbours(self, file: str) -> str:
        """Links to the pages before and behind this one."""
        files = [entry.file for entry in self._entries]
        if file not in files:
            return ""
        at = files.index(file)
        links = []
        if at:
            links.append(f"{tr('Before')}: [{self._entries[at - 1].title}]({files[at - 1]})")
        if at + 1 < len(files):
            links.append(f"{tr('Next')}: [{self._entries[at + 1].title}]({files[at + 1]})")
        return "\n\n" + "  \n".join(links) + "\n"

    def _mark_in_contents(self) -> None:
        self.contents.blockSignals(True)
        self.contents.clearSelection()
        here = self._items.get(self._file)
        if here is not None:
            self.contents.setCurrentItem(here)
        else:
            # No line is the current one, so that a click on any line counts.
            self.contents.setCurrentIndex(QModelIndex())
        self.contents.blockSignals(False)

    def _chosen(self, item: QTreeWidgetItem | None) -> None:
        if item is not None and item.data(0, _FILE):
            self.open_page(item.data(0, _FILE))
            self._first_hit()

    def _follow(self, link: QUrl) -> None:
        # Pages lead to pages and nowhere else.
        if link.toString().endswith(".md"):
            self.open_page(Path(link.path()).name)

    def _step(self, here: list[tuple[str, int]], there: list[tuple[str, int]]) -> None:
        if here:
            there.append((self._file, self.page.verticalScrollBar().value()))
            self._show(*here.pop())

    def _show_ways(self) -> None:
        self.back.setEnabled(bool(self._before))
        self.forward.setEnabled(bool(self._after))

    def _zoom(self, steps: int) -> None:
        self.page.set_zoom(self.page.zoom + steps)

    # Searching --------------------------------------------------------------------------------------

    def _begin_search(self) -> None:
        self.search.setFocus()
        self.search.selectAll()

    def _search(self, typed: str) -> None:
        sought = " ".join(typed.split())
        hits = {entry.file: self._text_of(entry.file).count(sought.casefold()) for entry in self._entries}
        if sought:
            hits = {file: count for file, count in hits.items() if count}
            where = tr("{hits} hits on {pages} pages", hits=sum(hits.values()), pages=len(hits))
            self._found.setText(where if hits else tr("Nothing found for {sought}.", sought=sought))
        else:
            hits = dict.fromkeys(hits, 0)
            self._found.setText("")
        self._found.setVisible(bool(sought))
        self._fill_contents(hits)
        self.page.mark(sought)
        self._first_hit()

    def _first_hit(self) -> None:
        if self.search.text().strip():
            self.page.to_start()
            self.page.next_hit()

    def _next_hit(self) -> None:
        """The next hit on this page, or the first one on the next page that has one."""
        if self.page.next_hit():
            return
        listed = self._listed()
        if listed:
            at = listed.index(self._file) + 1 if self._file in listed else 0
            self.open_page(listed[at % len(listed)])
            self._first_hit()

    def _listed(self) -> list[str]:
        return list(self._items)

    def _text_of(self, file: str) -> str:
        """The words of a page as they are shown, for searching; none where it cannot be read."""
        if file not in self._texts:
            document = QTextDocument()
            try:
                document.setMarkdown(read_page(self._folder, file, self._names))
            except UserError:
                document.clear()
            self._texts[file] = document.toPlainText().casefold()
        return self._texts[file]

    def done(self, result: int) -> None:
        """Closed: the keys go back to the work."""
        super().done(result)
        # Not every window system gives them back by itself.
        parent = self.parentWidget()
        if parent is not None:
            parent.activateWindow()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Enter in the search field goes from hit to hit."""
        if watched is self.search and event.type() == QEvent.Type.KeyPress:
            key = cast(QKeyEvent, event).key()
            if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._next_hit()
                return True
        return super().eventFilter(watched, event)


def show_guide(window: MainWindow) -> GuideWindow:
    """Open the guide at the page for what the reader is doing, or bring the open one forward as it is."""
    # One that was closed a moment ago may not be gone yet.
    guide = next((g for g in window.findChildren(GuideWindow) if g.isVisible()), None)
    if guide is None:
        guide = GuideWindow(names_of(window.actions_by_name, window.menuBar()), parent=window)
        guide.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        guide.open_page(page_for(window))
        _follow_keys(window, guide)
    guide.show()
    guide.raise_()
    guide.activateWindow()
    return guide


def _follow_keys(window: MainWindow, guide: GuideWindow) -> None:
    """Show keys that are changed while the guide is open."""

    def follow(_problem: object) -> None:
        guide.set_names(names_of(window.actions_by_name, window.menuBar()))

    window.settings_changed.connect(follow)
    guide.finished.connect(lambda _: window.settings_changed.disconnect(follow))


def page_for(window: MainWindow) -> str:
    """The page that speaks of what is in hand: a study, a tool, or how to begin."""
    if window.studying.study is not None:
        return "study.md"
    if window.session.case is None:
        return FIRST
    return _PAGES.get(window.state.mode, FIRST)
