from __future__ import annotations

import math
import os
import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import torch
from safetensors.torch import load_file

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.training import learning, loop
from brainseg_desktop.training.architectures import build_network
from brainseg_desktop.training.batches import Batch, BatchSource
from brainseg_desktop.training.checkpoint import CHECKPOINT, Progress, read_history
from brainseg_desktop.training.losses import build_loss, cross_entropy
from brainseg_desktop.training.ranks import Ranks, joined
from tests.training.miniature import make_dataset, make_recipe

CPU = torch.device("cpu")
EVERYTHING = {
    "schedule": {
        "epochs": 4,
        "batch": 2,
        "accumulate": 2,
        "policy": "plateau",
        "ema": 0.9,
        "early_stop": 9,
        "checkpoint_every": 3,
    },
    "augment": {"flip": 0.5, "rotation": 10.0, "noise": 0.1, "drop": 0.2, "mix": 0.3},
    "optimizer": {"learning_rate": 1e-2},
}


def silent(line: str) -> None:
    pass


def bare(history) -> list[object]:
    """A history without its times."""
    return [msgspec.structs.replace(record, seconds=0.0) for record in history]


def course(recipe, state, loss=None, steps: int = 100) -> learning.Course:
    source = BatchSource(make_dataset().train, [], recipe)
    return learning.Course(
        recipe, Ranks(0, 1, CPU), source, [], loss or build_loss(recipe.loss), state.network, steps, silent
    )


class Stop(Exception):
    pass


def interrupted(monkeypatch, at: int):
    """A `learn` that fails before its step number `at`."""
    learn = loop.learn

    def failing(state, batches, course):
        if state.progress.step == at:
            raise Stop
        return learn(state, batches, course)

    monkeypatch.setattr(loop, "learn", failing)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    result = loop.train(make_recipe(folder, **EVERYTHING), make_dataset(), tell=silent)
    return result, load_file(folder / CHECKPOINT)


@pytest.mark.parametrize("at", [3, 4, 6, 8, 11])
def test_a_resumed_run_ends_where_an_unbroken_one_does(unbroken, tmp_path, monkeypatch, at):
    expected, tensors = unbroken
    recipe, dataset = make_recipe(tmp_path, **EVERYTHING), make_dataset()
    assert expected.steps == 12
    with monkeypatch.context() as patch:
        interrupted(patch, at)
        with pytest.raises(Stop):
            loop.train(recipe, dataset, tell=silent)
    lines: list[str] = []
    resumed = loop.train(recipe, dataset, resume=True, tell=lines.append)
    assert f"Resumed at step {at // 3 * 3}." in lines
    found = load_file(tmp_path / CHECKPOINT)
    assert found.keys() == tensors.keys()
    assert any(name.startswith("best.") for name in found)
    for name, tensor in tensors.items():
        assert torch.equal(found[name], tensor), name
    assert bare(resumed.history) == bare(expected.history) == bare(read_history(tmp_path))
    weights = expected.network.state_dict()
    assert all(torch.equal(v, weights[k]) for k, v in resumed.network.state_dict().items())


def test_a_run_killed_while_writing_is_resumed_from_the_checkpoint_before(unbroken, tmp_path, monkeypatch):
    expected, _ = unbroken
    recipe, dataset = make_recipe(tmp_path, **EVERYTHING), make_dataset()
    with monkeypatch.context() as patch:
        write, calls = loop.save_checkpoint, []

        def killed(state, folder):
            calls.append(state.progress.step)
            if len(calls) == 2:
                raise Stop
            write(state, folder)

        patch.setattr(loop, "save_checkpoint", killed)
        with pytest.raises(Stop):
            loop.train(recipe, dataset, tell=silent)
    (tmp_path / ".brainseg-torn").mkdir()
    (tmp_path / ".brainseg-torn" / CHECKPOINT).write_bytes(b"half")
    resumed = loop.train(recipe, dataset, resume=True, tell=silent)
    weights = expected.network.state_dict()
    assert all(torch.equal(v, weights[k]) for k, v in resumed.network.state_dict().items())


def test_a_finished_run_is_not_learnt_on(unbroken, tmp_path):
    recipe, dataset = make_recipe(tmp_path, **EVERYTHING), make_dataset()
    first = loop.train(recipe, dataset, tell=silent)
    again = loop.train(recipe, dataset, resume=True, tell=silent)
    assert again.steps == first.steps == 12
    assert again.stopped_because == "finished"
    weights = first.network.state_dict()
    assert all(torch.equal(v, weights[k]) for k, v in again.network.state_dict().items())


def test_it_learns(tmp_path):
    recipe = make_recipe(
        tmp_path,
        schedule={"epochs": 10, "ema": 0.9},
        optimizer={"learning_rate": 1e-2},
        network={"widths": [8, 8]},
    )
    lines: list[str] = []
    result = loop.train(recipe, make_dataset(8), tell=lines.append)
    assert result.history[-1].train_loss < 0.75 * result.history[0].train_loss
    assert result.history[-1].metrics["dice"] > 0.5
    assert set(result.history[-1].metrics) == {
        "dice",
        "iou",
        "accuracy",
        "precision",
        "sensitivity",
        "specificity",
    }
    assert [r.step for r in result.history] == [8 * e for e in range(1, 11)]
    assert any(line.startswith("epoch 7/10, step 50/80, loss ") and line.endswith(" left") for line in lines)
    assert not result.network.training


@pytest.mark.parametrize(
    "tables",
    [
        {"selection": {"targets": "classes"}, "loss": {"name": "ce_dice"}},
        {"selection": {"targets": "binary"}, "loss": {"name": "weighted_bce_dice"}},
        {"regions": ["WT", "TC", "ET"], "loss": {"name": "focal_tversky"}, "optimizer": {"name": "adam"}},
        {"network": {"name": "unet3d", "widths": [4, 8, 8], "depth": 4}},
        {"preparation": {"context": [-1, 0, 1]}, "sampling": {"balance": "patients", "patch": [16, 32]}},
    ],
)
def test_every_kind_of_recipe_runs(tmp_path, tables):
    recipe = make_recipe(tmp_path, schedule={"epochs": 1, "bf16": True}, **tables)
    result = loop.train(recipe, make_dataset(targets=recipe.selection.targets), tell=silent)
    assert len(result.history) == 1
    assert 0 <= result.history[0].metrics["dice"] <= 1
    assert result.history[0].validation_loss is not None


def test_blocks_and_neighbours_do_not_go_together(tmp_path):
    recipe = make_recipe(tmp_path, network={"name": "unet3d"}, preparation={"context": [-1, 0, 1]})
    with pytest.raises(UserError) as caught:
        loop.train(recipe, make_dataset(), tell=silent)
    assert caught.value.code == "network_unfit"


def test_gradients_add_up_to_those_of_a_large_batch(tmp_path, monkeypatch):
    # Norms as in use: their batch statistics would differ. Cross-entropy is a mean of slices, Dice is not.
    found = []
    for schedule in ({"batch": 8}, {"batch": 2, "accumulate": 4}, {"batch": 3, "accumulate": 3}):
        recipe = make_recipe(tmp_path, schedule=schedule)
        state = loop.start_state(recipe, CPU, silent)
        monkeypatch.setattr(state.network.eval(), "train", lambda: None)
        images = torch.randn(8, 4, 32, 32, generator=torch.Generator().manual_seed(1))
        targets = (images[:, :1] > 0.5).float()
        parts = (t.split(schedule["batch"]) for t in (images, targets, torch.ones(8, 1)))
        loss, _ = learning.learn(
            state, [Batch(*b) for b in zip(*parts, strict=True)], course(recipe, state, cross_entropy)
        )
        found.append((loss, [p.grad for p in state.network.parameters()]))
    for loss, gradients in found[1:]:
        assert loss == pytest.approx(found[0][0], rel=1e-5)
        for a, b in zip(gradients, found[0][1], strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-7)


def test_gradients_are_clipped(tmp_path):
    for clip, expected in ((0.01, 0.01), (0.0, None)):
        recipe = make_recipe(tmp_path, schedule={"clip": clip})
        state = loop.start_state(recipe, CPU, silent)
        run = course(recipe, state)
        learning.learn(state, run.source.draw(0), run)
        norm = math.sqrt(sum(float(p.grad.square().sum()) for p in state.network.parameters()))
        if expected is None:
            assert norm > 0.1
        else:
            assert norm == pytest.approx(expected, rel=1e-3)


def test_kernels_alone_decay(tmp_path):
    recipe = make_recipe(tmp_path, optimizer={"weight_decay": 0.3})
    state = loop.start_state(recipe, CPU, silent)
    decayed, others = state.optimizer.param_groups
    assert (decayed["weight_decay"], others["weight_decay"]) == (0.3, 0.0)
    assert all(p.ndim > 1 for p in decayed["params"])
    assert all(p.ndim == 1 for p in others["params"])
    count = sum(len(group["params"]) for group in (decayed, others))
    assert count == len(list(state.network.parameters()))


def test_the_average_moves_towards_weights_and_statistics(tmp_path):
    recipe = make_recipe(tmp_path, schedule={"ema": 0.9})
    state = loop.start_state(recipe, CPU, silent)
    state.progress = Progress(step=10**6)
    before = {k: v.clone() for k, v in state.average.items()}
    with torch.no_grad():
        state.network.head.weight += 1
        state.network.encoder[0].norm1.running_mean += 2
        state.network.encoder[0].norm1.num_batches_tracked += 5
    learning.update_average(state, recipe.schedule)
    torch.testing.assert_close(state.average["head.weight"], before["head.weight"] + 0.1)
    mean = "encoder.0.norm1.running_mean"
    torch.testing.assert_close(state.average[mean], before[mean] + 0.2)
    assert state.average["encoder.0.norm1.num_batches_tracked"] == 5


def scripted(monkeypatch, dice: list[float], losses: list[float] | None = None):
    """Validation that says what it is told to."""
    remaining = list(zip(losses or [1.0] * len(dice), dice, strict=True))

    def say(network, exams, recipe, loss):
        said, found = remaining.pop(0)
        seen.append({k: v.clone() for k, v in network.state_dict().items()})
        return said, {"dice": found}

    seen: list[dict[str, torch.Tensor]] = []
    monkeypatch.setattr(loop, "validate", say)
    return seen


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_early_stop_keeps_the_best(tmp_path, monkeypatch, ema):
    seen = scripted(monkeypatch, [0.1, 0.5, 0.4, 0.5, 0.9])
    recipe = make_recipe(tmp_path, schedule={"epochs": 9, "early_stop": 2, "ema": ema})
    result = loop.train(recipe, make_dataset(), tell=silent)
    assert result.stopped_because == "early_stop"
    assert len(result.history) == 4
    assert all(torch.equal(v, seen[1][k]) for k, v in result.network.state_dict().items())
    again = loop.train(recipe, make_dataset(), resume=True, tell=silent)
    assert (again.stopped_because, again.steps) == ("early_stop", result.steps)


def test_a_plateau_lowers_the_rate(tmp_path, monkeypatch):
    scripted(monkeypatch, [0.5] * 7, [1.0, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9])
    recipe = make_recipe(tmp_path, schedule={"epochs": 7, "policy": "plateau"})
    result = loop.train(recipe, make_dataset(), tell=silent)
    rates = [record.learning_rate / recipe.optimizer.learning_rate for record in result.history]
    assert rates == [1, 1, 1, 1, 1, 1, 0.5]


def test_it_stops_when_its_time_is_over(tmp_path):
    recipe = make_recipe(tmp_path, schedule={"epochs": 50, "minutes": 1e-6})
    result = loop.train(recipe, make_dataset(), tell=silent)
    assert (result.stopped_because, len(result.history)) == ("minutes", 1)
    assert (tmp_path / CHECKPOINT).is_file()


def test_steps_end_a_run_within_an_epoch(tmp_path):
    recipe = make_recipe(tmp_path, schedule={"steps": 4, "validate_every": 9})
    result = loop.train(recipe, make_dataset(), tell=silent)
    assert [(r.epoch, r.step, r.validation_loss is None) for r in result.history] == [
        (1, 3, True),
        (2, 4, False),
    ]


def test_without_anybody_to_validate_on_it_says_so(tmp_path):
    lines: list[str] = []
    recipe = make_recipe(tmp_path, schedule={"early_stop": 3, "policy": "plateau"})
    result = loop.train(recipe, make_dataset(validation=0), tell=lines.append)
    assert result.history[-1].validation_loss is None
    assert any("early_stop" in line for line in lines)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_checkpoint(tmp_path, monkeypatch, value):
    def broken(config):
        def loss(logits, targets, taught):
            calls.append(1)
            return logits.mean() * (value if len(calls) == 6 else 1.0)

        return loss

    calls: list[int] = []
    monkeypatch.setattr(loop, "build_loss", broken)
    monkeypatch.setattr(loop, "validate", lambda *_: (1.0, {}))
    recipe = make_recipe(tmp_path, schedule={"steps": 9, "checkpoint_every": 4})
    with pytest.raises(UserError) as caught:
        loop.train(recipe, make_dataset(), tell=silent)
    assert caught.value.code == "training_diverged"
    assert caught.value.params["step"] == 6
    assert all(torch.isfinite(v).all() for v in load_file(tmp_path / CHECKPOINT).values())
    assert loop.train(recipe, make_dataset(), resume=True, tell=silent).steps == 9


def test_seeds_decide(tmp_path):
    weights = []
    for seed in (1, 1, 2):
        recipe = make_recipe(tmp_path, seed=seed, schedule={"steps": 2})
        weights.append(loop.train(recipe, make_dataset(), tell=silent).network.state_dict()["head.weight"])
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_a_gpu_that_is_not_there_is_told(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError) as caught, joined("cuda"):
        pass
    assert caught.value.code == "cuda_missing"
    with joined("auto") as ranks:
        assert ranks == Ranks(0, 1, CPU)


PROLOGUE = """
import sys
from pathlib import Path

import torch
from torch import nn

from brainseg_desktop.training import learning, loop
from brainseg_desktop.training.architectures import build_network
from brainseg_desktop.training.batches import BatchSource
from brainseg_desktop.training.checkpoint import Progress, State
from brainseg_desktop.training.losses import cross_entropy
from brainseg_desktop.training.ranks import joined
from tests.training.miniature import make_dataset, make_recipe

out = Path(sys.argv[1])
recipe, dataset = make_recipe(out / "work", schedule={"accumulate": 2, "ema": 0.9}), make_dataset()
"""
GRADIENTS = """
with joined("cpu") as ranks:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(4, 3, 3, padding=1), nn.ReLU(), nn.Conv2d(3, 1, 1))
    optimizer = torch.optim.SGD(network.parameters(), lr=1.0)
    state = State(network, optimizer, None, None, Progress())
    source = BatchSource(dataset.train, [], recipe, ranks.rank, ranks.size)
    forward = learning.sharing(network, ranks)
    course = learning.Course(recipe, ranks, source, [], cross_entropy, forward, 9, print)
    learning.learn(state, source.draw(0), course)
    assert ranks.shared([float(ranks.rank)]) == [0.0]
    torch.save({k: p.grad for k, p in network.named_parameters()}, out / f"{ranks.size}{ranks.rank}.pt")
"""
WHOLE_RUN = """
result = loop.train(recipe, dataset, tell=print)
assert len(result.history) == 2
torch.save(dict(result.network.state_dict()), out / f"weights{sys.argv[2]}.pt")
"""


@pytest.mark.slow
def test_processes_share_the_gradient_of_the_joint_batch(tmp_path):
    for size in (1, 2):
        run_ranks(PROLOGUE + GRADIENTS, tmp_path, size)
    one, *two = (torch.load(tmp_path / f"{n}.pt", weights_only=True) for n in ("10", "20", "21"))
    for gradients in two:
        for name, gradient in gradients.items():
            torch.testing.assert_close(gradient, one[name], rtol=1e-5, atol=1e-7)


@pytest.mark.slow
def test_processes_end_with_the_same_weights_and_one_of_them_writes(tmp_path):
    outputs = run_ranks(PROLOGUE + WHOLE_RUN, tmp_path, 2)
    first, second = (torch.load(tmp_path / f"weights{r}.pt", weights_only=True) for r in range(2))
    for name, _ in build_network(make_recipe(tmp_path).network, 4, 1).named_parameters():
        assert torch.equal(first[name], second[name]), name
    assert "epoch 2/2 done" in outputs[0]
    assert "epoch" not in outputs[1]
    assert sorted(p.name for p in (tmp_path / "work").iterdir()) == [CHECKPOINT, "history.jsonl"]


def run_ranks(program: str, folder: Path, size: int) -> list[str]:
    """Run a program in several processes that find each other as torchrun's do; their standard output."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    processes = []
    for rank in range(size):
        place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "MASTER_ADDR": "127.0.0.1"}
        environment = {**os.environ, **{k: str(v) for k, v in place.items()}, "MASTER_PORT": port}
        environment |= {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-c", program, str(folder), str(rank)]
        processes.append(
            subprocess.Popen(
                command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        )
    try:
        outputs = [process.communicate(timeout=100) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    for process, (_, errors) in zip(processes, outputs, strict=True):
        assert process.returncode == 0, errors
    return [output for output, _ in outputs]
