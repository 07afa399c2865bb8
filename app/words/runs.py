"""The texts of the page of all runs: constants and format strings."""

from __future__ import annotations

TITLE = "Runs"
COLUMNS = {
    "when": "When", "data": "Data", "ratio": "Ratio", "method": "Method", "plot": "Average precision", "number": "AP",
    "state": "State", "name": "Name", "pin": "Pin",
}  # fmt: skip
"""Column of the list -> its heading."""
RUN = "Run"
PLOT_HELP = "Mean over replicates with its interval, from 0 to 1."
PLOT_HELP_KINDS = "Mean over replicates with its interval, from 0 to 1. Intervals: {kinds}."
STATES = {
    "queued": "waiting", "running": "training", "done": "done", "failed": "failed", "cancelled": "cancelled",
    "interrupted": "interrupted",
}  # fmt: skip
"""State of a job -> its word."""
FAILED = "failed: {reason}"
KINDS = {"run": "Runs", "sweep": "Sweeps", "compare": "Comparisons", "embed": "Maps"}
SWEEP, COMPARISON, MAP = "sweep", "Comparison", "Map"
OTHERS = "{names}, +{more}"
NATURAL, YOURS = "natural", "yours"
PINNED_MARK, FREE_MARK = "★", "☆"
ALT = "The runs of this list: {columns}"
EMPTY, NO_MATCH = "There is nothing here yet. Press **Run** in the Lab.", "No run matches."
SHOWN = "{first} to {last} of {total}"
BEFORE, NEXT, PAGE = "Before", "Next", "Page {page} of {last}"
COPY_CAPTION = "Finished runs of this page of the list. Intervals: {kinds}. n: replicates."

# ---- search and filters

FIND = "Find"
FIND_PLACE, FIND_HELP = (
    "Search: any words of a row",
    "Up to {most} words that are shown in a row, or a run's id. All must be found.",
)
FILTER = "Filter"
WHAT, EVERYTHING = "What", "everything"
STATE, ANY_STATE = "State", "any state"
DATASET, ANY_DATASET = "Dataset", "any dataset"
METHOD, ANY_METHOD = "Method", "any method"
SORT = "Order"
SORTS = {
    "new": "Newest first", "old": "Oldest first", "name": "Name", "dataset": "Dataset", "method": "Method", "state": "State",
    "long": "Longest first",
}  # fmt: skip
PINNED = "Pinned"
UNKNOWN_LINK = "Parts of this link are unknown: {words}. Everything is shown."
RESET = "Show everything"
GONE_TABLE = "a table that is gone"

# ---- what is ticked

TICKED, FAR = "**{rows} ticked**", ", {count} of them on another page"
OPEN, COMPARE, DEEP, CHANGE = "Open", "Compare", "Deep", "Change and run"
PIN, UNPIN, NAME, NAME_PLACE = "Pin", "Unpin", "Name", "what you call it"
NAME_HELP = "Press Enter. Only this browser shows it. An empty name takes it away."
AGAIN, CANCEL, EXPORT, DELETE, NONE = "Run again", "Cancel", "Export", "Delete", "Untick"
EXPORT_HELP = "One zip with results, films and maps."
DELETE_SURE, KEEP = "Delete", "Keep"
STAYS = "{runs} of this product stay: the first page shows them."
QUESTION = "**Delete {what}{whose}?**"
WHAT_JOBS, WHAT_ONE, WHAT_MAPS = "{count} of the runs, comparisons and maps", "what is ticked", "{maps} drawn of them"
WHAT_SWEEPS, WHAT_SIZE, EVERYBODY = "{sweeps} from the list, whose runs stay", "{size} MB", ", for everybody"
QUESTION_MORE = "Results, films and names go, and links to them end. The same settings give the same numbers again."
GONE = "One of these is gone: it was deleted, or its table forgotten."

# ---- what runs and waits

RUNNING, RUNNING_OTHERS = "**Training: {count}**", ", {others} of them of other people's tables"
PROGRESS, PROGRESS_LEFT = "{what} · {share}%, {spent} so far", ", at most {left} left"
MORE = "and {count} more"
WAITING = "**Waiting: {count}**"
PACE = " · about {all} in all at {each} a run, {slots}"
ASKED, LATER = "{place}. {what} · asked for {age}", ", waits while someone runs a single run"
MORE_WAITING = "and {count} more, some perhaps of other people's tables"
UPDATE = "Update the list"

# ---- whose they are

WHO = "Who sees a run"
WHO_ALL = (
    "A run of your own table is yours: only this browser sees, cancels and deletes it. It goes with the table.",
    "All other runs are everybody's. Everyone who opens this page can cancel and delete them.",
    "Names and pins belong to this browser.",
)
