"""A 2-D U-Net (Ronneberger et al., MICCAI 2015) with batch norm."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from brainseg_desktop.training.architectures.blocks import DoubleConv

WIDTHS = (32, 64, 128, 256, 512)


class UNet(nn.Module):
    """Encoder, bottleneck, decoder with skip connections, and a 1x1 head.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    widths : sequence of int
        Channels of each encoder level; the last one is the bottleneck.
    block : callable
        Makes the layers of a level from its channels in and out.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        widths: Sequence[int] = WIDTHS,
        block: Callable[[int, int], nn.Module] = DoubleConv,
    ) -> None:
        super().__init__()
        levels = len(widths) - 1
        pairs = zip((inputs, *widths[:-1]), widths, strict=True)
        self.encoder = nn.ModuleList(block(i, o) for i, o in pairs)
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(widths[n + 1], widths[n], 2, stride=2) for n in range(levels)
        )
        self.decoder = nn.ModuleList(block(2 * widths[n], widths[n]) for n in range(levels))
        self.head = nn.Conv2d(widths[0], outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, outputs, H, W) of slices (N, inputs, H, W); H and W multiples of 2**levels."""
        skips: list[Tensor] = []
        for level, block in enumerate(self.encoder):
            x = block(x if level == 0 else functional.max_pool2d(x, 2))
            skips.append(x)
        skips.pop()
        for level in reversed(range(len(skips))):
            skip = self.skip(level, skips[level], x)
            x = self.decoder[level](torch.cat([skip, self.up[level](x)], dim=1))
        logits: Tensor = self.head(x)
        return logits

    def skip(self, level: int, x: Tensor, coarser: Tensor) -> Tensor:
        """What the decoder gets of an encoder level `x`, given the decoder's output one level coarser."""
        return x
