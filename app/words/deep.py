"""Texts of the Deep page."""

from __future__ import annotations

TITLE = "Where do rare classes lie?"
"""The heading where no run is shown."""
LINK_WORD = "The link has the word {word}, which means nothing here."
LINK_RUN = "The link names the run {run}. A run's name has 16 of the letters 0-9 and a-f."
LEAVE = "Show another run"

# ---- the row on top

RUN, RUN_HELP = "Run", "Finished runs of deep methods and on images. Type to search."
CHOOSE, OWN_TABLE = "Choose a run", "your table"
YOURS, LAST, EXAMPLE = "your last run", "the last run here", "example"
CHANGE = "Change and run"
BEGIN = "Run three-phase EOS on digits (about 70 s)"
BEGIN_BARE = "Run {method} on {data}"
OPEN_LAB = "Open in the Lab"
GALLERY = "Recorded runs in the gallery"
NOT_HERE = "These data are not on the engine's machine. {how}"
BESIDE, NO_BESIDE, BESIDE_HELP = (
    "Compare with",
    "no other run on these data",
    "Another run on the same data. It is drawn beside this one.",
)
NOTHING = "nothing"

# ---- the verdict

PLAIN = "plain"

# ---- the place of the map

AGAIN = "Run again"
NO_FEATURES = "This run kept no features. Run again."
BEGINS = "The map comes when the run ends."
NO_WAYS = "The engine's catalog names no map. Start the engine once."
NOTES = {
    "running": "ready in {seconds}",
    "late": "ready soon",
    "queued": "waits for {jobs}",
    "next": "starts next",
    "failed": "failed",
    "none": "not computed",
}
"""Beside the name of a map that is not there."""
WHY = {
    "running": "The engine computes it. The map you see stays until then.",
    "failed": "{reason} Press to try again.",
    "none": "Press to compute it, about {seconds}.",
    "demo": "In a demonstration nothing is computed.",
    "silent": "No engine runs, so no map can be computed.",
}
SAID = {
    "pca": "The two axes hold {share:.0f}% of the variance.",
    "tsne": "Near rows stay near. Distances between groups mean nothing.",
    "umap": "Near rows stay near. Densities mean nothing.",
}
"""What the places mean, by the way of the map."""
MARKS = ("Dots: training rows.", "Rings: test rows.", "Crosses: synthetic points.")
ALT = "{verdict} {way} of the features: {counts}."
COUNTS = ("{n} training rows", "{n} test rows", "{n} synthetic points")
EMPTY = "The map is on its way."
SETTINGS, SETTINGS_HELP = "Map settings", "Other settings give another map. It is computed and kept with the run."
SEED = "Seed"

MAP = {
    "all": "{n} points on the map",
    "lasso": "{n} points in the lasso",
    "hint": "Point at a mark or draw a lasso.",
    "clear": "Clear",
    "both": "{real}, {made} synthetic",
    "more": "{n} more classes.",
    "rows": "Real rows of {names}",
    "some": "Real rows",
    "made": "Made images",
    "lines": "Synthetic points, and the two rows each lies between",
    "between": "It lies between these two rows.",
    "ends": "Its two rows, then the nearest rows",
    "copy": "It began as a copy of this row.",
    "outside": "Its two rows are not in the sample.",
    "unknown": "Its parents are not kept.",
    "noImage": "A point of feature space has no image.",
    "stays": "stays in class {name}",
    "crosses": "towards class {name}",
    "step": "{share}% of the way from the left row to the right one",
    "median": "{name}, typical",
    "train": "Training row {row}, class {name}.",
    "test": "Test row {row}, class {name}.",
    "synthetic": "Synthetic point of class {name}.",
    "taken": "Classified as {taken}.",
    "pinned": "pinned",
    "near": "The {n} nearest rows in feature space",
    "attention": "What it takes of the memory, by class",
    "columns": "This row, then the nearest rows",
    "head": "{row}: {name}",
    "column": "Column",
    "kindTrain": "Train",
    "kindTest": "Test",
    "kindSynthetic": "Synthetic",
    "techniques": "Map",
    "kinds": "Points shown",
    "modes": "What dragging does",
    "lassoMode": "Lasso",
    "pan": "Pan",
    "links": "Link to rows of other classes",
    "errors": "Mark errors",
    "zoomIn": "Zoom in",
    "zoomOut": "Zoom out",
    "panel": "Rows under the pointer or in the lasso",
    "keys": "Arrows go to the nearest point. L takes its class. Enter pins it. Escape clears. Plus and minus zoom.",
}
"""Texts of the map, by the names that its files use."""

# ---- the tabs

TABS = {
    "gap": "Gap and norms",
    "classes": "Per class",
    "training": "Training",
    "what-if": "What if",
    "images": "Images by class",
    "numbers": "Numbers",
    "code": "Reproduce",
}
"""Name in the address -> title."""
NOT_YET = "This tab is filled when the run ends."

GAP, GAP_AXIS = "Generalization gap, per class", "Gap, in units of the features"
GAP_HELP = "For one split the intervals reach down only: resampled test rows span no more than the rows."
NO_GAP = "This run was made by an earlier version, which did not measure the gap. Run again."
GAP_CHANGE = "Mean over classes: {before} before, {after} after. Change {change}."
GAP_SAID = {
    "same": "The gap has not changed. No synthetic row leaves the range of the real rows.",
    "smaller": "The gap is smaller. The training range covers more of the test rows.",
    "larger": "The gap is larger. Test rows moved further than the new rows fill.",
    "tiny": "The change is smaller than 0.0005.",
    "one": "One replicate has no interval, so no change can be shown.",
    "none": "No change found in the gap.",
}
OUTCOMES = "Gap of correct rows and of errors"
OUTCOMES_HELP = (
    "The same gap of test rows that the network gets right and of those it gets wrong. Each counts with its true class."
)
OUTCOMES_STATES = ("correct rows", "errors")
OUTCOMES_SAID = "In {further} of {both} classes the errors lie further outside than correct rows."
NO_OUTCOMES = "No class has both correct rows and errors."
EQUAL = "How much of it is sample size"
EQUAL_HELP = "A range grows with the number of rows. The control draws as many rows of every class, and averages over draws."
EQUAL_STATES = ("all rows", "equal rows")
EQUAL_SAID = "The smallest class {small} lies {excess} above the largest class {large} on all rows, and {left} on equally many."
EQUAL_FEW = "The smallest or largest class has too few rows for this control."
COSTS = "Costs over the epochs"
COSTS_HELP = (
    "The cost of calling a row of one class another, over that of calling it right, mean over replicates. Red is dearer, blue "
    "cheaper, in powers of two."
)
DEVIATION, DEVIATION_AXIS = "Feature deviation, per class", "Distance of the two means"
DEVIATION_HELP = "The tick takes as many training rows of every class. The diamond is what sampling alone gives."
DEVIATION_SAID = "The smallest class's means lie {own} apart, where sampling alone gives {expected}."
DEVIATION_FEW = "The smallest class has too few rows to say what sampling alone gives."
NORM_TIMES = "{label}, after over before"
NORMS, NORMS_AXIS = "Length of the output weights, per class", "L2 norm of output weights"
FACTORS, FACTORS_AXIS = "Factor of the output weights, per class", "Weights after over before"
FACTORS_SAID = (
    "The weights of {small}, the smallest class, were multiplied by {of_small}, those of {large}, the largest, by {of_large}."
)
NO_NORMS = "What classifies in this run has no weights per class."
NORMS_SAID = "The smallest class's weights are {before:.2f} times as long as the largest's before, {after:.2f} times after."
NORMS_MEANS = {
    "none": "There are no norms from before the last layer was trained again.",
    "same": "The last layer is the same as before.",
    "unclear": "No change found in how even the lengths are.",
    "more": "The lengths are closer to each other than before.",
    "less": "The lengths are further from each other than before.",
}
STATES = ("before", "after")

CURVES = "Precision and recall of each class"
NO_CURVES = "This run was made by an earlier version, which kept no curves per class."
ALL_MEASURES, ALL_MEASURES_HELP = "All measures of all methods", "Means over the replicates with their 95% intervals."
ONE_CLASS = "Each class is held against all others."
SCORES, SCORES_ALT = "Scores", "Test results with 95% intervals, one row a class"
MINORITY = "{few} of {all} classes count as minority classes: {those} in training."
MINORITY_LOST, MINORITY_BELOW = "those that lost rows", "those below the largest"
INTERVALS = "Intervals: {kind}, {n}."

STILL = "No point moves in this run, so there is no film. The curves show its training."
FILM_THIS, FILM_OTHER = "this run", "the other run"
VARIANCE, VARIANCE_LAST = "Variance within the classes", "It is measured after every round."
VARIANCE_SAID = "Variance over the rounds, in squared units of the features: {each}."
VARIANCE_EACH = "{label}: {first:.3g} first, {last:.3g} last"
GENERATOR = "Losses of the generator's training"
WEIGHT = "Largest weight of a new row"
WEIGHT_SAID = "At the end a new row is made of {effective:.1f} training rows in effect. At 1 it is a copy."
POLICY, POLICY_EPISODE, POLICY_REWARD = "What the policy gained", "Episode", "Gain in average precision, in points"
POLICY_MEMBERS, POLICY_MEMBER, POLICY_ACTION = "How hard the rows of each tree are", "Tree", "Error that is asked for"
POLICY_STATES = "What the policy sees"
LEARNING = "Average precision on the validation rows"
NO_HISTORY = "This run kept no curves of its training."

IMAGES_TRAIN, IMAGES_TEST = "Training rows", "Test rows, those classified wrongly first"
NO_IMAGES = "These data are no images."
IMAGES_ALT = "{n} {kind} of class {name}, {wrong} of them classified wrongly"
IMAGES_KINDS = ("training rows", "test rows")
SAMPLE = "Shown on the map: {parts}. Small classes keep more of their rows."
SAMPLE_PART = "{shown} of {all} {kind}"
SAMPLE_WIDTH = "Each has {features} of the final network."

CHANGE_ONE, THIS_RUN, OTHER_VALUE = "Change one setting", "This run: {value}.", "Choose another value than this run's."
NO_KNOBS = "This run has no setting that can be varied here."
CANNOT_VARY = "This run cannot be varied: {why}"
RATIO_LABEL = "Largest to smallest class"
RUN_BESIDE, ALL_ELSE = "Run it beside this one", "All other settings stay."
DIFFERS, DIFFERS_HELP = "Settings that differ", "All other settings are the same in both runs."
LACKS = "–: that method has no such setting."
MEASURES, MEASURES_HELP = (
    "Measures of both runs",
    "A difference is the other run minus this one, paired over replicates on the same test rows.",
)
PAIRED = "{n}. Each difference is looked at alone, with its own 95% interval."
NOT_PAIRED = "{n}. The runs have other test rows, so no paired difference is shown."
