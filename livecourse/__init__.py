"""Wires the apps together: settings, addresses, background jobs."""

import analytics.methods  # noqa: F401 - sets up numpy before anything loads it
from livecourse.celery import app as celery_app

__all__ = ["celery_app"]
