"""What the left button does to a mask."""
