"""Secrets of DICOMweb servers: in the system's keyring, or nowhere."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.services.pacs.nodes import PacsNode

SERVICE = "BrainSeg Desktop PACS"
# Backends that write what they are given into a file that anyone can read.
_PLAIN = ("keyrings.alt.file.PlaintextKeyring", "keyrings.alt.Windows.RegistryKeyring")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What is shown to a DICOMweb server.

    Parameters
    ----------
    user : str
        Empty where `secret` is a token.
    secret : str
        Password or bearer token; never printed.
    """

    user: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)


class _Kept(msgspec.Struct):
    user: str
    secret: str


def keyring_name() -> str | None:
    """What the system's keyring is called; None where there is none that keeps a secret."""
    import keyring
    from keyring.backends import fail, null

    backend = keyring.get_keyring()
    kind = type(backend)
    if isinstance(backend, fail.Keyring | null.Keyring) or f"{kind.__module__}.{kind.__name__}" in _PLAIN:
        return None
    return str(backend.name)


def saved_credentials(node: PacsNode) -> Credentials | None:
    """What the keyring holds for a node; None where it holds nothing, is locked, or there is no keyring."""
    if node.login == "none" or keyring_name() is None:
        return None
    import keyring
    from keyring.errors import KeyringError

    try:
        text = keyring.get_password(SERVICE, node.key)
    except KeyringError:
        return None
    if text is None:
        return None
    try:
        kept = msgspec.json.decode(text, type=_Kept)
    except msgspec.DecodeError:
        return None
    return Credentials(kept.user, kept.secret)


def save_credentials(node: PacsNode, credentials: Credentials) -> None:
    """Put the secret of a node into the keyring.

    Raises
    ------
    UserError
        ``pacs_no_keyring``: there is none, or it refused; nothing is written anywhere.
    """
    if keyring_name() is None:
        raise UserError("pacs_no_keyring")
    import keyring
    from keyring.errors import KeyringError

    kept = msgspec.json.encode(_Kept(credentials.user, credentials.secret)).decode()
    try:
        keyring.set_password(SERVICE, node.key, kept)
    except KeyringError as error:
        raise UserError("pacs_no_keyring") from error


def forget_credentials(node: PacsNode) -> None:
    """Take the secret of a node out of the keyring, if it is there."""
    if keyring_name() is None:
        return
    import keyring
    from keyring.errors import KeyringError

    try:
        if keyring.get_password(SERVICE, node.key) is not None:
            keyring.delete_password(SERVICE, node.key)
    except KeyringError as error:
        raise UserError("pacs_no_keyring") from error
