"""DICOMweb: QIDO-RS, WADO-RS, STOW-RS."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.services.pacs.credentials import Credentials
from brainseg_desktop.services.pacs.instances import InstanceFolder
from brainseg_desktop.services.pacs.nodes import PacsNode
from brainseg_desktop.services.pacs.quiet import quiet
from brainseg_desktop.services.pacs.reaching import Patience, Stopped, hung_up_when, place_of, reach
from brainseg_desktop.services.pacs.records import (
    SERIES_KEYS,
    STUDY_KEYS,
    Cancelled,
    Query,
    SeriesEntry,
    StudyEntry,
    Tell,
    series_entry,
    study_entry,
)

_CHUNK = 1 << 18
_HERE = ("127.0.0.1", "::1", "localhost")
_STUDY = "0020000D"


class _Line:
    """A session with a DICOMweb server: its sockets can be hung up, and what comes is measured.

    Parameters
    ----------
    limit : int
        More bytes than these in one piece (an instance, a list) are not taken.
    """

    def __init__(
        self, node: PacsNode, credentials: Credentials | None, patience: Patience, limit: int
    ) -> None:
        import requests
        from dicomweb_client.api import DICOMwebClient

        self.came = 0
        self._limit = limit
        self._connections: list[Any] = []
        session = requests.Session()
        # Neither a proxy nor a .netrc of the surroundings has a say in where patients' data go.
        session.trust_env = False
        session.verify = node.ca_file or True
        for prefix in ("http://", "https://"):
            session.mount(prefix, self._adapter())
        session.hooks["response"].append(self._measure)
        if credentials is not None and credentials.user:
            session.auth = (credentials.user, credentials.secret)
        elif credentials is not None:
            session.headers["Authorization"] = f"Bearer {credentials.secret}"
        self.session = session
        self.client = DICOMwebClient(
            node.url.rstrip("/"),
            session=session,
            permissive_uid=True,
            chunk_size=_CHUNK,
            timeout=(patience.connect, patience.answer),
        )
        self.client.set_http_retry_params(retry=False)

    def _adapter(self) -> Any:
        """An adapter of requests whose connections are known here."""
        from requests.adapters import HTTPAdapter
        from urllib3.connection import HTTPConnection, HTTPSConnection
        from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

        known = self._connections

        class Plain(HTTPConnection):
            def connect(self) -> None:
                super().connect()
                known.append(self)

        class Encrypted(HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                known.append(self)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class EncryptedPool(HTTPSConnectionPool):
            ConnectionCls = Encrypted

        class Adapter(HTTPAdapter):
            def send(self, request: Any, *arguments: Any, **named: Any) -> Any:
                # Servers there are that do not unpack it, and it is a plain sign in a query (RFC 3986 3.4).
                request.url = request.url.replace("%2A", "*")
                return super().send(request, *arguments, **named)

        adapter = Adapter(max_retries=0)
        adapter.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": EncryptedPool}
        return adapter

    def _measure(self, response: Any, *_: object, **__: object) -> None:
        read = response.iter_content
        self.came = 0

        def measured(*arguments: Any, **named: Any) -> Iterator[bytes]:
            for chunk in read(*arguments, **named):
                self.came += len(chunk)
                if self.came > self._limit:
                    response.close()
                    raise UserError("pacs_too_large", size_mb=self.came / 1e6)
                yield chunk

        response.iter_content = measured

    def hang_up(self) -> None:
        """Cut all connections, whatever waits on them."""
        for connection in self._connections:
            if connection.sock is not None:
                with contextlib.suppress(OSError):
                    connection.sock.shutdown(socket.SHUT_RDWR)


@contextmanager
def line_to(
    node: PacsNode,
    credentials: Credentials | None,
    cancelled: Cancelled,
    patience: Patience,
    limit: int = 64 * 1024**2,
) -> Iterator[_Line]:
    """A session with a server, closed at the end; failures are told as `UserError`.

    Raises
    ------
    UserError
        What `reach` raises, ``pacs_login``, ``pacs_login_plain``, ``pacs_not_dicomweb``, ``pacs_http``,
        ``pacs_silent``, ``pacs_broken``, ``pacs_too_large``.
    Stopped
        When cancelled.
    """
    quiet()
    import requests

    host, _ = place_of(node)
    if credentials is not None and node.url.startswith("http://") and host not in _HERE:
        raise UserError("pacs_login_plain", node=node.title)
    reach(node, cancelled, patience)
    line = _Line(node, credentials, patience, limit)
    try:
        with hung_up_when(cancelled, line.hang_up):
            yield line
            if cancelled():
                raise Stopped
    except requests.HTTPError as error:
        raise _of_status(node, _status(error)) from None
    except requests.exceptions.SSLError as error:
        raise UserError("pacs_tls", node=node.title, reason="the connection was refused") from error
    except requests.Timeout:
        raise UserError("pacs_silent", node=node.title) from None
    except (requests.exceptions.JSONDecodeError, ValueError, KeyError, TypeError, AttributeError):
        # What comes back is not what the standard says: another kind of server.
        raise UserError("pacs_not_dicomweb", node=node.title) from None
    except (requests.RequestException, OSError):
        raise UserError("pacs_broken", node=node.title) from None
    finally:
        line.session.close()


def _status(error: Any) -> int:
    return 0 if error.response is None else int(error.response.status_code)


def _of_status(node: PacsNode, status: int) -> UserError:
    if status in (401, 403):
        return UserError("pacs_login", node=node.title)
    if status in (404, 405, 406, 501):
        return UserError("pacs_not_dicomweb", node=node.title)
    return UserError("pacs_http", node=node.title, status=status)


def ping(node: PacsNode, credentials: Credentials | None, cancelled: Cancelled, patience: Patience) -> None:
    """Ask for one study."""
    with line_to(node, credentials, cancelled, patience) as line:
        for each in line.client.search_for_studies(limit=1):
            if not study_entry(_reader(each)).uid:
                raise ValueError("no study")


def find_studies(
    node: PacsNode,
    query: Query,
    credentials: Credentials | None,
    cancelled: Cancelled,
    patience: Patience,
) -> list[StudyEntry]:
    """QIDO-RS for studies."""
    keys = query.matched()
    with line_to(node, credentials, cancelled, patience) as line:
        found = line.client.search_for_studies(
            search_filters=keys, fields=list(STUDY_KEYS), limit=query.limit
        )
        return [study_entry(_reader(each)) for each in found[: query.limit]]


def find_series(
    node: PacsNode,
    study_uid: str,
    credentials: Credentials | None,
    cancelled: Cancelled,
    patience: Patience,
) -> list[SeriesEntry]:
    """QIDO-RS for the series of a study."""
    with line_to(node, credentials, cancelled, patience) as line:
        found = line.client.search_for_series(study_uid, fields=list(SERIES_KEYS))
        return [series_entry(study_uid, _reader(each)) for each in found]


def retrieve(
    node: PacsNode,
    study_uid: str,
    series_uid: str | None,
    store: InstanceFolder,
    credentials: Credentials | None,
    tell: Tell,
    cancelled: Cancelled,
    patience: Patience,
) -> int:
    """WADO-RS, instance by instance as they come, in the encoding they are stored in; how many failed."""
    failed = done = 0
    with line_to(node, credentials, cancelled, patience, store.max_instance_bytes) as line:
        listed = line.client.search_for_series(study_uid, fields=list(SERIES_KEYS))
        series = [series_entry(study_uid, _reader(each)) for each in listed]
        wanted = [s for s in series if series_uid in (None, s.uid)]
        if not wanted:
            raise UserError("pacs_nothing_there", node=node.title)
        counts = [s.instances for s in wanted]
        total = sum(c for c in counts if c is not None) if None not in counts else None
        for entry in wanted:
            parts = line.client.iter_series(study_uid, entry.uid, media_types=(("application/dicom", "*"),))
            for instance in parts:
                line.came = 0
                if cancelled():
                    raise Stopped
                try:
                    store.take(_encoded(instance))
                except UserError:
                    failed += 1
                done += 1
                tell(done, total)
    return failed


def _encoded(instance: Any) -> bytes:
    """The bytes of a file again; what was not looked at is as it came."""
    with BytesIO() as buffer:
        try:
            instance.save_as(buffer, enforce_file_format=False)
        except Exception as error:
            raise UserError("pacs_malformed") from error
        return buffer.getvalue()


def send_files(
    node: PacsNode,
    files: Sequence[Path],
    credentials: Credentials | None,
    cancelled: Cancelled,
    patience: Patience,
) -> Iterator[UserError | None]:
    """STOW-RS, one file at a time; for each, None or why it was not taken."""
    import requests
    from pydicom import dcmread

    with line_to(node, credentials, cancelled, patience) as line:
        for path in files:
            if cancelled():
                raise Stopped
            try:
                instance = dcmread(path)
            except FileNotFoundError:
                yield UserError("file_missing", path=path)
                continue
            # pydicom raises whatever comes of bytes that are no DICOM.
            except Exception:
                yield UserError("pacs_not_dicom", path=path)
                continue
            try:
                answer = line.client.store_instances([instance])
            except requests.HTTPError as error:
                status = _status(error)
                if status not in (400, 409):
                    raise
                yield UserError("pacs_store_refused", node=node.title, path=path, status=status)
                continue
            refused = getattr(answer, "FailedSOPSequence", None)
            yield (
                None
                if not refused
                else UserError(
                    "pacs_store_refused",
                    node=node.title,
                    path=path,
                    status=f"{int(refused[0].get('FailureReason', 0)):04X}",
                )
            )


def _reader(found: Any) -> Callable[[str], str]:
    """Values of an answer in DICOM JSON by keyword.

    Examples
    --------
    >>> _reader({"00100010": {"vr": "PN", "Value": [{"Alphabetic": "A^B"}]}})("PatientName")
    'A^B'
    """
    from pydicom.datadict import tag_for_keyword

    def text(keyword: str) -> str:
        tag = tag_for_keyword(keyword)
        values = found.get(f"{tag:08X}", {}).get("Value", ())
        return "\\".join(_said(value) for value in values)

    return text


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("Alphabetic") or value.get("Ideographic") or "")
    return "" if value is None else str(value)
