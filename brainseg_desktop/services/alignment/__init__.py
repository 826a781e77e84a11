"""Bringing the sequences of an exam together: resampled onto one grid, registered by a rigid motion."""
