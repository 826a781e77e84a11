"""Where the training data comes from, what it is like, and how it becomes network slices. Needs no torch."""
