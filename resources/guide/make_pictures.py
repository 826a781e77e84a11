"""Takes the pictures of the README from the real program, on the sample case.

    xvfb-run -s '-screen 0 1600x1000x24' python resources/guide/make_pictures.py

Needs a display with OpenGL for the surface.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from brainseg_desktop.services.paths import HOME_VARIABLE

HERE = Path(__file__).parent
SIZE = (1440, 880)


def main() -> None:
    # Settings and journals of whoever takes the pictures are neither shown nor touched.
    os.environ[HOME_VARIABLE] = tempfile.mkdtemp()
    from PIL import Image
    from PySide6.QtWidgets import QApplication

    from brainseg_desktop.gui.app import make_window
    from brainseg_desktop.gui.views.layouts import Layout

    app = QApplication([])

    def settle(seconds: float = 0.3) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            app.sendPostedEvents()
            app.processEvents()

    def take(name: str) -> None:
        path = HERE / name
        window.grab().save(str(path))
        Image.open(path).convert("RGB").quantize(192).save(path, optimize=True)

    window = make_window(app)
    window.resize(*SIZE)
    window.show()
    window.open_path(HERE.parent / "sample")
    while window.session.case is None:
        app.processEvents()
    window.segmenting.start()
    while window.segmenting.is_running:
        settle(0.1)
    reference = window.session.case.rating("Reference")
    window.session.compare_with(reference)
    window.messages.hide()
    window.navigator.go_to_label(window.state.tissue)
    settle(1.5)
    take("sample.png")
    window.viewer.arrange(Layout.SURFACE)
    settle(3.0)
    take("surface.png")
    window.close()


if __name__ == "__main__":
    main()
