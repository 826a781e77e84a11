"""The network at the button: starts it, shows slices as they come, takes the result, ends it at once."""

from __future__ import annotations

import logging
import threading

import numpy as np
from PySide6.QtCore import QObject, Signal

from brainseg_desktop.core.case import Case, Rating
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.gui.desk import Desk
from brainseg_desktop.gui.panels.jobs_panel import JobBar
from brainseg_desktop.gui.tasks.networks import Networks
from brainseg_desktop.services.language import tr
from brainseg_desktop.services.models import find_network
from brainseg_desktop.services.predict import predict_case
from brainseg_desktop.services.worker_client import WorkerClient

_log = logging.getLogger(__name__)


class Segmenting(QObject):
    """One segmentation at a time.

    Signals
    -------
    running : bool
    """

    running = Signal(bool)

    def __init__(
        self, desk: Desk, client: WorkerClient, bar: JobBar, networks: Networks, device: str = "auto"
    ) -> None:
        super().__init__(desk.window)
        self._networks = networks
        self.device = device
        self._desk = desk
        self._client = client
        self._bar = bar
        self._cancel: threading.Event | None = None
        self._case: Case | None = None
        bar.cancelled.connect(self.cancel)

    @property
    def is_running(self) -> bool:
        return self._cancel is not None

    def warm_up(self) -> None:
        """Start the worker and have it read the network, so that the first click is answered at once."""
        name = self._networks.name
        self._desk.jobs.free(
            lambda: self._client.warm_up(find_network(name), self.device), lambda _: None, self._not_warm
        )

    def start(self) -> None:
        """Segment the open case, beginning with the slice being looked at."""
        case = self._desk.session.case
        if case is None or self.is_running:
            return
        if self._desk.session.terms.blinded:
            self._desk.complain(UserError("reading_blinded"))
            return
        cancel = threading.Event()
        self._cancel, self._case = cancel, case
        self._bar.start(tr("Starting the network"))
        self.running.emit(True)
        preview = np.zeros(case.grid.shape, dtype=np.uint8)
        desk, post = self._desk, self._desk.jobs.post

        def mine() -> bool:
            return self._cancel is cancel and desk.session.case is case

        def slice_home(z: int, tissues: np.ndarray) -> None:
            if mine():
                preview[:, :, z] = tissues
                desk.state.set_preview(preview)

        def progress_home(done: int, total: int, seconds_left: float | None) -> None:
            if mine():
                self._bar.set_progress(tr("Segmenting, slice"), done, total, seconds_left)

        first_slice, network = desk.state.cursor[2], self._networks.name
        desk.jobs.document(
            lambda: predict_case(
                case,
                self._client,
                find_network(network),
                device=self.device,
                first_slice=first_slice,
                on_slice=lambda z, tissues: post(lambda: slice_home(z, tissues)),
                on_progress=lambda d, n, s: post(lambda: progress_home(d, n, s)),
                cancel=cancel,
            ),
            lambda rating: self._done(cancel, case, rating),
            lambda error: self._failed(cancel, error),
        )

    def cancel(self) -> None:
        """End the running segmentation; what it had found is dropped."""
        if self._cancel is not None:
            self._cancel.set()
            self._end()
            self._desk.say(tr("The segmentation was cancelled."))

    def drop(self) -> None:
        """The case is being closed: end quietly."""
        if self._cancel is not None:
            self._cancel.set()
            self._end()

    def _end(self) -> None:
        self._cancel = self._case = None
        self._bar.finish()
        self._desk.state.set_preview(None)
        self.running.emit(False)

    def _done(self, cancel: threading.Event, case: Case, rating: Rating) -> None:
        if self._cancel is not cancel or self._desk.session.case is not case:
            return
        self._end()
        session = self._desk.session
        session.add(rating)
        own = session.own_rating()
        if session.is_blank(own):
            session.start_from(rating)
            said = tr(
                "{rater} has outlined the case; {own} starts from its mask. Correct it with the brush.",
                rater=rating.rater,
                own=own.rater,
            )
        else:
            said = tr(
                "{rater} has outlined the case. Your own mask was left as it is; choose the AI mask "
                "and 'Start from this mask' to take it over.",
                rater=rating.rater,
            )
        # What puts the exam outside of what the network knows is said with its mask.
        self._tell_where(" ".join([said, *rating.details.get("outside", ())]), rating)

    def _tell_where(self, said: str, rating: Rating) -> None:
        """Say that it is done; a button goes to the largest slice if the one shown has nothing."""
        labels, state = rating.label_map.array, self._desk.state
        sizes = np.count_nonzero(labels, axis=(0, 1))
        if not sizes.any():
            self._desk.say(tr("{rater} has found no tumour in this case.", rater=rating.rater))
        elif sizes[state.cursor[2]]:
            self._desk.say(said)
        else:
            z = int(np.argmax(sizes))
            x, y = (round(float(places.mean())) for places in np.nonzero(labels[:, :, z]))
            self._desk.messages.show_message(
                said, error=False, action=tr("Go to the tumour"), call=lambda: state.set_cursor((x, y, z))
            )

    def _failed(self, cancel: threading.Event, error: BaseException) -> None:
        if self._cancel is not cancel:
            return
        self._end()
        if not (isinstance(error, UserError) and error.code == "cancelled"):
            self._desk.complain(error, action=tr("Try again"), call=self.start)

    def _not_warm(self, error: BaseException) -> None:
        # Told when the button is pressed: a reader who only looks need not hear of it.
        _log.warning("the worker did not start: %s", error)
