"""Writes a fitted model as a zip that `engine.load_model` reads.

The zip holds README.md, model.json, preprocessing.json and either weights.safetensors (networks) or trees.skops
(gradient-boosted trees). Loading runs no code of the file: numbers and text are read, checked against each other, and put into
classes of this program.
"""

from __future__ import annotations

import io
import json
import os
import platform
import zipfile
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from typing import Any, BinaryIO

from torch import Tensor

from engine.errors import BadInput
from engine.export.decision import Decision
from engine.export.estimators import pack_estimator
from engine.export.format import FORMAT, MODEL, PREPROCESSING, README, TREES, TRUSTED, WEIGHTS, check_trees
from engine.export.model_facts import ModelFacts
from engine.export.pipeline import Pipeline
from engine.export.readme import write_readme
from engine.models.centres import Centres
from engine.models.committee import Committee
from engine.models.cost_head import CostHead
from engine.models.feature_classifiers import ClassMeans, Mapped, Normalised
from engine.models.memory import MemoryHead
from engine.models.mlp import MLP
from engine.models.net import Net, WithHead
from engine.models.voting import Voting
from engine.plain import to_plain
from engine.training.probes import Linear, Neighbours

LARGE = 4 << 20
"""Bytes from which a part is packed quickly rather than well."""


def save_model(
    where: str | os.PathLike[str] | BinaryIO,
    classifier: Any,
    pipeline: Pipeline,
    *,
    classes: Sequence[str],
    about: Mapping[str, Any] | None = None,
    replicate: int = 0,
    precision: str = "float32",
    decision: Decision | None = None,
    facts: ModelFacts | None = None,
) -> None:
    """Writes one replicate of a fitted model as a zip.

    classifier: a Net whose features are an MLP's (its own last layer, or a classifier of `engine.models.feature_classifiers` or
    `engine.training.probes` on top), a Committee, or scikit-learn's HistGradientBoostingClassifier fitted on the pipeline's features
    and the numbers of classes. about: JSON-plain facts: name, title, params, spec, provenance, target ... precision: of the features
    that trees were fitted on. decision: the class looked for, its calibration, the cut and what was promised. facts: of the training
    rows' columns. Raises BadInput for a classifier that cannot be written exactly: convolutional networks, other estimators.
    """
    words: dict[str, Any] = {
        "format": FORMAT,
        "classes": [str(c) for c in classes],
        "made_with": list_versions(),
        "decision": None if decision is None else decision.to_json(),
        "facts": None if facts is None else facts.to_json(),
    }
    if isinstance(classifier, Committee):
        if classifier.base is not None:
            raise BadInput("A convolutional network cannot be exported: what is exported takes the rows of a table.")
        shift = None if classifier.shifts is None else classifier.shifts[replicate].cpu().numpy()
        described, data = pack_estimator(classifier.members[replicate], shift)
        words |= described | {"precision": precision}
        name = TREES
    elif isinstance(classifier, Net):
        described, tensors = _network(classifier, replicate)
        words |= described
        data, name = _safetensors(tensors), WEIGHTS
        if words["network"]["sizes"][0] != pipeline.width:
            raise ValueError("the network does not take as many features as the pipeline makes")
    else:
        data, name = _trees(classifier), TREES
        words |= {"kind": "trees", "precision": precision}
    words["about"] = to_plain(dict(about or {}))
    parts = {
        README: write_readme(words, pipeline).encode(),
        MODEL: json.dumps(words, indent=1, allow_nan=False).encode(),
        PREPROCESSING: json.dumps(pipeline.to_json(), indent=1, allow_nan=False).encode(),
        name: data,
    }
    with zipfile.ZipFile(where, "w", zipfile.ZIP_DEFLATED) as zipped:
        for member, content in parts.items():
            # a fixed date, so that the same model gives the same bytes
            entry = zipfile.ZipInfo(member, date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            zipped.writestr(entry, content, zipfile.ZIP_DEFLATED, compresslevel=1 if len(content) > LARGE else None)


def model_bytes(classifier: Any, pipeline: Pipeline, **how: Any) -> bytes:
    """The zip of `save_model` as bytes."""
    buffer = io.BytesIO()
    save_model(buffer, classifier, pipeline, **how)
    return buffer.getvalue()


def list_versions() -> dict[str, str]:
    """Versions of what makes a model here, by name."""
    return {
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in ("torch", "scikit-learn", "numpy", "skops")},
    }


def _network(net: Net, replicate: int) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """(JSON values, tensors by name) of one replicate. Weights are [out, in], as in torch.nn.Linear."""
    base = net.net if isinstance(net, WithHead) else net
    if isinstance(base, Voting):
        raise BadInput("Networks that vote cannot be exported: a model file holds one network.")
    if not isinstance(base, MLP):
        raise BadInput("A convolutional network cannot be exported: what is exported takes the rows of a table.")
    views = [view[replicate].detach().cpu() for view in base.views(base.flat)]
    tensors = {}
    for k in range(len(views) // 2):
        tensors[f"layers.{k}.weight"], tensors[f"layers.{k}.bias"] = views[2 * k].T, views[2 * k + 1][0]
    head: dict[str, Any] = {"kind": "linear"}
    if isinstance(net, WithHead):
        head, own = _head(net.classify, replicate)
        tensors |= {f"head.{name}": tensor.detach().cpu() for name, tensor in own.items()}
    shape = {"sizes": list(base.sizes), "activation": base.activation, "cosine": base.cosine}
    precision = str(base.flat.dtype).removeprefix("torch.")
    return {"kind": "network", "precision": precision, "network": shape, "head": head}, tensors


def _head(classify: Callable[[Tensor], Tensor], r: int) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """(JSON values, tensors) of one replicate of a classifier on features. Raises BadInput for an unknown one."""
    if isinstance(classify, ClassMeans):
        own = {"means": classify.means[r], "counts": classify.counts[r], "centre": classify.centre[r]}
        if classify.biases is not None:
            own["biases"] = classify.biases[r]
        return {"kind": "class means", "features": classify.features}, own
    if isinstance(classify, Linear):
        bias = classify.bias[r, 0]
        # safetensors holds -inf, the bias of a class without rows
        return {"kind": "logistic regression"}, {"weight": classify.weight[r].T, "bias": bias}
    if isinstance(classify, Mapped):
        inner, own = _head(classify.classify, r)
        own |= {"mean": classify.mean[r, 0], "scale": classify.scale[r, 0], "map": classify.map[r].T}
        return inner | {"mapped": int(classify.map.shape[2])}, own
    if isinstance(classify, CostHead):
        own = {"weight": classify.weight[r].T, "bias": classify.bias[r, 0], "costs": classify.costs[r]}
        return {"kind": "expected cost"}, own
    if isinstance(classify, MemoryHead):
        return {"kind": "memory"}, {name: part[r] for name, part in vars(classify).items()}
    if isinstance(classify, Normalised):
        inner, own = _head(classify.classify, r)
        return inner | {"normalised": True}, own
    if isinstance(classify, Centres):
        centres, labels = classify.kept[r]
        own = {"centres": centres, "labels": labels} | ({} if classify.biases is None else {"biases": classify.biases[r]})
        return {"kind": "centres", "k": classify.k[r]}, own
    if isinstance(classify, Neighbours):
        rows, labels = classify.kept[r]
        kept = {"rows": rows, "labels": labels.argmax(1)}
        if bool((labels.sum(1) != 1).any()):
            kept["votes"] = labels.sum(1)
        return {"kind": "nearest neighbours", "k": classify.k}, kept
    raise BadInput("This method's classifier on the features cannot be exported: it is none that can be written as numbers.")


def _safetensors(tensors: Mapping[str, Tensor]) -> bytes:
    from safetensors.torch import save

    data: bytes = save({name: tensor.contiguous() for name, tensor in tensors.items()})
    return data


def _trees(classifier: Any) -> bytes:
    import skops.io
    from sklearn.ensemble import HistGradientBoostingClassifier

    if type(classifier) is not HistGradientBoostingClassifier:
        raise BadInput(f"A {type(classifier).__name__} cannot be exported; networks and HistGradientBoostingClassifier can.")
    data: bytes = skops.io.dumps(classifier)
    if untrusted := set(skops.io.get_untrusted_types(data=data)) - set(TRUSTED):
        raise BadInput(f"These trees cannot be exported: they hold {', '.join(sorted(untrusted))}, which is not loaded unseen.")
    check_trees(classifier, classifier.n_features_in_)
    return data
