"""Agreement of two masks in a window of its own, and consensus of several."""
