"""A U-Net whose skip connections pass through attention gates (Oktay et al., MIDL 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from brainseg_desktop.training.architectures.unet import WIDTHS, UNet


class AttentionGate(nn.Module):
    """Additive attention: weighs each place of a skip connection by what the coarser level sees there.

    Parameters
    ----------
    skipped, gating : int
        Channels of the skip connection and of the coarser level, which has half its height and width.
    """

    def __init__(self, skipped: int, gating: int) -> None:
        super().__init__()
        between = max(1, skipped // 2)
        self.theta = nn.Conv2d(skipped, between, 2, stride=2, bias=False)
        self.phi = nn.Conv2d(gating, between, 1)
        self.psi = nn.Conv2d(between, 1, 1)

    def forward(self, x: Tensor, coarser: Tensor) -> Tensor:
        seen = functional.relu(self.theta(x) + self.phi(coarser))
        weight = self.psi(seen).sigmoid()
        return x * functional.interpolate(weight, scale_factor=2, mode="bilinear", align_corners=False)


class AttentionUNet(UNet):
    """See `UNet`; every skip connection has an `AttentionGate`."""

    def __init__(self, inputs: int, outputs: int, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__(inputs, outputs, widths)
        self.gate = nn.ModuleList(AttentionGate(fine, coarse) for fine, coarse in pairwise(widths))

    def skip(self, level: int, x: Tensor, coarser: Tensor) -> Tensor:
        gated: Tensor = self.gate[level](x, coarser)
        return gated
