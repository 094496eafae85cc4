"""The clock's way to live sessions: what is due in them."""

from __future__ import annotations

from celery import shared_task
from django.db import OperationalError
from django.utils import timezone

from streams.broadcast import end_silent_sessions
from streams.chat_retention import forget_old_chats
from streams.draws import draw_due
from streams.reminders import send_due_reminders
from streams.replays import publish_due_replays
from streams.stream_rates import note_stream_rates

# A database that restarts is back within seconds; anything else waits for the next round.
RETRYING = {"autoretry_for": (OperationalError,), "retry_backoff": 2, "max_retries": 3}


@shared_task(name="streams.send_reminders", **RETRYING)
def send_reminders() -> None:
    send_due_reminders(moment=timezone.now())


@shared_task(name="streams.forget_old_chats", **RETRYING)
def forget_chats() -> None:
    forget_old_chats(moment=timezone.now())


@shared_task(name="streams.draw_due", **RETRYING)
def pick_winners() -> None:
    draw_due(moment=timezone.now())


@shared_task(name="streams.end_silent_sessions", **RETRYING)
def follow_streams() -> None:
    note_stream_rates()
    end_silent_sessions(moment=timezone.now())
    publish_due_replays(moment=timezone.now())
