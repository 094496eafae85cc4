"""The video of live sessions in the admin.

A stream key itself is nobody's to see: only its end is kept.
"""

from __future__ import annotations

from datetime import timedelta

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import action, display

from accounts.seller_admin import OwnedRowFilter, RuledModelAdmin
from streams.models import Broadcast, LiveSession, StreamKey
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


def video_facts(session: LiveSession) -> str:
    """What is known of the video of a session: the stream, what stands in for it, the recording."""
    broadcast = Broadcast.objects.filter(pk=session.pk).first()
    if broadcast is None:
        return "–"
    stream = _("on air") if broadcast.is_on_air else _("not on air")
    facts = [(_("stream"), stream), (_("interruptions"), broadcast.n_drops)]
    if broadcast.is_on_air and broadcast.kbps:
        facts.append((_("speed"), f"{broadcast.kbps} kbit/s"))
    if broadcast.external_url:
        facts.append((_("HLS address"), broadcast.external_url))
    if broadcast.recorded_seconds:
        length = timedelta(seconds=broadcast.recorded_seconds)
        facts.append((_("recorded"), length))
    return format_html_join(mark_safe("<br>"), "{}: {}", facts)
