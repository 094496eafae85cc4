"""Who may read the counters, and what those of orders and refunds say."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client, override_settings
from django.utils import timezone
from prometheus_client import REGISTRY

from catalog.models import OrderStatus, RefundStatus
from tests.factories import OrderFactory, RefundFactory

pytestmark = pytest.mark.django_db


def test_a_program_on_this_machine_reads_them(client) -> None:
    response = client.get("/metrics")

    assert response.status_code == 200
    assert b"django_http_requests_total_by_method_total" in response.content


def test_each_request_counts_under_its_own_view_and_status(client) -> None:
    def counted(view: str, status: int) -> float:
        labels = {"view": view, "status": str(status), "method": "GET"}
        name = "django_http_responses_total_by_status_view_method_total"
        return REGISTRY.get_sample_value(name, labels) or 0.0

    views = (("healthz", 200), ("api:no_such_path", 404), ("healthz", 405))
    before = [counted(*view) for view in views]
    for path in ("/healthz", "/healthz", "/api/v1/nowhere/"):
        client.get(path)
    assert [counted(*view) for view in views] == [before[0] + 2, before[1] + 1, before[2]]


@pytest.mark.parametrize("address", ["203.0.113.7", "10.0.0.3", ""])
def test_another_machine_does_not(client, address) -> None:
    assert client.get("/metrics", REMOTE_ADDR=address).status_code == 403


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded"])
def test_a_proxy_on_this_machine_opens_them_to_nobody(client, header) -> None:
    assert client.get("/metrics", headers={header: "127.0.0.1"}).status_code == 403


@override_settings(METRICS_TOKEN="let-me-count")
def test_with_a_token_set_only_the_token_opens_them(client) -> None:
    def status(value: str) -> int:
        headers = {"authorization": value, "x-forwarded-for": "203.0.113.7"}
        return client.get("/metrics", headers=headers).status_code

    assert status("Bearer let-me-count") == 200
    assert status("Bearer let-me-in") == 403
    assert status("Bearer ") == 403
    # Being on the same machine is not enough any more.
    assert client.get("/metrics").status_code == 403


def test_they_are_asked_without_tls_by_a_program_on_this_machine(client) -> None:
    with override_settings(SECURE_SSL_REDIRECT=True):
        assert client.get("/metrics").status_code == 200


def gauges(client: Client, subject: str) -> dict[str, float]:
    """What is measured of the subject, by name."""
    start = f"livecourse_{subject}_"
    lines = client.get("/metrics").content.decode().splitlines()
    pairs = [line.split() for line in lines if line.startswith(start)]
    return {name.removeprefix(start): float(value) for name, value in pairs}


@pytest.mark.mariadb
def test_they_say_how_many_orders_outstay_their_time_and_for_how_long(client) -> None:
    now = timezone.now()
    for minutes in (-40, -5, 5):
        OrderFactory(
            status=OrderStatus.PENDING, paid_at=None, expires_at=now + timedelta(minutes=minutes)
        )
    for status in (OrderStatus.EXPIRED, OrderStatus.CANCELLED, OrderStatus.PAID):
        OrderFactory(status=status, expires_at=now - timedelta(days=1))

    figures = gauges(client, "orders")

    assert figures["overdue"] == 2
    assert figures["overdue_seconds"] == pytest.approx(2400, abs=60)


@pytest.mark.mariadb
def test_they_say_how_many_refunds_wait_for_how_long_and_how_many_failed(client) -> None:
    now = timezone.now()
    for hours, minutes in ((2, 30), (1, -10)):
        RefundFactory(
            requested_at=now - timedelta(hours=hours), not_before=now + timedelta(minutes=minutes)
        )
    RefundFactory(status=RefundStatus.FAILED, requested_at=now - timedelta(days=9))
    RefundFactory(status=RefundStatus.DONE, requested_at=now - timedelta(days=9))

    figures = gauges(client, "refunds")

    assert (figures["waiting"], figures["failed"]) == (2, 1)
    assert figures["oldest_seconds"] == pytest.approx(7200, abs=60)
    assert figures["overdue_seconds"] == pytest.approx(600, abs=60)


@pytest.mark.parametrize(("subject", "n"), [("orders", 2), ("refunds", 4)])
def test_with_nothing_to_tell_they_are_nought(client, subject, n) -> None:
    assert list(gauges(client, subject).values()) == [0] * n
