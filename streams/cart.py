"""The cart: courses that somebody means to buy, and the live sessions that they came from.

It lies in the visitor's session, where signing up and signing in leave it: nothing is lost by
them. It holds ids alone; what they cost is asked anew each time it is shown.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.utils.translation import gettext as _

from accounts.models import User
from catalog.checkout import MOST_COURSES, OrderRequest
from catalog.coupons import CouponRefused, CouponSpent, claimed_coupons, ensure_use_left
from catalog.models import ConsultationSlot, Coupon, Course, Enrollment, Order
from catalog.pricing import NotOneOrder, Quote
from streams.live_orders import NotFromThere, ensure_from_there, place_order, quote_for
from streams.models import LiveSession

Buyer = User | AnonymousUser

_STORED_AS = "cart"
LONGEST_CODE = 32


class CartFull(Exception):
    """One order takes no more courses."""

    def __init__(self) -> None:
        text = _("Your cart is full: one order takes at most %(n)d courses.")
        super().__init__(text % {"n": MOST_COURSES})


class NothingToOrder(Exception):
    """The cart is empty, or has no total."""

    def __init__(self) -> None:
        super().__init__(_("There is nothing to order in your cart."))


@dataclass(frozen=True)
class CartLine:
    """One course, with the live session it came from and, for a consultation, the chosen time."""

    course: int
    live_session: int | None = None
    slot: int | None = None


class Cart:
    """The cart in a visitor's session, which `store` is: each change is written there at once."""

    def __init__(self, store: MutableMapping[str, Any]) -> None:
        self._store = store
        kept = store.get(_STORED_AS) or {}
        self.lines: tuple[CartLine, ...] = tuple(CartLine(*line) for line in kept.get("lines", ()))
        self.coupon_code: str = kept.get("coupon", "")

    def __len__(self) -> int:
        return len(self.lines)

    def __contains__(self, course_id: int) -> bool:
        return any(line.course == course_id for line in self.lines)

    def add(self, line: CartLine) -> None:
        """Put a course in, as the one added last; a course is there once. Raises CartFull."""
        others = self._without(line.course)
        if len(others) >= MOST_COURSES:
            raise CartFull
        before = next((one for one in self.lines if one.course == line.course), line)
        # Looked at again on its own page, it still came from the live session.
        session = line.live_session or before.live_session
        kept = CartLine(line.course, session, line.slot or before.slot)
        self._write((*others, kept), self.coupon_code)

    def remove(self, course_ids: Sequence[int]) -> None:
        self._write(self._without(*course_ids), self.coupon_code)

    def choose_coupon(self, code: str) -> None:
        """Keep the code for the next look; an empty one takes the coupon away."""
        self._write(self.lines, code.strip()[:LONGEST_CODE])

    def forget_slots(self, slots: Sequence[int]) -> None:
        """Take these chosen times away from their lines."""
        lines = (replace(line, slot=None) if line.slot in slots else line for line in self.lines)
        self._write(tuple(lines), self.coupon_code)

    def _without(self, *course_ids: int) -> tuple[CartLine, ...]:
        return tuple(line for line in self.lines if line.course not in course_ids)

    def _write(self, lines: tuple[CartLine, ...], coupon_code: str) -> None:
        self.lines, self.coupon_code = lines, coupon_code if lines else ""
        if not lines:
            self._store.pop(_STORED_AS, None)
            return
        rows = [[line.course, line.live_session, line.slot] for line in lines]
        self._store[_STORED_AS] = {"lines": rows, "coupon": self.coupon_code}


@dataclass(frozen=True)
class Note:
    """What became of a line by itself; `owned` is the course when it left for being owned."""

    text: str
    owned: Course | None = None


@dataclass(frozen=True)
class CartNow:
    """What is in a cart at one moment and what it comes to: the numbers that an order charges.

    `quote` is None for an empty cart and when `problem` says why there is none. `session` is the
    live session that the order would count for, whose own promotions hold. `coupon_error` says
    why `coupon_code` takes nothing off; the quote is then without it.
    """

    courses: Sequence[Course]
    slots: dict[int, ConsultationSlot]
    session: LiveSession | None = None
    request: OrderRequest | None = None
    quote: Quote | None = None
    coupon_code: str = ""
    coupon_error: str = ""
    problem: str = ""


def tidy(cart: Cart, *, viewer: Buyer, moment: datetime) -> list[Note]:
    """Take out what cannot be bought, and say so: gone from sale, owned, one's own, time taken."""
    if not cart:
        return []
    notes = _drop(cart, viewer=viewer)
    chosen = {(line.slot, line.course) for line in cart.lines if line.slot is not None}
    if chosen:
        free = ConsultationSlot.objects.filter(purchase=None, starts_at__gt=moment)
        still = free.filter(pk__in=[slot for slot, _course in chosen])
        if taken := chosen - set(still.values_list("pk", "course")):
            cart.forget_slots([slot for slot, _course in taken])
            text = _("The time that you chose has been taken. Please choose another one.")
            notes.append(Note(text))
    return notes


def _drop(cart: Cart, *, viewer: Buyer) -> list[Note]:
    keys = [line.course for line in cart.lines]
    known = Course.objects.in_bulk(keys)
    owned = owned_courses(viewer, keys)
    notes: dict[int, Note] = {}
    for key in keys:
        course = known.get(key)
        if course is None:
            notes[key] = Note(_("A course that is not on sale any more has left your cart."))
        elif key in owned:
            text = _("You already have “%(course)s”; it has left your cart.")
            notes[key] = Note(text % {"course": course.title}, owned=course)
        elif course.seller_id == viewer.pk:
            text = _("“%(course)s” is your own course; it has left your cart.")
            notes[key] = Note(text % {"course": course.title})
        elif not course.is_published:
            text = _("“%(course)s” is not on sale any more and has left your cart.")
            notes[key] = Note(text % {"course": course.title})
    if notes:
        cart.remove(list(notes))
    return list(notes.values())


def owned_courses(viewer: Buyer, course_ids: Sequence[int]) -> set[int]:
    """Which of the courses the viewer has."""
    if not isinstance(viewer, User):
        return set()
    owned = Enrollment.objects.active().filter(user=viewer, course__in=course_ids)
    return set(owned.values_list("course", flat=True))


def look_into(cart: Cart, *, viewer: Buyer, moment: datetime) -> CartNow:
    """What the cart comes to now. Nothing is written; call `tidy` before."""
    keys = [line.course for line in cart.lines]
    courses = Course.objects.filter(pk__in=keys).select_related("seller", "category").order_by("pk")
    chosen = [line.slot for line in cart.lines if line.slot is not None]
    slots = {slot.course_id: slot for slot in ConsultationSlot.objects.filter(pk__in=chosen)}
    now = CartNow(list(courses), slots, coupon_code=cart.coupon_code)
    if not keys:
        return now
    now = replace(now, session=session_that_counts(cart, viewer=viewer))
    try:
        return _priced(now, slots=chosen, viewer=viewer, moment=moment)
    except (CouponRefused, CouponSpent) as error:
        now = replace(now, coupon_error=str(error))
    except NotOneOrder as error:
        return replace(now, problem=str(error))
    try:
        return _priced(now, slots=chosen, viewer=viewer, moment=moment)
    except NotOneOrder as error:
        return replace(now, problem=str(error))


def _priced(now: CartNow, *, slots: Sequence[int], viewer: Buyer, moment: datetime) -> CartNow:
    code = "" if now.coupon_error else now.coupon_code
    request = OrderRequest(
        courses=[course.pk for course in now.courses],
        coupon_code=code,
        slots=slots,
        context=f"live-session-{now.session.pk}" if now.session else "",
    )
    quote = quote_for(request=request, session=now.session, moment=moment)
    if quote.coupon is not None:
        buyer = viewer if isinstance(viewer, User) else None
        ensure_use_left(quote.coupon, buyer=buyer, discount=quote.coupon_discount)
    # With what pages show of them.
    courses = {course.pk: course for course in now.courses}
    lines = [replace(line, course=courses[line.course.pk]) for line in quote.lines]
    return replace(now, request=request, quote=replace(quote, lines=lines))


def session_that_counts(cart: Cart, *, viewer: Buyer) -> LiveSession | None:
    """The live session that an order of the whole cart comes from.

    Of several, one that is on air goes before one that is over, since its prices hold; among
    these the one from which a course was added last.
    """
    asked = [line.live_session for line in reversed(cart.lines) if line.live_session is not None]
    found = LiveSession.objects.visible_to(viewer).in_bulk(asked)
    sessions = [found[pk] for pk in asked if pk in found]
    keys = [line.course for line in cart.lines]
    for session in sorted(sessions, key=lambda one: not one.is_live):
        try:
            ensure_from_there(session, keys)
        except NotFromThere:
            continue
        return session
    return None


def coupons_to_offer(cart: Cart, *, viewer: Buyer, moment: datetime) -> list[Coupon]:
    """Coupons that the viewer claimed and that are not in the cart already."""
    if not isinstance(viewer, User) or not cart:
        return []
    claimed = claimed_coupons(viewer, moment=moment)
    return [one for one in claimed if one.code.upper() != cart.coupon_code.upper()]


def check_out(
    cart: Cart, *, buyer: User, expected_total: Decimal, key: str, moment: datetime
) -> Order:
    """Order what is in the cart at the total that was shown, and take it out of the cart.

    The same buyer's `key` gives the same order, whatever is in the cart by then: a second click
    finds it emptied by the first. Raises NothingToOrder and what `place_order` raises; the cart
    is then as it was.
    """
    if (placed := Order.objects.filter(buyer=buyer, idempotency_key=key).first()) is not None:
        return placed
    now = look_into(cart, viewer=buyer, moment=moment)
    if now.request is None:
        raise NothingToOrder
    order = place_order(
        buyer=buyer,
        request=replace(now.request, expected_total=expected_total),
        key=key,
        session=now.session,
        moment=moment,
    )
    cart.choose_coupon("")
    cart.remove(now.request.courses)
    return order
