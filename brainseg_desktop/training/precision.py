"""When a network is run in half precision."""

from __future__ import annotations

import torch
from torch import Tensor


def autocast(images: Tensor, device: torch.device, asked: bool) -> torch.autocast:
    """bfloat16 where it was asked for and gives right results.

    On a CPU 3D convolutions in bfloat16 give a value that is not finite now and then, of the same images and
    weights (torch 2.13.0: one run of six of a small 3D U-Net); there 32 bits are used.

    Parameters
    ----------
    images : (n, channels, rows, columns) or (n, channels, slices, rows, columns) tensor
    """
    safe = device.type != "cpu" or images.ndim == 4
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=asked and safe)
