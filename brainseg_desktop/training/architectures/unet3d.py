"""A 3-D U-Net (Cicek et al., MICCAI 2016) for slices that lie further apart than their pixels.

The first pooling halves the slices in-plane only; in-plane the network then has four levels and through the
slices three, so that blocks of eight slices or more fit.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from brainseg_desktop.training.architectures.blocks import MOMENTUM

WIDTHS = (16, 32, 64, 128, 256)


class DoubleConv3d(nn.Module):
    """Two 3x3x3 convolutions, each with norm and ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(inputs, outputs, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm3d(outputs, momentum=MOMENTUM)
        self.conv2 = nn.Conv3d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm3d(outputs, momentum=MOMENTUM)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.norm1(self.conv1(x)), inplace=True)
        return functional.relu(self.norm2(self.conv2(x)), inplace=True)


class UNet3d(nn.Module):
    """Encoder, bottleneck, decoder with skip connections, and a 1x1x1 head.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    widths : sequence of int
        Channels of each encoder level; the last one is the bottleneck.
    """

    def __init__(self, inputs: int, outputs: int, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        self.strides = strides(len(widths))
        pairs = zip((inputs, *widths[:-1]), widths, strict=True)
        self.encoder = nn.ModuleList(DoubleConv3d(i, o) for i, o in pairs)
        self.up = nn.ModuleList(
            nn.ConvTranspose3d(widths[n + 1], widths[n], stride, stride=stride)
            for n, stride in enumerate(self.strides)
        )
        self.decoder = nn.ModuleList(DoubleConv3d(2 * widths[n], widths[n]) for n in range(len(self.strides)))
        self.head = nn.Conv3d(widths[0], outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, outputs, D, H, W) of blocks (N, inputs, D, H, W)."""
        skips: list[Tensor] = []
        for level, block in enumerate(self.encoder):
            x = block(x if level == 0 else functional.max_pool3d(x, self.strides[level - 1]))
            skips.append(x)
        skips.pop()
        for level in reversed(range(len(skips))):
            x = self.decoder[level](torch.cat([skips[level], self.up[level](x)], dim=1))
        logits: Tensor = self.head(x)
        return logits


def strides(levels: int) -> tuple[tuple[int, int, int], ...]:
    """How much each pooling shrinks slices, rows and columns."""
    return tuple((1 if level == 0 else 2, 2, 2) for level in range(levels - 1))


def depth_multiple(levels: int) -> int:
    """What the number of slices of a block must be a multiple of."""
    return int(2 ** max(0, levels - 2))
