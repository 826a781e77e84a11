"""Small typed files of the program's own: written whole or not at all, a broken one set aside."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.io.atomic import set_aside, write_bytes, write_error

S = TypeVar("S", bound=msgspec.Struct)


def load_kept(path: Path, kind: type[S], version: int) -> tuple[S, UserError | None]:
    """Read a file; what `kind` is by default on the first start, and after a broken file.

    Parameters
    ----------
    path : Path
    kind : type
        A struct whose fields all have defaults, one of them ``version``.
    version : int
        The newest that this program knows.

    Returns
    -------
    value : of `kind`
    problem : UserError or None
        ``settings_broken`` or, where single values were of no use and the others were taken,
        ``settings_partly_broken``; with ``path`` (where the file was set aside) and ``reason``.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return kind(), None
    except OSError as error:
        # It may be readable again one day, so what is saved from now on must not take its place.
        return kind(), UserError(
            "settings_broken", path=set_aside(path), reason=error.strerror or "not readable"
        )
    newer = _newer(raw, version)
    if newer is not None:
        return kind(), UserError("settings_broken", path=set_aside(path), reason=newer)
    try:
        value = msgspec.json.decode(raw, type=kind)
        written = getattr(value, "version", version)
        if written > version:
            raise msgspec.ValidationError(f"written by a newer version ({written})")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        rest = _usable_part(raw, kind, version)
        code = "settings_broken" if rest is None else "settings_partly_broken"
        return rest or kind(), UserError(code, path=set_aside(path), reason=str(error))
    return value, None


def _usable_part(raw: bytes, kind: type[S], version: int) -> S | None:
    """What is left of a broken file when only the values of no use are left out; None if nothing is."""
    try:
        found = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        if msgspec.json.decode(found.pop("version", msgspec.Raw(b"1")), type=int) > version:
            return None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    values: dict[str, object] = {}
    for field in msgspec.structs.fields(kind):
        if field.name in found:
            with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                values[field.name] = msgspec.json.decode(found[field.name], type=field.type)
    return kind(**values) if values else None


def save_kept(path: Path, value: msgspec.Struct) -> None:
    """Write a file; the old one stays as it was if this fails.

    Raises
    ------
    UserError
        ``disk_full``, ``no_permission`` or ``write_failed`` (param ``path``).
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(error, path) from error
    write_bytes(path, msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")


class _Written(msgspec.Struct):
    version: int = 0


def _newer(raw: bytes, version: int) -> str | None:
    """Why a file of a newer version is not looked at any further: its values may be other ones by then."""
    try:
        written = msgspec.json.decode(raw, type=_Written).version
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return f"written by a newer version ({written})" if written > version else None
