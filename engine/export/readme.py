"""The README of an exported model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.export.format import TREES, WEIGHTS
from engine.export.pipeline import Pipeline
from engine.spec.table_reading import TableReading
from engine.text import markdown

EXAMPLE = """\
import pandas as pd

import engine

model = engine.load_model("model.zip")
print(model.describe())
chances = model.predict_proba("new-rows.csv")  # a file written as the table was; its target may be missing
out = pd.DataFrame(chances, columns=model.classes_)
out.insert(0, "predicted", model.predict("new-rows.csv"))
out.to_csv("predicted.csv", index=False)
"""
"""Ten lines that use an exported model of a file."""

FRAME_EXAMPLE = """\
import pandas as pd

import engine

model = engine.load_model("model.zip")
print(model.describe())
table = pd.read_csv("new-rows.csv")
table["predicted"] = model.predict(table)
table["probability"] = model.predict_proba(table).max(axis=1)
table.to_csv("predicted.csv", index=False)
"""
"""Ten lines that use an exported model of a dataset that was no file."""

OF_FILE = """\
The path of a file that is written as the table was: {how}. Or a data frame as `pandas.read_csv`, `read_excel` or `read_parquet` gives it
without options, where that has the file's names and values; else the model says to give the path. These columns, in any order:"""


def write_readme(words: Mapping[str, Any], pipeline: Pipeline) -> str:
    """Markdown text that explains the parts of the zip."""
    about = words["about"]
    title = about.get("title") or about.get("name") or "A model"
    head = words.get("head", {}).get("kind")
    keeps = (
        "\nThis classifier compares with its training rows, so the file holds the features of each of them: who has the file has those.\n"
        if head == "nearest neighbours"
        else ""
    )
    what = _name_model(words)
    columns = "\n".join(f"- {markdown(c.name, 80)} ({c.kind})" for c in pipeline.columns[:200])
    more = f"\n- and {len(pipeline.columns) - 200} more" if len(pipeline.columns) > 200 else ""
    how = "" if pipeline.reading is None else _describe_file(pipeline.reading)
    target = f" of {markdown(about['target'], 80)}" if about.get("target") else ""
    return f"""# {markdown(title, 80)}

{what[0].upper() + what[1:]}, fitted by Imbalance Lab. It gives the probability of each class{target}:
{", ".join(markdown(c, 80) for c in words["classes"])}.
{_describe_training(words)}{_describe_decision(words)}
## Use it

Where Imbalance Lab is installed (`pip install .` in the folder of its source), with this zip as `model.zip` and new rows:

```python
{FRAME_EXAMPLE if pipeline.reading is None else EXAMPLE}```

## What it takes

{
        "A data frame, or a list of one dict per row, with these columns in any order:"
        if pipeline.reading is None
        else OF_FILE.format(how=how)
    }

{columns}{more}

- Other columns are ignored. A column that is not there is an error.
- A missing number counts as the mean of the training rows (and is told to the model where training rows lacked it too).
- A level that training did not know belongs to none of the levels (or to "{
        "(other)"
    }", where rare levels were made one); a warning
  says in which columns.
{keeps}
## What is in it

- `model.json`: classes, the shape of the model, its method, parameters and where it was made; the class looked for, its calibration, the
  cut and what was promised (`decision`); shares, ranges and medians of the columns of the training rows (`facts`), and no row.
- `preprocessing.json`: columns in their order, levels, means, standard deviations.
- `{TREES if words["kind"] != "network" else WEIGHTS}`: {
        "the trees, as skops writes them"
        if words["kind"] != "network"
        else "the weights, layer by layer, [out, in] as torch.nn.Linear has them"
    }.

No part of it is a pickle, and loading it runs nothing of it.
"""


def _describe_training(words: Mapping[str, Any]) -> str:
    """Which rows it was trained on, and what made it, in a paragraph."""
    about = words["about"]
    said = []
    if about.get("trained_on"):
        rows = about.get("training_rows")
        counted = f" ({rows:,} rows)" if isinstance(rows, int) else ""
        said.append(f"It was trained on {markdown(about['trained_on'], 200)}{counted}.")
    if words.get("made_with"):
        made = ", ".join(f"{markdown(name, 40)} {markdown(version, 40)}" for name, version in words["made_with"].items())
        said.append(f"Made with {made}.")
    return f"\n{' '.join(said)}\n" if said else ""


def _describe_decision(words: Mapping[str, Any]) -> str:
    """The class looked for, the cut and what was promised, in a section."""
    decision = words.get("decision")
    if not decision:
        return ""
    positive = markdown(words["classes"][decision["positive"]], 80)
    kind = decision["calibration"]["kind"]
    lines = [f"It looks for {positive}, which is {100 * decision['share']:.4g}% of the table it was made from."]
    lines.append(
        "Probabilities are as trained."
        if kind == "as trained"
        else f"Probabilities are calibrated ({kind}), on validation rows."
    )
    rule = decision["rule"] or {}
    if rule.get("kind") == "alerts":
        per = "of a day" if rule.get("per") == "day" else "of 1,000 rows"
        lines.append(f"`model.flag` flags the {rule['value']:g} most likely rows {per}.")
    elif decision["cut"] is not None:
        lines.append(f"`model.flag` flags rows from a probability of {decision['cut']:.4g} on.")
    for name, figure in (decision["promised"] or {}).items():
        if figure["mean"] is not None:
            bounds = (
                ""
                if None in (figure["low"], figure["high"])
                else f" (95% interval {figure['low']:.3g} to {figure['high']:.3g})"
            )
            lines.append(f"On test rows its {PROMISED[name]} {figure['mean']:.3g}{bounds}.")
    return "\n## What it decides\n\n" + "\n".join(f"- {line}" for line in lines) + "\n"


PROMISED = {"precision": "precision was", "recall": "recall was", "alerts": "alerts per 1,000 rows were"}


def _describe_file(reading: TableReading) -> str:
    """How the file is written, in a few words."""
    if reading.format != "text":
        return {"excel": "a workbook", "parquet": "Parquet"}[reading.format] + (
            f", sheet {markdown(reading.sheet, 60)}" if reading.sheet else ""
        )
    parted = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "blanks", "": "nothing"}
    mark = reading.delimiter or ""
    return (
        f"text in {markdown(reading.encoding or 'utf-8', 40)}, columns parted by {parted.get(mark) or markdown(repr(mark), 10)}"
    )


def _name_model(words: Mapping[str, Any]) -> str:
    kinds = {
        "forest": "a forest of trees",
        "bag": "an ensemble of trees",
        "networks": "a committee of networks",
        "logistic": "a logistic regression",
    }
    if words["kind"] == "network":
        return "a neural network"
    return kinds.get(str(words.get("estimator")), "scikit-learn's gradient-boosted trees")
