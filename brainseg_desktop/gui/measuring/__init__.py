"""Rulers, angles, regions and diameters on the slices."""
