"""Files handed over by a desktop are opened as what they mean, and the window says so."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from PySide6.QtCore import QUrl
from PySide6.QtGui import QFileOpenEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.gui.dialogs.series_dialog import SeriesDialog
from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.services.exporting.forms import form_named
from brainseg_desktop.services.exporting.job import job_for
from brainseg_desktop.services.exporting.run import write_form
from brainseg_desktop.services.notice import accepted
from brainseg_desktop.services.recovery import pending
from brainseg_desktop.services.settings import Settings, save_settings
from tests.dicom_example import example, oblique
from tests.exporting_example import octants
from tests.gui.conftest import open_case
from tests.gui.test_crash_safety import paint_at

ROOT = Path(__file__).resolve().parents[3]


def start_with(qtbot: QtBot, window: MainWindow, *paths: Path) -> None:
    with qtbot.waitSignal(window.opener.opened, timeout=20_000):
        window.starting.open(paths)
    qtbot.wait(10)


def sequences(window: MainWindow) -> set[Sequence]:
    assert window.session.case is not None
    return set(window.session.case.volumes)


def test_one_sequence_opens_its_whole_case_and_says_so(
    qtbot: QtBot, window: MainWindow, sample: Path
) -> None:
    start_with(qtbot, window, sample / "sample_flair.nii.gz")
    assert len(sequences(window)) == 4
    assert "belongs to the case sample, which was opened with it" in window.messages.text
    # The whole case is what the list of recent cases opens again.
    assert window.settings.recent_cases == (str(sample),)


def test_a_mask_opens_its_case_and_is_shown(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    mask = sample / "sample_seg-reader2.nii.gz"
    start_with(qtbot, window, mask)
    shown = window.session.shown
    assert len(sequences(window)) == 4
    assert shown is not None
    assert shown.source is not None
    assert shown.source.path == mask


def test_a_sequence_alone_opens_alone(qtbot: QtBot, window: MainWindow, sample: Path, tmp_path: Path) -> None:
    folder = tmp_path / "Bürger, Ä 100%"
    folder.mkdir()
    shutil.copy(sample / "sample_t2.nii.gz", folder / "Kopf t2.nii.gz")
    start_with(qtbot, window, folder / "Kopf t2.nii.gz")
    assert sequences(window) == {Sequence.T2}


def test_several_sequences_are_one_case(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    start_with(qtbot, window, sample / "sample_t1.nii.gz", sample / "sample_t1ce.nii.gz")
    assert sequences(window) == {Sequence.T1, Sequence.T1CE}


def test_several_folders_are_listed(qtbot: QtBot, window: MainWindow, small_case: Path, sample: Path) -> None:
    start_with(qtbot, window, small_case, sample)
    assert window.session.case is not None
    assert window.session.case.name == small_case.name
    assert list(window.cases.listed()) == [str(small_case), str(sample)]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gone.nii.gz", "gone.nii.gz does not exist"),
        ("alone_seg.nii.gz", "is a mask without its images"),
    ],
)
def test_what_cannot_be_opened_is_a_sentence(
    qtbot: QtBot, window: MainWindow, sample: Path, tmp_path: Path, name: str, said: str
) -> None:
    if name.startswith("alone"):
        shutil.copy(sample / "sample_seg.nii.gz", tmp_path / name)
    window.starting.open([tmp_path / name])
    qtbot.waitUntil(lambda: said in window.messages.text, timeout=10_000)
    assert window.empty.isVisible()


def test_a_dicom_mask_alone_is_a_sentence(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    exam = example(tmp_path / "exam", oblique((12, -20, 33), (0.9, 0.9, 5.0)), (8, 9, 7))
    mask = tmp_path / "mask.dcm"
    write_form(form_named("dicom-seg"), job_for(exam, octants(exam), mask))
    window.starting.open([mask])
    qtbot.waitUntil(lambda: "mask.dcm is a mask without its images" in window.messages.text, timeout=10_000)
    assert window.session.case is None


def test_a_dicom_slice_means_its_exam(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    example(tmp_path / "exam", oblique((0, 0, 0), (1.0, 1.0, 3.0)), (16, 16, 6))
    window.starting.open([sorted((tmp_path / "exam").iterdir())[3]])
    qtbot.waitUntil(lambda: bool(window.findChildren(SeriesDialog)), timeout=10_000)
    [dialog] = window.findChildren(SeriesDialog)
    assert len(dialog._rows) == 1
    dialog.reject()


def test_a_missing_file_among_others_is_told_with_the_case(
    qtbot: QtBot, window: MainWindow, sample: Path, tmp_path: Path
) -> None:
    start_with(qtbot, window, sample / "sample_t1.nii.gz", sample / "sample_t2.nii.gz", tmp_path / "gone.nii")
    assert sequences(window) == {Sequence.T1, Sequence.T2}
    assert "gone.nii does not exist" in window.messages.text


def test_a_truncated_file_is_a_sentence(
    qtbot: QtBot, window: MainWindow, sample: Path, tmp_path: Path
) -> None:
    short = tmp_path / "case_t1.nii.gz"
    short.write_bytes((sample / "sample_t1.nii.gz").read_bytes()[:5000])
    window.starting.open([short])
    qtbot.waitUntil(lambda: "case_t1.nii.gz" in window.messages.text, timeout=10_000)
    assert window.session.case is None


def test_the_later_wish_counts(qtbot: QtBot, window: MainWindow, sample: Path, small_case: Path) -> None:
    window.starting.open([sample / "sample_seg.nii.gz"])
    start_with(qtbot, window, small_case)
    qtbot.waitUntil(lambda: window.jobs.is_idle, timeout=10_000)
    assert window.session.case is not None
    assert window.session.case.name == small_case.name
    assert window.session.shown is window.session.own_rating()


def test_files_that_macos_hands_over_open_together(
    qtbot: QtBot, qapp: QApplication, window: MainWindow, sample: Path
) -> None:
    from brainseg_desktop.gui.application import Application

    assert isinstance(qapp, Application)
    # The first comes before the window is there.
    assert qapp.notify(qapp, QFileOpenEvent(QUrl.fromLocalFile(str(sample / "sample_t1.nii.gz"))))
    qapp.hand_files_to(None)
    qapp.notify(qapp, QFileOpenEvent(QUrl.fromLocalFile(str(sample / "sample_t2.nii.gz"))))
    try:
        with qtbot.waitSignal(window.opener.opened, timeout=20_000):
            qapp.hand_files_to(window.open_dropped)
    finally:
        qapp.hand_files_to(None)
    assert sequences(window) == {Sequence.T1, Sequence.T2}


def test_two_windows_on_one_case_keep_their_strokes_apart(
    qtbot: QtBot, window: MainWindow, make: Callable[[], MainWindow], sample: Path
) -> None:
    """A second start is a program of its own: it neither takes nor offers the strokes of the first."""
    open_case(qtbot, window, sample)
    paint_at(qtbot, window, 0)
    state = window.session.state_dir
    code = (
        "import sys; from pathlib import Path;"
        "from brainseg_desktop.services.recovery import pending;"
        "print(len(pending(Path(sys.argv[1]))))"
    )
    other = subprocess.run(
        [sys.executable, "-c", code, str(state)], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert other.stdout.strip() == "0"
    second = make()
    open_case(qtbot, second, sample)
    assert second.session.own_rating().history.undo_names == ()
    paint_at(qtbot, second, 3)
    assert len(list((state / "journals").glob("*.journal"))) == 2
    window.close()
    [left] = pending(state)
    assert left.strokes == 1
    second.close()
    assert len(pending(state)) == 2


def test_the_program_starts_with_a_file_and_shows_it(sample: Path) -> None:
    """The real program in a process of its own, as a desktop starts it."""
    save_settings(accepted(Settings(), date(2026, 1, 2)))
    code = (
        "import sys; sys.argv[0] = 'brainseg-desktop'\n"
        "from brainseg_desktop.gui import app\n"
        "make = app.make_window\n"
        "def made(qapp, scrubber):\n"
        "    window = make(qapp, scrubber)\n"
        "    def shown(case, key):\n"
        "        print(case.name, len(case.volumes))\n"
        "        window.close()\n"
        "    window.opener.opened.connect(shown)\n"
        "    return window\n"
        "app.make_window = made\n"
        "from brainseg_desktop.__main__ import main_windowed\n"
        "main_windowed()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, (sample / "sample_t1.nii.gz").as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=ROOT,
    )
    said = [line for line in done.stderr.splitlines() if "propagateSizeHints" not in line]
    assert (done.returncode, done.stdout.strip(), said) == (0, "sample 4", [])
