"""Opening, looking, having the network outline, correcting."""

from __future__ import annotations

import nibabel
import numpy as np
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QScrollArea, QToolButton, QWidget

from brainseg_desktop.gui.dialogs.dialogs import RecoveryDialog
from brainseg_desktop.gui.dialogs.series_dialog import SeriesDialog
from brainseg_desktop.gui.views.layouts import Layout
from scenes.exam import write_exam
from scenes.stage import CTRL, Stage

Mark = tuple[QWidget, QPointF]


def outline(stage: Stage) -> None:
    """The whole way in one picture."""
    window = stage.outlined()
    window.setFocus()
    marks = [
        _button(stage, "open"),
        _button(stage, "segment"),
        (window.masks, QPointF(0.5, 0.1)),
        (window.labels, QPointF(0.5, 0.06)),
        (window.compare, QPointF(0.55, 0.04)),
        _button(stage, "export"),
    ]
    stage.take("outline.png", marks=marks)


def start(stage: Stage) -> None:
    """What is seen before a case is open."""
    window = stage.window
    window.resize(1280, 480)
    stage.settle(0.5)
    stage.take("start.png", window.centralWidget())


def series(stage: Stage) -> None:
    """The question which series is which sequence, as an exam of DICOM files asks it."""
    window = stage.window
    window.open_path(write_exam(stage.folder / "exam"))
    stage.until(lambda: window.findChild(SeriesDialog))
    dialog = window.findChild(SeriesDialog)
    stage.settle(2.5)
    dialog.resize(900, 640)
    stage.settle(0.5)
    stage.take("series.png", dialog)
    dialog.reject()


def look(stage: Stage) -> None:
    """Three planes with the second sequence behind a curtain, and the tab of the display."""
    window = stage.outlined()
    window.viewer.arrange(Layout.BIG)
    stage.panel("Display")
    stage.do("curtain")
    stage.settle(0.5)
    view = window.viewer.views[0]
    stage.take(
        "look.png",
        marks=[
            (view, QPointF(0.5, 0.2)),
            (view, QPointF(0.23, 0.94)),
            (view, QPointF(0.06, 0.47)),
            (window.viewer.panels[0], QPointF(0.965, 0.3)),
            (window.windowing, QPointF(0.6, 0.05)),
            (window.tool_bar.layout_button, QPointF(0.1, 0.9)),
        ],
    )


def doubt(stage: Stage) -> None:
    """Where the network was unsure."""
    window = stage.outlined(reference=False)
    window.viewer.arrange(Layout.BIG)
    stage.mask_of("AI (glioma-unet)")
    stage.do("uncertainty", "next_doubt")
    stage.until(lambda: window.doubt.isVisible())
    stage.do("next_doubt")
    window.messages.hide()
    window.resize(1280, 760)
    _scroll_to(stage, window.doubt)
    view = window.viewer.views[0]
    stage.take(
        "doubt.png",
        marks=[
            (view, QPointF(0.25, 0.3)),
            (window.doubt, QPointF(0.7, 0.04)),
            (window.viewer.panels[0], QPointF(0.97, 0.35)),
        ],
    )


def brush(stage: Stage) -> None:
    """A stroke of the brush, and its circle before the next one."""
    window = stage.outlined()
    window.viewer.arrange(Layout.BIG)
    stage.do("brush")
    view, (x, y, z) = window.viewer.views[0], window.state.cursor
    window.state.set_tissue(window.labels.tissues[1])
    window.state.set_brush_mm(10.0)
    stage.drag(view, [(x - 22, y + 14, z), (x - 24, y - 4, z), (x - 14, y - 22, z)])
    QTest.mouseMove(view, stage.point(view, (x - 2, y - 34, z)))
    stage.settle()
    stage.take(
        "brush.png",
        marks=[
            _button(stage, "brush"),
            (window.labels, QPointF(0.5, 0.06)),
            (window.tools, QPointF(0.5, 0.06)),
            _button(stage, "undo"),
        ],
    )


def tools(stage: Stage) -> None:
    """One view for each of the tools that mark areas."""
    window = stage.open(stage.sample())
    window.messages.hide()
    window.session.show(window.session.case.rating("Reader"))
    window.state.set_cursor((127, 154, 64))
    stage.do("fit")
    flair, t1ce = window.viewer.views[:2]
    x, y, z = window.state.cursor
    shots = []
    window.state.set_tissue(window.labels.tissues[1])
    around = [(26, 8), (12, 26), (-12, 28), (-28, 6), (-20, -22), (4, -30), (22, -18)]
    stage.do("polygon")
    for dx, dy in around:
        stage.click(flair, (x + dx, y + dy, z))
    shots.append(flair.grab())
    QTest.keyClick(flair, Qt.Key.Key_Return)
    stage.do("undo", "lasso")
    stage.drag(flair, [(x + dx, y + dy, z) for dx, dy in around], release=False)
    shots.append(flair.grab())
    QTest.keyClick(window, Qt.Key.Key_Escape)
    window.state.set_tissue(window.labels.tissues[2])
    stage.do("threshold")
    stage.drag(t1ce, [(x + 34, y + 34, z), (x - 36, y - 34, z)])
    shots.append(t1ce.grab())
    QTest.keyClick(window, Qt.Key.Key_Escape)
    window.state.set_tissue(window.labels.tissues[1])
    stage.do("fill")
    stage.drag(flair, [(x - 18, y + 4, z), (x - 44, y + 4, z)], release=False)
    stage.settle(0.5)
    shots.append(flair.grab())
    QTest.keyClick(window, Qt.Key.Key_Escape)
    stage.do("lasso")
    for step in (-8, 8):
        window.state.set_cursor((x, y, z + step))
        stage.drag(flair, [(x + 0.8 * dx, y + 0.8 * dy, z + step) for dx, dy in around])
    window.state.set_cursor((x, y, z))
    stage.do("interpolate")
    stage.until(lambda: window.interpolating.proposal is not None)
    window.messages.hide()
    stage.settle()
    shots.append(flair.grab())
    stage.do("interpolate", "scribble")
    stage.drag(flair, [(x - 20, y + 8, z), (x - 20, y - 8, z), (x - 10, y - 22, z)])
    stage.drag(flair, [(x - 34, y + 6, z), (x - 32, y - 14, z)], CTRL)
    stage.settle(3)
    shots.append(flair.grab())
    QTest.keyClick(window, Qt.Key.Key_Escape)
    stage.take_together("tools.png", shots, columns=3)


def rules(stage: Stage) -> None:
    """Rules under Edit, and how a view says that they are on."""
    window = stage.outlined()
    window.viewer.arrange(Layout.BIG)
    stage.do("brush", "keep_others", "intensity_rule")
    window.state.set_locked(window.labels.tissues[0], True)
    window.state.set_tissue(window.labels.tissues[1])
    stage.panel("Edit")
    _scroll_to(stage, window.rules)
    view = window.viewer.views[0]
    stage.take("rules.png", marks=[(window.rules, QPointF(0.5, 0.05)), (view, QPointF(0.45, 0.03))])


def steps(stage: Stage) -> None:
    """The list of steps, the record of changes, and the question after a crash."""
    window = stage.outlined()
    stage.do("brush")
    view, (x, y, z) = window.viewer.views[0], window.state.cursor
    window.state.set_tissue(window.labels.tissues[1])
    for shift in (0, 8, 16):
        stage.drag(view, [(x - 22, y + 14 - shift, z), (x - 20, y - shift, z)])
    stage.do("label_3", "lasso")
    stage.drag(view, [(x + 20, y + 22, z), (x + 30, y + 8, z), (x + 24, y - 6, z), (x + 20, y + 22, z)])
    stage.do("undo")
    window.messages.hide()
    stage.panel("Edit")
    _scroll_to(stage, window.steps)
    stage.take("steps.png", window.steps)
    dialog = RecoveryDialog(["sample: Reader, 5 strokes, 2026-03-02 09:41"], window)
    dialog.show()
    stage.settle(0.5)
    stage.take("recovery.png", dialog)
    dialog.close()


def trouble(stage: Stage) -> None:
    """A damaged file, said in a sentence."""
    window = stage.window
    case = stage.sample()
    whole = (case / "sample_t2.nii.gz").read_bytes()
    (case / "sample_t2.nii.gz").write_bytes(whole[: len(whole) // 2])
    window.open_path(case)
    stage.until(lambda: window.messages.isVisible())
    stage.settle(0.5)
    window.resize(1280, 420)
    stage.settle(0.5)
    stage.take("trouble.png")


def outside(stage: Stage) -> None:
    """An exam that is not like those the network learnt from."""
    case = stage.sample("slab")
    for path in sorted(case.glob("*.nii.gz")):
        image = nibabel.load(path)
        data, affine = np.asarray(image.dataobj)[:, :, 52:76:4], image.affine.copy()
        affine[:3, 2] *= 4
        affine[:3, 3] += image.affine[:3, 2] * 52
        nibabel.save(nibabel.Nifti1Image(data, affine), path)
    window = stage.open(case)
    window.segmenting.start()
    stage.until(lambda: not window.segmenting.is_running)
    window.navigator.go_to_label(window.state.tissue)
    stage.settle(0.8)
    stage.take("outside.png")


def _button(stage: Stage, name: str) -> Mark:
    return stage.window.tool_bar.findChild(QToolButton, name), QPointF(0.02, 0.85)


def _scroll_to(stage: Stage, part: QWidget) -> None:
    parent: QWidget | None = part
    while parent is not None and not isinstance(parent, QScrollArea):
        parent = parent.parentWidget()
    if parent is not None:
        bar = parent.verticalScrollBar()
        bar.setValue(part.mapTo(parent.widget(), part.rect().topLeft()).y() - 30)
    stage.settle(0.4)
