"""A person's file: how it is read, what it holds, how it becomes a dataset."""
