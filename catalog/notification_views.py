"""Where payment providers say what happened."""

from __future__ import annotations

import logging
from http import HTTPStatus

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from catalog.payments.provider import ForgedNotification
from catalog.payments.registry import UnknownProvider, provider_named
from catalog.payments.settling import MismatchedPayment, UnknownPayment, apply_result

logger = logging.getLogger(__name__)


@csrf_exempt  # A provider has no cookie of ours; its signature is what proves who it is.
@require_POST
def notification(request: HttpRequest, provider: str) -> HttpResponse:
    """Take one notification. Whatever is refused is logged, and changes nothing."""
    moment = timezone.now()
    try:
        vendor = provider_named(provider)
    except UnknownProvider:
        raise Http404 from None
    try:
        result = vendor.read_notification(headers=request.headers, body=request.body, moment=moment)
        if result is not None:
            apply_result(provider, result, moment=moment)
    except ForgedNotification as error:
        logger.warning("forged notification of %s refused: %s", provider, error)
        return HttpResponse("refused", status=HTTPStatus.BAD_REQUEST, content_type="text/plain")
    except (UnknownPayment, MismatchedPayment) as error:
        logger.error("notification of %s refused: %s", provider, error)
        return HttpResponse("refused", status=HTTPStatus.BAD_REQUEST, content_type="text/plain")
    content_type, body = vendor.acknowledgement()
    return HttpResponse(body, content_type=content_type)
