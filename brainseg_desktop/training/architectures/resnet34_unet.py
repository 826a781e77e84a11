"""A U-Net whose encoder is ResNet-34 (He et al., CVPR 2016), with torchvision's parameter names.

ImageNet weights in torchvision's form fit it. The decoder resizes, joins and convolves; a shallow branch at
full resolution, which ResNet lacks, keeps outlines sharp.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.training.architectures.blocks import DoubleConv, convolution, norm

STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))
STEM = 32
DECODER = (256, 128, 64, 64, 32)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside the identity, or beside a 1x1 convolution where size or channels change."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = convolution(inputs, outputs, stride)
        self.bn1 = norm(outputs)
        self.conv2 = convolution(outputs, outputs)
        self.bn2 = norm(outputs)
        self.downsample = (
            nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), norm(outputs))
            if stride > 1 or inputs != outputs
            else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.bn1(self.conv1(x)), inplace=True)
        return functional.relu(self.bn2(self.conv2(y)) + self.downsample(x), inplace=True)


class ResNet34(nn.Module):
    """The encoder: five feature maps, at 1/2, 1/4, 1/8, 1/16 and 1/32 of the size (rounded up)."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = norm(64)
        channels, stages = 64, []
        for index, (width, blocks) in enumerate(STAGES):
            first = BasicBlock(channels, width, stride=1 if index == 0 else 2)
            stages.append(nn.Sequential(first, *(BasicBlock(width, width, 1) for _ in range(blocks - 1))))
            channels = width
        self.layer1, self.layer2, self.layer3, self.layer4 = stages

    def forward(self, x: Tensor) -> list[Tensor]:
        x = functional.relu(self.bn1(self.conv1(x)), inplace=True)
        maps = [x]
        x = functional.max_pool2d(x, 3, stride=2, padding=1)
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
            maps.append(x)
        return maps


class ResNet34UNet(nn.Module):
    """ResNet-34 encoder, decoder with skip connections down to full resolution, and a 1x1 head."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.stem = DoubleConv(inputs, STEM)
        self.encoder = ResNet34(inputs)
        skipped = (256, 128, 64, 64, STEM)
        arriving = (512, *DECODER[:-1])
        triples = zip(arriving, skipped, DECODER, strict=True)
        self.decoder = nn.ModuleList(DoubleConv(a + s, d) for a, s, d in triples)
        self.head = nn.Conv2d(DECODER[-1], outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, outputs, H, W) of slices (N, inputs, H, W)."""
        skips: list[Tensor] = [self.stem(x), *self.encoder.forward(x)]
        x = skips.pop()
        for block, skip in zip(self.decoder, reversed(skips), strict=True):
            # To the skip's size and not times two: 1/32 of a multiple of 16 is rounded up.
            x = block(
                torch.cat([functional.interpolate(x, size=skip.shape[2:], mode="nearest"), skip], dim=1)
            )
        logits: Tensor = self.head(x)
        return logits


def load_encoder(encoder: ResNet34, path: Path | None, tell: Callable[[str], None]) -> None:
    """Give the encoder ImageNet weights from a local safetensors file, and say where its weights come from.

    The first convolution has other channels than red, green and blue: each gets their mean, scaled so that
    the sum over all channels stays.

    Parameters
    ----------
    path : Path or None
        A file with torchvision's names (``conv1.weight``, ``layer1.0.bn1.bias``, ...), with or without
        ``encoder.`` before them; None to learn from scratch.

    Raises
    ------
    UserError
        ``encoder_weights_unfit`` (params ``path``, ``reason``).
    """
    if path is None:
        tell("The ResNet-34 encoder learns from scratch: no ImageNet weights were given.")
        return
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        given = {name.removeprefix("encoder."): value for name, value in load_file(path).items()}
        encoder.load_state_dict(adapted(given, encoder))
    except (OSError, SafetensorError, KeyError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise UserError("encoder_weights_unfit", path=path, reason=reason) from error
    tell(f"The ResNet-34 encoder starts from the ImageNet weights in {path}.")


def adapted(given: Mapping[str, Tensor], encoder: ResNet34) -> dict[str, Tensor]:
    """Torchvision's tensors for an encoder with any number of input channels.

    Raises
    ------
    KeyError
        If one is missing.
    """
    own = encoder.state_dict()
    # Older files lack the counters of batches, which nothing here depends on.
    state = {
        name: given.get(name, value) if "num_batches" in name else given[name] for name, value in own.items()
    }
    kernel, inputs = state["conv1.weight"], own["conv1.weight"].shape[1]
    if kernel.shape[1] != inputs:
        state["conv1.weight"] = kernel.mean(dim=1, keepdim=True).repeat(1, inputs, 1, 1) * (
            kernel.shape[1] / inputs
        )
    return state
