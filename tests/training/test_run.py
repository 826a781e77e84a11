"""A recipe from a zip of slices to a page, figures and a model that the program reads."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")
import tifffile  # noqa: E402

from brainseg_desktop.cli import Front, run  # noqa: E402
from brainseg_desktop.core.errors import UserError  # noqa: E402
from brainseg_desktop.inference.card import Postprocess  # noqa: E402
from brainseg_desktop.inference.registry import read_model  # noqa: E402
from brainseg_desktop.training.config import read_recipe  # noqa: E402
from brainseg_desktop.training.evaluate import evaluate_model  # noqa: E402
from brainseg_desktop.training.report.results import read_results  # noqa: E402
from brainseg_desktop.training.run import parity_batches, run_recipe  # noqa: E402
from brainseg_desktop.training.tuning import tune  # noqa: E402
from tests.training.miniature import make_exam, make_recipe  # noqa: E402

RECIPE = """
name = "small"
version = "0.0.1"
title = "Small"
seed = 7
root = "{folder}"
work = "{folder}/work"
model = "{folder}/models/small"
kinds = ["whole_head"]
published = {{ dice = 0.8, iou = 0.7, side = "validation", where = "tumour slices" }}
[[sources]]
kind = "lgg"
path = "lgg.zip"
coding = "lgg"
[split]
train = ["TCGA_AA_0001", "TCGA_AA_0002"]
validation = ["TCGA_AA_0003", "TCGA_AA_0004"]
test = ["TCGA_AA_0005"]
[preparation]
spacing_mm = 3.75
[network]
widths = [4, 8]
[loss]
name = "bce_dice"
[optimizer]
learning_rate = 1e-2
[schedule]
epochs = {epochs}
batch = 4
threads = 1
bf16 = false
device = "cpu"
[evaluation]
mirrored = true
bootstrap = 50
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five LGG patients of six slices: a head of 64 x 64 with a bright square."""
    path = tmp_path_factory.mktemp("lgg") / "lgg.zip"
    y, x = np.mgrid[:64, :64]
    head = np.hypot((y - 32) / 26, (x - 32) / 20) < 1
    with zipfile.ZipFile(path, "w") as file:
        for patient in range(1, 6):
            random = np.random.default_rng(patient)
            for k in range(1, 7):
                mask = np.zeros((64, 64), np.uint8)
                if 2 < k < 6:
                    mask[20 : 32 + patient, 30:44] = 255
                image = np.where(head, 90, 2) + random.integers(0, 20, (64, 64))
                image = np.where(mask > 0, 210, image).astype(np.uint8)
                channels = np.stack([255 - image, image, image // 2], axis=-1)
                base = f"kaggle_3m/TCGA_AA_000{patient}_19990101/TCGA_AA_000{patient}_19990101_{k}"
                for name, data in ((f"{base}.tif", channels), (f"{base}_mask.tif", mask)):
                    content = io.BytesIO()
                    tifffile.imwrite(content, data)
                    file.writestr(name, content.getvalue())
    return path


def write_recipe(archive: Path, folder: Path, epochs: int = 2, more: str = "") -> Path:
    (folder / "lgg.zip").write_bytes(archive.read_bytes())
    path = folder / "small.toml"
    path.write_text(RECIPE.format(folder=folder.as_posix(), epochs=epochs) + more)
    return path


@pytest.fixture(scope="module")
def finished(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the recipe was run to its end."""
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("BRAINSEG_DATA", raising=False)
        run_recipe(write_recipe(archive, folder), tell=lambda text: None)
    return folder


@pytest.fixture(autouse=True)
def data_where_the_recipe_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BRAINSEG_DATA", raising=False)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command line: exit code, stdout, stderr."""
    front = Front(open_window=lambda case: 1, measure_window=lambda case, part: 1)

    def call(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run([str(a) for a in arguments], front)
        return code, *capsys.readouterr()

    return call


def test_a_run_leaves_figures_page_pictures_and_model(finished: Path) -> None:
    results = read_results(finished / "work")
    assert results is not None
    assert results.steps == 6
    assert len(results.history) == 2
    assert results.patients["validation"] == ("TCGA_AA_0003", "TCGA_AA_0004")
    assert set(results.sides) == {"validation", "test"}
    (figure,) = results.sides["validation"].figures
    assert (figure.region, figure.data, figure.slices) == ("WT", "LGG", 12)
    assert [c.measure for c in results.comparisons] == ["dice", "iou"]
    assert results.comparisons[0].ours == figure.tumour_slices["dice"]
    assert results.export is not None
    assert results.export.difference < 0.05
    assert results.stopped_because == "finished"
    page = (finished / "work" / "report.html").read_text()
    assert "TCGA_AA_0005" in page
    assert "http" not in page.replace("http://www.w3.org", "")
    assert len(list((finished / "work" / "checks").glob("*.png"))) == page.count("<figure>") > 5


def test_the_model_is_one_that_the_program_reads(finished: Path) -> None:
    model = read_model(finished / "models" / "small")
    (network,) = model.card.networks
    assert network.kinds == ("whole_head",)
    assert network.train == ("TCGA_AA_0001", "TCGA_AA_0002")
    assert network.calibration["WT"].temperature > 0
    assert [(f.side, f.n) for f in network.figures] == [("validation", 2), ("test", 1)]
    assert network.mirrored
    assert "TCGA_AA_0005" in (finished / "models" / "small" / "README.md").read_text()


def test_the_program_measures_the_same_from_the_files(finished: Path) -> None:
    recipe = read_recipe(finished / "small.toml")
    measured = evaluate_model(finished / "models" / "small", recipe, "validation")
    results = read_results(finished / "work")
    assert results is not None
    of_run = {case.name: case.measures["WT"]["dice"] for case in results.sides["validation"].cases}
    # The cache of prepared slices is in half precision.
    for exam in measured.exams:
        assert exam.value("WT", "dice") == pytest.approx(of_run[exam.name], abs=0.01)
    with pytest.raises(UserError) as caught:
        evaluate_model(finished / "models" / "small", recipe, "all")
    assert caught.value.code == "side_unknown"


def test_a_finished_run_is_not_done_again(finished: Path) -> None:
    told: list[str] = []
    before = (finished / "work" / "results.json").stat().st_mtime_ns
    again = run_recipe(finished / "small.toml", tell=told.append)
    assert again == read_results(finished / "work")
    assert len(told) == 1
    assert (finished / "work" / "results.json").stat().st_mtime_ns == before


def test_another_recipe_over_a_begun_run_is_refused(finished: Path) -> None:
    path = finished / "longer.toml"
    path.write_text((finished / "small.toml").read_text().replace("epochs = 2", "epochs = 3"))
    with pytest.raises(UserError) as caught:
        run_recipe(path, tell=lambda text: None)
    assert caught.value.code == "run_unfinished"


def test_commands_of_a_finished_run(finished: Path, command: Callable[..., tuple[int, str, str]]) -> None:
    recipe = finished / "small.toml"
    code, out, err = command("train", recipe)
    assert code == 0
    assert out.splitlines()[0].split()[:4] == ["Run", "Side", "Data", "Region"]
    assert "report.html" in out
    assert "finished before" in err
    code, out, _ = command("train", recipe, "--json")
    assert json.loads(out)["runs"][0]["steps"] == 6
    code, out, _ = command("evaluate", finished / "models" / "small", recipe, "--json")
    told = json.loads(out)
    assert (code, told["side"], list(told["cases"])) == (0, "test", ["TCGA_AA_0005"])
    code, out, _ = command(
        "evaluate", finished / "models" / "small", recipe, "--side", "validation", "--drop", "T1"
    )
    assert code == 0
    assert "validation" in out


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--side", "all"), "no side all"),
        (("--drop", "T9"), "no sequence T9"),
        (("--run", "third"), "third"),
    ],
)
def test_what_the_user_can_mend_is_told(
    finished: Path, command: Callable[..., tuple[int, str, str]], arguments: tuple[str, ...], word: str
) -> None:
    code, _, err = command("evaluate", finished / "models" / "small", finished / "small.toml", *arguments)
    assert code == 2
    assert word in err


def test_an_interrupted_run_says_how_to_go_on(
    archive: Path,
    tmp_path: Path,
    command: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = write_recipe(archive, tmp_path)

    def stop(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("brainseg_desktop.training.run.train", stop)
    code, out, err = command("train", path)
    assert code == 130
    assert out == ""
    assert f"brainseg train {path} --resume" in err.splitlines()[-1]


def test_runs_are_put_side_by_side_and_measured_again(
    archive: Path, tmp_path: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    runs = '[[runs]]\nname = "one"\n[[runs]]\nname = "two"\nloss = { name = "dice" }\nmodel = ""\n'
    path = write_recipe(archive, tmp_path, epochs=1, more=runs)
    code, out, err = command("train", path)
    assert code == 0, err
    assert {line.split()[0] for line in out.splitlines()[1:5]} == {"one", "two"}
    index = (tmp_path / "work" / "index.html").read_text()
    assert 'href="one/report.html"' in index
    assert 'href="two/report.html"' in index
    (tmp_path / "work" / "one" / "results.json").unlink()
    code, _, err = command("train", path, "--run", "one")
    assert code == 2
    assert "--resume" in err
    code, out, _ = command("train", path, "--run", "one", "--evaluate-only", "--json")
    assert code == 0
    assert json.loads(out)["runs"][0]["stopped_because"] == "finished"


def test_what_is_chosen_is_chosen_on_all_that_a_network_has_not_met(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The validation side, and the training side as the networks of a cross-validation see it."""
    work = (tmp_path / "work").as_posix()
    parts = "".join(
        f'[[runs]]\nname = "part{i}"\nmodel = ""\nsplit = {{ parts = 2, part = {i} }}\n' for i in (0, 1)
    )
    names = ", ".join(f'"{work}/part{i}/checkpoint.safetensors"' for i in (0, 1))
    more = f'[[runs]]\nname = "all"\nevaluation = {{ parts = [{names}] }}\n'
    path = write_recipe(archive, tmp_path, epochs=1, more=parts + more)
    held = []
    for name in ("part0", "part1"):
        results = run_recipe(path, name, tell=lambda text: None)
        assert results is not None
        assert set(results.sides) == {"validation"}
        held += results.patients["validation"]
    assert sorted(held) == ["TCGA_AA_0001", "TCGA_AA_0002"]
    given: list[list[str]] = []

    def choose(predict: Any, exams: Any, recipe: Any) -> Postprocess:
        given.append([exam.name for exam in exams])
        return tune(predict, exams, recipe)

    monkeypatch.setattr("brainseg_desktop.training.run.tune", choose)
    told: list[str] = []
    results = run_recipe(path, "all", tell=told.append)
    assert results is not None
    assert [name[-1] for name in given[0]] == ["3", "4", "1", "2"]
    # Asked twice, for the temperature and for the thresholds, and looked at once.
    assert [line[11] for line in told if "has not met" in line] == ["1", "2"]
    # What is measured is what nobody met.
    assert results.patients["validation"] == ("TCGA_AA_0003", "TCGA_AA_0004")
    assert {side: len(found.cases) for side, found in results.sides.items()} == {"validation": 2, "test": 1}


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ('kinds = ["whole_head"]', 'kinds = ["whole_head"]\nregions = ["TC"]', "regions"),
        ('kinds = ["whole_head"]', 'kinds = ["half_head"]', "half_head"),
        ("[network]", '[selection]\ntargets = "binary"\n[network]', ""),
        ("spacing_mm = 3.75", "size = [100, 100]", "16"),
    ],
)
def test_a_recipe_whose_network_nobody_could_run_is_told_at_once(
    archive: Path, tmp_path: Path, old: str, new: str, word: str
) -> None:
    path = write_recipe(archive, tmp_path)
    path.write_text(path.read_text().replace(old, new))
    if not word:
        path.write_text(path.read_text().replace('kinds = ["whole_head"]', 'regions = ["WT", "TC", "ET"]'))
    with pytest.raises(UserError) as caught:
        run_recipe(path, tell=lambda text: None)
    assert caught.value.code == "recipe_invalid"
    assert word in str(caught.value.params["reason"])
    assert not (tmp_path / "work").exists()


def test_slices_for_the_comparison_are_spread_and_of_one_size_a_batch(tmp_path: Path) -> None:
    recipe = make_recipe(tmp_path, preparation={"context": [-1, 0, 1]})
    exams = [make_exam("a", depth=50), make_exam("b", depth=50, size=(32, 48))]
    batches = parity_batches(exams, recipe)
    assert 60 <= sum(len(batch) for batch in batches) <= 64
    assert {batch.shape[1:] for batch in batches} == {(12, 32, 32), (12, 32, 48)}
