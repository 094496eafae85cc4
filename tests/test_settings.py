"""What an operator reads when the environment is wrong: one line that says what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
GOOD_KEY = "0123456789" * 5


def start(tmp_path: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Start manage.py with nothing of this process's environment but where programs are."""
    return subprocess.run(
        [sys.executable, "manage.py", *(command or ("check",))],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "key",
    [
        {},
        {"SECRET_KEY": ""},
        {"SECRET_KEY": "short"},
        {"SECRET_KEY": "insecure-key-for-development-only-never-use-it-on-a-server"},
    ],
)
def test_without_a_good_secret_it_stops_with_one_clear_line(tmp_path, key) -> None:
    done = start(tmp_path, **key)

    assert done.returncode != 0
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1
    assert "SECRET_KEY is missing or too weak" in lines[0]


@pytest.mark.parametrize("url", ["nonsense", "oracle9://a/b", "mysql://u:p@host:notaport/db"])
def test_a_database_address_that_makes_no_sense_is_named_in_one_line(tmp_path, url) -> None:
    done = start(tmp_path, SECRET_KEY=GOOD_KEY, DATABASE_URL=url)

    assert done.returncode != 0
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1
    assert "DATABASE_URL" in lines[0]
    assert "mysql://" in lines[0]


def test_with_a_secret_alone_it_starts_and_the_deployment_check_is_clean(tmp_path) -> None:
    done = start(tmp_path, "check", "--deploy", "--fail-level", "WARNING", SECRET_KEY=GOOD_KEY)

    assert done.returncode == 0, done.stderr
