"""Runs the papers' tables."""
