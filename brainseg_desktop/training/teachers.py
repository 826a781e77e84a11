"""Networks that have learnt before and say what they see in the slices that another learns from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from brainseg_desktop.training.architectures import SLICE_MULTIPLE, build_network
from brainseg_desktop.training.checkpoint import load_weights
from brainseg_desktop.training.config import Recipe
from brainseg_desktop.training.folding import fold_norms
from brainseg_desktop.training.precision import autocast
from brainseg_desktop.training.targets import output_count


class Teachers:
    """The mean answer of some networks.

    Parameters
    ----------
    networks : sequence of nn.Module
    share : float
        Of their answer in the targets.
    bf16 : bool
        Convolutions in half precision.
    """

    def __init__(self, networks: Sequence[nn.Module], share: float, bf16: bool) -> None:
        self._networks, self._share, self._bf16 = networks, share, bf16

    @torch.no_grad()
    def softened(self, images: Tensor, targets: Tensor) -> Tensor:
        """Targets (N, R, ...) with the teachers' probabilities mixed in."""
        found = torch.zeros_like(targets)
        for network in self._networks:
            with autocast(images, images.device, self._bf16):
                logits = network(images)
            found += torch.sigmoid(logits.float())
        return torch.lerp(targets, found / len(self._networks), self._share)


def load_teachers(recipe: Recipe, device: torch.device, tell: Callable[[str], None]) -> Teachers | None:
    """The teachers of a recipe, None where it has none.

    Raises
    ------
    UserError
        ``checkpoint_missing`` or ``checkpoint_unfit`` (params ``path``, ``reason``).
    """
    config, volumes = recipe.teachers, recipe.network.name == "unet3d"
    if not config.weights or not config.share:
        return None
    layout = torch.channels_last_3d if volumes else torch.channels_last
    networks, inputs = [], recipe.preparation.input_channels
    for path in config.weights:
        # Drawing weights that are not kept must not change those of the network that learns.
        with torch.random.fork_rng(devices=[]):
            network = build_network(recipe.network, inputs, output_count(recipe))
        load_weights(network, Path(path))
        network.eval()
        if not volumes:
            fold_norms(network, torch.zeros(1, inputs, SLICE_MULTIPLE, SLICE_MULTIPLE))
        networks.append(network.to(device).to(memory_format=layout))  # type: ignore[call-overload]
    tell(f"{len(networks)} teachers have {config.share:.0%} of the say.")
    return Teachers(networks, config.share, recipe.schedule.bf16)
