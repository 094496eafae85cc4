"""Pages of one's own orders, and the page of the sandbox on which one pays."""

from __future__ import annotations

import logging
import uuid
from datetime import datetime
from typing import TypeGuard
from urllib.parse import urlsplit

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST, require_safe

from accounts.requester import address_of, has_phone
from accounts.requests import AuthenticatedHttpRequest
from catalog.checkout import cancel_order
from catalog.consultations import NoBooking, free_times, move_time
from catalog.forms import SlotForm
from catalog.holds import SoldOut
from catalog.models import (
    ConsultationSlot,
    CourseKind,
    Order,
    OrderStatus,
    Payment,
    PaymentStatus,
    Purchase,
    SandboxPayment,
)
from catalog.payments.paying import OUTCOMES
from catalog.payments.provider import ProviderUnavailable
from catalog.payments.registry import (
    UnknownProvider,
    provider_named,
    providers_for,
)
from catalog.payments.sandbox import Sandbox
from catalog.payments.settling import MismatchedPayment, check_payment, close_payments
from catalog.payments.starting import CurrencyNotTaken, NotPayable, start_payment
from catalog.qr import qr_picture
from catalog.responses import numbered_page

logger = logging.getLogger(__name__)

ORDERS_PER_PAGE = 20


@require_safe
@login_required
def order_list(request: AuthenticatedHttpRequest) -> HttpResponse:
    """One's own orders, newest first."""
    own = Order.objects.filter(buyer=request.user).with_lines().order_by("-created_at", "-pk")
    page = numbered_page(own, ORDERS_PER_PAGE, request.GET.get("page"))
    moment = timezone.now()
    for order in page:
        order.state = _state(order, moment=moment)
    return render(request, "catalog/order_list.html", {"page": page})


@require_safe
@login_required
def order_detail(request: AuthenticatedHttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """One order: what it costs and why, and, while it waits, how to pay it.

    Whoever comes back from a provider is told at once: it is asked what became of the payment.
    """
    order = _own_order(request, public_id)
    if order.status == OrderStatus.PENDING and _ask_provider(order):
        order = _own_order(request, public_id)
    moment = timezone.now()
    state = _state(order, moment=moment)
    lines = list(order.lines.all())
    payment = order.payments.order_by("pk").last()
    waits = state == OrderStatus.PENDING
    context = {
        "order": order,
        "state": state,
        "lines": lines,
        "first_course": next((one.course for one in lines if _has_lessons(one)), None),
        "providers": providers_for(order.currency) if waits else [],
        "payment": payment,
        "qr_picture": qr_picture(payment.qr_code) if waits and _is_open(payment) else "",
        "times": _other_times(order, moment=moment),
        "refunds": order.refunds.select_related("purchase__course").order_by("pk"),
    }
    return render(request, "catalog/order_detail.html", context)


def _state(order: Order, *, moment: datetime) -> str:
    """The status as the buyer sees it: an order whose time is over is expired at once."""
    is_over = order.expires_at is not None and order.expires_at <= moment
    if order.status == OrderStatus.PENDING and is_over:
        return OrderStatus.EXPIRED
    return order.status


def _has_lessons(line: Purchase) -> bool:
    return line.refunded_at is None and line.course.kind != CourseKind.CONSULTATION


def _is_open(payment: Payment | None) -> TypeGuard[Payment]:
    """Whether the payment goes on elsewhere, where a code leads."""
    return payment is not None and payment.status == PaymentStatus.STARTED and bool(payment.qr_code)


def _other_times(order: Order, *, moment: datetime) -> dict[int, list[ConsultationSlot]]:
    """The times to which consultations of the order can still be moved, by course."""
    movable = [
        line.course
        for line in order.lines.all()
        if (slot := line.booked_slot) is not None
        and slot.starts_at > moment
        and line.holder_id is not None
    ]
    return free_times(movable, moment=moment)


@require_POST
@login_required
def pay_order(request: AuthenticatedHttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Begin a payment and send the buyer to where it goes on."""
    order = _own_order(request, public_id)
    here = reverse("catalog:order", args=[order.public_id])
    try:
        payment = start_payment(
            order=order,
            provider=provider_named(request.POST.get("provider", "")),
            return_url=request.build_absolute_uri(here),
            moment=timezone.now(),
            is_phone=has_phone(request),
            client_ip=address_of(request) or "",
        )
    except ProviderUnavailable:
        messages.error(request, _("The payment service cannot be reached. Please try again."))
        return redirect(here)
    except NotPayable as error:
        messages.info(request, str(error))
        return redirect(here)
    except (CurrencyNotTaken, UnknownProvider) as error:
        messages.error(request, str(error))
        return redirect(here)
    return _lead_to(payment.redirect_url or here)


def _lead_to(address: str) -> HttpResponse:
    """Send the buyer there; a vendor elsewhere learns the platform's name, and not the page's.

    WeChat Pay takes a phone only from a domain that the merchant has registered, which it reads
    in the Referer; nothing else leaves the platform with one.
    """
    response = redirect(address)
    if urlsplit(address).netloc:
        response["Referrer-Policy"] = "origin"
    return response


@require_POST
@login_required
def cancel(request: AuthenticatedHttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Cancel an order that waits for payment."""
    order = _own_order(request, public_id)
    if cancel_order(order, moment=timezone.now()):
        close_payments(order)
        messages.success(request, _("The order is cancelled."))
    else:
        messages.info(request, _("This order does not wait for payment any more."))
    return redirect("catalog:order", order.public_id)


@require_POST
@login_required
def move(request: AuthenticatedHttpRequest, public_id: uuid.UUID, line: int) -> HttpResponse:
    """Change the time of a consultation."""
    order = _own_order(request, public_id)
    get_object_or_404(order.lines, pk=line)
    form = SlotForm(request.POST)
    try:
        if form.is_valid():
            move_time(
                buyer_id=request.user.pk,
                line_id=line,
                slot_id=form.cleaned_data["slot"],
                moment=timezone.now(),
            )
            messages.success(request, _("The time of your consultation is changed."))
    except SoldOut as error:
        messages.warning(request, str(error))
    except NoBooking:
        raise Http404 from None
    return redirect("catalog:order", order.public_id)


@require_GET
def sandbox(request: HttpRequest, reference: uuid.UUID) -> HttpResponse:
    """The sandbox's own page: what is to be paid, and what shall happen.

    Like a vendor's page it is known to whoever has its address, and knows no person.
    """
    _the_sandbox()
    payment = get_object_or_404(SandboxPayment, reference=reference)
    response = render(request, "catalog/sandbox.html", {"payment": payment})
    response["X-Robots-Tag"] = "noindex"
    return response


@require_POST
def decide_in_sandbox(request: HttpRequest, reference: uuid.UUID) -> HttpResponse:
    """Pay or decline, and go back to the order."""
    provider = _the_sandbox()
    payment = get_object_or_404(SandboxPayment, reference=reference)
    if (outcome := OUTCOMES.get(request.POST.get("outcome", ""))) is not None:
        provider.decide(payment.reference.hex, outcome)
    return redirect(payment.return_url)


def _the_sandbox() -> Sandbox:
    try:
        provider = provider_named("sandbox")
    except UnknownProvider:
        raise Http404 from None
    assert isinstance(provider, Sandbox)
    return provider


def _own_order(request: AuthenticatedHttpRequest, public_id: uuid.UUID) -> Order:
    own = Order.objects.filter(buyer=request.user).with_lines()
    return get_object_or_404(own.prefetch_related("lines__course__seller"), public_id=public_id)


def _ask_provider(order: Order) -> bool:
    """Whether something could be asked about the payments that were begun."""
    is_asked = False
    for payment in order.payments.filter(status=PaymentStatus.STARTED):
        try:
            check_payment(payment, moment=timezone.now())
        except (ProviderUnavailable, UnknownProvider, MismatchedPayment) as error:
            # Its notification, or the job that asks again, will tell.
            logger.warning("payment %s: %s", payment.number.hex, error)
        else:
            is_asked = True
    return is_asked
