"""The stacked training loop and what every method shares."""
