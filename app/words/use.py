"""The texts of the last step: the model and its files, and the scoring of a new table."""

from __future__ import annotations

MODEL_HEAD, REPORT_HEAD, ENGINE_HEAD = "The model", "Report and tables", "Get the engine"
ROW = "Row"
TRAINED_ROWS, REFIT_ROWS, LOOKED_FOR, CUT, MADE_WITH, CALIBRATED = (
    "Trained on", "Refit on", "Class looked for", "Flags", "Made with", "Probabilities",
)  # fmt: skip
ROWS_EACH = "{rows} rows of a replicate"
ALL_ROWS = "all {rows} rows"
AT_SHARE = "{kind}, at {share}"
OWN_RULE = "by its own rule"
AT_ALERTS = "{alerts} per 1,000"
A_DAY = "{alerts} a day"
MODEL_FILE, ONNX_FILE, AUGMENTED_FILE, CODE_FILE, REPORT_FILE = (
    "Model file", "ONNX, same to 1e-5", "Training rows with made ones", "Python that measures it again", "Report",
)  # fmt: skip
SCRIPT_FILE = "Python that scores by ONNX"
CSV_FILE, MARKDOWN_FILE, LATEX_FILE, JSON_FILE, ENGINE_FILE = "CSV", "Markdown", "LaTeX", "JSON", "Engine (zip)"
LINKS_NOTE = "These links end when the table is forgotten."
NO_MODEL = "No model of this row was kept."
NO_MODEL_IN_USE = "The score in use is a column of the table. It has no model file; its code measures the column."
NO_MODEL_INSTALLED = "{title} is not part of the engine, so it has no model file. Its code trains it."
NO_SCORING = "This row has no model file to score with. Choose another row above."
NO_ONNX = "No ONNX file: {reason}"
NO_AUGMENTED = "It adds no rows in the table's own columns."
CODE_FOLD, USE_CODE, MORE_FILES = (
    "Python that measures this row again",
    "Python that uses the model",
    "Code, tables and the engine",
)
ENGINE_NEEDS = "Model and code need it, and Python 3.11 or newer."
ENGINE_STEPS = (
    "Unzip it into a new folder.",
    "Run the line below in that folder.",
    "Put model, code and new rows there. Run the code.",
)

# ---- refit on all rows

REFIT, REFIT_AGAIN = "Refit on all rows", "Refit again"
REFIT_HELP = "Trains once more, on every row, with the epochs, trees and cut that the replicates chose."
REFIT_ENDED = "The refit ended: {reason}"

# ---- a new table

DROP, CHOOSE = "Drop next month's file", "Choose a file"
DROP_NOTE = "The model above scores it. Forget deletes it."
OWN_MODEL, OWN_MODEL_DROP, OWN_MODEL_NOTE = (
    "Use a model file of yours",
    "Drop a model file",
    "A zip that this page or the terminal made.",
)
OWN_MODEL_NAMED, OWN_MODEL_LEAVE = "Model file: {name}", "Back to the row of the board"
EMPTY_HEAD = "Score a new table"
EMPTY = (
    "Drop a file under the model: its rows get probabilities and are flagged.",
    "First comes what has drifted since training.",
    "Each flagged row names the three columns that raise it most.",
    "With the answers in the file, the model's promise is checked.",
)
SCORING, WAITING = "Scoring {name}.", "Waiting for the engine."
FAILED, CANCELLED = "{name} was not scored.", "Scoring was {state}."
TRY_AGAIN, ANOTHER_FILE, CANCEL = "Try again", "Score another file", "Cancel"
FLAGGED = "{flagged} of {rows} rows are flagged."
DRIFTED = {0: "No column has drifted.", 1: "One column has drifted."}
DRIFTED_MANY = "{count} columns have drifted."
NO_FACTS = "The model holds no column facts."
DOWNLOAD = "Download scored.csv"
BUDGET, BUDGET_OWN, BUDGET_SET = "Alerts", "The model's own rule", "Another budget"
PER = {"1000": "per 1,000 rows", "day": "per day"}
APPLY = "Score again"

# ---- drift, rows, histogram, promise

DRIFT_HEAD, DRIFT_INDEX, DRIFT_SEEN = "Drift, before you trust the numbers", "population stability", "what is seen"
STATES = {"usual": "usual", "watch": "watch", "drifted": "drifted", "unknown": "not known"}
SHARE_FLAGGED, SHARE_EXPECTED = "share flagged", "{now}, expected {then}"
DRIFT_NOTE = "Below .1 is usual. Above .25, look at the column first."
DRIFT_ALT = "{column}: population stability {psi}, {state}."
DRIFT_ALT_NONE = "{column}: {state}."
NEW_VALUES = "{count} new values"
NEW_VALUE = "1 new value"
MISSING_NOW = "missing {now}, was {then}"
OUTSIDE = "{share} outside the range"
LACKS = "is missing"
MORE_COLUMNS = "and {count} columns that moved less"
UNKNOWN = "{column}: {levels}, treated as {counted}."
LACKING = "{column} is missing. It counts as {counted}."
TOP_HEAD, TOP_HEADS = "Highest probabilities", ("Row", "Probability", "Raised most by")
TOP_NONE = "No row is flagged."
REASONS_NONE = "–"
HISTOGRAM_HEAD = "Rows by probability"
HISTOGRAM_ALT = "Histogram of {rows} probabilities. {flagged} rows lie at the cut or above it."
CUT_AT, PROBABILITY = "cut", "probability"
PROMISE_HEAD, PROMISE_HEADS = "Promised and came", ("Figure", "Promised", "Came", "")
FIGURES = {"precision": "Precision", "recall": "Recall", "alerts": "Alerts per 1,000"}
HOLDS = {True: "holds", False: "broke"}
PROMISE_ROWS = "{rows} rows with answers in {target}."
NOTES = "Notes on this file"
BETWEEN = "{mean} ({low} to {high})"
