"""One page of the guide: Markdown drawn by Qt, pictures fitted to the width, words searched for marked."""

from __future__ import annotations

from collections.abc import Sequence as Items
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEvent, Qt, QTimer, QUrl
from PySide6.QtGui import (
    QBrush,
    QFont,
    QImage,
    QResizeEvent,
    QTextBlock,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
    QTextFrameFormat,
    QTextTable,
    QWheelEvent,
)
from PySide6.QtWidgets import QTextBrowser, QTextEdit, QWidget

from brainseg_desktop.services.language import tr

ZOOM_STEPS = (-3, 10)
_MARGIN = 14
_LINE_HEIGHT = 130.0
_LINE_LETTERS = 170


class PageView(QTextBrowser):
    """Shows a page; it opens no link by itself and reads nothing but pictures of the guide.

    Parameters
    ----------
    folder : Path
        Of the guide.
    """

    def __init__(self, folder: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._folder = folder / "pages"
        self._markdown, self._words, self._zoom = "", "", 0
        self._points = self.font().pointSizeF()
        self.setOpenLinks(False)
        self.setAccessibleName(tr("Page of the user guide"))
        # Many sizes pass while a window is dragged larger; pictures are scaled for the last one.
        self._refit = QTimer(self, interval=80, singleShot=True)
        self._refit.timeout.connect(self._fit_pictures)

    @property
    def zoom(self) -> int:
        """Steps by which the text is larger than in the rest of the program."""
        return self._zoom

    def show_page(self, markdown: str) -> None:
        """Show this text from its beginning."""
        self._markdown = markdown
        self._render()
        # Qt goes to the text cursor when it first shows a page, and filling one moves the cursor on.
        self.to_start()
        self.verticalScrollBar().setValue(0)

    def set_zoom(self, steps: int) -> None:
        """Make the text this many steps larger."""
        self._zoom = min(max(steps, ZOOM_STEPS[0]), ZOOM_STEPS[1])
        # The style sheet of the program sets no size of text here, so one of our own holds.
        self.setStyleSheet(f"font-size: {self._points + self._zoom:g}pt")
        place = self._place()
        self._render()
        self._go_to_place(place)

    def mark(self, words: str) -> int:
        """Mark each place of these words, and say how many there are."""
        self._words = words
        hits = self._hits()
        colours = QTextCharFormat()
        colours.setBackground(self.palette().highlight())
        colours.setForeground(self.palette().highlightedText())
        marks = []
        for hit in hits:
            selection = QTextEdit.ExtraSelection()
            # Stubs call the fields methods.
            selection.cursor, selection.format = hit, colours  # type: ignore[assignment, method-assign]
            marks.append(selection)
        self.setExtraSelections(marks)
        return len(hits)

    def next_hit(self) -> bool:
        """Go to the next place of the words marked; False behind the last one."""
        if not self._words:
            return False
        found = self.document().find(self._words, self.textCursor())
        if found.isNull():
            return False
        self.setTextCursor(found)
        self.ensureCursorVisible()
        return True

    def to_start(self) -> None:
        """Put the text cursor before the first word, so that the next hit is the first one."""
        self.moveCursor(QTextCursor.MoveOperation.Start)

    # Qt ---------------------------------------------------------------------------------------------

    def loadResource(self, kind: int, name: QUrl | str) -> object:
        """Pictures of the guide from its folder; nothing from anywhere else."""
        return self._picture(QUrl(name).toString()) if kind == _PICTURE else None

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._refit.start()

    def wheelEvent(self, event: QWheelEvent) -> None:
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.set_zoom(self._zoom + (1 if event.angleDelta().y() > 0 else -1))
            event.accept()
        else:
            super().wheelEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        # Colours of links and keys are part of the text.
        if event.type() == QEvent.Type.PaletteChange and self._markdown:
            place = self._place()
            self._render()
            self._go_to_place(place)

    # Drawing ----------------------------------------------------------------------------------------

    def _render(self) -> None:
        document = self.document()
        document.setDocumentMargin(_MARGIN)
        document.setMarkdown(self._markdown, QTextDocument.MarkdownFeature.MarkdownDialectGitHub)
        self._style_text()
        self._style_tables()
        self._fit_pictures()
        self.mark(self._words)

    def _style_text(self) -> None:
        """More air between lines, and keys as keys."""
        key = QTextCharFormat()
        key.setFontFixedPitch(False)
        key.setFontFamilies(self.font().families())
        key.setBackground(self.palette().alternateBase())
        key.setFontWeight(QFont.Weight.DemiBold)
        air = QTextBlockFormat()
        air.setLineHeight(_LINE_HEIGHT, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
        block = self.document().begin()
        while block.isValid():
            cursor = QTextCursor(block)
            if not _pictures_in(block):
                cursor.mergeBlockFormat(air)
            for fragment in _fragments(block):
                if fragment.charFormat().fontFixedPitch():
                    _cursor_over(fragment, cursor).mergeCharFormat(key)
            block = block.next()

    def _style_tables(self) -> None:
        line = self.palette().placeholderText().color()
        line.setAlphaF(0.4)
        for frame in self.document().rootFrame().childFrames():
            if isinstance(frame, QTextTable):
                shape = frame.format()
                shape.setCellPadding(5)
                shape.setCellSpacing(0)
                shape.setBorder(1)
                shape.setBorderBrush(QBrush(line))
                shape.setTopMargin(8)
                shape.setBottomMargin(8)
                shape.setBorderCollapse(True)
                shape.setBorderStyle(QTextFrameFormat.BorderStyle.BorderStyle_Solid)
                frame.setFormat(shape)

    def _fit_pictures(self) -> None:
        """Scale pictures that are wider than the page; Qt's own scaling is coarse, so it is done before."""
        width = min(self.viewport().width(), self._widest())
        # Lines as long as a wide screen are hard to follow.
        ground = self.document().rootFrame().frameFormat()
        ground.setRightMargin(self.viewport().width() - width + _MARGIN)
        self.document().rootFrame().setFrameFormat(ground)
        room = width - 2 * _MARGIN - 4
        block = self.document().begin()
        while block.isValid():
            for fragment in _pictures_in(block):
                shape = fragment.charFormat().toImageFormat()
                picture = self._picture(shape.name())
                if picture.isNull():
                    continue
                ratio = self.devicePixelRatioF()
                wide = min(picture.width(), max(room, 100))
                pixels = round(wide * ratio)
                if pixels < picture.width():
                    picture = picture.scaledToWidth(pixels, Qt.TransformationMode.SmoothTransformation)
                self.document().addResource(_PICTURE, QUrl(shape.name()), picture)
                shape.setWidth(wide)
                shape.setHeight(wide * picture.height() / picture.width())
                _cursor_over(fragment, QTextCursor(block)).setCharFormat(shape)
            block = block.next()
        self.document().markContentsDirty(0, self.document().characterCount())

    def _widest(self) -> int:
        return _LINE_LETTERS * self.fontMetrics().averageCharWidth()

    def _picture(self, name: str) -> QImage:
        # Only names below the guide's own folder: a page is text from the disk and is not trusted with more.
        path = (self._folder / name).resolve()
        inside = path.is_relative_to(self._folder.parent.resolve())
        return QImage(str(path)) if inside and path.is_file() else QImage()

    def _hits(self) -> Items[QTextCursor]:
        if not self._words:
            return ()
        hits: list[QTextCursor] = []
        found = self.document().find(self._words, 0)
        while not found.isNull():
            hits.append(found)
            found = self.document().find(self._words, found)
        return hits

    def _place(self) -> float:
        bar = self.verticalScrollBar()
        return bar.value() / max(bar.maximum(), 1)

    def _go_to_place(self, place: float) -> None:
        bar = self.verticalScrollBar()
        bar.setValue(round(place * bar.maximum()))


_PICTURE = QTextDocument.ResourceType.ImageResource.value


def _fragments(block: QTextBlock) -> list[Any]:
    found, iterator = [], block.begin()
    while not iterator.atEnd():
        if iterator.fragment().isValid():
            found.append(iterator.fragment())
        iterator += 1
    return found


def _pictures_in(block: QTextBlock) -> list[Any]:
    kind = QTextFormat.ObjectTypes.ImageObject.value
    return [f for f in _fragments(block) if f.charFormat().objectType() == kind]


def _cursor_over(fragment: Any, cursor: QTextCursor) -> QTextCursor:
    cursor.setPosition(fragment.position())
    cursor.setPosition(fragment.position() + fragment.length(), QTextCursor.MoveMode.KeepAnchor)
    return cursor
