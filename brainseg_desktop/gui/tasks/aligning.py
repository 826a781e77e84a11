"""Bringing the open case's sequences together: registers in the background, shows the result, takes it."""

from __future__ import annotations

import threading

from PySide6.QtCore import QObject, Qt, Signal

from brainseg_desktop.core.case import Case, Placement
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.volume import Sequence, Volume
from brainseg_desktop.gui.desk import Desk
from brainseg_desktop.gui.dialogs.align_dialog import AlignDialog, Row
from brainseg_desktop.services.alignment.client import register_rigid
from brainseg_desktop.services.alignment.placing import (
    REGISTERED,
    Quality,
    by_headers,
    by_registration,
    movable,
    quality_words,
    reference_sequence,
)
from brainseg_desktop.services.alignment.registration import Registration
from brainseg_desktop.services.language import mark, tr
from brainseg_desktop.services.messages import words

_DIFFERS = {
    "shape": mark("another number of voxels"),
    "spacing": mark("another voxel size"),
    "orientation": "turned",
    "position": "shifted",
}


class Aligning(QObject):
    """One dialog, and one registration at a time.

    Attributes
    ----------
    reference : str
        Sequence that masks of the next cases are drawn on, empty for the rule.

    Signals
    -------
    placed : a sequence of the open case lies elsewhere now.
    reference_chosen : name of the sequence that masks of the next cases are drawn on, empty for the rule.
    """

    placed = Signal()
    reference_chosen = Signal(str)

    def __init__(self, desk: Desk, reference: str) -> None:
        super().__init__(desk.window)
        self._desk = desk
        self.reference = reference
        self.dialog: AlignDialog | None = None
        self._cancel: threading.Event | None = None
        self._offered: tuple[Sequence, Placement] | None = None

    @property
    def is_running(self) -> bool:
        return self._cancel is not None

    def show(self) -> None:
        """Open the dialog for the open case; asked for twice, it is one dialog."""
        case = self._desk.session.case
        if case is None:
            return
        if self.dialog is not None:
            self.dialog.raise_()
            self.dialog.activateWindow()
            return
        if not case.grid.spacing_known:
            self._desk.complain(UserError("alignment_no_spacing"))
            return
        if not movable(case):
            self._desk.say(tr("This exam has one sequence only: there is nothing to bring together."))
            return
        dialog = AlignDialog(self._desk.state, self.reference, self._desk.window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.register_wanted.connect(self._register)
        dialog.headers_wanted.connect(self._use_headers)
        dialog.back_wanted.connect(lambda sequence: self._put(sequence, None))
        dialog.cancelled.connect(self.cancel)
        dialog.accepted_result.connect(self._accept)
        dialog.discarded.connect(self._discard)
        dialog.reference_chosen.connect(self.choose_reference)
        dialog.gone.connect(self._gone)
        self.dialog = dialog
        self._list()
        dialog.show()

    def cancel(self) -> None:
        """End the running registration; nothing is changed."""
        if self._cancel is not None:
            self._end()
            if self.dialog is not None:
                self.dialog.say(tr("The registration was cancelled. Nothing was changed."))

    def drop(self) -> None:
        """The case is being closed: end quietly."""
        if self.dialog is not None:
            self.dialog.close()

    def _gone(self) -> None:
        self._end()
        self._offered = self.dialog = None

    def _end(self) -> None:
        if self._cancel is not None:
            self._cancel.set()
        self._cancel = None
        if self.dialog is not None:
            self.dialog.set_busy(None)

    def choose_reference(self, name: str) -> None:
        """Draw the masks of the next cases on this sequence; empty for the usual rule."""
        if name == self.reference:
            return
        self.reference = name
        if self.dialog is not None:
            self.dialog.set_reference(name)
        self.reference_chosen.emit(name)

    def _list(self) -> None:
        case, dialog = self._desk.session.case, self.dialog
        if case is None or dialog is None:
            return
        rows = [
            Row(s, _header_words(case, s), _placed_words(case, s), s in case.placements)
            for s in movable(case)
        ]
        dialog.set_rows(reference_sequence(case), rows)

    # Placing ----------------------------------------------------------------------------------------

    def _use_headers(self, sequence: Sequence) -> None:
        case, dialog = self._desk.session.case, self.dialog
        if case is None or dialog is None:
            return
        placement, quality = by_headers(case, sequence)
        if not quality.is_refused:
            self._put(sequence, placement)
        dialog.say(" ".join(words(quality_words(code, sequence, case, quality)) for code in quality.doubts))

    def _put(self, sequence: Sequence, placement: Placement | None) -> None:
        case = self._desk.session.case
        if case is not None:
            case.place(sequence, placement)
            if self.dialog is not None:
                self.dialog.say("")
            self._list()
            self.placed.emit()

    def _register(self, sequence: Sequence) -> None:
        case = self._desk.session.case
        if case is None or self.dialog is None or self.is_running:
            return
        cancel = threading.Event()
        self._cancel = cancel
        self.dialog.say("")
        self.dialog.set_busy(0.0)
        moving, fixed = case.as_read(sequence), case.volumes[reference_sequence(case)]
        post = self._desk.jobs.post

        def tell(share: float) -> None:
            post(lambda: self._show_share(cancel, share))

        self._desk.jobs.free(
            lambda: register_rigid(moving, fixed, tell=tell, cancelled=cancel.is_set),
            lambda found: self._found(cancel, case, sequence, found),
            lambda error: self._failed(cancel, error),
        )

    def _show_share(self, cancel: threading.Event, share: float) -> None:
        if self._cancel is cancel and self.dialog is not None:
            self.dialog.set_busy(share)

    def _found(self, cancel: threading.Event, case: Case, sequence: Sequence, found: Registration) -> None:
        if self._cancel is not cancel or self.dialog is None or self._desk.session.case is not case:
            return
        self._end()
        placement, quality = by_registration(case, sequence, found)
        reference = reference_sequence(case)
        read = case.as_read(sequence)
        after = Volume(read.data, found.transform.moved(read.grid), read.source, read.sequence)
        self.dialog.check.set_volumes(case.volumes[reference], read, after, (reference, sequence))
        self._offered = (sequence, placement)
        self.dialog.set_result(_verdict(case, sequence, quality), acceptable=not quality.is_refused)

    def _failed(self, cancel: threading.Event, error: BaseException) -> None:
        if self._cancel is not cancel:
            return
        self._end()
        if isinstance(error, UserError) and self.dialog is not None:
            self.dialog.say(words(error))
        else:
            self._desk.complain(error)

    def _accept(self) -> None:
        offered, self._offered = self._offered, None
        if self.dialog is not None:
            self.dialog.set_result(None)
        if offered is not None:
            self._put(*offered)

    def _discard(self) -> None:
        self._offered = None
        if self.dialog is not None:
            self.dialog.set_result(None)
            self.dialog.say(tr("The result was discarded. Nothing was changed."))


def _header_words(case: Case, sequence: Sequence) -> str:
    """What the header says of a sequence's grid."""
    grid = case.as_read(sequence).grid
    reason = case.grid.mismatch(grid)
    if reason is None:
        return tr("On the masks' grid")
    size = " x ".join(f"{s:.3g}" for s in grid.spacing_mm)
    oblique = (
        tr(", {angle:.0f}° oblique", angle=grid.obliquity_degrees) if grid.obliquity_degrees >= 0.5 else ""
    )
    return tr(
        "Own grid ({differs}): {size} mm{oblique}", differs=tr(_DIFFERS[reason]), size=size, oblique=oblique
    )


def _placed_words(case: Case, sequence: Sequence) -> str:
    """What was done with a sequence."""
    placement = case.placements.get(sequence)
    if placement is None:
        return tr("As in the file") if case.is_aligned(sequence) else tr("Shown; not given to the network")
    if placement.how != REGISTERED:
        return tr("Resampled by its header")
    shift, angle = (placement.details.get(k, 0.0) for k in ("shift_mm", "angle_degrees"))
    return tr("Registered: moved {shift:.1f} mm, turned {angle:.1f}°", shift=shift, angle=angle)


def _verdict(case: Case, sequence: Sequence, quality: Quality) -> str:
    """Numbers of a registration, and what looks wrong about it."""
    assert quality.before is not None
    assert quality.after is not None
    parts = [
        tr(
            "{sequence} would be moved by {shift:.1f} mm and turned by {angle:.1f}°. "
            "Mutual information {before:.3f} before, {after:.3f} after (more is better); it "
            "covers {percent:.0f} % of the masks' grid.",
            sequence=sequence.value,
            shift=quality.shift_mm,
            angle=quality.angle_degrees,
            before=quality.before,
            after=quality.after,
            percent=100 * quality.covered,
        )
    ]
    parts += [words(quality_words(code, sequence, case, quality)) for code in quality.doubts]
    if not quality.is_refused:
        parts.append(tr("Take it if nothing jumps on the right while it blinks."))
    return " ".join(parts)
