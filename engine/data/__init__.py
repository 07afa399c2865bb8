"""Datasets, imbalance, splits, and tasks ready to train."""
