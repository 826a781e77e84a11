"""Studies in the window: made, read, looked at."""
