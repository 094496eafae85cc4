"""Pages of one's own orders, and the page of the sandbox on which one pays."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST, require_safe

from accounts.requests import AuthenticatedHttpRequest
from catalog.checkout import cancel_order
from catalog.models import Order, OrderStatus, PaymentStatus, SandboxPayment
from catalog.payments.provider import Outcome, ProviderUnavailable
from catalog.payments.registry import (
    UnknownProvider,
    provider_named,
    providers_for,
)
from catalog.payments.sandbox import Sandbox
from catalog.payments.settling import check_payment, close_payments
from catalog.payments.starting import CurrencyNotTaken, NotPayable, start_payment
from catalog.responses import numbered_page

ORDERS_PER_PAGE = 20


@require_safe
@login_required
def order_list(request: AuthenticatedHttpRequest) -> HttpResponse:
    """One's own orders, newest first."""
    own = Order.objects.filter(buyer=request.user).with_lines().order_by("-created_at", "-pk")
    page = numbered_page(own, ORDERS_PER_PAGE, request.GET.get("page"))
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
    is_payable = order.status == OrderStatus.PENDING and (order.expires_at or moment) > moment
    context = {
        "order": order,
        "is_payable": is_payable,
        "providers": providers_for(order.currency) if is_payable else [],
        "payment": order.payments.filter(status=PaymentStatus.STARTED).order_by("pk").last(),
        "refunds": order.refunds.select_related("purchase__course").order_by("pk"),
    }
    return render(request, "catalog/order_detail.html", context)


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
            is_phone="Mobi" in request.headers.get("User-Agent", ""),
            client_ip=request.META.get("REMOTE_ADDR", ""),
        )
    except ProviderUnavailable:
        messages.error(request, _("The payment service cannot be reached. Please try again."))
        return redirect(here)
    except (NotPayable, CurrencyNotTaken, UnknownProvider) as error:
        messages.error(request, str(error))
        return redirect(here)
    return redirect(payment.redirect_url or here)


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


@require_GET
def sandbox(request: HttpRequest, reference: uuid.UUID) -> HttpResponse:
    """The sandbox's own page: what is to be paid, and what shall happen.

    Like a vendor's page it is known to whoever has its address, and knows no person.
    """
    _the_sandbox()
    payment = get_object_or_404(SandboxPayment, reference=reference)
    return render(request, "catalog/sandbox.html", {"payment": payment})


@require_POST
def decide_in_sandbox(request: HttpRequest, reference: uuid.UUID) -> HttpResponse:
    """Pay or decline, and go back to the order."""
    provider = _the_sandbox()
    payment = get_object_or_404(SandboxPayment, reference=reference)
    outcomes = {"success": Outcome.SUCCEEDED, "decline": Outcome.FAILED}
    if (outcome := outcomes.get(request.POST.get("outcome", ""))) is not None:
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
    return get_object_or_404(own, public_id=public_id)


def _ask_provider(order: Order) -> bool:
    """Whether there was a payment to ask about."""
    payments = list(order.payments.filter(status=PaymentStatus.STARTED))
    for payment in payments:
        try:
            check_payment(payment, moment=timezone.now())
        except (ProviderUnavailable, UnknownProvider):
            # Its notification, or the job that asks again, will tell.
            return False
    return bool(payments)
