"""Every constraint of every app, broken once: the database refuses, whatever the program forgot."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.db import IntegrityError, models, transaction

from accounts.models import Consent, Purpose
from analytics.models import (
    CohortRetention,
    CourseRetention,
    Forecast,
    ImportRun,
    LearningSummary,
    ListExposure,
    Profile,
    ProfileCorrection,
    UserRetention,
)
from catalog.models import ChosenInterest
from streams.models import (
    ChangeCause,
    PinnedSpan,
    RoomMinute,
    RoomPresence,
    SessionChange,
    SessionCoupon,
    SessionStatus,
)
from tests import factories as made

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]

A_DAY = date(2026, 1, 5)


def session_change() -> SessionChange:
    return SessionChange.objects.create(
        live_session=made.LiveSessionFactory(live=True),
        before=SessionStatus.SCHEDULED,
        after=SessionStatus.LIVE,
        cause=ChangeCause.STREAM,
        changed_at=made.LONG_AGO,
    )


def pinned_span() -> PinnedSpan:
    return PinnedSpan.objects.create(
        live_session=made.LiveSessionFactory(live=True),
        course=made.CourseFactory(),
        pinned_at=made.LONG_AGO,
    )


def presence(**values: Any) -> RoomPresence:
    return RoomPresence.objects.create(viewers=b"", seen_at=made.LONG_AGO, **values)


def consent() -> Consent:
    return Consent.objects.create(
        user=made.UserFactory(), purpose=Purpose.TERMS, is_granted=True, document_version="1"
    )


def profile() -> Profile:
    return Profile.objects.create(user=made.UserFactory(), run=made.ModelRunFactory(served=False))


def exposure(**columns: object) -> ListExposure:
    return ListExposure.objects.create(
        **{"day": "2026-01-01", "course": made.CourseFactory(), "n_shown": 1, **columns}
    )


def forecast() -> Forecast:
    return Forecast.objects.create(
        live_session=made.LiveSessionFactory(),
        run=made.ModelRunFactory(served=False),
        expected_rate=0.1,
        low=0.05,
        high=0.2,
        level=0.9,
        basis="",
    )


def user_retention() -> UserRetention:
    return UserRetention.objects.create(
        user=made.UserFactory(),
        n_active_days=3,
        longest_run=2,
        current_streak=1,
        first_day=A_DAY,
        last_day=A_DAY,
    )


def cohort(**fields: object) -> CohortRetention:
    return CohortRetention.objects.create(
        **{"cohort_week": A_DAY, "day": 1, "n_cohort": 5, "n_returned": 2, **fields}
    )


def learning(**fields: object) -> LearningSummary:
    return LearningSummary.objects.create(
        user=fields.get("user") or made.UserFactory(),
        course=fields.get("course") or made.CourseFactory(),
        n_completed=1,
        n_opened=2,
        n_lessons=3,
    )


# A valid row, and the columns that would make it wrong.
CHECKS: dict[str, tuple[Callable[[], models.Model], list[dict[str, object]]]] = {
    "user_role_known": (made.UserFactory, [{"role": "king"}]),
    "stated_birth_year_plausible": (
        made.StatedAttributesFactory,
        [{"birth_year": 1899}, {"birth_year": 2101}],
    ),
    "stated_gender_known": (made.StatedAttributesFactory, [{"gender": "x"}]),
    "stated_occupation_known": (made.StatedAttributesFactory, [{"occupation": "spy"}]),
    "consent_purpose_known": (consent, [{"purpose": "fun"}]),
    "letter_sent_or_given_up": (
        lambda: made.LetterFactory(sent_at=made.LONG_AGO, n_attempts=1),
        [{"dropped_at": made.LONG_AGO}],
    ),
    "course_price_not_negative": (made.CourseFactory, [{"list_price": Decimal("-0.01")}]),
    "course_kind_known": (made.CourseFactory, [{"kind": "spaceship"}]),
    "course_level_known": (made.CourseFactory, [{"level": 0}, {"level": 4}]),
    "course_published_since": (made.CourseFactory, [{"published_at": None}]),
    "lesson_kind_known": (made.LessonFactory, [{"kind": "dream"}]),
    "coupon_percent_or_amount": (
        made.CouponFactory,
        [
            {"percent": 0},
            {"percent": 101},
            {"percent": None},
            {"kind": "amount", "percent": None, "amount": None},
            {"amount": Decimal(5)},
            {"kind": "amount", "percent": None, "amount": Decimal(0)},
            {"kind": "amount", "amount": Decimal(5)},
        ],
    ),
    "coupon_window": (made.CouponFactory, [{"ends_at": models.F("starts_at")}]),
    "coupon_uses_within_limit": (made.CouponFactory, [{"max_uses": 1, "n_used": 2}]),
    "coupon_spent_within_budget": (
        made.CouponFactory,
        [{"budget": Decimal(1), "spent": Decimal("1.01")}],
    ),
    "coupon_minimum_spend": (made.CouponFactory, [{"minimum_spend": Decimal("-0.01")}]),
    "promotion_window": (made.PromotionFactory, [{"ends_at": models.F("starts_at")}]),
    "promotion_price_not_negative": (made.PromotionFactory, [{"price": Decimal("-0.01")}]),
    "promotion_seats_within": (
        made.PromotionFactory,
        [
            {"seats": 3, "seats_left": 4},
            {"seats": 5, "seats_left": None},
            {"seats": None, "seats_left": 5},
        ],
    ),
    "order_total_within_list_total": (
        made.OrderFactory,
        [{"total": Decimal("-0.01")}, {"total": Decimal("100.01")}],
    ),
    "order_status_known": (made.OrderFactory, [{"status": "lost"}]),
    "order_paid_since": (made.OrderFactory, [{"paid_at": None}]),
    "purchase_price_within_list_price": (
        made.PurchaseFactory,
        [{"price": Decimal("-0.01")}, {"price": Decimal("100.01")}],
    ),
    "purchase_coupon_within_reduction": (
        lambda: made.PurchaseFactory(price=Decimal("90.00"), coupon_discount=Decimal("10.00")),
        [{"coupon_discount": Decimal("-0.01")}, {"coupon_discount": Decimal("10.01")}],
    ),
    "slot_window": (made.ConsultationSlotFactory, [{"ends_at": models.F("starts_at")}]),
    "payment_status_known": (made.PaymentFactory, [{"status": "lost"}]),
    "payment_amount_above_zero": (made.PaymentFactory, [{"amount": 0}]),
    "ledger_kind_known": (made.LedgerEntryFactory, [{"kind": "gift"}]),
    "ledger_amount_not_negative": (made.LedgerEntryFactory, [{"amount": Decimal("-0.01")}]),
    "refund_status_known": (made.RefundFactory, [{"status": "lost"}]),
    "refund_amount_not_negative": (made.RefundFactory, [{"amount": Decimal("-0.01")}]),
    "sandbox_state_known": (made.SandboxPaymentFactory, [{"state": "lost"}]),
    "sandbox_refund_within_amount": (
        made.SandboxPaymentFactory,
        [{"refunded": Decimal("-0.01")}, {"refunded": Decimal("100.01")}],
    ),
    "review_rating_in_stars": (made.ReviewFactory, [{"rating": 0}, {"rating": 6}]),
    "session_status_known": (made.LiveSessionFactory, [{"status": "asleep"}]),
    "session_scheduled_for": (made.LiveSessionFactory, [{"scheduled_at": None}]),
    "session_started_since": (made.LiveSessionFactory, [{"status": "live"}]),
    "session_ended_since": (
        lambda: made.LiveSessionFactory(live=True),
        [{"status": "ended"}, {"status": "replay"}],
    ),
    "session_ends_after_start": (
        lambda: made.LiveSessionFactory(ended=True),
        [{"ended_at": made.LONG_AGO - timedelta(seconds=1)}],
    ),
    "poll_closes_after_it_opened": (
        made.PollFactory,
        [{"closed_at": made.LONG_AGO - timedelta(seconds=1), "opened_at": made.LONG_AGO}],
    ),
    "draw_has_winners": (made.DrawFactory, [{"n_winners": 0}, {"n_winners": 101}]),
    "draw_closes_after_it_opened": (made.DrawFactory, [{"closes_at": models.F("opened_at")}]),
    "chat_rules_in_bounds": (
        made.ChatRulesFactory,
        [
            {"burst": 0},
            {"burst": 21},
            {"burst_seconds": 0},
            {"burst_seconds": 61},
            {"pause_seconds": 0},
            {"pause_seconds": 601},
            {"slow_seconds": 601},
            {"longest": 9},
            {"longest": 501},
        ],
    ),
    "restriction_kind_known": (made.RestrictionFactory, [{"kind": "hush"}]),
    "restriction_ends_after_start": (
        made.RestrictionFactory,
        [{"until": models.F("imposed_at")}],
    ),
    "session_change_changes_something": (session_change, [{"after": SessionStatus.SCHEDULED}]),
    "pinned_span_ends_after_start": (
        pinned_span,
        [{"unpinned_at": made.LONG_AGO - timedelta(seconds=1)}],
    ),
    "visit_has_somebody": (made.VisitFactory, [{"user": None, "visitor_id": None}]),
    "visit_ends_after_start": (
        made.VisitFactory,
        [{"last_seen_at": models.F("joined_at") - timedelta(seconds=1)}],
    ),
    "visit_source_known": (made.VisitFactory, [{"source": "dream"}]),
    "stream_key_active_or_revoked": (made.StreamKeyFactory, [{"revoked_at": made.LONG_AGO}]),
    "event_has_somebody": (made.EventFactory, [{"user": None}]),
    "event_has_time_or_position": (made.EventFactory, [{"occurred_at": None}]),
    "event_kind_known": (made.EventFactory, [{"kind": 0}, {"kind": 99}]),
    "run_task_known": (made.ModelRunFactory, [{"task": "magic"}]),
    "run_outcome_known": (made.ModelRunFactory, [{"outcome": "magic"}]),
    "profile_stage_known": (profile, [{"stage": "asleep"}]),
    "figures_buyers_are_viewers": (made.SessionFiguresFactory, [{"n_buyers": 1001}]),
    "exposure_explored_within_shown": (exposure, [{"n_explored": 2}]),
    "figures_net_within_gmv": (made.SessionFiguresFactory, [{"net_sales": Decimal("0.01")}]),
    "forecast_interval_holds_rate": (
        forecast,
        [{"low": -0.1}, {"low": 0.15}, {"high": 0.05}, {"high": 1.1}],
    ),
    "retention_run_within_days": (
        user_retention,
        [{"n_active_days": 0}, {"longest_run": 0}, {"longest_run": 4}, {"current_streak": 3}],
    ),
    "course_retention_runs_within_days": (
        lambda: CourseRetention.objects.create(course=made.CourseFactory()),
        [{"longest_run_days": 1}],
    ),
    "cohort_returned_within": (cohort, [{"n_returned": 6}]),
    "learning_counts_ordered": (learning, [{"n_completed": 3}, {"n_opened": 4}]),
}

# The same row made twice: each factory is called with the values that must not recur.
PAIRS: dict[str, tuple[Callable[..., models.Model], Callable[[], dict[str, object]]]] = {
    "user_import_id": (made.UserFactory, lambda: {"import_source": "shop", "external_id": "7"}),
    "interest_chosen_once": (
        ChosenInterest.objects.create,
        lambda: {"user": made.UserFactory(), "category": made.CategoryFactory()},
    ),
    "course_import_id": (made.CourseFactory, lambda: {"import_source": "shop", "external_id": "7"}),
    "order_sent_once": (
        made.OrderFactory,
        lambda: {"buyer": made.UserFactory(), "idempotency_key": "k"},
    ),
    "purchase_once_per_order": (
        made.PurchaseFactory,
        lambda: {"order": made.OrderFactory(), "course": made.CourseFactory()},
    ),
    "purchase_held_once": (
        made.PurchaseFactory,
        lambda: {"holder": made.UserFactory(), "course": made.CourseFactory()},
    ),
    "coupon_claimed_once": (
        made.CouponClaimFactory,
        lambda: {"user": made.UserFactory(), "coupon": made.CouponFactory()},
    ),
    "slot_once_per_start": (
        made.ConsultationSlotFactory,
        lambda: {"course": made.CourseFactory(), "starts_at": made.LONG_AGO},
    ),
    "payment_known_once": (made.PaymentFactory, lambda: {"reference": "r"}),
    "ledger_move_once": (made.LedgerEntryFactory, lambda: {"order": made.OrderFactory()}),
    "enrollment_once_per_course": (
        made.EnrollmentFactory,
        lambda: {"user": made.UserFactory(), "course": made.CourseFactory()},
    ),
    "review_once_per_course": (
        made.ReviewFactory,
        lambda: {"user": made.UserFactory(), "course": made.CourseFactory()},
    ),
    "progress_once_per_lesson": (
        made.LessonProgressFactory,
        lambda: {"user": made.UserFactory(), "lesson": made.LessonFactory()},
    ),
    "session_import_id": (
        made.LiveSessionFactory,
        lambda: {"import_source": "shop", "external_id": "7"},
    ),
    "showcase_holds_course_once": (
        made.ShowcaseItemFactory,
        lambda: {"live_session": made.LiveSessionFactory(), "course": made.CourseFactory()},
    ),
    "session_hands_out_coupon_once": (
        SessionCoupon.objects.create,
        lambda: {"live_session": made.LiveSessionFactory(), "coupon": made.CouponFactory()},
    ),
    "chat_message_sent_once": (
        made.ChatMessageFactory,
        lambda: {
            "author": made.UserFactory(),
            "live_session": made.LiveSessionFactory(live=True),
            "key": uuid.UUID(int=7),
        },
    ),
    "moderator_once": (
        made.ModeratorFactory,
        lambda: {"live_session": made.LiveSessionFactory(), "user": made.UserFactory()},
    ),
    "reminder_once": (
        made.ReminderFactory,
        lambda: {"live_session": made.LiveSessionFactory(), "user": made.UserFactory()},
    ),
    "import_of_file_once": (
        ImportRun.objects.create,
        lambda: {"target": "users", "file_name": "a.csv", "fingerprint": "f"},
    ),
    "correction_once_per_subject": (
        ProfileCorrection.objects.create,
        lambda: {"user": made.UserFactory(), "subject": "hours"},
    ),
    "exposure_once_per_day": (
        ListExposure.objects.create,
        lambda: {"course": made.CourseFactory(), "day": "2026-01-01"},
    ),
    "cohort_day_once": (cohort, dict),
    "learning_once": (
        learning,
        lambda: {"user": made.UserFactory(), "course": made.CourseFactory()},
    ),
    "presence_of_process_once": (
        presence,
        lambda: {"live_session": made.LiveSessionFactory(), "process": uuid.uuid4()},
    ),
    "room_minute_once": (
        RoomMinute.objects.create,
        lambda: {"live_session": made.LiveSessionFactory(), "minute": made.LONG_AGO},
    ),
    "poll_option_once": (
        made.PollOptionFactory,
        lambda: {"poll": made.PollFactory(), "position": 0},
    ),
    "poll_vote_once": (
        made.PollVoteFactory,
        lambda: {"option": made.PollOptionFactory(), "voter": made.UserFactory()},
    ),
    "draw_entered_once": (
        made.DrawEntryFactory,
        lambda: {"draw": made.DrawFactory(), "entrant": made.UserFactory()},
    ),
    "draw_ticket_once": (
        made.DrawEntryFactory,
        lambda: {"draw": made.DrawFactory(), "ticket": "TICKET"},
    ),
    "draw_place_once": (
        made.DrawEntryFactory,
        lambda: {"draw": made.DrawFactory(), "place": 1},
    ),
}


@pytest.mark.parametrize("name", CHECKS)
def test_the_database_refuses_a_row_that_breaks_the_check(name: str) -> None:
    make, wrong = CHECKS[name]
    row = make()

    for columns in wrong:
        with pytest.raises(IntegrityError, match=name), transaction.atomic():
            # Past managers, of which the ledger's refuses every change.
            models.QuerySet(type(row)).filter(pk=row.pk).update(**columns)


@pytest.mark.parametrize("name", PAIRS)
def test_the_database_refuses_a_second_row_of_what_is_unique(name: str) -> None:
    make, values = PAIRS[name]
    same = values()
    make(**same)

    with pytest.raises(IntegrityError, match=r"(?i)unique|duplicate"), transaction.atomic():
        make(**same)


def test_no_constraint_is_left_out_here() -> None:
    ours = ("accounts", "catalog", "streams", "analytics")
    declared = {
        constraint.name: constraint
        for app in ours
        for model in apps.get_app_config(app).get_models()
        for constraint in model._meta.constraints
    }

    assert set(declared) == set(CHECKS) | set(PAIRS)
    # MySQL and MariaDB make no unique index with a condition: nothing may rest on one.
    assert not [name for name in PAIRS if declared[name].condition is not None]
