"""The API of live rooms for clients without sockets, which ask again every few seconds."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from django.db.models import Q
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from accounts.requester import (
    VISITOR_COOKIE,
    VISITOR_HEADER,
    person_of,
    remember_visitor,
    visitor_of_api,
)
from accounts.serializers import ErrorSerializer
from streams.chat import messages_after
from streams.models import LiveSession, SessionStatus, Source
from streams.polled_rooms import polled_rooms
from streams.presence import viewer_hash
from streams.restrictions import is_banned
from streams.room_serializers import (
    BeatSerializer,
    LikesSerializer,
    RoomQuerySerializer,
    RoomSerializer,
)
from streams.room_state import me_part
from streams.taking_part import Banned, NotLive

MESSAGES_AT_FIRST = 50
MESSAGES_AT_ONCE = 200
VISITOR = OpenApiParameter(
    VISITOR_HEADER,
    OpenApiTypes.UUID,
    OpenApiParameter.HEADER,
    description="The random id of an app's anonymous visitor; browsers get a cookie.",
)


@dataclass(frozen=True)
class _Viewer:
    """Who asks, in one room."""

    session: LiveSession
    user: User | None
    visitor_id: uuid.UUID
    moment: datetime

    @property
    def is_host(self) -> bool:
        """Whether it is the seller of the session, who is no viewer of it."""
        return self.user is not None and self.user.pk == self.session.seller_id

    @cached_property
    def hash(self) -> bytes:
        return viewer_hash(
            session_id=self.session.pk,
            user_id=self.user.pk if self.user else None,
            visitor_id=self.visitor_id,
        )


class _RoomView(GenericAPIView):
    permission_classes = (AllowAny,)

    def viewer(self, pk: int) -> _Viewer:
        """Who asks, and the room. Raises Http404, Banned or ValidationError."""
        request, moment = self.request, timezone.now()
        visitor_id = visitor_of_api(request)
        # A draft has no room yet, not even for its seller.
        shown = LiveSession.objects.filter(~Q(status=SessionStatus.DRAFT))
        session = get_object_or_404(shown.select_related("chat_rules"), pk=pk)
        person = person_of(request)
        user = person if person.is_authenticated else None
        if user is not None and is_banned(user, session, moment=moment):
            raise Banned
        return _Viewer(session, user, visitor_id, moment)

    def answer(self, viewer: _Viewer, response: Response) -> Response:
        """The response, with the cookie by which a browser's visitor is known from now on."""
        is_known = VISITOR_COOKIE in self.request.COOKIES or VISITOR_HEADER in self.request.headers
        if viewer.user is None and not is_known:
            remember_visitor(response, viewer.visitor_id)
        return response


class RoomView(_RoomView):
    serializer_class = RoomSerializer

    @extend_schema(
        operation_id="live_room",
        parameters=[RoomQuerySerializer, VISITOR],
        responses={200: RoomSerializer, 403: ErrorSerializer},
    )
    def get(self, request: Request, pk: int) -> Response:
        """The room as it stands, and what was said. Whoever asks is present for 30 seconds.

        Sockets (`/ws/live/{id}/`) bring the same, sooner and for less.
        """
        query = RoomQuerySerializer(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        viewer = self.viewer(pk)
        session, rooms = viewer.session, polled_rooms()
        if session.is_live and not viewer.is_host:
            rooms.ask(session.pk, viewer.hash, moment=viewer.moment)
        rooms.store(moment=viewer.moment)
        after = query.validated_data.get("after")
        limit = MESSAGES_AT_FIRST if after is None else MESSAGES_AT_ONCE
        told = {
            "type": "room",
            "state": rooms.parts(session.pk, moment=viewer.moment),
            "messages": messages_after(session.pk, after, limit=limit),
            "me": me_part(session, person_of(request), moment=viewer.moment),
        }
        return self.answer(viewer, Response(told))


class RoomLikesView(_RoomView):
    serializer_class = LikesSerializer

    @extend_schema(
        operation_id="like_live_room",
        parameters=[VISITOR],
        responses={204: None, 403: ErrorSerializer, 409: ErrorSerializer},
    )
    def post(self, request: Request, pk: int) -> Response:
        """Like what is shown; at most 20 likes of a viewer count each second."""
        given = self.get_serializer(data=request.data)
        given.is_valid(raise_exception=True)
        viewer = self.viewer(pk)
        if not viewer.session.is_live:
            raise NotLive
        rooms = polled_rooms()
        rooms.like(pk, viewer.hash, given.validated_data["n"], moment=viewer.moment)
        rooms.store(moment=viewer.moment)
        return self.answer(viewer, Response(status=status.HTTP_204_NO_CONTENT))


class RoomBeatsView(_RoomView):
    serializer_class = BeatSerializer

    @extend_schema(
        operation_id="beat_in_live_room",
        parameters=[VISITOR],
        responses={204: None, 403: ErrorSerializer, 409: ErrorSerializer},
    )
    def post(self, request: Request, pk: int) -> Response:
        """Say how long one has watched in this stay, about every 15 seconds and at its end.

        Sent twice or late it counts once; nobody watches for longer than their stay has lasted.
        """
        given = self.get_serializer(data=request.data)
        given.is_valid(raise_exception=True)
        viewer = self.viewer(pk)
        if viewer.session.started_at is None:
            raise NotLive
        rooms = polled_rooms()
        if not viewer.is_host:
            rooms.beat(
                visit=given.validated_data["visit"],
                session_id=pk,
                user=viewer.user,
                visitor_id=viewer.visitor_id,
                seconds=given.validated_data["seconds"],
                source=given.validated_data.get("source", Source.DIRECT),
                moment=viewer.moment,
            )
        rooms.store(moment=viewer.moment)
        return self.answer(viewer, Response(status=status.HTTP_204_NO_CONTENT))
