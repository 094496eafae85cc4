"""Migrations go forward and back, and lock or lose nothing on a database that is in use."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command

# Migrations in which the linter sees a danger that is not there, with the reason.
SAFE_ALL_THE_SAME = [
    # A unique constraint on a table that has rows. The migration before it fills the column so
    # that no two rows are alike, and the release that runs until then leaves it NULL in new
    # ones, which are never alike; InnoDB builds the index beside reads and writes.
    "0010_purchase_is_held_once",
    # Likewise: the column is new, and NULL in all rows that there are.
    "0010_chat_message_sent_once",
    # Tables of results that every fit wrote anew; no release has read them, and lists are made
    # from model files since.
    "0009_no_recommendation",
    "0010_no_course_neighbours",
]
ROOT = Path(__file__).resolve().parent.parent
APPS = ["analytics", "streams", "catalog", "accounts"]


@pytest.mark.mariadb(only=True)
@pytest.mark.django_db
def test_no_migration_after_the_first_locks_or_loses() -> None:
    """The linter reads the statements that MariaDB would run; it exits when one is wrong."""
    call_command(
        "lintmigrations",
        include_apps=APPS,
        sql_analyser="mysql",
        ignore_initial_migrations=True,
        ignore_name=SAFE_ALL_THE_SAME,
        no_cache=True,
        quiet=["ok", "ignore", "warning"],
    )


def test_migrations_can_be_undone_and_done_again(tmp_path: Path) -> None:
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "livecourse.settings",
        "VAR_DIR": str(tmp_path),
        "DATABASE_URL": f"sqlite:///{tmp_path}/back-and-forth.sqlite3",
    }
    steps = [["migrate"], *(["migrate", app, "zero"] for app in APPS[:3]), ["migrate"]]
    for step in steps:
        done = subprocess.run(
            [sys.executable, "manage.py", *step, "--verbosity", "0"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
