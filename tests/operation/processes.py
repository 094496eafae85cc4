"""Real processes of the platform: started with an environment of their own, surely ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BIN = Path(sys.executable).parent
# Two cores shared with the other half of the tests: generous, and only waited out by a failure.
PATIENCE_SECONDS = 90


def environment(folder: Path, **more: str) -> dict[str, str]:
    """What a process of the platform needs, with `folder` for its files; nothing inherited."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "VAR_DIR": str(folder),
        "SECRET_KEY": "tests-only-" + "0123456789abcdef" * 4,
        "USE_TLS": "0",
        "LOG_LEVEL": "INFO",
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": "1",
        **more,
    }


def manage(*arguments: str, env: dict[str, str]) -> str:
    """One manage.py command, which must succeed; returns what it printed."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=env,
        check=True,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    ).stdout


@contextmanager
def started(command: list[str], *, env: dict[str, str], log: Path) -> Iterator[subprocess.Popen]:
    """The command in a process group of its own, all of which is gone after the block."""
    with log.open("a") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=env, stdout=output, stderr=output, start_new_session=True
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=20)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def worker(*, env: dict[str, str], log: Path):  # type: ignore[no-untyped-def]
    """A Celery worker with one child."""
    command = [f"{BIN}/celery", "-A", "livecourse", "worker", "--loglevel", "INFO"]
    options = ["--concurrency", "1", "--without-gossip", "--without-mingle"]
    return started([*command, *options], env=env, log=log)


def eventually(is_so: Callable[[], object], *, what: str, log: Path | None = None) -> None:
    """Return when `is_so` becomes true; fail with the end of the log when it never does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            tail = log.read_text()[-3000:] if log else ""
            raise AssertionError(f"never so: {what}\n{tail}")
        time.sleep(0.1)
