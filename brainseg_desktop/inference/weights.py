"""Names inside the weights file: what the exporter writes and both backends read.

One .onnx file holds the network's numbers once, under the names of the torch state dict: kernels in half
precision, which the graph casts to single precision, norms in single precision. Norms are stored for every
kind of exam; the scalar `KIND` picks one.
"""

from __future__ import annotations

INPUT = "slices"
OUTPUT = "probabilities"
KIND = "kind"
NORM_EPSILON = 1e-5
REGIONS = ("WT", "TC", "ET")
