"""Texts of the page Papers. One idea a sentence, at most 20 words."""

from __future__ import annotations

GROUPS = {
    "explicit": "Explicit gradient", "eos": "EOS", "dos": "DOS", "all-methods": "All methods", "beyond": "Beyond the papers",
    "methods": "Methods", "coverage": "Coverage",
}  # fmt: skip
"""Parts of the page: a paper's tables, the list of methods, the coverage of intervals."""
TABLES = {
    ("keel", "3"): "KEEL", ("adult", "1"): "Adult", ("sine", "2"): "Sine", ("sine", "A"): "Sine, appendix",
    ("moving", "steps"): "Step size", ("all-methods", "keel"): "KEEL",
    ("beyond", "keel"): "KEEL",
}  # fmt: skip
"""Names of the first paper's tables on their switch."""
TABLE, TEXT = "Table {name}", "Text"
PART, CHOICE = "Part of the page", "Table"

TITLES = {"methods": "Methods of the three papers", "coverage": "Coverage of the intervals"}
NO_CLAIM = "Printed and measured results"

REDUCED = "reduced protocol"
FULL = "full protocol"
MEASURED = "{done} of {cells} measured"
REPLICATES = "{n} replicates"
PRINTED_ONLY = "printed numbers only"
NO_TABLE, NO_TABLE_YET = "no measured table yet", "No measured table yet. Run this table to have one."
LEFT_OUT_OF_RANKS = "Not ranked, without a number on every set: {names}."
NOTHING_PRINTED = "The paper prints no numbers of this table."
UNREADABLE = "The printed numbers are shown alone."

PRINTED, HERE, HERE_INTERVAL = "printed", "here", "here, with its interval"
HOLDS, FAILS, UNDECIDED, NOT_MEASURED = "holds", "does not hold", "undecided", "not measured"
ALL_CLAIMS, FEWER_CLAIMS = "Show all {count} claims", "Show fewer"
OVER_SETS = "{n} datasets"
CARD_PRINTED = "Printed {value}."
CLAIM_DATASET = "Dataset of the claims"

TABS = {
    "cells": "Printed and here", "numbers": "Numbers", "claims": "Claims", "ranks": "Ranks", "figures": "Figures", "run": "Run this table",
    "made": "How it was made",
}  # fmt: skip
STRIPS = "{metric}, printed and here"
NO_CELL = "Nothing is printed or measured here."
METRIC, DATASET = "Measure", "Dataset"
PRESS = "Press a dot to open its run in the Lab."

WHOSE, SHIPPED, LAB = "Measurements", "Shipped", "Of this lab"
WHOSE_HELP = "Claims, ranks and figures are made of these numbers."

NUMBERS_NOTE = "A printed number is inside, above or below the central 95% of our single-split values."
HEADS = {
    "p": "share removed", "remedy": "remedy", "k": "neighbours", "minority": "loses rows", "printed": "printed", "here": "here",
    "interval": "95% interval", "n": "n", "lab": "in this lab", "lab_interval": "its interval", "lab_n": "n, this lab",
    "verdict": "the printed number is",
}  # fmt: skip
LABELS = {"mnr": "minority", "mjr": "majority"}
MARK = "✱ {reason}"
CHOOSE_ROWS = "Choose rows to see their replicates and open their runs."
NOT_YET = "Not measured here: {reason}."
RUNS_ABSENT = "Its runs are not in this store. Run this table to have them."
OPEN_RUN = "Open run {number} in the Lab"
FIRST_RUNS = "The first {shown} of {count} runs."
CELL = "**{name}**: {replicates}"
IN_THIS_LAB = "In this lab:"
OTHER_PROTOCOL = "Another protocol than the shipped one. The two numbers are not compared."
EQUAL = "Equal to the shipped values to 1e-9."
APART = "Apart from the shipped values by at most {most}."
OTHER_RUNS = "Some runs differ from the shipped ones. This lab's mean is {where} the shipped interval."
INSIDE, OUTSIDE = "inside", "outside"
TO = "{low} to {high}"

CLAIMS_NOTE = "Each claim is tested on paired runs, with Holm's correction within its dataset."
CLAIM_COLUMNS = {
    "dataset": "Dataset", "claim": "Claim", "verdict": "Verdict", "difference": "Difference", "interval": "95% interval", "p": "p, Holm",
    "n": "n",
}  # fmt: skip
NO_CLAIMS, NO_RANKS, NO_FIGURES = (
    "No claim of this table is tested.",
    "Ranks need two datasets.",
    "No figure of this table is drawn.",
)
RANKS_NOTE_MANY = (
    "Hollow: more than Nemenyi's critical difference of {width} from the best. A win is a difference beyond the margin."
)
RANKS_NOTE = "A bar joins methods that Nemenyi's test does not tell apart. A win is a difference beyond the margin."
ABOVE, NONE_ABOVE = "{names} {are} above {first}", "nothing is shown to be above {firsts}"
OTHERS = "{count} more"
AFTER_HOLM = "After Holm's correction over {rows} on {sets}, {clauses}."
NUMBERS_OF = "Numbers"
FRIEDMAN = "Over {sets}, Friedman {p}."
CLAIM = "Claim: {text} {verdict}."
PAIRS = {
    "pair": "Pair", "mean": "Mean difference", "wins": "Wins", "ties": "Ties", "losses": "Losses", "p": "p, Holm",
}  # fmt: skip
AGAINST = "{left} against {right}"
FIGURE, IMBALANCE = "Figure", "Ratio"
FIGURES = {"3": "Precision and recall", "4": "Validation", "5": "Losses"}
FIGURES_NOTE = "Means over the replicates of the same runs, without bands."
PANELS = {"left": "The task", "middle": "Training and validation points", "right": "Explicit gradient"}

PROTOCOL, PROTOCOLS = "Protocol", {"reduced": "Reduced", "full": "Full"}
PROTOCOL_HELP = "The reduced protocol trains less, on fewer rows. It tests the claims, its numbers are not the paper's."
SETS, ALL = "Datasets", "All of them"
COMMAND = "From a terminal, with the same store:"
NOTHING_TO_RUN = "Nothing of this table can run here: {why}"
LEFT_OUT = "Left out: {why}"
PROGRESS = "{done} of {runs} done in this lab"
STATES = {"running": "{count} running", "queued": "{count} waiting"}
TIME_UNKNOWN = "The time left is known after the first runs."
TIME_LEFT = "About {time} left."
NO_ENGINE = "The engine is off. The runs wait."
STOP = "Stop"
STOP_HELP = (
    "Stops what waits and runs of this table. A sweep that waits for the same run loses it. Runs started in the Lab go on."
)
RUN, RUN_MISSING = "Run {runs}", "Run the missing {runs}"
COST = "{runs}, {replicates} in all, about {time} on {slots}."
COST_UNKNOWN = "{runs}, {replicates} in all. No such run was timed yet."
WAITS = "They wait while someone runs a single run."
QUEUEING = "Queueing"

MADE_COST = "{runs}, {n} replicates a cell, {time} of computing, {date}."
MADE_AGAIN = "The same command finishes what is missing and measures nothing twice:"
MADE_CHECK = "This command computes the first cell again on this machine:"
MADE_BETWEEN, MADE_ON, MADE_TORCH, MADE_DEVICES, MADE_COMMITS, MADE_CPUS = (
    "Between {first} and {last}", "Machines: {names}", "torch {names}", "Devices: {names}", "Commits: {names}", "Processor: {names}",
)  # fmt: skip
OPEN_QUESTIONS = "What the paper leaves open, and what was decided here"
CITE = "Cite this paper"

METHODS_FILTER, METHODS_STATE = "Find a method", "State"
METHODS_COLUMNS = {
    "name": "Method", "papers": "Paper", "where": "Where", "state": "State", "here": "Here", "decided": "Source and decision",
    "reason": "Reason",
}  # fmt: skip
METHODS_COUNT = "{shown} of {count} methods."
METHODS_KEYS = "A press on a line shows what was decided."
METHODS_OPEN, METHODS_OPEN_ONE = "Open", "Open {name}"
METHODS_DECIDED = "Source and decision: {source}"
METHODS_PAGE = "It runs on a page of its own: {what}."
METHODS_NONE = "No method fits."

COVERAGE_NOTE = "Share of {n} simulated test sets whose 95% interval holds the true value, at {positives}."
COVERAGE_POSITIVES = "Positive test rows"
COVERAGE_NONE = "No simulation is shipped. This command makes it:"
COVERAGE_USED = "used here"
COVERAGE_TIP = "{covered} of {n} sets, mean width {width}"
COVERAGE_FILLED = "Filled: the interval that one split has here. The band is .94 to .96."
COVERAGE_COMMAND = "python -m engine coverage"
