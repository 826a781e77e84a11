"""The program's icon in the forms that the systems want, all drawn from resources/brainseg-desktop.svg."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from PIL import Image

DRAWING = Path(__file__).resolve().parents[1] / "resources" / "brainseg-desktop.svg"
SIDES = (16, 22, 24, 32, 48, 64, 128, 256, 512)


def draw_icons(folder: Path) -> None:
    """Write ``<side>.png`` of every size, ``brainseg.ico`` for Windows and ``brainseg.icns`` for macOS."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtCore import Qt
    from PySide6.QtGui import QGuiApplication, QImage, QPainter
    from PySide6.QtSvg import QSvgRenderer

    app = QGuiApplication.instance() or QGuiApplication([])
    folder.mkdir(parents=True, exist_ok=True)
    renderer = QSvgRenderer(str(DRAWING))
    for side in SIDES:
        image = QImage(side, side, QImage.Format.Format_ARGB32)
        image.fill(Qt.GlobalColor.transparent)
        painter = QPainter(image)
        renderer.render(painter)
        painter.end()
        if not image.save(str(folder / f"{side}.png")):
            raise OSError(f"{folder / f'{side}.png'} could not be written")
    del app
    with Image.open(folder / "256.png") as large:
        large.save(folder / "brainseg.ico", sizes=[(s, s) for s in (16, 24, 32, 48, 64, 128, 256)])
    with Image.open(folder / "512.png") as large:
        large.save(folder / "brainseg.icns")


if __name__ == "__main__":
    draw_icons(Path(sys.argv[1]))
