"""Paid checkouts on one hot promotion, beside hand-written SQL over as many connections."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from statistics import median, quantiles
from typing import Any

from bench.checkout_fill import fill
from bench.pages import gunicorn
from bench.platform import ROOT, connect, manage
from bench.table import show
from tests import servers

# Buyers of each turn, and turns: both are measured by turns, so that what else the machine does
# meets them alike.
N_BUYERS = 1_000
N_TURNS = 2
N_AT_ONCE = 500
# Rows in the table of orders before each measurement.
SIZES = (10_000, 1_000_000)
PROCESSES, THREADS = 2, 4
LEAST_RATIO, MOST_SECONDS = 0.15, 3.0


def measure() -> None:
    """Table: checkouts per second and times at 500 buyers at once, and of the bare SQL."""
    rows: list[tuple[object, ...]] = []
    with servers.mariadb(is_durable=True) as url, tempfile.TemporaryDirectory() as folder:
        env = {
            **os.environ,
            "VAR_DIR": folder,
            "SECRET_KEY": "bench-only-" + "0123456789abcdef" * 4,
            "USE_TLS": "0",
            "DEBUG": "0",
            "LOG_LEVEL": "WARNING",
            "ALLOWED_HOSTS": "127.0.0.1",
            "DATABASE_URL": url,
            "SANDBOX_PAYMENTS": "1",
            "WEB_PROCESSES": str(PROCESSES),
            "WEB_THREADS": str(THREADS),
            # All buyers of the benchmark sit behind one address.
            "API_RATE_USER": "1000000/min",
            "API_RATE_ANON": "1000000/min",
        }
        manage("migrate", "--verbosity", "0", env=env)
        manage("collectstatic", "--no-input", "--verbosity", "0", env=env)
        with gunicorn("livecourse.wsgi", env) as site:
            for size in SIZES:
                n_orders = fill(url, n_orders=size)
                # So that nothing that is measured is done for the first time.
                _bare(_world(N_BUYERS, env), env)
                _buy(site, _world(N_BUYERS, env), env)
                worlds = [_world(N_BUYERS, env) for _ in range(2 * N_TURNS)]
                bare, ours, times = 0.0, 0.0, []
                for for_sql, for_us in zip(worlds[::2], worlds[1::2], strict=True):
                    bare += _bare(for_sql, env)
                    seen = _buy(site, for_us, env)
                    ours += seen["seconds"]
                    times += seen["times"]
                rows.append(_row(f"hand-written SQL, {n_orders:,} orders", bare, [], bare))
                rows.append(_row(f"checkouts, {n_orders:,} orders", ours, times, bare))
    head = ("what", "checkouts/s", "median ms", "p99 ms", "of the SQL")
    title = (
        f"Paid checkouts on one promotion ({N_AT_ONCE} buyers at once, {PROCESSES} processes with "
        f"{THREADS} threads, MariaDB; wanted: {LEAST_RATIO} of the SQL, p99 below "
        f"{MOST_SECONDS:.0f} s a request)"
    )
    show(title, head, rows)


def _row(name: str, seconds: float, times: list[float], bare: float) -> tuple[object, ...]:
    """`seconds` of all turns; `times` are those of each request, of which a checkout has two."""
    middle = median(times) * 1e3 if times else "-"
    p99 = quantiles(times, n=100)[-1] * 1e3 if times else "-"
    return name, N_TURNS * N_BUYERS / seconds, middle, p99, bare / seconds


def _world(n_buyers: int, env: dict[str, str]) -> dict[str, Any]:
    return _program("bench.checkout_world", env, str(n_buyers))


def _bare(world: dict[str, Any], env: dict[str, str]) -> float:
    """Seconds of all buyers, in as many processes and threads as the web server has."""
    jobs = [
        {
            "course": world["course"],
            "promotion": world["promotion"],
            "buyers": world["buyers"][place::PROCESSES],
            "n_threads": THREADS,
        }
        for place in range(PROCESSES)
    ]
    command = [sys.executable, "-m", "bench.bare_checkouts"]
    running = [
        subprocess.Popen(
            command, cwd=ROOT, env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in jobs
    ]
    for process, job in zip(running, jobs, strict=True):
        assert process.stdin is not None
        process.stdin.write(json.dumps(job))
        process.stdin.close()
    seconds = []
    for process in running:
        assert process.stdout is not None
        seconds.append(json.loads(process.stdout.read())["seconds"])
        process.wait()
    return max(seconds)


def _buy(site: str, world: dict[str, Any], env: dict[str, str]) -> dict[str, Any]:
    """What the load saw. Raises RuntimeError when a checkout was not answered as it should be."""
    host, _colon, port = site.removeprefix("http://").partition(":")
    n_buyers = len(world["tokens"])
    job = {
        "host": host,
        "port": int(port),
        "course": world["course"],
        "tokens": world["tokens"],
        "n_at_once": N_AT_ONCE,
    }
    seen = _program("bench.checkout_load", env, job=job)
    if seen["statuses"] != {"order 201": n_buyers, "pay 200": n_buyers}:
        raise RuntimeError(f"checkouts were answered {seen['statuses']}")
    _ensure_sold(env["DATABASE_URL"], world["promotion"], n_buyers)
    return seen


def _ensure_sold(url: str, promotion: int, n_buyers: int) -> None:
    """Speed that sells twice or forgets is none."""
    asked = (
        "SELECT COUNT(*) FROM catalog_purchase p JOIN catalog_ledgerentry l "
        "ON l.order_id = p.order_id AND l.kind = 'charge' JOIN catalog_enrollment e "
        "ON e.purchase_id = p.id WHERE p.promotion_id = %s AND e.is_active"
    )
    connection = connect(url)
    cursor = connection.cursor()
    cursor.execute(asked, [promotion])
    (n_sold,) = cursor.fetchone()
    connection.close()
    if n_sold != n_buyers:
        raise RuntimeError(f"{n_buyers} buyers paid, {n_sold} have what they paid for")


def _program(
    module: str, env: dict[str, str], *arguments: str, job: dict[str, Any] | None = None
) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=env,
        input=None if job is None else json.dumps(job),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{module}: {done.stderr[-2000:]}")
    return json.loads(done.stdout)
