from __future__ import annotations

import copy
import functools

import pytest
import torch
from safetensors.torch import save_file

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.training.architectures import build_network, count_parameters
from brainseg_desktop.training.architectures.attention_unet import AttentionGate
from brainseg_desktop.training.architectures.resnet34_unet import ResNet34
from brainseg_desktop.training.architectures.trans_unet import Transformer
from brainseg_desktop.training.config import NetworkConfig

NAMES = ("unet", "attention_unet", "res_unet", "resnet34_unet", "trans_unet", "unet3d")
SMALL = {
    "unet": (4, 8, 8),
    "attention_unet": (4, 8, 8),
    "res_unet": (4, 8, 8),
    "resnet34_unet": (),
    "trans_unet": (4, 8, 32),
    "unet3d": (4, 8, 8),
}


@functools.cache
def small(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    return build_network(NetworkConfig(name=name, widths=SMALL[name]), 4, 3)


def images(name: str, *shape: int) -> torch.Tensor:
    n, channels, height, width = shape
    depth = (8,) if name == "unet3d" else ()
    return torch.randn(n, channels, *depth, height, width, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("unet", 7_763_395),
        ("attention_unet", 8_024_999),
        ("res_unet", 8_113_091),
        ("resnet34_unet", 24_544_611),
        ("trans_unet", 9_882_563),
        ("unet3d", 5_645_667),
    ],
)
def test_parameters(name, parameters):
    with torch.device("meta"):
        network = build_network(NetworkConfig(name=name), 4, 3)
    assert count_parameters(network) == parameters


def test_resnet34_is_that_of_the_paper():
    # torchvision counts 21,797,672, of which 513,000 are the classifier's.
    with torch.device("meta"):
        assert count_parameters(ResNet34(3)) == 21_797_672 - 513_000


def test_input_channels_and_outputs_are_the_only_other_numbers():
    with torch.device("meta"):
        base, wide = (build_network(NetworkConfig(), channels, 1) for channels in (4, 12))
    assert count_parameters(wide) - count_parameters(base) == 8 * 9 * 32
    assert count_parameters(base) == 7_763_395 - 2 * 33


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(16, 48), (80, 16)])
def test_output_has_the_size_of_the_input(name, size):
    network = small(name).eval()
    x = images(name, 1, 4, *size)
    with torch.no_grad():
        assert network(x).shape == (1, 3, *x.shape[2:])


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_learns(name):
    network = small(name).train()
    network.zero_grad()
    x = images(name, 2, 4, 32, 48)
    (network(x) * images(name, 2, 3, 32, 48)).sum().backward()
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert torch.count_nonzero(parameter.grad) > 0, parameter_name


@pytest.mark.parametrize("name", NAMES)
def test_half_precision_and_channels_last_say_the_same(name):
    network = small(name).eval()
    x = images(name, 2, 4, 32, 32)
    layout = torch.channels_last_3d if x.ndim == 5 else torch.channels_last
    with torch.no_grad():
        expected = network(x)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = (
                copy.deepcopy(network).to(memory_format=layout)(x.contiguous(memory_format=layout)).float()
            )
    assert (found - expected).abs().mean() < 0.03 * expected.std()


def test_the_unet_keeps_the_names_that_files_are_written_by():
    names = set(small("unet").state_dict())
    assert {"encoder.0.conv1.weight", "encoder.2.norm2.running_var", "up.1.bias"} <= names
    assert {"decoder.0.norm1.weight", "head.weight"} <= names
    assert "encoder.0.conv1.bias" not in names


def test_a_gate_lets_through_what_its_logit_says():
    gate = AttentionGate(4, 8)
    with torch.no_grad():
        gate.psi.weight.zero_()
        gate.psi.bias.fill_(2.0)
        x = torch.randn(1, 4, 8, 8)
        found = gate(x, torch.randn(1, 8, 4, 4))
    torch.testing.assert_close(found, x * torch.sigmoid(torch.tensor(2.0)))


def test_attention_looks_across_the_whole_slice():
    torch.manual_seed(0)
    transformer = Transformer(32, 2).eval()
    x = torch.randn(1, 32, 6, 7, requires_grad=True)
    transformer(x)[0, :, 0, 0].square().sum().backward()
    assert (x.grad[0].abs().sum(dim=0) > 0).all()


def test_tokens_know_where_they_are():
    torch.manual_seed(0)
    transformer = Transformer(32, 1).eval()
    found = transformer(torch.ones(1, 32, 5, 5))[0]
    assert not torch.allclose(found[:, 0, 0], found[:, 2, 2], atol=1e-3)
    torch.testing.assert_close(found[:, 2, 2], found[:, 2, 3 - 1])


def test_imagenet_weights_are_taken_from_a_file(tmp_path):
    torch.manual_seed(3)
    state = ResNet34(3).state_dict()
    state["fc.weight"] = torch.zeros(1000, 512)
    save_file(
        {k: v.contiguous() for k, v in state.items() if "num_batches" not in k}, tmp_path / "r.safetensors"
    )
    lines: list[str] = []
    config = NetworkConfig(name="resnet34_unet", encoder_weights=str(tmp_path / "r.safetensors"))
    encoder = build_network(config, 8, 1, lines.append).encoder
    assert "ImageNet" in lines[0]
    torch.testing.assert_close(encoder.layer3[2].conv1.weight, state["layer3.2.conv1.weight"])
    assert encoder.conv1.weight.shape == (64, 8, 7, 7)
    # A grey picture, the same on all channels, is answered alike.
    grey = torch.randn(1, 1, 32, 32)
    expected = torch.nn.functional.conv2d(grey.repeat(1, 3, 1, 1), state["conv1.weight"])
    found = torch.nn.functional.conv2d(grey.repeat(1, 8, 1, 1), encoder.conv1.weight)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    same = build_network(config, 3, 1, lines.append).encoder
    assert torch.equal(same.conv1.weight, state["conv1.weight"])


def test_learning_from_scratch_is_said():
    lines: list[str] = []
    build_network(NetworkConfig(name="resnet34_unet"), 4, 1, lines.append)
    assert "from scratch" in lines[0]


def test_a_file_of_other_weights_is_refused(tmp_path):
    save_file({"conv1.weight": torch.zeros(64, 3, 7, 7)}, tmp_path / "few.safetensors")
    (tmp_path / "text.safetensors").write_text("no weights")
    for name in ("few.safetensors", "text.safetensors", "none.safetensors"):
        with pytest.raises(UserError) as caught:
            build_network(NetworkConfig(name="resnet34_unet", encoder_weights=str(tmp_path / name)), 4, 1)
        assert caught.value.code == "encoder_weights_unfit"


@pytest.mark.parametrize(
    "config",
    [
        NetworkConfig(encoder_weights="x.safetensors"),
        NetworkConfig(name="resnet34_unet", widths=(8, 16)),
        NetworkConfig(widths=(8,)),
        NetworkConfig(widths=(8, 8, 8, 8, 8, 8)),
        NetworkConfig(widths=(8, 0)),
        NetworkConfig(depth=8),
        NetworkConfig(name="trans_unet", widths=(8, 40)),
        NetworkConfig(name="unet3d", depth=12),
    ],
)
def test_what_an_architecture_does_not_know_is_refused(config):
    with pytest.raises(UserError) as caught:
        build_network(config, 4, 3)
    assert caught.value.code == "network_unfit"
