"""A site of one DRF view that answers stored bytes to whoever has a token: no more than that.

The folder BARE_BODIES holds one file per person, named by their id. Middleware is that of a new
project and the check of a token the library's own, as both come; with BARE_MIDDLEWARE (see
`bare_settings`) it is another, and the check of a token the platform's, which costs less.
"""

from __future__ import annotations

import os
from pathlib import Path

from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path
from rest_framework.request import Request

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.bare_settings")
application = get_wsgi_application()

from rest_framework.views import APIView  # noqa: E402 once there are settings
from rest_framework_simplejwt.authentication import JWTAuthentication  # noqa: E402

from accounts.tokens import TokenAuthentication  # noqa: E402 once there are models

BODIES = {int(file.name): file.read_bytes() for file in Path(os.environ["BARE_BODIES"]).iterdir()}


class BareView(APIView):
    authentication_classes = (
        TokenAuthentication if "BARE_MIDDLEWARE" in os.environ else JWTAuthentication,
    )
    throttle_classes = ()

    def get(self, request: Request) -> HttpResponse:
        body = BODIES[request.user.pk or 0]
        length = {"Content-Length": str(len(body))}
        return HttpResponse(body, content_type="application/json", headers=length)


def is_up(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


urlpatterns = [path("api/v1/recommendations/", BareView.as_view()), path("healthz", is_up)]
