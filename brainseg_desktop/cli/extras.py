"""Packages that are not in every installation."""

from __future__ import annotations

from brainseg_desktop.core.errors import UserError


def require(package: str, extra: str) -> None:
    """Refuse to go on without a package.

    Raises
    ------
    UserError
        ``extra_missing``.
    """
    import importlib.util

    if importlib.util.find_spec(package) is None:
        raise UserError("extra_missing", package=package, extra=extra)
