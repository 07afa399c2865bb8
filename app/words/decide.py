"""The texts of the choice of a cut, and of why and for whom the row of the board works."""

from __future__ import annotations

NO_CUTS = "This comparison keeps no cuts."
CUTS_GONE = "The cuts of this row are gone."
OLD = "An earlier version made this comparison. Compare again for shares in use, calibration and intervals at the cut."
ROW = "Row"
NONE_FLAGGED = "No row is flagged at this cut."
OTHERS = "any other class"
READINGS = {"precision": "Precision", "recall": "Recall"}
READ_MORE, FROM_TO, PER_DAY = "{what} {reading}.", "{mean} (from {low} to {high})", "{alerts} alerts a day."
NO_INTERVAL = "no interval"
CHOSEN_OLD = "Chosen and read on the same test rows. No interval."
FOOT_OLD = "One cut in all six pictures: drag it, or press an arrow key."

RULES = {
    "alerts": "Alert budget", "recall": "Reach a recall", "precision": "Reach a precision", "cost": "Lowest cost", "f-beta": "F-beta",
    "hand": "By hand",
}  # fmt: skip
"""Kinds of `engine.stats.decide.Rule` and their titles, in the order of the list."""
KINDS = {
    "as trained": "As trained", "prior corrected": "Prior corrected", "isotonic": "Isotonic", "sigmoid": "Sigmoid",
    "temperature": "Temperature",
}  # fmt: skip
LOWEST_LOSS = "{kind} has the lowest log loss on validation rows: {loss}."
LOSS = "Log loss on validation rows: {loss}."
LOSS_BEFORE = "As trained: {loss}."
TARGETS = {"recall": "recall {value}", "precision": "precision {value}"}
"""What a rule asks for, after 'No cut reaches'."""

COMPONENT = {
    "chooseBy": "Choose the cut by",
    "fields": {
        "alerts": "Alerts per 1,000 {units}", "alertsDay": "Alerts a day", "recall": "At least this recall",
        "precision": "At least this precision", "beta": "Beta: above 1 for recall", "miss": "A miss costs", "alarm": "A false alarm costs",
    },
    "per": "The budget counts", "perNames": {"1000": "per 1,000 {units}", "day": "per day"},
    "costColumn": "A miss costs what the column {column} says", "ownerOnce": "Count each owner once",
    "share": "Share of {label} in use", "rarest": "1 in 10,000", "asTable": "as in the table", "computedFor": "computed for {share}",
    "counts": "Counts per 1,000 {units}", "flagged": "flagged", "notFlagged": "not flagged", "found": "found", "missed": "missed",
    "falseAlarms": "false alarms", "leftAlone": "left alone", "countMore": "{meaning}, 95% interval {low} to {high}",
    "perThousand": "Per 1,000 {units} as in the table.", "perThousandAt": "Per 1,000 {units} with a share of {share}.",
    "tiesAll": "{count} validation {units} tie at the cut. All are flagged.",
    "tiesNone": "{count} validation {units} tie at the cut. None is flagged.",
    "dayCuts": "Each day has a cut of its own, so the mark may lie beside a curve.",
    "reachedIn": "{part} of {whole} replicates reach it.", "unreached": "No cut reaches {rule}.", "targets": TARGETS,
    "probabilities": "Probabilities", "useCut": "Use this cut", "chosenOn": "Chosen on validation rows. Read on test rows.",
    "byHand": "Moved by hand on test rows: its readings are a little too good.",
    "pictures": "Pictures", "roc": "ROC", "besideNote": "grey: {title}", "recall": "Recall", "falseRate": "Share of false alarms",
    "alerts": "Alerts per 1,000 {units}", "units": {"row": "rows", "owner": "owners"},
    "alertsDay": "Alerts a day", "atRandom": "at random", "checkAt": "Probability at which you would check", "flagAll": "flag all",
    "flagNone": "flag none", "cut": "Cut", "predicted": "Predicted probability", "observedUp": "observed share, up",
    "shareLog": "Share in use (log)", "pointAt": "{y} at {x}", "ofHundred": "{count} of 100", "lowest": "lowest {cost}",
    "atShare": "{precision} at 1 in {count}", "here": "{precision} here",
    "titles": {
        "pr": "Precision and recall", "roc": "ROC", "gains": "Gains", "benefit": "Net benefit", "cost": "Cost",
        "reliability": "Reliability", "shares": "At other shares",
    },
    "notes": {
        "pr": "{beside}", "roc": "{beside}", "gains": "found, up", "benefit": "per 1,000 {units}", "cost": "per 1,000 {units}",
        "reliability": "{kind}", "shares": "precision at this cut",
    },
    "alts": {
        "pr": "Precision against recall of {title} over all cuts. At the cut: precision {precision} at recall {recall}.",
        "gains": "Share found of {label} against alerts, {title}. At the cut: {alerts} alerts find {hundred} of 100.",
        "benefit": "Net benefit of {title} per 1,000 {units} against the probability of the cut. At the cut: {benefit}.",
        "cost": "Cost of {title} per 1,000 {units} against the cut. At the cut: {cost}. Lowest: {lowest}.",
        "reliability": "Observed share of {label} against predicted probability of {title}, {kind}. The cut is at {cut}.",
        "shares": "Precision of {title} at this cut against the share in use. At {share}: {precision}.",
    },
    "altsBare": {
        "pr": "Precision against recall of {title} over all cuts.", "gains": "Share found of {label} against alerts, {title}.",
        "benefit": "Net benefit of {title} against the probability of the cut.", "cost": "Cost of {title} against the cut.",
        "reliability": "Observed share of {label} against predicted probability of {title}.", "shares": "No cut to read at other shares.",
    },
    "valueText": "Cut {cut}: {alerts} alerts, precision {precision}, recall {recall}.",
    "foot": "One cut in all six pictures: drag it, or press an arrow key. Bands: {interval}.",
}  # fmt: skip
"""What the component says; it fills in the braces."""

# ---- why and for whom

WHY_TABS = {"columns": "Why", "groups": "For whom", "rows": "Rows to check", "made": "Made rows"}
WHY_NONE = "An earlier version made this comparison. Compare again to see which columns decide, and for whom."
WHY_ROW = "Of the row {title}, on test rows."
IMPORTANCE, IMPORTANCE_NOTE = "Columns that decide", "loss of {metric} when shuffled"
IMPORTANCE_ALT = "{column}: {mean}, 95% interval {low} to {high}."
IMPORTANCE_BARE = "{column}: {mean}."
MORE_COLUMNS = "{count} more lose {least} or less."
DEPENDENCE, DEPENDENCE_NOTE = "Mean probability", "if every row had this value"
DEPENDENCE_ALT = "Mean probability against {column}: {first} at {start}, {last} at {end}."
GROUPS_ALT = "Groups of test rows with average precision, and recall and precision at the cut"
GROUP_HEADS = ("Group", "Rows", "Share", "Average precision", "Recall", "Precision")
GROUP_SMALL = "few rows"
GROUPS_NOTE = "Hollow: fewer than 20 rows of a class. Lines are 95% intervals."
MORE_ROWS = "and {count} more"
SUSPECTS, SUSPECTS_NOTE = "Labels to check", "contradicted most by scores of models that did not train on them"
SUSPECTS_FOUND, SUSPECTS_CHANCE = "Labels that look wrong", "Expected by chance"
SUSPECTS_NONE = "No label stands out."
SUSPECT_HEADS = ("Row", "Label", "Probability of the label")
DUPLICATES, CONFLICTS = "Rows that repeat another one", "Equal rows with different labels"
UNSAFE, UNSAFE_NOTE = "Unsafe made rows", "nearer to a hidden majority row than to any minority row"
UNSAFE_ALT = "{title}: {share} of {count} made rows, 95% interval {low} to {high}."
UNSAFE_BARE = "{title}: {share} of {count} made rows."
