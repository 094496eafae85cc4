"""The WSGI entry point: pages, admin and API."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "livecourse.settings")

application = get_wsgi_application()
