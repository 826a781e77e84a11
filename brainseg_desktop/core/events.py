"""Plain callbacks, so that the model can tell views of a change without knowing Qt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Event(Generic[T]):
    """A list of callbacks, called in the order in which they were connected.

    Examples
    --------
    >>> seen = []
    >>> event = Event[int]()
    >>> disconnect = event.connect(seen.append)
    >>> event.emit(3)
    >>> disconnect()
    >>> event.emit(4)
    >>> seen
    [3]
    """

    def __init__(self) -> None:
        self._callbacks: list[Callable[[T], object]] = []

    def connect(self, callback: Callable[[T], object]) -> Callable[[], None]:
        """Add a callback; the function returned takes it off again (twice does no harm)."""
        self._callbacks.append(callback)

        def disconnect() -> None:
            if callback in self._callbacks:
                self._callbacks.remove(callback)

        return disconnect

    def emit(self, value: T) -> None:
        """Call every callback; a callback may disconnect itself meanwhile."""
        for callback in tuple(self._callbacks):
            callback(value)
