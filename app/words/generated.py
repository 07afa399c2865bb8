"""What the page says of a generator's images."""

from __future__ import annotations

TITLE = "Generated images"
HELP = (
    "Images that this run's generator made of classes below the largest, in replicate 1. Under each is the nearest training "
    "row of its class. The number is the distance between both, divided by what is usual for real rows held out of training. "
    "A dashed frame with a word marks an image that another classifier takes for another class."
)
NUMBERS = "Copies, averages, or rows of their own?"
NUMBERS_HELP = (
    "Distance ratio: median distance to the nearest training row, divided by that of real rows held out. Gap ratio: nearest distance "
    "divided by the second nearest, against held-out rows. Near 0 means copies. Spread: how far the images differ from each other, "
    "against held-out rows. Near 0 means one image. "
    "Copies: a gap ratio below 0.1. Close to training rows: below 0.5. Averages: a spread below 0.6. "
    "Mixtures of training rows, such as those of GAMO or SMOTE, cannot be rows of their own by much. "
    "Recall: the share of images that another classifier takes for their class. It has never seen these training rows. "
    "Copies score as real rows do, so recall says nothing of diversity. Brackets hold 95% intervals over the replicates, of one "
    "replicate over its rows."
)
NEAREST = "distance to the nearest training row"
LEGEND = "Above, the generated image. Below, its nearest training row and their distance; 1× is usual for real rows held out."
LEGEND_FEATURES = (
    "Rows made among features are no images. These training rows are mixed, with their weights. Below, the distance to the nearest "
    "training row among the features; 1× is usual for real rows held out."
)
UNIT = "{value}×"
NO_UNIT = "–"
CALLED = "called {name}"
IMAGE_ALT = "Generated image {number} of class {name}"
CALLED_ALT = "; another classifier calls it {name}"
NEAR_ALT = "Nearest training row of class {name}, {distance}"
FAR = "{value} times the usual distance away"
UNKNOWN_FAR = "at an unknown distance"
WEIGHTED = "Rows it is mixed from, with their weights"
WEIGHTED_ALT = "The {count} training rows with the largest weights in this image: {weights}"
LARGEST = "weight {value}"
LARGEST_SAID = "Each image is a mixture of training rows. The largest weight of one row is {median} in the median."
BESIDE = {
    "strip": ("Between two training rows", "Decoded from one training row to another, in {count} steps"),
    "reconstruction": ("A training row, reconstructed", "A training row and its reconstruction"),
}
"""Of a picture that a method keeps: its title and its alternative text."""
PRESS = "Press an image to see what it was made of."
CLASSES = ("{count} classes", "{count} class")
WORDS_SAID = "Of {classes} {where}, by distances, gap and spread: {each}."
OVER, FIRST = "over {count} replicates", "in replicate 1"
WORD_OF = "{word} in {count}"
NOT_MEASURED = "not measured in {count}"
RECALL_SAID = "Another classifier takes {made} of the images of replicate 1 for their class, and {real} of real rows."
RECALL_ALONE = "Another classifier takes {made} of the images of replicate 1 for their class."
RECALL_OVER = "Another classifier takes {made} of the images for their class, and {real} of real rows, over the replicates."
RECALL_OVER_ALONE = "Another classifier takes {made} of the images for their class, over the replicates."
PERCENTS = "{} [{}, {}]"
NO_JUDGE = "No other classifier was asked. {reason}"
NOT_CHECKED = "This run was made by an earlier version, which measured nothing of these images."
TABLE_ALT = "Memorising and recall of the generated images, one row a class"
TOGETHER = "measured together with other rare classes"
COLUMNS = ("class", "images", "says", "distance ratio", "gap ratio", "spread", "recall", "recall on real rows")
NONE_MADE = "No image was generated: no class is below the largest."
