"""Texts of the reports: headings, legends, and how to read each part. Short sentences, present tense, one idea each.

A text with braces is a format string; what is filled in is escaped already.
"""

from __future__ import annotations

# ---- every report

FOOTER = "Made by Imbalance Lab{when}. This file holds {holds}. It loads nothing and sends nothing."
HOW = "How to read it."
MORE = "{n:,} more {noun} are not listed."
HOLDS_RUN = "names of classes and numbers about all rows"
HOLDS_FILM = ", and some training rows as dots of a picture"
HOLDS_TABLE = "names of columns, classes and levels, and numbers about all rows. No row of the table is in it"
HOLDS_SWEEP = "names of datasets and methods and numbers about all rows"
CHANCE = "dotted: chance"
METHOD_LINE, PLAIN_LINE, ALL_ROWS_LINE = "the method", "plain training", "all rows, never ranked"
THIS_RUN, OTHER_RUN = "this run", "the other run"

# ---- a run

RUN_SECTIONS = {
    "asked": "Settings of the run",
    "board": "Results",
    "measures": "All measures",
    "classes": "Results per class",
    "precision-recall": "Precision and recall",
    "learning": "Training",
    "points": "Synthetic points",
    "norms": "Weight norms",
    "gap": "Generalization gap",
    "notes": "Notes",
    "settings": "Parameters",
    "provenance": "Machine and versions",
    "code": "Code to reproduce it",
    "words": "Definitions of the measures",
}
OWN_TABLE = "a private table"
NATIVE = "natural"
EVERYWHERE, TRAINING_ONLY = "in all parts, before the split", "in the training rows only"
REMOVED = "{rate:.0%} of some classes removed"
NEVER_RANKED = ", never ranked"
SCORE = "Average precision: {mean:.3f}"
SCORE_INTERVAL = ", interval from {low:.3f} to {high:.3f}"
SCORE_CHANCE = "{score}; chance: {chance:.3f}."
SCORE_CAPTION = "Mean and interval. Dotted: chance."
SCORE_TABLE = "Average precision on test rows, and this run minus each other run"
RUN_HOW = "Values are means over n replicates. Intervals: {kinds}. Differences are paired: both runs have the same test rows."
ROWS_TABLE = "Rows of each class in each part, mean over replicates"
MEASURES_TABLE = "Every measure on test rows: mean and interval ({interval}; {n})"
CLASSES_TABLE = "Each class against all others: mean and interval over replicates"
NORMS_TABLE = "L2 norm of each class's output weights, mean over replicates"
NORMS_HOW = "A class with larger norms is predicted more often. Many methods for imbalance make the norms more equal."
GAP_NET = "All classes"
GAP_TABLE = "Gap of each class, mean over replicates"
GAP_HOW = (
    "The gap compares the features of test rows with those of training rows of the same class. It is the distance by which test rows "
    "leave the range of training rows. It is a mean over features. A larger gap means that training rows cover less of the test rows."
)
STATES = {"before": "Before the last phase", "after": "At the end", "equal_size": "With equal rows of each class"}
NET_STATES = {"before": "Before the last phase", "after": "At the end, with synthetic rows", "difference": "Difference"}
CURVES_HOW = "Lines are means over replicates, {which}. Average precision is the area under the curve."
MACRO, OF_CLASS = "macro mean over the classes", "of class {label}"
VALIDATION_TITLE, VALIDATION_CAPTION = "Validation average precision", "It chooses the epoch."
LEARNING_HOW = "Lines are means over replicates. A gap separates two phases.{chosen}"
CHOSEN = " Chosen epoch of the last phase, median: {epoch:g}."
MOVED, PER_REPLICATE = "Moved, {name}", "Points of a replicate"
MOVED_AT = "of a numeric column, at the chosen epoch"
LOWER, LOWER_ALIKE = "Lower the validation loss", "Lower it with equal weight of classes"
FRAME = "{title} of replicate {replicate}: {shown} of {n} synthetic points, each with its path; {when}"
OWN_AXES, PLANE = "the two axes of the data", "a plane with {share:.0%} of the variance of training rows"
FILM_HOW = (
    "Replicate {n}. Dots are training rows; larger dots are of the smaller classes. Diamonds are synthetic points. A line leads from the "
    "row that was copied. The picture shows {plane}."
)

# ---- a sweep

SWEEP_TITLE = "Methods at several imbalance ratios"
SWEEP_SECTIONS = {
    "asked": "Settings of the sweep",
    "ratio": "Score against ratio",
    "heat": "Differences to plain training",
    "ranks": "Ranks",
    "share": "Share of the gain of all rows",
    "cells": "All cells",
    "impossible": "Missing cells",
    "code": "Command to reproduce it",
    "words": "Definitions of the measures",
}
SWEEP_ALSO = "plain training, and all rows where rows are removed"
SWEEP_REPLICATES = "{folds} \N{MULTIPLICATION SIGN} {seeds} seeds. Data with a test part of their own have one fold."
CELLS_DONE = "{done} of {all} are done"
MORE_CHARTS = "charts, whose numbers are under All cells"
RATIO_HOW = (
    "Lines are means over replicates with their intervals. All rows is plain training with the removed rows given back. Where it meets "
    "plain training, more real rows add nothing. All charts of a dataset have the same height. Intervals of single scores overlap more "
    "than those of differences."
)
HEAT_TABLE = "Difference in {metric} to plain training on the same dataset and ratio"
HEAT_HOW = (
    "Differences are paired on common replicates, by the corrected resampled t of Nadeau and Bengio. p is corrected by Holm over all "
    "{tested} of them. {better} better than plain training, {worse} worse, {same} no difference found. The tint is the size of the "
    "difference. A dash: there is none."
)
RANKS_LABEL = "Mean ranks with half the critical difference to each side: "
RANKS_TITLE = "Mean rank over {sets} cells"
RANKS_CAPTION = "Critical difference {difference:.2f} (Nemenyi, 5%); Friedman's p {p}."
RANKS_HOW = (
    "Methods are ranked by their means in each cell that all of them have. All rows is never ranked. Two methods differ by more than the "
    "critical difference where their bars do not overlap. {one}"
)
RANKS_ONE = "All cells are of one dataset, so the ranks are about it alone. Its ratios share rows, and p may be too small."
RANKS_SHARED = "Ratios of one dataset share rows. The cells are not independent, and p may be too small."
SHARE_TABLE = "Share of the gain of all rows that a method reaches without them"
SHARE_HOW = (
    "The share is the gain of the method divided by the gain of all rows, both over plain training. It is of means over replicates, "
    "with Fieller's 95% interval. Its variance is that of the corrected resampled t. It is given only where the gain of all rows has "
    "an interval above 0. It can be below 0 or above 100%."
)
CELLS_TABLE = "Every cell: mean and interval over n replicates"
CELLS_HOW = "Intervals of scores: {kinds}. Seconds are of training, on the machine of each run."
IMPOSSIBLE, FAILED = "Cells that are not possible", "Cells that failed"
UNFINISHED = "{n} more cells have no result yet."
SWEEP_CODE = (
    "It runs what is missing, cheapest first, and writes this report. Stored results are not computed again. "
    "<code>--json</code> prints every number."
)
REPLICATE = "One fold of one seed. All methods of a replicate have the same test rows."
ALL_ROWS = "Plain training with the removed rows given back. It is a ceiling, not a method."

# ---- a comparison on a table

TABLE_TITLE, NO_VERDICT = "Which method helps on {file}?", "No verdict is stored."
TABLE_SECTIONS = {
    "asked": "Settings of the comparison",
    "data": "The data",
    "split": "How the rows are split",
    "board": "Results of the methods",
    "precision-recall": "Precision and recall",
    "decide": "The decision",
    "thresholds": "Thresholds",
    "calibration": "Reliability of the probabilities",
    "why": "Why, and for whom",
    "shortened": "Limits of this comparison",
    "settings": "Parameters",
    "code": "Code in Python",
    "words": "Definitions of the measures",
}
RATIO_MADE = "{ratio:g}, by removing rows before the split"
TIME = "{budget:g} s; {used} s were used"
SPLIT = (
    "A fifth of the rows chooses the epoch. The others form {folds} folds, each tested in turn. At most {seeds} such splits."
)
SPLIT_KINDS = {
    "random": "at random",
    "group": "by owner: all rows of an owner are in one part",
    "time": "by time: trained on the past, chosen on the next part, tested on the last",
    "time-group": "by time and owner: trained on the past, and no owner in two parts",
}
SPLIT_PARTS = {"train": "training", "valid": "validation", "test": "test"}
SPLIT_TABLE = "Rows of each part, by fold or origin of the first seed"
INTERVALS = "Intervals: {kind}."
OPTIMISM = "What a random split would read"
OPTIMISM_HOW = (
    "Plain training was measured both ways, on the same rows in parts of the same sizes. At random, rows of one owner or day are on both "
    "sides. It is a finding only where the interval leaves out zero."
)
SMALLEST = "{n:,} rows of the smallest class: differences below {half:.2g} cannot be shown."
DATA_HOW = (
    "The number of rows of the smallest class limits what can be shown. Intervals shrink with its square root. Check a column that "
    "separates the classes alone. It is often known only after the answer."
)
MORE_CLASSES = "{n} more classes are not drawn."
LOOKED_FOR = "The class to find: {label}."
BOARD_TABLE = "Models with their remedies, the model of the highest {metric} first"
BOARD_HOW = (
    "Values are means over replicates with their interval: {kind}. Two questions are answered apart. Does a remedy beat the same model "
    "plain? And how far is a row from the first one? Both differences are paired: the splits are the same. p is corrected by Holm over "
    "all remedies. A difference is found where p is below 0.05. \u25b2 better than the same model plain, "
    "\u25bc worse, \u25cb no difference found, \u25c6 a plain row itself. Only rows with the same replicates are compared with the first. "
    "Rows dropped early have fewer replicates and wider intervals."
)
MEANS_CAPTION, DIFFERENCES_CAPTION = (
    "Mean and interval. Dotted: the network's plain training.",
    "Right of the dotted line is better.",
)
NO_METHOD = "No method ran."
QUICK, DROPPED, FAILED_ROW = "quick look only", "dropped after round {round}", "failed: {why}"
SHARE_LINE = "dotted: share of the class to find"
TABLE_CURVES_HOW = (
    "Each threshold is a point. Recall is the share of rows of {what} that are found. Precision is the share of alerts that are right. "
    "Higher is better. A curve is the mean over replicates. Average precision is the area under it."
)
CLASS_LOOKED_FOR, EACH_CLASS = "the class to find", "each class, averaged over the classes"
NOTHING_CUT = "No limits: the whole plan fitted into the time."
CODE = "This code trains and measures {title} again on the same test rows. It needs the table and Imbalance Lab's engine."

THRESHOLD_RULES = {
    "half": "At 0.5",
    "f1": "Highest F1",
    "recall": "Recall of 80%",
    "precision": "Precision of 80%",
    "cost": "Cheapest if a miss costs 10 false alarms",
}
FLAGGED = "A row is an alert for {label} where its probability is at least the threshold."
THRESHOLDS_TABLE = "Rows of one pass over all tested rows, at five thresholds"
THRESHOLDS_HOW = (
    "Counts are rows of one pass over all tested rows, mean over the passes. All thresholds but 0.5 are chosen on these rows. Expect "
    "lower values on new rows. With costs, take the cheapest threshold. For reliable probabilities it is c / (c + m). c is the cost of a "
    "false alarm, m that of a miss. A dash: no threshold reaches it."
)
TRADE_OFF = "Precision and recall at every threshold."
DIAGONAL = "dotted: reliable probabilities"
CALIBRATION_TABLE = "Errors of the probabilities before and after correction; lower is better"
CALIBRATION_HOW = (
    "Of rows with a probability of 0.3, three in ten should be of the class to find. Reliable probabilities lie on the dotted diagonal. "
    "Methods that add or weight rows of the rare class raise its probability too much. Prior correction undoes the change of the "
    "classes' shares. It does not undo focal loss. Isotonic regression is fitted on validation rows, never on test rows. With two classes "
    "both keep the ranking; isotonic regression makes ties. Brier: mean squared error of the probability. ECE: mean distance between "
    "probability and share, weighted by rows."
)

# ---- the decision

DECISION = "{alerts}, {right} of 100 alerts are right and {found} of 100 {label} are found."
ALERTS_PER_1000 = "At {alerts} alerts per 1,000{cases}"
ALERTS_A_DAY = "At {alerts} alerts a day{cases}"
ALERTS_READ = " ({alerts} on test rows)"
DECIDE_CASES = {"row": "", "owner": " (an owner counts once)"}
ROWS_OF = "rows of class {label}"
NO_CUT = "No cut reaches {goal}."
NOTHING_FLAGGED = "{alerts}, no row is flagged."
DECIDE_ROW = "The cut is that of {title}. It is chosen on validation rows and read on test rows."
RULES = {
    "alerts": "alert budget",
    "recall": "recall to reach",
    "precision": "precision to reach",
    "cost": "lowest cost",
    "f-beta": "best F1 on validation rows",
    "hand": "by hand",
}
CUT_LINE = "Cut {cut} ({rule}), read on test rows:"
READINGS = {
    "precision": "precision",
    "recall": "recall",
    "alerts": "alerts per 1,000",
    "net_benefit": "net benefit per 1,000",
    "cost": "cost per 1,000",
}
TIES = {
    "all": "On average {n} validation rows tie at the cut. All of them are flagged.",
    "none": "On average {n} validation rows tie just below the cut. None of them fits the budget.",
}
AT_CUT = "The cut alone, without the budget, would flag {alerts} of 1,000 test rows."
NOT_REACHED = "In {n} of {of} replicates no cut reaches it on validation rows; there no row is flagged."
GAINS, GAINS_CAPTION = "Share found", "Share of the class found, over alerts. Dashed: alerts at random. Diamond: the cut."
NET_BENEFIT = "Net benefit per 1,000"
NET_BENEFIT_CAPTION = "Rows found, less false alarms at their price. Dashed: flag all. Dotted: flag none. Diamond: the cut."
SHARES, SHARES_CAPTION = "Precision at other shares", "At the same cut, by Bayes; nothing is trained again."
ALERTS_AXIS, CHECK_AXIS, SHARE_AXIS = "Alerts per 1,000", "Probability at which you would check", "Share in use (log)"
COUNTS_TABLE = "What becomes of 1,000 rows, mean and interval"
TRUE_CLASS, FLAGGED_COLUMN, NOT_FLAGGED, OTHERS = "True class", "Flagged", "Not flagged", "Others"
OTHER_RULES, CUT_RULE = "Cuts by other rules", "Chosen by"
CUT_RULES = {
    "f1": "Best F1",
    "recall": "Recall of .8",
    "precision": "Precision of .8",
    "cost": "Lowest cost, where a miss costs 10 false alarms",
    "alerts": "{alerts}",
}
CUTS_TABLE = "Cuts chosen on validation rows and read on test rows"
CALIBRATED, CALIBRATED_TABLE = "Probabilities before and after calibration", "Errors of the probabilities; lower is better"
CALIBRATED_HEAD = ["Probabilities", "Log loss, validation", "Log loss, test", "Brier score, test"]
CALIBRATIONS = {
    "as trained": "As trained",
    "prior corrected": "Prior-corrected",
    "isotonic": "Isotonic",
    "sigmoid": "Sigmoid",
    "temperature": "Temperature",
}
DECIDE_HOW = (
    "A row is flagged where its probability is at least the cut, so rows that tie are flagged together. Each replicate chooses its cut on "
    "its own validation rows. A budget flags the most likely test rows, as many as it allows. Values are means over replicates, read on "
    "test rows. Intervals: {kind}. A dash: no cut reaches it. Calibrations are fitted on validation rows. The one with the lowest "
    "cross-fitted log loss is chosen."
)

# ---- why, and for whom

WHY_ROW = "Importance, dependence and groups are those of {title}. Intervals: {kind}."
WHY_LINE = "{title}: {metric} without a column's values: {columns}."
SUSPECTS_LINE = "The scores contradict the labels of {found} of {tested} rows; {chance} are expected by chance."
REPEATED_LINE = "{same:,} rows repeat an earlier row; {mixed:,} rows also occur with another class."
UNSAFE_LINE = "Unsafe synthetic rows: {each}."
IMPORTANCE, DEPENDENCE = "Importance of the columns", "Partial dependence"
IMPORTANCE_FIGURE = "Fall of {metric} where a column's values are shuffled"
IMPORTANCE_CAPTION = "Mean and interval. A ring: the interval reaches 0."
IMPORTANCE_ALT, IMPORTANCE_AXIS = "Fall of {metric} by column with its interval: ", "Fall of {metric}"
IMPORTANCE_PART = "There was time for {columns} of {of} columns."
IMPORTANCE_HOW = (
    "The values of a column are shuffled among the test rows, about {rows} in each of {n} replicates. Columns that go together are "
    "shuffled together. It says what this model uses, not what causes the answer."
)
DEPENDENCE_CAPTION = "Mean probability of {label}, with intervals."
DEPENDENCE_ALT, PROBABILITY = "Mean probability over the values of {column}: ", "Mean probability"
DEPENDENCE_HOW = (
    "Every test row is given the same value in this column, and the probabilities as trained are averaged. Where columns go together, "
    "some of these rows could not exist."
)
GROUPS, GROUPS_TABLE = "Groups", "Test rows by level of the columns with few levels; the class to find is {label}"
GROUPS_HEAD = ("Group", "Rows", "Share", "Average precision", "Recall", "Precision", "Note")
SMALL = "small group"
GROUPS_HOW = (
    "Rows are test rows of one pass over the table. Share is that of the class to find. Recall and precision are read at the cut. Average "
    "precision rises with the share, so compare it only between groups of like share. A small group has fewer than 20 rows of one side."
)
SUSPECTS, SUSPECTS_TABLE = (
    "Labels to look at",
    "Rows whose label is the least probable; rows are counted from 1, without the header",
)
SUSPECTS_HEAD = ("Row", "Label", "Probability of the label")
SUSPECTS_HOW = (
    "Every score is of a model that did not train on the row. A row counts where its label has at most 10%. Some rare cases are real: only "
    "a number well above chance speaks of wrong labels."
)
UNSAFE, UNSAFE_FIGURE = "Unsafe synthetic rows", "Share of synthetic rows that are unsafe"
UNSAFE_CAPTION, UNSAFE_AXIS = "Mean and interval over replicates.", "Share of synthetic rows"
UNSAFE_ALT = "Share of unsafe synthetic rows of each method with its interval: "
UNSAFE_HOW = (
    "An unsafe row is nearer to a hidden row of the largest class than to any of its own class. The hidden rows are test rows, used "
    "for this count alone."
)
