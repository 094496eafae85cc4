"""`make check`: everything about the code that can be said without running it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent

# A deployment as an operator would configure it, for Django's own check of it.
DEPLOYED = {
    "SECRET_KEY": "check-only-JqC7wXvN2pLr8sTz4KdYb6HfGmQeUaRi9oPx3VnWc5",
    "DEBUG": "0",
    "ALLOWED_HOSTS": "courses.example.com",
    "SANDBOX_PAYMENTS": "0",
}

CHECKS: dict[str, list[str]] = {
    "format": ["ruff", "format", "--check", "--quiet", "."],
    "lint": ["ruff", "check", "--quiet", "."],
    "import contracts": ["lint-imports", "--no-cache"],
    "types": ["mypy", "."],
    "templates": ["djlint", "--lint", "--quiet", "templates"],
    "models and migrations agree": ["manage.py", "makemigrations", "--check", "--dry-run"],
    "deployment": ["manage.py", "check", "--deploy", "--fail-level", "WARNING"],
}


def main() -> int:
    """Run all checks, show what the failed ones say, and return 0 when none failed."""
    failed = [name for name, command in CHECKS.items() if not _passes(name, command)]
    if failed:
        print(f"check: failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _passes(name: str, command: list[str]) -> bool:
    program = [sys.executable] if command[0] == "manage.py" else []
    arguments = command if program else [str(BIN / command[0]), *command[1:]]
    with tempfile.TemporaryDirectory(prefix="livecourse-check-") as folder:
        done = subprocess.run(
            [*program, *arguments],
            cwd=ROOT,
            env={**os.environ, **DEPLOYED, "VAR_DIR": folder},
            capture_output=True,
            text=True,
            check=False,
        )
    print(f"check: {name}: {'ok' if done.returncode == 0 else 'FAILED'}", flush=True)
    if done.returncode:
        print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
