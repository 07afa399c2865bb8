"""A generator's images on the Lab and the Deep page, by class beside their nearest training rows."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.run import generated
from app.words import generated as said
from engine.events import pack
from engine.store import Job, Store
from tests.app import fabricate
from tests.app.conftest import opened
from tests.app.test_lab import words

DIGITS = [str(c) for c in range(10)]


def make_arrays(
    *, judged: bool = True, mixed: bool = False, checked: bool = True, older: bool = False
) -> dict[str, np.ndarray]:
    """What a run keeps of generated images, for ten classes of which the first is not generated."""
    rng = np.random.default_rng(0)
    count = np.array([0, *[24] * 8, 3])
    out = {
        "x": rng.integers(0, 255, (10, 24, 8, 8, 1)).astype(np.uint8),
        "count": count,
        "near": np.zeros((10, 24), np.int64),
        "near_distance": np.full((10, 24), 3.0, np.float32),
        "near_x": rng.integers(0, 255, (10, 8, 8, 8, 1)).astype(np.uint8),
        "judged": np.full((10, 24), -1, np.int16),
    }
    if judged:
        out["judged"][:] = np.arange(10)[:, None]
        out["judged"][9, 1] = 4
    if mixed:
        out["alpha"] = np.tile(np.float32([0.7, 0.2, 0.1, 0, 0]), (10, 24, 1))
        out["top"] = np.tile(np.array([3, 5, 8, -1, -1]), (10, 24, 1))
        out["top_x"] = rng.integers(0, 255, (10, 8, 5, 8, 8, 1)).astype(np.uint8)
    if checked:
        ends = [0.4, 0.3, 0.5]
        one = {"generated": 24, "held_out": 40, "together": [], "word": "its own rows", "reason": "", "unit": 2.0}
        one |= {"intervals": dict.fromkeys(("distance_ratio", "gap_ratio", "spread"), ends)}
        none = {**one, "intervals": {}, "word": "", "reason": "No row of it was generated.", "unit": None}
        last = {**one, "word": "copies", "together": [8, 9]}
        recall = {"recall": [0.5, 0.4, 0.6], "rows": 24, "ceiling": [0.96, 0.9, 1.0], "held_out": 40}
        judge = {"reason": "" if judged else "A class has 3 rows.", "rows": 98, "classes": [recall] * 10 if judged else []}
        out["checks"] = np.array(json.dumps({"memorised": [none, *[one] * 8, last], "judge": judge}))
    if older:
        del out["near_x"]
    return out


def keep(store: Store, arrays: dict[str, np.ndarray] | None) -> Job:
    """A finished run on digits that keeps these images."""
    run = fabricate.deep(store)
    if arrays is not None:
        store.put_artifact(run.id, "generated/0", pack(arrays))
    return run


def pages(run: Job) -> list[AppTest]:
    return [opened("lab", run=run.id, tab="points"), opened("deep", run=run.id, tab="images")]


def html_of(page: AppTest) -> str:
    found = [e.proto.body for e in page.get("html") if 'class="generated"' in e.proto.body]
    assert len(found) == 1
    return str(found[0])


def test_images_stand_beside_their_nearest_rows_with_a_word_for_what_is_wrong(store: Store) -> None:
    for page in pages(keep(store, make_arrays())):
        text = words(page)
        assert said.TITLE in text and "its own rows in 8, copies in 1" in text
        assert said.RECALL_SAID.format(made="50%", real="96%") in text
        body = html_of(page)
        assert body.count("<img") == 2 * (8 * 8 + 3) and body.count('class="one"') == 8 * 8 + 2
        assert body.count('class="one wrong"') == 1 and body.count("called 4</span>") == 1
        assert "Generated image 2 of class 9; another classifier calls it 4" in body and "1.50×" in body
        assert all(re.search(r'alt="[^"]+"', image) for image in re.findall(r"<img[^>]*>", body))
        table = next(frame.value for frame in page.dataframe if list(frame.value.columns) == list(said.COLUMNS))
        assert len(table) == 9 and table["recall"][0] == "0.50 [0.40, 0.60]"
        assert said.TOGETHER in table["says"].tolist()[-1] or said.TOGETHER in table["says"].tolist()[0]


def test_mixed_rows_open_on_press_and_their_largest_weight_is_shown(store: Store) -> None:
    page = pages(keep(store, make_arrays(mixed=True)))[1]
    body = html_of(page)
    assert body.count("<details") == 8 * 8 + 3 and "weight 70%" in body and "70% · 20% · 10%" in body
    assert "The 3 training rows with the largest weights in this image: 70%, 20%, 10%" in body
    assert said.PRESS in words(page) and "70% in the median" in words(page)


def test_replicates_are_measured_together(store: Store) -> None:
    arrays = make_arrays()
    checks = json.loads(str(arrays["checks"]))
    ends = {name: [0.7, 0.6, 0.8] for name in ("distance_ratio", "gap_ratio", "spread", "recall", "ceiling")}
    none = dict.fromkeys(ends) | {"word": ""}
    over = {"replicates": 3, "recall": [0.63, 0.58, 0.68], "ceiling": [0.95, 0.9, 1.0]}
    over |= {"classes": [none, none, *[ends | {"word": "averages"}] * 8]}
    arrays["checks"] = np.array(json.dumps(checks | {"over": over}))
    for page in pages(keep(store, arrays)):
        text = words(page)
        assert "Of 9 classes over 3 replicates" in text and "averages in 8, its own rows in 1" in text
        assert r"63% [58%, 68%] of the images for their class, and 95% [90%, 100%] of real rows" in text.replace("\\", "")
    table = generated.make_table(checks | {"over": over}, DIGITS, [9, 1, 0])
    assert table["distance ratio"].str[:4].tolist() == ["0.70", "0.40", "–"] and table["recall"].str[:4].tolist() == [
        "0.70",
        "0.50",
        "0.50",
    ]
    assert table["says"].tolist() == ["averages, " + said.TOGETHER, "its own rows", "No row of it was generated."]


def test_what_was_not_measured_is_said(store: Store) -> None:
    for page in pages(keep(store, make_arrays(judged=False))):
        assert "No other classifier was asked. A class has 3 rows" in words(page) and 'class="one wrong"' not in html_of(page)


def test_a_run_of_an_earlier_version_shows_its_images(store: Store) -> None:
    for page in pages(keep(store, make_arrays(checked=False, older=True))):
        assert said.NOT_CHECKED in words(page) and html_of(page).count("<img") == 8 * 8 + 3


def test_runs_without_a_generator_show_nothing(store: Store) -> None:
    for page in pages(keep(store, None)):
        assert said.TITLE not in words(page)


def test_mixtures_among_features_show_their_rows_alone(store: Store) -> None:
    arrays = {
        name: a for name, a in make_arrays(mixed=True, judged=False).items() if name not in ("x", "near_x", "near", "judged")
    }
    for page in pages(keep(store, arrays)):
        assert said.LEGEND_FEATURES in words(page) and said.PRESS not in words(page)
        body = html_of(page)
        assert body.count("<img") == 8 * 8 + 3 and "70% · 20% · 10%" in body and "1.50×" in body


@pytest.mark.parametrize("name", [*fabricate.HOSTILE, '" onload="alert(1)', "</style><script>alert(1)</script>"])
def test_names_of_classes_are_text(name: str) -> None:
    arrays = make_arrays(mixed=True)
    arrays["judged"][1, 0] = 2
    body = generated.write_classes(arrays, generated.read_checks(arrays), ["0", name, name, *DIGITS[3:]], [1, 2])
    inside = body.removeprefix(generated.STYLE)
    assert not re.search(r"<(?!/?(div|b|span|details|summary|img)\b)", inside)
    for tag in re.findall(r"<[^>]*>", inside):
        assert set(re.findall(r"\s([a-z]+)=", re.sub(r'"[^"]*"', '""', tag))) <= {"class", "alt", "src", "title"}


def test_pictures_of_a_method_open_on_press() -> None:
    arrays = make_arrays()
    arrays["picture/reconstruction"] = np.full((10, 8, 2, 8, 8, 1), 9, np.uint8)
    body = generated.write_classes(arrays, None, DIGITS, [1, 9])
    assert body.count("<details") == 8 + 3 and "A training row and its reconstruction" in body
    colour = {name: np.repeat(a, 3, axis=-1) if a.ndim > 3 else a for name, a in make_arrays().items()}
    assert generated.write_classes(colour, None, DIGITS, [9]).count("<img") == 6
