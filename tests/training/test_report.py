"""Curves, pictures and pages: what they show is what was measured, and nothing is cut or breaks the page."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

pytest.importorskip("torch")
from PIL import Image

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.inference.card import Calibration, Postprocess
from brainseg_desktop.training.calibration import Bin, Reliability
from brainseg_desktop.training.evaluate import evaluate
from brainseg_desktop.training.figures import class_means, summarise
from brainseg_desktop.training.report.checks import (
    GREEN,
    RED,
    STRIP,
    choose_slices,
    draw_checks,
    three_panels,
)
from brainseg_desktop.training.report.curves import HEIGHT, WIDTH, line_chart, reliability_chart
from brainseg_desktop.training.report.page import index_page, run_page, write_report
from brainseg_desktop.training.report.results import (
    Machine,
    Results,
    SideResults,
    case_of,
    compare_published,
    read_results,
    recipe_content,
    write_results,
)
from tests.training.miniature import CHANNELS, make_exam, make_recipe

BINS = (Bin(confidence=0.1, accuracy=0.2, share=0.7), Bin(confidence=0.9, accuracy=0.8, share=0.3))


def told(exam, share=1.0):
    """The reference, less some of its voxels."""
    shown = np.rint(255 * exam.regions[:1]).astype(np.uint8)
    keep = np.random.default_rng(len(exam.name)).random(shown.shape) < share
    return shown * keep


def results_of(tmp_path: Path, **changes: object) -> tuple[Results, list]:
    recipe = make_recipe(
        tmp_path,
        title="A <title> & more",
        published={"dice": 0.77, "iou": 0.7, "where": "tumour slices", "side": "test"},
    )
    exams = [make_exam(name, seed=i) for i, name in enumerate(("a", "bb", "ccc"))]
    shares = {"a": 1.0, "bb": 0.7, "ccc": 0.3}
    counts = evaluate(lambda exam: told(exam, shares[exam.name]), exams, recipe, Postprocess())
    figures = summarise(counts, resamplings=20)
    side = SideResults(
        figures=tuple(figures), class_means=tuple(class_means(figures)), cases=tuple(map(case_of, counts))
    )
    history = [
        {
            "epoch": e, "step": 10 * e, "seconds": 1.0, "learning_rate": 0.1 / e, "train_loss": 1.0 / e,
            "validation_loss": 1.2 / e if e % 2 else None, "metrics": {"dice": 0.1 * e, "accuracy": 0.99},
        }
        for e in range(1, 5)
    ]  # fmt: skip
    calibration = Calibration(temperature=1.3, ece_before=0.04, ece_after=0.01)
    results = Results(
        recipe=recipe_content(recipe),
        source="name = 'a' # <script>alert(1)</script>",
        parameters=1234567,
        patients={"train": ("t",), "validation": (), "test": ("a", "bb", "ccc")},
        exams={"train": ("t",), "validation": (), "test": ("a", "bb", "ccc")},
        slices={"train": 4, "validation": 0, "test": 12},
        warnings=("The split leaks.",),
        problems=({"code": "slice_corrupt", "name": "x<y>.tif", "reason": "cut short"},),
        history=tuple(history),
        steps=40,
        seconds=90.0,
        stopped_because="minutes",
        machine=Machine(system="Linux", processors=2, device="the processor", torch="2"),
        postprocess=Postprocess(),
        temperatures={"WT": 1.3},
        reliabilities=(Reliability(region="WT", calibration=calibration, before=BINS, after=BINS),),
        export=None,
        not_exported="It works in blocks.",
        published_to="",
        sides={"test": side},
        comparisons=compare_published(recipe, {"test": side}),
    )
    checks = draw_checks(
        choose_slices(counts, "WT"),
        exams,
        lambda exam: (told(exam)[0] > 0).astype(np.uint8) * 6,
        CHANNELS,
        "test",
    )
    return results, checks


class Balance(HTMLParser):
    """Fails on a tag that is not closed, and keeps the addresses."""

    VOID = ("meta", "img")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def balanced(page: str) -> Balance:
    parser = Balance()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


def test_a_page_is_whole_and_needs_no_other_file(tmp_path: Path) -> None:
    results, checks = results_of(tmp_path)
    page = write_report(tmp_path, results, {"test": checks}).read_text()
    assert all(address.startswith("data:image/png;base64,") for address in balanced(page).addresses)
    assert "<script>" not in page
    assert "A &lt;title&gt; &amp; more" in page
    assert '<p class="bad"><b>Warning.</b> The split leaks.</p>' in page
    assert "x&lt;y&gt;.tif" in page
    assert "1,234,567 parameters" in page
    assert "It works in blocks." in page
    assert "when the minutes of the recipe were over" in page
    (figure,) = results.sides["test"].figures
    assert f"{figure.patients['dice'].mean:.3f}</span> [" in page
    assert f'<span class="strong">{figure.tumour_slices["dice"]:.4f}</span>' in page
    assert sorted(p.name for p in (tmp_path / "checks").iterdir()) == sorted(c.file for c in checks)


def test_accuracy_never_stands_without_dice(tmp_path: Path) -> None:
    results, checks = results_of(tmp_path)
    for page in (run_page(results, {"test": checks}), index_page("Runs", [("one", results)])):
        for table in re.findall(r"<table>.*?</table>", page, re.S):
            if ">Accuracy<" in table:
                assert "Dice" in table
    assert 'href="one/report.html"' in index_page("Runs", [("one", results)])


def test_runs_side_by_side(tmp_path: Path) -> None:
    results, _ = results_of(tmp_path)
    parser = balanced(index_page("Two <runs>", [("one", results), ("two", results)]))
    assert parser.addresses == ["one/report.html", "two/report.html"]


def test_results_are_read_back(tmp_path: Path) -> None:
    results, _ = results_of(tmp_path)
    assert read_results(tmp_path) is None
    write_results(tmp_path, results)
    assert read_results(tmp_path) == results
    (tmp_path / "results.json").write_text("{")
    with pytest.raises(UserError) as caught:
        read_results(tmp_path)
    assert caught.value.code == "results_unreadable"


def test_published_figures_meet_ours_over_the_same(tmp_path: Path) -> None:
    results, _ = results_of(tmp_path)
    side = results.sides
    (figure,) = side["test"].figures
    for where, ours in (
        ("all slices", figure.all_slices["dice"]),
        ("tumour slices", figure.tumour_slices["dice"]),
        ("Other study", figure.patients["dice"].mean),
        ("classes", None),
    ):
        recipe = make_recipe(tmp_path, published={"dice": 0.7, "where": where})
        (found,) = compare_published(recipe, side)
        assert found.ours == ours
        assert found.by_patient == figure.patients["dice"]
    elsewhere = make_recipe(tmp_path, published={"dice": 0.7, "side": "validation"})
    assert compare_published(elsewhere, side)[0].ours is None


def test_text_of_a_chart_lies_within_it() -> None:
    lines = {name: [(e, 1e-4 * e) for e in range(1, 200)] for name in ("dice", "precision", "sensitivity")}
    lines["gap"] = [(1, 0.001), (2, None), (3, float("nan")), (4, 0.002)]
    for svg in (line_chart("Validation & all", lines), reliability_chart("WT", BINS, BINS)):
        root = ElementTree.fromstring(svg)
        for text in root.iter("text"):
            x, y, width = float(text.attrib["x"]), float(text.attrib["y"]), 7.2 * len(text.text or "")
            shift = {"end": 1.0, "middle": 0.5}.get(text.attrib.get("class", "").rpartition(" ")[2], 0.0)
            assert x - shift * width >= -1
            assert x + (1 - shift) * width <= WIDTH + 1
            assert 10 <= y <= HEIGHT
    assert line_chart("Nothing", {"a": [(1, None)]}) == ""
    assert len(ElementTree.fromstring(line_chart("Gap", {"gap": lines["gap"]})).findall("polyline")) == 2


def test_pictures_show_the_patients_right_on_the_left() -> None:
    # x runs to the patient's right, y to the front.
    image = np.zeros((200, 240), np.float32)
    reference = np.zeros((1, 200, 240), bool)
    reference[0, 150:190, 180:230] = True
    picture = three_panels(image, reference, np.zeros_like(reference))
    height, width = picture.shape[0] - STRIP, 200
    assert picture.shape == (240 + STRIP, 3 * 200 + 12, 3)
    body = picture[STRIP:]
    rows, columns = np.nonzero((body == GREEN).all(axis=2))
    assert rows.max() < height / 2
    assert width + 6 <= columns.min()
    assert columns.max() < width + 6 + width / 2
    assert not (body == RED).all(axis=2).any()


def test_best_median_worst_and_the_worst_slices_are_chosen(tmp_path: Path) -> None:
    exams = [make_exam(name, seed=i) for i, name in enumerate(("a", "bb", "ccc", "dddd"))]
    shares = {"a": 1.0, "bb": 0.7, "ccc": 0.3, "dddd": 0.05}
    counts = evaluate(lambda exam: told(exam, shares[exam.name]), exams, make_recipe(tmp_path), Postprocess())
    choices = choose_slices(counts, "WT")
    assert [(c.why, c.exam) for c in choices[:3]] == [
        ("best exam", "a"), ("median exam", "ccc"), ("worst exam", "dddd"),
    ]  # fmt: skip
    assert [c.exam for c in choices[3:]] == ["dddd", "ccc", "bb"]
    assert choose_slices([], "WT") == []
    (check, *_) = draw_checks(
        choices[:1], exams, lambda exam: np.zeros((32, 32, 4), np.uint8), CHANNELS, "test"
    )
    assert check.file == "test-1-best-exam.png"
    assert Image.open(io.BytesIO(check.png)).size == (3 * 288 + 12, 288 + STRIP)
