"""What a run leaves for people: curves, pictures, one page, and all figures as JSON."""
