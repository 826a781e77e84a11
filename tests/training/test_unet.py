from __future__ import annotations

import torch

from brainseg_desktop.training.architectures.unet import KindNorm, UNet, count_parameters


def test_the_bundled_size_has_7_8_million_parameters():
    # 7,757,507 of convolutions and head, and 5,888 for the norms of each kind.
    assert count_parameters(UNet()) == 7_769_283
    assert count_parameters(UNet(kinds=1)) == 7_763_395


def test_output_has_the_size_of_the_input():
    assert UNet((4, 8, 16))(torch.zeros(2, 4, 16, 24), 0).shape == (2, 3, 16, 24)


def test_a_kind_moves_its_own_statistics_only():
    norm = KindNorm(3, 2).train()
    norm(torch.randn(4, 3, 8, 8) * 5 + 7, 1)
    assert torch.equal(norm.running_mean[0], torch.zeros(3))
    assert (norm.running_mean[1] > 0.1).all()


def test_kinds_answer_differently_once_their_norms_differ():
    network = UNet((4, 8)).eval()
    x = torch.randn(1, 4, 8, 8)
    assert torch.equal(network(x, 0), network(x, 1))
    with torch.no_grad():
        network.encoder[0].norm1.bias[1] += 1
    assert not torch.equal(network(x, 0), network(x, 1))
