"""What a load balancer hears."""

from __future__ import annotations

import pytest
from celery import Celery
from django.core.cache.backends.redis import RedisCache
from django.db import connections
from django.test import override_settings

from livecourse import health
from tests.servers import free_port

pytestmark = pytest.mark.django_db


@pytest.fixture
def nowhere() -> str:
    """An address of this machine at which nobody listens."""
    return f"redis://127.0.0.1:{free_port()}/0"


def test_healthz_answers_without_asking_anything(client, django_assert_num_queries) -> None:
    with django_assert_num_queries(0):
        response = client.get("/healthz")

    assert (response.status_code, response.content) == (200, b"ok")
    assert "no-store" in response["Cache-Control"]


def test_readyz_names_every_part_that_answers(client) -> None:
    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.json() == {"database": "ok", "broker": "ok", "cache": "ok"}


def test_readyz_says_when_the_broker_is_down(client, monkeypatch, nowhere) -> None:
    monkeypatch.setattr(health, "celery_app", Celery(broker=nowhere))

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json() == {"database": "ok", "broker": "unreachable", "cache": "ok"}


def test_readyz_says_when_the_cache_is_down(client, monkeypatch, nowhere) -> None:
    monkeypatch.setattr(health, "cache", RedisCache(nowhere, {}))

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json()["cache"] == "unreachable"


def test_readyz_says_when_the_cache_forgets(client, monkeypatch) -> None:
    backend = "django.core.cache.backends.dummy.DummyCache"
    with override_settings(CACHES={"default": {"BACKEND": backend}}):
        assert client.get("/readyz").json()["cache"] == "unreachable"


def test_readyz_says_when_the_database_is_down_and_tells_nobody_why(client, monkeypatch) -> None:
    lost = connections["default"].copy("lost")
    lost.settings_dict = {**lost.settings_dict, "NAME": "/secret-host/nowhere/db.sqlite3"}
    monkeypatch.setattr(health, "connection", lost)

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json()["database"] == "unreachable"
    assert b"secret-host" not in response.content


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_is_only_read(client, path) -> None:
    assert client.post(path).status_code == 405


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_is_asked_without_tls_where_pages_are_not(client, path) -> None:
    with override_settings(SECURE_SSL_REDIRECT=True):
        assert client.get(path).status_code == 200
        assert client.get("/courses/").status_code == 301
