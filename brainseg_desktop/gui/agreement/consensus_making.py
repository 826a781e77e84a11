"""Asks which masks take part in a consensus and makes it in the background."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from brainseg_desktop.core.case import Case, RaterKind, Rating
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.gui.desk import Desk
from brainseg_desktop.gui.panels.parts import faint
from brainseg_desktop.services.consensus import (
    TITLES,
    Consensus,
    Fusion,
    Method,
    consensus_rating,
    fuse,
    remarks,
)
from brainseg_desktop.services.language import mark, tr

_RULES: dict[Method, str] = {
    "majority": (
        mark(
            "Each region is what more than half of the ticked masks mark; exactly half is "
            "background. A mask that marks nothing votes too."
        )
    ),
    "staple": (
        mark(
            "STAPLE (Warfield 2004) of each region over the whole image, cut at one half: each "
            "reader counts by the sensitivity and specificity estimated from all."
        )
    ),
}
_KINDS = {
    RaterKind.HUMAN: "",
    RaterKind.MODEL: mark("network"),
    RaterKind.REFERENCE: mark("reference"),
    RaterKind.CONSENSUS: mark("consensus"),
}


class ConsensusDialog(QDialog):
    """A list of masks to tick.

    Parameters
    ----------
    method : {"majority", "staple"}
    ratings : sequence of Rating
        All masks of the case.
    ticked : sequence of Rating
        Those that take part unless the reader says otherwise.
    """

    def __init__(
        self, method: Method, ratings: Sequence[Rating], ticked: Sequence[Rating], parent: QWidget
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("{method} of masks", method=tr(TITLES[method])))
        self._ratings = tuple(ratings)
        self.list = QListWidget()
        self.list.setAccessibleName(tr("Masks that take part"))
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        for rating in ratings:
            kind = tr(_KINDS[rating.kind])
            item = QListWidgetItem(f"{rating.rater} ({kind})" if kind else rating.rater)
            item.setFlags(
                Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
            )
            item.setCheckState(Qt.CheckState.Checked if rating in ticked else Qt.CheckState.Unchecked)
            item.setToolTip(rating.rater)
            self.list.addItem(item)
        self._count = faint()
        self.buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(faint(tr(_RULES[method])))
        layout.addWidget(self.list, 1)
        layout.addWidget(self._count)
        layout.addWidget(self.buttons)
        self.list.itemChanged.connect(lambda _: self._follow())
        self.list.setFocus()
        self.resize(440, 360)
        self._follow()

    @property
    def chosen(self) -> list[Rating]:
        """The masks ticked, in the order of the list."""
        states = [self.list.item(row).checkState() for row in range(self.list.count())]
        return [r for r, s in zip(self._ratings, states, strict=True) if s is Qt.CheckState.Checked]

    def _follow(self) -> None:
        number = len(self.chosen)
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(number >= 2)
        words = tr("{number} masks take part.", number=number)
        if number < 2:
            words = tr("Tick two masks or more.")
        elif number == 2:
            words = tr("Two masks take part: a majority is where both agree. Three or more say more.")
        self._count.setText(words)


class ConsensusMaking(QObject):
    """Between the dialog, the work beside and the session."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.window)
        self._desk = desk
        self.dialog: ConsensusDialog | None = None
        self._ticket = 0

    def ask(self, method: Method, readers: Sequence[Rating]) -> None:
        """Ask which masks take part; the dialog that is open is replaced."""
        case = self._desk.session.case
        if case is None:
            return
        self.close_dialog()
        dialog = ConsensusDialog(method, case.ratings, readers, self._desk.window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.accepted.connect(lambda: self._make(case, method, dialog.chosen))
        dialog.finished.connect(lambda _: self._forget(dialog))
        self.dialog = dialog
        dialog.open()

    def drop(self) -> None:
        """Close the dialog; what is being fused is not added any more."""
        self._ticket += 1
        self.close_dialog()

    def close_dialog(self) -> None:
        """Take back the question."""
        if self.dialog is not None:
            self.dialog.reject()

    def _forget(self, dialog: ConsensusDialog) -> None:
        if self.dialog is dialog:
            self.dialog = None

    def _make(self, case: Case, method: Method, chosen: Sequence[Rating]) -> None:
        if self._desk.session.case is not case:
            return
        try:
            fusion = Fusion.of(method, chosen)
        except UserError as error:
            self._desk.complain(error)
            return
        ticket = self._ticket
        self._desk.say(
            tr("{method} of {count} masks is being made...", method=tr(TITLES[method]), count=len(chosen))
        )
        self._desk.jobs.free(
            lambda: fuse(fusion),
            lambda found: self._take(ticket, case, fusion, found),
            lambda error: self._fail(ticket, error),
        )

    def _take(self, ticket: int, case: Case, fusion: Fusion, found: Consensus) -> None:
        if ticket != self._ticket or self._desk.session.case is not case:
            return
        rating = consensus_rating(case, fusion, found)
        self._desk.session.add(rating)
        self._desk.say(
            tr("{rater} is among the masks. {remarks}", rater=rating.rater, remarks=remarks(found)).strip()
        )

    def _fail(self, ticket: int, error: BaseException) -> None:
        if ticket == self._ticket:
            self._desk.complain(error)
