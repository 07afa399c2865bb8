"""Compares methods on one table within a time budget."""
