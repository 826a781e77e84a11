"""Which archives the program knows: typed, checked, kept in a file of their own, without any secret."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.services.kept_file import load_kept, save_kept
from brainseg_desktop.services.paths import config_dir, state_dir

VERSION = 1
FILE_NAME = "pacs.json"
OWN_TITLE = "BRAINSEG"
MAX_TITLE = 64
_ADDRESS = re.compile(r"(?P<host>\[[0-9a-fA-F:]+\]|[^\s/:\[\]]+):(?P<port>\d{1,5})/(?P<title>[^/]+)")

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]


class PacsNode(msgspec.Struct, frozen=True, kw_only=True):
    """One archive, spoken to by DIMSE or by DICOMweb.

    Parameters
    ----------
    key : random text that names the node's secret in the system's keyring
    title : name shown to the user
    kind : ``"dimse"`` or ``"web"``
    host, port, ae_title : of the archive (DIMSE)
    own_title : our AE title, by which the archive knows this computer
    receive_address, receive_port : where we take what the archive sends for a C-MOVE; port 0: C-GET instead
    url : root of the DICOMweb services
    login : what a DICOMweb server wants to see; the secret itself is in the keyring only
    tls : whether DIMSE is encrypted (DICOMweb: https in the URL)
    ca_file : file of the authorities trusted for TLS, empty for those of the system
    """

    key: str = ""
    title: str = ""
    kind: Literal["dimse", "web"] = "dimse"
    host: str = ""
    port: Port = 104
    ae_title: str = ""
    own_title: str = OWN_TITLE
    receive_address: str = "0.0.0.0"
    receive_port: Port = 0
    url: str = ""
    login: Literal["none", "password", "token"] = "none"
    tls: bool = False
    ca_file: str = ""


class InboxSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where exams that are pushed to us go.

    Parameters
    ----------
    folder : empty for the program's own
    address, port, own_title : where and as whom we listen
    callers : AE titles that may send; empty: anyone
    """

    folder: str = ""
    address: str = "0.0.0.0"
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 11112
    own_title: str = OWN_TITLE
    callers: tuple[str, ...] = ()


class PacsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """All that is kept about archives."""

    version: int = VERSION
    nodes: tuple[PacsNode, ...] = ()
    inbox: InboxSettings = InboxSettings()


def pacs_path() -> Path:
    """The file of the nodes, whether it exists or not."""
    return config_dir() / FILE_NAME


def load_pacs() -> tuple[PacsSettings, UserError | None]:
    """The nodes, and ``settings_broken`` where the file was unreadable and set aside."""
    return load_kept(pacs_path(), PacsSettings, VERSION)


def save_pacs(settings: PacsSettings) -> None:
    """Write the nodes; the old file stays as it was if this fails.

    Raises
    ------
    UserError
        ``disk_full``, ``no_permission`` or ``write_failed``.
    """
    save_kept(pacs_path(), settings)


def inbox_folder(settings: InboxSettings) -> Path:
    """Where pushed exams go."""
    return Path(settings.folder) if settings.folder else state_dir() / "inbox"


def new_key() -> str:
    """A name for a node's secret that says nothing."""
    return secrets.token_hex(8)


def with_node(settings: PacsSettings, node: PacsNode) -> PacsSettings:
    """The settings with a node added, or put in place of the one with its key."""
    node = node if node.key else msgspec.structs.replace(node, key=new_key())
    others = [n for n in settings.nodes if n.key != node.key]
    checked(node, others)
    kept = [node if n.key == node.key else n for n in settings.nodes]
    return msgspec.structs.replace(settings, nodes=tuple(kept if len(kept) > len(others) else [*kept, node]))


def without_node(settings: PacsSettings, node: PacsNode) -> PacsSettings:
    """The settings without a node."""
    return msgspec.structs.replace(settings, nodes=tuple(n for n in settings.nodes if n.key != node.key))


def checked(node: PacsNode, others: Sequence[PacsNode] = ()) -> PacsNode:
    """The node itself, if it can be spoken to as it stands.

    Raises
    ------
    UserError
        ``pacs_field`` (params ``field``, ``reason``): the first field that cannot be.
    """
    if not node.title.strip() or len(node.title) > MAX_TITLE or not node.title.isprintable():
        raise _field("name", f"give it a name of at most {MAX_TITLE} characters")
    if any(n.title == node.title for n in others):
        raise _field("name", "another archive has it already")
    if node.kind == "web":
        _check_url(node.url)
    else:
        if not node.host or any(c.isspace() or c == "/" for c in node.host):
            raise _field("host", "give a name or an address such as pacs.example.org or 192.0.2.7")
        if not node.port:
            raise _field("port", "give a number from 1 to 65535")
        check_ae_title(node.ae_title, "AE title")
        check_ae_title(node.own_title, "own AE title")
    if node.ca_file and not Path(node.ca_file).is_file():
        raise _field("CA file", "there is no such file")
    return node


def check_ae_title(title: str, field: str) -> None:
    """Raise ``pacs_field`` unless `title` is an AE title (PS3.5 6.2: 1 to 16 printable ASCII characters)."""
    if not 1 <= len(title.strip()) <= 16 or len(title) > 16:
        raise _field(field, "give 1 to 16 characters")
    if not all(32 <= ord(c) < 127 and c != "\\" for c in title):
        raise _field(field, "only plain letters, digits and signs, no backslash")


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or any(c.isspace() for c in url):
        raise _field("URL", "give an address such as https://pacs.example.org/dicom-web")
    if parts.username is not None or parts.password is not None:
        # It would stand in a plain file.
        raise _field("URL", "leave out user and password; they are asked for, and kept in the keyring")
    if parts.query or parts.fragment:
        raise _field("URL", "leave out what follows ? or #")


def _field(field: str, reason: str) -> UserError:
    return UserError("pacs_field", field=field, reason=reason)


def node_named(settings: PacsSettings, text: str) -> PacsNode:
    """The node with this name, or the one described by ``host:port/AET`` or by a URL.

    Raises
    ------
    UserError
        ``pacs_node_unknown`` (params ``name``, ``known``), ``pacs_field``.

    Examples
    --------
    >>> node_named(PacsSettings(), "127.0.0.1:4242/ORTHANC").ae_title
    'ORTHANC'
    """
    for node in settings.nodes:
        if node.title == text:
            return node
    if text.startswith(("http://", "https://")):
        return checked(
            PacsNode(key=text, title=(urlsplit(text).hostname or "")[:MAX_TITLE], kind="web", url=text)
        )
    match = _ADDRESS.fullmatch(text)
    if match is None or int(match["port"]) > 65535:
        raise UserError("pacs_node_unknown", name=text, known=[n.title for n in settings.nodes])
    host = match["host"].strip("[]")
    return checked(
        PacsNode(key=text, title=match["title"], host=host, port=int(match["port"]), ae_title=match["title"])
    )
