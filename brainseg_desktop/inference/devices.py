"""Opens a model on the device asked for."""

from __future__ import annotations

import sys

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.inference.card import Model
from brainseg_desktop.inference.kinds import KINDS
from brainseg_desktop.inference.segmenter import Segmenter

# Architectures that `torch_backend` knows.
ON_GPU = ("unet",)


def open_segmenter(model: Model, device: str, threads: int | None = None) -> Segmenter:
    """The networks on a device; ``auto`` takes a GPU where torch finds one and knows them, else the CPU.

    Raises
    ------
    UserError
        ``device_unknown``, ``cuda_missing``, ``torch_missing``, ``architecture_not_on_gpu`` (params ``name``,
        ``architecture``), ``weights_not_onnx``.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise UserError("device_unknown", device=device)
    others = [n.architecture for n in model.card.networks if n.architecture not in ON_GPU]
    if device == "cuda" and others:
        raise UserError("architecture_not_on_gpu", name=model.card.name, architecture=others[0])
    kinds = [kind for kind in KINDS if model.card.network_for(kind) is not None]
    if device == "cuda" or (device == "auto" and not others and _has_cuda()):
        from brainseg_desktop.inference.torch_backend import TorchSegmenter

        on_gpu = TorchSegmenter(model, "cuda", threads)
        for kind in kinds:
            on_gpu.prepare(kind)
        return on_gpu
    from brainseg_desktop.inference.onnx_backend import OnnxSegmenter

    on_cpu = OnnxSegmenter(model, threads)
    for kind in kinds:
        on_cpu.prepare(kind)
    return on_cpu


def _has_cuda() -> bool:
    """Whether torch is there and finds a GPU. Without a driver file torch, slow to import, is not asked."""
    import ctypes.util
    import importlib.util

    driver = "nvcuda" if sys.platform == "win32" else "cuda"
    if ctypes.util.find_library(driver) is None or importlib.util.find_spec("torch") is None:
        return False
    import torch

    return torch.cuda.is_available()
