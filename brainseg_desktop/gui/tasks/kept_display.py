"""Brings back how a case was shown the last time, and keeps what the reader changes."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QObject, QTimer

from brainseg_desktop.core.case import Case
from brainseg_desktop.core.measurements import Measurement, from_dict, to_dict
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.gui.views.colour_maps import is_available
from brainseg_desktop.gui.views.view_state import ViewState
from brainseg_desktop.services.alignment.placing import alignment_record, restore
from brainseg_desktop.services.case_display import DisplayKeeper, case_display

# A window that is dragged changes hundreds of times.
_WAIT_MS = 1000


class KeptDisplay(QObject):
    """Between the `ViewState` and the files that `DisplayKeeper` keeps."""

    def __init__(self, state: ViewState, keeper: DisplayKeeper, parent: QObject) -> None:
        super().__init__(parent)
        self._state, self._keeper = state, keeper
        self._timer = QTimer(self, singleShot=True, interval=_WAIT_MS)
        self._timer.timeout.connect(self.save)
        self._loading = False
        self._keep = True
        # Measurements that this version cannot read go back into the file as they are.
        self._unread: list[dict[str, Any]] = []
        for signal in (state.windows_changed, state.measurements_changed):
            signal.connect(self.changed)

    def load(self, case: Case, *, keep: bool = True) -> None:
        """Show the open case as it was left; without `keep` as if for the first time, and nothing is kept."""
        self._keep = keep
        if not keep:
            self._timer.stop()
            self._unread = []
            self._state.set_measurements(())
            return
        display = self._keeper.load(case)
        state = self._state
        self._loading = True
        restore(case, display.alignment)
        for name, window in display.windows.items():
            if Sequence(name) in case.volumes:
                state.set_window(Sequence(name), window)
        for name, colours in display.colour_maps.items():
            if Sequence(name) in case.volumes and is_available(colours):
                state.set_colour_map(Sequence(name), colours)
        found: list[Measurement] = []
        self._unread = []
        for content in display.measurements:
            try:
                found.append(from_dict(content))
            except ValueError:
                self._unread.append(dict(content))
        state.set_measurements(tuple(found))
        self._loading = False
        self._timer.stop()

    def save(self) -> None:
        """Write what has changed; also called before a case is let go."""
        self._timer.stop()
        state = self._state
        if state.case is not None and self._keep:
            measurements = [*(to_dict(m) for m in state.measurements), *self._unread]
            display = case_display(
                state.windows,
                state.default_windows,
                state.colour_maps,
                measurements,
                alignment_record(state.case),
            )
            self._keeper.save(state.case, display)

    def close(self) -> None:
        """The program ends: what could not be written before is tried once more."""
        self.save()
        self._keeper.retry()

    def changed(self) -> None:
        """Something that is kept is another now: it is written in a moment."""
        if not self._loading and self._state.case is not None:
            self._timer.start()
