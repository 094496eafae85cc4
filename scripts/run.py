"""`make run`: the whole platform on this machine, until Ctrl-C.

Web, worker and scheduler run under honcho, which stops all of them when one ends. They run
as in production (DEBUG is off), but over plain HTTP, with a secret key kept in VAR_DIR, and with
pages and sockets in the same two processes.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import environ
from honcho import manager as honcho
from honcho.manager import SIGNALS, Manager

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent


class RunError(Exception):
    """It cannot start; the message says what the reader can do about it."""


def main() -> int:
    """Prepare the database, then run until something ends. Returns the exit code."""
    try:
        port = chosen_port(os.environ.get("PORT") or "8000")
        # Where the embedded sandbox sends its notifications, and where links in e-mails lead.
        environment = {"SITE_URL": f"http://127.0.0.1:{port}", **local_environment()}
        with alone_in(Path(environment["VAR_DIR"])):
            prepared = subprocess.run(
                [sys.executable, ROOT / "scripts" / "prepare.py"], env=environment, check=False
            )
            if prepared.returncode:
                return prepared.returncode
            print(
                f"run: starting http://127.0.0.1:{port}/ (admin: http://127.0.0.1:{port}/admin/)\n"
                "run: Ctrl-C stops everything",
                flush=True,
            )
            return supervise(port, environment)
    except RunError as error:
        print(f"run: {error}", file=sys.stderr)
        return 2


def chosen_port(text: str) -> int:
    """The port that `text` names, if a server can listen there; else RunError."""
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise RunError(f"PORT must be a number from 1 to 65535, not {text!r}")
    port = int(text)
    with socket.socket() as probe:
        # As the web server does: a port that was in use a moment ago is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError:
            raise RunError(f"port {port} is for root alone; try PORT=8000 make run") from None
        except OSError:
            other = port + 1 if port < 65535 else 8000
            raise RunError(f"port {port} is in use; try PORT={other} make run") from None
    return port


def local_environment() -> dict[str, str]:
    """The environment and .env as they are, completed for plain HTTP on this machine."""
    environ.Env.read_env(ROOT / ".env")
    folder = Path(os.environ.get("VAR_DIR") or ROOT / "var").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    key = folder / "secret-key"
    if not key.exists() or not key.read_text():
        key.touch(mode=0o600)
        key.write_text(secrets.token_urlsafe(50))
    defaults = {
        "SECRET_KEY": key.read_text(),
        "USE_TLS": "0",
        "LOG_LEVEL": "WARNING",
        "PYTHONUNBUFFERED": "1",
    }
    # One folder for all processes, wherever each of them is started.
    return {**defaults, **os.environ, "VAR_DIR": str(folder)}


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold the folder; two schedulers and two web servers would share its files."""
    with (folder / "run.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(
                f"it is running already, in {folder}; a second one needs a VAR_DIR of its own"
            ) from None
        yield


def supervise(port: int, environment: dict[str, str]) -> int:
    """Run web, worker and scheduler until Ctrl-C (0) or until one ends (its code, or 1)."""
    # On a busy machine a worker needs longer than honcho's five seconds to put its task back.
    honcho.KILL_WAIT = 20
    manager = Manager()
    celery = f"{BIN}/celery --quiet -A livecourse"
    commands = {
        "web": " ".join(web_command(port)),
        "worker": f"{celery} worker --concurrency 1 --without-gossip --without-mingle "
        "--loglevel WARNING",
        "beat": f"{celery} beat --loglevel WARNING",
    }
    # honcho signals a worker together with its children, which the worker takes for a crash and
    # waits; told that SIGTERM means "now", it puts the running task back and ends at once.
    environment = {"REMAP_SIGTERM": "SIGQUIT", **environment}
    # /metrics sums over the web processes by files in this folder.
    counters = Path(environment["VAR_DIR"]) / "counters"
    shutil.rmtree(counters, ignore_errors=True)
    counters.mkdir()
    environments = {"web": {**environment, "PROMETHEUS_MULTIPROC_DIR": str(counters)}}
    for name, command in commands.items():
        env = environments.get(name, environment)
        manager.add_process(name, f"exec {command}", env=env, cwd=str(ROOT))
    # A terminal that is closed sends this; honcho would die of it and leave its children.
    signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    manager.loop()
    if manager.returncode in [stopped["rc"] for stopped in SIGNALS.values()]:
        print("run: stopped", flush=True)
        return 0
    # Whatever ended by itself was not meant to.
    return manager.returncode or 1


def web_command(port: int, *, n_processes: int = 2) -> list[str]:
    """How pages and sockets are served on that port."""
    return [
        f"{BIN}/uvicorn",
        "livecourse.asgi:application",
        *("--host", "127.0.0.1", "--port", str(port), "--workers", str(n_processes)),
        # A busy machine may keep a process from answering its parent for a while.
        *("--timeout-worker-healthcheck", "60"),
        *("--loop", "uvloop", "--ws", "livecourse.prepared_frames:PreparedFrames"),
        # Compressing each frame for each socket would cost more than all the rest.
        *("--ws-per-message-deflate", "false", "--ws-max-size", "16384"),
        # Sockets stay for hours: nobody waits for them at the end.
        *("--timeout-graceful-shutdown", "2"),
        # Who asks is told by the platform's own count of proxies.
        *("--no-proxy-headers", "--no-server-header"),
        *("--log-level", "warning", "--no-access-log"),
    ]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
