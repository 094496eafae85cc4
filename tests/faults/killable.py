"""Servers that are killed with -9 and started again, on the same port and the same files."""

from __future__ import annotations

import os
import signal
import subprocess
import urllib.parse
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import MySQLdb

from tests.operation.processes import BIN, ROOT, eventually


class Killable:
    """One server with all its processes; `is_up` says whether it can be used."""

    def __init__(
        self, command: list[str], *, env: dict[str, str], log: Path, is_up: Callable[[], bool]
    ) -> None:
        self.command, self.env, self.log, self.is_up = command, env, log, is_up
        self.n_kills = 0
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        with self.log.open("a") as output:
            self.process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=self.env,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def wait(self) -> None:
        """Return when it can be used; fail at once when it has ended by itself."""

        def is_up_or_over() -> bool:
            return self.is_up() or (self.process is not None and self.process.poll() is not None)

        eventually(is_up_or_over, what=f"{self.command[0]} is up", log=self.log)
        code = self.process.poll() if self.process is not None else None
        assert code is None, f"{self.command[0]} ended with {code}:\n{self.log.read_text()[-3000:]}"

    def kill(self) -> None:
        """End every process of it at once, as a power cut of the machine's software would."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.n_kills += 1

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=20)
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class KillableWorker(Killable):
    """A Celery worker with one child; up once it has said so since it was started."""

    def __init__(self, *, env: dict[str, str], log: Path) -> None:
        command = [f"{BIN}/celery", "-A", "livecourse", "worker", "--loglevel", "INFO"]
        options = ["--concurrency", "1", "--without-gossip", "--without-mingle"]
        self.n_started = 0
        super().__init__([*command, *options], env=env, log=log, is_up=self._has_said_so)

    def start(self) -> None:
        super().start()
        self.n_started = self.log.read_text().count(" ready.") + 1

    def _has_said_so(self) -> bool:
        return self.log.read_text().count(" ready.") >= self.n_started


class KillableDatabase(Killable):
    """A MariaDB server that somebody else has started; killed, it is started as it was."""

    def __init__(self, url: str, *, log: Path) -> None:
        self.address = urllib.parse.urlparse(url)
        [(pid_file,)] = self.ask("SELECT @@pid_file")
        self.pid_file = Path(pid_file)
        words = Path(f"/proc/{self._pid()}/cmdline").read_bytes().split(b"\0")
        command = [word.decode() for word in words if word]
        super().__init__(command, env=dict(os.environ), log=log, is_up=self._answers)

    def _pid(self) -> int:
        return int(self.pid_file.read_text())

    def kill(self) -> None:
        if self.process is not None:
            super().kill()
            return
        os.kill(self._pid(), signal.SIGKILL)
        self.n_kills += 1

    def ask(self, question: str) -> list[tuple]:
        """The rows that the database answers, on a connection of its own."""
        connection = MySQLdb.connect(
            host=self.address.hostname or "",
            port=self.address.port or 0,
            user=self.address.username or "",
            password=self.address.password or "",
            database=self.address.path.strip("/"),
            autocommit=True,
        )
        try:
            with connection.cursor() as cursor:
                cursor.execute(question)
                return list(cursor.fetchall())
        finally:
            connection.close()

    def _answers(self) -> bool:
        try:
            return self.ask("SELECT 1") == [(1,)]
        except MySQLdb.OperationalError:
            return False
