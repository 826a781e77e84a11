"""Pictures of a view, for the clipboard or a file."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QIODevice, QSaveFile
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QFileDialog

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.gui.desk import Desk
from brainseg_desktop.gui.views.slice_view import SliceView
from brainseg_desktop.services.language import tr

# Twice as fine as the screen: lines and letters stay sharp on paper.
_SCALE = 2.0


class ViewPictures:
    """Copies and saves what a view shows."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._folder = ""

    def copy(self, view: SliceView, *, annotated: bool) -> None:
        """Put the picture on the clipboard."""
        QApplication.clipboard().setImage(view.picture(annotated=annotated))
        self._desk.say(tr("The picture of this view is on the clipboard."))

    def ask(self, view: SliceView, *, annotated: bool) -> None:
        """Ask where to save the picture, and save it."""
        case = self._desk.state.case
        if case is None:
            return
        name = f"{case.name}_{view.sequence.value}_{view.plane.title}_{view.index + 1}.png"
        chosen, _ = QFileDialog.getSaveFileName(
            self._desk.window, tr("Save picture"), str(Path(self._folder) / name), tr("PNG (*.png)")
        )
        if chosen:
            path = Path(chosen) if Path(chosen).suffix else Path(chosen).with_suffix(".png")
            self._folder = str(path.parent)
            self.save(view, path, annotated=annotated)

    def save(self, view: SliceView, path: Path, *, annotated: bool) -> bool:
        """Write the picture; an older file stays as it was if that fails. Whether it was written."""
        try:
            write_image(view.picture(annotated=annotated, scale=_SCALE), path)
        except UserError as error:
            self._desk.complain(error)
            return False
        self._desk.say(tr("Picture saved: {path}", path=path))
        return True


def write_image(image: QImage, path: Path) -> None:
    """Write an image, whole or not at all.

    Raises
    ------
    UserError
        ``write_failed`` with ``path`` and ``reason``.
    """
    file = QSaveFile(str(path))
    form = (path.suffix[1:] or "png").upper()
    written = file.open(QIODevice.OpenModeFlag.WriteOnly) and image.save(file, form)  # type: ignore[call-overload]
    if not written:
        file.cancelWriting()
    if not written or not file.commit():
        raise UserError("write_failed", path=path, reason=file.errorString())
