"""What the program is, of which versions, under which licences, and what its network was measured to do."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, qVersion
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPlainTextEdit,
    QTabWidget,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.gui.dialogs.dialogs import size_by_font
from brainseg_desktop.gui.dialogs.network_card import card_html
from brainseg_desktop.gui.file_manager import show_folder
from brainseg_desktop.gui.panels.parts import faint
from brainseg_desktop.gui.settings.page import push
from brainseg_desktop.services.about import NOTICE, places, support_text, versions
from brainseg_desktop.services.language import tr
from brainseg_desktop.services.licences import Licences, Part, read_licences
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.models import Offer, list_offers
from brainseg_desktop.services.paths import log_dir, user_models_dir

if TYPE_CHECKING:
    from brainseg_desktop.gui.main_window import MainWindow

_OWN = Part(name="BrainSeg Desktop", licence="Apache-2.0")


class AboutWindow(QDialog):
    """Three pages: the program, the network, the licences.

    Parameters
    ----------
    window : MainWindow
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._is_gone = False
        self._found = versions(qVersion() or "")
        self._network_name = window.networks.name
        self.setWindowTitle(tr("About BrainSeg Desktop"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        size_by_font(self, 52, 36)
        self._card = _page(tr("Card of the network"))
        self._card.setPlainText(tr("Reading the card ..."))
        self.tabs = QTabWidget()
        self.tabs.setAccessibleName(tr("Pages"))
        self.tabs.addTab(self._program(), tr("Program"))
        self.tabs.addTab(self._card, tr("Network"))
        self.tabs.addTab(self._licences(), tr("Licences"))
        self._said = faint()
        copy = push(
            tr("Copy for support"),
            tr("Versions, network and device as text, for a mail; no names of cases or persons"),
            self._copy,
        )
        logs = push(tr("Open log folder"), tr("Show the logs in the file manager"), self._open_logs)
        close = push(tr("Close"), tr("Close this window"), self.close)
        foot = QHBoxLayout()
        for button in (copy, logs):
            foot.addWidget(button)
        foot.addWidget(self._said, 1)
        foot.addWidget(close)
        column = QVBoxLayout(self)
        column.addWidget(self.tabs, 1)
        column.addLayout(foot)
        self.finished.connect(self._leave)
        window.jobs.free(list_offers, self._show_card, self._failed)
        window.jobs.free(read_licences, self._show_licences, self._failed)

    def _program(self) -> QWidget:
        page = _page(tr("Versions and places"))
        rows = "".join(
            f"<tr><td>{escape(name)}&nbsp;&nbsp;</td><td>{escape(version)}</td></tr>"
            for name, version in self._found.items()
        )
        kept = "".join(
            f"<tr><td>{escape(tr(name))}&nbsp;&nbsp;</td><td>{escape(str(path))}</td></tr>"
            for name, path in places().items()
        )
        page.setHtml(
            f"<h2>BrainSeg Desktop {escape(self._found['BrainSeg Desktop'])}</h2>"
            f"<p>{tr('Segment, correct and measure brain tumour masks in multimodal MRI.')}</p>"
            f"<p><b>{tr(NOTICE)}</b></p>"
            f"<p>{tr('Code: Apache-2.0. Bundled network: CC BY-NC-SA 4.0, as its training masks.')} "
            f"{tr('Nothing is sent anywhere unless you use an archive (PACS) or fetch training data.')}</p>"
            f"<h3>{tr('Versions')}</h3><table cellpadding='2'>{rows}</table>"
            f"<h3>{tr('Where its files lie')}</h3><table cellpadding='2'>{kept}</table>"
        )
        return page

    def _licences(self) -> QWidget:
        page = QWidget()
        self._search = QLineEdit()
        self._search.setPlaceholderText(tr("Search a part or a licence"))
        self._search.setAccessibleName(tr("Search licences"))
        self._search.setClearButtonEnabled(True)
        self._search.textChanged.connect(self._hide_parts)
        self._list = QListWidget()
        self._list.setAccessibleName(tr("Parts of the program"))
        self._list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._list.currentItemChanged.connect(self._show_text)
        self._head = QLabel()
        self._head.setWordWrap(True)
        self._text = QPlainTextEdit()
        self._text.setReadOnly(True)
        self._text.setAccessibleName(tr("Text of the licence"))
        self._text.setPlainText(tr("Reading the licences ..."))
        left = QVBoxLayout()
        left.addWidget(self._search)
        left.addWidget(self._list, 1)
        right = QVBoxLayout()
        right.addWidget(self._head)
        right.addWidget(self._text, 1)
        row = QHBoxLayout(page)
        row.addLayout(left, 2)
        row.addLayout(right, 5)
        return page

    def _show_card(self, offers: list[Offer]) -> None:
        if self._is_gone:
            return
        offer = next((o for o in offers if o.name == self._network_name), None)
        if offer is None:
            known = [o.name for o in offers if o.card is not None]
            gone = UserError("model_unknown", name=self._network_name, known=known, path=user_models_dir())
            self._card.setPlainText(words(gone))
        elif offer.card is None:
            self._card.setPlainText(words(offer.problem) if offer.problem is not None else "")
        else:
            self._network_name = f"{offer.card.name} {offer.card.version}"
            self._card.setHtml(card_html(offer.card, offer.folder))

    def _show_licences(self, found: Licences) -> None:
        if self._is_gone:
            return
        own = Part(
            name=_OWN.name, version=self._found["BrainSeg Desktop"], licence=_OWN.licence, text=found.own
        )
        for part in (own, *found.parts):
            item = QListWidgetItem(f"{part.name} {part.version}".strip())
            item.setToolTip(part.licence)
            item.setData(Qt.ItemDataRole.UserRole, part)
            self._list.addItem(item)
        self._list.setCurrentRow(0)

    def _show_text(self, item: QListWidgetItem | None) -> None:
        if item is None:
            return
        part = item.data(Qt.ItemDataRole.UserRole)
        self._head.setText(f"{part.name} {part.version}: {part.licence}".rstrip(": "))
        self._text.setPlainText(
            part.text or tr("This part brings no text of its licence in this installation.")
        )

    def _hide_parts(self, search: str) -> None:
        for row in range(self._list.count()):
            item = self._list.item(row)
            part = item.data(Qt.ItemDataRole.UserRole)
            item.setHidden(search.strip().lower() not in f"{part.name} {part.licence}".lower())

    def _copy(self) -> None:
        settings = self._window.settings
        text = support_text(self._found, self._network_name, settings.device, settings.device_times)
        QGuiApplication.clipboard().setText(text)
        self._said.setText(tr("Copied. Paste it into your mail."))

    def _open_logs(self) -> None:
        problem = show_folder(log_dir(), make=True)
        self._said.setText("" if problem is None else words(problem))

    def _failed(self, error: BaseException) -> None:
        if not self._is_gone:
            self._window.desk.complain(error)

    def _leave(self) -> None:
        self._is_gone = True


def _page(name: str) -> QTextBrowser:
    page = QTextBrowser()
    page.setAccessibleName(name)
    page.setOpenLinks(False)
    return page
