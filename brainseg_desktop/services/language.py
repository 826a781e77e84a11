"""The language of the window: texts are English in the code and looked up in a catalogue of gettext.

Catalogues lie in ``resources/languages/<code>/LC_MESSAGES/brainseg.mo``; without one every text stays English.
"""

from __future__ import annotations

import gettext

from brainseg_desktop.io.resources import resources_dir

DOMAIN = "brainseg"
ENGLISH = "en"

_catalogue: list[gettext.NullTranslations] = [gettext.NullTranslations()]


def use_language(code: str) -> None:
    """Take the texts from the catalogue of `code`; English where there is none."""
    folder = resources_dir() / "languages"
    _catalogue[0] = gettext.translation(DOMAIN, folder, [code], fallback=True)


def tr(text: str, **params: object) -> str:
    """The text in the language of the window, with ``{name}`` filled in from `params`.

    Examples
    --------
    >>> tr("{count} cases", count=3)
    '3 cases'
    """
    found = _catalogue[0].gettext(text)
    return found.format(**params) if params else found
