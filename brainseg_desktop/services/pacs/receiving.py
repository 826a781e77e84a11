"""A C-STORE SCP: takes what an archive or a scanner sends to this computer."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Sequence
from typing import Any

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.services.pacs.instances import InstanceFolder
from brainseg_desktop.services.pacs.quiet import quiet
from brainseg_desktop.services.pacs.reaching import PATIENCE, Patience

# What the sender is told (PS3.4 B.2.3).
SUCCESS, OUT_OF_RESOURCES, NOT_UNDERSTOOD, WRONG_DATA = 0x0000, 0xA700, 0xC000, 0xA900
_TOLD = {"pacs_malformed": NOT_UNDERSTOOD, "pacs_other_study": WRONG_DATA}
MAX_ASSOCIATIONS = 8
_NO_ADDRESS = {errno.EADDRNOTAVAIL, getattr(errno, "WSAEADDRNOTAVAIL", errno.EADDRNOTAVAIL)}


class Receiver:
    """Listens while its ``with`` block lasts, or from `start` to `stop`.

    Parameters
    ----------
    store : InstanceFolder
        Takes the instances.
    where : (str, int)
        Address and port to listen at.
    own_title : str
        Senders must call us so.
    callers : sequence of str
        AE titles that may send; empty: anyone.
    patience : Patience
    """

    def __init__(
        self,
        store: InstanceFolder,
        where: tuple[str, int],
        own_title: str,
        *,
        callers: Sequence[str] = (),
        patience: Patience = PATIENCE,
    ) -> None:
        self.store = store
        self._where, self._own_title = where, own_title
        self._callers, self._patience = tuple(callers), patience
        self._entity: Any = None
        self._threads: set[Any] = set()

    def start(self) -> None:
        """Begin to listen.

        Raises
        ------
        UserError
            ``pacs_port_taken``, ``pacs_no_address``.
        """
        quiet()
        from pynetdicom import AE, AllStoragePresentationContexts, _config, evt

        from brainseg_desktop.services.pacs.dimse import VERIFICATION, transfer_syntaxes

        _config.LOG_HANDLER_LEVEL = "none"
        entity = AE(ae_title=self._own_title)
        entity.require_called_aet = True
        entity.require_calling_aet = list(self._callers)
        entity.maximum_associations = MAX_ASSOCIATIONS
        entity.acse_timeout = self._patience.greet
        entity.dimse_timeout = self._patience.answer
        entity.network_timeout = self._patience.answer
        entity.add_supported_context(VERIFICATION)
        plain, packed = transfer_syntaxes()
        for context in AllStoragePresentationContexts:
            entity.add_supported_context(str(context.abstract_syntax), [*plain, *packed])
        guard = _SizeGuard(self.store)
        before = set(threading.enumerate())
        try:
            entity.start_server(
                self._where,
                block=False,
                evt_handlers=[
                    (evt.EVT_C_STORE, store_into(self.store)),
                    (evt.EVT_PDU_RECV, guard.pdu),
                    (evt.EVT_DIMSE_RECV, guard.message),
                    (evt.EVT_CONN_OPEN, lambda event: self._threads.add(event.assoc)),
                ],
            )
        except OSError as error:
            address, port = self._where
            code = "pacs_no_address" if error.errno in _NO_ADDRESS else "pacs_port_taken"
            if code == "pacs_no_address":
                raise UserError("pacs_no_address", address=address) from error
            raise UserError("pacs_port_taken", address=address, port=port) from error
        self._threads |= {t for t in threading.enumerate() if t not in before and "AcceptorServer" in t.name}
        self._entity = entity

    @property
    def port(self) -> int:
        """Where it listens, also where the port was left to the system (0)."""
        return int(self._entity._servers[0].server_address[1])

    def stop(self) -> None:
        """Hang up on everyone and close the port; may be called twice."""
        entity, self._entity = self._entity, None
        if entity is None:
            return
        entity.shutdown()
        for thread in list(self._threads):
            if getattr(thread, "dul", None) is not None and thread.is_alive():
                # One that still waits to be greeted would wait on.
                thread.dul.to_user_queue.put(None)
        for thread in list(self._threads):
            dul = getattr(thread, "dul", None)
            for each in (thread, dul):
                if each is not None and each.is_alive():
                    each.join(3)
        self._threads.clear()

    def __enter__(self) -> Receiver:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def store_into(store: InstanceFolder) -> Callable[[Any], int]:
    """What pynetdicom calls for each C-STORE: takes the instance, returns the status."""

    def take(event: Any) -> int:
        try:
            data = event.encoded_dataset()
        except Exception:
            # A UID that cannot even be written into the head of a file.
            store.refuse(UserError("pacs_malformed"))
            return NOT_UNDERSTOOD
        try:
            store.take(data)
        except UserError as error:
            return _TOLD.get(error.code, OUT_OF_RESOURCES)
        return SUCCESS

    return take


class _SizeGuard:
    """Hangs up on a sender whose instance grows beyond what is taken, before it fills the memory."""

    def __init__(self, store: InstanceFolder) -> None:
        self._store = store
        self._bytes: dict[int, int] = {}

    def pdu(self, event: Any) -> None:
        """A piece came."""
        items = getattr(event.pdu, "presentation_data_value_items", None)
        if items is None:
            return
        key = id(event.assoc)
        self._bytes[key] = self._bytes.get(key, 0) + sum(len(i.presentation_data_value or b"") for i in items)
        if self._bytes[key] > self._store.max_instance_bytes:
            self._store.refuse(UserError("pacs_too_large", size_mb=self._bytes.pop(key) / 1e6))
            event.assoc.abort(block=False)

    def message(self, event: Any) -> None:
        """A message is complete."""
        self._bytes.pop(id(event.assoc), None)
