"""A bake-off: every family for the same CPU time on the same images, scored on held-out ones."""
