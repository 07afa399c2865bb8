"""Chooses a cut on validation rows and reads it on test rows: what the artifact `decide/<row>` is made of."""
