"""Background work: one executor for what touches a document's files, one free beside it, one for long jobs.

No Qt here: results are handed to a `post` function which the GUI makes hop to its main thread and which
tests and the command line call at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")
Post = Callable[[Callable[[], None]], None]

_log = logging.getLogger(__name__)


class Jobs:
    """Runs functions off the main thread and brings what they return home.

    Parameters
    ----------
    post : callable
        Takes a function and has the main thread call it.
    """

    def __init__(self, post: Post) -> None:
        self._post = post
        self._document = ThreadPoolExecutor(1, thread_name_prefix="document")
        self._free = ThreadPoolExecutor(2, thread_name_prefix="free")
        self._long = ThreadPoolExecutor(2, thread_name_prefix="long")
        self._pending: set[Future[Any]] = set()
        self._closed = False

    def document(
        self, work: Callable[[], T], done: Callable[[T], None], failed: Callable[[BaseException], None]
    ) -> None:
        """Run `work` after all earlier document work; exactly one of `done` and `failed` is called."""
        self._run(self._document, work, done, failed)

    def free(
        self, work: Callable[[], T], done: Callable[[T], None], failed: Callable[[BaseException], None]
    ) -> None:
        """Run `work` beside whatever else runs; exactly one of `done` and `failed` is called."""
        self._run(self._free, work, done, failed)

    def long(
        self, work: Callable[[], T], done: Callable[[T], None], failed: Callable[[BaseException], None]
    ) -> None:
        """Run what takes minutes, and can be told to end, so that nothing quick has to wait for it."""
        self._run(self._long, work, done, failed)

    def post(self, call: Callable[[], None]) -> None:
        """Have the main thread call a function; dropped once the program is closing."""
        if not self._closed:
            self._post(call)

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs and nothing waits to come home."""
        return not self._pending

    def close(self) -> None:
        """Wait for running work, drop what waits; results no longer come home."""
        self._closed = True
        for executor in (self._document, self._free, self._long):
            executor.shutdown(wait=True, cancel_futures=True)
        self._pending.clear()

    def _run(
        self,
        executor: ThreadPoolExecutor,
        work: Callable[[], T],
        done: Callable[[T], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        if self._closed:
            return
        future = executor.submit(work)
        self._pending.add(future)

        def home() -> None:
            self._pending.discard(future)
            if future.cancelled() or self._closed:
                return
            error = future.exception()
            if error is None:
                done(future.result())
            else:
                failed(error)

        future.add_done_callback(lambda _: self.post(home))
