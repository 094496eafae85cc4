"""WeChat Pay, version 3: a QR code on a computer, the app itself on a phone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from django.utils.translation import gettext as _

from catalog.payments.minor_units import from_minor_units, to_minor_units
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

TOLERANCE_SECONDS = 300
# To connect, and for each answer.
TIMEOUT_SECONDS = (4.0, 12.0)
BEIJING = timezone(timedelta(hours=8))
SIGNATURE_HEADERS = (
    "Wechatpay-Signature",
    "Wechatpay-Timestamp",
    "Wechatpay-Nonce",
    "Wechatpay-Serial",
    "Wechatpay-Signature-Type",
)
# In bytes of UTF-8.
LONGEST_TITLE = 127
LONGEST_REASON = 80
OUTCOMES = {
    "SUCCESS": Outcome.SUCCEEDED,
    # It was paid, and given back in full or in part.
    "REFUND": Outcome.SUCCEEDED,
    "NOTPAY": Outcome.OPEN,
    "USERPAYING": Outcome.OPEN,
    "ACCEPT": Outcome.OPEN,
    "CLOSED": Outcome.FAILED,
    "REVOKED": Outcome.FAILED,
    "PAYERROR": Outcome.FAILED,
}
# What the order has become does not let it be closed: paid or closed already, or never begun.
CLOSED_TO_CHANGE = frozenset(["ORDERPAID", "ORDER_PAID", "ORDER_CLOSED", "ORDERNOTEXIST"])
UNKNOWN_ORDER = frozenset(["ORDER_NOT_EXIST", "ORDERNOTEXIST", "RESOURCE_NOT_EXISTS"])
# Refusals of a refund that end when the account holds money again, or is set up as it should be.
# That it knows no such order, WeChat Pay also says for a while of orders that it does know.
PASSING_REFUSALS = frozenset(["NOT_ENOUGH", "NO_AUTH", "APPID_MCHID_NOT_MATCH", *UNKNOWN_ORDER])
PASSING_STATUSES = frozenset([HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS])
LONGEST_REFUND_NUMBER = 64


class WechatPay(Provider):
    """WeChat Pay with the keys of one merchant.

    `private_key` and `cert_serial` are the merchant's, `public_key` and `public_key_id` WeChat
    Pay's: with these, nothing is downloaded before the first payment. `api_base` is the address
    of the API, for another one than WeChat Pay's own. Raises ValueError when a key cannot be read.
    """

    name = "wechat_pay"
    currencies = frozenset(["CNY"])
    # The address that leads a phone to the app holds for five minutes; a code for two hours.
    restarts = True

    def __init__(
        self,
        *,
        mch_id: str,
        app_id: str,
        private_key: str,
        cert_serial: str,
        api_v3_key: str,
        public_key: str,
        public_key_id: str,
        api_base: str = "",
        timeout_seconds: tuple[float, float] = TIMEOUT_SECONDS,
    ) -> None:
        # A library that is loaded only where its keys are set.
        from wechatpayv3 import WeChatPay, WeChatPayType

        self._mch_id, self._app_id = mch_id, app_id
        self._public_key_id = public_key_id
        self._native, self._h5 = WeChatPayType.NATIVE, WeChatPayType.H5
        try:
            self._client = WeChatPay(
                wechatpay_type=WeChatPayType.NATIVE,
                mchid=mch_id,
                private_key=private_key,
                cert_serial_no=cert_serial,
                appid=app_id,
                apiv3_key=api_v3_key,
                timeout=timeout_seconds,
                public_key=public_key,
                public_key_id=public_key_id,
            )
        except Exception as error:  # The library raises nothing narrower.
            raise ValueError(f"WeChat Pay: {error}") from error
        if api_base:
            # The library has no setting for it.
            self._client._core._gate_way = api_base

    @property
    def label(self) -> str:
        return _("WeChat Pay")

    def start(self, request: PaymentRequest) -> StartedPayment:
        if request.is_phone and request.client_ip:
            status, answer = self._ask(
                "pay",
                **self._order(request),
                pay_type=self._h5,
                scene_info={"payer_client_ip": request.client_ip, "h5_info": {"type": "Wap"}},
            )
            # A merchant may have QR codes alone.
            if answer.get("code") != "NO_AUTH":
                self._expect_ok(status, answer)
                back = quote(request.return_url, safe="")
                url = _text(answer, "h5_url")
                return StartedPayment(redirect_url=f"{url}&redirect_url={back}")
        status, answer = self._ask("pay", **self._order(request), pay_type=self._native)
        self._expect_ok(status, answer)
        return StartedPayment(qr_code=_text(answer, "code_url"))

    def _order(self, request: PaymentRequest) -> dict[str, Any]:
        return {
            "description": _shortened(request.title, LONGEST_TITLE),
            "out_trade_no": request.number,
            "amount": {"total": to_minor_units(request.amount, "CNY"), "currency": "CNY"},
            "time_expire": request.expires_at.astimezone(BEIJING).isoformat(timespec="seconds"),
            "notify_url": request.notify_url,
        }

    def read_notification(
        self, *, headers: Mapping[str, str], body: bytes, moment: datetime
    ) -> PaymentResult | None:
        try:
            told = self._decrypted(headers, body, moment)
            if told["event_type"] != "TRANSACTION.SUCCESS":
                return None
            return self._result(told["resource"])
        except Exception as error:  # The library raises nothing narrower.
            raise ForgedNotification(f"not a notification of WeChat Pay: {error}") from error

    def _decrypted(
        self, headers: Mapping[str, str], body: bytes, moment: datetime
    ) -> dict[str, Any]:
        """A notification whose signature is right, its resource decrypted; else any exception."""
        by_name = {name.lower(): value for name, value in headers.items()}
        signed = {name: by_name[name.lower()] for name in SIGNATURE_HEADERS}
        # For a key that it does not know the library would ask WeChat Pay at every message.
        if signed["Wechatpay-Serial"] != self._public_key_id:
            raise ValueError("it is signed with another key")
        if abs(moment.timestamp() - int(signed["Wechatpay-Timestamp"])) > TOLERANCE_SECONDS:
            raise ValueError("too old, or from the future")
        told = self._client.callback(signed, body)
        if not told:
            raise ValueError("the signature does not match, or it cannot be decrypted")
        return dict(told)

    def acknowledgement(self) -> tuple[str, bytes]:
        return "application/json", b'{"code":"SUCCESS"}'

    def query(self, *, number: str, reference: str) -> PaymentResult | None:
        which = {"transaction_id": reference} if reference else {"out_trade_no": number}
        status, answer = self._ask("query", **which)
        if status == HTTPStatus.NOT_FOUND and answer.get("code") in UNKNOWN_ORDER:
            return None
        self._expect_ok(status, answer)
        try:
            if answer["out_trade_no"] != number:
                raise ValueError("the answer is about another payment")
            return self._result(answer)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise ProviderUnavailable(
                f"WeChat Pay answered what cannot be read: {error}"
            ) from error

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
        which = {"transaction_id": reference} if reference else {"out_trade_no": number}
        status, answer = self._ask(
            "refund",
            **which,
            out_refund_no=_refund_number(number, key),
            amount={
                "refund": to_minor_units(amount, "CNY"),
                "total": to_minor_units(total, "CNY"),
                "currency": "CNY",
            },
            reason=_shortened(reason, LONGEST_REASON),
        )
        code = answer.get("code")
        is_no = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
        if is_no and code and code not in PASSING_REFUSALS and status not in PASSING_STATUSES:
            raise RefundRefused(f"WeChat Pay: {code} {answer.get('message', '')}")
        self._expect_ok(status, answer)
        if answer.get("status") not in ("SUCCESS", "PROCESSING"):
            raise RefundRefused(f"WeChat Pay: the refund is {answer.get('status')}")
        return _text(answer, "refund_id")

    def close(self, *, number: str, reference: str) -> None:
        status, answer = self._ask("close", out_trade_no=number)
        if answer.get("code") not in CLOSED_TO_CHANGE | UNKNOWN_ORDER:
            self._expect_ok(status, answer)

    def _ask(self, what: str, **arguments: Any) -> tuple[int, dict[str, Any]]:
        """The status and the answer to one call of the library, {} where it has no body.

        Answers from 200 to 299 have the right signature. Raises ProviderUnavailable.
        """
        try:
            status, text = getattr(self._client, what)(**arguments)
            answer = json.loads(text) if text else {}
        except Exception as error:  # The library raises nothing narrower.
            raise ProviderUnavailable(f"WeChat Pay, {what}: {error}") from error
        if not isinstance(answer, dict):
            raise ProviderUnavailable(f"WeChat Pay, {what}: the answer cannot be read")
        return status, answer

    def _expect_ok(self, status: int, answer: Mapping[str, Any]) -> None:
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            words = f"{answer.get('code', '')} {answer.get('message', '')}"
            raise ProviderUnavailable(f"WeChat Pay: {status} {words}")

    def _result(self, told: Mapping[str, Any]) -> PaymentResult | None:
        """What a transaction says; None while it is not paid and names no amount.

        Raises ValueError, TypeError or LookupError.
        """
        if told["mchid"] != self._mch_id or told["appid"] != self._app_id:
            raise ValueError("it is for another merchant or application")
        outcome = OUTCOMES[told["trade_state"]]
        # Promised for paid ones alone.
        amount = told["amount"] if outcome == Outcome.SUCCEEDED else told.get("amount")
        if not amount or "total" not in amount:
            if outcome == Outcome.SUCCEEDED:
                raise ValueError("it names no amount")
            return None
        currency = str(amount.get("currency", "CNY"))
        return PaymentResult(
            number=str(told["out_trade_no"]),
            reference=str(told.get("transaction_id") or ""),
            outcome=outcome,
            amount=from_minor_units(int(amount["total"]), currency),
            currency=currency,
        )


def _refund_number(number: str, key: str) -> str:
    """Our number of a refund, the only one with it among all installations of one merchant."""
    refund_number = f"{number}-{key}"
    if len(refund_number) <= LONGEST_REFUND_NUMBER:
        return refund_number
    return hashlib.sha256(refund_number.encode()).hexdigest()


def _text(answer: Mapping[str, Any], name: str) -> str:
    value = answer.get(name)
    if not isinstance(value, str) or not value:
        raise ProviderUnavailable(f"WeChat Pay: {name} is missing in the answer")
    return value


def _shortened(text: str, n_bytes: int) -> str:
    """As much of the text as has its place in so many bytes of UTF-8."""
    return text.encode()[:n_bytes].decode(errors="ignore")
