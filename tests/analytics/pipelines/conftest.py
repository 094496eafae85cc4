"""Locks as other processes hold them, and real parallel workers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import connection


@pytest.fixture
def held_elsewhere() -> Callable:
    """An `only_one` whose lock another process holds."""

    @contextmanager
    def refused(name: str) -> Iterator[bool]:
        yield False

    return refused


@pytest.fixture
def free_for_all() -> Callable:
    """An `only_one` that lets everybody in, to see what holds without it."""

    @contextmanager
    def allowed(name: str) -> Iterator[bool]:
        yield True

    return allowed


def together(work: Callable[[], object], *, n_workers: int = 4) -> list[BaseException | None]:
    """Do the work in threads with a connection each, all at once; what each of them raised."""
    start = threading.Barrier(n_workers)
    raised: list[BaseException | None] = [None] * n_workers

    def worker(number: int) -> None:
        try:
            start.wait(timeout=30)
            work()
        except BaseException as error:  # noqa: BLE001 handed to the test as it is
            raised[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=worker, args=(n,)) for n in range(n_workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return raised


@pytest.fixture
def in_parallel() -> Callable:
    return together
