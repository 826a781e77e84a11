"""Which network, on which device, and how long it takes there."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from PySide6.QtCore import QDate, QLocale
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QProgressBar

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.gui.panels.parts import faint
from brainseg_desktop.gui.settings.page import Choice, Page, push
from brainseg_desktop.services.device_test import DEVICES, Device, measure_device
from brainseg_desktop.services.language import tr
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.models import Offer, find_network, list_offers
from brainseg_desktop.services.settings import DeviceTime

if TYPE_CHECKING:
    from brainseg_desktop.gui.main_window import MainWindow


class DevicePage(Page):
    """The choice, and a test that segments the sample case on each device in turn.

    Attributes
    ----------
    command : list of str or None
        How the test starts its worker; a test of the program gives its own.
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__(tr("Network and device"))
        self._window = window
        self.command: list[str] | None = None
        self._cancel: threading.Event | None = None
        self._is_gone = False
        self._said: dict[str, str] = {}
        self.add_heading(tr("Network"))
        self._network = Choice(tr("Network that outlines"), (), window.networks.choose)
        card = push(
            tr("Card..."),
            tr("What the network was trained on, what it is for, and its held-out figures"),
            window.networks.show_card,
        )
        row = QHBoxLayout()
        row.addWidget(self._network, 1)
        row.addWidget(card)
        self.add_form().addRow(tr("Network"), row)
        self.add_heading(tr("Device"))
        self._device = Choice(
            tr("Device that the network runs on"),
            (
                ("auto", tr("Automatic: the GPU where there is one, else the processor")),
                ("cpu", tr("Processor")),
                ("cuda", tr("GPU (CUDA)")),
            ),
            window.set_device,
        )
        self.add_form().addRow(tr("Runs on"), self._device)
        self.add_heading(tr("How long does a case take?"))
        self.add_note(
            tr(
                "The test outlines the sample case on the processor and on the GPU, in the background. "
                "Nothing of your work is changed."
            )
        )
        self._results: dict[str, QLabel] = {}
        grid = QGridLayout()
        grid.setColumnStretch(1, 1)
        grid.setHorizontalSpacing(14)
        for line, device in enumerate(DEVICES):
            self._results[device] = faint()
            grid.addWidget(QLabel(device_name(device)), line, 0)
            grid.addWidget(self._results[device], line, 1)
        self.column.addLayout(grid)
        self._test = push(tr("Test"), tr("Measure both devices"), self._start, tr("Test the devices"))
        self._stop = push(tr("Cancel"), tr("End the test"), self.cancel, tr("Cancel the test"))
        self._bar = QProgressBar()
        self._bar.setAccessibleName(tr("Progress of the test"))
        self._bar.setFormat("")
        # The buttons keep their place when it comes and goes.
        policy = self._bar.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self._bar.setSizePolicy(policy)
        row = QHBoxLayout()
        row.addWidget(self._test)
        row.addWidget(self._stop)
        row.addWidget(self._bar, 1)
        self.column.addLayout(row)
        self._doing = self.add_note("")
        window.segmenting.running.connect(self._follow_running)
        window.jobs.free(list_offers, self._list, window.desk.complain)
        self._list([])
        self._show_running()
        self.finish()

    @property
    def is_running(self) -> bool:
        """Whether a test runs."""
        return self._cancel is not None

    def follow(self) -> None:
        settings = self._window.settings
        self._network.set_value(self._window.networks.name)
        self._device.set_value(settings.device)
        for device, label in self._results.items():
            found = next((t for t in settings.device_times if t.device == device), None)
            measured = tr("Not measured yet.") if found is None else time_words(found)
            label.setText(self._said.get(device, measured))

    def leave(self) -> None:
        self._is_gone = True
        self._window.segmenting.running.disconnect(self._follow_running)
        if self._cancel is not None:
            self._cancel.set()

    def cancel(self) -> None:
        """End the running test; what was measured before stays."""
        if self._cancel is not None:
            self._cancel.set()
            self._end(tr("The test was cancelled."))

    def _list(self, offers: list[Offer]) -> None:
        if self._is_gone:
            return
        now = self._window.networks.name
        named = {o.name: f"{o.name} {o.card.version}" for o in offers if o.card is not None}
        named.setdefault(now, now if not offers else tr("{name} (not usable)", name=now))
        self._network.clear()
        for name, text in named.items():
            self._network.addItem(text, name)
        self._network.set_value(now)

    def _start(self) -> None:
        if self._cancel is not None:
            return
        self._said = {}
        self._cancel = threading.Event()
        self._measure(DEVICES, self._cancel)
        self._show_running()
        self.follow()

    def _measure(self, devices: tuple[Device, ...], cancel: threading.Event) -> None:
        """Measure the first and then the others, one at a time: together each would slow the other."""
        device, rest = devices[0], devices[1:]
        window, network, command = self._window, self._window.networks.name, self.command
        post = window.jobs.post
        self._doing.setText(tr("{device}: starting the network ...", device=device_name(device)))
        self._bar.setRange(0, 1)
        self._bar.setValue(0)

        def progress(done: int, total: int, _left: float | None) -> None:
            post(lambda: self._show_progress(cancel, device, done, total))

        def go_on() -> None:
            if rest and not self._is_gone:
                self._measure(rest, cancel)
            else:
                self._end(tr("The test is done."))
            self.follow()

        def done(found: DeviceTime) -> None:
            if self._cancel is cancel and not self._is_gone:
                others = tuple(t for t in window.settings.device_times if t.device != device)
                window.remember(device_times=(*others, found))
                go_on()

        def failed(error: BaseException) -> None:
            if self._cancel is not cancel or self._is_gone:
                return
            if isinstance(error, UserError):
                self._said[device] = failure_words(error)
            else:
                self._said[device] = tr("The test met an error of the program.")
                window.desk.complain(error)
            go_on()

        window.jobs.long(
            lambda: measure_device(
                device, find_network(network), cancel=cancel, on_progress=progress, command=command
            ),
            done,
            failed,
        )

    def _show_progress(self, cancel: threading.Event, device: Device, done: int, total: int) -> None:
        if self._cancel is cancel and not self._is_gone:
            self._bar.setRange(0, total)
            self._bar.setValue(done)
            self._doing.setText(
                tr("{device}: slice {done} of {total}", device=device_name(device), done=done, total=total)
            )

    def _end(self, text: str) -> None:
        self._cancel = None
        self._show_running()
        self._doing.setText(text)

    def _follow_running(self, running: bool) -> None:
        self._show_running()

    def _show_running(self) -> None:
        """A test beside a segmentation would slow both and measure neither."""
        busy = self._window.segmenting.is_running
        self._test.setEnabled(self._cancel is None and not busy)
        self._test.setToolTip(
            tr("A case is being segmented. Wait for it, then test.") if busy else tr("Measure both devices")
        )
        self._stop.setEnabled(self._cancel is not None)
        self._bar.setVisible(self._cancel is not None)


def device_name(device: str) -> str:
    """A device in the reader's words."""
    return tr("GPU") if device == "cuda" else tr("Processor")


def time_words(found: DeviceTime) -> str:
    """What was measured, with which network and when."""
    day = QLocale().toString(QDate.fromString(found.day, "yyyy-MM-dd"), QLocale.FormatType.LongFormat)
    return tr(
        "{seconds} s for the sample case, and {start} s once to start ({network}, {day})",
        seconds=f"{found.seconds:.1f}",
        start=f"{found.start_seconds:.1f}",
        network=found.network,
        day=day or found.day,
    )


def failure_words(error: UserError) -> str:
    """Why a device could not be measured; of a GPU that is missing, without the command line's advice."""
    known = {
        "cuda_missing": tr(
            "No GPU was found, so the processor is used. If this computer has one, its driver may be missing."
        ),
        "torch_missing": tr("This installation has no torch, which a GPU needs, so the processor is used."),
        "architecture_not_on_gpu": tr("This network runs on the processor only."),
    }
    return known.get(error.code) or words(error)
