"""The texts of the page of a person's own table: constants and format strings."""

from __future__ import annotations

STEPS = {"table": "Table", "questions": "Questions", "compare": "Compare", "decide": "Decide", "use": "Use"}
"""Name of a step, as addresses have it -> its title."""
STEP = "Step"
NO_TABLE = "Send a table first."
NO_TABLE_HERE = "This comparison is of a public dataset."
NO_COMPARISON = "Press Compare under Questions first."
NO_RESULT = "Opens when the comparison is done."
ANOTHER, FORGET = "Another table", "Forget"
FORGET_NOW = "Forget it now"
FORGET_WHAT = "Delete **{name}** with its comparisons, models and reports? This cannot be taken back."
FORGOTTEN = "**Forgotten.** {tables} and {work} made from it are deleted."
LOG_EMPTY, LOG_LATER = "The database's log is emptied.", "The engine empties the database's log as soon as it is free."
NOTHING_LEFT = "There was nothing left to forget."
GONE = "Nothing here for you."
GONE_WHY = (
    "This table was forgotten, or it belongs to another browser. Tables are forgotten {minutes} after their browser is gone."
)
START = "Start with a table"

# ---- the table

DROP, DROP_ANOTHER = "Drop a table here", "Drop another table"
TAKEN = "CSV, TSV, Excel, Parquet, or a zip of one. At most {size} MiB and {rows} rows."
TAKEN_MORE = "At most {inflated} MiB unpacked, {columns} columns and {cells} cells."
PICK, STOP, SENT, SENDING = "Choose a file", "Stop sending", "Sent.", "Sending {name}."
SO_FAR, SENT_SHARE = "Sent so far", "{sent} of {whole}"
ONE_FILE = "One file at a time: drop a single table, or a zip of one."
TOO_LARGE = "The file has {size} MiB. At most {most} MiB are taken. Send a part of its rows, or a zip."
NOT_TAKEN = "The server did not take the file: {status}. Load the page again and send it once more."
BROKEN = "The connection broke while the file was sent. Try again."
STOPPED = "Stopped. Nothing of the file was kept."
DROP_WORDS = {
    "pick": PICK, "stop": STOP, "sent": SENT, "sending": SENDING, "soFar": SO_FAR, "share": SENT_SHARE, "oneFile": ONE_FILE,
    "tooLarge": TOO_LARGE, "notTaken": NOT_TAKEN, "broken": BROKEN, "stopped": STOPPED,
}  # fmt: skip
"""What the drop field says; it fills in the braces."""
SAMPLE = "Try a sample table"
SAMPLE_NOTE = "A sample table to try: {rows} made-up card payments."
PRIVATE, PRIVATE_MORE = "Only this browser sees it. Forget deletes it.", "What happens to a table"
PRIVATE_ALL = (
    "Nobody else sees your table or what is made from it, not even with the link.",
    "This server's engine reads it and trains on it. It is sent to nobody else.",
    "No log has its content.",
    "*Forget* deletes it with everything made from it, and ends the processes that read it.",
    "The same happens {minutes} after the last sign of your browser.",
    "Not promised: that freed memory of a process holds no trace of it.",
)
GALLERY = "See a recorded comparison in the gallery"
HOW_READ = "How the file is read"
READ_SO, GUESS_ALL = "Read it this way", "Guess everything again"
WAITING, AHEAD, NEXT = "Waiting for the engine.", "{jobs} before it.", "It is next."
READING = "Reading the table"
UNREAD = "**The table could not be read as asked.** {reason}"
UNREAD_HELP = "Say below how to read it, or mend the file and send it again."
NOT_READ = "**Reading was {state}.**"
TRY_AGAIN = "Try again"

# ---- questions

TARGET, TARGET_HELP = "Column to predict", "Likely columns come first. Type to search."
CHOOSE_COLUMN = "Choose a column"
GUESSED = "Guessed."
GUESSED_WHY = "Guessed: {why}."
POSITIVE = "Class looked for"
POSITIVE_HELP = "Precision, recall and cuts are about this class."
POSITIVE_HELP_MANY = "All classes are learnt and scored. Cuts are about this one against all others."
CLASS, NO_ANSWER = "a class", "no answer"
MARK_ROWS = "{rows} {say} '{mark}' in the target: a class, or no answer?"
MARK_ANY = "Rows that say '{mark}' in the target: a class, or no answer?"
MARK_HELP = "In some tables such a mark is a class, in others a missing value. Rows without an answer are left out."
ASK_TIME, ASK_OWNER, ASK_ALERTS = "When does a row happen?", "Whom does it belong to?", "How many can you check?"
NO_TIME, NOBODY, ANY, ASK_PER = "no order", "Nobody", "not said", "per"
ASK_DELAY, NO_DELAY, DELAY = "Answers come after ...", "no delay", "after {time}"
DELAY_WHY = "How long after a row is its answer known?"
TIME_SO = "Train on the past, test on the last rows."
TIME_NONE = "Rows count as unordered."
OWNER_FACTS = "{values}, {share} of 100 repeat."
OWNER_SO = "One {owner} is never on both sides."
OWNER_NONE = "Each row stands alone."
ALERTS_NONE = "Empty: best F1."
ALERTS_LATER = "You can change it later."
ALERTS_RARE = "About one in {days} days."
ALERTS_DAY, ALERTS_SHARE = "About {count} a day in this table.", "About {count} per 1,000 rows."
ALERTS_ONE = "one row in {rows}"
TIMES_ALT, SIZES_ALT = "Rows over time, with the parts of the last origin", "How many owners have one row, two rows and more"
SIZES = "rows of one owner"
PARTS = {"train": "train", "valid": "choose", "test": "test"}
"""Part of a split -> its title: the second one chooses epoch, cut and calibration."""
SPLIT_ALT = "The parts of the rows, one bar an origin or fold"
ORIGIN, FOLD = "origin {number}", "fold {number}"
SPLIT_HEADS = {
    "random": "Split: random", "group": "Split: owner", "time": "Split: time", "time-group": "Split: time and owner",
}  # fmt: skip
SPLIT_OWNERS = "All rows of an owner are in one part."
DROPPED_ROWS = "Left out: {parts}."
DROPPED_DELAY, DROPPED_TIME = "{rows} within the delay", "{rows} without a time"
DROPPED_OWNER = "about {rows} of owners that cross"
STRETCH = "{part}: {rows}, {start} to {end}"
MORE_QUESTIONS = "Columns, score in use, cost"
ASK_SCORE, NO_SCORE = "Score or rule in use", "none in use"
SCORE_HELP = "Compared as a row of its own, never learnt from. Higher means likelier."
ASK_COST, NO_COST_COLUMN = "Cost of a miss", "no cost column"
COST_HELP = "A column with what a missed row costs, such as the amount lost."
ASK_KEEP = "Learn from it all the same"
KEEP_HELP = "Order and owner are no features unless you say so."
LEFT_WHY = {"time": "order", "group": "owner", "score": "score in use"}
"""Answer that keeps a column from being a feature -> why."""
LEFT_HEAD, CHANGE_COLUMNS = "Left out as features", "Change columns"
ROWS_ANSWERED = "{used} of {rows} have an answer."
FEATURES_STAY = "{features} stay."
SPLIT_NOTE = "{folds}. A fifth of the rows chooses epoch and cut."
SPLIT_NONE = "The split follows from the column to predict."
NOTHING_OUT = "Every other column is a feature."
MORE_OUT = "and {count} more"
COLUMNS_HEAD = "Columns and kinds"
COLUMNS_HELP = "Choose in *read as* to change a kind: double click, or Enter on the keyboard."
REFUSED = "**These data cannot be compared on.**"
NOTES = "Notes on the table"
SUSPICIOUS = "Columns to check first"
SUSPICIOUS_ALT = "Columns that tell the classes apart by themselves"
PER = {"1000": "per 1,000 rows", "day": "per day"}
"""What a budget of alerts counts -> its title."""
TIME, TIME_HELP = "Time", "The comparison ends within it. More time gives more replicates and narrower intervals."
RATIO_LABEL, RATIO_NATIVE, RATIO_OTHER = "Ratio of the classes", "Natural, {ratio}", "Set a ratio"
RATIO_HELP = "Another ratio leaves out rows of a class, in training and test alike."
TO_ONE = "to 1"
COMPARE = "Compare for {time}"
CHOSEN, NOTHING_CHOSEN = "{models}, {remedies}", "Choose a model"
MODELS_PICK, REMEDIES_PICK, ENSEMBLES_PICK = "Models", "Remedies", "Ensembles of under-sampled learners"
METHODS_PICK = "More rows"
SECONDS_FROM, SECONDS_BELOW, SECONDS_UNKNOWN = "{low} to {high} {unit}", "below 1 s", "seconds unknown"
MENU_NOTE = "Seconds are a guess for a first score: {folds} on {rows}, on one free core. Plain training counts once."
MENU_HERE = "Comparisons and runs made here move it."
MENU_ALL = "Chosen: {rows}, {seconds}."
MENU_UNKNOWN = "Of {count} the seconds are unknown."
MENU_LATE = "What the time does not reach keeps a quick look."
MENU_LEFT_OUT = "Left out: {count} that take images alone."
TUNE, TUNE_HELP = "Tune settings", "Every model gets the same share of the time. Settings are chosen on validation rows."
NOT_READY = "Mend what is said in red first."
SAY_DELAY = "Choose a delay first."

# ---- compare

COMPARING = "Methods are compared."
GETTING_READY, LEFT, FINISHING = "Getting ready", "{time} left", "finishing"
CANCEL, AGAIN, SORT = "Cancel", "Compare again", "Sort by score now"
SORT_HELP = "Rows keep their places while scores change. This puts the highest on top."
SILENT_MORE = "If the engine does not come back, this comparison is marked as interrupted."
CANCELLED, INTERRUPTED = "This comparison was cancelled.", "This comparison was interrupted: its engine is gone."
STEP_FAILED = "Change what the reason names, or try once more."
STEP_CANCELLED = "Compare again, or choose another time or ratio under Questions."
STEP_INTERRUPTED = "Compare again. It waits until an engine is there."
ANSWER_GONE = "The result of this comparison is gone. Compare again."
EARLIER, SHOW = "Earlier comparisons", "Show"
USED, EACH, UP_TO = "{time} used", "{replicates} each", "up to {replicates}"
AT_RATIO = "ratio {ratio}"
BOARD_ALT = "Models and remedies with their {metric}, and their difference to the same model plain"
MODEL, REMEDY, SECONDS = "Model", "Remedy", "Seconds"
DIFFERENCE, DIFFERENCE_EARLIER = "Against the same model plain", "Difference to plain"
SCORED_ON = {"time": "on later rows", "time-group": "on later rows", "group": "on other owners"}
"""Kind of a split -> on which rows a score is."""
PLACE = "place {place}"
MODELS = {
    "network": "Network", "logistic": "Logistic regression", "forest": "Random forest", "extra-trees": "Extra trees",
    "boosting": "Gradient boosting", "lightgbm": "LightGBM", "xgboost": "XGBoost", "catboost": "CatBoost", "tabpfn": "TabPFN",
    "balanced-forest": "Balanced random forest", "easy-ensemble": "Easy ensemble", "rus-boost": "RUSBoost",
    "balanced-bagging": "Balanced bagging", "self-paced": "Self-paced ensemble",
    "under-bagging": "Under-bagging", "balance-cascade": "Balance cascade", "smote-bagging": "SMOTE-bagging",
    "mesa": "MESA", "cost-tree": "Cost-sensitive tree", "in use": "Score in use",
}  # fmt: skip
"""Name of a model -> its title on the board."""
REMEDIES = {
    "none": "none", "class-weights": "class weights", "threshold": "threshold", "rs": "balanced batches", "rus": "under-sampling",
    "smote": "SMOTE", "smotenc": "SMOTE-NC", "focal": "focal loss", "explicit-gradient": "explicit gradient", "eos": "EOS", "dos": "DOS",
}  # fmt: skip
"""Name of a remedy -> its title on the board."""
BUILT_IN, AS_IT_IS = "built in", "as it is"
"""The remedy of an ensemble of under-sampled learners, and of the score in use."""
WORDS = {"better": "better", "worse": "worse", "": "no difference found", "reference": "", "split": "one split"}
"""What a row's difference to plain training shows."""
NOT_RANKED = "not ranked: fewer replicates"
QUICK_LOOK, LOOK = "quick look: few rows, few epochs", "quick look"
DROPPED = "dropped after round {round}"
ROW_FAILED = "failed: {reason}"
NEXT_AT, NEXT_SOON = "next at {time}", "next"
SCORE_MORE = "95% interval from {low} to {high}, {replicates}"
SCORE_ONE = "{replicates}, no interval"
P_MORE = "p {p} after Holm."
FILLED = "Filled: the interval leaves zero out after Holm. Hollow: no difference found."
COUNTED = "Holm counts {remedies} and {models} apart."
HELD_OUT = "a fifth of its rows is held out while it trains"
CARD_ROWS, CARD_ROWS_OF = "Training rows", "{rows} of {whole}"
CARD_FIT, CARD_AHEAD, CARD_YES, CARD_NOT = "One fit", "Ahead of {next}", "yes, by {by}", "not shown"
CARD_ALERTS, OF_100 = "Alerts right at {alerts} {per}", "{count} of 100"
CARD_REFIT, THE_SCORE = "Gain from refitting", "the score in use"
CARD_SETTINGS, CARD_TUNED, NO_REMEDY = "Settings", "tuned", "no remedy"
INTERVAL_MORE = "95% interval from {low} to {high}"
OPTIMISM, OPTIMISM_BY = "A random split reads too high", "Plain training reads {by} higher."
RANDOM_SPLIT, SPLIT_USED = "random split", "split used"
SPLIT_BY = {"random": RANDOM_SPLIT, "group": "split by owner", "time": "split by time", "time-group": "split by time and owner"}
OPTIMISM_MORE = {
    "time": "With later rows in training, plain training reads {by} higher.",
    "group": "With rows of the same owners in training, plain training reads {by} higher.",
    "time-group": "With later rows of the same owners in training, plain training reads {by} higher.",
}
DECIDE_WITH = "Decide with this row"
CURVES, CURVES_PICK = "Precision and recall", "Methods"
CURVES_HEAD = "Precision and recall on the test rows"
CURVES_LAST = "Curves are means over replicates."
CURVES_LAST_MANY = "Curves are means over replicates and classes, each class against the rest."
CURVES_NONE = "Choose a method to see its curve."
LIMITS, NO_LIMITS = "Limits of this comparison", "Nothing was left out to keep the time."
