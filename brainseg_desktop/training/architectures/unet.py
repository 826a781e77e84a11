"""A 2-D U-Net whose convolutions are shared by all kinds of exam and whose batch norms are not.

Ronneberger et al., "U-Net", MICCAI 2015. One set of norm statistics and scales per kind of exam is
domain-specific batch normalisation (Chang et al., CVPR 2019): heads with a skull and stripped brains have
such different intensity statistics that one shared norm serves neither.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

REGION_COUNT = 3


class KindNorm(nn.Module):
    """Batch normalisation with its own statistics, scale and shift for every kind of exam."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, kinds: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(kinds, channels))
        self.bias = nn.Parameter(torch.zeros(kinds, channels))
        self.register_buffer("running_mean", torch.zeros(kinds, channels))
        self.register_buffer("running_var", torch.ones(kinds, channels))

    def forward(self, x: Tensor, kind: int) -> Tensor:
        return functional.batch_norm(
            x,
            self.running_mean[kind],
            self.running_var[kind],
            self.weight[kind],
            self.bias[kind],
            training=self.training,
            momentum=0.05,
        )


class DoubleConv(nn.Module):
    """Two 3x3 convolutions, each with norm and ReLU."""

    def __init__(self, inputs: int, outputs: int, kinds: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.norm1 = KindNorm(outputs, kinds)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = KindNorm(outputs, kinds)

    def forward(self, x: Tensor, kind: int) -> Tensor:
        x = functional.relu(self.norm1(self.conv1(x), kind), inplace=True)
        return functional.relu(self.norm2(self.conv2(x), kind), inplace=True)


class UNet(nn.Module):
    """Encoder, bottleneck, decoder with skip connections, and a 1x1 head for WT, TC and ET.

    Parameters
    ----------
    widths : sequence of int
        Channels of each encoder level; the last one is the bottleneck.
    inputs : int
        Sequences.
    kinds : int
        Kinds of exam.
    """

    def __init__(
        self, widths: Sequence[int] = (32, 64, 128, 256, 512), inputs: int = 4, kinds: int = 2
    ) -> None:
        super().__init__()
        self.widths = tuple(widths)
        levels = len(widths) - 1
        pairs = zip((inputs, *widths[:-1]), widths, strict=True)
        self.encoder = nn.ModuleList(DoubleConv(i, o, kinds) for i, o in pairs)
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(widths[n + 1], widths[n], 2, stride=2) for n in range(levels)
        )
        self.decoder = nn.ModuleList(DoubleConv(2 * widths[n], widths[n], kinds) for n in range(levels))
        self.head = nn.Conv2d(widths[0], REGION_COUNT, 1)

    def forward(self, x: Tensor, kind: int) -> Tensor:
        """Logits (N, 3, H, W) of slices (N, inputs, H, W) of one kind; H and W multiples of 2**levels."""
        skips: list[Tensor] = []
        for level, block in enumerate(self.encoder):
            x = block(x if level == 0 else functional.max_pool2d(x, 2), kind)
            skips.append(x)
        skips.pop()
        for level in reversed(range(len(skips))):
            x = self.decoder[level](torch.cat([skips[level], self.up[level](x)], dim=1), kind)
        logits: Tensor = self.head(x)
        return logits


def count_parameters(network: nn.Module) -> int:
    """Trainable numbers of a network."""
    return sum(p.numel() for p in network.parameters())
