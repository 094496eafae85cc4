"""What the platform knows of the viewer of a page, for their own account page."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import template
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from analytics.forms import AddFieldForm, BandForm, HoursForm
from analytics.known_profile import KnownProfile, known_profile
from analytics.methods.rates import Rate
from analytics.profile_words import BAND_LABELS, STAGE_SENTENCES, hour_text
from analytics.rate_text import hours_text, rate_text
from catalog.templatetags.catalog_pages import sum_of_money

register = template.Library()
# The ids of the account page's other forms stay theirs.
_OWN_IDS = "known_%s"


@register.inclusion_tag("analytics/account/profile_panel.html", takes_context=True)
def profile_panel(context: template.Context) -> dict[str, Any]:
    """The panel "What we know of you", with controls to correct or switch off each value."""
    request = context["request"]
    known = known_profile(request.user)
    shown = {one.category.pk for one in known.fields}
    hours = [one["hour"] for one in known.hours]
    return {
        "request": request,
        "csrf_token": context.get("csrf_token"),
        "known": known,
        "off": known.off,
        "price": _price_shown(known),
        "stage_sentence": STAGE_SENTENCES.get(known.stage),  # type: ignore[call-overload]
        "live": _live_shown(known),
        "hours_form": HoursForm(initial={"hours": hours}, auto_id=_OWN_IDS),
        "band_form": BandForm(initial={"band": known.price.get("band")}, auto_id=_OWN_IDS),
        "add_form": AddFieldForm(without=shown, auto_id=_OWN_IDS),
    }


def _price_shown(known: KnownProfile) -> dict[str, Any]:
    price = known.price
    if not price:
        return {}
    n_known = price.get("n_known", 0)
    reduced = rate_text(Rate(price.get("n_discounted", 0), n_known)) if n_known else ""
    mean = price.get("mean")
    return {
        "band": BAND_LABELS.get(price.get("band", ""), ""),
        "mean": sum_of_money(Decimal(mean), price["currency"]) if mean else "",
        "n_purchases": price.get("n_purchases", 0),
        "reduced": reduced,
    }


def _live_shown(known: KnownProfile) -> list[tuple[str, str]]:
    did = known.engagement
    if not did.get("n_sessions"):
        return []
    return [
        (_("live sessions"), str(did["n_sessions"])),
        (_("watched"), hours_text(did.get("watched_seconds", 0))),
        (_("chat lines"), str(did.get("n_chats", 0))),
        (_("likes"), str(did.get("n_likes", 0))),
        (_("shares"), str(did.get("n_shares", 0))),
    ]


@register.filter
def hour_of_day(hour: int) -> str:
    return hour_text(hour)


@register.filter
def percent(share: float) -> str:
    """0.4567 is 46%; what is there but rounds to nothing is <1%."""
    return "<1%" if 0 < share < 0.005 else f"{share * 100:.0f}%"


@register.filter
def from_events(n: int) -> str:
    """The number of events behind a value, in words."""
    return ngettext("from %(n)d thing you did", "from %(n)d things you did", n) % {"n": n}
