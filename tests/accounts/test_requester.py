"""From where somebody asks, directly and through proxies, and who is kept out by it."""

from __future__ import annotations

import pytest
from axes.models import AccessLog
from django.http import HttpRequest
from django.test import RequestFactory
from django.urls import reverse
from rest_framework.request import Request

from accounts.requester import address_of
from tests.factories import PASSWORD, UserFactory


def asked(told: str = "", *, by: str = "127.0.0.1") -> HttpRequest:
    more = {"HTTP_X_FORWARDED_FOR": told} if told else {}
    return RequestFactory().get("/", REMOTE_ADDR=by, **more)


@pytest.mark.parametrize(
    ("n_proxies", "told", "address"),
    [
        (0, "", "127.0.0.1"),
        (0, "203.0.113.7", "127.0.0.1"),
        (1, "203.0.113.7", "203.0.113.7"),
        (1, "6.6.6.6, 203.0.113.7", "203.0.113.7"),
        (2, "6.6.6.6, 203.0.113.7,10.0.0.3", "203.0.113.7"),
        (2, "203.0.113.7", "203.0.113.7"),
        (1, "2001:DB8::0:7", "2001:db8::7"),
        (1, "", "127.0.0.1"),
        (1, " , ", "127.0.0.1"),
        (1, "unknown", None),
        (1, "203.0.113.7' OR 1=1", None),
    ],
)
def test_the_address_is_what_the_farthest_trusted_proxy_saw(
    settings, n_proxies, told, address
) -> None:
    settings.N_PROXIES = n_proxies

    assert address_of(asked(told)) == address
    assert address_of(Request(asked(told))) == address


def test_behind_a_socket_without_a_proxy_there_is_none() -> None:
    assert address_of(asked(by="")) is None


@pytest.mark.django_db
class TestBehindAProxy:
    def sign_in(self, client, password: str, *, told: str):
        body = {"login": "ann@example.com", "password": password}
        return client.post(reverse("account_login"), body, headers={"x-forwarded-for": told})

    @pytest.fixture(autouse=True)
    def one_proxy(self, settings) -> None:
        settings.N_PROXIES = 1
        settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
        UserFactory(email="ann@example.com")

    def test_who_guesses_locks_nobody_out_who_comes_from_elsewhere(self, client) -> None:
        for _ in range(6):
            last = self.sign_in(client, "wrong", told="198.51.100.9")

        assert last.status_code == 429
        assert self.sign_in(client, PASSWORD, told="203.0.113.7").status_code == 302

    def test_who_makes_up_addresses_is_locked_out_all_the_same(self, client) -> None:
        for n in range(6):
            last = self.sign_in(client, "wrong", told=f"10.0.0.{n}, 198.51.100.9")

        assert last.status_code == 429

    def test_the_log_of_sign_ins_names_the_client(self, client) -> None:
        self.sign_in(client, PASSWORD, told="203.0.113.7")

        assert AccessLog.objects.get().ip_address == "203.0.113.7"
