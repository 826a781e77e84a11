"""SPDX licence expressions: which of their alternatives the program may carry."""

from __future__ import annotations

import re
from collections.abc import Callable

_TOKEN = re.compile(r"\(|\)|[A-Za-z0-9.+-]+")


def choose(expression: str, allowed: Callable[[str], bool]) -> str | None:
    """The part of an SPDX expression that may be taken: of alternatives the first allowed one.

    Parameters
    ----------
    expression : str
        Such as ``"MIT AND (LGPL-3.0-only OR GPL-2.0-only)"``.
    allowed : callable
        Tells of one licence, with its exception where it has one, whether it may be carried.

    Returns
    -------
    str or None
        The expression that is left, or None where no choice of alternatives is allowed throughout.

    Raises
    ------
    ValueError
        Where the text is no SPDX expression.
    """
    tokens = _TOKEN.findall(expression)
    if "".join(tokens) != re.sub(r"\s+", "", expression) or not tokens:
        raise ValueError(f"{expression!r} is no SPDX expression")
    chosen = _alternatives(tokens, allowed)
    if tokens:
        raise ValueError(f"{expression!r} is no SPDX expression: {tokens[0]!r} stands alone")
    return chosen


def identifiers(expression: str) -> tuple[str, ...]:
    """The licences and exceptions that an expression names, each once, in its order."""
    return tuple(
        dict.fromkeys(t for t in _TOKEN.findall(expression) if t not in {"AND", "OR", "WITH", "(", ")"})
    )


def _alternatives(tokens: list[str], allowed: Callable[[str], bool]) -> str | None:
    found = [_together(tokens, allowed)]
    while tokens and tokens[0] == "OR":
        tokens.pop(0)
        found.append(_together(tokens, allowed))
    return next((one for one in found if one is not None), None)


def _together(tokens: list[str], allowed: Callable[[str], bool]) -> str | None:
    found = [_single(tokens, allowed)]
    while tokens and tokens[0] == "AND":
        tokens.pop(0)
        found.append(_single(tokens, allowed))
    taken = [one for one in found if one is not None]
    return " AND ".join(taken) if len(taken) == len(found) else None


def _single(tokens: list[str], allowed: Callable[[str], bool]) -> str | None:
    if not tokens:
        raise ValueError("an SPDX expression ends too early")
    token = tokens.pop(0)
    if token == "(":
        inner = _alternatives(tokens, allowed)
        if not tokens or tokens.pop(0) != ")":
            raise ValueError("an SPDX expression lacks a closing bracket")
        return inner
    if token in {")", "AND", "OR", "WITH"}:
        raise ValueError(f"an SPDX expression has {token!r} where a licence should stand")
    if tokens[:1] == ["WITH"] and len(tokens) > 1:
        token = f"{token} WITH {tokens[1]}"
        del tokens[:2]
    return token if allowed(token) else None
