"""Who reads, and in which language the program speaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QLocale
from PySide6.QtWidgets import QLineEdit

from brainseg_desktop.gui.settings.page import Choice, Page
from brainseg_desktop.services.language import ENGLISH, languages, tr

if TYPE_CHECKING:
    from brainseg_desktop.gui.main_window import MainWindow

_LONGEST_NAME = 64


class GeneralPage(Page):
    """Name and language."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(tr("General"))
        self._window = window
        self.add_heading(tr("Reader"))
        self._name = QLineEdit()
        self._name.setAccessibleName(tr("Your name on masks"))
        self._name.setMaxLength(_LONGEST_NAME)
        self._name.editingFinished.connect(self._rename)
        self.add_form().addRow(tr("Name on masks"), self._name)
        self.add_note(
            tr(
                "It stands in the files of your masks. Another name counts from the next case that you open; "
                "in a study it is the study that says who reads."
            )
        )
        self.add_heading(tr("Language"))
        self._started = window.settings.language
        entries = [(code, language_name(code)) for code in (ENGLISH, *languages())]
        if self._started not in dict(entries):
            entries.append((self._started, tr("{code} (not installed)", code=self._started)))
        self._language = Choice(tr("Language of the window"), entries, self._choose_language)
        self.add_form().addRow(tr("Language"), self._language)
        self._later = self.add_note("")
        self.finish()

    def follow(self) -> None:
        settings = self._window.settings
        if not self._name.hasFocus():
            self._name.setText(settings.rater)
        self._language.set_value(settings.language)
        if settings.language != self._started:
            self._later.setText(tr("The window speaks it from the next start on."))
        elif self._language.count() == 1:
            self._later.setText(tr("English is the only language installed."))
        else:
            self._later.setText("")

    def leave(self) -> None:
        # A name that was typed counts, whether or not Enter was pressed.
        self._rename()

    def _rename(self) -> None:
        name = " ".join(self._name.text().split())
        # Without a name nobody could tell whose mask it is: the old one stays.
        self._name.setText(name or self._window.settings.rater)
        if name and name != self._window.settings.rater:
            self._window.set_reader(name)

    def _choose_language(self, code: str) -> None:
        self._window.remember(language=code)


def language_name(code: str) -> str:
    """What a language calls itself."""
    if code == ENGLISH:
        # Qt would say "American English", which the program does not write.
        return "English"
    name = QLocale(code).nativeLanguageName()
    return (name[:1].upper() + name[1:]) if name else code
