"""The README of an exported model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.export.format import TREES, WEIGHTS
from engine.export.pipeline import Pipeline
from engine.text import markdown

EXAMPLE = """\
import pandas as pd

import engine

model = engine.load_model("model.zip")
print(model.describe())
table = pd.read_csv("new-rows.csv")
table["predicted"] = model.predict(table)
table["probability"] = model.predict_proba(table).max(axis=1)
table.to_csv("predicted.csv", index=False)
"""
"""Ten lines that use an exported model."""


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
    what = "scikit-learn's gradient-boosted trees" if words["kind"] == "trees" else "a neural network"
    columns = "\n".join(f"- {markdown(c.name, 80)} ({c.kind})" for c in pipeline.columns[:200])
    more = f"\n- and {len(pipeline.columns) - 200} more" if len(pipeline.columns) > 200 else ""
    target = f" of {markdown(about['target'], 80)}" if about.get("target") else ""
    return f"""# {markdown(title, 80)}

{what[0].upper() + what[1:]}, fitted by Imbalance Lab. It gives the probability of each class{target}:
{", ".join(markdown(c, 80) for c in words["classes"])}.

## Use it

Where Imbalance Lab is installed (`pip install .` in the folder of its source), with this zip as `model.zip` and new rows:

```python
{EXAMPLE}```

## What it takes

A data frame, or a list of one dict per row, with these columns in any order:

{columns}{more}

- Other columns are ignored. A column that is not there is an error.
- A missing number counts as the mean of the training rows (and is told to the model where training rows lacked it too).
- A level that training did not know belongs to none of the levels (or to "{
        "(other)"
    }", where rare levels were made one); a warning
  says in which columns.
{keeps}
## What is in it

- `model.json`: classes, the shape of the model, its method, parameters and where it was made.
- `preprocessing.json`: columns in their order, levels, means, standard deviations.
- `{TREES if words["kind"] == "trees" else WEIGHTS}`: {
        "the trees, as skops writes them"
        if words["kind"] == "trees"
        else "the weights, layer by layer, [out, in] as torch.nn.Linear has them"
    }.

No part of it is a pickle, and loading it runs nothing of it.
"""
