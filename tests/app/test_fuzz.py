"""Fuzzers of addresses: the words of a link to the page, and the headers that say where a request comes from."""

from __future__ import annotations

import pytest

from app.origin import why_refused
from app.session import lab_address
from engine.errors import LabError
from engine.sweep.spec import SweepSpec
from tests import fuzzing
from tests.app.fabricate import catalog

pytestmark = [pytest.mark.long, pytest.mark.timeout(120)]


def test_links_to_the_lab():
    known = catalog()
    fallback = lab_address.first_spec(known)
    names = ["run", "dataset", "method", "profile", "ratio", "rate", "where", "folds", "seeds", "seed", "device", "replicate"]
    names += [f"p.{field['name']}" for method in known["methods"] for field in method["fields"]]
    names += [f"d.{field['name']}" for entry in known["datasets"] for field in entry["fields"]]
    values = [entry["name"] for kind in ("datasets", "methods") for entry in known[kind]]
    values += ["0123456789abcdef", "ratio", "native", "remove", "20", "0.5", "all", "train", "64,64", "cpu", "cuda", "true"]
    for rng in fuzzing.rounds(11, 50_000):
        query = {fuzzing.word(rng, names): fuzzing.word(rng, values) for _ in range(rng.integers(8))}
        address = lab_address.read_address(query, known, fallback)
        assert address.spec.complete(known) == address.spec
        for problem in address.problems:
            assert "\n" not in problem and len(problem) < 1000, query
        again = lab_address.read_address({}, known, address.spec)
        assert again.spec == address.spec, "what an address gave can be continued from"


def test_links_to_a_sweep():
    known = catalog()
    names = ["datasets", "methods", "ratios", "where", "folds", "seeds", "seed"]
    values = [entry["name"] for kind in ("datasets", "methods") for entry in known[kind]] + [
        "moons,clusters",
        "12,20",
        "all",
        "3",
    ]
    for rng in fuzzing.rounds(12, 200_000, 10):
        query = {name: fuzzing.word(rng, values) for name in names if rng.random() < 0.7}
        try:
            SweepSpec.from_query(query, known)
        except LabError as error:
            fuzzing.check_sentence(error)


def test_hosts_and_origins():
    """No Host and Origin of other text than the page's own is taken."""
    own = (b"127.0.0.1:8501", b"http://127.0.0.1:8501")
    parts = [
        "http",
        "https",
        "://",
        ":",
        "127.0.0.1",
        "localhost",
        "[::1]",
        "8501",
        "80",
        "evil.example",
        ".",
        "@",
        "/",
        "null",
    ]
    taken = 0
    for rng in fuzzing.rounds(13, 120_000, 10):
        texts = ["".join(fuzzing.word(rng, parts) for _ in range(rng.integers(1, 6))) for _ in range(2)]
        host, origin = (text.encode("utf-8", "surrogatepass") for text in texts)
        if rng.random() < 0.5:
            host = own[0]
        if rng.random() < 0.5:
            origin = fuzzing.change(rng, own[1])
        scope = {
            "type": "websocket",
            "scheme": "ws",
            "headers": [(b"host", host), (b"origin", origin)],
            "server": ("127.0.0.1", 8501),
        }
        why = why_refused(scope, "127.0.0.1", frozenset())
        if why is None:
            taken += 1
            assert b"evil" not in host + origin
            assert origin.lower().replace(b":80", b"") == b"http://" + host.lower().replace(b":80", b""), (host, origin)
        else:
            assert "\n" not in why and len(why) < 300
    assert taken, "the page's own are among them"
