"""Rows per second of `import_csv`, beside one statement that stores the same cells unchecked."""

from __future__ import annotations

import csv
import random
import re
import sqlite3
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.platform import manage
from bench.table import show

N_USERS, N_COURSES, N_ROWS = 5_000, 200, 100_000


def measure(env: dict[str, str]) -> None:
    """Table: users and interactions into SQLite by the command, and by executemany."""
    folder = Path(env["VAR_DIR"])
    files = _write_files(folder)
    rows = []
    for target, path in files.items():
        said = manage("import_csv", target, str(path), env=env)
        rate = float(re.search(r"([\d,]+) rows/s", said)[1].replace(",", ""))  # type: ignore[index]
        peak = int(re.search(r"peak memory (\d+)", said)[1])  # type: ignore[index]
        bare = _bare_rate(folder / f"bare-{target}.sqlite3", path)
        n = sum(1 for _ in path.open()) - 1
        rows.append((target, n, rate, bare, bare / rate, peak))
    head = ("import", "rows", "rows/s", "bare INSERT rows/s", "times slower", "peak MB")
    show("Import from CSV (checked, resumable; at least 10,000 rows/s, at most 300 MB)", head, rows)


def _write_files(folder: Path) -> dict[str, Path]:
    chance = random.Random(42)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    paths = {name: folder / f"{name}.csv" for name in ("users", "courses", "interactions")}
    with paths["users"].open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["external_id", "display_name", "gender", "birth_year"])
        table.writerows(
            [f"u{i}", f"学员{i}", chance.choice(["female", "male"]), chance.randint(1960, 2005)]
            for i in range(N_USERS)
        )
    with paths["courses"].open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["external_id", "title", "list_price"])
        table.writerows([f"c{i}", f"Course {i}", "99.00"] for i in range(N_COURSES))
    with paths["interactions"].open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["user", "course", "kind", "occurred_at"])
        for i in range(N_ROWS):
            moment = start + timedelta(seconds=60 * i)
            user, course = chance.randrange(N_USERS), chance.randrange(N_COURSES)
            kind = chance.choice(["view", "click"])
            table.writerow([f"u{user}", f"c{course}", kind, moment.isoformat()])
    return paths


def _bare_rate(database: Path, path: Path) -> float:
    """Rows per second of reading the file and one executemany into a table of one index."""
    began = time.monotonic()
    with path.open(newline="") as file, sqlite3.connect(database) as connection:
        rows = csv.reader(file)
        columns = next(rows)
        connection.execute(f"CREATE TABLE t (id INTEGER PRIMARY KEY, {', '.join(columns)})")
        connection.execute(f"CREATE INDEX i ON t ({columns[0]})")
        marks = ", ".join("?" * len(columns))
        done = connection.executemany(
            f"INSERT INTO t ({', '.join(columns)}) VALUES ({marks})", rows
        )
    return done.rowcount / (time.monotonic() - began)
