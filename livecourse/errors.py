"""Named errors of the rules as answers of the API, each mapped once."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.utils.translation import gettext as _
from drf_standardized_errors.handler import ExceptionHandler
from rest_framework import exceptions, status

from accounts.personal_data import EndedByOperator, WrongPassword
from accounts.sign_in import EmailTaken, EmailUnconfirmed, LockedOut
from analytics.corrections import BadCorrection, NotPersonalised
from analytics.events import BadEvent
from catalog.checkout import AlreadyOwned, KeyReused, NotOnSale, OrderOpen, OwnCourse
from catalog.coupons import (
    BelowMinimumSpend,
    CouponCoversNothing,
    CouponNotRunning,
    CouponSpent,
    UnknownCoupon,
)
from catalog.holds import PriceChanged, SoldOut
from catalog.lesson_progress import NotALearner, PositionBeyondEnd
from catalog.payments.provider import ProviderUnavailable
from catalog.payments.registry import UnknownProvider
from catalog.payments.starting import CurrencyNotTaken, NotPayable
from catalog.pricing import MixedCurrencies, TotalTooLarge
from catalog.reviews import AlreadyReviewed, NotEnrolled
from livecourse.api_bodies import BodyTooLarge
from livecourse.database_away import DatabaseAway, is_database_away
from streams.draws import DrawClosed, MayNotEnter
from streams.live_orders import NotFromThere
from streams.moderation import MayNotModerate, NotSuited, OutOfReach
from streams.polls import AlreadyVoted, PollClosed, UnknownOption
from streams.reminders import NotScheduled
from streams.taking_part import Banned, NotLive

# What a rule refuses: the status that the API answers, and the code that a program can test.
REFUSALS: dict[type[Exception], tuple[int, str]] = {
    AlreadyReviewed: (status.HTTP_409_CONFLICT, "already_reviewed"),
    NotScheduled: (status.HTTP_409_CONFLICT, "not_scheduled"),
    AlreadyOwned: (status.HTTP_409_CONFLICT, "already_owned"),
    OwnCourse: (status.HTTP_409_CONFLICT, "own_course"),
    OrderOpen: (status.HTTP_409_CONFLICT, "order_open"),
    SoldOut: (status.HTTP_409_CONFLICT, "sold_out"),
    CouponSpent: (status.HTTP_409_CONFLICT, "coupon_spent"),
    PriceChanged: (status.HTTP_409_CONFLICT, "price_changed"),
    NotPayable: (status.HTTP_409_CONFLICT, "not_payable"),
    KeyReused: (status.HTTP_422_UNPROCESSABLE_ENTITY, "idempotency_key_reused"),
    EndedByOperator: (status.HTTP_409_CONFLICT, "ended_by_operator"),
    AlreadyVoted: (status.HTTP_409_CONFLICT, "already_voted"),
    PollClosed: (status.HTTP_409_CONFLICT, "poll_closed"),
    DrawClosed: (status.HTTP_409_CONFLICT, "draw_closed"),
    NotLive: (status.HTTP_409_CONFLICT, "not_live"),
    Banned: (status.HTTP_403_FORBIDDEN, "banned"),
    MayNotEnter: (status.HTTP_403_FORBIDDEN, "may_not_enter"),
    OutOfReach: (status.HTTP_409_CONFLICT, "out_of_reach"),
    NotSuited: (status.HTTP_409_CONFLICT, "not_suited"),
    MayNotModerate: (status.HTTP_403_FORBIDDEN, "not_a_moderator"),
    NotEnrolled: (status.HTTP_403_FORBIDDEN, "not_enrolled"),
    NotPersonalised: (status.HTTP_409_CONFLICT, "not_personalised"),
    NotALearner: (status.HTTP_403_FORBIDDEN, "not_enrolled"),
    EmailUnconfirmed: (status.HTTP_403_FORBIDDEN, "email_unconfirmed"),
    LockedOut: (status.HTTP_429_TOO_MANY_REQUESTS, "locked_out"),
}
# What a rule finds wrong in one field of the body: the field and the code.
FIELD_ERRORS: dict[type[Exception], tuple[str, str]] = {
    EmailTaken: ("email", "email_taken"),
    WrongPassword: ("password", "wrong_password"),
    NotFromThere: ("live_session", "not_from_there"),
    NotOnSale: ("items", "not_on_sale"),
    MixedCurrencies: ("items", "mixed_currencies"),
    TotalTooLarge: ("items", "total_too_large"),
    UnknownCoupon: ("coupon", "unknown_coupon"),
    CouponNotRunning: ("coupon", "coupon_not_running"),
    CouponCoversNothing: ("coupon", "coupon_covers_nothing"),
    BelowMinimumSpend: ("coupon", "below_minimum_spend"),
    UnknownProvider: ("provider", "unknown_provider"),
    CurrencyNotTaken: ("provider", "currency_not_taken"),
    UnknownOption: ("option", "unknown_option"),
    PositionBeyondEnd: ("position_seconds", "beyond_end"),
}


class PaymentServiceAway(exceptions.APIException):
    """A payment vendor cannot be reached. What it said is for the log, and not for buyers."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "provider_unavailable"
    # In seconds, told as Retry-After.
    wait = 5

    def __init__(self) -> None:
        super().__init__(_("The payment service cannot be reached. Please try again."))


class ApiExceptionHandler(ExceptionHandler):
    """Turns the rules' errors into the one shape that all errors have."""

    def convert_known_exceptions(self, exc: Exception) -> Exception:
        if isinstance(exc, BadEvent):
            reason = exceptions.ErrorDetail(str(exc), code=exc.code)
            # Addressed by its place, so that a program can drop or mend that event alone.
            return exceptions.ValidationError({f"events.{exc.index}.{exc.field}": [reason]})
        if isinstance(exc, BadCorrection):
            reason = exceptions.ErrorDetail(str(exc), "bad_correction")
            return exceptions.ValidationError({exc.part: [reason]})
        if type(exc) in REFUSALS:
            code, name = REFUSALS[type(exc)]
            refusal = exceptions.APIException(str(exc), code=name)
            refusal.status_code = code
            refusal.wait = getattr(exc, "wait_seconds", None)  # type: ignore[attr-defined]
            return refusal
        if isinstance(exc, ProviderUnavailable):
            return PaymentServiceAway()
        if not settings.DEBUG and is_database_away(exc):
            return DatabaseAway()
        if isinstance(exc, RequestDataTooBig):
            return BodyTooLarge()
        if type(exc) in FIELD_ERRORS:
            field, name = FIELD_ERRORS[type(exc)]
            return exceptions.ValidationError({field: [exceptions.ErrorDetail(str(exc), name)]})
        return super().convert_known_exceptions(exc)
