"""Takes the pictures of the README from the real program, on the sample case.

    xvfb-run -s '-screen 0 1600x1000x24' python resources/guide/make_pictures.py

Needs a display with OpenGL for the surface.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from brainseg_desktop.services.paths import HOME_VARIABLE

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from brainseg_desktop.gui.main_window import MainWindow

HERE = Path(__file__).parent
SIZE = (1440, 880)


def main() -> None:
    # Settings and journals of whoever takes the pictures are neither shown nor touched.
    os.environ[HOME_VARIABLE] = tempfile.mkdtemp()
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
        _shrink(window, name)

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
    take_study(window, Path(tempfile.mkdtemp()), settle)
    window.close()


def take_study(window: MainWindow, place: Path, settle: Callable[[float], None]) -> None:
    """A reading that is done blind, and what four readers of six cases came to; the readers are computed."""
    from brainseg_desktop.core.history import LabelMap
    from brainseg_desktop.gui.views.layouts import Layout
    from brainseg_desktop.io.schemes import scheme_named
    from brainseg_desktop.services.bench_study import make_study
    from brainseg_desktop.services.opening import load_mask
    from brainseg_desktop.services.studies.reading import open_reading, save_reading
    from brainseg_desktop.services.studies.study import Study, cases_in, create_study

    sample = HERE.parent / "sample"
    for number in range(6):
        case = place / "exams" / f"case{number + 1:02d}"
        case.mkdir(parents=True)
        for name in ("t1", "t1ce", "t2", "flair"):
            (case / f"{case.name}_{name}.nii.gz").write_bytes((sample / f"sample_{name}.nii.gz").read_bytes())
    drawn = make_study(load_mask(sample / "sample_seg.nii.gz"), place / "masks", cases=6, readers=4)
    scheme = scheme_named(drawn.scheme)
    labels = {(f.case, f.rater): load_mask(f.path, scheme).tissues for f in drawn.files}
    study = create_study(
        place / "study",
        "Inter-observer study",
        cases_in(place / "exams"),
        [r.name.replace("reader", "Reader ") for r in drawn.raters],
        scheme=drawn.scheme,
        repeats=2,
    )
    window.studying.join(study.folder, "Reader1")
    while window.studying.study is None:
        settle(0.1)
    window.studying.read_next()
    while window.studying.reading is None:
        settle(0.1)
    window.resize(*SIZE)
    window.viewer.arrange(Layout.SEQUENCES)
    window.state.set_cursor((140, 150, 62))
    settle(1.0)
    _shrink(window, "reading.png")
    window.studying.close_study()
    settle(1.0)
    for reader in study.design.readers:
        reading_as = Study.open(study.folder, reader.key)
        for reading in reading_as.readings[reader.key]:
            opened = open_reading(reading_as, reading, place / "state")
            mask = LabelMap(labels[reading.case, reader.key.lower()])
            save_reading(reading_as, opened, mask, opened.record, lock=True)
        reading_as.close()
    study.unblind(by="Reader 1")
    window.studying.join(study.folder, None)
    while window.studying.study is None:
        settle(0.1)
    shown = window.studying.window
    shown.resize(1180, 700)
    shown.tabs.setCurrentWidget(shown.results)
    shown.results.setFocus()
    window.studying.results.measure()
    while shown.results.report is None:
        settle(0.1)
    shown.results.choose_region("ET")
    settle(0.5)
    _shrink(shown, "study.png")


def _shrink(widget: QWidget, name: str) -> None:
    """Save a picture with few colours: the repository is kept small."""
    from PIL import Image

    path = HERE / name
    widget.grab().save(str(path))
    # Few colours, but not at the cost of the rare ones: those of labels must stay what they are.
    picture = Image.open(path).convert("RGB")
    picture.quantize(256, method=Image.Quantize.FASTOCTREE).save(path, optimize=True)


if __name__ == "__main__":
    main()
