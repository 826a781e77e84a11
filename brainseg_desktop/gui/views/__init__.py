"""The pictures of a case: slices, what lies over them, how they are arranged."""
