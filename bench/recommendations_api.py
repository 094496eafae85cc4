"""`GET /api/v1/recommendations/` beside a bare DRF view that returns the same bytes."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import requests

from bench.checkouts import PROCESSES, THREADS
from bench.checkouts import _program as program
from bench.pages import gunicorn
from bench.platform import manage
from bench.table import show
from tests import servers

PATH = "/api/v1/recommendations/"
N_PEOPLE, N_AT_ONCE = 400, 32
# Many short turns, each compared with its neighbours: a machine that others share is at times half
# as fast for some seconds. Not shorter, as each turn reads again what a process holds for seconds.
SECONDS, N_TURNS = 2.0, 16
LEAST_RATIO = 0.6


def measure() -> None:
    """Tables: requests per second of the platform and of the bare view, and scoring alone."""
    with (
        servers.mariadb(is_durable=True) as url,
        servers.redis() as redis_url,
        tempfile.TemporaryDirectory() as folder,
    ):
        env = {
            **os.environ,
            "VAR_DIR": folder,
            "SECRET_KEY": "bench-only-" + "0123456789abcdef" * 4,
            "USE_TLS": "0",
            "DEBUG": "0",
            "LOG_LEVEL": "WARNING",
            "ALLOWED_HOSTS": "127.0.0.1",
            "DATABASE_URL": url,
            "REDIS_URL": redis_url,
            "WEB_PROCESSES": str(PROCESSES),
            "WEB_THREADS": str(THREADS),
            "API_RATE_USER": "1000000/min",
        }
        manage("migrate", "--verbosity", "0", env=env)
        manage("collectstatic", "--no-input", "--verbosity", "0", env=env)
        manage("sample_market", env=env)
        manage("rebuild", "--only", "recommend", env=env)
        compare(env)


def compare(env: dict[str, str]) -> None:
    """The same for a platform that is there, with people and a served recommender."""
    world = program("bench.recommendations_world", env, str(N_PEOPLE))
    bodies = Path(env["VAR_DIR"]) / "bodies"
    bodies.mkdir(exist_ok=True)
    with gunicorn("livecourse.wsgi", env) as site:
        for person, token in world["tokens"].items():
            answer = requests.get(site + PATH, headers=_headers(token), timeout=60)
            answer.raise_for_status()
            (bodies / person).write_bytes(answer.content)
        bare_env = {**env, "BARE_BODIES": str(bodies)}
        with (
            gunicorn("bench.bare_recommendations", bare_env) as bare,
            gunicorn(
                "bench.bare_recommendations", {**bare_env, "BARE_MIDDLEWARE": "none"}
            ) as least,
            gunicorn(
                "bench.bare_recommendations", {**bare_env, "BARE_MIDDLEWARE": "platform"}
            ) as same,
            gunicorn("bench.unheld_site", env) as unheld,
        ):
            # The two that are compared stand on either side of their peer.
            sites = {
                "without middleware, the platform's token check": least,
                "with the platform's middleware and token check": same,
                "platform": site,
                "bare view": bare,
                "platform, each list made anew": unheld,
            }
            tokens = list(world["tokens"].values())
            seen: dict[str, list[dict[str, Any]]] = {name: [] for name in sites}
            # By turns, so that what else the machine does meets all alike; the first one warms up.
            for turn in range(N_TURNS + 1):
                for name, address in sites.items():
                    found = _load(address, tokens)
                    if turn:
                        seen[name].append(found)
    rows = [_row(name, found, seen["bare view"]) for name, found in seen.items()]
    size = sum(file.stat().st_size for file in bodies.iterdir()) / len(world["tokens"]) / 1024
    title = (
        f"GET {PATH} ({len(tokens)} people, {N_AT_ONCE} at once, {size:.1f} KB, {PROCESSES} "
        f"processes with {THREADS} threads, MariaDB, Redis; {N_TURNS} turns; wanted: "
        f"{LEAST_RATIO} of the bare view)"
    )
    head = ("what", "requests/s", "median ms", "p99 ms", "of the bare view", "in half of the turns")
    show(title, head, rows)
    took = world["in_process"]
    show(
        "Scoring one person in process (processor time; wanted: p99 below 1 ms)",
        ("history", "median ms", "p99 ms"),
        [
            (name, took[f"{key} p50"], took[f"{key} p99"])
            for name, key in (("of people", "real"), ("300 courses", "long"))
        ],
    )


def _headers(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Accept-Language": "en"}


def _load(address: str, tokens: list[str]) -> dict[str, Any]:
    host, _colon, port = address.removeprefix("http://").partition(":")
    job = {
        "host": host,
        "port": int(port),
        "path": PATH,
        "tokens": tokens,
        "n_at_once": N_AT_ONCE,
        "seconds": SECONDS,
    }
    seen = program("bench.recommendations_load", dict(os.environ), job=job)
    if set(seen["statuses"]) != {"200"}:
        raise RuntimeError(f"requests were answered {json.dumps(seen['statuses'])}")
    return seen


def _row(name: str, seen: list[dict[str, Any]], peer: list[dict[str, Any]]) -> tuple[object, ...]:
    """Of the median turn; the ratio is that of each turn to the peer's turn beside it."""
    times = [one * 1e3 for found in seen for one in found["times"]]
    per_second = median(_per_second(found) for found in seen)
    ratios = [_per_second(one) / _per_second(other) for one, other in zip(seen, peer, strict=True)]
    low, middle, high = quantiles(ratios, n=4)
    spread = f"{low:.2f} to {high:.2f}"
    return name, per_second, median(times), quantiles(times, n=100)[-1], middle, spread


def _per_second(found: dict[str, Any]) -> float:
    return len(found["times"]) / found["seconds"]
