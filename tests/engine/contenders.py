"""What this engine compares on a table."""

from engine.methods import describe_methods
from engine.spec.contest import list_contenders

CATALOG = {"methods": describe_methods()}
CONTENDERS = list_contenders(CATALOG)
"""name -> title of every row that can be compared."""

TREES = "boosting"
