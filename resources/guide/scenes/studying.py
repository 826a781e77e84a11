"""A study of several readers, and the pictures of the README. The readers are computed."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtGui import QGuiApplication

from brainseg_desktop.core.history import LabelMap
from brainseg_desktop.gui.studies.dialogs import NewStudyDialog
from brainseg_desktop.gui.views.layouts import Layout
from brainseg_desktop.io.schemes import scheme_named
from brainseg_desktop.services.bench_study import make_study
from brainseg_desktop.services.opening import load_mask
from brainseg_desktop.services.studies.reading import open_reading, save_reading
from brainseg_desktop.services.studies.study import Study, cases_in, create_study
from scenes.stage import SAMPLE, Stage

_SIZE = (1440, 880)
_CASES, _READERS = 6, 4


def new_study(stage: Stage) -> None:
    """The questions of a new study, answered."""
    window = stage.window
    exams = _exams(stage.folder / "exams")
    stage.do("new_study")
    dialog = window.findChild(NewStudyDialog)
    dialog._name.setText("Inter-observer study")
    dialog._folder.setText(str(stage.folder / "study"))
    dialog._cases_folder.setText(str(exams))
    dialog._readers.setPlainText("\n".join(f"Reader {n + 1}" for n in range(_READERS)))
    stage.settle(1.5)
    dialog._repeats.setValue(2)
    stage.settle()
    stage.take("new_study.png", dialog)
    dialog.reject()


def study(stage: Stage) -> None:
    """A reading that is done blind, and what four readers of six cases came to."""
    window = stage.window
    place = stage.folder
    _exams(place / "exams")
    drawn = make_study(
        load_mask(SAMPLE / "sample_seg.nii.gz"), place / "masks", cases=_CASES, readers=_READERS
    )
    scheme = scheme_named(drawn.scheme)
    labels = {(f.case, f.rater): load_mask(f.path, scheme).tissues for f in drawn.files}
    made = create_study(
        place / "study",
        "Inter-observer study",
        cases_in(place / "exams"),
        [r.name.replace("reader", "Reader ") for r in drawn.raters],
        scheme=drawn.scheme,
        repeats=2,
    )
    studying = window.studying
    studying.join(made.folder, "Reader1")
    stage.until(lambda: studying.study is not None)
    studying.read_next()
    stage.until(lambda: studying.reading is not None)
    window.resize(*_SIZE)
    window.viewer.arrange(Layout.SEQUENCES)
    window.state.set_cursor((140, 150, 62))
    stage.settle(1.0)
    stage.take("../reading.png")
    studying.close_study()
    stage.settle(1.0)
    for reader in made.design.readers:
        reading_as = Study.open(made.folder, reader.key)
        for reading in reading_as.readings[reader.key]:
            opened = open_reading(reading_as, reading, place / "state")
            mask = LabelMap(labels[reading.case, reader.key.lower()])
            save_reading(reading_as, opened, mask, opened.record, lock=True)
        reading_as.close()
    made.unblind(by="Reader 1")
    studying.join(made.folder, None)
    stage.until(lambda: studying.study is not None)
    shown = studying.window
    shown.resize(1180, 700)
    shown.tabs.setCurrentWidget(shown.results)
    shown.results.setFocus()
    studying.results.measure()
    stage.until(lambda: shown.results.report is not None)
    shown.results.choose_region("ET")
    stage.settle(0.5)
    stage.take("../study.png", shown)
    shown.close()


def readme(stage: Stage) -> None:
    """Network, reader and reference on one case."""
    window = stage.outlined()
    window.resize(*_SIZE)
    stage.settle(1.5)
    stage.take("../sample.png")


def surface(stage: Stage) -> None:
    """The labels as surfaces, where there is OpenGL."""
    if QGuiApplication.platformName() == "offscreen":
        print("surface.png is left as it is: it needs a display with OpenGL")
        return
    window = stage.outlined()
    window.resize(*_SIZE)
    window.viewer.arrange(Layout.SURFACE)
    stage.settle(3.0)
    stage.take("../surface.png")


def _exams(folder: Path) -> Path:
    for number in range(_CASES):
        case = folder / f"case{number + 1:02d}"
        case.mkdir(parents=True)
        for name in ("t1", "t1ce", "t2", "flair"):
            (case / f"{case.name}_{name}.nii.gz").write_bytes((SAMPLE / f"sample_{name}.nii.gz").read_bytes())
    return folder
