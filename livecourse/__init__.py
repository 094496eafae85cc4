"""Wires the apps together: settings, addresses, background jobs."""

from livecourse.celery import app as celery_app

__all__ = ["celery_app"]
