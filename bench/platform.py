"""A platform of its own to measure: a folder, a database, processes that surely end."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlparse

if TYPE_CHECKING:
    import MySQLdb

ROOT = Path(__file__).resolve().parent.parent
# More than any step needs; a benchmark that hangs must not hold up the rest.
STEP_SECONDS = 240


@contextmanager
def made_platform() -> Iterator[dict[str, str]]:
    """The environment of a platform with an empty, migrated SQLite database, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="livecourse-bench-") as folder:
        env = {
            **os.environ,
            "VAR_DIR": folder,
            "SECRET_KEY": "bench-only-" + "0123456789abcdef" * 4,
            "USE_TLS": "0",
            "DEBUG": "0",
            "LOG_LEVEL": "WARNING",
            "ALLOWED_HOSTS": "127.0.0.1",
            "DATABASE_URL": f"sqlite:///{folder}/livecourse.sqlite3",
            "REDIS_URL": "",
        }
        manage("migrate", "--verbosity", "0", env=env)
        yield env


def manage(*arguments: str, env: dict[str, str]) -> str:
    """One command of manage.py; returns what it printed, shows why when it failed."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=STEP_SECONDS,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"manage.py {' '.join(arguments)}: {done.stderr[-2000:]}")
    return done.stdout


def connect(url: str) -> MySQLdb.Connection:
    """A connection of the bare driver to the MariaDB of a DATABASE_URL."""
    import MySQLdb

    at = urlparse(url)
    return MySQLdb.connect(
        host=at.hostname or "127.0.0.1",
        port=at.port or 3306,
        user=at.username or "",
        passwd=at.password or "",
        db=at.path.strip("/"),
        charset="utf8mb4",
    )


def datasets() -> Path | None:
    """The folder of real data, which is no part of the repository; None where there is none."""
    beside = ROOT.parent / "shared" / "datasets"
    folder = Path(os.environ.get("LIVECOURSE_DATASETS", beside))
    return folder if (folder / "mooccubex").is_dir() else None
