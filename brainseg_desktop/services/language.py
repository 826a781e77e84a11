"""The language of the window: texts are English in the code and looked up in a catalogue of GNU gettext.

A catalogue is ``resources/languages/<code>/LC_MESSAGES/brainseg.mo``, or the same below the user's own folder
of languages, where no administrator is needed. Without one every text stays English. How a language is made
stands in ``resources/languages/README.md``.
"""

from __future__ import annotations

import gettext
import logging
import struct
from dataclasses import dataclass
from pathlib import Path

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.io.resources import resources_dir
from brainseg_desktop.services.paths import user_languages_dir

DOMAIN = "brainseg"
ENGLISH = "en"

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Spoken:
    """The language that the whole process speaks."""

    catalogue: gettext.NullTranslations


# Mutable, and of the module, against the habit of this house. A text is looked up wherever one is made, down
# to a tooltip and the sentence of an error; a catalogue handed to every widget would be a parameter of
# everything. gettext itself holds its domain in the same way. It is set once, before any window is made.
_spoken = _Spoken(gettext.NullTranslations())


def languages(*folders: Path) -> dict[str, Path]:
    """Codes of the languages that have a catalogue, with its file; English, always there, is not among them.

    Parameters
    ----------
    folders : Path
        Where to look, a later folder before an earlier one; without any those of the program and of the user.
    """
    found: dict[str, Path] = {}
    for folder in folders or (resources_dir() / "languages", user_languages_dir()):
        for path in sorted(folder.glob(f"*/LC_MESSAGES/{DOMAIN}.mo")):
            found[path.parts[-3]] = path
    return dict(sorted(found.items()))


def use_language(code: str, *folders: Path) -> UserError | None:
    """Take the texts from the catalogue of `code` from now on.

    Parameters
    ----------
    code : str
        Such as ``de`` or ``pt_BR``.
    folders : Path
        As for `languages`.

    Returns
    -------
    UserError or None
        Why the texts stay English, to be told once there is a window; None where all is well.
    """
    _spoken.catalogue = gettext.NullTranslations()
    if code == ENGLISH:
        return None
    path = languages(*folders).get(code)
    if path is None:
        return UserError("language_missing", language=code)
    try:
        with path.open("rb") as file:
            _spoken.catalogue = gettext.GNUTranslations(file)
    # What gettext raises for a damaged file: no magic number, cut short, a bad charset or bad plural forms.
    except (OSError, struct.error, ValueError, LookupError, TypeError, AttributeError) as error:
        return UserError("language_broken", path=path, language=code, reason=str(error))
    return None


def mark(text: str, /) -> str:
    """The text as it is: says to `extract.py` that a text of a table is looked up with `tr` when it is shown.

    Examples
    --------
    >>> mark("Filled")
    'Filled'
    """
    return text


def tr(text: str, /, **params: object) -> str:
    """The text in the language of the window, with ``{name}`` filled in from `params`.

    Examples
    --------
    >>> tr("{count} cases", count=3)
    '3 cases'
    """
    # gettext answers the empty text with the head of the catalogue.
    return _filled(_spoken.catalogue.gettext(text) if text else "", text, params)


def tr_in(context: str, text: str, /, **params: object) -> str:
    """As `tr`, for an English word that means two things: the context tells the translator which.

    Examples
    --------
    >>> tr_in("a setting of the display", "Window")
    'Window'
    """
    return _filled(_spoken.catalogue.pgettext(context, text), text, params)


def tr_many(one: str, many: str, count: int, /, **params: object) -> str:
    """As `tr`, in the plural form that the language has for `count`, which is ``{count}`` in both texts.

    Examples
    --------
    >>> tr_many("{count} case", "{count} cases", 1), tr_many("{count} case", "{count} cases", 2)
    ('1 case', '2 cases')
    """
    english = one if count == 1 else many
    return _filled(_spoken.catalogue.ngettext(one, many, count), english, {**params, "count": count})


def _filled(found: str, english: str, params: dict[str, object]) -> str:
    if not params:
        return found
    try:
        return found.format(**params)
    except (KeyError, IndexError, ValueError, AttributeError, TypeError):
        # A name in braces that the translator has changed must not take the sentence, or the program, away.
        if found == english:
            raise
        _log.warning("translation does not fit: %r", english)
        return english.format(**params)
