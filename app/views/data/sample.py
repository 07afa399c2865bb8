"""A made-up table of customers to try the page with. It is the same every time."""

from __future__ import annotations

import numpy as np

NAME = "sample-customers.csv"
ROWS = 1_200


def write_sample() -> bytes:
    """Return a CSV of ROWS customers, about one in thirteen of whom left; some values are missing, two columns are texts."""
    rng = np.random.default_rng(20)
    months = rng.integers(1, 73, ROWS)
    spend = np.round(rng.gamma(3.0, 18.0, ROWS), 2)
    visits = rng.poisson(6, ROWS)
    complaints = rng.poisson(0.5, ROWS)
    plan = rng.choice(["basic", "plus", "family"], ROWS, p=[0.5, 0.3, 0.2])
    pays = rng.choice(["card", "invoice", "transfer"], ROWS, p=[0.6, 0.25, 0.15])
    score = -4.3 - 0.035 * months - 0.12 * visits + 1.1 * complaints + 0.9 * (pays == "invoice") + 0.012 * spend
    score += 1.6 * ((plan == "basic") & (spend > 60)) + rng.normal(0, 0.6, ROWS)
    left = rng.random(ROWS) < 1 / (1 + np.exp(-(score + 1.1)))
    known = rng.random(ROWS) > 0.06
    lines = ["customer,months,spend,visits,complaints,plan,pays_by,left"]
    for i in range(ROWS):
        cells = (
            f"C{10_000 + i}",
            months[i],
            f"{spend[i]:.2f}" if known[i] else "",
            visits[i],
            complaints[i],
            plan[i],
            pays[i],
            "yes" if left[i] else "no",
        )
        lines.append(",".join(map(str, cells)))
    return ("\n".join(lines) + "\n").encode()
