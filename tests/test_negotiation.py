"""The form of an answer is what was asked for, also when others asked before."""

from __future__ import annotations

import pytest
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import JSONRenderer, StaticHTMLRenderer
from rest_framework.request import Request
from rest_framework.test import APIClient, APIRequestFactory

from livecourse.negotiation import MOST_HEADERS, RememberedNegotiation

JSON, HTML = JSONRenderer(), StaticHTMLRenderer()


@pytest.fixture
def negotiation(monkeypatch) -> RememberedNegotiation:
    monkeypatch.setattr(RememberedNegotiation, "_chosen", {})
    return RememberedNegotiation()


def asked(accept: str | None, query: str = "") -> Request:
    headers = {} if accept is None else {"Accept": accept}
    return Request(APIRequestFactory().get(f"/{query}", headers=headers))


@pytest.mark.parametrize(
    "accept",
    [None, "*/*", "text/html", "application/json; indent=8", "text/*;q=0.4, application/json"],
)
@pytest.mark.parametrize("renderers", [[JSON, HTML], [HTML, JSON]])
def test_it_is_the_librarys_answer_each_time(accept, renderers, negotiation) -> None:
    wanted = DefaultContentNegotiation().select_renderer(asked(accept), renderers)
    for others in (renderers[::-1], renderers, renderers):
        found = negotiation.select_renderer(asked(accept), others)
    assert found == wanted


def test_the_library_is_asked_once_for_the_same(negotiation, monkeypatch) -> None:
    first = negotiation.select_renderer(asked("text/html"), [JSON, HTML])
    monkeypatch.delattr(DefaultContentNegotiation, "select_renderer")
    # Another instance of the renderer, as each request makes its own.
    mine = StaticHTMLRenderer()
    assert negotiation.select_renderer(asked("text/html"), [JSONRenderer(), mine]) == (
        mine,
        first[1],
    )


def test_a_form_in_the_address_goes_before_what_is_remembered(negotiation) -> None:
    assert negotiation.select_renderer(asked("*/*"), [JSON, HTML])[0] is JSON
    assert negotiation.select_renderer(asked("*/*", "?format=html"), [JSON, HTML])[0] is HTML
    assert negotiation.select_renderer(asked("*/*"), [JSON, HTML], "html")[0] is HTML


def test_headers_that_somebody_makes_up_do_not_fill_the_memory(negotiation) -> None:
    for number in range(MOST_HEADERS + 2):
        negotiation.select_renderer(asked(f"application/json, text/x{number}"), [JSON])
    assert len(negotiation._chosen) <= MOST_HEADERS


@pytest.mark.django_db
def test_what_cannot_be_given_is_refused_every_time() -> None:
    client = APIClient()
    for _ in range(2):
        assert client.get("/api/v1/courses/", headers={"Accept": "text/html"}).status_code == 406
    assert client.get("/api/v1/courses/", headers={"Accept": "*/*"}).status_code == 200
