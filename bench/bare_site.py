"""A Django project of one view that answers the bytes of a file: the least that a page costs."""

from __future__ import annotations

import os
from pathlib import Path

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

BODIES = {
    name: (Path(os.environ["BARE_BODIES"]) / name).read_bytes() for name in ("home", "courses")
}


def body(request: HttpRequest, name: str) -> HttpResponse:
    return HttpResponse(BODIES[name])


urlpatterns = [path("<slug:name>", body)]
settings.configure(
    ROOT_URLCONF="bench.bare_site", ALLOWED_HOSTS=["127.0.0.1"], SECRET_KEY="bench-only" * 5
)
application = get_wsgi_application()
