"""The stacked training loop and its parts, which all methods share."""
