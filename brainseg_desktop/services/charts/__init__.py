"""Pictures of results as lists of shapes, drawn alike in the window, as SVG and in a PDF."""
