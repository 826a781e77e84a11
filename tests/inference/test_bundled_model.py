"""The network that is shipped, and the real exams it was made for."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.inference.card import Model
from brainseg_desktop.inference.kinds import detect_kind
from brainseg_desktop.inference.onnx_backend import OnnxSegmenter
from brainseg_desktop.inference.preprocess import KINDS, prepare
from brainseg_desktop.inference.registry import find_model

REPOSITORY = Path(__file__).parents[2]
DATA = Path(os.environ.get("BRAINSEG_DATA") or REPOSITORY / ".." / "shared" / "data")

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"no real cases in {DATA}")


@pytest.fixture(scope="module")
def bundled() -> Model:
    return find_model(REPOSITORY / "models", "glioma-unet")


def test_the_bundled_networks_fit_16_mib(bundled):
    files = [p for p in (REPOSITORY / "models").rglob("*") if p.is_file()]
    assert sum(p.stat().st_size for p in files) <= 16 * 2**20
    assert bundled.card.licence == "CC BY-NC-SA 4.0"
    for network in bundled.card.networks:
        assert network.preparation.channels == ("T1", "T1CE", "T2", "FLAIR")


def test_the_card_tells_both_kinds_of_exam(bundled):
    assert bundled.card.regions == {"whole_head": ("WT",), "skull_stripped": ("WT", "TC", "ET")}


def test_the_card_keeps_patients_apart(bundled):
    for network in bundled.card.networks:
        sides = (network.train, network.validation, network.test)
        assert len({*network.train, *network.validation, *network.test}) == sum(map(len, sides))
    heads, stripped = (bundled.card.network_for(kind) for kind in KINDS)
    # TCGA_DU_7294 is in other data sets too.
    assert "TCGA_DU_7294" not in (*heads.train, *heads.validation)
    assert "BraTS2021_00006" not in (*stripped.train, *stripped.validation)


@pytest.mark.parametrize("kind", KINDS)
def test_both_backends_agree_on_the_bundled_weights(bundled, kind):
    torch = pytest.importorskip("torch")
    from brainseg_desktop.inference.torch_backend import TorchSegmenter

    torch.set_num_threads(1)
    channels = bundled.card.network_for(kind).preparation.input_channels
    slices = np.random.default_rng(0).normal(size=(1, channels, 48, 64)).astype(np.float32)
    by_onnx = OnnxSegmenter(bundled, threads=1).predict(slices, kind)
    by_torch = TorchSegmenter(bundled, "cpu").predict(slices, kind)
    assert by_onnx.std() > 0
    assert np.abs(by_onnx - by_torch).max() < 1e-3


@pytest.mark.data
@needs_data
def test_stripped_exam_in_any_export_is_stripped():
    import nibabel

    folder = DATA / "brats" / "BraTS2021_00006"
    image = nibabel.as_closest_canonical(nibabel.load(folder / "BraTS2021_00006_flair.nii.gz"))
    flair = np.asarray(image.dataobj).astype(np.float32)
    tissue = flair[flair > 0]
    exports = {
        "raw": flair,
        "shifted": flair + 1000,
        "z-scored with its minimum around": (flair - flair.mean()) / flair.std(),
        "z-scored with zero around": np.where(flair > 0, (flair - tissue.mean()) / tissue.std(), 0),
    }
    prepared = {name: prepare({Sequence.FLAIR: data}, (1.0, 1.0)) for name, data in exports.items()}
    assert {name: p.kind for name, p in prepared.items()} == dict.fromkeys(exports, "skull_stripped")
    # The network sees the same brain in each of them.
    brain = prepared["raw"].slices[75, 3] > -1
    for other in prepared.values():
        if other.frame == prepared["raw"].frame:
            difference = np.abs(other.slices[75, 3] - prepared["raw"].slices[75, 3])[brain]
            assert np.median(difference) < 0.1


@pytest.mark.data
@needs_data
def test_lgg_patients_are_whole_heads():
    pytest.importorskip("torch")
    from brainseg_desktop.training.config import SourceConfig
    from brainseg_desktop.training.data.sources import find_entries

    # One of each institute; A60K has a thin scalp and a clean background.
    patients = ("TCGA_CS_6668", "TCGA_DU_6408", "TCGA_EZ_7264", "TCGA_FG_A60K", "TCGA_HT_7882")
    source = SourceConfig(kind="lgg", path="lgg-mri-segmentation.zip", coding="lgg", cases=patients)
    entries = find_entries(DATA, source, [])
    assert len(entries) == len(patients)
    for exam in (entry.read([]) for entry in entries):
        assert detect_kind(exam.volumes) == "whole_head", exam.name
        for sequence, data in exam.volumes.items():
            assert detect_kind({sequence: data}) == "whole_head", (exam.name, sequence)
