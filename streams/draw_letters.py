"""What the winner of a lucky draw is told by e-mail."""

from __future__ import annotations

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.outbox import WrittenLetter
from streams.models import DrawEntry


def write_won(entry_id: int) -> WrittenLetter | None:
    """What was won, with which ticket, and where it can be checked; None when it was not."""
    entries = DrawEntry.objects.select_related("draw__live_session__seller", "entrant")
    entry = entries.filter(pk=entry_id, place__isnull=False).first()
    if entry is None:
        return None
    draw = entry.draw
    address = reverse("streams:draw", args=[draw.live_session_id, draw.pk])
    context = {
        "entry": entry,
        "draw": draw,
        "session": draw.live_session,
        "draw_url": settings.SITE_URL + address,
    }
    return WrittenLetter(
        subject=_("You have won: %(prize)s") % {"prize": draw.prize},
        text=render_to_string("streams/letters/draw_won.txt", context),
        html=render_to_string("streams/letters/draw_won.html", context),
    )
