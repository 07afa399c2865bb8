"""Texts of the page Compare. One idea a sentence, at most 20 words."""

from __future__ import annotations

# ---- the plan
DATASETS, METHODS, RATIOS, REPLICATES = "Datasets", "Methods", "Ratios", "Replicates"
PICK = "Type to search. Enter adds the marked entry."
METHODS_HELP = "Plain training and all rows are part of every sweep."
RATIOS_HELP = "Rows of the largest class for each row of the smallest."
REPLICATES_HELP = (
    "4 folds with 1, 3 or 5 seeds. A set drawn anew by every seed has one fold. More replicates give narrower intervals."
)
CUSTOM = "Custom"
FOLDS, FOLDS_HELP, SEEDS, SEED = "Folds", "1 fold: a split of 60, 20 and 20%.", "Seeds", "Seed"
SEED_HELP = "All random draws follow from it. The same seed gives the same numbers."
MORE_SETTINGS = "More settings"
WHERE = "Rows that are removed"
CHOOSE = "Choose at least one {what}."
RUN, RUN_ACTIVE, RUN_NONE = "Run {runs}", "Running", "All runs are done"
COST = "About {time} on this machine."
COST_ROUGH = "Roughly {time} on one slow core."
COST_STORED = "{stored} of {total} are stored and cost nothing."
COST_NOTHING = "All {runs} are stored. This costs nothing."
LEFT_OUT = "Left out: {count}"
ABSENT = "{title} is not on the engine's machine. {how}"

# ---- a link that cannot be followed
LINK_WORD = "The link has the unknown word {word!r}. It is left out."
LINK_TAB = "The link asks for the unknown tab {tab!r}. There are: {known}."
LINK_METRIC = "The link asks for the unknown measure {metric!r}. There are: {known}."
LINK_PLAN = "The plan of the link cannot be run. The usual one is shown."
LINK_CELL = "The link names {cell!r}, which is no cell of its plan."
LINK_RUN = "The link names {run!r}, which is no name of a run."

# ---- the head
TITLE = "Compare"
EMPTY = "Choose data and methods, then press Run."
EXAMPLE = "recorded example"
DONE = "{done} of {runs} done"
RUNNING = "{done} of {runs} done, {running} running, {waiting} waiting"
LEFT = "{time} left"
FAILED = "{count} failed"
MORE_MEASURES = "More"
MEASURE = "Measure"
CANCEL = "Cancel"
CANCEL_HELP = (
    "Stops what waits and runs of this plan. A sweep or a paper's table that waits for the same run loses it. "
    "Runs started in the Lab go on. Finished runs stay."
)
RUN_MISSING = "Run {runs}"
EARLIER = "Earlier sweeps"
NAME = "{runs}"
"""What is being trained, in a verdict."""
SETTING = "{datasets}, {ratios}"
OTHER_ROWS = "other removed rows"

# ---- tabs
PLAIN, PLAIN_LABEL, ALL_ROWS = "plain training", "Plain", "All rows"
NO_RESULT = "No run of this plan is done. Dots appear here one by one."
DIFFERENCE = "Difference to {plain} in {metric}. Filled: the interval leaves zero out, after Holm over {cells}."
DIFFERENCE_UNTESTED = "Difference to {plain} in {metric}. One replicate has no interval."
PRESS = "Press a dot to open both runs."
NO_METHOD = "The plan has plain training alone. Add a method to compare."
SPOT = "{title} on {dataset} at {ratio}"
SPOT_PLAIN = "Plain training is not done here."
SPOT_UNDEFINED = "This measure is not defined here."
BETTER, WORSE, SAME = "Better.", "Worse.", "No difference found."
ROWS = "row"
NATURAL = "natural"
STATES = {
    "missing": "Not run.",
    "queued": "Waiting.",
    "running": "Running.",
    "failed": "Failed: {reason}",
    "cancelled": "Cancelled.",
    "interrupted": "Interrupted.",
    "done": "This measure is not defined here.",
}
"""What is said of a cell without a number."""

RATIO_NOTE = "Means over replicates. The numbers show on hover. “All rows” trains on the removed rows too and is not ranked."
RATIO_ONE = "Lines need 2 ratios. Add one (about {time})."
RATIO_ONE_UNTIMED = "Lines need 2 ratios. Add one."
MORE_DATASETS = "Shown: the first {shown} of {count} datasets."
STOP_BETTER, STOP_WORSE = "Better: {where}.", "Worse: {where}."
STOP_AT = "{title} at {ratios}"
STOP_NONE = "No difference found."

RANKS_NEED = "Ranks need {need} datasets. Add {count} (about {time})."
RANKS_NEED_UNTIMED = "Ranks need {need} datasets. Add {count}."
RANKS_METHODS = "Ranks need 3 methods. Add {count} (about {time})."
RANKS_METHODS_UNTIMED = "Ranks need 3 methods. Add {count}."
RANKS_WAIT = "Ranks need 2 cells with every method done."
RANKS_ADD_DATASETS, RANKS_ADD_METHODS, RATIO_ADD = "Add datasets and run", "Add methods and run", "Add a ratio and run"
RANKS_NOTE = (
    "Each cell ranks the methods, 1 is best. A bar joins methods that Nemenyi's test does not tell apart. All rows is left out."
)
RANKS_SAME = "Over {cells} the ranks show no difference, Friedman {p}."
RANKS_DIFFER = "Over {cells} the ranks differ, Friedman {p}."
RANKS_FIRST = "{title} ranks first, alone."
RANKS_JOINED = "{title} ranks first. No difference found between it and {others}."
RANKS_ONE_SET = "All cells are of one dataset. Its ratios share rows, so p may be too small."
RANKS_SHARED = "Ratios of one dataset share rows, so p may be too small."

COST_NOTE = "Filled: no faster method has a higher mean. Seconds are of all replicates together, as measured."
COST_SECONDS = "Seconds"
COST_NONE = "These runs kept no seconds."
COST_ALONE = "{title} is the only one done here."
COST_CHEAPEST = "{title} is the fastest and has the highest mean."
COST_BEST = "{title} has the highest mean and takes {times} times the seconds of {fastest}."
COST_OVERLAP = "Their intervals overlap."
PLACE = "Dataset and ratio"

CURVES_CHOICE = "Runs"
CURVES_NONE = "Choose runs that keep curves."
CURVES_SAME = "All curves are on the same test rows."
CURVES_OTHER = "These curves are on different test rows. Compare heights within one {within} only."
CURVES_HELP = "Recall is the share of positive rows found. Precision is the share of positive rows among those found."
DATASET, DATASET_AND_RATIO = "dataset", "dataset and ratio"
CHANCE = "chance {value}"

FIRST_RUN, SECOND_RUN = "First run", "Second run"
RUN_PICK = "Choose a run"
RUN_PICK_HELP = "The newest finished runs. Type to search."
PAIR_NONE = "No run is finished yet. Press Run, or train something in the Lab."
PAIR_CHOOSE = "Choose two runs, or press a dot in Differences."
PAIR_SAME = "Both are the same run. Choose another."
PAIR_ABSENT = "This run cannot be shown here."
PAIR_TITLE = "Two runs"
PAIR_PLANE = "Both films show the same plane. One scrubber moves both."
PAIR_PLANES = "These runs have different planes. One scrubber moves both films to the same step."
PAIR_SCALE = "Second run minus first run, on the same test rows. Intervals: 95%, over {n}."
PAIR_OTHER_ROWS = "The runs were tested on different rows, so no difference is computed."
PAIR_STATE = "{which}: {state}"
SETTING_NAME, SETTINGS_DIFFER, MEASURES_BOTH = "setting", "Settings that differ between the two runs", "Measures of both runs"
OPEN_LAB = "Open in the Lab"

NUMBERS_NOTE = "{metric} by run, with 95% intervals. Differences are to plain training. p is after Holm over {cells}."
SHARE_HELP = "Share of the gain: what the method adds, relative to what all rows add, where that is above 0."
REPORT, REPORT_HELP = "Report", "One file with every picture and number. It opens without a network."
COLUMNS = {
    "dataset": "Dataset", "ratio": "Ratio", "method": "Method", "state": "State", "mean": "Mean", "interval": "95% interval",
    "difference": "Difference", "between": "Its interval", "p": "p, Holm", "share": "Share of the gain",
    "seconds": "Seconds", "n": "Replicates",
}  # fmt: skip
TO = "{low} to {high}"
