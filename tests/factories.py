"""Rows for tests: each the smallest that the database takes, told apart by a sequence."""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from accounts.models import Letter, Role, StatedAttributes, User
from analytics.models import (
    Event,
    EventKind,
    ModelRun,
    RunOutcome,
    ServedRun,
    SessionFigures,
    Task,
)
from catalog.models import (
    Category,
    ConsultationSlot,
    Coupon,
    CouponClaim,
    Course,
    CourseStatus,
    DiscountKind,
    Enrollment,
    LedgerEntry,
    Lesson,
    LessonProgress,
    MoneyMove,
    Order,
    OrderStatus,
    Payment,
    Promotion,
    Purchase,
    Refund,
    Review,
    SandboxPayment,
    Section,
)
from streams.models import (
    Broadcast,
    ChatMessage,
    ChatRules,
    Draw,
    DrawEntry,
    LiveSession,
    ModerationAct,
    Moderator,
    OrderAttribution,
    Poll,
    PollOption,
    PollVote,
    Reminder,
    Restriction,
    SessionCoupon,
    SessionPromotion,
    SessionStatus,
    ShowcaseItem,
    StreamKey,
    Visit,
)

PASSWORD = "correct horse battery staple"
# A fixed moment for rows whose age does not matter to a test.
LONG_AGO = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


class UserFactory(DjangoModelFactory):
    """A viewer who can sign in with PASSWORD."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    email = factory.Sequence(lambda n: f"person{n}@example.com")
    display_name = factory.Sequence(lambda n: f"Person {n}")
    password = factory.django.Password(PASSWORD)


class SellerFactory(UserFactory):
    role = Role.SELLER
    display_name = factory.Sequence(lambda n: f"Seller {n}")


class OperatorFactory(UserFactory):
    role = Role.OPERATOR


class StatedAttributesFactory(DjangoModelFactory):
    class Meta:
        model = StatedAttributes

    user = factory.SubFactory(UserFactory)
    birth_year = 1990


class LetterFactory(DjangoModelFactory):
    """A letter that waits; no app is asked for its words before it is sent."""

    class Meta:
        model = Letter

    key = factory.Sequence(lambda n: f"letter-{n}")
    kind = "receipt"
    recipient = factory.SubFactory(UserFactory)
    subject_id = 1
    created_at = LONG_AGO
    not_before = LONG_AGO


class CategoryFactory(DjangoModelFactory):
    class Meta:
        model = Category

    slug = factory.Sequence(lambda n: f"field-{n}")
    name_zh = factory.Sequence(lambda n: f"领域{n}")
    name_en = factory.Sequence(lambda n: f"Field {n}")


class CourseFactory(DjangoModelFactory):
    """A published course of a seller of its own."""

    class Meta:
        model = Course

    seller = factory.SubFactory(SellerFactory)
    slug = factory.Sequence(lambda n: f"course-{n}")
    title = factory.Sequence(lambda n: f"Course {n}")
    category = factory.SubFactory(CategoryFactory)
    list_price = Decimal("100.00")
    status = CourseStatus.PUBLISHED
    published_at = LONG_AGO


class SectionFactory(DjangoModelFactory):
    class Meta:
        model = Section

    course = factory.SubFactory(CourseFactory)
    title = factory.Sequence(lambda n: f"Section {n}")
    position = factory.Sequence(lambda n: n)


class LessonFactory(DjangoModelFactory):
    class Meta:
        model = Lesson

    section = factory.SubFactory(SectionFactory)
    title = factory.Sequence(lambda n: f"Lesson {n}")
    duration_seconds = 600
    position = factory.Sequence(lambda n: n)


class CouponFactory(DjangoModelFactory):
    """Ten percent off everything of its seller, running now."""

    class Meta:
        model = Coupon

    seller = factory.SubFactory(SellerFactory)
    code = factory.Sequence(lambda n: f"CODE{n}")
    kind = DiscountKind.PERCENT
    percent = 10
    starts_at = factory.LazyFunction(lambda: timezone.now() - timedelta(days=1))
    ends_at = factory.LazyFunction(lambda: timezone.now() + timedelta(days=1))


class PromotionFactory(DjangoModelFactory):
    """A lower price for everybody, running now, without a limit of seats."""

    class Meta:
        model = Promotion

    course = factory.SubFactory(CourseFactory)
    price = Decimal("60.00")
    starts_at = factory.LazyFunction(lambda: timezone.now() - timedelta(days=1))
    ends_at = factory.LazyFunction(lambda: timezone.now() + timedelta(days=1))


class OrderFactory(DjangoModelFactory):
    """A paid order; its lines are made by PurchaseFactory."""

    class Meta:
        model = Order

    buyer = factory.SubFactory(UserFactory)
    status = OrderStatus.PAID
    list_total = Decimal("100.00")
    total = Decimal("100.00")
    paid_at = LONG_AGO


class PurchaseFactory(DjangoModelFactory):
    class Meta:
        model = Purchase

    order = factory.SubFactory(OrderFactory)
    course = factory.SubFactory(CourseFactory)
    list_price = Decimal("100.00")
    price = Decimal("100.00")


class ConsultationSlotFactory(DjangoModelFactory):
    """Half an hour tomorrow, free; those of one consultation follow each other."""

    class Meta:
        model = ConsultationSlot

    class Params:
        number = factory.Sequence(lambda n: n)

    course = factory.SubFactory(CourseFactory, kind="consultation")
    starts_at = factory.LazyAttribute(
        lambda slot: timezone.now() + timedelta(days=1, minutes=30 * slot.number)
    )
    ends_at = factory.LazyAttribute(lambda slot: slot.starts_at + timedelta(minutes=30))


class CouponClaimFactory(DjangoModelFactory):
    class Meta:
        model = CouponClaim

    user = factory.SubFactory(UserFactory)
    coupon = factory.SubFactory(CouponFactory)


class PaymentFactory(DjangoModelFactory):
    """One that was begun in the sandbox, of which nothing was heard yet."""

    class Meta:
        model = Payment

    order = factory.SubFactory(OrderFactory)
    provider = "sandbox"
    reference = factory.Sequence(lambda n: f"reference-{n}")
    amount = Decimal("100.00")


class LedgerEntryFactory(DjangoModelFactory):
    class Meta:
        model = LedgerEntry

    order = factory.SubFactory(OrderFactory)
    key = "charge"
    kind = MoneyMove.CHARGE
    amount = Decimal("100.00")


class RefundFactory(DjangoModelFactory):
    """One that is on its way."""

    class Meta:
        model = Refund

    key = factory.Sequence(lambda n: f"line-{n}")
    order = factory.SubFactory(OrderFactory)
    payment = factory.SubFactory(PaymentFactory)
    amount = Decimal("100.00")


class SandboxPaymentFactory(DjangoModelFactory):
    class Meta:
        model = SandboxPayment

    number = factory.LazyFunction(lambda: uuid.uuid4().hex)
    title = "Course"
    amount = Decimal("100.00")
    return_url = "http://127.0.0.1:8000/orders/"
    notify_url = "http://127.0.0.1:8000/payments/sandbox/notify/"


class EnrollmentFactory(DjangoModelFactory):
    class Meta:
        model = Enrollment

    user = factory.SubFactory(UserFactory)
    course = factory.SubFactory(CourseFactory)
    enrolled_at = LONG_AGO


class ReviewFactory(DjangoModelFactory):
    class Meta:
        model = Review

    user = factory.SubFactory(UserFactory)
    course = factory.SubFactory(CourseFactory)
    rating = 4
    text = "Clear and to the point."


class LessonProgressFactory(DjangoModelFactory):
    class Meta:
        model = LessonProgress

    user = factory.SubFactory(UserFactory)
    lesson = factory.SubFactory(LessonFactory)
    opened_at = LONG_AGO
    updated_at = LONG_AGO
    seconds = 300


class LiveSessionFactory(DjangoModelFactory):
    """A scheduled session; `live` is on air since an hour, `ended` was on air LONG_AGO."""

    class Meta:
        model = LiveSession

    class Params:
        live = factory.Trait(
            status=SessionStatus.LIVE,
            started_at=factory.LazyFunction(lambda: timezone.now() - timedelta(hours=1)),
        )
        ended = factory.Trait(
            status=SessionStatus.ENDED,
            scheduled_at=LONG_AGO,
            started_at=LONG_AGO,
            ended_at=LONG_AGO + timedelta(hours=1),
        )
        draft = factory.Trait(status=SessionStatus.DRAFT, scheduled_at=None)

    seller = factory.SubFactory(SellerFactory)
    title = factory.Sequence(lambda n: f"Session {n}")
    status = SessionStatus.SCHEDULED
    scheduled_at = factory.LazyFunction(lambda: timezone.now() + timedelta(days=1))


class StreamKeyFactory(DjangoModelFactory):
    """The valid key of a seller; what it is, only its maker knows."""

    class Meta:
        model = StreamKey

    seller = factory.SubFactory(SellerFactory)
    active_of = factory.SelfAttribute("seller")
    digest = factory.Sequence(lambda n: f"{n:064x}")
    ending = "wxyz"


class BroadcastFactory(DjangoModelFactory):
    class Meta:
        model = Broadcast

    live_session = factory.SubFactory(LiveSessionFactory, live=True)


class ShowcaseItemFactory(DjangoModelFactory):
    class Meta:
        model = ShowcaseItem

    live_session = factory.SubFactory(LiveSessionFactory)
    course = factory.SubFactory(CourseFactory)
    position = factory.Sequence(lambda n: n)


class SessionPromotionFactory(DjangoModelFactory):
    class Meta:
        model = SessionPromotion

    live_session = factory.SubFactory(LiveSessionFactory)
    promotion = factory.SubFactory(PromotionFactory, is_public=False)


class SessionCouponFactory(DjangoModelFactory):
    class Meta:
        model = SessionCoupon

    live_session = factory.SubFactory(LiveSessionFactory, live=True)
    coupon = factory.SubFactory(CouponFactory)


class OrderAttributionFactory(DjangoModelFactory):
    class Meta:
        model = OrderAttribution

    order = factory.SubFactory(OrderFactory)
    live_session = factory.SubFactory(LiveSessionFactory, ended=True)


class ChatMessageFactory(DjangoModelFactory):
    class Meta:
        model = ChatMessage

    live_session = factory.SubFactory(LiveSessionFactory, live=True)
    author = factory.SubFactory(UserFactory)
    text = "Hello"


class ChatRulesFactory(DjangoModelFactory):
    class Meta:
        model = ChatRules

    live_session = factory.SubFactory(LiveSessionFactory, live=True)


class ModeratorFactory(DjangoModelFactory):
    class Meta:
        model = Moderator

    live_session = factory.SubFactory(LiveSessionFactory, live=True)
    user = factory.SubFactory(UserFactory)
    added_by = factory.SelfAttribute("live_session.seller")


class RestrictionFactory(DjangoModelFactory):
    """A mute by the seller in one session, until it is lifted."""

    class Meta:
        model = Restriction

    live_session = factory.SubFactory(LiveSessionFactory, live=True)
    seller = factory.SelfAttribute("live_session.seller")
    user = factory.SubFactory(UserFactory)
    kind = "mute"
    imposed_by = factory.SelfAttribute("seller")


class ModerationActFactory(DjangoModelFactory):
    class Meta:
        model = ModerationAct

    live_session = factory.SubFactory(LiveSessionFactory, live=True)
    kind = "mute"
    actor = factory.SelfAttribute("live_session.seller")
    subject = factory.SubFactory(UserFactory)


class ReminderFactory(DjangoModelFactory):
    class Meta:
        model = Reminder

    live_session = factory.SubFactory(LiveSessionFactory)
    user = factory.SubFactory(UserFactory)


class VisitFactory(DjangoModelFactory):
    class Meta:
        model = Visit

    key = factory.LazyFunction(uuid.uuid4)
    live_session = factory.SubFactory(LiveSessionFactory, live=True)
    user = factory.SubFactory(UserFactory)
    joined_at = factory.LazyFunction(lambda: timezone.now() - timedelta(minutes=10))
    last_seen_at = factory.LazyFunction(timezone.now)
    watched_seconds = 300


class PollFactory(DjangoModelFactory):
    """An open poll in a live session; its answers are made by PollOptionFactory."""

    class Meta:
        model = Poll

    live_session = factory.SubFactory(LiveSessionFactory, live=True)
    question = "Which one?"


class PollOptionFactory(DjangoModelFactory):
    class Meta:
        model = PollOption

    poll = factory.SubFactory(PollFactory)
    text = factory.Sequence(lambda n: f"Answer {n}")
    position = factory.Sequence(lambda n: n)


class PollVoteFactory(DjangoModelFactory):
    class Meta:
        model = PollVote

    poll = factory.SelfAttribute("option.poll")
    option = factory.SubFactory(PollOptionFactory)
    voter = factory.SubFactory(UserFactory)


class DrawFactory(DjangoModelFactory):
    """An open draw in a live session, which closes in five minutes."""

    class Meta:
        model = Draw

    live_session = factory.SubFactory(LiveSessionFactory, live=True)
    prize = "A book"
    secret = factory.Sequence(lambda n: f"{n:064x}")
    commitment = factory.LazyAttribute(
        lambda draw: hashlib.sha256(draw.secret.encode()).hexdigest()
    )
    closes_at = factory.LazyFunction(lambda: timezone.now() + timedelta(minutes=5))


class DrawEntryFactory(DjangoModelFactory):
    class Meta:
        model = DrawEntry

    draw = factory.SubFactory(DrawFactory)
    entrant = factory.SubFactory(UserFactory)
    ticket = factory.Sequence(lambda n: f"TICKET{n:04}")


class EventFactory(DjangoModelFactory):
    """A signed-in person's view of a course."""

    class Meta:
        model = Event

    uuid = factory.LazyFunction(uuid.uuid4)
    kind = EventKind.VIEW
    user = factory.SubFactory(UserFactory)
    course = factory.SubFactory(CourseFactory)
    occurred_at = LONG_AGO


class SessionFiguresFactory(DjangoModelFactory):
    class Meta:
        model = SessionFigures

    live_session = factory.SubFactory(LiveSessionFactory, ended=True)
    n_viewers = 1000
    n_buyers = 100


class ModelRunFactory(DjangoModelFactory):
    """A finished run whose results are served."""

    class Meta:
        model = ModelRun
        skip_postgeneration_save = True

    task = Task.RECOMMEND
    method = "hybrid"
    outcome = RunOutcome.SERVED
    started_at = LONG_AGO
    finished_at = LONG_AGO + timedelta(minutes=1)

    @factory.post_generation
    def served(run: ModelRun, is_created: bool, wanted: bool | None, **_: object) -> None:
        """Make it the served one of its task, unless told `served=False`."""
        if is_created and wanted is not False:
            ServedRun.objects.update_or_create(task=run.task, defaults={"run": run})
