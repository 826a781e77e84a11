"""Where scenes are played: a fresh program on a copy of the sample case, and a camera.

Settings and journals of whoever takes the pictures are neither shown nor touched.
"""

from __future__ import annotations

import io
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path

from PIL import Image
from PySide6.QtCore import QBuffer, QIODevice, QPoint, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontDatabase, QImage, QPainter, QPen, QPixmap
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from brainseg_desktop.gui.app import make_window
from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.gui.views.slice_view import SliceView
from brainseg_desktop.io.resources import resources_dir
from brainseg_desktop.services.paths import HOME_VARIABLE

GUIDE = Path(__file__).parents[1]
SAMPLE = GUIDE.parent / "sample"
SIZE = (1280, 760)
PATIENCE_S = 60
NONE, CTRL = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ControlModifier
# A mark of the guide: seen on grey images and on both looks.
_RING, _INK = QColor("#ffcc33"), QColor("#1b1e22")


class Stage:
    """One program at a time, from its start to its end.

    Parameters
    ----------
    pictures : Path
        Where pictures go.
    theme : "dark" or "light"
    """

    def __init__(self, pictures: Path, theme: str = "dark") -> None:
        self.pictures, self._theme = pictures, theme
        self.app = QApplication.instance() or QApplication([])
        # The same letters wherever the pictures are taken.
        for name in ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf"):
            QFontDatabase.addApplicationFont(str(resources_dir() / "fonts" / name))
        self.app.setFont(QFont("DejaVu Sans", 9))
        # A blinking cursor would be there in one run and not in the next.
        self.app.setCursorFlashTime(0)
        self._window: MainWindow | None = None
        # Names in the pictures are to be the same each time, and short.
        self.folder = Path(tempfile.gettempdir()) / "Exams"
        self._clear()

    @property
    def window(self) -> MainWindow:
        """The program, started when it is first asked for."""
        if self._window is None:
            home = self.folder.parent / "brainseg-guide"
            os.environ[HOME_VARIABLE] = str(home)
            self._window = make_window(self.app)
            if self._theme == "light":
                self._window.actions_by_name["theme"].trigger()
            self._window.resize(*SIZE)
            self._window.show()
            self.settle()
        return self._window

    def leave(self) -> None:
        """Close the program and forget what it kept."""
        if self._window is not None:
            self._window.close()
            self._window.deleteLater()
            self._window = None
            self.settle(0.1)
        self._clear()

    def _clear(self) -> None:
        for folder in (self.folder, self.folder.parent / "brainseg-guide"):
            shutil.rmtree(folder, ignore_errors=True)

    # Waiting ----------------------------------------------------------------------------------------

    def settle(self, seconds: float = 0.3) -> None:
        """Let the program draw and background work come home."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.app.sendPostedEvents()
            self.app.processEvents()
            time.sleep(0.005)

    def until(self, done: Callable[[], object]) -> None:
        """Wait for something to become true."""
        end = time.monotonic() + PATIENCE_S
        while not done():
            if time.monotonic() > end:
                raise TimeoutError("the program did not get there")
            self.settle(0.05)

    # Acting -----------------------------------------------------------------------------------------

    def sample(self, name: str = "sample") -> Path:
        """A copy of the sample case in a folder of its own."""
        case = self.folder / name
        shutil.copytree(SAMPLE, case, ignore=shutil.ignore_patterns("*.py", "*.txt"))
        return case

    def open(self, path: Path) -> MainWindow:
        """Open a case and wait until it is shown."""
        window = self.window
        window.open_path(path)
        self.until(lambda: window.session.case is not None)
        self.settle(0.5)
        return window

    def outlined(self, *, reference: bool = True) -> MainWindow:
        """The sample case, outlined by the network, at the largest slice of the enhancing tumour."""
        window = self.open(self.sample())
        window.segmenting.start()
        self.until(lambda: not window.segmenting.is_running)
        if reference:
            window.session.compare_with(window.session.case.rating("Reference"))
        window.messages.hide()
        window.navigator.go_to_label(window.state.tissue)
        self.settle(0.8)
        return window

    def mask_of(self, rater: str) -> None:
        """Show the mask of a rater."""
        case = self.window.session.case
        self.window.session.show(case.rating(rater))
        self.settle()

    def do(self, *names: str) -> None:
        """Do what the menu entries of these names do."""
        for name in names:
            self.window.actions_by_name[name].trigger()
            self.settle(0.15)

    def panel(self, title: str) -> None:
        """Bring a tab of the right side to the front."""
        for dock in self.window.findChildren(QWidget, title):
            dock.raise_()
        self.settle()

    def point(self, view: SliceView, voxel: Sequence[float]) -> QPoint:
        """Where a voxel is drawn."""
        return view.projection.point_of(voxel).toPoint()

    def drag(
        self, view: SliceView, voxels: Sequence[Sequence[float]], keys: Qt.KeyboardModifier = NONE,
        *, release: bool = True,
    ) -> None:  # fmt: skip
        """Drag the left button over these voxels."""
        points = [self.point(view, voxel) for voxel in voxels]
        QTest.mouseMove(view, points[0])
        QTest.mousePress(view, Qt.MouseButton.LeftButton, keys, points[0])
        for before, after in pairwise(points):
            for step in range(1, 9):
                QTest.mouseMove(view, before + (after - before) * step / 8)
                self.settle(0.01)
        if release:
            QTest.mouseRelease(view, Qt.MouseButton.LeftButton, keys, points[-1])
        self.settle(0.3)

    def click(self, view: SliceView, voxel: Sequence[float], keys: Qt.KeyboardModifier = NONE) -> None:
        """Click the left button on a voxel."""
        point = self.point(view, voxel)
        QTest.mouseMove(view, point)
        QTest.mouseClick(view, Qt.MouseButton.LeftButton, keys, point)
        self.settle(0.2)

    # Taking -----------------------------------------------------------------------------------------

    def take(
        self,
        name: str,
        widget: QWidget | None = None,
        *,
        marks: Iterable[QWidget | tuple[QWidget, QPointF]] = (),
        part: QRect | None = None,
    ) -> None:
        """Save what a widget shows, with numbered marks at other widgets in it."""
        shown = widget or self.window
        picture = shown.grab()
        _draw_marks(picture, shown, marks)
        self.save(picture if part is None else picture.copy(part), name)

    def take_together(self, name: str, shots: Sequence[QPixmap], columns: int = 2, gap: int = 6) -> None:
        """Save several pictures as one, in rows."""
        rows = [shots[first : first + columns] for first in range(0, len(shots), columns)]
        widths = [max(row[n].width() for row in rows if n < len(row)) for n in range(columns)]
        heights = [max(shot.height() for shot in row) for row in rows]
        sheet = QPixmap(sum(widths) + gap * (columns - 1), sum(heights) + gap * (len(rows) - 1))
        sheet.fill(self.window.palette().window().color())
        painter = QPainter(sheet)
        for down, row in enumerate(rows):
            for along, shot in enumerate(row):
                left, top = sum(widths[:along]) + gap * along, sum(heights[:down]) + gap * down
                painter.drawPixmap(left, top, shot)
        painter.end()
        self.save(sheet, name)

    def save(self, picture: QPixmap | QImage, name: str) -> None:
        """Write a picture with few colours: the repository is kept small."""
        buffer = QBuffer()
        buffer.open(QIODevice.OpenModeFlag.WriteOnly)
        picture.save(buffer, "PNG")
        path = self.pictures / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.open(io.BytesIO(bytes(buffer.data()))).convert("RGB")
        # Few colours, but not at the cost of the rare ones: those of labels must stay what they are.
        few = image.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        few.save(path, optimize=True)
        print(f"{name}: {path.stat().st_size // 1024} kB")


def _draw_marks(picture: QPixmap, shown: QWidget, marks: Iterable[QWidget | tuple[QWidget, QPointF]]) -> None:
    """Numbers in rings, at the upper left of each widget or at a share of its width and height."""
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    font = QFont("DejaVu Sans")
    font.setPixelSize(14)
    font.setBold(True)
    painter.setFont(font)
    for number, mark in enumerate(marks, start=1):
        widget, share = mark if isinstance(mark, tuple) else (mark, QPointF(0, 0))
        place = QPoint(round(share.x() * widget.width()), round(share.y() * widget.height()))
        at = QPointF(widget.mapTo(shown, place))
        side = 22.0
        box = QRectF(at.x() - side / 2, at.y() - side / 2, side, side)
        box.moveLeft(min(max(box.left(), 2), shown.width() - side - 2))
        box.moveTop(min(max(box.top(), 2), shown.height() - side - 2))
        painter.setPen(QPen(_INK, 1.5))
        painter.setBrush(_RING)
        painter.drawEllipse(box)
        painter.setPen(_INK)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, str(number))
    painter.end()
