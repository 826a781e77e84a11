"""Whether a machine can do a share of the work: it must see the same files, and compute the same numbers."""

from __future__ import annotations

import hashlib
import json
import secrets
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import msgspec

from brainseg_desktop import __version__
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.services.messages import words

# What the numbers are computed with: another release may round otherwise.
_RECKONING = ("onnxruntime", "numpy", "scipy", "scikit-image")


class LookJob(msgspec.Struct, frozen=True):
    """What a machine is asked before it gets work.

    Parameters
    ----------
    places : list of str
        Paths that it must see.
    token : tuple of (str, str) or None
        A file in the output folder and what is in it.
    network : tuple of (str or None, str) or None
        The network's name or folder, and the device; None if none is needed.
    """

    places: list[str]
    token: tuple[str, str] | None = None
    network: tuple[str | None, str] | None = None


class Seen(msgspec.Struct, frozen=True):
    """What a machine has: it must be the same on all.

    Parameters
    ----------
    versions : dict
        Of the program and of what it computes with.
    network : str
        `network_key`; empty if none was asked for.
    device : str
    problem : str
        A sentence: why it can do no work; empty if it can.
    """

    versions: dict[str, str]
    network: str = ""
    device: str = ""
    problem: str = ""


def look(asked: LookJob) -> Seen:
    """See whether this machine can do the work, and with what."""
    found = versions()
    try:
        for place in asked.places:
            if not Path(place).exists():
                raise UserError("worker_sees_no_path", path=place)
        if asked.token is not None:
            _share(Path(asked.token[0]), asked.token[1])
        if asked.network is None:
            return Seen(found)
        # What measures alone needs no network.
        from brainseg_desktop.services.models import find_network
        from brainseg_desktop.services.worker_client import WorkerClient

        folder = find_network(asked.network[0])
        client = WorkerClient()
        try:
            device = client.device_for(folder, asked.network[1])
        finally:
            client.close()
        return Seen(found, network_key(folder), device)
    except UserError as error:
        return Seen(found, problem=words(error))


def versions() -> dict[str, str]:
    """Releases of the program and of what it computes with."""
    return {"brainseg-desktop": __version__} | {name: _release(name) for name in _RECKONING}


def here(asked: LookJob) -> Seen:
    """What this machine has, without loading the network: it may have another device than those that work."""
    from brainseg_desktop.services.models import find_network

    network = "" if asked.network is None else network_key(find_network(asked.network[0]))
    return Seen(versions(), network)


def network_key(folder: Path) -> str:
    """What a network is: its card, which says how it is used, and the weights that the card names."""
    from brainseg_desktop.inference.registry import CARD_FILE, read_card

    card = hashlib.sha256((folder / CARD_FILE).read_bytes()).hexdigest()
    return hash_of([card, *(network.sha256 for network in read_card(folder).networks)])


def difference(mine: Seen, other: Seen) -> str:
    """In words, what another machine has otherwise than this one; empty if nothing."""
    for name, release in mine.versions.items():
        if other.versions.get(name) != release:
            return f"it has {name} {other.versions.get(name, 'of no known release')}, here is {release}."
    if mine.network != other.network:
        return "its network is another one than here."
    return ""


def hash_of(content: object) -> str:
    """One hash of anything that JSON holds."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _release(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "unknown"


def _share(token: Path, content: str) -> None:
    """Whether this machine sees the same output folder, and may write there."""
    try:
        same = token.read_text(encoding="utf-8") == content
    except OSError:
        same = False
    if not same:
        raise UserError("worker_sees_no_path", path=token.parent)
    mine = token.with_name(f"{token.name}-{secrets.token_hex(6)}")
    try:
        mine.write_text(content, encoding="utf-8")
    except OSError as error:
        raise UserError("worker_cannot_write", path=token.parent) from error
    with suppress(OSError):
        mine.unlink()
