"""Plans of sample markets for tests, all with one present."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from analytics.sample_market.plan import Plan

ZONE = ZoneInfo("Asia/Shanghai")
EVENING = datetime(2026, 11, 24, 20, 30, tzinfo=ZONE)


def plan(*, seed: int = 1, n_users: int = 60, n_courses: int = 32, n_sessions: int = 12) -> Plan:
    return Plan(
        seed=seed,
        n_users=n_users,
        n_courses=n_courses,
        n_sessions=n_sessions,
        now=EVENING,
        zone=ZONE,
    )
