"""Real web servers on the database of the tests, which both sides see."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection

from tests.concurrency.referee import Ask
from tests.concurrency.shop import Shop, open_shop, url_of_test_database


@pytest.fixture(scope="package")
def shop(django_db_setup, tmp_path_factory) -> Iterator[Shop]:
    """The platform's web server, as operators run it."""
    folder = tmp_path_factory.mktemp("shop")
    with open_shop(folder, database_url=url_of_test_database()) as running:
        yield running


@pytest.fixture(scope="package")
def unguarded_shop(django_db_setup, tmp_path_factory) -> Iterator[Shop]:
    """The same without its guards."""
    folder = tmp_path_factory.mktemp("unguarded")
    application = "tests.concurrency.unguarded"
    with open_shop(folder, database_url=url_of_test_database(), application=application) as running:
        yield running


@pytest.fixture
def ask() -> Ask:
    """How the referee asks the database of the tests."""

    def rows(question: str) -> list[tuple]:
        with connection.cursor() as cursor:
            cursor.execute(question)
            return list(cursor.fetchall())

    return rows
