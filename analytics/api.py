"""The API of events, recommendations and a seller's own figures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import get_language
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.paging import PagedByKeys, whole
from accounts.requester import (
    VISITOR_HEADER,
    person_of,
    remember_visitor,
    visitor_of_api,
)
from accounts.rules import is_staff
from analytics.events import take_in
from analytics.live_figures import live_figures
from analytics.methods.reasons import Reason
from analytics.models import CourseRetention, FigureSource, Forecast, SessionFigures
from analytics.rendered_cards import json_bytes, rendered_cards
from analytics.serializers import (
    DEFAULT_LIMIT,
    CourseRetentionSerializer,
    EventsSerializer,
    ForecastSerializer,
    HowManySerializer,
    IntakeSerializer,
    RecommendedSerializer,
    SessionMetricsSerializer,
)
from analytics.serving import (
    Row,
    courses_of,
    is_new,
    new_since,
    recommended_rows,
    sentence,
    shown_rows,
    similar_rows,
)
from catalog.models import Course
from streams.models import LiveSession


class EventIntakeView(GenericAPIView):
    serializer_class = EventsSerializer
    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="send_events",
        responses={200: IntakeSerializer},
        parameters=[
            OpenApiParameter(
                VISITOR_HEADER,
                OpenApiTypes.UUID,
                OpenApiParameter.HEADER,
                description="The random id of an app's anonymous visitor; browsers get a cookie.",
            )
        ],
    )
    def post(self, request: Request) -> Response:
        """Take a batch in. Sent twice, it is stored once; one bad event refuses the batch."""
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        visitor_id = None if person_of(request).is_authenticated else visitor_of_api(request)
        intake = take_in(
            body.validated_data["events"],
            viewer=person_of(request),
            visitor_id=visitor_id,
            now=timezone.now(),
        )
        response = Response(IntakeSerializer(intake).data)
        if visitor_id and VISITOR_HEADER not in request.headers:
            remember_visitor(response, visitor_id)
        return response


class ChosenCoursesView(PagedByKeys):
    """Ranked courses: one short page, in the shape of the other lists.

    It is asked for at each start of the app: the cards are not serialised anew for each answer.
    `RecommendedSerializer` says what comes, and a test holds the answer to it.
    """

    serializer_class = RecommendedSerializer
    permission_classes = (AllowAny,)

    def limit(self) -> int:
        if not self.request.query_params:
            return DEFAULT_LIMIT
        query = HowManySerializer(data=self.request.query_params.dict())
        query.is_valid(raise_exception=True)
        return query.validated_data["limit"]

    def respond(
        self, rows: Sequence[Row], *, n: int, moment: datetime, is_counted: bool
    ) -> HttpResponse:
        cards = rendered_cards(courses_of(rows), request=self.request)
        since, language = new_since(moment), get_language()
        results = []
        for row in shown_rows(rows, n=n, courses=cards, moment=moment, is_counted=is_counted):
            card, because = cards[row.course_id], cards.get(row.because_id or 0)
            name, is_news = because.title if because else "", False
            if row.reason == Reason.INTEREST:
                name, is_news = card.category, is_new(card, since=since)
            why = _why(language, row.reason.code, name, row.did, is_news)
            results.append(b'%b,"score":%r,%b}' % (card.opened, row.score, why))
        body = b'{"next":null,"previous":null,"results":[%b]}' % b",".join(results)
        return HttpResponse(body, content_type="application/json")


@lru_cache(maxsize=8_192)
def _why(language: str | None, reason_code: str, name: str, did: str, is_new: bool) -> bytes:
    """The last members of a row as they are written; the same few come again and again."""
    text = sentence(reason_code, name, did=did, is_new=is_new)
    return json_bytes({"reason": text, "reason_code": reason_code})[1:-1]


class RecommendationsView(ChosenCoursesView):
    @extend_schema(operation_id="recommendations", responses=RecommendedSerializer(many=True))
    def get(self, request: Request) -> HttpResponse:
        """Courses chosen for the viewer, best first; what is popular for everybody else."""
        n, moment = self.limit(), timezone.now()
        rows = recommended_rows(user=person_of(request), n=n, moment=moment)
        return self.respond(rows, n=n, moment=moment, is_counted=True)


class SimilarCoursesView(ChosenCoursesView):
    @extend_schema(operation_id="similar_courses", responses=RecommendedSerializer(many=True))
    def get(self, request: Request, pk: int) -> HttpResponse:
        """The courses most alike this one."""
        course = get_object_or_404(Course.objects.visible_to(person_of(request)), pk=pk)
        n = self.limit()
        rows = similar_rows(course_id=course.pk, n=n)
        return self.respond(rows, n=n, moment=timezone.now(), is_counted=False)


class IsSeller(BasePermission):
    """Sellers see what is theirs, operators everything."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return is_staff(person_of(request))


class SessionMetricsView(GenericAPIView):
    serializer_class = SessionMetricsSerializer
    permission_classes = (IsSeller,)

    @extend_schema(operation_id="session_metrics")
    def get(self, request: Request, pk: int) -> Response:
        """The figures of one of one's own live sessions; zeros before the first count.

        `live` has them as they stand now.
        """
        session = get_object_or_404(LiveSession.objects.managed_by(person_of(request)), pk=pk)
        figures = SessionFigures.objects.filter(live_session=session).first()
        shown = figures or SessionFigures(
            live_session=session,
            updated_at=None,  # type: ignore[misc]
        )
        shown.live_figures = (  # type: ignore[attr-defined]
            None
            if shown.source == FigureSource.IMPORTED
            else live_figures(session, moment=timezone.now())
        )
        return Response(self.get_serializer(shown).data)


class ForecastListView(PagedByKeys):
    serializer_class = ForecastSerializer
    permission_classes = (IsSeller,)

    @extend_schema(operation_id="forecasts", responses=ForecastSerializer(many=True))
    def get(self, request: Request) -> Response:
        """The expected conversion of one's own sessions, newest first."""
        forecasts = Forecast.objects.managed_by(person_of(request)).select_related("live_session")
        page = self.page(forecasts)
        return self.get_paginated_response(self.get_serializer(page, many=True).data)


class RetentionListView(PagedByKeys):
    serializer_class = CourseRetentionSerializer
    permission_classes = (IsSeller,)
    sort_keys = (whole("pk"),)

    @extend_schema(operation_id="retention", responses=CourseRetentionSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Retention and ratings of one's own courses; of groups, never of single people."""
        found = CourseRetention.objects.managed_by(person_of(request)).select_related("course")
        page = self.page(found)
        return self.get_paginated_response(self.get_serializer(page, many=True).data)
