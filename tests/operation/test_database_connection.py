"""A kept connection is asked whether it lives, but not at every turn of a rush."""

from __future__ import annotations

import pytest
from django.db import connections
from django.db.backends.mysql import base as django_mysql

from accounts.models import User
from livecourse.mysql.base import ASK_AFTER_SECONDS

pytestmark = [pytest.mark.mariadb(only=True), pytest.mark.django_db]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """One entry for each time the server was asked; begins with a connection nobody asked yet."""
    seen: list[bool] = []
    ask = django_mysql.DatabaseWrapper.is_usable

    def note(self: django_mysql.DatabaseWrapper) -> bool:
        seen.append(ask(self))
        return seen[-1]

    monkeypatch.setattr(django_mysql.DatabaseWrapper, "is_usable", note)

    connection = connections["default"]
    monkeypatch.setattr(connection, "asked_at", float("-inf"))
    monkeypatch.setattr(connection, "health_check_enabled", True)
    return seen


def new_request() -> None:
    connections["default"].health_check_done = False
    User.objects.exists()


def test_requests_close_together_ask_once(asked) -> None:
    for _ in range(5):
        new_request()

    assert asked == [True]


def test_after_a_rest_it_is_asked_again(asked, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = connections["default"]
    new_request()
    assert connection.asked_at > 0
    monkeypatch.setattr(connection, "asked_at", connection.asked_at - ASK_AFTER_SECONDS)

    new_request()

    assert asked == [True, True]
