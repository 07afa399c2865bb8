"""Reports, tables and code that people take away."""
