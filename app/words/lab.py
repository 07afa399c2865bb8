"""Texts of the Lab and of the form of a run. `{name}` is filled in; data in them are made harmless where they are filled in."""

from __future__ import annotations

from collections.abc import Mapping

# ---- the form

DATASET, METHOD, IMBALANCE, REPLICATES = "Dataset", "Method", "Imbalance", "Replicates"
SEARCH = "Type to search."
NATURAL, SET_RATIO = "Natural", "Set a ratio"
NATURAL_HELP = "Natural: the largest class is {ratio} to the smallest. Set a ratio: rows of small classes are removed."
RATIO, RATIO_HELP = "Largest to smallest class", "Rows of the largest class for one row of the smallest."
ROWS_LEFT = "{many} and {few} rows are left."
AT_MOST = "At most {ratio}."
SHARE_REMOVED, SHARE_REMOVED_HELP = "Share of rows removed", "From 4 in 10 classes. With two classes: from the smaller one."
ROWS_FOLD, METHOD_FOLD, DATA_FOLD = "Rows that are removed", "Method settings", "Data options"
NO_ROWS_REMOVED = "Natural: no row is removed."
HOW, HOW_HELP = "How classes shrink", "With two classes all but the last mean the same."
PROFILES: Mapping[str, str] = {
    "ratio": "all smaller classes alike",
    "exponential": "exponentially",
    "step": "half of the classes alike",
    "gaussian": "as a Gaussian",
    "remove": "a share of the rows removed",
}
WHERE = "Where"
PLACES: Mapping[str, str] = {"all": "training, validation and test", "train": "training and validation"}
WHERE_HELP = (
    "Training, validation and test: test rows have the ratio too, as in Yasinnik et al. "
    "Training and validation: test rows keep their natural classes, as in Dablain et al."
)
QUICK, CAREFUL, CUSTOM = "Quick", "Careful", "Custom"
QUICK_SPLIT = "Quick: one split into 60% training, 20% validation and 20% test. Careful: 4 folds and 5 seeds."
QUICK_GIVEN = "Quick: one seed. The test rows are the dataset's own. Careful: 5 seeds."
QUICK_DRAWN = "Quick: one draw of all rows. Careful: 20 seeds, each with rows of its own."
FOLDS, SEEDS, SEED, DEVICE = "Folds", "Seeds", "Seed", "Device"
FOLDS_HELP = "1: one split into 60% training, 20% validation and 20% test."
OWN_PARTS_HELP = "These data have parts of their own: 1 fold."
SEED_HELP = "All random draws come from it. The same seed gives the same numbers."
DEVICES: Mapping[str, str] = {"auto": "fastest", "cpu": "CPU", "cuda": "GPU"}
COST = "{replicates}, about {time}."
CANNOT_TELL = "{rows}: one split cannot tell."
POSITIVES = "positive test row"
SOURCE = "Source: {source}"
START_FROM = "Start from"
PRESETS_HELP = "defaults: of this lab. paper: of the paper. released: of its code. visible: points move far enough to see."
FINER = "More settings"
MATRIX_TYPE = "Type {label}"
MATRIX_HOW = "What each mistake costs, for every true class."
MATRIX_ROW = "{true}, called"
NOT_HERE = "This dataset is not on the engine's machine. {how}"
NOT_HERE_YET = "The dataset is not here yet."
FACTS = "{rows} · {features} · {classes} classes, {ratio}"
KIND, LICENCE, CITE, NOT_STATED = "Kind: {kind}", "Licence: {licence}", "Cite: {citation}", "not stated"
CLASS_ROWS = "Rows of each class: {classes}"
ORIGIN = "Source of the data"
ADDED = "{points} added by hand."
REMOVE_ADDED = "Remove added points"
RUN, CANCEL = "Run", "Cancel"
CANCEL_HELP = "Stops this run and the runs beside it."
ALSO_RUNS = "Also runs: {names}."

# ---- the head of the page

TITLE = "Lab"
EMPTY_STAGE = "Choose data and a method, then press Run."
SMALL_SCREEN = "On a small screen the form is behind » at the top."
NO_ENGINE = "No engine is alive, so nothing trains now. `python -m app.launch` starts one with the page."
NO_ENGINE_HEAD = "No engine runs here. The run waits for one."
BEGINNING = "Running {name}."
ENGINE_LOST = "its engine went away"
STOPPED = "This run is stopped."
STOPPED_AT = "stopped at {share}%"
RUN_AGAIN = "Run again"
UNKNOWN = "There is no such run here."
BACK_TO_START = "Back to the start"
PARTS_UNKNOWN = "Parts of this link are unknown."
EXAMPLE = "recorded example"
REPLICATE_OF = "replicate {number} of {count}"
CONTEXT = "{what} · {dataset} · {setting} · {replicates}"
SECOND_FILM = "Second film"
OTHERS = "Other runs"
SHOW = "Show"
OTHER = "{method} on {dataset}, seed {seed}: {state}"
DIFFERENT = "other settings"
ADDED_SHORT = "{points} added"
SEED_SHORT = "seed {seed}"
NATURAL_SHORT = "natural"
REMOVED_SHORT = "{share}% of rows removed"
FALLING: Mapping[str, str] = {"exponential": " exponential", "step": " step", "gaussian": " Gaussian"}

BASELINES: Mapping[str, str] = {"ce": "plain", "frozen": "frozen", "CE, equal steps": "equal steps", "both": "plain on both"}
"""What 0 stands for, by the key of the run beside."""

# ---- the stage

MOVING, BOTH, DIFFERENCE = "Moving", "Both", "Difference"
WATCHED = "This run"
AVERAGE_PRECISION = "average precision {value}"
PRECISION_TITLE = "on test rows"
WHAT_IF: Mapping[str, str] = {
    "ratio": "Ratio",
    "noise": "Noise",
    "eta_points": "Step of the points",
    "confidence": "Confidence of copies",
    "share": "Minority share",
    "hidden": "Hidden rows in training",
}
RUN_THIS = "Run this with {replicates}"
WAITS, FIRST_PICTURE = "The run waits.", "The first picture comes in a moment."
PICTURES_BEGIN = "Pictures begin when the network has learnt features, after its first phase."

# ---- the tabs

TABS: Mapping[str, str] = {
    "differences": "Differences",
    "learning": "Learning",
    "classes": "Classes",
    "points": "Points",
    "numbers": "Numbers",
    "settings": "Settings",
    "reproduce": "Reproduce",
}
THAN: Mapping[str, str] = {
    "ce": "than plain training",
    "frozen": "than the same points frozen",
    "CE, equal steps": "than plain training, equal steps",
    "both": "than plain training on both parts",
    "potential": "than all rows",
}
THAN_OTHER = "than {name}"
BETTER, WORSE, NOT_FOUND = "better", "worse", "no difference found"
ONE_SPLIT = "one split"
ORACLE = "a ceiling: it trains on the removed rows"
PAIRED = "Average precision, paired over {replicates}."
PAIRED_ONE = "Average precision on one split."
UNDER_NUMBERS = "All numbers are under Numbers."
NOT_YET = "The run has no result yet."
NOTHING_BESIDE = "No other run to compare with."
MOVED = "Points moved {moved} sd (median)."
MOVED_LITTLE = "Points moved less than 0.05 sd (median)."
ALL_ROWS_ADD = "All rows would add {change}."
NO_GAIN = "No gain found from more real rows."
RECOVERS = "The method recovers {share}% of it."
RECOVERS_NONE = "The method recovers no measurable share."
MISSING = "Run what is missing"
STATES: Mapping[str, str] = {
    "": "not asked for",
    "queued": "waiting",
    "running": "running",
    "failed": "failed",
    "cancelled": "stopped",
    "interrupted": "stopped",
}
LEARNING = "Average precision on validation rows"
LOSSES, LOSSES_MOVING = "Losses", "Losses while the points move"
LOSSES_HELP = "Mean cross-entropy per row."
LOSSES_MOVING_HELP = (
    "The points move to lower the loss of the stepped classifier on validation rows. "
    "The loss on the points alone shows how hard they are."
)
NORMS = "Output weights of each class"
NORMS_HELP = "A diamond is the length before the last layer was trained again."
NO_CURVES = "This run kept no curves."
CLASS_RESULTS, CLASS_RESULTS_HELP = "Test results of each class", "Each class against all others."
ROWS, ROWS_HELP = "Rows of each class", "Rows in each part, on average over the replicates."
PARTS: Mapping[str, str] = {"train": "training", "validation": "validation", "test": "test", "withheld": "removed"}
REPLICATE = "Replicate shown"
FOLD_OF = "{replicate}: seed {seed}, fold {fold}"
NO_POINTS = "This method makes no synthetic points."
MEASURES = "All measures on test rows"
INTERVALS = "Intervals: {kind}, over {replicates}."
NO_INTERVALS = "No intervals, over {replicates}."
CHANCE = "Chance is {value}: {share}% of the test rows are positive."
CHANCE_MACRO = "Chance is {value}, averaged over the classes."
TOOK = "Took {time}."
MADE = "Run {run} · trained on {device} in {time}"
REPORT, REPORT_HELP = "Report (HTML)", "One file that opens anywhere, with this run and the runs beside it."
OPEN_DEEP = "Open in Deep"

# ---- points

CONTRIBUTIONS = "Effect of each point on the validation loss"
CONTRIBUTIONS_HELP = (
    "The contribution is the first-order change of the mean validation loss, at the chosen epoch. It is for one step with the point. "
    "Below 0 the point lowers the loss. The unit is nats per unit of step. "
    "It is not the effect of training without the point. "
    "Classes alike: every class has the same weight. "
    "The validation rows chose this epoch: new rows can differ."
)
NO_CONTRIBUTIONS = "This run kept no contributions. An earlier version made it, or its network has none."
POINTS_NOT_KEPT = "The points of this replicate are not kept."
LOWER = "Of about {points}, {share} lower the mean validation loss."
LOWER_ALIKE = "With the classes alike: {share}."
MEANS_OVER, MEANS_ONE = "Means of {replicates} replicates with 95% intervals.", "One replicate: no interval."
RANKED_ALL = "All {points} of this replicate that are kept."
RANKED = "The {listed} points that lower the loss most and the {listed} that raise it most, of {points}."
RANKED_ALT = "Synthetic points by contribution, the most helpful first"
COLUMNS = (
    "moved: distance from its start in sd of the column. copied from: number of the row, from 0. point: its number, from 1."
)
LOWERS, RAISES, NO_EFFECT = "lowers the loss", "raises the loss", "none"

ALL_METHODS, FIND_METHOD, NO_METHOD = "All methods", "Find a method", "No method fits."
MENU_SECONDS = "Seconds are a guess for one replicate on one core."
ABOUT_SECONDS = "about {seconds} s"
FAMILIES = {
    "plain": "Plain", "loss": "Losses and weights", "sampling": "Sampling", "meta": "Learned points and weights", "deep": "Deep features",
    "metric": "Metric learning", "model": "Other models", "ensemble": "Ensembles", "oracle": "All rows",
}  # fmt: skip
"""Titles of the methods' families, in order of display."""
