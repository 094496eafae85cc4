"""The API of live sessions."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models.functions import Coalesce
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.paging import PagedByKeys, SortKey, moment, whole
from accounts.requester import person_of
from accounts.serializers import ErrorSerializer
from streams.models import LiveSession, Reminder, SessionStatus
from streams.reminders import ask_for_reminder, drop_reminder
from streams.schedule import showcase_cards
from streams.serializers import (
    LiveSessionDetailSerializer,
    LiveSessionSerializer,
    ReminderSerializer,
    SessionQuerySerializer,
)


class LiveSessionListView(PagedByKeys):
    serializer_class = LiveSessionSerializer
    permission_classes = (AllowAny,)
    soonest_first = False

    def get_sort_keys(self) -> Sequence[SortKey]:
        is_descending = not self.soonest_first
        return [moment("sort_at", is_descending=is_descending), whole("pk")]

    @extend_schema(
        operation_id="live_sessions",
        parameters=[SessionQuerySerializer],
        responses=LiveSessionSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """Live sessions, those that one may see."""
        query = SessionQuerySerializer(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        sessions = (
            LiveSession.objects.visible_to(person_of(request))
            .select_related("seller")
            .with_showcase_size()
            .annotate(sort_at=Coalesce("started_at", "scheduled_at", "created_at"))
        )
        if wanted := query.validated_data.get("status"):
            sessions = sessions.filter(status=wanted)
            self.soonest_first = wanted == SessionStatus.SCHEDULED
        page = self.page(sessions)
        return self.get_paginated_response(self.get_serializer(page, many=True).data)


class LiveSessionView(GenericAPIView):
    serializer_class = LiveSessionDetailSerializer
    permission_classes = (AllowAny,)

    @extend_schema(operation_id="live_session")
    def get(self, request: Request, pk: int) -> Response:
        """One live session and what it shows."""
        sessions = LiveSession.objects.visible_to(person_of(request)).select_related("seller")
        session = get_object_or_404(sessions.with_showcase_size(), pk=pk)
        session.cards = showcase_cards(session, moment=timezone.now())
        for shown in session.cards:
            if shown.promotion:
                # The currency of the offer is the course's, which is at hand here.
                shown.promotion.promotion.course = shown.card.course
        session.has_reminder = (
            person_of(request).is_authenticated
            and Reminder.objects.filter(live_session=session, user=person_of(request)).exists()
        )
        return Response(self.get_serializer(session).data)


class ReminderView(GenericAPIView):
    serializer_class = ReminderSerializer

    def session(self, pk: int) -> LiveSession:
        return get_object_or_404(LiveSession.objects.visible_to(person_of(self.request)), pk=pk)

    @extend_schema(
        operation_id="ask_for_reminder",
        request=None,
        responses={200: ReminderSerializer, 409: ErrorSerializer},
    )
    def put(self, request: Request, pk: int) -> Response:
        """Ask to be told before the session begins."""
        reminder = ask_for_reminder(viewer=person_of(request), session=self.session(pk))
        return Response(self.get_serializer(reminder).data)

    @extend_schema(operation_id="drop_reminder", request=None, responses={204: None})
    def delete(self, request: Request, pk: int) -> Response:
        """Ask no longer."""
        drop_reminder(viewer=person_of(request), session=self.session(pk))
        return Response(status=status.HTTP_204_NO_CONTENT)
