"""A U-Net with a transformer at its bottleneck and skip connections (after Chen et al., "TransUNet", 2021).

Two choices make it learn from scratch on few patients. Convolutions, not patches, make the tokens. And
positions come from a convolution over the tokens (Chu et al., "Conditional positional encodings", ICLR 2023),
so that whole slices, larger than the patches of the training, are no unknown country.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from brainseg_desktop.training.architectures.unet import UNet

WIDTHS = (32, 64, 128, 256, 256)
LAYERS = 6
HEAD_CHANNELS = 32
EXPANSION = 4


class TransformerLayer(nn.Module):
    """Self-attention of several heads and a perceptron, each after a norm and beside the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.heads = channels // HEAD_CHANNELS
        self.norm1 = nn.LayerNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.projection = nn.Linear(channels, channels)
        self.norm2 = nn.LayerNorm(channels)
        self.widen = nn.Linear(channels, EXPANSION * channels)
        self.narrow = nn.Linear(EXPANSION * channels, channels)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (N, L, channels), in and out."""
        tokens = tokens + self.attend(self.norm1(tokens))
        wide = functional.gelu(self.widen(self.norm2(tokens)))
        sum_: Tensor = tokens + self.narrow(wide)
        return sum_

    def attend(self, tokens: Tensor) -> Tensor:
        n, length, channels = tokens.shape
        parts = self.qkv(tokens).reshape(n, length, 3, self.heads, HEAD_CHANNELS).permute(2, 0, 3, 1, 4)
        query, key, value = parts.unbind(0)
        seen = functional.scaled_dot_product_attention(query, key, value)
        joined: Tensor = self.projection(seen.transpose(1, 2).reshape(n, length, channels))
        return joined


class Transformer(nn.Module):
    """Transformer layers over the places of a feature map (N, channels, H, W) of any size."""

    def __init__(self, channels: int, layers: int) -> None:
        super().__init__()
        self.position = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.layers = nn.ModuleList(TransformerLayer(channels) for _ in range(layers))
        self.norm = nn.LayerNorm(channels)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.position(x)
        tokens = x.flatten(2).transpose(1, 2)
        for layer in self.layers:
            tokens = layer(tokens)
        answer: Tensor = self.norm(tokens).transpose(1, 2).reshape(x.shape)
        return answer


class TransUNet(UNet):
    """See `UNet`; the bottleneck's convolutions are followed by a transformer.

    Parameters
    ----------
    widths : sequence of int
        The last one is a multiple of 32, the channels of an attention head.
    """

    def __init__(
        self, inputs: int, outputs: int, widths: Sequence[int] = WIDTHS, layers: int = LAYERS
    ) -> None:
        super().__init__(inputs, outputs, widths)
        self.encoder[-1] = nn.Sequential(self.encoder[-1], Transformer(widths[-1], layers))
