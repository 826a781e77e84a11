"""Nodes are checked, kept, and never with a secret; secrets are in the keyring or nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keyring
import msgspec
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail
from keyring.errors import KeyringLocked

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.pacs.credentials import (
    Credentials,
    forget_credentials,
    keyring_name,
    save_credentials,
    saved_credentials,
)
from brainseg_desktop.services.pacs.nodes import (
    PacsNode,
    PacsSettings,
    checked,
    load_pacs,
    node_named,
    pacs_path,
    save_pacs,
    with_node,
    without_node,
)

DIMSE = PacsNode(title="PACS", host="pacs.example.org", ae_title="STORE")
WEB = PacsNode(title="Web", kind="web", url="https://pacs.example.org/dicom-web", login="password")


class InMemory(KeyringBackend):
    """A keyring that forgets everything at the end of the test."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise KeyringLocked("locked")
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.locked:
            raise KeyringLocked("locked")
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


@pytest.fixture
def ring() -> Iterator[InMemory]:
    before, ring = keyring.get_keyring(), InMemory()
    keyring.set_keyring(ring)
    yield ring
    keyring.set_keyring(before)


@pytest.fixture
def no_ring() -> Iterator[None]:
    before = keyring.get_keyring()
    keyring.set_keyring(fail.Keyring())
    yield
    keyring.set_keyring(before)


def test_nodes_are_kept_changed_and_removed() -> None:
    assert load_pacs() == (PacsSettings(), None)
    settings = with_node(with_node(PacsSettings(), DIMSE), WEB)
    save_pacs(settings)
    assert load_pacs() == (settings, None)
    first = settings.nodes[0]
    assert first.key
    assert first.key != settings.nodes[1].key
    changed = with_node(settings, msgspec.structs.replace(first, port=11112))
    assert [n.port for n in changed.nodes] == [11112, 104]
    assert without_node(changed, first).nodes == settings.nodes[1:]
    with pytest.raises(UserError, match="another archive"):
        with_node(settings, DIMSE)


def test_a_broken_file_is_set_aside_and_said() -> None:
    pacs_path().parent.mkdir(parents=True)
    pacs_path().write_bytes(b'{"nodes": [{"port": 99999}]}')
    settings, problem = load_pacs()
    assert settings == PacsSettings()
    assert problem is not None
    assert problem.code == "settings_broken"
    assert not pacs_path().exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"title": " "}, "name"),
        ({"title": "x" * 65}, "name"),
        ({"host": ""}, "host"),
        ({"host": "a b"}, "host"),
        ({"host": "http://a"}, "host"),
        ({"port": 0}, "port"),
        ({"ae_title": ""}, "AE title"),
        ({"ae_title": "x" * 17}, "AE title"),
        ({"own_title": "a\\b"}, "own AE title"),
        ({"own_title": "Ä"}, "own AE title"),
        ({"ca_file": "/no/such/file"}, "CA file"),
        ({"kind": "web", "url": "ftp://a"}, "URL"),
        ({"kind": "web", "url": "https://"}, "URL"),
        ({"kind": "web", "url": "https://a:99999/"}, "URL"),
        ({"kind": "web", "url": "https://me:secret@a/"}, "URL"),
        ({"kind": "web", "url": "https://a/?token=1"}, "URL"),
    ],
)
def test_a_field_that_cannot_be_is_named(changes: dict[str, object], field: str) -> None:
    with pytest.raises(UserError) as caught:
        checked(msgspec.structs.replace(DIMSE, **changes))
    assert caught.value.params["field"] == field
    assert f"The {field} of the archive" in words(caught.value)


def test_a_node_by_name_address_or_url() -> None:
    settings = with_node(PacsSettings(), DIMSE)
    assert node_named(settings, "PACS") == settings.nodes[0]
    found = node_named(settings, "[::1]:4242/AET")
    assert (found.host, found.port, found.ae_title) == ("::1", 4242, "AET")
    assert node_named(settings, "http://127.0.0.1:8042/dicom-web").kind == "web"
    for text in ("nothing", "host/AET", "host:99999/AET", "host:1:2/AET"):
        with pytest.raises(UserError, match="pacs_node_unknown"):
            node_named(settings, text)


def test_secrets_are_in_the_keyring_only(ring: InMemory, own_home: Path) -> None:
    settings = with_node(PacsSettings(), WEB)
    node = settings.nodes[0]
    save_pacs(settings)
    secret = Credentials("me", "very-s3cret")
    assert saved_credentials(node) is None
    save_credentials(node, secret)
    assert saved_credentials(node) == secret
    assert "s3cret" not in repr(secret)
    written = b"".join(p.read_bytes() for p in own_home.rglob("*") if p.is_file())
    assert b"s3cret" not in written
    assert b"me" not in written.split(b'"login"')[0].split(b'"url"')[-1]
    ring.locked = True
    assert saved_credentials(node) is None
    with pytest.raises(UserError, match="pacs_no_keyring"):
        save_credentials(node, secret)
    ring.locked = False
    forget_credentials(node)
    forget_credentials(node)
    assert saved_credentials(node) is None
    assert not ring.kept


def test_where_there_is_no_keyring_it_is_said(no_ring: None, own_home: Path) -> None:
    assert keyring_name() is None
    node = msgspec.structs.replace(WEB, key="k")
    assert saved_credentials(node) is None
    with pytest.raises(UserError) as caught:
        save_credentials(node, Credentials("me", "very-s3cret"))
    assert "no keyring" in words(caught.value)
    forget_credentials(node)
    assert not [p for p in own_home.rglob("*") if p.is_file()]
