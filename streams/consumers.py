"""Sockets of the live room: each frame becomes one call of the hub, and its result a frame."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any

from channels.consumer import get_handler_name
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.security.websocket import OriginValidator
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import AnonymousUser
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import get_language_from_request, override
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.exceptions import InvalidToken

from accounts.client_ids import is_client_id
from accounts.models import Role, User
from accounts.requester import VISITOR_HEADER, BadVisitorId, visitor_of
from accounts.tokens import TokenAuthentication
from streams.attendance import stay_of
from streams.chat import Refused
from streams.hub import BANNED, NOT_THERE, Hub, RoomGone, hub_of_process
from streams.models import LiveSession, SessionStatus, Source
from streams.presence import viewer_hash
from streams.restrictions import is_banned
from streams.room_state import me_part
from streams.seats import PREPARED_FRAMES, Frame, Seat

LONGEST_FRAME = 4096
# Codes with which a socket is closed.
BAD_FRAME, NOT_SIGNED_IN, TRY_AGAIN = 4400, 4401, 1013
AWAY = (DatabaseError, InterfaceError)
LARGEST_ID = 2**63 - 1


class BadFrame(Exception):
    """The frame is not one that a client of the room sends."""


class RoomConsumer(AsyncWebsocketConsumer):
    """One viewer's socket in one room."""

    # The hub listens for all sockets of the process.
    channel_layer_alias = ""
    hub: Hub
    seat: Seat | None = None

    async def dispatch(self, message: dict[str, Any]) -> None:
        # As the base does, but for looking after connections to the database in a thread before
        # each frame: nothing here has one.
        await getattr(self, get_handler_name(message))(message)

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        if self.seat is not None:
            self.hub.leave(self.session_id, self.seat)
        raise StopConsumer

    async def connect(self) -> None:
        self.session_id = int(self.scope["url_route"]["kwargs"]["pk"])
        self.language = _language_of(self.scope)
        await self.accept()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        try:
            frame = _read(text_data)
            if self.seat is None:
                await self._greet(frame)
            elif not self.seat.is_gone:
                await self._do(frame)
        except BadFrame:
            await self._close(BAD_FRAME)
        except AWAY:
            # What was not answered is sent again, to this process or another.
            await self._close(TRY_AGAIN)

    async def _greet(self, frame: dict[str, Any]) -> None:
        if frame.get("type") != "hello":
            raise BadFrame
        visit, last = _uuid(frame.get("visit")), _number(frame.get("last"))
        source, token = frame.get("source"), frame.get("token")
        token = None if token is None else _text(token, LONGEST_FRAME)
        source = _text(source or Source.DIRECT, 16)
        self.hub = hub_of_process()
        found = await self.hub.ask(_admit, self.scope, self.session_id, token)
        if isinstance(found, int):
            await self._close(found)
            return
        user = found.viewer if isinstance(found.viewer, User) else None
        stay = stay_of(
            client_key=visit,
            session_id=self.session_id,
            user=user,
            visitor_id=found.visitor_id,
            source=source,
            moment=timezone.now(),
        )
        user_id = user.pk if user else None
        prepared = self.scope.get("extensions", {}).get(PREPARED_FRAMES, {})
        seat = Seat(
            send=self._send_text,
            close=self._close,
            stay=stay,
            viewer=viewer_hash(
                session_id=self.session_id, user_id=user_id, visitor_id=found.visitor_id
            ),
            writer_id=user_id,
            is_operator=user is not None and user.role == Role.OPERATOR,
            is_host=user_id is not None and user_id == found.seller_id,
            write=prepared.get("write"),
            abort=prepared.get("abort"),
            me=found.me,
        )
        try:
            first = await self.hub.enter(self.session_id, seat, last=last)
        except RoomGone:
            await self._close(NOT_THERE)
            return
        self.seat = seat
        seat.open_with(Frame(first | {"me": seat.me}))

    async def _do(self, frame: dict[str, Any]) -> None:
        seat = self.seat
        assert seat is not None, "greeted before"
        kind = frame.get("type")
        if kind == "beat":
            self.hub.beat(self.session_id, seat, _seconds(frame.get("seconds")))
        elif kind == "like":
            self.hub.like(self.session_id, seat, _number(frame.get("n", 1), least=1) or 1)
        elif kind == "chat":
            self.hub.take(self._say(seat, _uuid(frame.get("key")), _text(frame.get("text"), 2000)))
        else:
            raise BadFrame

    async def _say(self, seat: Seat, key: uuid.UUID, text: str) -> None:
        try:
            answer = await self.hub.say(self.session_id, seat, key, text)
        except (*AWAY, LiveSession.DoesNotExist):
            seat.leave_with(TRY_AGAIN)
            return
        if isinstance(answer, Refused):
            with override(self.language):
                told = {
                    "type": "refused",
                    "key": str(key),
                    "code": answer.code.value,
                    "detail": answer.detail,
                    "retry_after": answer.retry_after,
                }
        else:
            told = {"type": "ack", "key": str(key), "id": answer.id}
        seat.give(Frame(told))

    async def _send_text(self, text: str) -> None:
        # The hub sends the same text to many: no dictionary of options for each.
        await self.base_send({"type": "websocket.send", "text": text})

    async def _close(self, code: int) -> None:
        await self.base_send({"type": "websocket.close", "code": code})


class SameSite(OriginValidator):
    """Refuses pages of other sites. Programs that are no browsers, such as apps, send no origin."""

    def valid_origin(self, parsed_origin: Any) -> bool:
        return parsed_origin is None or self.validate_origin(parsed_origin)


def same_site(application: Any) -> SameSite:
    """The application for pages of the hosts that the settings allow, and for apps."""
    hosts = [host.strip("[]") for host in settings.ALLOWED_HOSTS]
    if settings.DEBUG and not hosts:
        hosts = ["localhost", "127.0.0.1", "::1"]
    return SameSite(application, hosts)


@dataclass(frozen=True)
class _Admitted:
    viewer: User | AnonymousUser
    visitor_id: uuid.UUID
    seller_id: int
    me: dict[str, Any]


def _admit(scope: dict[str, Any], session_id: int, token: str | None) -> int | _Admitted:
    """Who the viewer is and what the room means to them; or the code to close with."""
    headers = {name.decode("latin-1").lower(): value for name, value in scope["headers"]}
    try:
        viewer = _viewer_of(scope, token.encode() if token else _bearer(headers))
        told = headers.get(VISITOR_HEADER.lower())
        visitor_id = visitor_of(
            header=told.decode("latin-1") if told else None, cookies=scope.get("cookies", {})
        )
    except (InvalidToken, AuthenticationFailed):
        return NOT_SIGNED_IN
    except BadVisitorId:
        return BAD_FRAME
    moment = timezone.now()
    session = (
        LiveSession.objects.select_related("chat_rules")
        .exclude(status=SessionStatus.DRAFT)
        .filter(pk=session_id)
        .first()
    )
    if session is None:
        return NOT_THERE
    if isinstance(viewer, User) and is_banned(viewer, session, moment=moment):
        return BANNED
    return _Admitted(viewer, visitor_id, session.seller_id, me_part(session, viewer, moment=moment))


def _bearer(headers: dict[str, bytes]) -> bytes | None:
    """The token of the header `Authorization: Bearer`; None without that header."""
    told = headers.get("authorization")
    if told is None:
        return None
    raw = TokenAuthentication().get_raw_token(told)
    if raw is None:
        raise InvalidToken
    return raw


def _viewer_of(scope: dict[str, Any], token: bytes | None) -> User | AnonymousUser:
    """By the token of an app, else by the session of a browser."""
    if token is not None:
        tokens = TokenAuthentication()
        return tokens.get_user(tokens.get_validated_token(token))  # type: ignore[return-value]
    request = HttpRequest()
    request.session = scope["session"]
    return get_user(request)  # type: ignore[return-value]


def _language_of(scope: dict[str, Any]) -> str:
    request = HttpRequest()
    request.COOKIES = scope.get("cookies", {})
    for name, value in scope["headers"]:
        if name == b"accept-language":
            request.META["HTTP_ACCEPT_LANGUAGE"] = value.decode("latin-1")
    return get_language_from_request(request)


def _read(text: str | None) -> dict[str, Any]:
    if text is None or len(text) > LONGEST_FRAME:
        raise BadFrame
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError):
        raise BadFrame from None
    if not isinstance(frame, dict):
        raise BadFrame
    return frame


def _uuid(value: Any) -> uuid.UUID:
    try:
        made = uuid.UUID(value)
    except (ValueError, TypeError, AttributeError):
        raise BadFrame from None
    if not is_client_id(made):
        raise BadFrame
    return made


def _text(value: Any, longest: int) -> str:
    if not isinstance(value, str) or len(value) > longest:
        raise BadFrame
    # A half of a pair has no place in UTF-8, and none in a database.
    return value.encode("utf-8", "replace").decode()


def _number(value: Any, *, least: int = 0) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= LARGEST_ID:
        raise BadFrame
    return value


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 10**7:
        raise BadFrame
    return float(value)
