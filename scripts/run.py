"""`make run`: the whole platform on this machine, until Ctrl-C.

Web, worker and scheduler run under honcho, which stops all of them when one ends.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path

from honcho.manager import Manager

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent


def main() -> int:
    """Prepare the database, then run until something ends. Returns the exit code."""
    port = os.environ.get("PORT") or "8000"
    if not port.isdigit() or not 0 < int(port) < 65536:
        print(f"run: PORT must be a number from 1 to 65535, not {port!r}", file=sys.stderr)
        return 2
    environment = local_environment()
    for command in (
        ["migrate", "--verbosity", "0"],
        ["collectstatic", "--no-input", "--verbosity", "0"],
    ):
        manage(*command, environment=environment)
    if is_empty(environment):
        print("run: an empty database: making the sample market", flush=True)
        manage("sample_market", environment=environment)
        manage("rebuild", environment=environment)
    manage("sample_market", "--sign-ins", environment=environment)
    print(f"run: http://127.0.0.1:{port}/  (admin: http://127.0.0.1:{port}/admin/)", flush=True)
    print("run: Ctrl-C stops everything", flush=True)
    return supervise(port, environment)


def local_environment() -> dict[str, str]:
    """The environment as it is, completed for plain HTTP on this machine."""
    folder = Path(os.environ.get("VAR_DIR", ROOT / "var"))
    folder.mkdir(parents=True, exist_ok=True)
    key = folder / "secret-key"
    if not key.exists():
        key.touch(mode=0o600)
        key.write_text(secrets.token_urlsafe(50))
    defaults = {
        "SECRET_KEY": key.read_text(),
        "USE_TLS": "0",
        "LOG_LEVEL": "WARNING",
        "PYTHONUNBUFFERED": "1",
    }
    return {**defaults, **os.environ}


def manage(*command: str, environment: dict[str, str]) -> None:
    subprocess.run([sys.executable, ROOT / "manage.py", *command], env=environment, check=True)


def is_empty(environment: dict[str, str]) -> bool:
    question = "from catalog.models import Course; print(Course.objects.exists())"
    answer = subprocess.run(
        [sys.executable, ROOT / "manage.py", "shell", "--no-imports", "-c", question],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return answer.stdout.strip() == "False"


def supervise(port: str, environment: dict[str, str]) -> int:
    manager = Manager()
    celery = f"{BIN}/celery -A livecourse"
    commands = {
        "web": f"{BIN}/gunicorn livecourse.wsgi --config deploy/gunicorn.conf.py "
        f"--bind 127.0.0.1:{port}",
        "worker": f"{celery} worker --concurrency 1 --without-gossip --without-mingle "
        "--loglevel WARNING",
        "beat": f"{celery} beat --loglevel WARNING",
    }
    for name, command in commands.items():
        manager.add_process(name, f"exec {command}", env=environment, cwd=str(ROOT))
    manager.loop()
    return int(manager.returncode or 0)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        print(f"run: this failed: {' '.join(map(str, error.cmd))}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
