"""What scikit-learn's users pass to `fit`: sparse matrices, labels of pandas, weights of rows. Imports no torch."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.errors import BadData

MAX_DENSE = 2**31
"""Most numbers that a sparse matrix is written out to: 16 GiB in double precision."""


def to_dense(table: Any) -> np.ndarray:
    """The rows as an array. A network standardises columns, which fills a sparse matrix in any case.

    Raises BadData for more numbers than MAX_DENSE.
    """
    if not hasattr(table, "toarray"):
        out: np.ndarray = table
        return out
    rows, columns = table.shape
    if rows * columns > MAX_DENSE:
        raise BadData(
            f"X is a sparse matrix of {rows:,} rows and {columns:,} columns, more than {MAX_DENSE:,} numbers once it is written out: make "
            "it narrower first, for example by a TruncatedSVD in a Pipeline, or by max_features of a TfidfVectorizer."
        )
    dense: np.ndarray = table.toarray()
    return dense


def find_not_finite(table: Any) -> tuple[int, int] | None:
    """(row, column) of the first value that is NaN or infinite, None where there is none. table: an array or a CSR matrix."""
    values = table.data if hasattr(table, "toarray") else table
    bad = ~np.isfinite(values)
    if not bad.any():
        return None
    if values is not table:
        at = int(bad.argmax())
        return int(np.searchsorted(table.indptr, at, side="right")) - 1, int(table.indices[at])
    row, column = np.argwhere(bad)[0].tolist()
    return row, column


def plain_labels(y: Any) -> Any:
    """Labels, where pandas' nullable whole numbers and truth values are numpy's: scikit-learn would make floats of them.

    Labels with a missing value stay as they are; scikit-learn refuses them.
    """
    dtype = getattr(y, "dtype", None)
    kind = getattr(dtype, "kind", "")
    if isinstance(dtype, np.dtype) or kind not in ("i", "u", "b") or not hasattr(y, "to_numpy"):
        return y
    if y.isna().any():
        return y
    return y.to_numpy(getattr(dtype, "numpy_dtype", {"b": bool}.get(kind, np.int64)))


def read_weights(given: Any, table: Any) -> np.ndarray | None:
    """Weights of the table's rows [n] float64, with mean 1 over those above 0; None where all rows count the same.

    Raises BadData for negative weights, ValueError (of scikit-learn) for other shapes and values, and where all are 0.
    """
    from sklearn.utils.validation import _check_sample_weight

    if given is None:
        return None
    weight: np.ndarray = _check_sample_weight(given, table, dtype=np.float64, copy=True)
    if (weight < 0).any():
        raise BadData(
            f"sample_weight holds {weight[weight < 0][0]:g} in row {int((weight < 0).argmax())} (from 0): weights are 0 or more."
        )
    there = weight > 0
    if (weight == weight[0]).all():
        return None
    with np.errstate(over="ignore"):
        weight = weight / weight.max()
        weight = weight / weight[there].mean()
    weight[there] = np.maximum(weight[there], np.finfo(np.float32).tiny)
    return weight
