"""One live room with many sockets, beside a bare Node.js server that hands the same bytes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from bench.platform import ROOT, manage
from bench.table import show
from tests import servers
from tests.servers import free_port

SIZES = (100, 500, 1_000)
# Who writes while it is measured how much goes through: a socket may say so much and no more.
N_WRITERS = 100
MESSAGES_A_SECOND = 5
SECONDS = 8
LEAST_RATIO = 1 / 3
# How production serves sockets (deploy/).
SOCKETS = "livecourse.prepared_frames:PreparedFrames"


def measure() -> None:
    """Tables: how late messages come, what a processor delivers, what a socket holds."""
    seen: dict[tuple[str, int], dict[str, Any]] = {}
    with (
        servers.mariadb(is_durable=True) as database,
        servers.redis() as redis,
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
            "DATABASE_URL": database,
            "REDIS_URL": redis,
        }
        # Of which the pages beside the sockets would warn.
        (Path(folder) / "static").mkdir()
        manage("migrate", "--verbosity", "0", env=env)
        for size in SIZES:
            world = _program("bench.room_world", env)
            with _node() as (port, pid):
                seen["node", size] = _load(env, port, pid, size, world)
            with _platform(env) as (port, pid):
                seen["platform", size] = _load(env, port, pid, size, world)
    _show_latency(seen)
    _show_work(seen)
    _show_memory(seen)


def _show_latency(seen: dict[tuple[str, int], dict[str, Any]]) -> None:
    rows = []
    for size in SIZES:
        bare, ours = seen["node", size]["latency"], seen["platform", size]["latency"]
        for name, one in (("bare Node.js", bare), ("platform", ours)):
            rows.append(
                (f"{name}, {size:,} sockets", one["p50"], one["p99"], one["p99"] / bare["p99"])
            )
    show(
        f"From writing to reading, {MESSAGES_A_SECOND} messages a second, each stored in MariaDB "
        "by the platform and nowhere by Node.js",
        ("server", "median ms", "p99 ms", "p99 of Node's"),
        rows,
    )


def _show_work(seen: dict[tuple[str, int], dict[str, Any]]) -> None:
    for part, counted, title in (
        ("flood", "n_frames", "Frames of a room to all its sockets"),
        ("chat", "n_messages", "Messages through the whole path: stored, read, sent to all"),
    ):
        rows = []
        for size in SIZES:
            bare = None
            for name, key in (("bare Node.js", "node"), ("platform", "platform")):
                one = seen[key, size][part]
                worth = one[counted] / one["server_seconds"]
                bare = bare or worth
                rows.append(
                    (
                        f"{name}, {size:,} sockets",
                        one[counted] / one["seconds"],
                        one["n_messages"] / one["n_frames"] if part == "chat" else 1,
                        one["server_seconds"] / one["seconds"],
                        one["client_seconds"] / one["seconds"],
                        worth,
                        worth / bare,
                    )
                )
        show(
            f"{title} (wanted: {LEAST_RATIO:.2f} of Node's for each second of a processor)",
            (
                "server", "delivered/s", "messages a frame", "its processor", "the client's",
                "delivered a processor-second", "of Node's",
            ),
            rows,
        )  # fmt: skip


def _show_memory(seen: dict[tuple[str, int], dict[str, Any]]) -> None:
    rows = []
    for size in SIZES:
        bare = seen["node", size]["socket_bytes"]
        for name, key in (("bare Node.js", "node"), ("platform", "platform")):
            one = seen[key, size]
            rows.append(
                (
                    f"{name}, {size:,} sockets",
                    one["socket_bytes"] / 1024,
                    one["socket_bytes"] / bare,
                    one["enter_seconds"],
                    one["idle"]["server_seconds"] / one["idle"]["seconds"],
                )
            )
    show(
        "What sockets hold that say nothing",
        ("server", "KiB a socket", "of Node's", "all entered s", "processor at rest"),
        rows,
    )


@contextmanager
def _node() -> Iterator[tuple[int, int]]:
    with _running(["node", "bench/bare_sockets.mjs"], dict(os.environ)) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["port"], process.pid


@contextmanager
def _platform(env: dict[str, str]) -> Iterator[tuple[int, int]]:
    """One process of the sockets as production runs them (deploy/)."""
    port = free_port()
    command = [str(Path(sys.executable).parent / "uvicorn"), "bench.fanout_app:application"]
    options = ["--host", "127.0.0.1", "--port", str(port), "--loop", "uvloop", "--ws", SOCKETS]
    quiet = ["--log-level", "warning", "--no-access-log", "--ws-per-message-deflate", "false"]
    with _running([*command, *options, *quiet], env) as process:
        for _ in range(600):
            try:
                requests.get(f"http://127.0.0.1:{port}/healthz", timeout=60)
                break
            except requests.ConnectionError:
                time.sleep(0.1)
        yield port, process.pid


@contextmanager
def _running(command: list[str], env: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command, cwd=ROOT, env=env, text=True, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)


def _load(
    env: dict[str, str], port: int, pid: int, n_sockets: int, world: dict[str, Any]
) -> dict[str, Any]:
    job = {
        "port": port,
        "pid": pid,
        "session": world["session"],
        "cookie": world["cookie"],
        "n_writers": min(n_sockets, N_WRITERS),
        "n_sockets": n_sockets,
        "rate": MESSAGES_A_SECOND,
        "seconds": SECONDS,
    }
    return _program("bench.room_load", env, job)


def _program(module: str, env: dict[str, str], job: dict[str, Any] | None = None) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", module],
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
