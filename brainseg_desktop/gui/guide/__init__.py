"""The user guide: its pages, the names and keys that are filled into them, and its window."""
