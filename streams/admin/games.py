"""Polls and lucky draws in the admin. How a person voted is nobody's to see."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from accounts.seller_admin import OwnedRowFilter, ReadOnlyInline, RuledModelAdmin, admin_link
from accounts.templatetags.people import public_name
from streams.draws import secret_of
from streams.models import Draw, DrawEntry, Poll, PollOption


class PollOptionInline(ReadOnlyInline):
    model = PollOption
    fields = readonly_fields = ["text", "n_votes"]
    ordering = ["position"]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).annotate(vote_count=Count("votes"))

    @display(description=gettext_lazy("votes"))
    def n_votes(self, option: PollOption) -> int:
        return option.vote_count


@admin.register(Poll)
class PollAdmin(RuledModelAdmin):
    """What was asked in live sessions, and how it was answered."""

    list_display = ["question", "live_session", "n_votes", "opened_at", "closed_at"]
    list_select_related = ["live_session"]
    list_filter = [("live_session", OwnedRowFilter)]
    operator_filter = [("live_session__seller", OwnedRowFilter)]
    search_fields = ["question", "live_session__title"]
    ordering = ["-pk"]
    fields = ["session_link", "question", ("opened_at", "closed_at")]
    readonly_fields = ["session_link"]
    inlines = [PollOptionInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).annotate(vote_count=Count("votes"))

    @display(description=gettext_lazy("live session"))
    def session_link(self, poll: Poll) -> str:
        return admin_link(poll.live_session)

    @display(description=gettext_lazy("votes"), ordering="vote_count")
    def n_votes(self, poll: Poll) -> int:
        return poll.vote_count


class WinnerInline(ReadOnlyInline):
    """Who won."""

    model = DrawEntry
    verbose_name_plural = gettext_lazy("winners")
    fields = readonly_fields = ["place", "ticket", "winner_name"]
    ordering = ["place"]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        entries = super().get_queryset(request).filter(place__isnull=False)
        return entries.select_related("entrant")

    @display(description=gettext_lazy("winner"))
    def winner_name(self, entry: DrawEntry) -> str:
        return public_name(entry.entrant) if entry.entrant else ""


@admin.register(Draw)
class DrawAdmin(RuledModelAdmin):
    """Lucky draws. Their secret is shown when everybody sees it, and not before."""

    list_display = ["prize", "live_session", "n_entries", "n_winners", "closes_at", "drawn_at"]
    list_select_related = ["live_session"]
    list_filter = [("live_session", OwnedRowFilter)]
    operator_filter = [("live_session__seller", OwnedRowFilter)]
    search_fields = ["prize", "live_session__title"]
    ordering = ["-pk"]
    fields = [
        "session_link",
        "prize",
        ("n_winners", "n_entries"),
        ("opened_at", "closes_at", "drawn_at"),
        "commitment",
        "published_secret",
    ]
    readonly_fields = ["session_link", "n_entries", "commitment", "published_secret"]
    inlines = [WinnerInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).annotate(entry_count=Count("entries"))

    @display(description=gettext_lazy("live session"))
    def session_link(self, draw: Draw) -> str:
        return admin_link(draw.live_session)

    @display(description=gettext_lazy("entries"), ordering="entry_count")
    def n_entries(self, draw: Draw) -> int:
        return draw.entry_count

    @display(description=gettext_lazy("secret"))
    def published_secret(self, draw: Draw) -> str:
        return secret_of(draw) or ""
