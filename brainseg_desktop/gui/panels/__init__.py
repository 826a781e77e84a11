"""What stands beside the pictures."""
