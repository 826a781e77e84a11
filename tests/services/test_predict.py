"""The network's rating of a case, by a worker of the tests and by the real one."""

import os
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from brainseg_desktop.core.case import Case, RaterKind, Rating
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.history import LabelMap
from brainseg_desktop.core.labels import WT, Tissue
from brainseg_desktop.core.metrics import confusion
from brainseg_desktop.core.volume import Sequence, Source, Volume
from brainseg_desktop.inference.registry import read_card
from brainseg_desktop.io.schemes import scheme_named
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.models import default_model_dir
from brainseg_desktop.services.predict import mean_uncertainty, predict_case
from brainseg_desktop.services.worker_client import WorkerClient
from brainseg_desktop.services.worker_messages import Segmentation

FAKE = Path(__file__).with_name("fake_worker.py")
DATA = Path(os.environ.get("BRAINSEG_DATA", Path(__file__).parents[3] / "shared" / "data"))
GRID = Grid((6, 5, 8), np.eye(4))
CARD = """
name = "glioma-unet"
version = "1"
title = "A model"
licence = "Apache-2.0"
[[networks]]
kinds = ["skull_stripped"]
weights = "glioma-unet.onnx"
sha256 = "abc"
architecture = "unet"
parameters = 1
regions = ["WT", "TC", "ET"]
"""


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "glioma-unet"
    folder.mkdir()
    (folder / "model.toml").write_text(CARD, encoding="utf-8")
    return folder


@pytest.fixture
def client(request):
    worker = WorkerClient([sys.executable, str(FAKE), getattr(request, "param", "good")])
    yield worker
    worker.close()


def head():
    data = np.zeros(GRID.shape, np.float32)
    data[2:4, 1:4, 2:6] = 100
    return data


def case_of(**arrays):
    volumes = {
        Sequence[name]: Volume(data, GRID, Source(Path(f"case_{name.lower()}.nii.gz"), ""), Sequence[name])
        for name, data in arrays.items()
    }
    return Case("case", GRID, volumes)


def test_a_prediction_is_a_new_rating_of_kind_model(client, model):
    case = case_of(FLAIR=head(), T1=head() / 2)
    seen, progress = [], []
    rating = predict_case(
        case,
        client,
        model,
        first_slice=3,
        on_slice=lambda z, tissues: seen.append((z, tissues.shape)),
        on_progress=lambda done, total, left: progress.append(done),
    )
    assert (rating.rater, rating.kind) == ("AI (glioma-unet)", RaterKind.MODEL)
    np.testing.assert_array_equal(rating.label_map.array, (head() > 50) * np.uint8(Tissue.OEDEMA))
    assert rating.probabilities.shape == (3, *GRID.shape)
    assert rating.probabilities.dtype == np.uint8
    assert rating.uncertainty.shape == GRID.shape
    # The stand-in says 51 of 255 bits inside its mask.
    assert rating.details["mean_uncertainty_bits"] == pytest.approx(0.2)
    assert seen[0] == (3, (6, 5))
    assert progress == list(range(1, 9))
    assert rating.details["sha256"] == "abc"
    assert {"model", "version", "exam_kind", "seconds", "device", "sequences_used"} <= set(rating.details)
    assert case.ratings == []
    assert rating.history.undo_names == ()


def test_it_never_takes_the_name_of_another_rating(client, model):
    case = case_of(FLAIR=head())
    scheme = scheme_named("brats2021")
    for name, kind in (("AI (glioma-unet)", RaterKind.HUMAN), ("AI (glioma-unet) 2", RaterKind.MODEL)):
        case.ratings.append(Rating(name, kind, LabelMap(np.zeros(GRID.shape, np.uint8)), scheme))
    rating = predict_case(case, client, model)
    assert rating.rater == "AI (glioma-unet) 3"
    assert [r.label_map.array.any() for r in case.ratings] == [False, False]


@pytest.mark.parametrize("client", ["whole"], indirect=True)
def test_a_whole_tumour_mask_is_written_with_a_scheme_that_holds_it(client, model):
    case = case_of(FLAIR=head())
    case.ratings.append(
        Rating(
            "Reference",
            RaterKind.REFERENCE,
            LabelMap(np.zeros(GRID.shape, np.uint8)),
            scheme_named("brats2023"),
        )
    )
    rating = predict_case(case, client, model)
    assert rating.scheme.name == "lgg"
    assert rating.scheme.encode(rating.label_map.array).max() == 1


def test_it_keeps_the_scheme_of_the_reference_where_it_can(client, model):
    case = case_of(FLAIR=head())
    empty = LabelMap(np.zeros(GRID.shape, np.uint8))
    case.ratings.append(Rating("Reference", RaterKind.REFERENCE, empty, scheme_named("brats2023")))
    assert predict_case(case, client, model).scheme.name == "brats2023"


@pytest.mark.parametrize("value", [np.nan, np.inf, 7.0])
def test_an_image_of_nothing_is_told(client, model, value):
    case = case_of(FLAIR=head(), T2=np.full(GRID.shape, value, np.float32))
    with pytest.raises(UserError) as caught:
        predict_case(case, client, model)
    assert caught.value.code == "sequence_unusable"
    assert caught.value.params == {"path": Path("case_t2.nii.gz"), "sequence": "T2"}
    assert not client.is_running


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_few_voxels_that_are_no_numbers_do_no_harm(client, model, value):
    data = head()
    data[0, 0, 0] = value
    assert predict_case(case_of(FLAIR=head(), T1=data), client, model).label_map.array.any()


def test_a_missing_model_is_told_before_anything_starts(client, tmp_path):
    with pytest.raises(UserError, match="model_missing"):
        predict_case(case_of(FLAIR=head()), client, tmp_path / "nothing")
    assert not client.is_running


def test_mean_uncertainty_is_that_of_the_outlined_voxels():
    labels = np.array([[[0, 1, 3]]], np.uint8)
    assert mean_uncertainty(labels, np.array([[[255, 51, 0]]], np.uint8)) == pytest.approx(0.1)
    assert mean_uncertainty(np.zeros_like(labels), labels) is None


def with_t2_on_another_grid():
    case = case_of(FLAIR=head(), T1=head() / 2)
    other = Grid((6, 5, 16), np.diag([1.0, 1.0, 0.5, 1.0]))
    data = np.random.default_rng(0).random(other.shape, np.float32)
    t2 = Volume(data, other, Source(Path("case_t2.nii.gz"), ""), Sequence.T2)
    return Case("case", GRID, {**case.volumes, Sequence.T2: t2})


class Recorder:
    """A client that keeps what it is given."""

    def __init__(self, error=None):
        self.inputs, self.error = None, error

    def segment(self, folder, inputs, spacing_mm, **more):
        self.inputs, self.spacing_mm = inputs, spacing_mm
        if self.error is not None:
            raise self.error
        labels = np.zeros(GRID.shape, np.uint8)
        present = tuple(s.value for s in inputs)
        return Segmentation(
            labels, labels[None], labels, ("WT",), "skull_stripped", present, "glioma-unet", "1", "cpu", 0.1
        )


def test_the_network_gets_no_sequence_of_another_grid(model):
    case, client = with_t2_on_another_grid(), Recorder()
    rating = predict_case(case, client, model)
    assert set(client.inputs) == {Sequence.FLAIR, Sequence.T1}
    assert all(data.shape == GRID.shape for data in client.inputs.values())
    assert client.spacing_mm == (1.0, 1.0)
    assert rating.details["sequences_used"] == ["FLAIR", "T1"]
    assert rating.details["sequences_off_grid"] == {"T2": "shape"}
    assert predict_case(case_of(FLAIR=head()), client, model).details["sequences_off_grid"] == {}


def test_it_is_told_why_a_network_lacks_what_the_exam_has(model):
    lacking = UserError("network_inputs_missing", wanted=["T2"], present=["FLAIR", "T1"])
    with pytest.raises(UserError) as caught:
        predict_case(with_t2_on_another_grid(), Recorder(lacking), model)
    assert caught.value.code == "network_inputs_off_grid"
    assert caught.value.params == {"wanted": ["T2"], "off_grid": ["T2"]}
    assert "grid" in words(caught.value)
    # What is in no grid at all is simply missing.
    for other in (
        UserError("network_inputs_missing", wanted=["T1CE"], present=["FLAIR"]),
        UserError("out_of_memory"),
    ):
        with pytest.raises(UserError) as caught:
            predict_case(with_t2_on_another_grid(), Recorder(other), model)
        assert caught.value is other


def test_cancel_comes_through(client, model):
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(UserError, match="cancelled"):
        predict_case(case_of(FLAIR=head()), client, model, cancel=cancel)


@pytest.mark.slow
@pytest.mark.data
def test_the_real_worker_outlines_the_real_case():
    opening = pytest.importorskip("brainseg_desktop.services.opening")
    layouts = pytest.importorskip("brainseg_desktop.io.layouts")
    folder = DATA / "brats" / "BraTS2021_00006"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    try:
        read_card(default_model_dir())
    except UserError as error:
        pytest.skip(f"no model: {error}")
    case = opening.open_case(layouts.find_case(folder), scheme=scheme_named("brats2021")).case
    worker = WorkerClient()
    try:
        first = []
        rating = predict_case(case, worker, first_slice=77, on_slice=lambda z, tissues: first.append(z))
        assert first[0] == 77
        assert sorted(first) == list(range(155))
        assert rating.label_map.shape == case.grid.shape
        reference = next(r for r in case.ratings if r.kind is RaterKind.REFERENCE)
        counts = confusion(WT.mask(reference.label_map.array), WT.mask(rating.label_map.array))
        assert counts.dice.value >= 0.8
    finally:
        worker.close()
    assert not worker.is_running
