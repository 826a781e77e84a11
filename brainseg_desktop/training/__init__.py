"""How the bundled networks are made: recipe, data, loop, evaluation, export. Built on torch."""
