"""What takes its time or goes through several steps: opening, segmenting, exporting, comparing."""
