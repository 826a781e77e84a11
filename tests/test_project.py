"""The repository itself: the sample case, the pins, the figures in the README."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import nibabel
import numpy as np

ROOT = Path(__file__).resolve().parents[1]


def test_everything_installed_is_pinned() -> None:
    pins = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in pins)
    names = {line.split("==")[0].lower().replace("_", "-") for line in pins}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(d for e in project["optional-dependencies"].values() for d in e)]
    required = {re.split(r"[\[<>=!]", d)[0].lower().replace("_", "-") for d in wanted}
    assert required - {"brainseg-desktop"} <= names
    # The CPU build of torch is found under its plain version only.
    assert "torch==2.13.0" in pins


def test_the_sample_is_a_small_plausible_case(sample_dir: Path) -> None:
    assert sum(p.stat().st_size for p in sample_dir.iterdir() if p.is_file()) <= 5_000_000
    assert "McConnell Brain Imaging Centre" in (sample_dir / "LICENCE.txt").read_text()
    images = [nibabel.load(sample_dir / f"sample_{n}.nii.gz") for n in ("t1", "t1ce", "t2", "flair")]
    assert {nibabel.aff2axcodes(i.affine) for i in images} == {("L", "P", "S")}
    assert {i.get_data_dtype() for i in images} == {np.dtype(np.int16)}
    masks = [
        np.asarray(nibabel.load(sample_dir / f"sample_{n}.nii.gz").dataobj) for n in ("seg", "seg-reader2")
    ]
    assert all(set(np.unique(m)) == {0, 1, 2, 4} for m in masks)
    first, second = (m > 0 for m in masks)
    dice = 2 * np.count_nonzero(first & second) / (np.count_nonzero(first) + np.count_nonzero(second))
    assert 0.75 < dice < 0.9
    # Oedema is bright on FLAIR, the rim on T1 with contrast, as in a real glioma.
    t1ce, flair = (np.asarray(images[i].dataobj, dtype=np.float64) for i in (1, 3))
    brain = (flair > 0) & (masks[0] == 0)
    assert flair[masks[0] == 2].mean() > 1.5 * flair[brain].mean()
    assert t1ce[masks[0] == 4].mean() > 1.5 * t1ce[brain].mean()


def test_the_readme_quotes_the_card() -> None:
    """Figures in the README are those of the model's card: none is older, none is invented."""
    readme = (ROOT / "README.md").read_text()
    card = tomllib.loads((ROOT / "models" / "glioma-unet" / "model.toml").read_text())
    figures = [figure for network in card["networks"] for figure in network.get("figures", [])]
    for figure in figures:
        row = f"| {figure['data']} | {figure['side']} | {figure['region']} | {figure['dice']:.3f} |"
        assert row in readme, f"missing in README.md: {row}"
    quoted = re.findall(r"^\| (\w+) \| (?:test|validation) \| (?:WT|TC|ET) \|", readme, re.M)
    assert len(quoted) == len(figures)


def test_pictures_in_the_readme_exist() -> None:
    links = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", (ROOT / "README.md").read_text())
    assert links
    assert [link for link in links if not (ROOT / link).is_file()] == []
