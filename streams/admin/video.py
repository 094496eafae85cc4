"""Stream keys in the admin. The key itself is nobody's to see: only its end is kept."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import action, display

from accounts.seller_admin import OwnedRowFilter, ReadOnlyInline, RuledModelAdmin
from streams.models import Broadcast, StreamKey
from streams.stream_keys import revoke_stream_key


@admin.register(StreamKey)
class StreamKeyAdmin(RuledModelAdmin):
    """Who may send to the video server; new keys are made at the desk of a session."""

    list_display = ["key_ending", "created_at", "revoked_at", "is_valid"]
    operator_display = ["seller"]
    list_select_related = ["seller"]
    operator_filter = [("seller", OwnedRowFilter)]
    list_filter = [("revoked_at", admin.EmptyFieldListFilter)]
    search_fields = ["ending"]
    ordering = ["-pk"]
    fields = ["key_ending", ("created_at", "revoked_at")]
    readonly_fields = ["key_ending"]
    actions = ["revoke_chosen"]

    @display(description=gettext_lazy("ends in"), ordering="ending")
    def key_ending(self, key: StreamKey) -> str:
        return str(key)

    @display(description=gettext_lazy("valid"), boolean=True)
    def is_valid(self, key: StreamKey) -> bool:
        return key.active_of_id is not None

    @action(description=gettext_lazy("Revoke"), permissions=["view"])
    def revoke_chosen(self, request: HttpRequest, chosen: QuerySet[StreamKey]) -> None:
        moment = timezone.now()
        n = sum(revoke_stream_key(key, moment=moment) for key in chosen)
        text = ngettext("%(n)d stream key is void now.", "%(n)d stream keys are void now.", n)
        self.message_user(request, text % {"n": n}, messages.SUCCESS)


class BroadcastInline(ReadOnlyInline):
    """The video of a session, on its page."""

    model = Broadcast
    verbose_name_plural = gettext_lazy("video")
    fields = readonly_fields = [
        "is_on_air",
        "on_air_since",
        "n_drops",
        "kbps",
        "external_url",
        "recorded_from",
        "recorded_seconds",
    ]
