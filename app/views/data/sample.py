"""A made-up table of card payments to try the page with: dates, cards that repeat, a rule in use. It is the same every time."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

NAME = "sample-payments.csv"
ROWS, CARDS, DAYS = 8_000, 2_400, 540
START = date(2025, 1, 6)


def write_sample() -> bytes:
    """Return a CSV of ROWS payments, about one in thirty of them a fraud; some values are missing.

    Frauds stand close together on a stolen card, so that a split that parts its rows reads too high; what frauds look like changes slowly.
    """
    rng = np.random.default_rng(20)
    owner = np.sort(rng.integers(0, CARDS, ROWS))
    home, age, habit = rng.integers(0, 4, CARDS), rng.gamma(2.0, 300.0, CARDS), rng.gamma(3.0, 14.0, CARDS)
    stolen = rng.random(CARDS) < 0.05
    first = rng.integers(0, DAYS - 60, CARDS)
    day = np.where(stolen[owner], first[owner] + rng.integers(0, 45, ROWS), rng.integers(0, DAYS, ROWS))
    hour = np.clip(rng.normal(14, 4.5, ROWS), 0, 23).astype(int)
    amount = habit[owner] * rng.lognormal(0.0, 0.5, ROWS)
    fraud = stolen[owner] & (rng.random(ROWS) < 0.75)
    late = day / DAYS
    amount = np.where(fraud, amount * (1.4 + 1.2 * rng.random(ROWS)), amount)
    hour = np.where(fraud & (rng.random(ROWS) < 0.8 - 0.6 * late), rng.integers(0, 6, ROWS), hour)
    abroad = rng.random(ROWS) < np.where(fraud, 0.25 + 0.4 * late, 0.06)
    country = np.where(abroad, (home[owner] + rng.integers(1, 4, ROWS)) % 4, home[owner])
    device = rng.choice(4, ROWS, p=[0.45, 0.35, 0.15, 0.05])
    device = np.where(fraud & (rng.random(ROWS) < 0.4), 3, device)
    risk = 1 / (1 + np.exp(-(0.9 * (hour < 6) + 0.012 * amount - 2.2 + rng.normal(0, 0.7, ROWS))))
    known = rng.random(ROWS) > 0.05
    lines = ["receipt,booked_at,card,amount,hour,country,device,card_age_days,rule_score,fraud"]
    for number, i in enumerate(np.lexsort((hour, day))):
        cells = (
            f"R{100_000 + 7 * number}",
            (START + timedelta(days=int(day[i]))).isoformat(),
            f"K{5_000 + owner[i]}",
            f"{amount[i]:.2f}",
            hour[i],
            ("DE", "FR", "NL", "PL")[country[i]],
            ("web", "phone", "shop", "tablet")[device[i]],
            f"{age[owner[i]] + late[i] * DAYS:.0f}" if known[i] else "",
            f"{risk[i]:.3f}",
            "yes" if fraud[i] else "no",
        )
        lines.append(",".join(map(str, cells)))
    return ("\n".join(lines) + "\n").encode()
