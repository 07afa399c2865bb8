"""Uploaded files: how they are read, what they contain, how they become a dataset."""
