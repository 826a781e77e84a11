"""Folds norms into the convolutions before them: a network that only answers is faster without."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fold_norms(network: nn.Module, example: Tensor) -> None:
    """Fold each batch norm, in place, into the convolution whose output it gets.

    Which norm belongs to which convolution is seen by running the example, so that it does not matter how an
    architecture names or nests them.
    """
    made: dict[int, nn.Module] = {}
    alive: list[Tensor] = []  # else the address of an output could be used again
    pairs: list[tuple[nn.Module, nn.BatchNorm2d]] = []

    def leave(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        made[id(output)] = module
        alive.append(output)

    def meet(module: nn.BatchNorm2d, inputs: tuple[Tensor, ...]) -> None:
        if id(inputs[0]) in made:
            pairs.append((made[id(inputs[0])], module))

    hooks = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            hooks.append(module.register_forward_hook(leave))
        elif isinstance(module, nn.BatchNorm2d):
            hooks.append(module.register_forward_pre_hook(meet))
    with torch.no_grad():
        network(example)
    for hook in hooks:
        hook.remove()
    for convolution, norm in pairs:
        transposed = isinstance(convolution, nn.ConvTranspose2d)
        _replace(network, convolution, fuse_conv_bn_eval(convolution, norm, transpose=transposed))  # type: ignore[type-var]
        _replace(network, norm, nn.Identity())


def _replace(network: nn.Module, old: nn.Module, new: nn.Module) -> None:
    for name, module in network.named_modules():
        if module is old:
            network.set_submodule(name, new)
