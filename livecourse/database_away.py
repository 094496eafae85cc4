"""What is answered while the database cannot be reached: come back soon, instead of a fault."""

from __future__ import annotations

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.views.defaults import server_error
from rest_framework import exceptions, status

from livecourse.caching import API

# MySQL and MariaDB: no socket, refused, gone away, lost in the middle of a query.
UNREACHABLE = frozenset({2002, 2003, 2006, 2013})


class DatabaseAway(exceptions.APIException):
    """The database cannot be reached. What it said names hosts and accounts: it is for the log."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "database_unavailable"
    # In seconds, told as Retry-After.
    wait = 5

    def __init__(self) -> None:
        super().__init__(_("The platform cannot answer just now. Please try again in a moment."))


def is_database_away(error: BaseException | None) -> bool:
    """Whether the connection to the database is lost or was refused; any other error is a fault."""
    if isinstance(error, InterfaceError):
        return True
    code = error.args[0] if isinstance(error, OperationalError) and error.args else None
    return code in UNREACHABLE


def answer_failure(request: HttpRequest) -> HttpResponse:
    """Django's handler of errors that nobody caught: 503 while the database is away, else 500.

    It is called while the error is handled, outside the debug mode alone. Here end also those
    that come from no view, such as a session that cannot be read.
    """
    if not is_database_away(sys.exception()):
        return server_error(request)
    away = DatabaseAway()
    response: HttpResponse
    if request.path.startswith(API):
        error = {"code": away.default_code, "detail": str(away.detail), "attr": None}
        response = JsonResponse({"type": "server_error", "errors": [error]})
    else:
        # Without the request, so that no context processor asks the database who this is.
        response = HttpResponse(render_to_string("503.html"))
    response.status_code = away.status_code
    response["Retry-After"] = str(away.wait)
    return response
