from __future__ import annotations

import multiprocessing
import threading
from pathlib import Path

import pytest
from django.db import connection

from analytics.pipelines.locks import only_one


def test_a_second_holder_is_refused_at_once_and_the_first_one_frees_it(settings) -> None:
    with only_one("profiles") as first, only_one("profiles") as second, only_one("other") as third:
        assert (first, second, third) == (True, False, True)
    with only_one("profiles") as again:
        assert again


def test_an_error_frees_the_lock() -> None:
    with pytest.raises(ZeroDivisionError), only_one("profiles"):
        _ = 1 / 0
    with only_one("profiles") as again:
        assert again


def _hold_and_die(folder: str, held: object) -> None:
    from django.conf import settings

    settings.VAR_DIR = Path(folder)
    lock = only_one("profiles")
    lock.__enter__()
    held.set()
    # Killed from outside while it holds the lock.
    threading.Event().wait(60)


def test_a_killed_process_leaves_no_lock_behind(settings, tmp_path: Path) -> None:
    settings.VAR_DIR = tmp_path
    context = multiprocessing.get_context("fork")
    held = context.Event()
    process = context.Process(target=_hold_and_die, args=(str(tmp_path), held))
    process.start()
    assert held.wait(30)
    with only_one("profiles") as while_it_lives:
        assert not while_it_lives
    process.kill()
    process.join(30)
    with only_one("profiles") as afterwards:
        assert afterwards


@pytest.mark.mariadb(only=True)
@pytest.mark.django_db(transaction=True)
def test_on_mariadb_another_connection_is_refused_until_the_lock_ends(in_parallel) -> None:
    seen = []

    def ask() -> None:
        with only_one("profiles") as is_held:
            seen.append(is_held)

    with only_one("profiles") as is_held:
        assert is_held
        assert in_parallel(ask) == [None] * 4
        assert seen == [False] * 4
    in_parallel(ask, n_workers=1)
    assert seen[-1]


@pytest.mark.mariadb(only=True)
@pytest.mark.django_db(transaction=True)
def test_on_mariadb_a_lost_connection_frees_the_lock(in_parallel) -> None:
    def die_with_the_lock() -> None:
        only_one("profiles").__enter__()
        connection.close()

    in_parallel(die_with_the_lock, n_workers=1)
    with only_one("profiles") as is_held:
        assert is_held
