"""Which network outlines: the list in the menu, the folder of the user's own, and the card to read."""

from __future__ import annotations

import os

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.gui.desk import Desk
from brainseg_desktop.gui.dialogs.network_card import NetworkCardDialog
from brainseg_desktop.gui.file_manager import show_folder
from brainseg_desktop.services.language import tr
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.models import DEFAULT_MODEL, Offer, list_offers
from brainseg_desktop.services.paths import user_models_dir

_REASON_PIXELS = 640


class Networks(QObject):
    """The choice of the network.

    Parameters
    ----------
    desk : Desk
    name : str
        Of the one chosen the last time; empty for the bundled one.

    Attributes
    ----------
    menu : QMenu
        The networks; what cannot be used is listed with the reason. Read anew whenever it opens.

    Signals
    -------
    chosen : name of another network.
    """

    chosen = Signal(str)

    def __init__(self, desk: Desk, name: str) -> None:
        super().__init__(desk.window)
        self._desk = desk
        self.name = name or DEFAULT_MODEL
        self.offers: list[Offer] = []
        self.menu = QMenu(tr("Networks"), desk.window)
        self.menu.setToolTipsVisible(True)
        self.menu.aboutToShow.connect(self.refresh)
        self._group = QActionGroup(self)
        self._fill()

    def refresh(self) -> None:
        """Look for networks in the background and list them."""
        self._desk.jobs.free(list_offers, self._found, self._desk.complain)

    def show_card(self) -> None:
        """Show what the chosen network is and what was measured."""
        self._desk.jobs.free(list_offers, self._show_card, self._desk.complain)

    def open_folder(self) -> None:
        """Show the user's own networks in the system's file manager; the folder is made at need."""
        problem = show_folder(user_models_dir(), make=True)
        if problem is not None and problem.code == "folder_not_shown":
            self._desk.say(
                tr(
                    "Networks of your own belong into {folder}, each in a folder with its model.toml.",
                    folder=user_models_dir(),
                )
            )
        elif problem is not None:
            self._desk.complain(problem)

    def _found(self, offers: list[Offer]) -> None:
        self.offers = offers
        self._fill()

    def _fill(self) -> None:
        self.menu.clear()
        if not self.offers:
            self.menu.addAction(tr("Looking for networks ...")).setEnabled(False)
        for offer in self.offers:
            action = self._usable(offer) if offer.card is not None else self._unusable(offer)
            self.menu.addAction(action)

    def _usable(self, offer: Offer) -> QAction:
        assert offer.card is not None
        own = tr(", your own") if offer.is_own else ""
        action = QAction(f"{offer.name} {offer.card.version}{own}", self.menu)
        action.setToolTip(f"{offer.card.title} ({offer.folder})")
        action.setCheckable(True)
        action.setChecked(offer.name == self.name)
        action.triggered.connect(lambda: self.choose(offer.name))
        self._group.addAction(action)
        return action

    def _unusable(self, offer: Offer) -> QAction:
        assert offer.problem is not None
        # The folder is known here; without it there is room for the reason.
        reason = words(offer.problem).replace(f"{offer.folder.parent}{os.sep}", "")
        text = reason if offer.name in reason else f"{offer.name}: {reason}"
        cut = self.menu.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, _REASON_PIXELS)
        action = QAction(cut, self.menu)
        action.setToolTip(words(offer.problem))
        action.setEnabled(False)
        return action

    def choose(self, name: str) -> None:
        """Take another network from now on."""
        if name != self.name:
            self.name = name
            self.chosen.emit(name)

    def _show_card(self, offers: list[Offer]) -> None:
        self._found(offers)
        offer = next((o for o in offers if o.name == self.name), None)
        if offer is None:
            known = [o.name for o in offers if o.card is not None]
            error = UserError("model_unknown", name=self.name, known=known, path=user_models_dir())
            self._desk.complain(error)
        elif offer.card is None:
            assert offer.problem is not None
            self._desk.complain(offer.problem)
        else:
            # Asked for twice, it is one card: the network may be another by now.
            for shown in self._desk.window.findChildren(NetworkCardDialog):
                shown.close()
            dialog = NetworkCardDialog(offer.card, offer.folder, self._desk.window)
            dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            dialog.show()
