"""What was said in live sessions, in the admin."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import action, display

from accounts.seller_admin import OwnedRowFilter, RuledModelAdmin, admin_link
from accounts.templatetags.people import public_name
from streams.models import ChatMessage
from streams.moderation import hide_message, show_message


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
    actions = ["hide_chosen", "show_chosen"]

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

    @action(description=gettext_lazy("Hide"), permissions=["view"])
    def hide_chosen(self, request: HttpRequest, chosen: QuerySet[ChatMessage]) -> None:
        moment = timezone.now()
        n = sum(hide_message(message=message, by=request.user, moment=moment) for message in chosen)
        text = ngettext("%(n)d message is hidden now.", "%(n)d messages are hidden now.", n)
        self.message_user(request, text % {"n": n}, messages.SUCCESS)

    @action(description=gettext_lazy("Show again"), permissions=["view"])
    def show_chosen(self, request: HttpRequest, chosen: QuerySet[ChatMessage]) -> None:
        moment = timezone.now()
        n = sum(show_message(message=message, by=request.user, moment=moment) for message in chosen)
        text = ngettext("%(n)d message is shown again.", "%(n)d messages are shown again.", n)
        self.message_user(request, text % {"n": n}, messages.SUCCESS)
