"""The control desk of one live session: for its seller and operators, and nobody else.

Every act answers with the part of the desk that it changed where HTMX asked, and leads back to
the desk elsewhere. What a rule refuses is told in its own words, with 409, beside what holds now.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from accounts.requests import HtmxHttpRequest
from catalog.new_coupons import CodeTaken, WrongReduction
from catalog.promotions import NotBelowListPrice
from streams import desk, desk_offers, session_life, showcase
from streams.desk_access import of_desk
from streams.desk_forms import (
    MINUTES,
    CourseForm,
    HandOutForm,
    NewCouponForm,
    OrderForm,
    PromotionForm,
    first_fault,
)
from streams.models import ChangeCause, ChatRules, LiveSession
from streams.session_life import PLANNED, ChangeNotAllowed

REFUSED = 409
INVALID = 422
# What the rules of the desk say no with, in words for the seller.
_REFUSALS = (
    ChangeNotAllowed,
    CodeTaken,
    NotBelowListPrice,
    WrongReduction,
    desk_offers.OfferRefused,
    showcase.ShowcaseRefused,
)
Part = Callable[[LiveSession, datetime], dict[str, Any]]


class DeskRequest(HtmxHttpRequest):
    """By somebody who manages the session."""

    user: User


class _Invalid(Exception):
    """What a form sent cannot be read; its words are for the seller."""


@require_safe
@of_desk
def show_desk(request: DeskRequest, session: LiveSession) -> HttpResponse:
    """The whole desk; after the session, its report."""
    moment = timezone.now()
    context = {
        "session": session,
        "now": moment,
        "is_over": session.ended_at is not None,
        "is_planned": session.status in PLANNED,
        "chat_rules": ChatRules.objects.filter(pk=session.pk).first()
        or ChatRules(live_session=session),
        "moderators": session.moderators.select_related("user").order_by("pk"),
        **_showcase_part(session, moment),
        **_offers_part(session, moment),
    }
    return render(request, "streams/desk.html", context)


@require_safe
@of_desk
def show_showcase(request: DeskRequest, session: LiveSession) -> HttpResponse:
    """The showcase alone, for when somebody else has changed it."""
    return _answer_part(request, session, "streams/desk/showcase.html", _showcase_part)


@require_safe
@of_desk
def show_offers(request: DeskRequest, session: LiveSession) -> HttpResponse:
    """The running offers alone."""
    return _answer_part(request, session, "streams/desk/running.html", _offers_part)


def _act(template: str, part: Part) -> Callable[..., Callable[..., HttpResponse]]:
    """Turn a call of a rule into a view that answers with a part of the desk."""

    def make(call: Callable[..., None]) -> Callable[..., HttpResponse]:
        @require_POST
        @of_desk
        @wraps(call)
        def view(request: DeskRequest, session: LiveSession, **names: int) -> HttpResponse:
            try:
                call(request, session, timezone.now(), **names)
            except _REFUSALS as error:
                fault, status = str(error), REFUSED
            except _Invalid as error:
                fault, status = str(error), INVALID
            except ValidationError as error:
                fault, status = " ".join(error.messages), INVALID
            else:
                fault, status = "", 200
            if not request.htmx:
                if fault:
                    messages.warning(request, fault)
                return redirect("streams:desk", session.pk)
            return _answer_part(request, session, template, part, fault=fault, status=status)

        return view

    return make


def _answer_part(
    request: DeskRequest,
    session: LiveSession,
    template: str,
    part: Part,
    *,
    fault: str = "",
    status: int = 200,
) -> HttpResponse:
    moment = timezone.now()
    session.refresh_from_db(fields=["status", "pinned", "started_at", "ended_at"])
    context = {
        "session": session,
        "now": moment,
        "fault": fault,
        "is_over": session.ended_at is not None,
        "is_fragment": True,
        **part(session, moment),
    }
    return render(request, template, context, status=status)


def _showcase_part(session: LiveSession, moment: datetime) -> dict[str, Any]:
    items = desk.desk_items(session, moment=moment)
    return {
        "items": items,
        "pinned": next((item for item in items if item.is_pinned), None),
        "next_item": desk.next_to_pin(items),
        "can_pin": session.status in showcase.PINNABLE,
        "to_add": desk.courses_to_add(session),
    }


def _offers_part(session: LiveSession, moment: datetime) -> dict[str, Any]:
    return {
        "promotions": desk.running_promotions(session, moment=moment),
        "coupons": desk.handed_out(session, moment=moment),
        "coupons_to_offer": desk.coupons_to_offer(session, moment=moment),
        "minutes": MINUTES,
        "few_seats": desk.FEW_SEATS,
    }


def _read(form: forms.Form) -> dict[str, Any]:
    """What the form holds. Raises _Invalid."""
    if not form.is_valid():
        raise _Invalid(first_fault(form))
    return form.cleaned_data


_showcase_act = _act("streams/desk/showcase.html", _showcase_part)
_offers_act = _act("streams/desk/running.html", _offers_part)


@_showcase_act
def pin(request: DeskRequest, session: LiveSession, moment: datetime) -> None:
    """Pin a course of the showcase."""
    given = _read(CourseForm(request.POST))
    showcase.pin_course(session.pk, given["course"], moment=moment)


@_showcase_act
def unpin(request: DeskRequest, session: LiveSession, moment: datetime) -> None:
    """Pin nothing."""
    showcase.unpin_course(session.pk, moment=moment)


@_showcase_act
def arrange(request: DeskRequest, session: LiveSession, moment: datetime) -> None:
    """Put the showcase in another order."""
    form = OrderForm(request.POST)
    _read(form)
    showcase.reorder_showcase(session.pk, form.courses())


@_showcase_act
def add(request: DeskRequest, session: LiveSession, moment: datetime) -> None:
    """Show one more course."""
    given = _read(CourseForm(request.POST))
    showcase.add_to_showcase(session.pk, given["course"])


@_showcase_act
def remove(request: DeskRequest, session: LiveSession, moment: datetime) -> None:
    """Show a course no more."""
    given = _read(CourseForm(request.POST))
    showcase.remove_from_showcase(session.pk, given["course"], moment=moment)


@_offers_act
def promote(request: DeskRequest, session: LiveSession, moment: datetime) -> None:
    """Lower the price of a course for some minutes."""
    given = _read(PromotionForm(request.POST))
    desk_offers.start_promotion(
        session.pk,
        given["course"],
        price=given["price"],
        minutes=given["minutes"],
        seats=given["seats"],
        by=request.user,
        moment=moment,
    )


@_offers_act
def end_promotion(
    request: DeskRequest, session: LiveSession, moment: datetime, *, promotion: int
) -> None:
    """End a promotion of this session now."""
    desk_offers.end_promotion(session.pk, promotion, by=request.user, moment=moment)


@_offers_act
def hand_out(request: DeskRequest, session: LiveSession, moment: datetime) -> None:
    """Hand out a coupon that the seller has."""
    given = _read(HandOutForm(request.POST))
    desk_offers.hand_out_coupon(
        session.pk,
        given["coupon"],
        minutes=given["minutes"],
        by=request.user,
        moment=moment,
    )


@_offers_act
def hand_out_new(request: DeskRequest, session: LiveSession, moment: datetime) -> None:
    """Make a coupon and hand it out."""
    form = NewCouponForm(request.POST)
    given = _read(form)
    desk_offers.hand_out_new_coupon(
        session.pk,
        **form.reduction(),
        max_uses=given["max_uses"],
        minutes=given["minutes"],
        code=given["code"],
        by=request.user,
        moment=moment,
    )


@_offers_act
def stop_coupon(
    request: DeskRequest, session: LiveSession, moment: datetime, *, coupon: int
) -> None:
    """Hand out a coupon no more."""
    desk_offers.stop_coupon(session.pk, coupon)


def _change(call: Callable[..., object]) -> Callable[..., HttpResponse]:
    """A view that moves the session on; the whole desk is another one afterwards."""

    @require_POST
    @of_desk
    def view(request: DeskRequest, session: LiveSession) -> HttpResponse:
        try:
            call(session.pk, by=request.user, cause=ChangeCause.SELLER, moment=timezone.now())
        except ChangeNotAllowed as error:
            messages.warning(request, str(error))
        return redirect("streams:desk", session.pk)

    return view


start = _change(session_life.start_session)
end = _change(session_life.end_session)
publish_replay = _change(session_life.publish_replay)
withdraw_replay = _change(session_life.withdraw_replay)
