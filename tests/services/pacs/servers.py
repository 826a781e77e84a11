"""Archives that misbehave on purpose, on 127.0.0.1 only."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pynetdicom import AE, AllStoragePresentationContexts, evt

from brainseg_desktop.services.pacs.dimse import FIND, GET, MOVE, VERIFICATION
from brainseg_desktop.services.pacs.nodes import PacsNode
from brainseg_desktop.services.pacs.quiet import quiet

from .orthanc import HERE, OURS, free_ports

EVENTS = {
    "echo": evt.EVT_C_ECHO,
    "find": evt.EVT_C_FIND,
    "move": evt.EVT_C_MOVE,
    "get": evt.EVT_C_GET,
    "store": evt.EVT_C_STORE,
}


@contextmanager
def scp(
    *, callers: tuple[str, ...] = (), services: bool = True, **handlers: Callable[..., Any]
) -> Iterator[PacsNode]:
    """An archive whose services do what the handlers say; yields the node to speak to it."""
    quiet()
    entity = AE(ae_title="ARCHIVE")
    entity.acse_timeout = 1
    entity.require_called_aet = True
    entity.require_calling_aet = list(callers)
    for uid in (VERIFICATION, FIND, MOVE, GET) if services else ("1.2.3.4",):
        entity.add_supported_context(uid)
    for context in AllStoragePresentationContexts[: 120 if services else 0]:
        # Both roles: a C-GET sends the other way round.
        entity.add_supported_context(context.abstract_syntax, scu_role=True, scp_role=True)
    found = [(EVENTS[name], handler) for name, handler in handlers.items()]
    server = entity.start_server((HERE, 0), block=False, evt_handlers=found)
    try:
        yield node(server.server_address[1])
    finally:
        entity.shutdown()


def node(port: int, **changes: Any) -> PacsNode:
    """A node at a port of this computer."""
    known = {"title": "Archive", "host": HERE, "port": port, "ae_title": "ARCHIVE", "own_title": OURS}
    return PacsNode(**{**known, "receive_address": HERE, **changes})


@contextmanager
def listener(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port at which something listens that is no archive."""
    over = threading.Event()
    with socket.create_server((HERE, 0)) as server:
        server.settimeout(0.05)

        def serve() -> None:
            held = []
            while not over.is_set():
                try:
                    taken, _ = server.accept()
                except TimeoutError:
                    continue
                held.append(taken)
                answer(taken)
            for each in held:
                each.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            over.set()
            thread.join()


@contextmanager
def web_server(reply: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[PacsNode]:
    """A web server that answers each GET and POST with `reply`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            reply(self)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer((HERE, 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    url = f"http://{HERE}:{server.server_address[1]}/dicom-web"
    try:
        yield PacsNode(title="Web", kind="web", url=url)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def free_port() -> int:
    """A port that nobody listens at."""
    return free_ports(1)[0]
