"""The share of the potential that a method recovers, with an interval. numpy and scipy.special alone: the page uses this file."""

from __future__ import annotations

import numpy as np
from scipy.special import stdtrit

from engine.stats.intervals import LEVEL, Interval

FIELLER = "95% Fieller interval with the corrected resampled t's variance (Nadeau and Bengio)"


def recovered_share(gain: np.ndarray, room: np.ndarray, test_share: float) -> Interval | None:
    """mean(gain) / mean(room) over replicates, with its 95% interval; None where `room` is not above 0 by the corrected resampled t.

    gain, room [n]: on each replicate, the method minus plain training and the potential minus plain training. test_share: as
    `intervals.corrected_t`. Replicates where either is not finite are left out.

    The interval is Fieller's (1954): those shares q for which the corrected resampled t does not tell the mean of gain - q room from
    0 at 5%. It is a paired test, so that what gain and room have in common (plain training, the same test rows) is accounted for.
    That set is an interval around the ratio exactly where the interval of `room` leaves out 0; here it is above 0, and a share
    means something. It is not clipped: a method may lose what plain training has, or be above the ceiling by chance. It is wider to the
    side of large shares, which a symmetric interval around a ratio (the delta method, or a jackknife) misses.
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
    # (x - q y)^2 <= gg - 2 q gr + q^2 rr, a quadratic in q that opens upwards where y^2 > rr
    a, b, c = y * y - rr, x * y - gr, x * x - gg
    if not (y > 0 and a > 0):
        return None
    root = float(np.sqrt(max(0.0, b * b - a * c)))
    return Interval(float(x / y), float((b - root) / a), float((b + root) / a), n, FIELLER)
