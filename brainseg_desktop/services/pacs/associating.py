"""An association that is always let go: released at the end, aborted on a failure or when cancelled."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.services.pacs.nodes import PacsNode
from brainseg_desktop.services.pacs.quiet import quiet
from brainseg_desktop.services.pacs.reaching import (
    GLANCE_S,
    Patience,
    Stopped,
    hung_up_when,
    reach,
    resolve,
    tls_context,
)
from brainseg_desktop.services.pacs.records import Cancelled

# Why an association is rejected (PS3.8 Table 9-21): by source and diagnosis.
_UNKNOWN_CALLED, _UNKNOWN_CALLING = (1, 7), (1, 3)


@contextmanager
def associated(
    node: PacsNode,
    contexts: Sequence[Any],
    cancelled: Cancelled,
    patience: Patience,
    *,
    handlers: Sequence[tuple[Any, ...]] = (),
    roles: Sequence[Any] = (),
) -> Iterator[Any]:
    """Associate with a node.

    Parameters
    ----------
    node : PacsNode
    contexts : presentation contexts of pynetdicom
    cancelled : asked several times a second, by a thread of its own
    patience : Patience
    handlers, roles : as pynetdicom wants them

    Yields
    ------
    pynetdicom.Association

    Raises
    ------
    UserError
        What `reach` raises, ``pacs_called_title``, ``pacs_calling_title``, ``pacs_rejected``,
        ``pacs_no_greeting``, ``pacs_broken``.
    Stopped
        When cancelled, whatever was going on.
    """
    quiet()
    from pynetdicom import AE, _config, evt

    _config.LOG_HANDLER_LEVEL = "none"
    opened: list[Any] = []

    class Entity(AE):
        """Makes an association known before it connects, so that connecting can be cancelled too."""

        def _create_socket(self, association: Any, *arguments: Any) -> Any:
            opened.append(association)
            return super()._create_socket(association, *arguments)

    def break_off() -> None:
        for association in list(opened):
            _break_off(association)

    resolve(node)
    entity = Entity(ae_title=node.own_title)
    entity.connection_timeout = patience.connect
    entity.acse_timeout = patience.greet
    entity.dimse_timeout = patience.answer
    entity.network_timeout = patience.answer + patience.greet
    tls = (tls_context(node), node.host) if node.tls else None
    with hung_up_when(cancelled, break_off):
        association = entity.associate(
            node.host,
            node.port,
            contexts=list(contexts),
            ae_title=node.ae_title,
            ext_neg=list(roles),
            evt_handlers=[(evt.EVT_CONN_OPEN, send_at_once), *handlers],
            tls_args=tls,
        )
        try:
            if cancelled():
                raise Stopped
            if not association.is_established:
                raise _not_accepted(node, association, cancelled, patience)
            yield association
            if association.is_established:
                association.release()
        finally:
            _let_go(association)


def send_at_once(event: Any) -> None:
    """When a connection opens: nothing waits for more to come, which would cost some 40 ms an image."""
    raw = event.assoc.dul.socket.socket
    if raw is not None:
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _not_accepted(node: PacsNode, association: Any, cancelled: Cancelled, patience: Patience) -> UserError:
    if association.is_rejected:
        primitive = association.acceptor.primitive
        reason = (primitive.result_source, primitive.diagnostic)
        if reason == _UNKNOWN_CALLED:
            return UserError("pacs_called_title", node=node.title, title=node.ae_title)
        if reason == _UNKNOWN_CALLING:
            return UserError("pacs_calling_title", node=node.title, title=node.own_title)
        return UserError("pacs_rejected", node=node.title)
    if association.acceptor.primitive is not None:
        return UserError("pacs_no_service", node=node.title)
    # The library does not say what the matter was; a bare connection tells.
    reach(node, cancelled, patience)
    return UserError("pacs_no_greeting", node=node.title, host=node.host, port=node.port)


def _let_go(association: Any) -> None:
    """End the association's threads and close its socket, whatever state it is in."""
    if association.is_established:
        association.abort()
    if association.dul.is_alive():
        with contextlib.suppress(Exception):
            association.kill()
    for thread in (association, association.dul):
        if thread.is_alive():
            thread.join(2)
    _hang_up(association)


def _hang_up(association: Any) -> None:
    connection = association.dul.socket
    raw = connection.socket if connection is not None else None
    if raw is not None:
        with contextlib.suppress(OSError):
            raw.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            raw.close()


def _break_off(association: Any) -> None:
    association.abort(block=False)
    # The archive is told before the line goes dead.
    time.sleep(GLANCE_S)
    connection = association.dul.socket
    raw = connection.socket if connection is not None else None
    if raw is not None:
        with contextlib.suppress(OSError):
            raw.shutdown(socket.SHUT_RDWR)
    # Whoever waits for an answer learns that there will be none.
    association.dimse.msg_queue.put((None, None))
