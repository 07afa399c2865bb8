"""What can be asked for, and that one question has one id."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine
from engine.errors import BadParameter, UnknownName
from engine.spec import Imbalance, RunSpec
from engine.spec import run as module
from engine.spec.run import MAX_RATIO, PROFILES, canonical_json, default_params, find_entry, upload_id

CATALOG: dict[str, Any] = json.loads(Path(engine.__file__).with_name("catalog.json").read_text(encoding="utf-8"))

RATIOS = st.floats(1, MAX_RATIO)
IMBALANCES = st.one_of(
    st.builds(Imbalance, where=st.sampled_from([None, "all", "train"])),
    st.builds(
        Imbalance,
        st.sampled_from([p for p in PROFILES if p not in ("native", "remove")]),
        RATIOS,
        where=st.sampled_from([None, "all", "train"]),
    ),
    st.builds(Imbalance, st.just("remove"), rate=st.floats(0.01, 0.99), where=st.sampled_from([None, "all", "train"])),
)
PAIRS = [(d["name"], m["name"]) for d in CATALOG["datasets"] for m in CATALOG["methods"] if d["kind"] in m["kinds"]]
OWN_PARTS = [d["name"] for d in CATALOG["datasets"] if d["parts"]]


def build(pair: tuple[str, str], imbalance: Imbalance, folds: int, **more: Any) -> RunSpec:
    """A spec that can be completed: sets with parts of their own take no imbalance and one fold."""
    own = pair[0] in OWN_PARTS
    return RunSpec(*pair, Imbalance() if own else imbalance, folds=1 if own else folds, **more)


SPECS = st.builds(
    build,
    st.sampled_from(PAIRS),
    IMBALANCES,
    folds=st.integers(1, 10),
    seeds=st.integers(1, 100),
    seed=st.integers(0, 2**31 - 1),
)


# ---- imbalance


def test_the_default_is_the_data_as_they_come() -> None:
    assert Imbalance() == Imbalance("native", None, None, "all")


@pytest.mark.parametrize("profile", ["ratio", "exponential", "step", "gaussian"])
def test_profiles_with_a_ratio(profile: str) -> None:
    where = "all" if profile == "ratio" else "train"
    assert Imbalance(profile, 20) == Imbalance(profile, 20.0, None, where)
    assert isinstance(Imbalance(profile, 20).ratio, float)
    assert Imbalance(profile, 1).ratio == 1 and Imbalance(profile, 500).ratio == 500
    assert {Imbalance(profile, 2, where=w).where for w in ("all", "train")} == {"all", "train"}
    for bad in (None, 0.99, 500.5, float("nan"), float("inf"), -20, "20", True):
        with pytest.raises(BadParameter, match=rf"profile '{profile}' needs a ratio in \[1, 500\]; got"):
            Imbalance(profile, bad)  # type: ignore[arg-type]
    with pytest.raises(BadParameter, match="takes no rate; use profile 'remove'"):
        Imbalance(profile, 20, 0.5)


def test_remove() -> None:
    assert Imbalance("remove", rate=0.9) == Imbalance("remove", None, 0.9, "train")
    assert Imbalance("remove", rate=0.9, where="all").where == "all"
    for bad in (None, 0, 1, 0.0, 1.0, -0.5, float("nan"), "0.9", True):
        with pytest.raises(BadParameter, match="profile 'remove' needs a rate between 0 and 1, such as 0.9; got"):
            Imbalance("remove", rate=bad)  # type: ignore[arg-type]
    with pytest.raises(BadParameter, match="profile 'remove' takes no ratio; use profile 'ratio'"):
        Imbalance("remove", 20, 0.9)


def test_native_takes_neither_and_is_one_thing() -> None:
    with pytest.raises(BadParameter, match="profile 'native' takes no ratio; use profile 'ratio'"):
        Imbalance(ratio=20)
    with pytest.raises(BadParameter, match="profile 'native' takes no rate; use profile 'remove'"):
        Imbalance(rate=0.5)
    assert Imbalance(where="train") == Imbalance(where="all") == Imbalance(), "nothing is cut, so both are one"


def test_unknown_words_are_refused() -> None:
    with pytest.raises(BadParameter, match="profile 'steep' is not known; it must be one of native, ratio, exponential"):
        Imbalance("steep", 20)
    with pytest.raises(BadParameter, match="where='test' is not known; it must be 'all' or 'train'"):
        Imbalance("ratio", 20, where="test")
    with pytest.raises(BadParameter, match="where='test' is not known"):
        Imbalance(where="test")


# ---- the spec


@pytest.mark.parametrize(
    ("name", "bad"),
    [("folds", 0), ("folds", 11), ("seeds", 0), ("seeds", 101), ("seed", -1), ("seed", 2**31)]
    + [(name, bad) for name in ("folds", "seeds", "seed") for bad in (1.0, "1", True, None)],
)
def test_protocol_out_of_range(name: str, bad: Any) -> None:
    with pytest.raises(BadParameter, match=rf"{name}={bad!r}: must be a whole number in \["):
        RunSpec("glass2", "ce", **{name: bad})


def test_replicates_and_changes() -> None:
    spec = RunSpec("glass2", "ce", folds=4, seeds=5)
    assert spec.replicates == 20 and spec.with_(seeds=2).replicates == 8 and spec.seeds == 5


def test_parameters_are_plain_inside_and_the_callers_own_outside() -> None:
    given_ = {"hidden": (64, 8)}
    spec = RunSpec("glass2", "ce", params=given_)
    given_["hidden"] = (1,)
    assert spec.params == {"hidden": [64, 8]}
    with pytest.raises(dataclasses.FrozenInstanceError):
        spec.dataset = "glass4"  # type: ignore[misc]


@given(SPECS)
def test_json_there_and_back(spec: RunSpec) -> None:
    words = json.dumps(spec.to_json(), allow_nan=False)
    back = RunSpec.from_json(json.loads(words))
    assert back == spec and back.run_id("x") == spec.run_id("x")
    whole = completed(spec)
    assert RunSpec.from_json(json.loads(json.dumps(whole.to_json()))) == whole


def completed(spec: RunSpec) -> RunSpec:
    return spec.complete(CATALOG)


def test_json_may_leave_out_what_has_a_default() -> None:
    assert RunSpec.from_json({"dataset": "glass2", "method": "ce"}) == RunSpec("glass2", "ce")
    some = {"dataset": "glass2", "method": "ce", "imbalance": {"profile": "ratio", "ratio": 20}}
    assert RunSpec.from_json(some) == RunSpec("glass2", "ce", Imbalance("ratio", 20))


GOOD: dict[str, Any] = {"dataset": "glass2", "method": "ce"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (None, "a run's spec must be names with values; got None"),
        ([], "a run's spec must be names with values"),
        ("glass2", "a run's spec must be names with values"),
        ({}, "must name its dataset"),
        ({"dataset": "glass2"}, "must name its method; got None"),
        (GOOD | {"dataset": 5}, "must name its dataset; got 5"),
        (GOOD | {"method": ["ce"]}, "must name its method"),
        (GOOD | {"colour": 1}, "a run's spec has no field 'colour'"),
        (GOOD | {"imbalance": None}, "a run's imbalance must be names with values; got None"),
        (GOOD | {"imbalance": "ratio"}, "a run's imbalance must be names with values"),
        (GOOD | {"imbalance": {"steep": 1}}, "a run's imbalance has no field 'steep'"),
        (GOOD | {"imbalance": {"profile": "ratio", "ratio": "20"}}, "needs a ratio in .* got '20'"),
        (GOOD | {"imbalance": {"profile": ["ratio"]}}, "is not known"),
        (GOOD | {"data": "ab"}, "data of a run's spec must be names with values; got 'ab'"),
        (GOOD | {"params": [1, 2]}, "params of a run's spec must be names with values"),
        (GOOD | {"params": None}, "params of a run's spec must be names with values"),
        (GOOD | {"folds": "4"}, "folds='4': must be a whole number"),
        (GOOD | {"seed": 1.5}, "seed=1.5: must be a whole number"),
    ],
)
def test_what_is_no_spec_is_said(words: Any, says: str) -> None:
    with pytest.raises(BadParameter, match=says):
        RunSpec.from_json(words)


# ---- completion


def test_defaults_are_filled_in() -> None:
    spec = completed(RunSpec("glass2", "smote", params={"amount": "balance"}))
    assert spec.data == {"pca": 0}
    assert list(spec.params) == [d["name"] for d in find_entry(CATALOG, "methods", "smote")["fields"]]
    assert spec.params["amount"] == "balance" and spec.params["k_neighbors"] == 5


@given(SPECS, st.data())
def test_the_id_does_not_depend_on_which_defaults_were_given(spec: RunSpec, data: st.DataObject) -> None:
    whole = completed(spec)
    for _ in range(2):
        kept = {
            part: data.draw(st.sets(st.sampled_from(sorted(values))))
            for part, values in (("data", whole.data), ("params", whole.params))
            if values
        }
        partly = spec.with_(
            **{part: {k: getattr(whole, part)[k] for k in sorted(names, reverse=True)} for part, names in kept.items()}
        )
        assert completed(partly) == whole and completed(partly).run_id("x") == whole.run_id("x")
    assert completed(whole) == whole


def test_defaults_depend_on_the_kind_of_data() -> None:
    """On points, explicit gradient starts from values at which the points can be seen to move."""
    entry = find_entry(CATALOG, "methods", "explicit-gradient")
    tabular, points = default_params(entry, "tabular"), default_params(entry, "points")
    assert tabular == {d["name"]: d["default"] for d in entry["fields"]}
    assert points == tabular | entry["presets"]["visible"] and points != tabular
    assert completed(RunSpec("moons", "explicit-gradient")).params == points
    assert completed(RunSpec("moons", "explicit-gradient", params={"eta_points": 5})).params == points | {"eta_points": 5.0}


def test_what_the_catalog_does_not_know_is_refused() -> None:
    with pytest.raises(UnknownName, match="no dataset is called 'glas2'; there are: moons"):
        completed(RunSpec("glas2", "ce"))
    with pytest.raises(UnknownName, match="no method is called 'cee'; there are: ce"):
        completed(RunSpec("glass2", "cee"))
    with pytest.raises(UnknownName, match="ce has no parameter 'eta_points'"):
        completed(RunSpec("glass2", "ce", params={"eta_points": 1}))
    with pytest.raises(UnknownName, match="glass2 has no parameter 'rows'; it has: pca"):
        completed(RunSpec("glass2", "ce", data={"rows": 1}))
    with pytest.raises(BadParameter, match=r"glass2\(pca=10\): must be a whole number in \[0, 9\]"):
        completed(RunSpec("glass2", "ce", data={"pca": 10}))
    with pytest.raises(BadParameter, match=r"ce\(epochs=0\): must be"):
        completed(RunSpec("glass2", "ce", params={"epochs": 0}))
    with pytest.raises(BadParameter, match=r"ce\(learning_rate=nan\): must be"):
        completed(RunSpec("glass2", "ce", params={"learning_rate": float("nan")}))


def test_a_method_is_given_only_data_it_takes() -> None:
    sounds = {"datasets": [{"name": "birds", "kind": "sounds", "fields": []}], "methods": CATALOG["methods"]}
    with pytest.raises(BadParameter, match="ce takes tabular, points or images data; birds is of kind sounds"):
        RunSpec("birds", "ce").complete(sounds)


# ---- identity

BASE = completed(RunSpec("glass2", "explicit-gradient", Imbalance("ratio", 20), folds=4, seeds=5, seed=3))


def test_an_id_is_sixteen_hex_digits_and_stays() -> None:
    again = completed(RunSpec("glass2", "explicit-gradient", Imbalance("ratio", 20.0), folds=4, seeds=5, seed=3))
    assert BASE.run_id("f") == again.run_id("f")
    assert len(BASE.run_id("f")) == 16 and int(BASE.run_id("f"), 16) >= 0
    # by hand, so that nobody changes what an id is made of without noticing: stored answers would be lost
    spec = RunSpec("a", "b", Imbalance("ratio", 2), {"d": 1}, {"p": [1, 2]}, 2, 3, 4)
    text = (
        f'{{"data":"f","numerics":{module.NUMERICS},"owner":null,"spec":{{"data":{{"d":1}},"dataset":"a","folds":2,'
        '"imbalance":{"profile":"ratio","rate":null,"ratio":2.0,"where":"all"},"method":"b","params":{"p":[1,2]},"seed":4,"seeds":3}}'
    )
    assert spec.run_id("f") == module.hashlib.sha256(text.encode()).hexdigest()[:16]


def test_the_id_changes_with_everything_that_changes_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = {"base": BASE.run_id("f"), "data": BASE.run_id("g"), "owner": BASE.run_id("f", "o"), "other": BASE.run_id("f", "p")}
    changes: dict[str, Any] = {
        "dataset": "glass4",
        "method": "ce",
        "folds": 5,
        "seeds": 4,
        "seed": 4,
        "points": "AAAAAAA",
        "plugin": "0123456789abcdef",
    }
    changes |= {"plugin": "0123456789abcdef", "imbalance": Imbalance("ratio", 21)}
    ids |= {name: BASE.with_(**{name: value}).run_id("f") for name, value in changes.items()}
    assert set(changes) | {"data", "params"} == {f.name for f in dataclasses.fields(RunSpec)}
    for i, other in enumerate(
        (Imbalance(), Imbalance("step", 20, where="all"), Imbalance("ratio", 20, where="train"), Imbalance("remove", rate=0.5))
    ):
        ids[f"imbalance {i}"] = BASE.with_(imbalance=other).run_id("f")
    for d in find_entry(CATALOG, "methods", "explicit-gradient")["fields"]:
        ids[d["name"]] = BASE.with_(params={**BASE.params, d["name"]: other_value(d)}).run_id("f")
    ids["pca"] = BASE.with_(data={"pca": 2}).run_id("f")
    monkeypatch.setattr(module, "NUMERICS", module.NUMERICS + 1)
    ids["numerics"] = BASE.run_id("f")
    assert len(set(ids.values())) == len(ids)


def other_value(d: dict[str, Any]) -> Any:
    if d["kind"] == "bool":
        return not d["default"]
    if d["kind"] == "choice":
        return next(c for c in d["choices"] if c != d["default"])
    if d["kind"] == "ints":
        return [*d["default"], 3]
    return d["low"] if BASE.params[d["name"]] != d["low"] else d["high"]


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
"""Text that a database can hold."""


@given(st.dictionaries(TEXTS, st.integers() | TEXTS | st.floats(allow_nan=False, allow_infinity=False) | st.booleans()))
def test_canonical_text_knows_no_order(values: dict[str, Any]) -> None:
    turned = dict(reversed(values.items()))
    assert canonical_json(values) == canonical_json(turned) and json.loads(canonical_json(values)) == values


def test_canonical_text_has_no_nan() -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"a": float("nan")})


# ---- a person's own table


def test_a_table_of_ones_own_needs_no_entry_but_its_target() -> None:
    spec = completed(RunSpec("upload/ab", "ce", data={"target": "y"}))
    assert spec.data == {"target": "y", "positive": None, "reading": {}} and spec == completed(spec)
    assert spec.run_id("digest", "me") != spec.run_id("digest", "you")
    assert (upload_id("upload/ab"), upload_id("moons")) == ("ab", None)
    for data, said in (
        ({}, "must name its target"),
        ({"target": 3}, "target of a table must be text; it is of type int"),
        ({"target": "y", "rows": 1}, "there is no 'rows'"),
        ({"target": "y", "reading": [1]}, "reading of a table must be names with values"),
    ):
        with pytest.raises(BadParameter, match=said):
            completed(RunSpec("upload/ab", "ce", data=data))
    ce = next(m for m in CATALOG["methods"] if m["name"] == "ce") | {"kinds": ["images"]}
    with pytest.raises(BadParameter, match="ce takes images data; upload/ab is of kind tabular"):
        RunSpec("upload/ab", "ce", data={"target": "y"}).complete({"datasets": [], "methods": [ce]})
