"""The API of polls and lucky draws."""

from __future__ import annotations

from collections.abc import Sequence

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.paging import LARGEST_ID, PagedByKeys, SortKey, whole
from accounts.requester import person_of
from accounts.serializers import ErrorSerializer
from streams import draws, polls
from streams.models import Draw, LiveSession, Poll


class VoteSerializer(serializers.Serializer):
    """Which answer is chosen."""

    option = serializers.IntegerField(
        source="option_id", min_value=1, max_value=LARGEST_ID, help_text="The id of the answer."
    )


class EntrySerializer(serializers.Serializer):
    """One's own part in a draw."""

    ticket = serializers.CharField(help_text="Stands for one in public; say it to nobody else.")
    entered_at = serializers.DateTimeField()
    place = serializers.IntegerField(allow_null=True, help_text="1 for the first winner.")


class DrawSerializer(serializers.Serializer):
    """A lucky draw."""

    id = serializers.IntegerField()
    prize = serializers.CharField()
    n_winners = serializers.IntegerField(help_text="How many win, if as many enter.")
    commitment = serializers.CharField(help_text="SHA-256 of the secret's text, in hexadecimal.")
    opened_at = serializers.DateTimeField()
    closes_at = serializers.DateTimeField()
    drawn_at = serializers.DateTimeField(allow_null=True)
    secret = serializers.SerializerMethodField()

    def get_secret(self, draw: Draw) -> str | None:
        """Null before the draw is over."""
        return draws.secret_of(draw)


class WinnerSerializer(serializers.Serializer):
    ticket = serializers.CharField()
    name = serializers.SerializerMethodField()

    def get_name(self, entry: draws.DrawEntry) -> str:
        """The first character of the name; empty for who has left the platform."""
        return draws.name_of(entry)


class DrawDetailSerializer(DrawSerializer):
    """All that is needed to check a draw.

    The winners are the tickets with the smallest HMAC-SHA256, taken with the text of the secret
    as key, in order.
    """

    winners = WinnerSerializer(many=True)
    tickets = serializers.ListField(child=serializers.CharField(), help_text="In order of entry.")
    my_ticket = serializers.CharField(allow_null=True)


class _InSession(GenericAPIView):
    def session(self, pk: int) -> LiveSession:
        """The session of the address. Raises Http404 where the person may not know of it."""
        return get_object_or_404(LiveSession.objects.visible_to(person_of(self.request)), pk=pk)


class PollVoteView(_InSession):
    serializer_class = VoteSerializer

    @extend_schema(
        operation_id="vote_in_poll",
        responses={200: VoteSerializer, 403: ErrorSerializer, 409: ErrorSerializer},
    )
    def put(self, request: Request, pk: int, poll: int) -> Response:
        """Vote, once; the same vote sent again stands, another one is refused."""
        found = get_object_or_404(Poll, pk=poll, live_session=self.session(pk))
        wanted = self.get_serializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        stands = polls.vote(
            found.pk,
            wanted.validated_data["option_id"],
            voter=person_of(request),
            moment=timezone.now(),
        )
        return Response(self.get_serializer(stands).data)


class DrawListView(PagedByKeys):
    serializer_class = DrawSerializer
    permission_classes = (AllowAny,)

    def get_sort_keys(self) -> Sequence[SortKey]:
        return [whole("pk", is_descending=True)]

    @extend_schema(operation_id="draws", responses=DrawSerializer(many=True))
    def get(self, request: Request, pk: int) -> Response:
        """The lucky draws of a live session, newest first."""
        session = get_object_or_404(LiveSession.objects.visible_to(person_of(request)), pk=pk)
        page = self.page(Draw.objects.filter(live_session=session))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)


class DrawView(_InSession):
    serializer_class = DrawDetailSerializer
    permission_classes = (AllowAny,)

    @extend_schema(operation_id="draw")
    def get(self, request: Request, pk: int, draw: int) -> Response:
        """One lucky draw and all that is needed to check it."""
        found = get_object_or_404(Draw, pk=draw, live_session=self.session(pk))
        found.winners = draws.winners_of(found)  # type: ignore[attr-defined]
        found.tickets = draws.tickets_of(found)  # type: ignore[attr-defined]
        entry = draws.entry_in(found, person_of(request))
        found.my_ticket = entry.ticket if entry else None  # type: ignore[attr-defined]
        return Response(self.get_serializer(found).data)


class DrawEntryView(_InSession):
    serializer_class = EntrySerializer

    @extend_schema(
        operation_id="enter_draw",
        request=None,
        responses={200: EntrySerializer, 403: ErrorSerializer, 409: ErrorSerializer},
    )
    def put(self, request: Request, pk: int, draw: int) -> Response:
        """Enter a lucky draw; asked again, one has the same ticket."""
        found = get_object_or_404(Draw, pk=draw, live_session=self.session(pk))
        entry = draws.enter_draw(found.pk, viewer=person_of(request), moment=timezone.now())
        return Response(self.get_serializer(entry).data)
