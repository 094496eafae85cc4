"""The web server as operators run it, on a database of the caller's choice."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from django.conf import settings
from django.db import connection

from tests.operation.processes import BIN, environment, eventually, started
from tests.servers import free_port


@dataclass(frozen=True)
class Shop:
    """A running web server: where it listens, where it logs, and what it was started with."""

    port: int
    log: Path
    env: dict[str, str]


def shop_environment(folder: Path, *, database_url: str, **more: str) -> dict[str, str]:
    """What the platform's processes need to work on that database; tokens made here are valid."""
    return environment(
        folder,
        DATABASE_URL=database_url,
        SECRET_KEY=settings.SECRET_KEY,
        LOG_LEVEL="WARNING",
        # Killed processes leave their temporary files behind.
        TMPDIR=str(folder),
        **more,
    )


def url_of_test_database() -> str:
    """The DATABASE_URL under which other processes reach the rows of this one's tests."""
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{database['NAME']}"
    account = f"{quote(database['USER'])}:{quote(database['PASSWORD'])}"
    return f"mysql://{account}@{database['HOST']}:{database['PORT']}/{database['NAME']}"


def web_command(port: int, *, application: str = "livecourse.wsgi") -> list[str]:
    """How gunicorn is started, as by `make run`."""
    config = ["--config", "deploy/gunicorn.conf.py", "--log-level", "warning"]
    return [f"{BIN}/gunicorn", application, *config, "--bind", f"127.0.0.1:{port}"]


def is_up(port: int) -> bool:
    """Whether a web server answers there."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def open_shop(
    folder: Path, *, database_url: str, application: str = "livecourse.wsgi"
) -> Iterator[Shop]:
    """A web server with its files in `folder`, ready to answer; gone after the block."""
    port, log = free_port(), folder / "web.log"
    env = shop_environment(folder, database_url=database_url, SITE_URL=f"http://127.0.0.1:{port}")
    with started(web_command(port, application=application), env=env, log=log):
        eventually(lambda: is_up(port), what="the web server answers", log=log)
        yield Shop(port, log, env)
