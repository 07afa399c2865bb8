"""Running the papers' tables."""
