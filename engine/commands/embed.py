"""`python -m engine embed`: lays out the features of a finished run, in this process; the map is kept in the store."""

from __future__ import annotations

import argparse
import json
import time

from engine.commands.arguments import add_store, parse_pairs
from engine.commands.progress import ProgressLine, say
from engine.events import finish, unpack
from engine.spec import fields
from engine.spec.embedding import TECHNIQUES, EmbedSpec

NAME = "embed"
HELP = "lay out the features of a finished run in two dimensions and keep that with the run"
ORDER = 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `engine.commands.main.Command`."""
    parser.add_argument("run", help="the run's id, as `run` prints it")
    parser.add_argument("--technique", choices=tuple(TECHNIQUES), default="pca")
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="NAME=VALUE", help="parameters of the technique"
    )
    parser.add_argument("--seed", type=int, default=0, help="where t-SNE and UMAP start (default 0)")
    add_store(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout, with every row's place")


def run(arguments: argparse.Namespace) -> int:
    """Prints where the map is kept, and as JSON its points. Raises BadInput."""
    from engine.embed import job
    from engine.store import Store

    described = fields.describe(TECHNIQUES[arguments.technique])
    params = parse_pairs(arguments.set, described, arguments.technique)
    spec = EmbedSpec(arguments.run, arguments.technique, params, arguments.seed)
    store = Store(arguments.store)
    began = time.monotonic()
    data = store.features(spec.run)
    arrays = unpack(data)
    xy = store.embedding(spec.run, spec.technique, spec.params, spec.seed)
    if xy is None:
        n, d = arrays["x"].shape
        say(f"about {max(1, round(store.embed_seconds(spec.technique, n, d, spec.params)))} s")
        progress = ProgressLine()
        try:
            facts, artifacts = finish(job.run_job(spec, data), progress)
        finally:
            progress.clear()
        store.record_embedding(spec, facts, artifacts)
        xy = unpack(artifacts[spec.artifact])["xy"]
    else:
        say("already in the store")
    answer = {"job": spec.id, **spec.to_json(), "artifact": spec.artifact, "n": len(xy), "rows": arrays["size"].tolist()}
    answer["seconds"] = time.monotonic() - began
    if arguments.json:
        points = {"xy": xy.tolist(), "y": arrays["y"].tolist(), "part": arrays["part"].tolist()}
        print(json.dumps(answer | points))
    else:
        rows = sum(answer["rows"])
        print(f"{spec.how.title} of {len(xy):,} of {rows:,} rows, {answer['seconds']:.1f} s: {spec.artifact} of run {spec.run}")
    return 0
