"""The papers: their published numbers, their experiments as protocols, what was measured here, and the verdicts."""
