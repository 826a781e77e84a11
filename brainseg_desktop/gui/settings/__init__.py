"""The settings window: one page a file; every change takes effect and is kept at once."""
