"""Whether an archive can be reached at all; if not, why, in the terms of its error codes."""

from __future__ import annotations

import errno
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.services.pacs.nodes import PacsNode
from brainseg_desktop.services.pacs.records import Cancelled

GLANCE_S = 0.05
_UNDER_WAY = {errno.EINPROGRESS, errno.EWOULDBLOCK, getattr(errno, "WSAEWOULDBLOCK", errno.EWOULDBLOCK)}


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an archive may keep us waiting, in seconds.

    Parameters
    ----------
    connect : until it takes the connection
    greet : until it accepts or rejects an association
    answer : until the next message of a request comes
    """

    connect: float = 5.0
    greet: float = 10.0
    answer: float = 30.0


PATIENCE = Patience()


class Stopped(Exception):
    """The user does not want it any more."""


@contextmanager
def hung_up_when(cancelled: Cancelled, hang_up: Callable[[], None]) -> Iterator[None]:
    """While this lasts, a thread asks `cancelled` and then hangs up; whoever waits is `Stopped`."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(GLANCE_S):
            if cancelled():
                hang_up()
                return

    watcher = threading.Thread(target=watch, name="pacs cancel", daemon=True)
    watcher.start()
    try:
        yield
    except Stopped:
        raise
    except Exception as error:
        # What a library says of a connection that we tore down ourselves is no news.
        if cancelled():
            raise Stopped from error
        raise
    finally:
        over.set()
        watcher.join()


def place_of(node: PacsNode) -> tuple[str, int]:
    """Host and port of a node."""
    if node.kind == "dimse":
        return node.host, node.port
    parts = urlsplit(node.url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def is_encrypted(node: PacsNode) -> bool:
    """Whether what is said to a node is encrypted."""
    return node.tls if node.kind == "dimse" else node.url.startswith("https://")


def tls_context(node: PacsNode) -> ssl.SSLContext:
    """What is trusted when a node is spoken to under TLS.

    Raises
    ------
    UserError
        ``pacs_ca_file``: the file of authorities cannot be used.
    """
    try:
        return ssl.create_default_context(cafile=node.ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise UserError("pacs_ca_file", path=node.ca_file, node=node.title) from error


def resolve(node: PacsNode) -> list[Any]:
    """Addresses of a node's host, as `socket.getaddrinfo` gives them.

    Raises
    ------
    UserError
        ``pacs_host_unknown``.
    """
    host, port = place_of(node)
    try:
        return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except (socket.gaierror, UnicodeError) as error:
        raise UserError("pacs_host_unknown", node=node.title, host=host) from error


def reach(node: PacsNode, cancelled: Cancelled, patience: Patience = PATIENCE) -> None:
    """Connect to a node and hang up again.

    Raises
    ------
    UserError
        ``pacs_host_unknown``, ``pacs_refused``, ``pacs_timeout``, ``pacs_unreachable``, ``pacs_tls``,
        ``pacs_ca_file``.
    Stopped
        `cancelled` said so.
    """
    host, _ = place_of(node)
    context = tls_context(node) if is_encrypted(node) else None
    last: UserError | None = None
    for family, kind, protocol, _, address in resolve(node)[:4]:
        with socket.socket(family, kind, protocol) as tried:
            last = _try(node, tried, address, cancelled, patience.connect)
            if last is None:
                if context is not None:
                    _shake_hands(node, tried, context, host, patience.greet)
                return
    assert last is not None
    raise last


def _try(
    node: PacsNode, tried: socket.socket, address: object, cancelled: Cancelled, seconds: float
) -> UserError | None:
    host, port = place_of(node)
    tried.setblocking(False)
    status = tried.connect_ex(address)  # type: ignore[arg-type]
    end = time.monotonic() + seconds
    while status in _UNDER_WAY:
        if cancelled():
            raise Stopped
        if time.monotonic() > end:
            return UserError("pacs_timeout", node=node.title, host=host, port=port)
        # Windows reports a refusal as an exception of the socket.
        _, ready, failed = select.select([], [tried], [tried], GLANCE_S)
        if ready or failed:
            status = tried.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if status == 0:
        return None
    if status == errno.ECONNREFUSED:
        return UserError("pacs_refused", node=node.title, host=host, port=port)
    return UserError("pacs_unreachable", node=node.title, host=host, port=port)


def _shake_hands(
    node: PacsNode, tried: socket.socket, context: ssl.SSLContext, host: str, seconds: float
) -> None:
    tried.settimeout(seconds)
    try:
        with context.wrap_socket(tried, server_hostname=host):
            pass
    except ssl.SSLCertVerificationError as error:
        raise UserError("pacs_tls", node=node.title, reason=error.verify_message.lower()) from error
    except TimeoutError as error:
        reason = "no answer; it may not expect TLS at this port"
        raise UserError("pacs_tls", node=node.title, reason=reason) from error
    except OSError as error:
        reason = "it may not expect TLS at this port"
        raise UserError("pacs_tls", node=node.title, reason=reason) from error
