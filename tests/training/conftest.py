"""A miniature of the training data on disk, and a recipe for it."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
tifffile = pytest.importorskip("tifffile")

REPOSITORY = Path(__file__).parents[2]
RECIPE = REPOSITORY / "resources" / "recipes" / "glioma-unet.toml"

MINIATURE = """
name = "miniature"
version = "0.0.1"
seed = 7
work = "{folder}/work"
model = "{folder}/models/miniature"

[data]
root = "{folder}/data"
lgg = "lgg.zip"
brats = [{{ folder = "stacks/case-1", coding = "brats2023" }}]

[split]
train = ["TCGA_AA_0001", "TCGA_AA_0002", "case-1"]
validation = ["TCGA_AA_0003"]
test = ["TCGA_AA_0004"]

[network]
widths = [4, 8]

[schedule]
steps = 6
batch = 2
warmup = 2
checkpoint_every = 3
validate_every = 6
threads = 1
bf16 = false

[sampling]
whole_head = 0.5
patch = [32, 32]

[augment]
"""


def picture(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A head of 64 x 64 with a bright square, and the square's mask."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:64, :64]
    image = np.where(np.hypot((y - 32) / 26, (x - 32) / 20) < 1, 100, 2) + random.integers(0, 20, (64, 64))
    mask = np.zeros((64, 64), np.uint8)
    mask[20:30, 34:44] = 255
    return np.where(mask > 0, 220, image).astype(np.uint8), mask


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four LGG patients of six slices and one BraTS stack."""
    folder = tmp_path_factory.mktemp("miniature")
    (folder / "data" / "stacks" / "case-1").mkdir(parents=True)
    with zipfile.ZipFile(folder / "data" / "lgg.zip", "w") as archive:
        for patient in range(1, 5):
            for k in range(1, 7):
                image, mask = picture(10 * patient + k)
                mask = mask if 2 < k < 6 else np.zeros_like(mask)
                channels = np.stack([255 - image, image, image // 2], axis=-1)
                base = f"kaggle_3m/TCGA_AA_000{patient}_19990101/TCGA_AA_000{patient}_19990101_{k}"
                for name, data in ((f"{base}.tif", channels), (f"{base}_mask.tif", mask)):
                    content = io.BytesIO()
                    tifffile.imwrite(content, data)
                    archive.writestr(name, content.getvalue())
    stacks = folder / "data" / "stacks" / "case-1"
    pictures = [picture(k) for k in range(6)]
    images = np.stack([np.where(p < 30, 0, p) for p, _ in pictures]).astype(np.uint8)
    reference = np.zeros_like(images)
    reference[2:5, 20:30, 34:44] = 2
    reference[2:5, 22:28, 36:42] = 1
    reference[2:5, 22:25, 36:42] = 3
    for name, data in (("flair", images), ("t1ce", images[:, :, ::-1]), ("seg", reference)):
        tifffile.imwrite(stacks / f"{name}.tif", data)
    return folder


@pytest.fixture
def recipe_path(data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The miniature recipe; each test has its own work and model folder."""
    monkeypatch.delenv("BRAINSEG_DATA", raising=False)
    text = MINIATURE.format(folder=tmp_path.as_posix())
    text = text.replace(
        f'root = "{tmp_path.as_posix()}/data"', f'root = "{(data_folder / "data").as_posix()}"'
    )
    path = tmp_path / "miniature.toml"
    path.write_text(text)
    return path
