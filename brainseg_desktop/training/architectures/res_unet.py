"""A U-Net of residual units (Zhang et al., "Road extraction by deep residual U-Net", IEEE GRSL 2018)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from brainseg_desktop.training.architectures.blocks import convolution, norm
from brainseg_desktop.training.architectures.unet import WIDTHS, UNet


class InputUnit(nn.Module):
    """Two 3x3 convolutions, norm and ReLU between them, beside a 1x1 projection; images go in as they are."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = convolution(inputs, outputs)
        self.norm2 = norm(outputs)
        self.conv2 = convolution(outputs, outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2(functional.relu(self.norm2(self.conv1(x)), inplace=True))
        sum_: Tensor = y + self.shortcut(x)
        return sum_


class ResidualUnit(InputUnit):
    """Norm, ReLU and convolution, twice ("full pre-activation"), beside the projection."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs)
        self.norm1 = norm(inputs)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(functional.relu(self.norm1(x)))
        y = self.conv2(functional.relu(self.norm2(y), inplace=True))
        sum_: Tensor = y + self.shortcut(x)
        return sum_


class ResUNet(UNet):
    """See `UNet`; its levels are residual units."""

    def __init__(self, inputs: int, outputs: int, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__(inputs, outputs, widths, ResidualUnit)
        self.encoder[0] = InputUnit(inputs, widths[0])
