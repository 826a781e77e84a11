"""What the language changes in Qt itself: the words on its buttons, and from which side the window is read.

A language read from right to left turns the window round, but never an image or a chart.
"""

from __future__ import annotations

from PySide6.QtCore import QLibraryInfo, QLocale, Qt, QTranslator
from PySide6.QtGui import QGuiApplication, QPainter
from PySide6.QtWidgets import QWidget

from brainseg_desktop.services.language import ENGLISH, mark, tr

LEFT_TO_RIGHT = Qt.LayoutDirection.LeftToRight
# On Qt's buttons and in its menus of text fields, as Qt spells them.
_WORDS = (
    mark("OK"),
    mark("&OK"),
    mark("Cancel"),
    mark("&Cancel"),
    mark("Close"),
    mark("&Close"),
    mark("Save"),
    mark("&Save"),
    mark("Open"),
    mark("Discard"),
    mark("Reset"),
    mark("Apply"),
    mark("Restore Defaults"),
    mark("&Yes"),
    mark("&No"),
    mark("Show Details..."),
    mark("Hide Details..."),
    mark("&Undo"),
    mark("&Redo"),
    mark("Cu&t"),
    mark("&Copy"),
    mark("&Paste"),
    mark("Delete"),
    mark("Select All"),
    mark("Scroll Left"),
    mark("Scroll Right"),
)


class QtWords(QTranslator):
    """Hands Qt the words of its buttons from our catalogue, so that one does for the whole window."""

    def translate(
        self, context: str, source: str, disambiguation: str | None = None, n: int = -1
    ) -> str | None:
        if source not in _WORDS:
            return None
        found = tr(source)
        # None, and not English: Qt then asks its own catalogue.
        return found if found != source else None

    def isEmpty(self) -> bool:
        return False


def speak(app: QGuiApplication, code: str) -> None:
    """Have Qt say its own words in the language of `code`, and lay the window out as it is read.

    To be called after `use_language` and before a window is made.
    """
    for former in app.findChildren(QTranslator):
        app.removeTranslator(former)
        former.deleteLater()
    app.setLayoutDirection(QLocale(code).textDirection())
    if code == ENGLISH:
        return
    # Later ones are asked first.
    own = QTranslator(app)
    if own.load(f"qtbase_{code}", QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)):
        app.installTranslator(own)
    app.installTranslator(QtWords(app))


def keep_sides(drawn: QWidget | QPainter) -> None:
    """Keep what is drawn as it is: Qt would exchange the L and the R beside a picture.

    A painter takes the side from the application and not from its widget, so it must be told each time.
    """
    drawn.setLayoutDirection(LEFT_TO_RIGHT)
