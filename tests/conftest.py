"""Which tests run on which database, and servers that several tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.core.cache import cache

from analytics import (
    exposure,
    outlines,
    rendered_cards,
    served_recommender,
    serving,
    shop_window,
)
from livecourse import request_rates
from streams.polled_rooms import forget_polled_rooms
from tests import servers

# With LIVECOURSE_LONG_TESTS=1 rushes have more rounds, faults more kills, and so on: minutes more.
IS_LONG = os.environ.get("LIVECOURSE_LONG_TESTS") == "1"
SLOW_FOLDERS = ("operation", "browser", "concurrency", "faults")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On SQLite all but what is for MariaDB alone; on MariaDB what is marked for it.

    The rest is deselected, not skipped: the other run of `make test` has it.
    """
    on_mariadb = "mysql" in settings.DATABASES["default"]["ENGINE"]
    kept, left = [], []
    for item in items:
        mark = item.get_closest_marker("mariadb")
        is_wanted = mark is not None if on_mariadb else not (mark and mark.kwargs.get("only"))
        (kept if is_wanted else left).append(item)
    # Files go to the two processes in this order: those that wait for servers and browsers first,
    # so that neither process is left alone with one of them at the end.
    items[:] = sorted(kept, key=lambda item: item.path.parent.name not in SLOW_FOLDERS)
    config.hook.pytest_deselected(items=left)


def missing(reason: str) -> None:
    """Skip by name on a developer's machine; in CI, where everything is there, fail."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The address of a Redis server that ends with the tests."""
    try:
        with servers.redis() as url:
            yield url
    except servers.ServerMissing as error:
        missing(str(error))


@pytest.fixture(scope="session")
def datasets() -> Path:
    """The folder of real data, which lies beside the repository and is never part of it."""
    beside = Path(__file__).resolve().parent.parent.parent / "shared" / "datasets"
    folder = Path(os.environ.get("LIVECOURSE_DATASETS", beside))
    if not folder.is_dir():
        missing(f"no real data at {folder}: set LIVECOURSE_DATASETS")
    return folder


@pytest.fixture(autouse=True)
def empty_cache() -> None:
    """Throttles count in the cache; one test's requests are not the next one's."""
    cache.clear()
    request_rates.forget()


@pytest.fixture(autouse=True)
def nothing_held() -> None:
    """Models, what is on sale and counts of lists that a process holds are of one test."""
    served_recommender.forget()
    shop_window.forget()
    outlines.forget()
    rendered_cards.forget()
    serving.forget()
    exposure.forget()


@pytest.fixture(autouse=True)
def empty_rooms() -> Iterator[None]:
    """Nobody who was in a live room during one test is in a room of the next."""
    yield
    forget_polled_rooms()
