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
