"""Layers that several networks share."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

# A batch holds few slices, so its statistics are added to the running ones in small portions.
MOMENTUM = 0.05


def convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """A 3x3 convolution without bias: the norm beside it has one."""
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)


def norm(channels: int) -> nn.BatchNorm2d:
    """Batch normalisation (Ioffe & Szegedy, ICML 2015)."""
    return nn.BatchNorm2d(channels, momentum=MOMENTUM)


class DoubleConv(nn.Module):
    """Two 3x3 convolutions, each with norm and ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = convolution(inputs, outputs)
        self.norm1 = norm(outputs)
        self.conv2 = convolution(outputs, outputs)
        self.norm2 = norm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.norm1(self.conv1(x)), inplace=True)
        return functional.relu(self.norm2(self.conv2(x)), inplace=True)
