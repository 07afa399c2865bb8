"""The EOS and DOS papers: their published numbers, their experiments as runs, what was measured here, and what follows."""
