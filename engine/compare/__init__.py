"""Methods compared on one table inside a budget of seconds."""
