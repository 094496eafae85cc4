"""The cart and the way out of it; and coupons that live sessions hand out."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.requests import AuthenticatedHttpRequest
from catalog.checkout import AlreadyOwned, KeyReused, NotOnSale, OrderOpen, OwnCourse
from catalog.consultations import free_times
from catalog.coupons import CouponNotRunning, CouponRefused, CouponSpent
from catalog.holds import PriceChanged, SoldOut
from catalog.models import Coupon, Course, OrderStatus
from catalog.pricing import NotOneOrder
from streams.cart import (
    Cart,
    CartFull,
    Note,
    NothingToOrder,
    check_out,
    coupons_to_offer,
    look_into,
    tidy,
)
from streams.forms import AddToCartForm, CheckoutForm, CouponForm
from streams.live_orders import NotFromThere, claim_in_room
from streams.models import LiveSession

# Each leads back to the cart, which then shows what holds now.
_SHOWN_ANEW = (
    CouponRefused,
    CouponSpent,
    KeyReused,
    NotOneOrder,
    NotFromThere,
    NothingToOrder,
    NotOnSale,
    OwnCourse,
    PriceChanged,
    SoldOut,
)


@require_safe
def cart(request: HttpRequest) -> HttpResponse:
    """What is in the cart, what it comes to and why, and the button that orders it."""
    moment = timezone.now()
    basket = Cart(request.session)
    _tell(request, tidy(basket, viewer=request.user, moment=moment))
    now = look_into(basket, viewer=request.user, moment=moment)
    context = {
        "cart": now,
        "times": free_times(now.courses, moment=moment),
        "offered": coupons_to_offer(basket, viewer=request.user, moment=moment),
        "key": uuid.uuid4(),
    }
    return render(request, "streams/cart.html", context)


@require_POST
def add(request: HttpRequest) -> HttpResponse:
    """Put a course into the cart; then to the cart, or back to where one was."""
    form = AddToCartForm(request.POST)
    if not form.is_valid():
        raise Http404
    course = get_object_or_404(Course.objects.published(), pk=form.cleaned_data["course"])
    basket = Cart(request.session)
    try:
        basket.add(form.line())
    except CartFull as error:
        messages.error(request, str(error))
        return redirect("streams:cart")
    if form.cleaned_data["then"] == "buy":
        return redirect("streams:cart")
    notes = tidy(basket, viewer=request.user, moment=timezone.now())
    _tell(request, notes)
    if course.pk in basket:
        text = _("“%(course)s” is in your cart.") % {"course": course.title}
        messages.success(request, _with_link(text, reverse("streams:cart"), _("To the cart")))
    return redirect(_here(request))


@require_POST
def remove(request: HttpRequest, course: int) -> HttpResponse:
    """Take a course out of the cart."""
    Cart(request.session).remove([course])
    return redirect("streams:cart")


@require_POST
def coupon(request: HttpRequest) -> HttpResponse:
    """Keep the code of a coupon, or take the coupon away; the cart says what it does."""
    form = CouponForm(request.POST)
    code = form.cleaned_data["coupon"] if form.is_valid() else request.POST["coupon"]
    Cart(request.session).choose_coupon(code)
    return redirect(reverse("streams:cart") + "#coupon")


@require_POST
def checkout(request: HttpRequest) -> HttpResponse:
    """Make an order of the cart, at the total that it showed."""
    back = redirect("streams:cart")
    if not request.user.is_authenticated:
        return redirect_to_login(reverse("streams:cart"))
    form = CheckoutForm(request.POST)
    if not form.is_valid():
        return back
    basket = Cart(request.session)
    try:
        order = check_out(
            basket,
            buyer=request.user,
            expected_total=form.cleaned_data["expected_total"],
            key=form.cleaned_data["key"].hex,
            moment=timezone.now(),
        )
    except OrderOpen as error:
        messages.info(request, str(error))
        return redirect("catalog:order", error.order.public_id)
    except AlreadyOwned as error:
        basket.remove([error.course.pk])
        _tell(request, [Note(str(error), owned=error.course)])
        return back
    except _SHOWN_ANEW as error:
        messages.warning(request, str(error))
        return back
    if order.status == OrderStatus.PAID and order.total == 0:
        messages.success(request, _("It is yours."))
    return redirect("catalog:order", order.public_id)


@require_POST
@login_required
def claim(request: AuthenticatedHttpRequest, pk: int, coupon: int) -> HttpResponse:
    """Take a coupon that a live session hands out."""
    session = get_object_or_404(LiveSession.objects.visible_to(request.user), pk=pk)
    handed_out = Coupon.objects.filter(pk__in=session.coupons.values("coupon"))
    found = get_object_or_404(handed_out, pk=coupon)
    try:
        claim_in_room(viewer=request.user, session=session, coupon=found, moment=timezone.now())
    except (CouponNotRunning, CouponSpent) as error:
        messages.warning(request, str(error))
    else:
        text = _("The coupon %(code)s is yours: your cart offers it.") % {"code": found.code}
        messages.success(request, text)
    return redirect("streams:session_detail", session.pk)


def _tell(request: HttpRequest, notes: Iterable[Note]) -> None:
    for note in notes:
        text = note.text
        if note.owned is not None:
            learn = reverse("catalog:learn", args=[note.owned.slug])
            text = _with_link(text, learn, _("Go to the lessons"))
        messages.info(request, text)


def _with_link(text: str, address: str, label: str) -> str:
    return format_html('{} <a href="{}">{}</a>', text, address, label)


def _here(request: HttpRequest) -> str:
    """The page that the form was on, when it is one of ours; the cart otherwise."""
    here = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(
        here, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return here if is_ours else reverse("streams:cart")
