"""Masks as files of many forms, each read back before it counts."""
