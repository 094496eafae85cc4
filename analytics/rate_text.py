"""Rates as people read them: never without their two counts."""

from __future__ import annotations

from django.utils.translation import gettext as _

from analytics.methods.rates import Rate


def rate_text(rate: Rate | None, *, nobody: str | None = None) -> str:
    """The rate with its counts, or `nobody` ("no viewers yet") where there is nothing to count.

    None, a rate that was not recorded well enough to be one, is a dash.

    >>> rate_text(Rate(100, 1000))
    '10.0% (100 of 1000)'
    """
    if rate is None:
        return "–"
    if rate.percent is None:
        return _("no viewers yet") if nobody is None else nobody
    return _("%(percent)s (%(part)d of %(whole)d)") % {
        "percent": rate.percent,
        "part": rate.numerator,
        "whole": rate.denominator,
    }


def share_text(share: float) -> str:
    """An expected share, which has no counts: 0.1234 is 12.3%."""
    return f"{share * 100:.1f}%"


def hours_text(seconds: int) -> str:
    """A length of time in hours and minutes: 3:05 h."""
    minutes = round(seconds / 60)
    return _("%(hours)d h %(minutes)02d min") % {"hours": minutes // 60, "minutes": minutes % 60}
