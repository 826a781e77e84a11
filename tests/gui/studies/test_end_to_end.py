"""A study of five readers from its making to its PDF, by mouse and keys, on a real case.

The readers are the five algorithms of the case. What each of them marked is laid into the reading as one step
of the history, as a tool does it; all else is clicked, painted and typed.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QFileDialog, QListWidget, QMessageBox, QWidget
from pytestqt.qtbot import QtBot

from brainseg_desktop.core.geometry import Box
from brainseg_desktop.core.labels import WT
from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.gui.studies.dialogs import JoinDialog, NewStudyDialog
from brainseg_desktop.io.nifti import read_mask
from brainseg_desktop.io.schemes import scheme_named
from brainseg_desktop.services.studies.study import Study
from tests.gui.conftest import dab, pixel_of

from .conftest import read_next, settle

Make = Callable[[], MainWindow]
LEFT = Qt.MouseButton.LeftButton
CASE = "TCGA-DU-7294"


@pytest.fixture
def exam(data_dir: Path, tmp_path: Path) -> Path:
    """The case without the masks of its raters."""
    folder = tmp_path / "exams" / CASE
    folder.mkdir(parents=True)
    shutil.copy(data_dir / "raters" / CASE / "flair.nii.gz", folder / f"{CASE}_flair.nii.gz")
    return folder


@pytest.fixture
def raters(data_dir: Path) -> dict[str, np.ndarray]:
    """What each rater marked, by name."""
    scheme = scheme_named("brats2021")
    masks = sorted(p for p in (data_dir / "raters" / CASE).glob("*.nii.gz") if p.name != "flair.nii.gz")
    return {
        f"Reader {letter}": read_mask(p, scheme).tissues for letter, p in zip("ABCDE", masks, strict=True)
    }


def _click(qtbot: QtBot, dialog: QDialog, button: QDialogButtonBox.StandardButton) -> None:
    box = dialog.findChild(QDialogButtonBox)
    assert isinstance(box, QDialogButtonBox)
    qtbot.waitUntil(lambda: box.button(button).isEnabled(), timeout=10_000)
    qtbot.mouseClick(box.button(button), LEFT)


def _dialog(qtbot: QtBot, window: MainWindow, kind: type[QDialog]) -> QDialog:
    qtbot.waitUntil(lambda: isinstance(window.studying.dialog, kind), timeout=10_000)
    dialog = window.studying.dialog
    assert isinstance(dialog, kind)
    return dialog


def _make_study(qtbot: QtBot, window: MainWindow, exams: Path, folder: Path, names: list[str]) -> None:
    window.actions_by_name["new_study"].trigger()
    dialog = _dialog(qtbot, window, NewStudyDialog)
    assert isinstance(dialog, NewStudyDialog)
    for line, text in ((dialog._name, "Five readers"), (dialog._folder, str(folder))):
        line.clear()
        qtbot.keyClicks(line, text)
    dialog._cases_folder.setText(str(exams))
    qtbot.waitUntil(lambda: len(dialog.cases) == 1, timeout=10_000)
    for name in names:
        qtbot.keyClicks(dialog._readers, name)
        qtbot.keyClick(dialog._readers, Qt.Key.Key_Return)
    dialog.set_scheme("brats2021")
    _click(qtbot, dialog, QDialogButtonBox.StandardButton.Ok)


def _join(qtbot: QtBot, window: MainWindow, name: str) -> None:
    dialog = _dialog(qtbot, window, JoinDialog)
    entries = dialog.findChild(QListWidget)
    assert isinstance(entries, QListWidget)
    item = next(i for i in map(entries.item, range(entries.count())) if i.text().startswith(name))
    qtbot.mouseClick(entries.viewport(), LEFT, pos=entries.visualItemRect(item).center())
    _click(qtbot, dialog, QDialogButtonBox.StandardButton.Ok)
    qtbot.waitUntil(lambda: window.studying.study is not None, timeout=10_000)
    settle(qtbot, window)


def _read(qtbot: QtBot, window: MainWindow, labels: np.ndarray) -> np.ndarray:
    """The one reading of a reader: his labels, and a dab of the brush."""
    read_next(qtbot, window)
    own = window.session.own_rating()
    assert [r.rater for r in window.session.case.ratings] == [own.rater]  # type: ignore[union-attr]
    with own.history.edit("Brush") as stroke:
        stroke.replace(Box((0, 0, 0), labels.shape), labels)
    x, y, z = (int(v) for v in np.argwhere(labels).mean(axis=0))
    window.state.set_cursor((x, y, z))
    window.actions_by_name["brush"].trigger()
    dab(qtbot, window.viewer.views[0], pixel_of(window.viewer.views[0], (x, y, z)))
    assert len(own.history.undo_names) == 2
    final = np.array(own.label_map.array)
    keys = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier
    qtbot.keyClick(window, Qt.Key.Key_A, keys)
    qtbot.waitUntil(lambda: "All your readings are locked" in window.messages.text, timeout=20_000)
    settle(qtbot, window)
    return final


@pytest.mark.data
@pytest.mark.slow
def test_a_study_of_five_readers_from_its_making_to_its_pdf(
    qtbot: QtBot,
    window: MainWindow,
    exam: Path,
    raters: dict[str, np.ndarray],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "study"
    _make_study(qtbot, window, exam.parent, folder, list(raters))
    locked: dict[str, np.ndarray] = {}
    for number, (name, labels) in enumerate(raters.items()):
        if number:
            window.studying.close_study()
            settle(qtbot, window)
            window.actions_by_name["last_study"].trigger()
        _join(qtbot, window, name)
        assert window.studying.study is not None
        assert window.studying.study.is_blinded
        locked[name] = _read(qtbot, window, labels)
        assert window.studying.window.results.report is None
    _check_files(folder, locked)

    # Unblinded by the last reader, since all are locked.
    study_window = window.studying.window
    assert study_window._unblind.isVisible()
    qtbot.mouseClick(study_window._unblind, LEFT)
    box = _dialog(qtbot, window, QMessageBox)
    assert isinstance(box, QMessageBox)
    button = next(b for b in box.buttons() if "Unblind" in b.text())
    qtbot.mouseClick(button, LEFT)
    qtbot.waitUntil(lambda: not window.studying.study.is_blinded, timeout=10_000)  # type: ignore[union-attr]
    settle(qtbot, window)

    # The matrix, each cell against SimpleITK.
    view = study_window.results
    study_window.tabs.setCurrentWidget(view)
    qtbot.mouseClick(view._measure, LEFT)
    qtbot.waitUntil(lambda: view.report is not None, timeout=60_000)
    assert view.report is not None
    assert view.report.exclusions == ()
    table = view.report.regions["WT"].measures["dice"]
    oracle = {pair: _dice(*(WT.mask(locked[n]) for n in pair)) for pair in itertools.combinations(raters, 2)}
    for pair, value in oracle.items():
        assert table.pairs[pair].mean == pytest.approx(value, abs=1e-12)

    # From the cell of the worst pair to the slice on which these two differ most.
    worst = min(oracle, key=oracle.__getitem__)
    _click_cell(qtbot, view.chart, worst)
    assert set(view.pair or ()) == set(worst)
    with qtbot.waitSignal(window.studying.opened, timeout=20_000):
        qtbot.mouseClick(view._worst, LEFT)
    settle(qtbot, window)
    differing = WT.mask(locked[worst[0]]) ^ WT.mask(locked[worst[1]])
    counts = np.count_nonzero(differing, axis=(0, 1))
    x, y, z = window.state.cursor
    assert counts[z] == counts.max()
    assert differing[x, y, z]
    session = window.session
    assert {session.shown.rater, session.reference.rater} == set(worst)  # type: ignore[union-attr]
    assert session.live is not None
    assert session.live.dice(WT).value == pytest.approx(oracle[worst], abs=1e-12)

    # Consensus of all five as new ratings, beside the readers when measured again.
    consensus = next(b for b in view._buttons if b.text() == "Consensus")
    qtbot.mouseClick(consensus, LEFT)
    qtbot.waitUntil(lambda: "consensus masks were written" in window.messages.text, timeout=60_000)
    settle(qtbot, window)
    qtbot.mouseClick(view._measure, LEFT)
    qtbot.waitUntil(lambda: len(view.report.raters) == 7, timeout=60_000)  # type: ignore[union-attr]
    _check_staple(folder, locked)

    pdf = tmp_path / "report.pdf"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(pdf), "PDF (*.pdf)"))
    report = next(b for b in view._buttons if b.text() == "Report...")
    qtbot.mouseClick(report, LEFT)
    qtbot.waitUntil(lambda: "report was written" in window.messages.text, timeout=60_000)
    settle(qtbot, window)
    assert pdf.read_bytes().startswith(b"%PDF-")
    assert len(pdf.read_bytes()) > 20_000


def _check_files(folder: Path, locked: dict[str, np.ndarray]) -> None:
    """What lies in the study is what was locked, read by another program."""
    study = Study.open(folder)
    for reader in study.design.readers:
        path = study.mask_path(study.readings[reader.key][0])
        image = nibabel.as_closest_canonical(nibabel.load(path))
        expected = study.scheme.encode(locked[reader.name])
        assert np.array_equal(np.asarray(image.dataobj), expected)


def _dice(first: np.ndarray, second: np.ndarray) -> float:
    overlap = SimpleITK.LabelOverlapMeasuresImageFilter()
    overlap.Execute(*(SimpleITK.GetImageFromArray(m.astype(np.uint8)) for m in (first, second)))
    return float(overlap.GetDiceCoefficient())


def _check_staple(folder: Path, locked: dict[str, np.ndarray]) -> None:
    path = Study.open(folder).other_path("staple", CASE)
    ours = WT.mask(read_mask(path, scheme_named("brats2021")).tissues)
    images = [SimpleITK.GetImageFromArray(WT.mask(m).astype(np.uint8)) for m in locked.values()]
    theirs = SimpleITK.GetArrayFromImage(SimpleITK.STAPLE(images, 1.0, 1.0)) > 0.5
    assert np.count_nonzero(ours ^ theirs) <= 1e-3 * np.count_nonzero(theirs)


def _click_cell(qtbot: QtBot, chart: QWidget, pair: tuple[str, str]) -> None:
    """Click the cell of a pair in the drawn matrix."""
    drawn = chart.chart  # type: ignore[attr-defined]
    spot = next(s for s in drawn.spots if s.pair is not None and set(s.pair) == set(pair))
    qtbot.mouseClick(chart, LEFT, pos=chart.point_of(spot))  # type: ignore[attr-defined]
