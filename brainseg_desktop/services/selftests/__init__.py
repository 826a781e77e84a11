"""Checks of the self-test: whatever a packed program can lose without a word is touched by one of them."""
