from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from scipy import ndimage

from brainseg_desktop.cli import Front, run
from brainseg_desktop.inference.preparation import Preparation
from brainseg_desktop.training.config import SourceConfig, SplitConfig
from brainseg_desktop.training.data.alike import Fingerprints, poses, thumbnail
from brainseg_desktop.training.data.describe import describe, only_rectangles, picture_grid
from brainseg_desktop.training.data.sources import recipe_of

from .conftest import head, lgg_files, tiff_bytes, write_coco, write_stacks, write_zip

FRONT = Front(open_window=lambda case: 1, measure_window=lambda case, part: 1)
LGG = SourceConfig(kind="lgg", path="lgg.zip", coding="lgg")


def silent(share: float) -> None:
    pass


def smooth(seed: int, size: int = 96) -> np.ndarray:
    """A picture of its own: smoothed noise."""
    noise = np.random.default_rng(seed).normal(size=(size, size))
    image = ndimage.gaussian_filter(noise, 5)
    return np.uint8(255 * (image - image.min()) / np.ptp(image))


def test_counts_of_a_small_set(tmp_path, recipe):
    files = lgg_files(4)
    bad = "kaggle_3m/TCGA_AA_0002_19990101/TCGA_AA_0002_19990101_1.tif"
    files[bad] = b"broken"
    for k in range(1, 7):
        name = f"kaggle_3m/TCGA_AA_0003_19990101/TCGA_AA_0003_19990101_{k}.tif"
        flair = head(k)[0]
        files[name] = tiff_bytes(np.stack([255 - flair, flair, flair], axis=-1))
    write_zip(tmp_path / "lgg.zip", files)
    shares: list[float] = []
    told = describe(recipe(LGG, split=SplitConfig(fractions=(0.5, 0.25, 0.25))), shares.append)
    (source,) = told.sources
    assert (source.cases, source.patients, source.pairs) == (4, 4, 23)
    assert source.sizes == {"64 x 64 x 6": 3, "64 x 64 x 5": 1}
    assert source.dtypes == {"uint8": 4}
    assert source.spacings_mm == {"unknown": 4}
    assert source.empty_share == pytest.approx(11 / 23)
    assert source.label_shares["255"] == pytest.approx(12 * 100 / (23 * 64 * 64))
    assert source.missing == {"T2": 4}
    assert source.copied == {"T1CE": 1}
    assert source.rectangle_share == 1
    assert [(p.code, p.name) for p in told.problems] == [("slice_corrupt", bad)]
    assert any("upright rectangles" in line for line in told.warnings)
    assert any("T1CE is a copy" in line for line in told.warnings)
    assert shares[-1] == 1


@given(arrays(bool, (7, 9)))
def test_rectangles_are_known_by_their_area(mask):
    if mask.any():
        labels, count = ndimage.label(mask)
        pieces = [np.argwhere(labels == k + 1) for k in range(count)]
        boxes = [np.ptp(piece, axis=0) + 1 for piece in pieces]
        full = all(len(piece) == box.prod() for piece, box in zip(pieces, boxes, strict=True))
        assert only_rectangles(mask) == (full and any(box.min() >= 3 for box in boxes))


def test_an_outline_is_no_rectangle():
    y, x = np.mgrid[:40, :40]
    assert not only_rectangles(np.hypot(y - 20, x - 20) < 8)
    assert only_rectangles((abs(y - 20) < 8) & (abs(x - 12) < 4))
    assert not only_rectangles((y == 3) & (x == 4))


@given(st.integers(0, 1000), st.integers(0, 7))
def test_copies_are_found_in_every_pose(seed, pose):
    prints = Fingerprints()
    image = smooth(seed).astype(np.float32)
    prints.add("one", image)
    prints.add("other", smooth(seed + 5000))
    prints.add("copy", poses(image)[pose] * 0.8 + 20)
    assert [(a, b) for a, b, _, _ in prints.pairs()] == [(0, 2)]


def test_a_copy_survives_jpeg_and_another_size(tmp_path):
    prints = Fingerprints()
    for k in range(30):
        prints.add(f"p{k}", smooth(k))
    picture = Image.fromarray(smooth(7)).resize((150, 130))
    picture.save(tmp_path / "copy.jpg", quality=50)
    prints.add("copy", np.asarray(Image.open(tmp_path / "copy.jpg")))
    assert [(a, b) for a, b, _, _ in prints.pairs()] == [(7, 30)]
    assert thumbnail(np.full((50, 50), 7)) is None


def test_near_duplicates_across_the_split(tmp_path, recipe):
    for side, seeds in (("train", (1, 2, 3)), ("test", (4, 2))):
        for folder in ("images", "masks"):
            (tmp_path / side / folder).mkdir(parents=True)
        for seed in seeds:
            mask = head(0)[1] * (seed != 3)
            Image.fromarray(smooth(seed)).save(tmp_path / side / "images" / f"{side}{seed}.png")
            Image.fromarray(np.pad(mask, 16)).save(tmp_path / side / "masks" / f"{side}{seed}.png")
    made = recipe(
        SourceConfig(kind="pictures", path="train", side="train"),
        SourceConfig(kind="pictures", path="test", side="test"),
        preparation=Preparation(channels=("image",)),
    )
    told = describe(made, silent, tmp_path / "out")
    assert [(a.first, a.second, a.sides) for a in told.alike] == [("train2", "test2", ("train", "test"))]
    assert told.alike[0].correlation > 0.99
    assert any("on two sides, test and train: 1" in line for line in told.warnings)
    written = json.loads((tmp_path / "out" / "description.json").read_text())
    assert written["alike"][0]["first"] == "train2"
    assert written["sources"][0]["empty_share"] == pytest.approx(1 / 3)


def test_the_grid_shows_the_outline(tmp_path):
    write_stacks(tmp_path / "stacks" / "case-1")
    told = describe(recipe_of(tmp_path / "stacks"), silent, tmp_path / "out", by_split=False)
    assert told.sources[0].label_shares.keys() == {"0", "1", "2", "3"}
    assert told.warnings[0].startswith(str(tmp_path))
    grid = np.asarray(Image.open(tmp_path / "out" / "slices.png"))
    assert grid.shape == (192, 6 * 192, 3)
    # The square of rows 20-29 and columns 34-43, three times as large.
    green = np.argwhere((grid == (0, 158, 115)).all(axis=2))
    assert green.min(axis=0).tolist() == [60, 102]
    assert green.max(axis=0).tolist() == [89, 131]
    assert picture_grid([]).startswith(b"\x89PNG")


def test_describe_on_the_command_line(tmp_path, capsys, brainseg_json):
    write_coco(tmp_path / "c")
    content = brainseg_json("data", "describe", tmp_path / "c")
    assert content["sources"][0]["pairs"] == 4
    assert content["problems"] == []
    assert run(["data", "describe", str(tmp_path / "c"), "--kind", "coco"], FRONT) == 0
    told = capsys.readouterr()
    assert "Image and mask pairs" in told.out
    assert "upright rectangles" in told.err
    assert run(["data", "describe", str(tmp_path / "absent")], FRONT) == 2


def test_prepare_on_the_command_line(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("BRAINSEG_DATA", raising=False)
    write_zip(tmp_path / "lgg.zip", lgg_files(4))
    path = tmp_path / "small.toml"
    path.write_text(
        f"""
        name = "small"
        root = "{tmp_path.as_posix()}"
        work = "{tmp_path.as_posix()}/work"
        schedule = {{ epochs = 1 }}
        sources = [{{ kind = "lgg", path = "lgg.zip", coding = "lgg" }}]
        split = {{ fractions = [0.5, 0.25, 0.25] }}
        preparation = {{ channels = ["T1", "FLAIR", "T1CE"] }}
        runs = [{{ name = "a" }}, {{ name = "b", seed = 2 }}]
        """
    )
    assert run(["data", "prepare", str(path), "--run", "b"], FRONT) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["Side", "Patients", "Exams", "Slices", "With", "tumour"]
    assert lines[1].split() == ["train", "2", "2", "12", "6"]
    assert len(list((tmp_path / "work" / "cache").iterdir())) == 4
    assert run(["data", "prepare", str(path), "--run", "c"], FRONT) == 2


def test_no_torch_is_needed(tmp_path):
    write_coco(tmp_path / "c")
    script = (
        "import sys\n"
        "from brainseg_desktop.cli import Front, run\n"
        "code = run(['data', 'describe', sys.argv[1]], Front(None, None))\n"
        "import brainseg_desktop.training.data.loading\n"
        "sys.exit(code or ('torch' in sys.modules) or ('kaggle' in sys.modules))\n"
    )
    assert subprocess.run([sys.executable, "-c", script, str(tmp_path / "c")], check=False).returncode == 0


@pytest.mark.data
def test_boxes_and_copies_of_the_real_sets(data_dir: Path):
    boxes = describe(recipe_of(data_dir / "coco-boxes"), silent, by_split=False)
    assert boxes.sources[0].rectangle_share == 1
    assert "boxes, not outlines" in boxes.warnings[0]
    drawn = describe(recipe_of(data_dir / "coco"), silent, by_split=False)
    assert [source.rectangle_share for source in drawn.sources] == [0, 0]
    assert drawn.problems == []


@pytest.mark.data
def test_every_turned_copy_of_the_real_pictures_is_found(data_dir: Path):
    """Pictures of one number are turned or mirrored copies; 65 and 133 are one picture under two numbers."""
    folder = data_dir / "coco" / "train"
    prints = Fingerprints()
    for path in sorted(folder.glob("*.jpg")):
        prints.add(path.name.split("_")[0], np.asarray(Image.open(path).convert("L")))
    pairs = [(prints.names[a], prints.names[b]) for a, b, _, _ in prints.pairs()]
    assert sum(a == b for a, b in pairs) == 68
    assert {frozenset(pair) for pair in pairs if pair[0] != pair[1]} == {frozenset({"65", "133"})}


def test_tiff_stack_of_one_page_is_told(tmp_path):
    write_stacks(tmp_path / "s" / "case-1")
    tifffile.imwrite(tmp_path / "s" / "case-1" / "flair.tif", np.zeros((64, 64), np.uint8))
    told = describe(recipe_of(tmp_path / "s"), silent, by_split=False)
    assert [p.code for p in told.problems] == ["volume_corrupt"]
