"""A run on the page: its film, answers, curves, comparisons."""
