"""BrainSeg Desktop: segment, correct and measure brain tumour masks. Research use only."""

import os

__version__ = "0.4.0"

# ONNX Runtime reports how it is used to its maker unless it is told not to before it is loaded (since 1.29
# on Linux and macOS, too). Here, since every way into the program and each of its processes comes by.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
