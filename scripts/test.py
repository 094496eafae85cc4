"""The tests of `make test`: all of them on SQLite, then what depends on the database on MariaDB."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests import servers  # noqa: E402

NO_TESTS_COLLECTED = 5


def main(arguments: list[str]) -> int:
    """Run both parts and print their common count last. Returns 0 when nothing failed."""
    counts: Counter[str] = Counter()
    codes = [_pytest("on SQLite", {}, arguments, counts)]
    try:
        with servers.mariadb() as url:
            codes.append(_pytest("on MariaDB", {"DATABASE_URL": url}, arguments, counts))
    except servers.ServerMissing as error:
        print(f"test: the part on MariaDB is left out: {error}")
        counts["skipped"] += 1
        codes.append(1 if os.environ.get("CI") else 0)
    failed = counts["failed"] + counts["error"] + counts["errors"]
    line = f"{counts['passed']} passed, {failed} failed, {counts['skipped']} skipped"
    print(line, flush=True)
    is_complete = not (os.environ.get("CI") and counts["skipped"])
    if not is_complete:
        print("test: in CI nothing may be skipped", file=sys.stderr)
    return 0 if is_complete and all(code == 0 for code in codes) else 1


def _pytest(
    where: str, environment: dict[str, str], arguments: list[str], counts: Counter[str]
) -> int:
    """One run of pytest, shown as it goes; adds its closing counts to `counts`."""
    print(f"test: {where}", flush=True)
    # A file stays in one process, for its servers and rows; the files in the order that
    # tests/conftest.py gives them, not by their number of tests.
    spread = ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]
    command = [sys.executable, "-m", "pytest", *spread, *arguments]
    # Two of them share the processors: threads of linear algebra and of fits that wait for each
    # other there take many times as long as one alone.
    one_thread = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    environment = {**one_thread, **os.environ, **environment}
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    last = ""
    for line in process.stdout or ():
        print(line, end="", flush=True)
        if line.strip():
            last = line
    for number, word in re.findall(r"(\d+) (passed|failed|skipped|errors?)\b", last):
        counts[word] += int(number)
    code = process.wait()
    # A part of the tests chosen by hand may have none for one of the databases.
    return 0 if code == NO_TESTS_COLLECTED and arguments else code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
