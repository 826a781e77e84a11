"""Runs a network with ONNX Runtime on the CPU."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.inference.preprocess import KINDS
from brainseg_desktop.inference.segmenter import Model
from brainseg_desktop.inference.weights import INPUT, KIND, OUTPUT

if TYPE_CHECKING:
    import onnxruntime


class OnnxSegmenter:
    """A network in ONNX Runtime; one session for each kind of exam, made when first needed."""

    device = "cpu"

    def __init__(self, model: Model, threads: int | None = None) -> None:
        self.model = model
        self._threads = threads or os.cpu_count() or 1
        self._sessions: dict[str, onnxruntime.InferenceSession] = {}

    def prepare(self, kind: str) -> None:
        """Make the session for a kind of exam ahead of its first slice."""
        if kind not in self._sessions:
            self._sessions[kind] = self._open(kind)

    def predict(self, slices: NDArray[np.float32], kind: str) -> NDArray[np.float32]:
        """See `segmenter.Segmenter`."""
        self.prepare(kind)
        (probabilities,) = self._sessions[kind].run([OUTPUT], {INPUT: np.ascontiguousarray(slices)})
        return np.asarray(probabilities, np.float32)

    def _open(self, kind: str) -> onnxruntime.InferenceSession:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        # Waiting threads sleep: spinning would take the processor from the window between two batches.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        content = choose_kind(self.model.weights.read_bytes(), KINDS.index(kind))
        try:
            return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            # The runtime's exception classes share no public base.
            reason = str(error).splitlines()[0]
            card = self.model.card
            raise UserError(
                "model_corrupt", path=self.model.weights, name=card.name, reason=reason
            ) from error


def choose_kind(content: bytes, kind: int) -> bytes:
    """A weights file with another number in its scalar `KIND`.

    The scalar must be a constant, so that the runtime folds the norms of this kind into the convolutions. It
    is changed in the file's bytes because the runtime takes a replacement only after it has folded, and the
    package `onnx` is not among those the app is shipped with. The field is an int64 tensor without
    dimensions: data type, name, and eight bytes.
    """
    field = b"\x10\x07\x42" + bytes([len(KIND)]) + KIND.encode() + b"\x4a\x08"
    start = content.find(field) + len(field)
    if content.count(field) != 1:
        raise ValueError(f"the weights file holds no single scalar {KIND!r}")
    return content[:start] + kind.to_bytes(8, "little") + content[start + 8 :]
