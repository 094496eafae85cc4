"""Alipay: notifications signed as its documentation says, and a gateway played on this machine."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.payments.alipay import Alipay
from catalog.payments.provider import (
    ForgedNotification,
    Outcome,
    PaymentRequest,
    PaymentResult,
    ProviderUnavailable,
    RefundRefused,
)
from tests.catalog.payments.conftest import KeyPair
from tests.catalog.payments.vendor import Answer, Asked, Vendor

APP_ID = "2021000000000001"
NUMBER = "0123456789abcdef0123456789abcdef"
TRADE = "2026030122001400000000000001"
NOW = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)  # noon in Beijing
NOTICE = {
    "notify_time": "2026-03-01 12:00:00",
    "notify_type": "trade_status_sync",
    "notify_id": "2026030100222120000000000000000001",
    "charset": "utf-8",
    "version": "1.0",
    "app_id": APP_ID,
    "auth_app_id": APP_ID,
    "seller_id": "2088000000000001",
    "trade_no": TRADE,
    "out_trade_no": NUMBER,
    "trade_status": "TRADE_SUCCESS",
    "total_amount": "199.00",
    "subject": "唐诗三百首 & 更多",
    "fund_bill_list": '[{"amount":"199.00","fundChannel":"ALIPAYACCOUNT"}]',
    "gmt_payment": "2026-03-01 11:59:58",
}
PAID = PaymentResult(NUMBER, TRADE, Outcome.SUCCEEDED, Decimal("199.00"), "CNY")
REFUND_OF = {
    "number": NUMBER,
    "reference": TRADE,
    "key": "line-7",
    "amount": Decimal("49.5"),
    "total": Decimal("199.00"),
    "currency": "CNY",
    "reason": "不合适 / too hard",
}
REFUND_QUERY = "alipay_trade_fastpay_refund_query"


def sign(text: str, keys: KeyPair) -> str:
    return base64.b64encode(keys.key.sign(text.encode(), PKCS1v15(), SHA256())).decode()


@pytest.fixture(scope="module")
def alipay_at(our_keys: KeyPair, vendor_keys: KeyPair) -> Callable[..., Alipay]:
    def made(base: str = "http://127.0.0.1:9", **changes: Any) -> Alipay:
        keys = {"private_key": our_keys.private, "public_key": vendor_keys.public}
        return Alipay(
            **{"app_id": APP_ID, "api_base": f"{base}/gateway.do", "timeout_seconds": 0.5}
            | keys
            | changes
        )

    return made


@pytest.fixture(scope="module")
def alipay(alipay_at) -> Alipay:
    return alipay_at()


@pytest.fixture(scope="module")
def notice(vendor_keys: KeyPair) -> Callable[..., bytes]:
    """A notification with some fields changed (None takes one out) before it is signed."""

    def made(*, keys: KeyPair = vendor_keys, **changes: str | None) -> bytes:
        fields = {name: value for name, value in (NOTICE | changes).items() if value is not None}
        text = "&".join(f"{name}={value}" for name, value in sorted(fields.items()))
        return urlencode(fields | {"sign_type": "RSA2", "sign": sign(text, keys)}).encode()

    return made


@pytest.fixture(scope="module")
def answer(vendor_keys: KeyPair) -> Callable[..., Answer]:
    """An answer of the gateway to `method`, with a right signature."""

    def made(method: str, *, keys: KeyPair = vendor_keys, **content: str) -> Answer:
        text = json.dumps({"code": "10000", "msg": "Success"} | content, ensure_ascii=False)
        signature = sign(text, keys)
        return Answer(f'{{"{method}_response":{text},"sign":"{signature}"}}'.encode())

    return made


def read(alipay: Alipay, body: bytes, moment: datetime = NOW) -> PaymentResult | None:
    return alipay.read_notification(headers={}, body=body, moment=moment)


def request_for(**changes: Any) -> PaymentRequest:
    values = {
        "number": NUMBER,
        "amount": Decimal("199.00"),
        "currency": "CNY",
        "title": "唐诗三百首 a/b=c&d",
        "return_url": "https://courses.example.com/orders/1/",
        "notify_url": "https://courses.example.com/payments/alipay/notify/",
        "expires_at": NOW + timedelta(minutes=15),
    }
    return PaymentRequest(**values | changes)


def assert_signed(parameters: dict[str, str], keys: KeyPair) -> dict[str, str]:
    """Check the signature of a request as Alipay does, and return what it asks for."""
    rest = {name: value for name, value in parameters.items() if name != "sign"}
    text = "&".join(f"{name}={value}" for name, value in sorted(rest.items()))
    signature = base64.b64decode(parameters["sign"])
    keys.key.public_key().verify(signature, text.encode(), PKCS1v15(), SHA256())
    return json.loads(parameters["biz_content"])


# Notifications


@pytest.mark.parametrize("status", ["TRADE_SUCCESS", "TRADE_FINISHED"])
def test_a_genuine_notification_of_money_is_a_success(alipay, notice, status) -> None:
    assert read(alipay, notice(trade_status=status)) == PAID


def test_a_trade_that_ended_unpaid_failed(alipay, notice) -> None:
    result = read(alipay, notice(trade_status="TRADE_CLOSED", gmt_payment=None))

    assert result == PaymentResult(NUMBER, TRADE, Outcome.FAILED, Decimal("199.00"), "CNY")


@pytest.mark.parametrize(
    "changes",
    [
        {"trade_status": "TRADE_CLOSED", "gmt_refund": "2026-03-01 12:00:00.123"},
        {"trade_status": "TRADE_CLOSED", "gmt_payment": None, "refund_fee": "199.00"},
        {"trade_status": "WAIT_BUYER_PAY", "gmt_payment": None},
        {"notify_type": "dut_user_sign"},
    ],
    ids=["closed by a refund", "closed by a refund, told otherwise", "waiting", "another kind"],
)
def test_a_genuine_notification_of_something_else_is_none(alipay, notice, changes) -> None:
    assert read(alipay, notice(**changes)) is None


def test_a_notification_comes_again_for_a_day_and_then_no_more(alipay, notice) -> None:
    assert read(alipay, notice(), NOW + timedelta(hours=25)) == PAID
    for moment in (NOW + timedelta(hours=27), NOW - timedelta(minutes=6)):
        with pytest.raises(ForgedNotification, match="too old"):
            read(alipay, notice(), moment)


def test_a_notification_signed_by_somebody_else_is_refused(alipay, notice, forger_keys) -> None:
    with pytest.raises(ForgedNotification, match="does not match"):
        read(alipay, notice(keys=forger_keys))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"total_amount=199.00", b"total_amount=0.01"),
        (NUMBER.encode(), b"f" * 32),
        (b"TRADE_SUCCESS", b"TRADE_FINISHED"),
        (b"sign_type=RSA2", b"sign_type=RSA"),
        (b"&sign_type=RSA2", b""),
        (b"&charset=utf-8", b""),
        (b"total_amount=199.00", b"total_amount=199.00&total_amount=199.00"),
    ],
)
def test_a_changed_notification_is_refused(alipay, notice, old, new) -> None:
    body = notice()
    assert old in body

    with pytest.raises(ForgedNotification):
        read(alipay, body.replace(old, new))


def test_a_notification_for_another_application_is_refused(alipay, notice) -> None:
    with pytest.raises(ForgedNotification, match="another application"):
        read(alipay, notice(app_id="2021000000000002"))


@pytest.mark.parametrize(
    "name", ["out_trade_no", "trade_no", "total_amount", "trade_status", "notify_time", "app_id"]
)
def test_a_signed_notification_without_a_part_is_refused(alipay, notice, name) -> None:
    with pytest.raises(ForgedNotification):
        read(alipay, notice(**{name: None}))


@pytest.mark.parametrize("amount", ["", "NaN", "Infinity", "much", "1,00"])
def test_a_signed_amount_that_is_none_is_refused(alipay, notice, amount) -> None:
    with pytest.raises(ForgedNotification):
        read(alipay, notice(total_amount=amount))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"sign=",
        b"sign=a&sign_type=RSA2",
        b"sign=%C3%A9&sign_type=RSA2&a=b",
        b"sign_type=RSA2&a=b",
        b"a",
        b"\xff\xfe",
        b"a=%ff&sign=YQ==&sign_type=RSA2",
        b"&".join(b"a%d=b" % n for n in range(500)),
    ],
)
def test_what_is_no_notification_is_refused(alipay, body) -> None:
    with pytest.raises(ForgedNotification):
        read(alipay, body)


@given(
    st.binary(max_size=300)
    | st.dictionaries(st.sampled_from(["sign", "sign_type", "app_id", *NOTICE]), st.text()).map(
        lambda fields: urlencode(fields, errors="surrogatepass").encode()
    )
)
@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_whatever_else_comes_is_refused_and_never_another_error(alipay, body) -> None:
    with pytest.raises(ForgedNotification):
        read(alipay, body)


def test_alipay_is_content_with_one_word(alipay) -> None:
    assert alipay.acknowledgement() == ("text/plain", b"success")


# Starting


@pytest.mark.parametrize(
    ("is_phone", "method", "product"),
    [
        (False, "alipay.trade.page.pay", "FAST_INSTANT_TRADE_PAY"),
        (True, "alipay.trade.wap.pay", "QUICK_WAP_WAY"),
    ],
)
def test_the_buyer_goes_to_a_signed_address(alipay, our_keys, is_phone, method, product) -> None:
    started = alipay.start(request_for(is_phone=is_phone))

    assert (started.reference, started.qr_code) == ("", "")
    assert started.redirect_url.startswith("http://127.0.0.1:9/gateway.do?")
    parameters = dict(parse_qsl(urlsplit(started.redirect_url).query))
    content = assert_signed(parameters, our_keys)
    assert parameters["method"] == method
    assert (parameters["app_id"], parameters["sign_type"]) == (APP_ID, "RSA2")
    assert parameters["return_url"] == "https://courses.example.com/orders/1/"
    assert parameters["notify_url"] == "https://courses.example.com/payments/alipay/notify/"
    assert content == {
        "out_trade_no": NUMBER,
        "total_amount": "199.00",
        "subject": "唐诗三百首 a b c d",
        "product_code": product,
        "time_expire": "2026-03-01 12:15:00",
    }


def test_its_own_gateway_is_used_and_the_sandboxs_where_asked(alipay_at) -> None:
    real, sandbox = (
        alipay_at(api_base="", is_sandbox=is_sandbox).start(request_for()).redirect_url
        for is_sandbox in (False, True)
    )

    assert real.startswith("https://openapi.alipay.com/gateway.do?")
    assert sandbox.startswith("https://openapi-sandbox.dl.alipaydev.com/gateway.do?")


def test_bare_keys_are_read_as_alipays_tools_show_them(alipay_at, our_keys, vendor_keys) -> None:
    def bare(pem: str) -> str:
        return "".join(pem.splitlines()[1:-1])

    bare_one = alipay_at(private_key=bare(our_keys.private), public_key=bare(vendor_keys.public))

    query = urlsplit(bare_one.start(request_for()).redirect_url).query
    assert_signed(dict(parse_qsl(query)), our_keys)


@pytest.mark.parametrize("name", ["private_key", "public_key"])
def test_a_key_that_is_none_is_a_value_error(alipay_at, name) -> None:
    with pytest.raises(ValueError, match=r".+"):
        alipay_at(**{name: "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"})


# Asking

TRADE_ANSWER = {"out_trade_no": NUMBER, "trade_no": TRADE, "total_amount": "199.00"}


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        ({"trade_status": "TRADE_SUCCESS"}, Outcome.SUCCEEDED),
        ({"trade_status": "TRADE_FINISHED"}, Outcome.SUCCEEDED),
        ({"trade_status": "WAIT_BUYER_PAY"}, Outcome.OPEN),
        ({"trade_status": "TRADE_CLOSED"}, Outcome.FAILED),
        (
            {"trade_status": "TRADE_CLOSED", "send_pay_date": "2026-03-01 11:59:58"},
            Outcome.SUCCEEDED,
        ),
    ],
    ids=["success", "finished", "waiting", "closed unpaid", "closed by a refund"],
)
def test_a_question_says_what_became_of_it(
    vendor: Vendor, alipay_at, answer, our_keys, told, outcome
) -> None:
    vendor.answers = [answer("alipay_trade_query", **TRADE_ANSWER, **told)]

    result = alipay_at(vendor.base).query(number=NUMBER, reference="")

    assert result == PaymentResult(NUMBER, TRADE, outcome, Decimal("199.00"), "CNY")
    asked = vendor.asked[0]
    assert asked.query["method"] == "alipay.trade.query"
    assert assert_signed(asked.query, our_keys) == {"out_trade_no": NUMBER}


def test_a_question_by_reference_uses_alipays_number(vendor: Vendor, alipay_at, answer) -> None:
    vendor.answers = [answer("alipay_trade_query", **TRADE_ANSWER, trade_status="TRADE_SUCCESS")]

    assert alipay_at(vendor.base).query(number=NUMBER, reference=TRADE) == PAID
    assert json.loads(vendor.asked[0].query["biz_content"]) == {"trade_no": TRADE}


def test_a_payment_that_alipay_does_not_know_is_none(vendor: Vendor, alipay_at, answer) -> None:
    vendor.answers = [
        answer("alipay_trade_query", code="40004", sub_code="ACQ.TRADE_NOT_EXIST", sub_msg="无")
    ]

    assert alipay_at(vendor.base).query(number=NUMBER, reference="") is None


@pytest.mark.parametrize(
    "changes",
    [{"out_trade_no": "f" * 32}, {"total_amount": "much"}, {"trade_status": ""}, {}],
    ids=["another payment", "no amount", "no status", "forged"],
)
def test_an_answer_that_cannot_be_trusted_is_unavailable(
    vendor: Vendor, alipay_at, answer, forger_keys, vendor_keys, changes
) -> None:
    told = TRADE_ANSWER | {"trade_status": "TRADE_SUCCESS"} | changes
    if "trade_status" in changes:
        told.pop("trade_status")
    keys = vendor_keys if changes else forger_keys
    vendor.answers = [answer("alipay_trade_query", keys=keys, **told)]

    with pytest.raises(ProviderUnavailable):
        alipay_at(vendor.base).query(number=NUMBER, reference="")


# Giving back


def test_a_refund_carries_its_key(vendor: Vendor, alipay_at, answer, our_keys) -> None:
    vendor.answers = [answer("alipay_trade_refund", trade_no=TRADE, fund_change="Y")]

    assert alipay_at(vendor.base).refund(**REFUND_OF) == "line-7"

    assert vendor.asked[0].query["method"] == "alipay.trade.refund"
    assert assert_signed(vendor.asked[0].query, our_keys) == {
        "trade_no": TRADE,
        "refund_amount": "49.50",
        "out_request_no": "line-7",
        "refund_reason": "不合适   too hard",
    }


def test_a_repeated_refund_is_done_when_alipay_says_that_it_was(
    vendor: Vendor, alipay_at, answer
) -> None:
    """Asked again, Alipay says that no money moved: whether it had moved is asked for itself."""
    repeated = answer("alipay_trade_refund", trade_no=TRADE, fund_change="N")
    vendor.answers = [repeated, answer(REFUND_QUERY, refund_status="REFUND_SUCCESS")]

    assert alipay_at(vendor.base).refund(**REFUND_OF) == "line-7"

    asked = vendor.asked[1].query
    assert asked["method"] == "alipay.trade.fastpay.refund.query"
    assert json.loads(asked["biz_content"]) == {"trade_no": TRADE, "out_request_no": "line-7"}

    vendor.answers = [repeated, answer(REFUND_QUERY)]
    with pytest.raises(ProviderUnavailable, match="yet"):
        alipay_at(vendor.base).refund(**REFUND_OF)


@pytest.mark.parametrize(
    "sub_code", ["ACQ.TRADE_HAS_FINISHED", "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL", "ACQ.TRADE_NOT_EXIST"]
)
def test_a_definite_no_to_a_refund_is_refused(vendor: Vendor, alipay_at, answer, sub_code) -> None:
    vendor.answers = [answer("alipay_trade_refund", code="40004", sub_code=sub_code)]

    with pytest.raises(RefundRefused, match=sub_code):
        alipay_at(vendor.base).refund(**REFUND_OF)


@pytest.mark.parametrize(
    ("code", "sub_code"),
    [
        ("40004", "ACQ.SYSTEM_ERROR"),
        ("40004", "ACQ.SELLER_BALANCE_NOT_ENOUGH"),
        ("20000", "isp.unknow-error"),
        ("40006", "isv.insufficient-isv-permissions"),
    ],
)
def test_a_refund_that_may_succeed_later_is_unavailable(
    vendor: Vendor, alipay_at, answer, code, sub_code
) -> None:
    vendor.answers = [answer("alipay_trade_refund", code=code, sub_code=sub_code)]

    with pytest.raises(ProviderUnavailable):
        alipay_at(vendor.base).refund(**REFUND_OF)


def test_nobody_else_can_say_no_to_a_refund(vendor: Vendor, alipay_at, answer, forger_keys) -> None:
    vendor.answers = [
        answer(
            "alipay_trade_refund", keys=forger_keys, code="40004", sub_code="ACQ.TRADE_NOT_EXIST"
        )
    ]

    with pytest.raises(ProviderUnavailable):
        alipay_at(vendor.base).refund(**REFUND_OF)


# Closing


def test_closing_names_the_payment(vendor: Vendor, alipay_at, answer, our_keys) -> None:
    vendor.answers = [answer("alipay_trade_close", trade_no=TRADE)]

    alipay_at(vendor.base).close(number=NUMBER, reference="")

    assert vendor.asked[0].query["method"] == "alipay.trade.close"
    assert assert_signed(vendor.asked[0].query, our_keys) == {"out_trade_no": NUMBER}


@pytest.mark.parametrize(
    "sub_code",
    ["ACQ.TRADE_NOT_EXIST", "ACQ.TRADE_STATUS_ERROR", "ACQ.REASON_TRADE_STATUS_INVALID"],
)
def test_closing_leaves_alone_what_is_over(vendor: Vendor, alipay_at, answer, sub_code) -> None:
    vendor.answers = [answer("alipay_trade_close", code="40004", sub_code=sub_code)]

    alipay_at(vendor.base).close(number=NUMBER, reference="")


def test_closing_that_did_not_work_is_unavailable(vendor: Vendor, alipay_at, answer) -> None:
    vendor.answers = [answer("alipay_trade_close", code="40004", sub_code="ACQ.SYSTEM_ERROR")]

    with pytest.raises(ProviderUnavailable):
        alipay_at(vendor.base).close(number=NUMBER, reference="")


# A vendor that cannot be reached


def all_calls(alipay: Alipay) -> list[Any]:
    return [
        lambda: alipay.query(number=NUMBER, reference=""),
        lambda: alipay.refund(**REFUND_OF),
        lambda: alipay.close(number=NUMBER, reference=""),
    ]


def cut_off(asked: Asked) -> Answer:
    method = asked.query["method"].replace(".", "_")
    return Answer(f'{{"{method}_response":{{"code":"10000"'.encode())


@pytest.mark.parametrize("n", range(3))
@pytest.mark.parametrize(
    "speech",
    [
        Answer(b"{}", 500),
        Answer(b"", 502),
        None,
        Answer(b""),
        Answer(b"<html>"),
        Answer(b"[]"),
        Answer(b"null"),
        Answer(b"{}"),
        Answer(b'{"sign": "YQ=="}'),
        Answer(b'{"sign": 5, "alipay_trade_query_response": 5}'),
        Answer(b'{"error_response": {"code": "40002", "sub_code": "isv.invalid-signature"}}'),
        Answer(b"\xff"),
        cut_off,
    ],
)
def test_a_vendor_in_trouble_is_unavailable(vendor: Vendor, alipay_at, n, speech) -> None:
    vendor.answers = [speech]

    with pytest.raises(ProviderUnavailable):
        all_calls(alipay_at(vendor.base))[n]()


@pytest.mark.parametrize("n", range(3))
def test_a_refused_connection_is_unavailable(alipay_at, n) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(ProviderUnavailable):
            all_calls(alipay_at(base))[n]()
