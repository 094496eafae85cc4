"""Bodies of the API about courses, reviews and learning."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from accounts.models import User
from accounts.serializers import MeSerializer, PublicPersonSerializer
from catalog.cards import CourseCard
from catalog.covers import course_cover_url
from catalog.lesson_progress import MOST_STUDY_SECONDS
from catalog.models import (
    HIGHEST_RATING,
    Category,
    CourseKind,
    LessonKind,
    LessonProgress,
    Level,
)
from catalog.search import CourseSearch, Sort

TEACHING_LANGUAGES = [("zh", "中文"), ("en", "English")]
LONGEST_LESSON = 2_147_483_647
MOST_INTERESTS = 100


def money(**options: Any) -> serializers.DecimalField:
    """An amount as a decimal string; its currency stands beside it."""
    return serializers.DecimalField(max_digits=14, decimal_places=2, **options)


class MeWithInterestsSerializer(MeSerializer):
    """The signed-in person with the fields of knowledge that they chose, by their slugs."""

    interests = serializers.ListField(
        child=serializers.SlugField(max_length=60), required=False, max_length=MOST_INTERESTS
    )

    def validate_interests(self, slugs: list[str]) -> list[Category]:
        found = {one.slug: one for one in Category.objects.filter(slug__in=slugs)}
        if unknown := sorted(set(slugs) - set(found)):
            raise serializers.ValidationError(
                _("There is no field “%(slug)s”.") % {"slug": unknown[0]}, "unknown_field"
            )
        return list(found.values())

    def to_representation(self, instance: User) -> dict[str, Any]:
        shown = super().to_representation(instance)
        chosen = instance.chosen_interests.order_by("category__position", "category__slug")
        return {**shown, "interests": list(chosen.values_list("category__slug", flat=True))}


class CategorySerializer(serializers.Serializer):
    slug = serializers.SlugField()
    name = serializers.CharField(help_text="In the language of the request.")


class CourseSerializer(serializers.Serializer):
    """A course as cards show it, with the price that everybody pays now."""

    id = serializers.IntegerField(source="course.pk")
    kind = serializers.ChoiceField(CourseKind.choices, source="course.kind")
    slug = serializers.CharField(source="course.slug")
    title = serializers.CharField(source="course.title")
    summary = serializers.CharField(source="course.summary")
    language = serializers.ChoiceField(TEACHING_LANGUAGES, source="course.language")
    level = serializers.ChoiceField(Level.choices, source="course.level")
    tags = serializers.ListField(child=serializers.CharField(), source="course.tags")
    category = CategorySerializer(source="course.category")
    seller = PublicPersonSerializer(source="course.seller")
    list_price = money(source="price.list_price")
    price = money(source="price.amount")
    currency = serializers.CharField(source="price.currency")
    price_ends_at = serializers.DateTimeField(
        source="price.promotion.ends_at",
        default=None,
        allow_null=True,
        help_text="When the promotion ends that lowers the price; null without one.",
    )
    seats_left = serializers.IntegerField(
        source="price.promotion.seats_left",
        default=None,
        allow_null=True,
        help_text="Seats left at this price; null without a limit.",
    )
    rating_mean = serializers.FloatField(source="course.rating_mean", allow_null=True)
    n_ratings = serializers.IntegerField(source="course.n_ratings")
    cover = serializers.SerializerMethodField()
    published_at = serializers.DateTimeField(source="course.published_at", allow_null=True)

    def get_cover(self, card: CourseCard) -> str:
        """An absolute address."""
        return self.context["request"].build_absolute_uri(course_cover_url(card.course))


class CourseWithLearnersSerializer(CourseSerializer):
    n_learners = serializers.IntegerField(source="course.n_learners")


class LessonSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    title = serializers.CharField()
    kind = serializers.ChoiceField(LessonKind.choices)
    duration_seconds = serializers.IntegerField()
    is_preview = serializers.BooleanField()


class SectionSerializer(serializers.Serializer):
    title = serializers.CharField(source="section.title")
    lessons = LessonSerializer(many=True)


class StarCountSerializer(serializers.Serializer):
    stars = serializers.IntegerField()
    n = serializers.IntegerField()


class CourseDetailSerializer(CourseWithLearnersSerializer):
    """A course with what it holds and how it is rated."""

    description = serializers.CharField(source="course.description", help_text="Markdown.")
    sections = SectionSerializer(many=True, source="outline.sections")
    stars = StarCountSerializer(many=True)
    is_enrolled = serializers.BooleanField()


class CourseQuerySerializer(serializers.Serializer):
    """The filters of the list of courses."""

    q = serializers.CharField(
        required=False, allow_blank=True, max_length=100, help_text="Words that must occur."
    )
    category = serializers.SlugRelatedField(
        slug_field="slug", queryset=Category.objects.all(), required=False
    )
    kind = serializers.ChoiceField(CourseKind.choices, required=False)
    level = serializers.ChoiceField(Level.choices, required=False)
    language = serializers.ChoiceField(TEACHING_LANGUAGES, required=False)
    price_min = serializers.DecimalField(10, 2, required=False, min_value=Decimal(0))
    price_max = serializers.DecimalField(10, 2, required=False, min_value=Decimal(0))
    sort = serializers.ChoiceField(Sort.choices, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        low, high = attrs.get("price_min"), attrs.get("price_max")
        if low is not None and high is not None and low > high:
            raise serializers.ValidationError(
                {"price_max": _("The highest price must not be below the lowest price.")}
            )
        return attrs

    def search(self) -> CourseSearch:
        """What is looked for; raises a validation error for a filter that is not valid."""
        self.is_valid(raise_exception=True)
        given = dict(self.validated_data)
        return CourseSearch(
            text=given.pop("q", ""), sort=Sort(given.pop("sort", Sort.NEWEST)), **given
        )


class ReviewSerializer(serializers.Serializer):
    """What a learner thinks of a course."""

    id = serializers.IntegerField(read_only=True)
    author = serializers.CharField(source="user.display_name", read_only=True)
    rating = serializers.IntegerField(min_value=1, max_value=HIGHEST_RATING)
    text = serializers.CharField(required=False, allow_blank=True, max_length=2000, default="")
    created_at = serializers.DateTimeField(read_only=True)


class EnrollmentSerializer(serializers.Serializer):
    """A course that one may learn."""

    id = serializers.IntegerField()
    enrolled_at = serializers.DateTimeField()
    course = CourseSerializer(source="card")


class LessonProgressSerializer(serializers.Serializer):
    """How far one is in a lesson. `seconds` is the total studied so far, not an addition."""

    lesson = serializers.IntegerField(source="lesson_id", read_only=True)
    seconds = serializers.IntegerField(
        min_value=0, max_value=MOST_STUDY_SECONDS, help_text="Never goes down."
    )
    position_seconds = serializers.IntegerField(
        min_value=0, max_value=LONGEST_LESSON, help_text="At most the length of the lesson."
    )
    is_completed = serializers.BooleanField(default=False, help_text="Once true, stays true.")
    opened_at = serializers.DateTimeField(read_only=True, allow_null=True)
    completed_at = serializers.DateTimeField(read_only=True, allow_null=True)

    def to_representation(self, instance: LessonProgress) -> dict[str, Any]:
        instance.is_completed = instance.completed_at is not None  # type: ignore[attr-defined]
        return super().to_representation(instance)


class FileLinkSerializer(serializers.Serializer):
    """Where a file is got, and until when."""

    url = serializers.URLField(help_text="An absolute address, for the same person alone.")
    expires_at = serializers.DateTimeField()
