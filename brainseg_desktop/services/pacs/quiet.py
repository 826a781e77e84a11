"""Keeps the libraries from printing what they carry: their logs and warnings name patients and UIDs."""

from __future__ import annotations

import logging
import warnings

_LOGGERS = ("pynetdicom", "dicomweb_client", "urllib3", "requests", "pydicom")
_RULE = ("ignore", r"pydicom\b|pynetdicom\b")


def quiet() -> None:
    """Silence the libraries; to be called before any of them is used. May be called often."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.propagate = False
        logger.setLevel(logging.CRITICAL + 1)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
    if not any(f[0] == "ignore" and getattr(f[3], "pattern", None) == _RULE[1] for f in warnings.filters):
        # A value that breaks the standard is quoted in the warning.
        warnings.filterwarnings("ignore", module=_RULE[1])
