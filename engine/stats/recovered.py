"""The share of the potential that a method recovers, with an interval. Imports NumPy alone at first, for the page."""

from __future__ import annotations

import numpy as np

from engine.stats.intervals import LEVEL, Interval
from engine.stats.student_t import stdtrit

FIELLER = "95% Fieller interval with the corrected resampled t's variance (Nadeau and Bengio)"


def recovered_share(gain: np.ndarray, room: np.ndarray, test_share: float) -> Interval | None:
    """mean(gain) / mean(room) over replicates, with its 95% interval; None where `room` is not above 0 by the corrected
    resampled t.

    gain, room [n]: per replicate, the method minus plain training and the potential minus plain training. test_share: as in
    `intervals.corrected_t`. Replicates where either is not finite are left out.

    The interval is Fieller's (1954): all shares q for which the corrected resampled t does not reject, at 5%, that the mean of
    gain - q room is 0. The test is paired, which accounts for what gain and room share: plain training and the test rows. The
    set is an interval around the ratio exactly where the interval of `room` excludes 0. Here `room` is above 0, so that a share
    is meaningful. The interval is not clipped: a method may be worse than plain training, or exceed the potential by chance. It
    is wider towards large shares, which symmetric intervals around a ratio (delta method, jackknife) miss.
    """
    gain, room = np.asarray(gain, float), np.asarray(room, float)
    both = np.isfinite(gain) & np.isfinite(room)
    gain, room = gain[both], room[both]
    n = len(gain)
    if n < 2:
        return None
    reach = float(stdtrit(n - 1, 0.5 + LEVEL / 2)) ** 2 * (1 / n + test_share)
    (gg, gr), (_, rr) = reach * np.cov(gain, room, ddof=1)
    x, y = gain.mean(), room.mean()
    # (x - q y)^2 <= gg - 2 q gr + q^2 rr: a quadratic in q that opens upwards where y^2 > rr
    a, b, c = y * y - rr, x * y - gr, x * x - gg
    if not (y > 0 and a > 0):
        return None
    root = float(np.sqrt(max(0.0, b * b - a * c)))
    return Interval(float(x / y), float((b - root) / a), float((b + root) / a), n, FIELLER)
