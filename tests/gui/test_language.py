"""The whole window in a made-up language: what is not in it never went through the catalogue."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PySide6.QtCore import QAbstractListModel, QModelIndex, Qt
from PySide6.QtGui import QAction, QImage
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDockWidget,
    QGroupBox,
    QHeaderView,
    QLabel,
    QLineEdit,
    QMenu,
    QPlainTextEdit,
    QProgressBar,
    QSpinBox,
    QTabWidget,
    QTextEdit,
    QWidget,
)
from pytestqt.qtbot import QtBot

import brainseg_desktop.gui
from brainseg_desktop.core.histogram import histogram_of
from brainseg_desktop.core.labels import TISSUE_NAMES
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.gui.dialogs.colours_dialog import ColoursDialog
from brainseg_desktop.gui.dialogs.dialogs import (
    AssignDialog,
    HelpSheet,
    RecoveryDialog,
    SchemeDialog,
)
from brainseg_desktop.gui.dialogs.image_dialogs import SpacingDialog
from brainseg_desktop.gui.dialogs.network_card import NetworkCardDialog
from brainseg_desktop.gui.dialogs.series_dialog import _pixmap
from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.gui.pacs.pacs_dialogs import InboxDialog, LoginDialog, NodeDialog
from brainseg_desktop.gui.panels.window_presets import PresetDialog
from brainseg_desktop.gui.qt_language import speak
from brainseg_desktop.gui.studies.dialogs import JoinDialog, NewStudyDialog
from brainseg_desktop.gui.studies.results_view import ResultsView
from brainseg_desktop.gui.views.slice_view import SliceView
from brainseg_desktop.gui.views.view_menu import make_view_menu
from brainseg_desktop.io.schemes import load_schemes
from brainseg_desktop.services.about import versions
from brainseg_desktop.services.exporting.forms import FORMS
from brainseg_desktop.services.language import use_language
from brainseg_desktop.services.models import find_network
from brainseg_desktop.services.pacs.nodes import InboxSettings, PacsNode
from brainseg_desktop.services.paths import user_languages_dir
from brainseg_desktop.services.series_preview import Preview
from brainseg_desktop.services.settings import load_settings, save_settings
from brainseg_desktop.services.studies.material import design_words
from brainseg_desktop.services.studies.study import Study
from tests.catalogues import PSEUDO, write_catalogue, write_pseudo
from tests.gui.agreement.conftest import BOTH, EXTRA, MISSED, add_mask
from tests.gui.conftest import dab, open_case, pixel_of
from tests.gui.studies.conftest import join, make_study, read_next
from tests.studies_example import example_report

__all__ = ["make_study"]

# What stays as it is in every language: units, sequences, regions, measures, keys, and what files name.
TISSUES = {word.lower() for name in TISSUE_NAMES.values() for word in re.findall(r"\w+", name)}
DATA = (
    "mm ml px bit cm s min h ms mb sd iou dice hd95 assd kappa x y z r l a p i w n id ae "
    "t1 t1ce t2 flair wt tc et ai brainseg desktop "
    "ctrl shift alt esc enter del home space pgup pgdown up down return tab backspace "
    "f1 f2 f3 f4 f5 f6 f7 f8 f9 f10 f11"
)
EVERYWHERE = {*DATA.split(), *TISSUES}


@pytest.fixture(scope="session")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pseudo(tmp_path_factory.mktemp("languages"))


@pytest.fixture(autouse=True)
def pseudo_language(qapp: QApplication, own_home: Path, catalogue: Path) -> Iterator[None]:
    """The made-up language is the user's own, and chosen in the settings."""
    path = user_languages_dir() / PSEUDO / "LC_MESSAGES" / catalogue.name
    path.parent.mkdir(parents=True)
    shutil.copy(catalogue, path)
    choose(PSEUDO)
    assert use_language(PSEUDO) is None
    speak(qapp, PSEUDO)
    yield
    use_language("en")
    speak(qapp, "en")


def choose(code: str) -> None:
    """Choose a language for the next start."""
    save_settings(msgspec.structs.replace(load_settings().settings, language=code))


def texts_of(widget: QWidget) -> Iterator[str]:
    """Every text of a widget and of what is in it, also of what is hidden now."""
    for one in (widget, *widget.findChildren(QWidget)):
        if one.objectName().startswith("qt_") or type(one).__module__.startswith("pyqtgraph"):
            continue
        yield from (one.toolTip(), one.accessibleName(), one.accessibleDescription())
        if one.isWindow() or isinstance(one, QDockWidget):
            yield one.windowTitle()
        yield from _own_texts(one)
        for action in one.actions():
            yield from _of_action(action)


def _of_action(action: QAction) -> Iterator[str]:
    yield from (action.text(), action.toolTip(), action.iconText(), action.statusTip())


def _own_texts(one: QWidget) -> Iterator[str]:
    if isinstance(one, QLabel | QAbstractButton):
        yield one.text()
    elif isinstance(one, QLineEdit):
        yield one.placeholderText()
        if one.isReadOnly():
            yield one.text()
    elif isinstance(one, QTextEdit | QPlainTextEdit):
        yield one.placeholderText()
        if one.isReadOnly():
            yield one.toPlainText()
    elif isinstance(one, QComboBox):
        yield from (one.itemText(row) for row in range(one.count()))
    elif isinstance(one, QAbstractSpinBox):
        yield one.specialValueText()
        if isinstance(one, QSpinBox):
            yield one.suffix()
    elif isinstance(one, QGroupBox | QMenu):
        yield one.title()
    elif isinstance(one, QTabWidget):
        yield from (one.tabText(row) for row in range(one.count()))
        yield from (one.tabToolTip(row) for row in range(one.count()))
    elif isinstance(one, QProgressBar):
        yield one.format().replace("%p", "").replace("%v", "").replace("%m", "")
    elif isinstance(one, QAbstractItemView) and not isinstance(one, QHeaderView) and one.model() is not None:
        yield from _of_model(one)


def _of_model(view: QAbstractItemView) -> Iterator[str]:
    model = view.model()
    # Lists keep the number of their columns to themselves.
    rows = model.rowCount(QModelIndex())
    columns = 1 if isinstance(model, QAbstractListModel) else model.columnCount(QModelIndex())
    roles = (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole)
    for role in roles:
        found = [model.index(row, column).data(role) for row in range(rows) for column in range(columns)]
        found += [model.headerData(n, Qt.Orientation.Horizontal, role) for n in range(columns)]
        found += [model.headerData(n, Qt.Orientation.Vertical, role) for n in range(rows)]
        yield from (text for text in found if isinstance(text, str))


def check(widget: QWidget, *data: str) -> None:
    """No text may have a word that is neither of the language nor data."""
    left = untranslated(widget, *data)
    assert not left, "\n".join([type(widget).__name__, *left])


def untranslated(widget: QWidget, *data: str) -> list[str]:
    """Texts with a word that is neither of the language nor data."""
    known = EVERYWHERE | {word.lower() for text in data for word in re.findall(r"[^\W\d_]\w*", text)}
    return sorted({text for text in texts_of(widget) if _foreign(text, known)})


def _foreign(text: str, known: set[str]) -> list[str]:
    before, rest = None, re.sub(r"<[^>]*>|&\w+;|#[0-9a-f]{6}|\w+…", " ", text)
    # Texts within texts go from the inside to the outside.
    while rest != before:
        before, rest = rest, re.sub(r"⟦[^⟦⟧]*⟧", " ", rest)
    words = re.findall(r"[^\W\d_]\w*", rest.replace("⟦", " ").replace("⟧", " "))
    # A single letter is a key or a side.
    return [word for word in words if word.lower() not in known and len(word) > 1]


def test_the_test_sees_what_is_not_translated(qtbot: QtBot) -> None:
    label = QLabel("⟦Open ⟦a⟧ case⟧ 3 mm")
    qtbot.addWidget(label)
    assert untranslated(label) == []
    label.setText("⟦Open⟧ a case")
    label.setToolTip("Close")
    assert untranslated(label) == ["Close", "⟦Open⟧ a case"]


def test_the_empty_window(window: MainWindow) -> None:
    check(window)


def test_the_window_with_a_case_in_every_layout(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    open_case(qtbot, window, sample)
    reference = add_mask(window, "Anna", BOTH, MISSED)
    mask = add_mask(window, "Boris", BOTH, EXTRA)
    window.session.show(mask)
    window.session.compare_with(reference)
    names = ("sample Reference Reader Anna Boris", str(sample))
    for layout in ("sequences", "planes", "surface", "two"):
        window.actions_by_name[layout].trigger()
        qtbot.wait(10)
        check(window, *names)


def test_steps_are_shown_in_the_language(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    open_case(qtbot, window, sample)
    window.actions_by_name["brush"].trigger()
    view = window.viewer.views[0]
    dab(qtbot, view, pixel_of(view, (70, 70, view.index)))
    own = window.session.shown
    assert own is not None
    # In the journal the name is English.
    assert own.history.undo_names[0].startswith("Brush, ")
    assert window.actions_by_name["undo"].text().startswith("⟦Undo⟧ ⟦Brush⟧, ")
    check(window, "sample Reference Reader", own.rater, str(sample))


def test_menus_of_views(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    open_case(qtbot, window, sample)
    menu = make_view_menu(window, window.viewer.active_panel)
    check(menu)
    menu.deleteLater()


def test_dialogs_of_a_case(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    open_case(qtbot, window, sample)
    window.session.show(window.session.case.rating("Reference"))
    for name in ("export", "case_report", "align", "label_colours", "majority", "help"):
        window.actions_by_name[name].trigger()
        qtbot.wait(10)
    forms = [form.title for form in FORMS]
    schemes = [scheme.title for scheme in load_schemes().values()]
    check(window, "sample Reference Reader", str(sample), *forms, *schemes)


def test_other_dialogs(qtbot: QtBot) -> None:
    schemes = list(load_schemes().values())
    titles = [scheme.title for scheme in schemes]
    paths = [Path("a.nii"), Path("b.nii")]
    node = PacsNode(title="Main", host="pacs.example.org", port=104, ae_title="PACS")
    for dialog, data in (
        (AssignDialog(paths, {}), ["a nii b"]),
        (SchemeDialog(paths[0], schemes), ["a nii", *titles]),
        (RecoveryDialog(["case"]), ["case"]),
        (HelpSheet(), []),
        (SpacingDialog(paths[0]), ["a nii"]),
        (ColoursDialog("own", {}, lambda _: None), []),
        (NodeDialog(node, lambda _: None), ["URL https pacs example org dicom web"]),
        (LoginDialog(node, "System"), ["System Main"]),
        (InboxDialog(InboxSettings(), lambda _: None), []),
        (PresetDialog(Sequence.T1, (1.0, 2.0), histogram_of(np.arange(99.0).reshape(3, 3, 11)), ()), []),
    ):
        qtbot.addWidget(dialog)
        dialog.show()
        check(dialog, *data)


def test_settings_and_about(qtbot: QtBot, window: MainWindow, own_home: Path) -> None:
    for name in ("settings", "about"):
        window.actions_by_name[name].trigger()
        qtbot.wait(30)
    # Names of packages, folders, networks and languages.
    known = [f"{name} {version}" for name, version in versions("Qt").items()]
    folders = "config settings json languages log models state"
    folder = find_network(None)
    card = f"{folder} {(folder / 'model.toml').read_text()} URL txt"
    check(window, *known, str(own_home), folders, card, "English xx glioma unet")


def test_the_card_of_a_network(qtbot: QtBot, window: MainWindow) -> None:
    window.actions_by_name["about_network"].trigger()
    qtbot.waitUntil(lambda: window.findChild(NetworkCardDialog) is not None, timeout=10_000)
    dialog = window.findChild(NetworkCardDialog)
    folder = find_network(None)
    check(dialog, str(folder), (folder / "model.toml").read_text(), "URL txt")
    dialog.close()


def test_the_window_of_agreement(qtbot: QtBot, window: MainWindow, sample: Path) -> None:
    open_case(qtbot, window, sample)
    reference = add_mask(window, "Anna", BOTH, MISSED)
    mask = add_mask(window, "Boris", BOTH, EXTRA)
    window.session.show(mask)
    window.session.compare_with(reference)
    window.actions_by_name["compare"].trigger()
    reporting = window.agreement.reporting
    qtbot.waitUntil(
        lambda: reporting.window is not None and reporting.window.report is not None, timeout=20_000
    )
    check(reporting.window, "sample Anna Boris")


def test_a_study_and_its_reading(
    qtbot: QtBot, window: MainWindow, make_study: Callable[..., Study], tmp_path: Path
) -> None:
    study = make_study()
    for dialog in (JoinDialog(study.design), NewStudyDialog(list(load_schemes().values()), window.jobs)):
        qtbot.addWidget(dialog)
        dialog.show()
        check(dialog, "Trial Anna Ben", *(scheme.title for scheme in load_schemes().values()))
    join(qtbot, window, study.folder, study.design.readers[0].key)
    window.actions_by_name["study_window"].trigger()
    # The design is told as the report of the study tells it, in English.
    design = " ".join(f"{key} {value}" for key, value in design_words(study).items())
    check(window.studying.window, design, "Trial Anna Ben Folder Reading", str(tmp_path))
    read_next(qtbot, window)
    check(window, design, "Trial Anna Ben Folder Reading BraTS2021", str(tmp_path))


def test_results_of_a_study(qtbot: QtBot) -> None:
    view = ResultsView()
    qtbot.addWidget(view)
    report = example_report()
    view.set_report(report, can_measure=True)
    view.show()
    # Rules and charts are those of the report, which is English.
    chart = view.chart
    english = [*report.rules.values(), chart.accessibleName(), chart.accessibleDescription(), chart.toolTip()]
    check(view, *report.cases, *(rater.name for rater in report.raters), *english, "case")


def test_the_window_of_archives(qtbot: QtBot, window: MainWindow) -> None:
    window.actions_by_name["pacs"].trigger()
    check(window.archiving.window, "PACS MR CT PT SEG RTSTRUCT SR YYYY MM DD")


# Longer texts ----------------------------------------------------------------------------------------


def cut_off(window: QWidget) -> list[str]:
    """Words of buttons, boxes and labels on the screen that have less room than they need."""
    found = []
    for one in window.findChildren(QWidget):
        if not one.isVisible() or one.objectName().startswith("qt_"):
            continue
        if isinstance(one, QAbstractButton):
            needed = one.minimumSizeHint().width() if one.text() else 0
        elif isinstance(one, QLabel) and not one.wordWrap() and one.pixmap().isNull():
            needed = one.fontMetrics().horizontalAdvance(one.text().split("\n")[0])
        else:
            continue
        if one.width() < needed:
            found.append(f"{one.text()}: {one.width()} of {needed}")
    return found


def test_words_longer_by_two_fifths_fit_a_small_screen(
    qtbot: QtBot, make: Callable[[], MainWindow], sample: Path
) -> None:
    write_pseudo(user_languages_dir(), longer=0.4)
    window = make()
    window.resize(1280, 720)
    open_case(qtbot, window, sample)
    window.session.show(add_mask(window, "Boris", BOTH, EXTRA))
    for dock in window.findChildren(QDockWidget):
        dock.raise_()
        qtbot.wait(30)
        assert window.width() == 1280
        assert window.height() == 720
        assert cut_off(window) == []
    for name in ("open", "segment", "undo", "redo", "axial", "compare", "export"):
        button = window.tool_bar.widgetForAction(window.actions_by_name[name])
        assert button.isVisible()
        assert button.geometry().right() < window.tool_bar.width()


def test_the_bar_of_a_reading_fits_too(
    qtbot: QtBot, make: Callable[[], MainWindow], make_study: Callable[..., Study]
) -> None:
    write_pseudo(user_languages_dir(), longer=0.4)
    window = make()
    study = make_study()
    join(qtbot, window, study.folder, study.design.readers[0].key)
    read_next(qtbot, window)
    window.resize(1280, 720)
    qtbot.wait(30)
    assert window.width() == 1280
    assert cut_off(window.studying.current.bar) == []


def test_english_words_stay_on_the_buttons(
    qtbot: QtBot, make: Callable[[], MainWindow], sample: Path
) -> None:
    choose("en")
    window = make()
    window.resize(1280, 720)
    open_case(qtbot, window, sample)
    qtbot.wait(30)
    beside = Qt.ToolButtonStyle.ToolButtonTextBesideIcon
    for name in ("open", "undo", "compare", "export"):
        button = window.tool_bar.widgetForAction(window.actions_by_name[name])
        assert button.toolButtonStyle() is beside


# From right to left ----------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["sequences", "planes"])
def test_sides_stay_where_they_are_from_right_to_left(
    qtbot: QtBot, qapp: QApplication, make: Callable[[], MainWindow], sample: Path, layout: str
) -> None:
    """Every view, letters of the sides and all, is the same to the pixel; the window round it is turned."""
    grabs = []
    for code, direction in (("en", Qt.LayoutDirection.LeftToRight), ("ar", Qt.LayoutDirection.RightToLeft)):
        write_catalogue(user_languages_dir(), "ar", {})
        choose(code)
        window = make()
        open_case(qtbot, window, sample)
        window.actions_by_name[layout].trigger()
        qtbot.wait(20)
        assert window.layoutDirection() is direction
        views = [view for view in window.findChildren(SliceView) if view.isVisible()]
        grabs.append([_picture(view) for view in views])
        first = window.tool_bar.widgetForAction(window.actions_by_name["open"])
        assert (first.x() < window.width() / 2) is (code == "en")
        window.close()
    usual, turned_round = grabs
    assert len(usual) == len(turned_round) >= 3
    for before, after in zip(usual, turned_round, strict=True):
        assert np.array_equal(before, after)


def _picture(view: SliceView) -> np.ndarray:
    view.setFixedSize(300, 280)
    view.repaint()
    image = view.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    return np.frombuffer(image.constBits(), np.uint32).reshape(image.height(), -1).copy()


def test_the_letter_of_a_preview_stays_at_its_side(qapp: QApplication) -> None:
    found = Preview(np.zeros((40, 40), np.uint8), (40.0, 40.0), "R")
    pictures = []
    for code in ("en", "ar"):
        speak(qapp, code)
        pictures.append(_pixmap(found, 80, 1.0, True).toImage())
    assert pictures[0] == pictures[1]


def test_every_painter_keeps_its_sides() -> None:
    """Whoever draws must say so: a letter on the wrong side may harm somebody."""
    gui = Path(brainseg_desktop.gui.__file__).parent
    # Squares and symbols have no sides.
    for path in set(gui.rglob("*.py")) - {gui / "icons.py", gui / "panels" / "parts.py"}:
        lines = path.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines):
            if re.search(r"= QPainter\(\w", line):
                assert lines[number + 1].strip() == "keep_sides(painter)", f"{path.name}:{number + 1}"
