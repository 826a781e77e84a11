"""Runs networks with ONNX Runtime on the CPU."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.inference.card import Model
from brainseg_desktop.inference.segmentation import network_for
from brainseg_desktop.inference.weights import INPUT, OUTPUT

if TYPE_CHECKING:
    import onnxruntime


class OnnxSegmenter:
    """The networks of a model in ONNX Runtime; one session for each weights file, made when first needed."""

    device = "cpu"

    def __init__(self, model: Model, threads: int | None = None) -> None:
        self.model = model
        self._threads = threads or os.cpu_count() or 1
        self._sessions: dict[str, onnxruntime.InferenceSession] = {}

    def prepare(self, kind: str) -> None:
        """Make the session for a kind of exam ahead of its first slice."""
        self._session(kind)

    def predict(self, slices: NDArray[np.float32], kind: str) -> NDArray[np.float32]:
        """See `segmenter.Segmenter`."""
        (probabilities,) = self._session(kind).run([OUTPUT], {INPUT: np.ascontiguousarray(slices)})
        return np.asarray(probabilities, np.float32)

    def _session(self, kind: str) -> onnxruntime.InferenceSession:
        network = network_for(self.model.card, kind)
        if network.weights not in self._sessions:
            self._sessions[network.weights] = self._open(network.weights)
        return self._sessions[network.weights]

    def _open(self, weights: str) -> onnxruntime.InferenceSession:
        import onnxruntime

        # What the variable set in `brainseg_desktop` does not reach: the event tracing of Windows.
        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        # Waiting threads sleep: spinning would take the processor from the window between two batches.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Kernels stored as int8 are made floats once, as the session is made, and not with every batch.
        options.add_session_config_entry("session.disable_quant_qdq", "1")
        options.log_severity_level = 3
        path = self.model.folder / weights
        try:
            return onnxruntime.InferenceSession(
                path.read_bytes(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            # The runtime's exception classes share no public base.
            reason = str(error).splitlines()[0]
            raise UserError("weights_not_onnx", path=path, reason=reason) from error
