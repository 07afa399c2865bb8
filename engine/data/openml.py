"""Image sets from OpenML: one row of pixels and a label per image."""

from __future__ import annotations

import tempfile
import warnings

import numpy as np

from engine.data.images import Pictures
from engine.errors import BadData, DataMissing


def fetch_pictures(number: int, shape: tuple[int, int, int], test: np.ndarray, title: str, how_to_get: str) -> Pictures:
    """Downloads dataset `number`: rows of channels x height x width values 0 to 255, labels 0 to C-1. test [n]: its test part.

    Needs a few GB of memory for 60,000 colour images. Raises DataMissing where the download fails, BadData where its rows are
    not such images.
    """
    from sklearn import datasets

    try:
        with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns before each retry, but only the outcome matters
            source = datasets.fetch_openml(data_id=number, data_home=scratch, as_frame=False, parser="pandas", n_retries=1)
    except (OSError, ValueError) as error:
        raise DataMissing(f"{title} is not on this machine and could not be downloaded ({error}); {how_to_get}.") from error
    x, y = np.asarray(source.data), np.asarray([int(label) for label in source.target], np.int64)
    if x.shape != (len(test), int(np.prod(shape))) or len(y) != len(test):
        raise BadData(f"OpenML's {title} has {x.shape[0]} rows of {x.shape[1]} values, not {len(test)} of {np.prod(shape)}.")
    whole = x.astype(np.uint8)
    if not np.array_equal(whole, x):
        raise BadData(f"OpenML's {title} has values that are no whole numbers from 0 to 255.")
    return Pictures(whole.reshape(len(y), *shape), y, test)
