"""Throw-away servers: own folder, own port on loopback, gone when the block ends."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

# A cold disk can make a first start slow; a server that needs longer is broken.
START_SECONDS = 60
ROOT = Path(__file__).resolve().parent.parent


class ServerMissing(Exception):
    """A server program is not installed; the message says how to get it."""


def free_port() -> int:
    """A port of loopback that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def program(name: str, *, package: str) -> str:
    """The path of a server program, which Debian keeps outside an ordinary user's PATH."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise ServerMissing(f"{name} is not installed: sudo apt-get install {package}")
    return found


@contextmanager
def mariadb(*, is_durable: bool = False) -> Iterator[str]:
    """A MariaDB server with an empty database; yields its DATABASE_URL.

    A durable one writes every commit to disk before it answers, as in production.
    """
    server = program("mariadbd", package="mariadb-server")
    install = program("mariadb-install-db", package="mariadb-server")
    with tempfile.TemporaryDirectory(prefix="livecourse-mariadb-") as folder:
        data, sock, port = Path(folder) / "data", Path(folder) / "sock", free_port()
        account = ["--user=root"] if Path.home() == Path("/root") else []
        subprocess.run(
            [
                install,
                "--no-defaults",
                *account,
                f"--datadir={data}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ],
            check=True,
            capture_output=True,
        )
        command = [
            server,
            "--no-defaults",
            *account,
            f"--datadir={data}",
            f"--socket={sock}",
            f"--port={port}",
            "--bind-address=127.0.0.1",
            f"--pid-file={folder}/pid",
            "--character-set-server=utf8mb4",
            "--max-connections=300",
            "--max-allowed-packet=64M",
            "--innodb-buffer-pool-size=512M",
            # Tests make tables by the hundred, and nobody needs them after a power cut. Nothing
            # here touches what one transaction sees of another.
            f"--innodb-flush-log-at-trx-commit={int(is_durable)}",
            f"--innodb-doublewrite={'ON' if is_durable else 'OFF'}",
            "--sync-binlog=0",
            "--skip-name-resolve",
            f"--tmpdir={folder}",
        ]
        with _running(command, log=Path(folder) / "log", is_up=lambda: _accepts(port)):
            client = program("mariadb", package="mariadb-client")
            statements = (
                "CREATE DATABASE livecourse CHARACTER SET utf8mb4;"
                "CREATE USER 'livecourse'@'127.0.0.1' IDENTIFIED BY 'livecourse';"
                "GRANT ALL ON *.* TO 'livecourse'@'127.0.0.1';"
            )
            subprocess.run(
                [client, "--no-defaults", "-uroot", f"--socket={sock}", "-e", statements],
                check=True,
                capture_output=True,
            )
            yield f"mysql://livecourse:livecourse@127.0.0.1:{port}/livecourse"


@contextmanager
def redis() -> Iterator[str]:
    """A Redis server that keeps nothing on disk; yields its URL."""
    server = program("redis-server", package="redis-server")
    with tempfile.TemporaryDirectory(prefix="livecourse-redis-") as folder:
        port = free_port()
        command = [
            server,
            *("--port", str(port), "--bind", "127.0.0.1", "--dir", folder),
            *("--save", "", "--appendonly", "no"),
        ]
        with _running(command, log=Path(folder) / "log", is_up=lambda: _accepts(port)):
            yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def nginx(env: dict[str, str], *, log: Path) -> Iterator[str]:
    """The video server as `make video` starts it, with this environment; yields its RTMP address.

    `env` names RTMP_PORT and VIDEO_PORT.
    """
    program("nginx", package="nginx libnginx-mod-rtmp")
    program("ffmpeg", package="ffmpeg")
    port = int(env["RTMP_PORT"])
    command = [sys.executable, str(ROOT / "scripts" / "video.py")]
    with _running(command, log=log, is_up=lambda: _accepts(port), env=env):
        yield f"rtmp://127.0.0.1:{port}/live"


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def _running(
    command: list[str], *, log: Path, is_up: Callable[[], bool], env: dict[str, str] | None = None
) -> Iterator[None]:
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=env)
        try:
            deadline = time.monotonic() + START_SECONDS
            while not is_up():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{command[0]} did not start:\n{log.read_text()[-2000:]}")
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
