from __future__ import annotations

import errno
import tempfile
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper
from safetensors.torch import load_file, save_file

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.io import atomic
from brainseg_desktop.training.architectures import build_network
from brainseg_desktop.training.checkpoint import (
    CHECKPOINT,
    EpochRecord,
    Progress,
    load_checkpoint,
    load_trained,
    read_history,
    save_checkpoint,
    write_history,
)
from brainseg_desktop.training.loop import start_state
from brainseg_desktop.training.schedules import Plateau
from brainseg_desktop.training.start import load_start
from tests.training.miniature import make_recipe

CPU = torch.device("cpu")


def silent(line: str) -> None:
    pass


def learnt_state(folder: Path, **tables):
    """A state after a few steps on noise."""
    state = start_state(make_recipe(folder, **tables), CPU, silent)
    for seed in range(3):
        images = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(seed))
        state.network(images).square().mean().backward()
        state.optimizer.step()
    return state


def test_a_state_comes_back_as_it_was(tmp_path):
    state = learnt_state(tmp_path, schedule={"ema": 0.9, "early_stop": 3})
    state.best = {k: v + 1 for k, v in state.network.state_dict().items()}
    record = EpochRecord(epoch=1, step=3, seconds=0.1, learning_rate=1e-3, train_loss=1 / 3)
    state.progress = Progress(
        step=3, loss_sum=0.1, loss_count=1, plateau=Plateau(0.5, 0.25, 2), best_dice=0.7, history=(record,)
    )
    save_checkpoint(state, tmp_path)
    fresh = start_state(make_recipe(tmp_path, seed=99, schedule={"ema": 0.9}), CPU, silent)
    load_checkpoint(fresh, tmp_path)
    assert fresh.progress == state.progress
    for name in ("average", "best"):
        kept, loaded = getattr(state, name), getattr(fresh, name)
        assert all(torch.equal(kept[k], loaded[k]) for k in kept)
    for k, v in state.network.state_dict().items():
        assert torch.equal(v, fresh.network.state_dict()[k])
    for parameter, same in zip(state.network.parameters(), fresh.network.parameters(), strict=True):
        kept, loaded = state.optimizer.state[parameter], fresh.optimizer.state[same]
        assert kept.keys() == loaded.keys() == {"step", "exp_avg", "exp_avg_sq"}
        for name in kept:
            assert torch.equal(kept[name], loaded[name])
            assert kept[name].stride() == loaded[name].stride()


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EACCES])
def test_a_write_that_fails_leaves_the_last_checkpoint(tmp_path, monkeypatch, error):
    state = learnt_state(tmp_path)
    save_checkpoint(state, tmp_path)
    before = (tmp_path / CHECKPOINT).read_bytes()
    state.progress = Progress(step=9)

    def fail(path: Path, data: bytes) -> None:
        path.write_bytes(data[: len(data) // 2])
        raise OSError(error, "no")

    monkeypatch.setattr(atomic, "write_synced", fail)
    with pytest.raises(UserError) as caught:
        save_checkpoint(state, tmp_path)
    assert caught.value.code == {errno.ENOSPC: "disk_full", errno.EACCES: "no_permission"}[error]
    assert (tmp_path / CHECKPOINT).read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [CHECKPOINT]


def test_nothing_to_resume_is_told(tmp_path):
    state = learnt_state(tmp_path)
    with pytest.raises(UserError) as caught:
        load_checkpoint(state, tmp_path)
    assert caught.value.code == "checkpoint_missing"


@pytest.mark.parametrize(
    "other", [{"network": {"widths": [4, 12]}}, {"schedule": {"ema": 0.5}}, {"regions": ["WT", "TC"]}]
)
def test_a_checkpoint_of_another_recipe_is_refused(tmp_path, other):
    save_checkpoint(learnt_state(tmp_path), tmp_path)
    with pytest.raises(UserError) as caught:
        load_checkpoint(start_state(make_recipe(tmp_path, **other), CPU, silent), tmp_path)
    assert caught.value.code == "checkpoint_unfit"


@pytest.mark.parametrize("damage", [lambda b: b[:-100], lambda b: b"", lambda b: b"x" * 400])
def test_a_damaged_checkpoint_is_refused(tmp_path, damage):
    state = learnt_state(tmp_path)
    save_checkpoint(state, tmp_path)
    path = tmp_path / CHECKPOINT
    path.write_bytes(damage(path.read_bytes()))
    for load in (lambda: load_checkpoint(state, tmp_path), lambda: load_trained(state.network, tmp_path)):
        with pytest.raises(UserError) as caught:
            load()
        assert caught.value.code == "checkpoint_unfit"


@pytest.mark.parametrize("which", ["best", "average", "network"])
def test_the_weights_to_use(tmp_path, which):
    state = learnt_state(tmp_path)
    own = {k: v.clone() for k, v in state.network.state_dict().items()}
    if which != "network":
        state.average = {k: v + 1 for k, v in own.items()}
    if which == "best":
        state.best = {k: v + 2 for k, v in own.items()}
    save_checkpoint(state, tmp_path)
    network = build_network(make_recipe(tmp_path).network, 4, 1)
    load_trained(network, tmp_path)
    added = {"best": 2, "average": 1, "network": 0}[which]
    assert all(torch.equal(v, own[k] + added) for k, v in network.state_dict().items())


numbers = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(numbers, st.none() | numbers, st.dictionaries(st.text(max_size=5), numbers))))
def test_the_history_comes_back_exactly(epochs):
    records = tuple(
        EpochRecord(epoch=i, step=i, seconds=a, learning_rate=a, train_loss=a, validation_loss=b, metrics=m)
        for i, (a, b, m) in enumerate(epochs)
    )
    with tempfile.TemporaryDirectory() as folder:
        assert read_history(Path(folder)) == ()
        write_history(records, Path(folder))
        assert read_history(Path(folder)) == records


def test_a_fresh_network_starts_from_a_checkpoint(tmp_path):
    state = learnt_state(tmp_path, schedule={"ema": 0.9})
    state.average = {k: v + 1 for k, v in state.average.items()}
    save_checkpoint(state, tmp_path)
    lines: list[str] = []
    recipe = make_recipe(tmp_path, network={"start": str(tmp_path / CHECKPOINT)})
    started = start_state(recipe, CPU, lines.append)
    for k, v in started.network.state_dict().items():
        if "num_batches" not in k:
            assert torch.equal(v, state.average[k])
    assert "starts from" in lines[0]


def old_file(path: Path, outputs: int = 3) -> dict[str, np.ndarray]:
    """A file as version 0.1.0 has them: norms of two kinds, kernels in half precision, three regions."""
    network = build_network(make_recipe(path).network, 4, outputs)
    random = np.random.default_rng(0)
    tensors = {}
    for name, value in network.state_dict().items():
        if "num_batches" in name:
            continue
        values = random.normal(size=(2, *value.shape) if "norm" in name else value.shape).astype(np.float32)
        tensors[name] = values.astype(np.float16) if value.ndim == 4 else values
    initializers = [numpy_helper.from_array(v, k) for k, v in tensors.items()]
    initializers.append(numpy_helper.from_array(np.array(0, np.int64), "kind"))
    graph = helper.make_graph([], "unet", [], [], initializers)
    onnx.save(helper.make_model(graph), path)
    return tensors


@pytest.mark.parametrize(("kind", "row"), [("whole_head", 0), ("skull_stripped", 1)])
def test_an_old_onnx_file_is_adapted(tmp_path, kind, row):
    given = old_file(tmp_path / "old.onnx")
    lines: list[str] = []
    recipe = make_recipe(
        tmp_path,
        kinds=[kind],
        network={"start": str(tmp_path / "old.onnx")},
        preparation={"context": [-1, 0, 1]},
    )
    network = build_network(recipe.network, 12, 1)
    load_start(network, recipe, lines.append)
    state = {k: v.numpy() for k, v in network.state_dict().items()}
    kernel = state["encoder.0.conv1.weight"]
    np.testing.assert_array_equal(kernel[:, 4:8], given["encoder.0.conv1.weight"].astype(np.float32))
    assert not kernel[:, :4].any()
    assert not kernel[:, 8:].any()
    for part in ("weight", "bias", "running_mean", "running_var"):
        name = f"decoder.0.norm2.{part}"
        np.testing.assert_array_equal(state[name], given[name][row])
    np.testing.assert_array_equal(state["head.bias"], given["head.bias"][:1])
    np.testing.assert_array_equal(state["up.0.weight"], given["up.0.weight"].astype(np.float32))
    # The first kernel, six norms of four tensors each, the head's kernel and bias.
    assert "27 of them adapted (the first is encoder.0.conv1.weight)" in lines[0]


def test_more_outputs_than_the_file_has_keep_their_own_start(tmp_path):
    given = old_file(tmp_path / "old.onnx", outputs=1)
    recipe = make_recipe(tmp_path, network={"start": str(tmp_path / "old.onnx")})
    network = build_network(recipe.network, 4, 3)
    own = network.head.bias.detach().clone()
    load_start(network, recipe, silent)
    assert network.head.bias.tolist() == [given["head.bias"][0], *own[1:].tolist()]


def test_a_file_that_does_not_fit_is_refused(tmp_path):
    state = learnt_state(tmp_path)
    save_checkpoint(state, tmp_path)
    few = {k: v for k, v in load_file(tmp_path / CHECKPOINT).items() if "head" not in k}
    save_file(few, tmp_path / "few.safetensors")
    (tmp_path / "text.onnx").write_text("no graph")
    (tmp_path / "text.safetensors").write_text("no tensors")
    cases = {
        "none.onnx": ("start_missing", {}),
        "few.safetensors": ("start_unfit", {}),
        "text.onnx": ("start_unfit", {}),
        "text.safetensors": ("start_unfit", {}),
        CHECKPOINT: ("start_unfit", {"widths": [4, 12]}),
    }
    for name, (code, network) in cases.items():
        recipe = make_recipe(tmp_path, network={"start": str(tmp_path / name), **network})
        with pytest.raises(UserError) as caught:
            start_state(recipe, CPU, silent)
        assert caught.value.code == code, name


def test_a_run_that_is_resumed_needs_no_start(tmp_path):
    recipe = make_recipe(tmp_path, network={"start": "gone.onnx"})
    start_state(recipe, CPU, silent, fresh=False)
    assert msgspec.json.decode(msgspec.json.encode(Progress()), type=Progress) == Progress()
