"""What was said in live sessions, in the admin."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from accounts.seller_admin import OwnedRowFilter, RuledModelAdmin, admin_link
from accounts.templatetags.people import public_name
from streams.models import ChatMessage


@admin.register(ChatMessage)
class ChatMessageAdmin(RuledModelAdmin):
    """What was said, hidden lines included."""

    list_display = ["text", "author_name", "live_session", "sent_at", "hidden_at"]
    list_select_related = ["author", "live_session"]
    list_filter = [
        ("live_session", OwnedRowFilter),
        ("hidden_at", admin.EmptyFieldListFilter),
    ]
    operator_filter = [("live_session__seller", OwnedRowFilter)]
    operator_sees = {"author_name": "author_link", "hider_name": "hider_link"}
    operator_search = ["author__email", "author__display_name"]
    search_fields = ["text", "live_session__title"]
    ordering = ["-pk"]
    fields = ["session_link", "author_name", "text", ("sent_at", "hidden_at", "hider_name")]
    readonly_fields = ["session_link", "author_name", "hider_name"]

    @display(description=gettext_lazy("live session"))
    def session_link(self, message: ChatMessage) -> str:
        return admin_link(message.live_session)

    @display(description=gettext_lazy("author"))
    def author_name(self, message: ChatMessage) -> str:
        return public_name(message.author)

    @display(description=gettext_lazy("author"))
    def author_link(self, message: ChatMessage) -> str:
        return admin_link(message.author)

    @display(description=gettext_lazy("hidden by"))
    def hider_name(self, message: ChatMessage) -> str:
        return public_name(message.hidden_by) if message.hidden_by else ""

    @display(description=gettext_lazy("hidden by"))
    def hider_link(self, message: ChatMessage) -> str:
        return admin_link(message.hidden_by)
