"""The whole rebuild of the sample market, beside its limits of one minute and one gigabyte."""

from __future__ import annotations

import re

from bench.platform import manage
from bench.table import show

LIMIT_SECONDS, LIMIT_MB = 60.0, 1024.0


def measure(env: dict[str, str]) -> None:
    """Table: seconds and peak memory of `manage.py rebuild`, first and again."""
    rows = []
    for name in ("first", "again"):
        said = manage("rebuild", env=env)
        seconds, peak = map(
            float,
            re.search(r"done in ([\d.]+) s, peak memory (\d+) MB", said).groups(),  # type: ignore[union-attr]
        )
        rows.append((name, seconds, seconds / LIMIT_SECONDS, peak, peak / LIMIT_MB))
    head = ("rebuild", "seconds", "of 60 s", "peak MB", "of 1 GB")
    show("Rebuild of the sample market (3,000 people)", head, rows)
