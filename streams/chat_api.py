"""The API of chats, and of keeping order in them.

Whoever is acted on is named by one of their messages: no id of a person is on the wire.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, status
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import IsAuthenticatedOrReadOnly
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle, ScopedRateThrottle

from accounts.models import User
from accounts.paging import PagedByKeys, SortKey, whole
from accounts.requester import person_of
from accounts.serializers import ErrorSerializer
from streams import moderation
from streams.chat import Incoming, Refusal, Refused, rules_of, store_messages, with_role
from streams.chat_serializers import (
    ChatMessageSerializer,
    ChatRulesSerializer,
    MessageInSerializer,
    MessageQuerySerializer,
    ModeratorInSerializer,
    ModeratorSerializer,
    RestrictionInSerializer,
    RestrictionSerializer,
)
from streams.models import ChatMessage, LiveSession, Moderator, RestrictionKind
from streams.restrictions import holding_in, imposed

# What is wrong with the text itself is an error of that field; these say that it is not the time.
_STATUSES = {
    Refusal.NOT_SIGNED_IN: status.HTTP_403_FORBIDDEN,
    Refusal.BANNED: status.HTTP_403_FORBIDDEN,
    Refusal.MUTED: status.HTTP_403_FORBIDDEN,
    Refusal.NOT_LIVE: status.HTTP_409_CONFLICT,
    Refusal.CHAT_CLOSED: status.HTTP_409_CONFLICT,
    Refusal.TOO_FAST: status.HTTP_429_TOO_MANY_REQUESTS,
    Refusal.SLOW_MODE: status.HTTP_429_TOO_MANY_REQUESTS,
}


class NotNow(exceptions.APIException):
    """A line of chat that was held back. `wait`, in seconds, is told as Retry-After."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.detail, refused.code.value)
        self.status_code = _STATUSES[refused.code]
        self.wait = refused.retry_after


class MessageListView(PagedByKeys):
    serializer_class = ChatMessageSerializer
    permission_classes = (IsAuthenticatedOrReadOnly,)
    oldest_first = False

    def get_sort_keys(self) -> Sequence[SortKey]:
        return [whole("pk", is_descending=not self.oldest_first)]

    @extend_schema(
        operation_id="live_session_messages",
        parameters=[MessageQuerySerializer],
        responses=ChatMessageSerializer(many=True),
    )
    def get(self, request: Request, pk: int) -> Response:
        """What was said; hidden messages are left out."""
        session = get_object_or_404(LiveSession.objects.visible_to(person_of(request)), pk=pk)
        query = MessageQuerySerializer(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        messages = with_role(
            ChatMessage.objects.filter(live_session=session, hidden_at__isnull=True)
        )
        after = query.validated_data.get("after")
        if after is not None:
            messages = messages.filter(pk__gt=after)
            self.oldest_first = True
        page = self.page(messages)
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(
        operation_id="say_in_live_session",
        request=MessageInSerializer,
        responses={
            200: ChatMessageSerializer,
            201: ChatMessageSerializer,
            403: ErrorSerializer,
            409: ErrorSerializer,
        },
    )
    def post(self, request: Request, pk: int) -> Response:
        """Say something. The same key sent again is the same message, answered with 200.

        What is held back is answered with its code, and with Retry-After where waiting helps.
        """
        session = get_object_or_404(LiveSession.objects.visible_to(person_of(request)), pk=pk)
        given = MessageInSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        incoming = Incoming(author_id=person_of(request).pk, **given.validated_data)
        (answer,) = store_messages(session.pk, [incoming], moment=timezone.now())
        if isinstance(answer, Refused):
            raise self._error(answer)
        message = with_role(ChatMessage.objects.filter(pk=answer.id)).get()
        code = status.HTTP_201_CREATED if answer.is_new else status.HTTP_200_OK
        return Response(self.get_serializer(message).data, status=code)

    def _error(self, refused: Refused) -> exceptions.APIException:
        if refused.code in _STATUSES:
            return NotNow(refused)
        reason = exceptions.ErrorDetail(refused.detail, refused.code.value)
        return exceptions.ValidationError({"text": [reason]})


class _ModerationView(GenericAPIView):
    """A view for those who keep order in the session of the address."""

    def session(self, pk: int) -> LiveSession:
        """Raises Http404 where the person may not know of it, MayNotModerate where of no more."""
        visible = LiveSession.objects.visible_to(person_of(self.request))
        session = get_object_or_404(visible.select_related("chat_rules"), pk=pk)
        if not moderation.may_moderate(person_of(self.request), session):
            raise moderation.MayNotModerate
        return session

    def message(self, pk: int, message: int) -> ChatMessage:
        rows = self.session(pk).messages.select_related("author", "live_session")
        return get_object_or_404(rows, pk=message)


class HiddenMessageView(_ModerationView):
    @extend_schema(
        operation_id="hide_message",
        request=None,
        responses={204: None, 403: ErrorSerializer, 409: ErrorSerializer},
    )
    def put(self, request: Request, pk: int, message: int) -> Response:
        """Take a message out of sight."""
        hidden = self.message(pk, message)
        moderation.hide_message(message=hidden, by=person_of(request), moment=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        operation_id="show_message",
        request=None,
        responses={204: None, 403: ErrorSerializer, 409: ErrorSerializer},
    )
    def delete(self, request: Request, pk: int, message: int) -> Response:
        """Bring a hidden message back."""
        shown = self.message(pk, message)
        moderation.show_message(message=shown, by=person_of(request), moment=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


class AuthorRestrictionView(_ModerationView):
    serializer_class = RestrictionSerializer

    @extend_schema(
        operation_id="restrict_author",
        request=RestrictionInSerializer,
        responses={200: RestrictionSerializer, 403: ErrorSerializer, 409: ErrorSerializer},
    )
    def put(self, request: Request, pk: int, message: int) -> Response:
        """Mute or ban the author of a message; takes the place of an earlier one of that kind."""
        said = self.message(pk, message)
        given = RestrictionInSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        wanted = dict(given.validated_data)
        kind = wanted.pop("kind")
        restrict = moderation.ban if kind == RestrictionKind.BAN else moderation.mute
        restriction = restrict(
            session=said.live_session,
            person=said.author,
            by=person_of(request),
            moment=timezone.now(),
            **wanted,
        )
        context = {**self.get_serializer_context(), "session": said.live_session}
        return Response(RestrictionSerializer(restriction, context=context).data)

    @extend_schema(
        operation_id="lift_from_author",
        request=None,
        responses={204: None, 403: ErrorSerializer, 409: ErrorSerializer},
    )
    def delete(self, request: Request, pk: int, message: int) -> Response:
        """End what holds for the author of a message, as far as one may."""
        said = self.message(pk, message)
        moderation.lift_in_session(
            session=said.live_session,
            person=said.author,
            by=person_of(request),
            moment=timezone.now(),
        )
        return Response(status=status.HTTP_204_NO_CONTENT)


class RestrictionListView(_ModerationView, PagedByKeys):
    serializer_class = RestrictionSerializer

    @extend_schema(
        operation_id="restrictions",
        responses={200: RestrictionSerializer(many=True), 403: ErrorSerializer},
    )
    def get(self, request: Request, pk: int) -> Response:
        """The mutes and bans that hold in a live session, newest first."""
        session = self.session(pk)
        rows = imposed(holding_in(session, moment=timezone.now()))
        page = self.page(rows.select_related("user", "imposed_by"))
        context = {**self.get_serializer_context(), "session": session}
        shown = RestrictionSerializer(page, many=True, context=context)
        return self.get_paginated_response(shown.data)


class RestrictionView(_ModerationView):
    @extend_schema(
        operation_id="lift_restriction",
        request=None,
        responses={204: None, 403: ErrorSerializer, 409: ErrorSerializer},
    )
    def delete(self, request: Request, pk: int, restriction: int) -> Response:
        """End a mute or ban."""
        moment = timezone.now()
        held = imposed(holding_in(self.session(pk), moment=moment))
        found = get_object_or_404(held.select_related("user", "live_session"), pk=restriction)
        moderation.lift(restriction=found, by=person_of(request), moment=moment)
        return Response(status=status.HTTP_204_NO_CONTENT)


class ModeratorListView(_ModerationView, PagedByKeys):
    serializer_class = ModeratorSerializer
    throttle_scope = "sign_in"

    def get_throttles(self) -> list[BaseThrottle]:
        # The answer tells whether an address has an account, which nobody may try out at length.
        extra = [ScopedRateThrottle()] if self.request and self.request.method == "POST" else []
        return [*super().get_throttles(), *extra]

    @extend_schema(
        operation_id="moderators",
        responses={200: ModeratorSerializer(many=True), 403: ErrorSerializer},
    )
    def get(self, request: Request, pk: int) -> Response:
        """Who keeps order in a live session beside its seller, newest first."""
        rows = Moderator.objects.filter(live_session=self.session(pk)).select_related("user")
        page = self.page(rows)
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(
        operation_id="add_moderator",
        request=ModeratorInSerializer,
        responses={200: ModeratorSerializer, 403: ErrorSerializer, 409: ErrorSerializer},
    )
    def post(self, request: Request, pk: int) -> Response:
        """Let somebody keep order; asked twice, they do."""
        session = self.session(pk)
        if not moderation.leads(person_of(request), session):
            raise moderation.MayNotModerate
        given = ModeratorInSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        moderator = moderation.add_moderator(
            session=session,
            person=self._person(session, **given.validated_data),
            by=person_of(request),
            moment=timezone.now(),
        )
        return Response(self.get_serializer(moderator).data)

    def _person(
        self, session: LiveSession, message: int | None = None, email: str | None = None
    ) -> User:
        if message is not None:
            said = session.messages.filter(pk=message).select_related("author").first()
            person, field = (said.author if said else None), "message"
        else:
            person, field = User.objects.filter(email=email).first(), "email"
        if person is None:
            reason = exceptions.ErrorDetail(_("There is no such person."), "no_such_person")
            raise exceptions.ValidationError({field: [reason]})
        return person


class ModeratorView(_ModerationView):
    @extend_schema(
        operation_id="drop_moderator",
        request=None,
        responses={204: None, 403: ErrorSerializer},
    )
    def delete(self, request: Request, pk: int, moderator: int) -> Response:
        """Take the role away; moderators may lay down their own."""
        rows = Moderator.objects.filter(live_session=self.session(pk))
        found = get_object_or_404(rows.select_related("user", "live_session"), pk=moderator)
        moderation.drop_moderator(moderator=found, by=person_of(request), moment=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


class ChatRulesView(_ModerationView):
    serializer_class = ChatRulesSerializer

    @extend_schema(
        operation_id="chat_rules",
        responses={200: ChatRulesSerializer, 403: ErrorSerializer},
    )
    def get(self, request: Request, pk: int) -> Response:
        """How a live session is chatted in."""
        return Response(self.get_serializer(rules_of(self.session(pk))).data)

    @extend_schema(
        operation_id="change_chat_rules",
        responses={200: ChatRulesSerializer, 403: ErrorSerializer},
    )
    def patch(self, request: Request, pk: int) -> Response:
        """Change some of the rules; they hold at once."""
        session = self.session(pk)
        if not moderation.leads(person_of(request), session):
            raise moderation.MayNotModerate
        given = self.get_serializer(rules_of(session), data=request.data, partial=True)
        given.is_valid(raise_exception=True)
        changed = moderation.change_rules(
            session=session,
            by=person_of(request),
            moment=timezone.now(),
            changes=given.validated_data,
        )
        return Response(self.get_serializer(changed).data)
