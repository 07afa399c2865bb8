"""The glossary: each term of the pages in a few plain sentences, for the help of headings and for one list on every page."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import streamlit as st

from engine.spec.result import METRICS

_MORE = {
    "average_precision": "",
    "balanced_accuracy": "Calling every row the majority scores 0.5 on two classes, however rare the other one is.",
    "g_mean": "Recall and specificity are averaged over the classes first. It is not 0 where one class alone is missed.",
    "f1": "It is high only where both are.",
    "mcc": "It uses all four counts: true and false positives, true and false negatives.",
    "kappa": "Unlike accuracy it gives nothing for calling all rows the majority.",
    "roc_auc": "For a rare class it can be high while precision is low. It divides false alarms by the many negatives.",
    "precision_at_recall_0.25": "It reads the precision-recall curve at one place.",
    "precision_at_recall_0.5": "It reads the precision-recall curve at one place.",
    "precision_at_recall_0.75": "It reads the precision-recall curve at one place.",
}
"""The second sentence of each metric."""

TERMS: dict[str, str] = {
    **{label: f"{help} {_MORE[name]}".strip() for name, (label, _, help) in METRICS.items()},
    # data
    "Dataset": (
        "Rows with the classes they belong to: points in the plane, a table, or images. Its rows are split into training, "
        "validation and test before anything is learnt."
    ),
    "Minority and majority": (
        "The small class and the large one. With two classes the minority is the positive class. With more, every class below the "
        "largest is a minority."
    ),
    "Ratio": (
        "Rows of the largest class divided by rows of the smallest, written 50:1. To set a ratio, rows of the smaller classes are "
        "removed."
    ),
    "Profile": (
        "How the class sizes fall to the ratio: all alike, exponentially, in one step, or as a Gaussian. Another profile removes a "
        "share of some classes. With two classes the first four are the same."
    ),
    "Prevalence": ("The share of positive rows among the test rows. It is the average precision of a random ranking: chance."),
    "Removed rows": (
        "Minority rows that are removed to make the imbalance. They are real rows, so a run with all rows shows what they would add."
    ),
    "All rows": ("Plain training with the removed rows given back. It is a ceiling to compare with. It is never ranked."),
    "Share recovered": (
        "The gain of a method divided by the gain of all rows, both over plain training. It is shown only where the gain of all rows "
        "has an interval above 0."
    ),
    # training
    "Plain training": (
        "Training with cross-entropy on the rows as they are, with nothing done about the imbalance. Every other method is "
        "held against it."
    ),
    "Method": (
        "A way of training on imbalanced data: other rows, other weights, another loss or another last step. Its settings are "
        "in the form, and each has a default."
    ),
    "Over-sampling": (
        "Giving training more rows of the small classes, copied or made up. It changes how often a class is seen, not how "
        "much is known of it."
    ),
    "Generator": (
        "A network that learns the training rows of a class and makes new ones. It can end by copying: new rows are then hardly more than "
        "training rows repeated."
    ),
    "Discriminator": "A network that tells generated rows from real ones. A generator is trained to make that hard.",
    "GAMO": (
        "A generator whose new rows are weighted means of rows of one class. It chooses weights that a classifier finds hard. The largest "
        "weight says how near a new row is to a copy."
    ),
    "DeepSMOTE": (
        "SMOTE among the codes of images. A network turns an image into a short code, another one turns codes back. New images come from "
        "codes between two of one class."
    ),
    "BAGAN": (
        "A generator that begins as the decoder of an auto-encoder. It makes new images from a Gaussian of codes, one for each class."
    ),
    "CGAN": (
        "A generator and a discriminator that are both told the class. It is an interpretation here, since the cited method is not "
        "available."
    ),
    "Memorising": (
        "What a generator does that repeats its training rows. Distances to the nearest two of them tell copies from averages, which "
        "differ little from each other."
    ),
    "SMOTE": (
        "Over-sampling by points between a minority row and one of its minority neighbours. It fills the room between known "
        "rows and cannot leave it."
    ),
    "SWIM": (
        "Over-sampling that keeps a row's distance from the other classes. It reads the majority, so it works from a single minority "
        "row."
    ),
    "CCR": (
        "Over-sampling in spheres. Each minority row has one, small where majority rows are near. Majority rows inside are pushed out, "
        "and new rows are drawn within. MC-CCR is for many classes; RB-CCR chooses where inside."
    ),
    "RBO": (
        "Over-sampling by walks. A copy of a minority row takes small steps to where both classes are equally near. MC-RBO is for many "
        "classes."
    ),
    "SUGAR": "Over-sampling where a class is thin. New rows are then pulled along the shape of the class.",
    "Manifold over-sampling": (
        "Over-sampling along the plane or surface in which a class lies. The plane comes from principal components, the surface from an "
        "auto-encoder."
    ),
    "Cleaning": (
        "Removing rows that lie among other classes. ENN looks at the nearest rows of each. A Tomek link is a pair of two classes, each "
        "the nearest of the other."
    ),
    "CMTNN": (
        "Two networks judge the training rows: one learns the classes, the other what each row is not. Majority rows that both miss are "
        "removed."
    ),
    "EOS": (
        "Over-sampling in feature space, towards the nearest rows of other classes. It widens the range that a class's "
        "training rows span, which a narrow class lacks."
    ),
    "DOS": (
        "Deep over-sampling: features of rows are drawn towards features of their own class, round after round. Classes pull "
        "together while the network is trained."
    ),
    "Ensemble": (
        "Several models whose answers are averaged. Each member sees rows of its own, with the classes alike. Hardness of a row is "
        "the chance that the members before it give to other classes."
    ),
    "MESA": (
        "An ensemble whose policy is learnt. The policy sees how large the errors are and asks for rows with an error near its action. "
        "Its reward is what a tree on those rows gains on validation rows."
    ),
    "Explicit gradient": ("Moves copies of minority rows to lower the loss on validation rows. The film shows them moving."),
    "Logit adjustment": (
        "Adds the log of each class's share to its logit in training and leaves it out in testing. A rare class then wins by as much as "
        "it is rare. Balanced softmax is the same."
    ),
    "Class-dependent temperature": (
        "A number by which a logit is divided in training, higher for rarer classes. The network then learns larger logits for them."
    ),
    "Mixup": (
        "Training on mixtures of two rows, with both labels in the same proportion. It makes the network smoother between rows."
    ),
    "Metric learning": (
        "Training features so that rows of one class lie near each other and others farther. Nearest rows then decide. LMNN and NCA "
        "learn a linear map of finished features."
    ),
    "Triplet": (
        "A row, one of its class and one of another class. The loss asks that the second lie nearer to the first than the third does, "
        "by a margin."
    ),
    "Quintuplet": (
        "A row and four others. Two bound its cluster and its class, one is in another cluster, one of another class. Each lies "
        "farther than the one before."
    ),
    "Memory of class means": (
        "The mean features of every class. Each row takes a share of them before it is classified. Rare classes borrow from common ones."
    ),
    "Two branches": (
        "Two last blocks on shared layers. One learns from rows as they come, the other from rare classes more often. A weight moves "
        "from one to the other."
    ),
    "Cost matrix": (
        "What each mistake costs: a row for every true class, a column for the class that is chosen. The answer of lowest expected cost "
        "need not be the likeliest class."
    ),
    "Control": (
        "The same method with the one thing switched off that it claims to work by. Where the method does no better than its "
        "control, that thing did not help here."
    ),
    "Equal steps": "Plain training with as many steps as the method. It shows what longer training alone gives.",
    "Synthetic point": "A row that a method made up for training. Test rows are always real ones.",
    "Frame": (
        "The synthetic points and the decision surface at one moment of training. A run keeps about a hundred of them for the "
        "player."
    ),
    "Player": ("The film of a run. Space plays and pauses it; the button with a question mark lists all keys."),
    "Decision surface": (
        "Where the network changes its mind, drawn over the plane of the data. Above two dimensions it is a slice through the "
        "training mean, not the whole boundary."
    ),
    "Epoch": (
        "One pass of training over its rows. The epoch with the best validation score is kept, and the test rows are looked "
        "at once, for that one."
    ),
    "Validation rows": "Rows kept from training to choose the epoch and the threshold. They are never tested on.",
    "Contribution": (
        "What a synthetic point's presence in a step does to the validation loss, to first order, at the chosen epoch. Below "
        "0 it lowers that loss; it is not what training without the point would give."
    ),
    # runs
    "Run": (
        "One question and its answer: dataset, imbalance, method, splits and seed, and what came of them. The same question "
        "twice is one run, and its address reopens it."
    ),
    "Job": (
        "A run or another piece of work as the queue holds it. It is queued, running, done, failed, cancelled or interrupted."
    ),
    "Engine": "The process that trains, on this machine or on a larger one. The page only shows what it has done.",
    "Sweep": (
        "Runs of several methods on several datasets and ratios, cheapest first. Runs that are in the store already cost "
        "nothing."
    ),
    "Cell": "One method on one dataset at one ratio, with all its replicates. It is one run of a sweep.",
    # numbers
    "Replicate": ("One fold of one seed. Each seed draws removed rows, validation rows, folds and first weights anew."),
    "Fold": (
        "One of the parts that the rows are cut into, each the test part once. Folds of one seed share their validation rows."
    ),
    "Seed": "The number that all random draws come from. The same seed gives the same numbers on the same machine.",
    "n": "How many replicates a mean is over. More of them give a narrower interval.",
    "Interval": (
        "A range for the mean at 95% confidence, by the corrected resampled t over replicates. It is a plain t where every seed draws "
        "its own rows. With one replicate it comes from resampling its test rows. It then does not cover another split."
    ),
    "Corrected resampled t": (
        "A t interval that allows for replicates sharing training rows, by Nadeau and Bengio. Without the correction it would "
        "be too narrow."
    ),
    "Bootstrap": (
        "Resampling the test rows within each class, to see how much a score depends on them. It is used with one replicate."
    ),
    "Paired difference": (
        "The difference of two methods on the same test rows, replicate by replicate. Common chance cancels. It can be clear where "
        "two single intervals overlap."
    ),
    "p": "How often a difference at least this large would come by chance if there were none. Small ones speak against chance.",
    "Holm": (
        "A correction of p for several tests. The smallest p is multiplied by the number of tests, the next by one less. It keeps the "
        "chance of any false finding at 5%."
    ),
    "Rank": (
        "The place of a method on one dataset, 1 the best. Mean ranks over many datasets compare methods without mixing their "
        "scales."
    ),
    "Friedman's test": (
        "Asks whether the mean ranks of several methods over many datasets differ more than by chance. Only then is it worth "
        "asking which ones differ."
    ),
    "Critical difference": (
        "By how much two mean ranks must differ, at 5%, to be told apart (Nemenyi). It shrinks with the number of datasets "
        "and grows with the number of methods."
    ),
    "CD diagram": (
        "Methods on a line by their mean rank, the best at 1. A bar joins those that are less than the critical difference "
        "apart."
    ),
    "Wilcoxon's signed ranks": (
        "A test of two methods over many datasets that looks at the order of the differences, not at their size. One huge "
        "difference cannot decide it."
    ),
    # scores of a class
    "Precision": "The share of alerts that are right. Few false alarms make it high.",
    "Recall": "The share of positive rows that are found. Few misses make it high.",
    "Precision-recall curve": (
        "Rows are ranked by score. Each point of the curve is the precision and recall at one threshold. The area below it is the "
        "average precision, AP."
    ),
    "Alerts": "Rows at or above the threshold. Their number is the work that a threshold makes.",
    "Threshold": (
        "A row counts as positive where its probability is at least the threshold. Moving it trades misses against false "
        "alarms; the ranking of rows, and with it average precision, stays as it is."
    ),
    "Calibration": (
        "Whether probabilities mean what they say: of rows given 30%, are 30 in 100 positive? A ranking can be good and its "
        "probabilities wrong."
    ),
    "Prior correction": (
        "Over-sampling and class weights make probabilities too high for the smaller class. Prior correction takes back what "
        "they did to the class shares."
    ),
    "Isotonic regression": (
        "A rising staircase from scores to probabilities, fitted to what scores were worth on the validation rows. Test rows "
        "are never used for it."
    ),
    "Brier score": (
        "The mean squared distance of the probabilities to the truth, lower is better. Both ranking and calibration go into it."
    ),
    # inside a network
    "Embedding": (
        "The features of a row in the last hidden layer, drawn in two dimensions. Rows that lie together look alike to the network. "
        "Where classes mix, its last layer cannot separate them."
    ),
    "PCA, t-SNE, UMAP": (
        "Three ways to lay many dimensions out in two. PCA is a straight projection; t-SNE and UMAP keep neighbours together, "
        "and their distances between far groups mean little."
    ),
    "Feature deviation": (
        "How far the mean features of a class's test rows lie from those of its training rows. Means of few rows scatter, so rare "
        "classes deviate more by chance alone."
    ),
    "Generalization gap": (
        "The distance by which features of test rows leave the range of a class's training rows, averaged over features. Its unit is that "
        "of the features; at 0 none leaves it. A large gap means that training rows do not cover the test rows."
    ),
    "Weight norm": (
        "The L2 length of the last layer's weights of a class. A class with a short vector is predicted less often. Plain training leaves "
        "small classes with short ones."
    ),
    "Enemy": "The nearest row of another class, in feature space. EOS makes synthetic rows on the way to it.",
    "Variance within the classes": (
        "Mean squared distance of a row's features to the mean of its class, averaged over classes. A class that shrinks to a "
        "point has lost its detail."
    ),
    # comparisons
    "Quick look": (
        "The first round of a comparison: few rows and few epochs, so that every method has a number at once. Such numbers "
        "decide nothing."
    ),
    "Leaderboard": (
        "The methods of a comparison with their scores, best first. Compare them by the paired difference to plain training."
    ),
    "Verdict": ("What the intervals of a comparison show. No difference found means that an interval holds 0."),
}
"""Word -> a few short sentences. The order is that of the list."""

ALIASES = {
    "ap": "Average precision",
    "pr": "Precision-recall curve",
    "ir": "Ratio",
    "ce": "Plain training",
    "gap": "Generalization gap",
    "oracle": "All rows",
    "confidence interval": "Interval",
    "cd": "Critical difference",
    "sampler": "Over-sampling",
    "surface": "Decision surface",
    "features": "Embedding",
    "kappa": "Cohen's kappa",
    "auc": "ROC AUC",
    "board": "Leaderboard",
    "potential": "All rows",
    "withheld": "Removed rows",
    "ce equal steps": "Equal steps",
    "flagged": "Alerts",
    "nemenyi": "Critical difference",
}
"""Other names of the terms."""


def _normalise(text: str) -> str:
    """Return letters and digits alone, in small letters, without accents; the form in which terms are searched."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return " ".join("".join(c if c.isalnum() else " " for c in plain if not unicodedata.combining(c)).split())


_BY_NAME = {_normalise(name): name for name in TERMS}


def find_name(word: str) -> str:
    """Return the term's name in the list. Raises KeyError where there is none."""
    bare = _normalise(word)
    return ALIASES[bare] if bare in ALIASES else _BY_NAME[bare]


def explain_term(word: str) -> str:
    """Return what a term means. Raises KeyError where there is none."""
    return TERMS[find_name(word)]


def explain_terms(*names: str, first: str = "", last: str = "") -> str:
    """Return the help of a heading: a sentence of its own, a paragraph for each term, a sentence at the end."""
    return "\n\n".join(
        [*filter(None, [first]), *(f"**{find_name(w)}**: {explain_term(w)}" for w in names), *filter(None, [last])]
    )


def search_terms(wanted: str) -> list[str]:
    """Return the terms that a search finds: the one it names, those whose name begins so, those whose text has it."""
    parts = _normalise(wanted).split()
    if not parts:
        return sorted(TERMS, key=_normalise)
    known = {n: [_normalise(n), *(alias for alias, to in ALIASES.items() if to == n)] for n in TERMS}

    def place(n: str) -> int | None:
        if " ".join(parts) in known[n]:
            return 0
        if any(all(any(part.startswith(w) for part in text.split()) for w in parts) for text in known[n]):
            return 1
        return 2 if all(w in _normalise(f"{n} {TERMS[n]}") for w in parts) else None

    places = {n: search_terms for n in TERMS if (search_terms := place(n)) is not None}
    return sorted(places, key=lambda n: (places[n], _normalise(n)))


def draw_button(more: Callable[[], None] | None = None) -> None:
    """Draw the button that opens the list. more: draws what stands at the foot of the dialog."""
    st.fragment(_draw_button)(more)


def _draw_button(more: Callable[[], None] | None) -> None:
    """Draw the button. A fragment: nothing else is drawn again, and the list is sent when it is opened."""
    if st.button("Glossary", icon=":material/dictionary:", type="tertiary", key="glossary"):
        st.dialog("Glossary", width="medium", icon=":material/dictionary:")(draw_list)(more)


def draw_list(more: Callable[[], None] | None = None) -> None:
    """Draw the search and its results, in a dialog."""
    wanted = st.text_input("Search", key="glossary.search", placeholder="interval, AP, potential …")
    there = search_terms(wanted or "")
    with st.container(key="glossary-list"):
        if there:
            st.markdown("\n\n".join(f"**{n}.** {TERMS[n]}" for n in there))
        else:
            st.caption("No word of the glossary has that in it.")
    if more is not None:
        more()
