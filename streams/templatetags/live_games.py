"""What pages show of polls and lucky draws."""

from __future__ import annotations

from dataclasses import dataclass

from django import template
from django.utils import timezone

from streams import draws, polls
from streams.game_forms import DrawForm, PollForm
from streams.models import Draw, DrawEntry, LiveSession

register = template.Library()


@dataclass(frozen=True)
class Games:
    """What a session asks and draws, and the forms for the next; `poll` as the room shows it."""

    poll: polls.PollPart | None
    draw: Draw | None
    n_entries: int
    winners: list[DrawEntry]
    is_draw_open: bool
    poll_form: PollForm
    draw_form: DrawForm


@register.simple_tag(takes_context=True)
def games_of(context: template.Context, session: LiveSession) -> Games:
    """The newest poll and draw of the session; forms that were refused stand in the context."""
    draw = draws.newest_draw(session.pk)
    return Games(
        poll=polls.poll_part(session.pk),
        draw=draw,
        n_entries=draw.entries.count() if draw else 0,
        winners=draws.winners_of(draw) if draw else [],
        is_draw_open=draw is not None and draw.closes_at > timezone.now(),
        poll_form=context.get("poll_form") or PollForm(),
        draw_form=context.get("draw_form") or DrawForm(),
    )


@register.filter
def share_of(n: int, total: int) -> int:
    """How many per cent; none of nothing."""
    return round(100 * n / total) if total else 0
