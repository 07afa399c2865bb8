"""Generators: fitted on the rows of one replicate, then asked for new rows of a class. `adversarial` has what they share."""
