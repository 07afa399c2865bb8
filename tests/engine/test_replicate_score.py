"""What a comparison keeps of every replicate, for the cut, calibration and the reasons to come."""

from __future__ import annotations

import numpy as np
import pytest

from engine.compare import bench as bench_module
from engine.compare import comparison as module
from engine.data.split import split
from engine.events import finish
from engine.spec.companions import BASELINE
from tests.engine.contenders import TREES
from tests.engine.test_compare import SPEC, table, ticking


@pytest.mark.parametrize("name", [BASELINE, "class-weights", TREES])
def test_rows_classes_and_probabilities_belong_together(name, monkeypatch):
    data = table()
    bench, _ = module._make_evaluator(data, SPEC, ticking())
    monkeypatch.setattr(bench_module, "MAX_POOLED", 1)  # the scores of one seed are kept
    outcomes, _ = finish(bench.evaluate(name, module.LOOK, (0, 1)))
    cuts = [part for seed in (0, 1) for part in split(data, bench.spec, seed)]
    classes = np.arange(2)
    for number, one in outcomes.items():
        assert one.given.sum() == pytest.approx(1) and one.natural.sum() == pytest.approx(1)
        np.testing.assert_allclose(one.natural, np.bincount(data.y[cuts[number].train]) / len(cuts[number].train))
        if one.replicate.seed:
            assert not any(
                len(part) for part in (one.valid_rows, one.valid_y, one.valid_p, one.test_rows, one.test_y, one.test_p)
            )
            continue
        np.testing.assert_array_equal(one.test_rows, cuts[number].test)
        assert set(one.valid_rows) <= set(cuts[number].valid)
        for rows, y, p in ((one.valid_rows, one.valid_y, one.valid_p), (one.test_rows, one.test_y, one.test_p)):
            np.testing.assert_array_equal(data.y[rows], y)
            assert p.shape == (len(rows), len(classes)) and p.dtype == np.float32
            np.testing.assert_allclose(p.sum(1), 1, atol=1e-6)
        np.testing.assert_array_equal(one.test_p[:, bench.positive], one.scores["as trained"])
    share = next(iter(outcomes.values())).given
    assert share == pytest.approx([0.5, 0.5]) if name == "class-weights" else share[0] > 0.6
