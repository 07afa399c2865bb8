"""The spec of a scoring: what it takes, what it refuses in one sentence, and its id."""

from __future__ import annotations

import json

import pytest

from engine.errors import BadParameter
from engine.spec.score import ScoreSpec

JOB = {"job": "0" * 16, "artifact": "model/forest"}


def test_a_spec_is_json_plain_and_comes_back():
    spec = ScoreSpec("a", {"upload": "m"}, alerts=50, per="day", target="answer")
    assert ScoreSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
    assert spec.alerts == 50.0 and ScoreSpec("a", JOB).to_json()["model"] == JOB


def test_table_model_budget_and_owner_tell_ids_apart():
    spec = ScoreSpec("a", JOB)
    ids = {spec.id(*facts) for facts in (("d", "m", "o"), ("e", "m", "o"), ("d", "n", "o"), ("d", "m", "p"))}
    ids.add(ScoreSpec("a", JOB, alerts=5).id("d", "m", "o"))
    assert len(ids) == 5 and spec.id("d", "m", "o") == ScoreSpec("a", dict(JOB)).id("d", "m", "o")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": {}}, "model="),
        ({"model": {"upload": "a", "job": "b"}}, "model="),
        ({"model": {"upload": 3}}, "model must name"),
        ({"file": ""}, "file must"),
        ({"alerts": 0}, "above 0"),
        ({"alerts": float("nan")}, "above 0"),
        ({"alerts": True}, "above 0"),
        ({"alerts": 1001}, "at most 1,000"),
        ({"per": "week"}, "1000 .rows. or day"),
        ({"target": 5}, "target must be text"),
        ({"rows": 5}, "no field"),
    ],
)
def test_bad_input_is_one_sentence(change, said):
    with pytest.raises(BadParameter, match=said) as caught:
        ScoreSpec.from_json({"file": "a", "model": JOB} | change)
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")
