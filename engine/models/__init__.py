"""Networks. Every one has embed(x) and head(z), and one logit per class."""
