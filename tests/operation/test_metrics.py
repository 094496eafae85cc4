"""Who may read the counters."""

from __future__ import annotations

import pytest
from django.test import override_settings

pytestmark = pytest.mark.django_db


def test_a_program_on_this_machine_reads_them(client) -> None:
    response = client.get("/metrics")

    assert response.status_code == 200
    assert b"django_http_requests_total_by_method_total" in response.content


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
