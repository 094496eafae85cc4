"""The Celery application: its settings are those of Django that begin with CELERY_."""

from __future__ import annotations

import os
import sys

from celery import Celery
from celery.signals import worker_process_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "livecourse.settings")

app = Celery("livecourse")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@app.task(name="livecourse.tidy_broker")
def tidy_broker() -> int:
    """Delete the messages of the embedded broker that a worker has taken; returns how many.

    Kombu's SQLAlchemy transport marks them as taken and keeps the rows for ever. It never looks
    at them again, since what goes back to the queue becomes a new row. Other brokers keep none.
    """
    with app.connection_for_write() as connection:
        if connection.transport.driver_type != "sql":
            return 0
        channel = connection.default_channel
        message = channel.message_cls
        n_taken = channel.session.query(message).filter(message.visible.is_(False)).delete()
        channel.session.commit()
        return int(n_taken)


@worker_process_init.connect
def leave_inherited_connections(**_: object) -> None:
    """Open the embedded broker anew in each child: SQLite allows no connection across a fork."""
    embedded = sys.modules.get("kombu.transport.sqlalchemy")
    if embedded is not None:
        for engine, _session in embedded.Channel._engines.values():
            engine.dispose(close=False)
        embedded.Channel._engines.clear()
