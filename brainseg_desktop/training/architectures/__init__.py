"""Networks by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from torch import nn

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.training.architectures import trans_unet, unet, unet3d
from brainseg_desktop.training.architectures.attention_unet import AttentionUNet
from brainseg_desktop.training.architectures.res_unet import ResUNet
from brainseg_desktop.training.architectures.resnet34_unet import ResNet34UNet, load_encoder
from brainseg_desktop.training.config import NetworkConfig

# Every slice that a network meets is a multiple of it, in rows and columns.
SLICE_MULTIPLE = 16
MOST_LEVELS = 5


def build_network(
    config: NetworkConfig, channels: int, outputs: int, tell: Callable[[str], None] = lambda line: None
) -> nn.Module:
    """A network by the name of its architecture, with fresh weights.

    Parameters
    ----------
    channels : int
        Of the input: sequences, times the slices seen together (`Preparation.input_channels`).
    outputs : int
        Logits of a pixel (`targets.output_count`).
    tell : callable
        Told where the weights of an encoder come from.

    Returns
    -------
    nn.Module
        Slices (N, channels, H, W) to logits (N, outputs, H, W), H and W multiples of 16; ``unet3d`` takes
        and gives (N, ..., D, H, W), D a multiple of 8.

    Raises
    ------
    UserError
        ``network_unfit`` (params ``name``, ``reason``), ``encoder_weights_unfit``.
    """
    reason = _unfit(config)
    if reason:
        raise UserError("network_unfit", name=config.name, reason=reason)
    match config.name:
        case "unet":
            return unet.UNet(channels, outputs, config.widths or unet.WIDTHS)
        case "attention_unet":
            return AttentionUNet(channels, outputs, config.widths or unet.WIDTHS)
        case "res_unet":
            return ResUNet(channels, outputs, config.widths or unet.WIDTHS)
        case "trans_unet":
            return trans_unet.TransUNet(channels, outputs, config.widths or trans_unet.WIDTHS)
        case "unet3d":
            return unet3d.UNet3d(channels, outputs, config.widths or unet3d.WIDTHS)
        case "resnet34_unet":
            network = ResNet34UNet(channels, outputs)
            weights = Path(config.encoder_weights) if config.encoder_weights else None
            load_encoder(network.encoder, weights, tell)
            return network


def _unfit(config: NetworkConfig) -> str | None:
    """What of the configuration the architecture cannot follow, in words; None if nothing."""
    fixed = config.name == "resnet34_unet"
    if config.encoder_weights and not fixed:
        return "encoder_weights are for resnet34_unet"
    if config.widths and fixed:
        return "its widths are fixed"
    if config.widths and (not 2 <= len(config.widths) <= MOST_LEVELS or min(config.widths) < 1):
        return f"widths must be 2 to {MOST_LEVELS} numbers"
    if config.name == "trans_unet" and config.widths and config.widths[-1] % trans_unet.HEAD_CHANNELS:
        return f"the last of widths must be a multiple of {trans_unet.HEAD_CHANNELS}"
    if config.name == "unet3d":
        multiple = unet3d.depth_multiple(len(config.widths or unet3d.WIDTHS))
        if config.depth < 1 or config.depth % multiple:
            return f"depth must be a multiple of {multiple}"
    elif config.depth != NetworkConfig().depth:
        return "depth is for unet3d"
    return None


def count_parameters(network: nn.Module) -> int:
    """Trainable numbers of a network."""
    return sum(p.numel() for p in network.parameters())
