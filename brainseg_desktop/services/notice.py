"""What the program may be used for: must be acknowledged once, and again when the text has changed."""

from __future__ import annotations

import hashlib
from datetime import date

import msgspec

from brainseg_desktop.services.settings import Settings

NOTICE = (
    "For research and teaching only. BrainSeg Desktop is not a medical device, no authority has approved it, "
    "and it must not be used for diagnosis, treatment or any other decision about a patient.",
    "Outlines made by a network can be wrong on any case. Check each one before you use its numbers.",
    "Your images stay on this computer. Nothing is counted or sent; the program connects to other computers "
    "only when you use PACS.",
    "Code: Apache-2.0. Bundled network: CC BY-NC-SA 4.0, not for commercial use.",
)


def notice_version() -> str:
    """A short mark of the text: another one as soon as a word of it changes."""
    return hashlib.sha256("\n".join(NOTICE).encode()).hexdigest()[:12]


def is_accepted(settings: Settings) -> bool:
    """Whether this very text has been acknowledged."""
    return settings.notice_accepted == notice_version()


def accepted(settings: Settings, on: date) -> Settings:
    """The settings with the notice acknowledged on this day."""
    return msgspec.structs.replace(settings, notice_accepted=notice_version(), notice_date=on.isoformat())
