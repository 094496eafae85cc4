"""What was derived about people, and what is recommended to them: operators only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib import admin
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from accounts.seller_admin import Label, RuledModelAdmin, admin_link
from analytics.models import Profile, Stage
from analytics.rate_text import hours_text
from catalog.models import Category

STAGE_COLOURS = {
    Stage.NEWCOMER: "info",
    Stage.ACTIVE: "success",
    Stage.SLIPPING: "warning",
    Stage.GONE: "default",
}
PRICE_BANDS = {
    "free": gettext_lazy("free"),
    "low": gettext_lazy("low"),
    "middle": gettext_lazy("middle"),
    "high": gettext_lazy("high"),
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
        "user", "stage_label", "n_events", "price", "last_active_at", "version", "built_at",
    ]  # fmt: skip
    list_select_related = ["user"]
    list_filter = [("stage", ChoicesDropdownFilter)]
    search_fields = ["user__email", "user__display_name"]
    ordering = ["-last_active_at", "-pk"]
    fieldsets = [
        (
            None,
            {"fields": ["user_link", ("stage_label", "price"), ("n_events", "last_active_at")]},
        ),
        (
            gettext_lazy("Derived from what they did"),
            {"fields": ["fields_of_interest", "hours", "in_live_rooms"]},
        ),
        (gettext_lazy("Build"), {"fields": [("version", "built_at", "run_link")]}),
    ]
    readonly_fields = [
        "user_link", "stage_label", "price", "fields_of_interest", "hours", "in_live_rooms",
        "run_link",
    ]  # fmt: skip

    @display(description=gettext_lazy("viewer"))
    def user_link(self, profile: Profile) -> str:
        return admin_link(profile.user)

    @display(description=gettext_lazy("stage"), ordering="stage", label=STAGE_COLOURS)
    def stage_label(self, profile: Profile) -> Label:
        return Label(profile.stage, profile.get_stage_display() or _("not known"))

    @display(description=gettext_lazy("price band"), ordering="price_band")
    def price(self, profile: Profile) -> str:
        return str(PRICE_BANDS.get(profile.price_band, _("nothing bought yet")))

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
            [_("live sessions"), _("watched"), _("chat lines"), _("likes"), _("shares")],
            [
                (
                    did["n_sessions"],
                    hours_text(did.get("watched_seconds", 0)),
                    did.get("n_chats", 0),
                    did.get("n_likes", 0),
                    did.get("n_shares", 0),
                )
            ],
            "",
        )

    @display(description=gettext_lazy("model run"))
    def run_link(self, profile: Profile) -> str:
        return admin_link(profile.run)
