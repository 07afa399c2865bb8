"""Where runs are trained: start, events, cancel behind the same verbs."""
