"""Opens a network on the device asked for."""

from __future__ import annotations

import sys

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.inference.preprocess import KINDS
from brainseg_desktop.inference.segmenter import Model, Segmenter


def open_segmenter(model: Model, device: str, threads: int | None = None) -> Segmenter:
    """The network on a device; ``auto`` takes a GPU where torch is installed and finds one, else the CPU.

    Raises
    ------
    UserError
        ``device_unknown``, ``cuda_missing``, ``torch_missing``, ``model_corrupt``.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise UserError("device_unknown", device=device)
    if device == "cuda" or (device == "auto" and _has_cuda()):
        from brainseg_desktop.inference.torch_backend import TorchSegmenter

        on_gpu = TorchSegmenter(model, "cuda", threads)
        for kind in KINDS:
            on_gpu.prepare(kind)
        return on_gpu
    from brainseg_desktop.inference.onnx_backend import OnnxSegmenter

    on_cpu = OnnxSegmenter(model, threads)
    for kind in KINDS:
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
