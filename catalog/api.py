"""The API of courses, reviews and learning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import FloatField, Prefetch, QuerySet
from django.db.models.functions import Cast, Coalesce
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import AllowAny, IsAuthenticatedOrReadOnly
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import api as accounts_api
from accounts.paging import PagedByKeys, SortKey, amount, moment, real, whole
from accounts.requester import person_of
from accounts.serializers import ErrorSerializer
from catalog.cards import CourseCard, course_cards
from catalog.downloads import NoFile, link_to_file
from catalog.interests import choose_interests
from catalog.learning import lessons_known_to
from catalog.lesson_progress import ensure_learner, record_progress
from catalog.models import Course, Enrollment, Lesson, LessonProgress, Review
from catalog.outline import outline_of
from catalog.pricing import current_price
from catalog.reviews import shown_reviews, star_counts, write_review
from catalog.search import Sort, find_courses
from catalog.serializers import (
    CourseDetailSerializer,
    CourseQuerySerializer,
    CourseWithLearnersSerializer,
    EnrollmentSerializer,
    FileLinkSerializer,
    LessonProgressSerializer,
    MeWithInterestsSerializer,
    ReviewSerializer,
)

_ID = whole("pk", is_descending=True)
_SORT_KEYS: dict[Sort, Sequence[SortKey]] = {
    Sort.NEWEST: [moment("sort_published", is_descending=True), _ID],
    Sort.POPULAR: [whole("n_learners", is_descending=True), _ID],
    Sort.RATING: [
        real("sort_rating", is_descending=True),
        whole("n_ratings", is_descending=True),
        _ID,
    ],
    Sort.CHEAPEST: [amount("price_now"), _ID],
    Sort.DEAREST: [amount("price_now", is_descending=True), _ID],
}


class MeView(accounts_api.MeView):
    """One's own account with the chosen fields of knowledge."""

    serializer_class = MeWithInterestsSerializer

    @transaction.atomic
    def change(self, request: Request, changes: dict[str, Any]) -> None:
        super().change(request, changes)
        if "interests" in changes:
            choose_interests(user=person_of(request), categories=changes["interests"])


class CourseListView(PagedByKeys):
    serializer_class = CourseWithLearnersSerializer
    permission_classes = (AllowAny,)

    def get_sort_keys(self) -> Sequence[SortKey]:
        return _SORT_KEYS[self.search.sort]

    @extend_schema(
        operation_id="courses",
        parameters=[CourseQuerySerializer],
        responses=CourseWithLearnersSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """The courses on sale that match."""
        now = timezone.now()
        self.search = CourseQuerySerializer(data=request.query_params.dict()).search()
        found = find_courses(self.search, viewer=person_of(request), moment=now).annotate(
            sort_published=Coalesce("published_at", "created_at"),
            sort_rating=Coalesce(Cast("rating_mean", FloatField()), 0.0),
        )
        cards = course_cards(self.page(found), moment=now)
        return self.get_paginated_response(self.get_serializer(cards, many=True).data)


class CourseView(GenericAPIView):
    serializer_class = CourseDetailSerializer
    permission_classes = (AllowAny,)

    @extend_schema(operation_id="course")
    def get(self, request: Request, pk: int) -> Response:
        """One course: what it holds, what it costs, how it is rated."""
        courses = (
            Course.objects.visible_to(person_of(request))
            .select_related("seller", "category")
            .with_ratings()
            .with_learners()
            .prefetch_related("sections", Prefetch("sections__lessons", _bare_lessons()))
        )
        course = get_object_or_404(courses, pk=pk)
        shown = {
            "course": course,
            "price": current_price(course, moment=timezone.now()),
            "outline": outline_of(course),
            "stars": star_counts(course),
            "is_enrolled": person_of(request).is_authenticated
            and Enrollment.objects.active().filter(user=person_of(request), course=course).exists(),
        }
        return Response(self.get_serializer(_Shown(**shown)).data)


class _Shown:
    """What the detail of a course is made of."""

    def __init__(self, **parts: Any) -> None:
        self.__dict__.update(parts)


def _bare_lessons() -> QuerySet[Lesson]:
    return Lesson.objects.defer("body", "video_url", "file")


class CourseReviewsView(PagedByKeys):
    serializer_class = ReviewSerializer
    permission_classes = (IsAuthenticatedOrReadOnly,)
    sort_keys = (moment("created_at", is_descending=True), whole("pk", is_descending=True))

    def course(self, pk: int) -> Course:
        return get_object_or_404(Course.objects.visible_to(person_of(self.request)), pk=pk)

    @extend_schema(operation_id="course_reviews", responses=ReviewSerializer(many=True))
    def get(self, request: Request, pk: int) -> Response:
        """The reviews that are shown, newest first."""
        page = self.page(shown_reviews(self.course(pk)))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(
        operation_id="review_course", responses={201: ReviewSerializer, 409: ErrorSerializer}
    )
    def post(self, request: Request, pk: int) -> Response:
        """Review a course that one learns; once."""
        course = self.course(pk)
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        review: Review = write_review(
            author=person_of(request), course=course, **body.validated_data
        )
        return Response(self.get_serializer(review).data, status=status.HTTP_201_CREATED)


class EnrollmentListView(PagedByKeys):
    serializer_class = EnrollmentSerializer

    @extend_schema(operation_id="enrollments", responses=EnrollmentSerializer(many=True))
    def get(self, request: Request) -> Response:
        """The courses that the signed-in person may learn, newest first."""
        page = self.page(Enrollment.objects.active().filter(user=person_of(request)))
        courses = (
            Course.objects.filter(pk__in=[one.course_id for one in page])
            .with_ratings()
            .select_related("seller", "category")
        )
        cards = {card.course.pk: card for card in course_cards(courses, moment=timezone.now())}
        shown = [_with_card(one, cards[one.course_id]) for one in page]
        return self.get_paginated_response(self.get_serializer(shown, many=True).data)


def _with_card(enrollment: Enrollment, card: CourseCard) -> Enrollment:
    enrollment.card = card  # type: ignore[attr-defined]
    return enrollment


class LessonProgressView(GenericAPIView):
    serializer_class = LessonProgressSerializer

    def lesson(self, pk: int) -> Lesson:
        """The lesson, where the person may know that it exists."""
        return get_object_or_404(lessons_known_to(person_of(self.request)), pk=pk)

    @extend_schema(
        operation_id="lesson_progress",
        responses={200: LessonProgressSerializer, 403: ErrorSerializer},
    )
    def get(self, request: Request, pk: int) -> Response:
        """How far the signed-in person is; zeros before the first report."""
        lesson = self.lesson(pk)
        ensure_learner(person=person_of(request), lesson=lesson)
        progress = LessonProgress.objects.filter(user=person_of(request), lesson=lesson).first()
        shown = progress or LessonProgress(
            lesson=lesson,
            opened_at=None,  # type: ignore[misc]
        )
        return Response(self.get_serializer(shown).data)

    @extend_schema(
        operation_id="report_lesson_progress",
        responses={200: LessonProgressSerializer, 403: ErrorSerializer},
    )
    def put(self, request: Request, pk: int) -> Response:
        """Report how far the signed-in person is. Sent twice, it counts once."""
        lesson = self.lesson(pk)
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        progress = record_progress(
            learner=person_of(request), lesson=lesson, moment=timezone.now(), **body.validated_data
        )
        return Response(self.get_serializer(progress).data)


class LessonFileView(GenericAPIView):
    serializer_class = FileLinkSerializer

    @extend_schema(
        operation_id="lesson_file", responses={200: FileLinkSerializer, 403: ErrorSerializer}
    )
    def get(self, request: Request, pk: int) -> Response:
        """Where an owner of the course gets the lesson's file, for ten minutes.

        The address opens for nobody else: send the same token, or the same session.
        """
        person = person_of(request)
        lesson = get_object_or_404(lessons_known_to(person), pk=pk)
        try:
            link = link_to_file(person=person, lesson=lesson, moment=timezone.now())
        except NoFile as error:
            raise Http404 from error
        url = request.build_absolute_uri(reverse("catalog:file", args=[link.token]))
        shown = {"url": url, "expires_at": link.expires_at}
        return Response(self.get_serializer(shown).data)
