"""BrainSeg Desktop: segment, correct and measure brain tumour masks. Research use only."""

__version__ = "0.4.0"
