"""What was derived about people, and what is recommended to them: operators only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from accounts.seller_admin import Label, RuledModelAdmin, admin_link
from analytics.known_profile import KnownProfile, known_profile
from analytics.methods.derived_profile import HOURS, PRICE
from analytics.methods.rates import Rate
from analytics.models import Profile, Stage
from analytics.profile_words import ANSWER_LABELS, BAND_LABELS, PART_LABELS, hour_text
from analytics.rate_text import hours_text, rate_text
from catalog.models import Category
from catalog.templatetags.catalog_pages import sum_of_money

STAGE_COLOURS = {
    Stage.NEWCOMER: "info",
    Stage.ACTIVE: "success",
    Stage.SLIPPING: "warning",
    Stage.GONE: "default",
}


def html_table(headings: Sequence[Any], rows: Iterable[Sequence[Any]], nothing: str) -> str:
    """A small table for a read-only field, or `nothing` without rows; every cell is escaped."""
    cells = [format_html_join("", "<td>{}</td>", [(cell,) for cell in row]) for row in rows]
    if not cells:
        return nothing
    return format_html(
        '<div class="lc-scroll"><table class="lc-table"><thead><tr>{}</tr></thead>'
        "<tbody>{}</tbody></table></div>",
        format_html_join("", '<th scope="col">{}</th>', [(heading,) for heading in headings]),
        format_html_join("", "<tr>{}</tr>", [(row,) for row in cells]),
    )


@admin.register(Profile)
class ProfileAdmin(RuledModelAdmin):
    list_display = [
        "user", "stage_label", "n_events", "band", "last_active_at", "version", "built_at",
    ]  # fmt: skip
    list_select_related = ["user"]
    list_filter = [("stage", ChoicesDropdownFilter)]
    search_fields = ["user__email", "user__display_name"]
    ordering = ["-last_active_at", "-pk"]
    fieldsets = [
        (
            None,
            {"fields": ["user_link", ("stage_label", "band"), ("n_events", "last_active_at")]},
        ),
        (
            gettext_lazy("Derived from what they did"),
            {"fields": ["fields_of_interest", "hours", "price_sensitivity", "in_live_rooms"]},
        ),
        (gettext_lazy("What they said of it"), {"fields": ["corrections"]}),
        (gettext_lazy("Build"), {"fields": [("version", "built_at", "run_link")]}),
    ]
    readonly_fields = [
        "user_link", "stage_label", "band", "fields_of_interest", "hours", "price_sensitivity",
        "in_live_rooms", "corrections", "run_link",
    ]  # fmt: skip

    @display(description=gettext_lazy("viewer"))
    def user_link(self, profile: Profile) -> str:
        return admin_link(profile.user)

    @display(description=gettext_lazy("stage"), ordering="stage", label=STAGE_COLOURS)
    def stage_label(self, profile: Profile) -> Label:
        return Label(profile.stage, profile.get_stage_display() or _("not known"))

    @display(description=gettext_lazy("price band"), ordering="price_band")
    def band(self, profile: Profile) -> str:
        return str(BAND_LABELS.get(profile.price_band, _("not known")))

    @display(description=gettext_lazy("price sensitivity"))
    def price_sensitivity(self, profile: Profile) -> str:
        price = profile.price
        if not price.get("n_purchases"):
            return _("not known")
        reduced = rate_text(
            Rate(price["n_discounted"], price["n_known"]), nobody=_("no list price is known")
        )
        return html_table(
            [_("figure"), _("value")],
            [
                (_("purchases"), price["n_purchases"]),
                (_("mean price"), sum_of_money(Decimal(price["mean"]), price["currency"])),
                (_("below the list price"), reduced),
            ],
            "",
        )

    @display(description=gettext_lazy("switched off or put right"))
    def corrections(self, profile: Profile) -> str:
        return html_table(
            [_("part"), _("they said")],
            list(_said(known_profile(profile.user))),
            _("nothing: all of it is as derived"),
        )

    @display(description=gettext_lazy("interests"))
    def fields_of_interest(self, profile: Profile) -> str:
        names = Category.objects.in_bulk([one["category"] for one in profile.interests])
        return html_table(
            [_("field"), _("share of all"), _("events")],
            [
                (
                    names[one["category"]].name,
                    f"{one['weight'] * 100:.1f}%",
                    one["n_events"] or _("chosen by the person"),
                )
                for one in profile.interests
                if one["category"] in names
            ],
            _("no interest is known yet"),
        )

    @display(description=gettext_lazy("favourite hours"))
    def hours(self, profile: Profile) -> str:
        return html_table(
            [_("hour"), _("events")],
            [(f"{one['hour']}:00", one["n_events"]) for one in profile.favourite_hours],
            _("no hour is known yet"),
        )

    @display(description=gettext_lazy("in live rooms"))
    def in_live_rooms(self, profile: Profile) -> str:
        did = profile.engagement
        if not did.get("n_sessions"):
            return _("was in no live session yet")
        return html_table(
            [_("figure"), _("value")],
            [
                (_("live sessions"), did["n_sessions"]),
                (_("watched"), hours_text(did.get("watched_seconds", 0))),
                (_("chat lines"), did.get("n_chats", 0)),
                (_("likes"), did.get("n_likes", 0)),
                (_("shares"), did.get("n_shares", 0)),
            ],
            "",
        )

    @display(description=gettext_lazy("model run"))
    def run_link(self, profile: Profile) -> str:
        return admin_link(profile.run)


def _said(known: KnownProfile) -> Iterator[tuple[str, str]]:
    """What the person said of each part, in words."""
    for part, label in PART_LABELS.items():
        if part in known.off:
            yield str(label), _("switched off")
    if known.said.hours and HOURS not in known.off:
        yield str(PART_LABELS[HOURS]), ", ".join(map(hour_text, known.said.hours))
    if known.said.band and PRICE not in known.off:
        yield str(PART_LABELS[PRICE]), str(BAND_LABELS[known.said.band])
    for one in known.fields:
        if one.answer:
            yield one.category.name, str(ANSWER_LABELS[one.answer])
    for category in known.fields_off:
        yield category.name, _("switched off")
