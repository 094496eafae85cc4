"""While the database is away, pages and the API say when to come back, and nothing else."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, InterfaceError, OperationalError
from django.http import HttpRequest
from django.test import Client, override_settings
from django.urls import path
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from livecourse import urls

ROOT = Path(__file__).resolve().parents[2]
ERRORS: dict[str, Exception] = {
    "2002": OperationalError(2002, "Can't connect to server on secret-host"),
    "2003": OperationalError(2003, "Can't connect to server on secret-host"),
    "2006": OperationalError(2006, "Server has gone away"),
    "2013": OperationalError(2013, "Lost connection to server during query"),
    "interface": InterfaceError(0, ""),
    "deadlock": OperationalError(1213, "Deadlock found"),
    "no_table": OperationalError("no such table: catalog_course"),
    "empty": OperationalError(),
    "integrity": IntegrityError(1062, "Duplicate entry"),
    "other": ConnectionRefusedError(2003, "refused"),
}
AWAY = ["2002", "2003", "2006", "2013", "interface"]
FAULTS = sorted(ERRORS.keys() - set(AWAY))


def failing_page(request: HttpRequest, name: str) -> None:
    raise ERRORS[name]


class FailingApiView(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = ()

    def get(self, request: Request, name: str) -> None:
        raise ERRORS[name]


handler500 = urls.handler500
urlpatterns = [
    path("page/<name>/", failing_page),
    path("api/v1/view/<name>/", FailingApiView.as_view()),
    # As from a middleware: nothing of the API handles it.
    path("api/v1/outside/<name>/", failing_page),
    *urls.urlpatterns,
]


@pytest.fixture
def client() -> Iterator[Client]:
    with override_settings(ROOT_URLCONF=__name__):
        yield Client(raise_request_exception=False, headers={"accept-language": "en"})


def assert_says_when_to_come_back(answer: dict[str, Any]) -> None:
    assert (answer["status"], answer["retry_after"]) == (503, "5")
    assert "secret" not in answer["body"] and "127.0.0.1" not in answer["body"]
    if answer["path"].startswith("/api/"):
        (error,) = json.loads(answer["body"])["errors"]
        assert (error["code"], error["attr"]) == ("database_unavailable", None)
        assert json.loads(answer["body"])["type"] == "server_error"
    else:
        assert answer["body"].startswith("<!doctype html>")
        assert '<p class="error-page__code">503</p>' in answer["body"]


def asked(client: Client, path: str, method: str = "GET") -> dict[str, Any]:
    response = client.generic(method, path, b"{}", content_type="application/json")
    return {
        "path": path,
        "status": response.status_code,
        "retry_after": response.headers.get("Retry-After"),
        "body": response.content.decode(),
    }


PLACES = pytest.mark.parametrize("place", ["page", "api/v1/view", "api/v1/outside"])


# Not marked for a database: a query of the answer itself would fail the test.
@PLACES
@pytest.mark.parametrize("name", AWAY)
def test_a_lost_connection_is_told_as_such(client, name, place) -> None:
    assert_says_when_to_come_back(asked(client, f"/{place}/{name}/"))


@PLACES
@pytest.mark.parametrize("name", FAULTS)
def test_any_other_error_is_a_fault(client, name, place) -> None:
    answer = asked(client, f"/{place}/{name}/")

    assert (answer["status"], answer["retry_after"]) == (500, None)


@PLACES
def test_in_the_debug_mode_the_error_itself_is_shown(client, place) -> None:
    with override_settings(DEBUG=True):
        answer = asked(client, f"/{place}/2006/")

    assert (answer["status"], answer["retry_after"]) == (500, None)
    assert "Server has gone away" in answer["body"]


# Run with settings whose database is a port on which nobody listens.
ASK_EVERYTHING = """
import json, django
django.setup()
from django.test import Client
from tests.faults.test_database_away import asked
client = Client(raise_request_exception=False, headers={"host": "localhost"})
client.cookies["sessionid"] = "a" * 32
paths = json.loads(input())
print(json.dumps([asked(client, path, method) for method, path in paths]))
"""


def test_without_a_database_every_page_and_the_api_say_when_to_come_back() -> None:
    paths = [
        ("GET", "/"),
        ("GET", "/courses/"),
        ("GET", "/account/login/"),
        ("GET", "/orders/"),
        ("GET", "/admin/"),
        ("GET", "/api/v1/courses/"),
        ("GET", "/api/v1/me/"),
        ("POST", "/api/v1/orders/"),
        ("POST", "/api/v1/events/"),
    ]
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"mysql://secret:secret@127.0.0.1:{nobody.getsockname()[1]}/secret"
        done = subprocess.run(
            [sys.executable, "-c", ASK_EVERYTHING],
            cwd=ROOT,
            env={
                **os.environ,
                "DATABASE_URL": address,
                "DJANGO_SETTINGS_MODULE": "tests.settings",
            },
            input=json.dumps(paths),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout.splitlines()[-1])
    assert [answer["path"] for answer in answers] == [path for _method, path in paths]
    for answer in answers:
        assert_says_when_to_come_back(answer)
