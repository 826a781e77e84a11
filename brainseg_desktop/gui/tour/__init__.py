"""Three minutes on the sample case: cards that point at the real controls and wait for the user."""
