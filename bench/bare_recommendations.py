"""A site of one DRF view that answers stored bytes to whoever has a token: no more than that.

The folder BARE_BODIES holds one file per person, named by their id. With BARE_MIDDLEWARE the
request passes what every request of the platform passes.
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

from accounts.tokens import TokenAuthentication  # noqa: E402 once there are models

BODIES = {int(file.name): file.read_bytes() for file in Path(os.environ["BARE_BODIES"]).iterdir()}


class BareView(APIView):
    authentication_classes = (TokenAuthentication,)
    throttle_classes = ()

    def get(self, request: Request) -> HttpResponse:
        body = BODIES[request.user.pk or 0]
        length = {"Content-Length": str(len(body))}
        return HttpResponse(body, content_type="application/json", headers=length)


def is_up(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


urlpatterns = [path("api/v1/recommendations/", BareView.as_view()), path("healthz", is_up)]
