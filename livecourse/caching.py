"""What caches between the server and a person may keep."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

API = "/api/"


def keep_personal_answers_private(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Say of every answer to somebody known that no shared cache may keep it.

    Without a word, a proxy may decide for itself. Answers of the API, which hold tokens and
    exports, are kept by nobody; a page may be kept by the browser, for its back button. What
    says for itself how long it is good for, such as a cover, stays as it is.
    """

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        is_api = request.path.startswith(API)
        is_known = (
            "Authorization" in request.headers or settings.SESSION_COOKIE_NAME in request.COOKIES
        )
        if (is_known or (is_api and request.method != "GET")) and not response.has_header(
            "Cache-Control"
        ):
            response["Cache-Control"] = "private, no-store" if is_api else "private"
        return response

    return answer
