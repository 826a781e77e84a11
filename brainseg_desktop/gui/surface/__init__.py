"""The labels as surfaces, drawn with OpenGL."""
