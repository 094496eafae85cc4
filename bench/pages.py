"""Pages over gunicorn, beside a Django view that does nothing but answer the same bytes."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

import requests

from bench.platform import ROOT, manage
from bench.table import show
from tests.servers import free_port

SECONDS = 5.0
CLIENTS = 4
PAGES = {"home": "/", "courses": "/courses/"}


def measure(env: dict[str, str]) -> None:
    """Table: requests per second and times of home and courses, and of the bare view."""
    manage("collectstatic", "--no-input", "--verbosity", "0", env=env)
    bodies = Path(env["VAR_DIR"]) / "bodies"
    bodies.mkdir()
    rows = []
    with gunicorn("livecourse.wsgi", env) as site:
        for name, path in PAGES.items():
            (bodies / name).write_bytes(requests.get(site + path, timeout=60).content)
        with gunicorn("bench.bare_site", {**env, "BARE_BODIES": str(bodies)}) as bare:
            for name, path in PAGES.items():
                # Taken by turns, so that what else the machine does meets both alike.
                least, ours = [], []
                for _ in range(2):
                    least += _load(bare + "/" + name)
                    ours += _load(site + path)
                rows.append(_row(f"bare view, bytes of {name}", least, least))
                rows.append(_row(f"{name} ({path})", ours, least))
    head = ("page", "requests/s", "median ms", "p95 ms", "times the bare view")
    show(f"Pages ({CLIENTS} clients, 2 processes, SQLite, sample market)", head, rows)


def _row(name: str, times: list[float], least: list[float]) -> tuple[object, ...]:
    per_second = len(times) / (2 * SECONDS)
    p95 = quantiles(times, n=20)[-1]
    return name, per_second, median(times) * 1e3, p95 * 1e3, len(least) / len(times)


def _load(url: str) -> list[float]:
    """Seconds of each request of some clients that ask as fast as they are answered."""
    times: list[float] = []
    until = time.monotonic() + SECONDS

    def ask() -> None:
        with requests.Session() as session:
            while time.monotonic() < until:
                began = time.monotonic()
                session.get(url, timeout=60).raise_for_status()
                times.append(time.monotonic() - began)

    clients = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return times


@contextmanager
def gunicorn(application: str, env: dict[str, str]) -> Iterator[str]:
    port = free_port()
    command = [str(Path(sys.executable).parent / "gunicorn"), application]
    options = ["--config", "deploy/gunicorn.conf.py", "--bind", f"127.0.0.1:{port}"]
    process = subprocess.Popen([*command, *options, "--log-level", "warning"], cwd=ROOT, env=env)
    try:
        for _ in range(600):
            try:
                requests.get(f"http://127.0.0.1:{port}/healthz", timeout=60)
                break
            except requests.ConnectionError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)
