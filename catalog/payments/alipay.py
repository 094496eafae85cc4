"""Alipay: its page on a computer, its app through a page on a phone."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from http.client import HTTPException
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from catalog.payments.provider import (
    ForgedNotification,
    Outcome,
    PaymentRequest,
    PaymentResult,
    Provider,
    ProviderUnavailable,
    RefundRefused,
    StartedPayment,
)

TIMEOUT_SECONDS = 12.0
# All times that Alipay reads and writes are of this zone.
BEIJING = ZoneInfo("Asia/Shanghai")
TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
# Alipay repeats a notification for 25 hours.
OLDEST_NOTIFICATION = timedelta(hours=26)
NEWEST_NOTIFICATION = timedelta(minutes=5)
MOST_FIELDS = 100
LONGEST_TITLE = 256
PAID = ("TRADE_SUCCESS", "TRADE_FINISHED")
CLOSED = "TRADE_CLOSED"
# Fields that a trade has only when it was paid before it was closed: then a refund closed it.
SIGNS_OF_PAYMENT = ("gmt_payment", "gmt_refund", "refund_fee", "send_pay_date")
OK = "10000"
BUSINESS_FAILED = "40004"
UNKNOWN_TRADE = "ACQ.TRADE_NOT_EXIST"
# What the trade has become does not let it be closed: paid, finished or closed already.
CLOSED_TO_CHANGE = frozenset(["ACQ.TRADE_STATUS_ERROR", "ACQ.REASON_TRADE_STATUS_INVALID"])
# Refusals of a refund that end when Alipay is well, or when the account holds money again.
PASSING_REFUSALS = frozenset(
    [
        "ACQ.SYSTEM_ERROR",
        "aop.ACQ.SYSTEM_ERROR",
        "isp.unknow-error",
        "ACQ.SELLER_BALANCE_NOT_ENOUGH",
    ]
)


class Alipay(Provider):
    """Alipay with the keys of one application, in the mode with public keys (RSA2).

    `private_key` is the application's and `public_key` Alipay's own, each as PEM or as the bare
    base64 text that Alipay's tools show. `api_base` is the address of the gateway, for another
    one than Alipay's own. Raises ValueError when a key cannot be read.
    """

    name = "alipay"
    currencies = frozenset(["CNY"])

    def __init__(
        self,
        *,
        app_id: str,
        private_key: str,
        public_key: str,
        is_sandbox: bool = False,
        api_base: str = "",
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        # A library that is loaded only where its keys are set.
        from alipay import AliPay
        from alipay.exceptions import AliPayException, AliPayValidationError
        from alipay.utils import AliPayConfig

        self._app_id = app_id
        self._refusals = (AliPayException, AliPayValidationError)
        self._client = AliPay(
            appid=app_id,
            app_private_key_string=_key(private_key),
            alipay_public_key_string=_key(public_key),
            sign_type="RSA2",
            debug=is_sandbox,
            config=AliPayConfig(timeout=timeout_seconds),
        )
        if api_base:
            # The library has no setting for it.
            self._client._gateway = api_base
        self._gateway = self._client._gateway

    @property
    def label(self) -> str:
        return _("Alipay")

    def start(self, request: PaymentRequest) -> StartedPayment:
        way, product = (
            ("wap", "QUICK_WAP_WAY") if request.is_phone else ("page", "FAST_INSTANT_TRADE_PAY")
        )
        signed = self._client.client_api(
            f"alipay.trade.{way}.pay",
            biz_content={
                "out_trade_no": request.number,
                "total_amount": _amount_text(request.amount),
                "subject": _plain(request.title)[:LONGEST_TITLE],
                "product_code": product,
                "time_expire": request.expires_at.astimezone(BEIJING).strftime(TIME_FORMAT),
            },
            return_url=request.return_url,
            notify_url=request.notify_url,
            timestamp=_now_text(),
        )
        return StartedPayment(redirect_url=f"{self._gateway}?{signed}")

    def read_notification(
        self, *, headers: Mapping[str, str], body: bytes, moment: datetime
    ) -> PaymentResult | None:
        try:
            told = self._verified(body)
            self._check_age(told, moment)
            if told.get("app_id") != self._app_id:
                raise ValueError("it is for another application")
            if told.get("notify_type") != "trade_status_sync":
                return None
            outcome = _outcome_of(told)
            is_about_a_refund = told["trade_status"] == CLOSED and outcome == Outcome.SUCCEEDED
            if outcome == Outcome.OPEN or is_about_a_refund:
                return None
            return PaymentResult(
                number=told["out_trade_no"],
                reference=told["trade_no"],
                outcome=outcome,
                amount=_amount(told["total_amount"]),
                currency="CNY",
            )
        except (ValueError, TypeError, LookupError, *self._refusals) as error:
            raise ForgedNotification(f"not a notification of Alipay: {error}") from error

    def _verified(self, body: bytes) -> dict[str, str]:
        """The fields of a notification whose signature is right; else ValueError."""
        pairs = parse_qsl(
            body.decode(),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
        told = dict(pairs)
        if len(told) != len(pairs):
            raise ValueError("a field is there twice")
        signature = told.pop("sign")
        if told.get("sign_type") != "RSA2":
            raise ValueError("the signature is not of the kind RSA2")
        # The library takes `sign_type` out of what it is given.
        if not self._client.verify(dict(told), signature):
            raise ValueError("the signature does not match")
        return told

    def _check_age(self, told: Mapping[str, str], moment: datetime) -> None:
        sent_at = datetime.strptime(told["notify_time"], TIME_FORMAT).replace(tzinfo=BEIJING)
        if not -NEWEST_NOTIFICATION <= moment - sent_at <= OLDEST_NOTIFICATION:
            raise ValueError("too old, or from the future")

    def acknowledgement(self) -> tuple[str, bytes]:
        return "text/plain", b"success"

    def query(self, *, number: str, reference: str) -> PaymentResult | None:
        answer = self._ask("alipay.trade.query", _trade(number, reference))
        if answer.get("sub_code") == UNKNOWN_TRADE:
            return None
        self._expect_ok(answer)
        try:
            if answer["out_trade_no"] != number:
                raise ValueError("the answer is about another payment")
            return PaymentResult(
                number=number,
                reference=str(answer["trade_no"]),
                outcome=_outcome_of(answer),
                amount=_amount(answer["total_amount"]),
                currency="CNY",
            )
        except (ValueError, TypeError, LookupError) as error:
            raise ProviderUnavailable(f"Alipay answered what cannot be read: {error}") from error

    def refund(
        self,
        *,
        number: str,
        reference: str,
        key: str,
        amount: Decimal,
        total: Decimal,
        currency: str,
        reason: str,
    ) -> str:
        trade = _trade(number, reference)
        answer = self._ask(
            "alipay.trade.refund",
            trade
            | {
                "refund_amount": _amount_text(amount),
                "out_request_no": key,
                "refund_reason": _plain(reason)[:LONGEST_TITLE] or key,
            },
        )
        code, why = answer.get("code"), str(answer.get("sub_code"))
        if code == BUSINESS_FAILED and why not in PASSING_REFUSALS:
            raise RefundRefused(f"Alipay: {why} {answer.get('sub_msg', '')}")
        self._expect_ok(answer)
        if answer.get("fund_change") != "Y":
            # "No money moved" is said of a repeated request, but also of one not done yet.
            self._expect_refunded(trade | {"out_request_no": key})
        # Alipay gives a refund no number of its own: it is found by ours.
        return key

    def _expect_refunded(self, refund: dict[str, str]) -> None:
        answer = self._ask("alipay.trade.fastpay.refund.query", refund)
        self._expect_ok(answer)
        if answer.get("refund_status") != "REFUND_SUCCESS":
            raise ProviderUnavailable("Alipay has not made the refund yet")

    def close(self, *, number: str, reference: str) -> None:
        answer = self._ask("alipay.trade.close", _trade(number, reference))
        # A buyer who never came to Alipay's page left no trade there; the page's own time ends it.
        if answer.get("sub_code") not in {UNKNOWN_TRADE, *CLOSED_TO_CHANGE}:
            self._expect_ok(answer)

    def _ask(self, method: str, content: dict[str, str]) -> dict[str, Any]:
        """Alipay's answer, whose signature is right. Raises ProviderUnavailable."""
        try:
            answer = self._client.server_api(method, biz_content=content, timestamp=_now_text())
        except (
            OSError,  # of the network; an HTTP status from 400 on is one as well
            HTTPException,
            ValueError,
            TypeError,
            LookupError,
            AttributeError,  # the library meets an answer without any of the parts it knows
            *self._refusals,
        ) as error:
            raise ProviderUnavailable(f"Alipay, {method}: {error}") from error
        if not isinstance(answer, dict):
            raise ProviderUnavailable(f"Alipay, {method}: the answer cannot be read")
        return answer

    def _expect_ok(self, answer: Mapping[str, Any]) -> None:
        if answer.get("code") != OK:
            words = [str(answer.get(name, "")) for name in ("code", "sub_code", "sub_msg")]
            raise ProviderUnavailable(f"Alipay: {' '.join(words)}")


def _key(text: str) -> str | bytes:
    """What the library reads a key from: PEM, or the bytes behind bare base64."""
    return text if text.startswith("-----") else base64.b64decode(text)


def _trade(number: str, reference: str) -> dict[str, str]:
    return {"trade_no": reference} if reference else {"out_trade_no": number}


def _now_text() -> str:
    # The library would write the time of the process's own zone.
    return datetime.now(BEIJING).strftime(TIME_FORMAT)


def _plain(text: str) -> str:
    """Without the characters that Alipay refuses in a title."""
    return "".join(" " if character in "/=&" else character for character in text)


def _outcome_of(trade: Mapping[str, Any]) -> Outcome:
    status = trade["trade_status"]
    if status in PAID:
        return Outcome.SUCCEEDED
    if status == CLOSED:
        # A full refund closes a trade too, which had succeeded.
        was_paid = any(trade.get(name) for name in SIGNS_OF_PAYMENT)
        return Outcome.SUCCEEDED if was_paid else Outcome.FAILED
    return Outcome.OPEN


def _amount_text(amount: Decimal) -> str:
    return f"{amount:.2f}"


def _amount(text: str) -> Decimal:
    """An amount in yuan. Raises ValueError."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is no amount") from None
    if not amount.is_finite():
        raise ValueError(f"{text!r} is no amount")
    return amount
