"""One worker at a time per task, with locks that a crash releases by itself."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connection


@contextmanager
def only_one(name: str) -> Iterator[bool]:
    """Hold the lock `name` for the block; yields False, at once, when somebody else holds it.

    On MySQL and MariaDB it is a named lock of the server, which ends with the connection;
    on SQLite, where all processes share a machine, a lock on a file, which ends with the
    process. Neither holds a transaction open.
    """
    if connection.vendor == "mysql":
        with _server_lock(f"{connection.settings_dict['NAME']}.{name}") as is_held:
            yield is_held
    else:
        with _file_lock(name) as is_held:
            yield is_held


@contextmanager
def _server_lock(name: str) -> Iterator[bool]:
    # Longer names are refused by MySQL.
    name = name[-64:]
    with connection.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, 0)", [name])
        is_held = cursor.fetchone()[0] == 1
        try:
            yield is_held
        finally:
            if is_held:
                cursor.execute("SELECT RELEASE_LOCK(%s)", [name])


@contextmanager
def _file_lock(name: str) -> Iterator[bool]:
    folder = settings.VAR_DIR / "locks"
    folder.mkdir(exist_ok=True)
    with (folder / name).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
