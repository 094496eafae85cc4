"""WeChat Pay v3: notifications signed and encrypted as its documentation says, and an API played
on this machine.
"""

from __future__ import annotations

import base64
import json
import re
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.checkout import OrderRequest, place_order
from catalog.models import Order, Payment, PaymentStatus
from catalog.payments.provider import (
    ForgedNotification,
    Outcome,
    PaymentRequest,
    PaymentResult,
    ProviderUnavailable,
    RefundRefused,
)
from catalog.payments.starting import start_payment
from catalog.payments.wechat_pay import WechatPay
from tests.catalog.payments.conftest import KeyPair
from tests.catalog.payments.vendor import Answer, Asked, Vendor
from tests.factories import CourseFactory, UserFactory

MCH_ID, APP_ID = "1900000001", "wx0000000000000001"
API_KEY = "0123456789abcdef0123456789abcdef"
KEY_ID = "PUB_KEY_ID_0119000000012026"
SERIAL = "1DDE55AD98ED71D6EDD4A4A16996DE7B47773A8C"
NUMBER = "fedcba9876543210fedcba9876543210"
TRANSACTION = "4200000000202603010000000001"
NOW = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
PAID_ORDER: dict[str, Any] = {
    "mchid": MCH_ID,
    "appid": APP_ID,
    "out_trade_no": NUMBER,
    "transaction_id": TRANSACTION,
    "trade_type": "NATIVE",
    "trade_state": "SUCCESS",
    "trade_state_desc": "支付成功",
    "success_time": "2026-03-01T12:00:00+08:00",
    "amount": {"total": 19900, "payer_total": 19900, "currency": "CNY", "payer_currency": "CNY"},
}
PAID = PaymentResult(NUMBER, TRANSACTION, Outcome.SUCCEEDED, Decimal("199.00"), "CNY")
HEADERS = [
    "Wechatpay-Signature",
    "Wechatpay-Timestamp",
    "Wechatpay-Nonce",
    "Wechatpay-Serial",
    "Wechatpay-Signature-Type",
]
REFUND_OF = {
    "number": NUMBER,
    "reference": TRANSACTION,
    "key": "line-7",
    "amount": Decimal("49.50"),
    "total": Decimal("199.00"),
    "currency": "CNY",
    "reason": "",
}


def sign(timestamp: str, nonce: str, body: bytes, keys: KeyPair) -> str:
    text = f"{timestamp}\n{nonce}\n".encode() + body + b"\n"
    return base64.b64encode(keys.key.sign(text, PKCS1v15(), SHA256())).decode()


def signed(
    body: bytes, keys: KeyPair, *, at: datetime = NOW, serial: str = KEY_ID
) -> dict[str, str]:
    """The headers of WeChat Pay above a body."""
    timestamp, nonce = str(int(at.timestamp())), "abcdefghijklmnopqrstuvwxyz012345"
    return {
        "Wechatpay-Timestamp": timestamp,
        "Wechatpay-Nonce": nonce,
        "Wechatpay-Serial": serial,
        "Wechatpay-Signature": sign(timestamp, nonce, body, keys),
        "Wechatpay-Signature-Type": "WECHATPAY2-SHA256-RSA2048",
    }


def notice(kind: str = "TRANSACTION.SUCCESS", *, api_key: str = API_KEY, **changes: Any) -> bytes:
    """A notification about the paid order with some parts changed, encrypted."""
    nonce, data = "0123456789ab", "transaction"
    plain = json.dumps(PAID_ORDER | changes).encode()
    cipher = AESGCM(api_key.encode()).encrypt(nonce.encode(), plain, data.encode())
    return json.dumps(
        {
            "id": "EV-1",
            "create_time": "2026-03-01T12:00:00+08:00",
            "resource_type": "encrypt-resource",
            "event_type": kind,
            "summary": "支付成功",
            "resource": {
                "original_type": "transaction",
                "algorithm": "AEAD_AES_256_GCM",
                "ciphertext": base64.b64encode(cipher).decode(),
                "associated_data": data,
                "nonce": nonce,
            },
        },
        ensure_ascii=False,
    ).encode()


@pytest.fixture(scope="module")
def wechat_at(our_keys: KeyPair, vendor_keys: KeyPair) -> Callable[..., WechatPay]:
    def made(base: str = "http://127.0.0.1:9", **changes: Any) -> WechatPay:
        values: dict[str, Any] = {
            "mch_id": MCH_ID,
            "app_id": APP_ID,
            "private_key": our_keys.private,
            "cert_serial": SERIAL,
            "api_v3_key": API_KEY,
            "public_key": vendor_keys.public,
            "public_key_id": KEY_ID,
            "api_base": base,
            "timeout_seconds": (0.5, 0.5),
        }
        return WechatPay(**values | changes)

    return made


@pytest.fixture(scope="module")
def wechat(wechat_at) -> WechatPay:
    return wechat_at()


@pytest.fixture(scope="module")
def answer(vendor_keys: KeyPair) -> Callable[..., Answer]:
    """An answer of the API with a right signature."""

    def made(content: Any, status: int = 200, keys: KeyPair = vendor_keys) -> Answer:
        body = json.dumps(content, ensure_ascii=False).encode() if content is not None else b""
        kind = {"Content-Type": "application/json; charset=utf-8"}
        return Answer(body, status, kind | signed(body, keys, at=datetime.now(UTC)))

    return made


@pytest.fixture(scope="module")
def read(wechat, vendor_keys) -> Callable[..., PaymentResult | None]:
    def reading(
        body: bytes, headers: dict[str, str] | None = None, **options: Any
    ) -> PaymentResult | None:
        if headers is None:
            headers = signed(body, options.pop("keys", vendor_keys), **options)
        return wechat.read_notification(headers=headers, body=body, moment=NOW)

    return reading


def request_for(**changes: Any) -> PaymentRequest:
    values = {
        "number": NUMBER,
        "amount": Decimal("199.00"),
        "currency": "CNY",
        "title": "唐诗三百首" * 20,
        "return_url": "https://courses.example.com/orders/1/?a=b",
        "notify_url": "https://courses.example.com/payments/wechat_pay/notify/",
        "expires_at": NOW + timedelta(minutes=15),
    }
    return PaymentRequest(**values | changes)


def assert_signed(asked: Asked, keys: KeyPair) -> None:
    """Check the signature of a request as WeChat Pay does."""
    kind, _, rest = asked.headers["authorization"].partition(" ")
    assert kind == "WECHATPAY2-SHA256-RSA2048"
    parts = dict(re.findall(r'(\w+)="([^"]*)"', rest))
    assert (parts["mchid"], parts["serial_no"]) == (MCH_ID, SERIAL)
    query = "&".join(f"{name}={value}" for name, value in asked.query.items())
    path = f"{asked.path}?{query}" if query else asked.path
    text = f"{asked.method}\n{path}\n{parts['timestamp']}\n{parts['nonce_str']}\n".encode()
    keys.key.public_key().verify(
        base64.b64decode(parts["signature"]), text + asked.body + b"\n", PKCS1v15(), SHA256()
    )
    # Without it WeChat Pay would sign its answers with a certificate that is not kept here.
    assert asked.headers["wechatpay-serial"] == KEY_ID


# Notifications


def test_a_genuine_notification_of_money_is_a_success(read) -> None:
    assert read(notice()) == PAID


def test_headers_are_found_in_any_case(read, vendor_keys) -> None:
    headers = signed(notice(), vendor_keys)

    assert read(notice(), {name.upper(): value for name, value in headers.items()}) == PAID
    assert read(notice(), {name.lower(): value for name, value in headers.items()}) == PAID


def test_a_genuine_notification_of_something_else_is_none(read) -> None:
    assert read(notice("REFUND.SUCCESS", refund_status="SUCCESS")) is None


@pytest.mark.parametrize("seconds", [-300, 300])
def test_it_may_be_five_minutes_under_way(read, seconds) -> None:
    assert read(notice(), at=NOW + timedelta(seconds=seconds)) == PAID


@pytest.mark.parametrize("seconds", [-301, 301])
def test_an_old_notification_or_one_from_the_future_is_refused(read, seconds) -> None:
    with pytest.raises(ForgedNotification, match="too old"):
        read(notice(), at=NOW + timedelta(seconds=seconds))


def test_a_notification_signed_by_somebody_else_is_refused(read, forger_keys) -> None:
    with pytest.raises(ForgedNotification, match="does not match"):
        read(notice(), keys=forger_keys)


def test_a_key_that_is_not_known_is_refused_without_asking_anybody(
    vendor: Vendor, wechat_at, forger_keys
) -> None:
    """The library would ask WeChat Pay for its certificates, at every forged message."""
    headers = signed(notice(), forger_keys, serial="5157F09EFDC096DE15EBE81A47057A7232F1B8E1")

    with pytest.raises(ForgedNotification, match="another key"):
        wechat_at(vendor.base).read_notification(headers=headers, body=notice(), moment=NOW)
    assert vendor.asked == []


def test_a_changed_body_is_refused(read, vendor_keys) -> None:
    headers = signed(notice(), vendor_keys)
    changed = notice(amount={"total": 1, "currency": "CNY"})

    for body in (changed, notice().replace(b"EV-1", b"EV-2"), notice() + b" ", b""):
        with pytest.raises(ForgedNotification):
            read(body, headers)


def test_what_is_encrypted_with_another_key_is_refused(read) -> None:
    with pytest.raises(ForgedNotification):
        read(notice(api_key="f" * 32))


@pytest.mark.parametrize(
    "changes",
    [
        {"mchid": "1900000002"},
        {"appid": "wx0000000000000002"},
        {"amount": {}},
        {"amount": None},
        {"amount": {"total": "much"}},
        {"trade_state": "NEVER_HEARD_OF"},
    ],
    ids=["another merchant", "another application", "no total", "no amount", "words", "state"],
)
def test_a_signed_notification_that_cannot_be_ours_is_refused(read, changes) -> None:
    with pytest.raises(ForgedNotification):
        read(notice(**changes))


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("value", [None, "", "é", "1"])
def test_a_header_that_is_missing_or_wrong_is_refused(read, vendor_keys, name, value) -> None:
    headers = {key: text for key, text in signed(notice(), vendor_keys).items() if key != name}
    if value is not None:
        headers[name] = value

    with pytest.raises(ForgedNotification):
        read(notice(), headers)


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{}", b"1", b"\xff", b'{"resource_type": "encrypt-resource"}'],
)
def test_a_signed_body_that_is_no_notification_is_refused(read, body) -> None:
    with pytest.raises(ForgedNotification):
        read(body)


@given(
    body=st.binary(max_size=200),
    headers=st.dictionaries(st.sampled_from(HEADERS), st.text(max_size=30)),
    is_our_key=st.booleans(),
)
@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_whatever_else_comes_is_refused_and_never_another_error(
    read, body, headers, is_our_key
) -> None:
    if is_our_key:
        headers |= {
            "Wechatpay-Serial": KEY_ID,
            "Wechatpay-Timestamp": str(int(NOW.timestamp())),
            "Wechatpay-Signature-Type": "WECHATPAY2-SHA256-RSA2048",
        }
    with pytest.raises(ForgedNotification):
        read(body, headers)


# Starting


def test_a_payment_starts_as_a_qr_code(vendor: Vendor, wechat_at, answer, our_keys) -> None:
    vendor.answers = [answer({"code_url": "weixin://wxpay/bizpayurl?pr=abc"})]

    started = wechat_at(vendor.base).start(request_for())

    assert (started.reference, started.redirect_url) == ("", "")
    assert started.qr_code == "weixin://wxpay/bizpayurl?pr=abc"
    asked = vendor.asked[0]
    assert (asked.method, asked.path) == ("POST", "/v3/pay/transactions/native")
    assert_signed(asked, our_keys)
    sent = json.loads(asked.body)
    assert len(sent.pop("description").encode()) <= 127
    assert sent == {
        "appid": APP_ID,
        "mchid": MCH_ID,
        "out_trade_no": NUMBER,
        "amount": {"total": 19900, "currency": "CNY"},
        "time_expire": "2026-03-01T12:15:00+08:00",
        "notify_url": "https://courses.example.com/payments/wechat_pay/notify/",
    }


def test_a_phone_goes_to_the_app_and_back(vendor: Vendor, wechat_at, answer) -> None:
    page = "https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=wx1&package=2"
    vendor.answers = [answer({"h5_url": page})]

    started = wechat_at(vendor.base).start(request_for(is_phone=True, client_ip="203.0.113.7"))

    assert started.qr_code == ""
    assert started.redirect_url == (
        f"{page}&redirect_url=https%3A%2F%2Fcourses.example.com%2Forders%2F1%2F%3Fa%3Db"
    )
    assert vendor.asked[0].path == "/v3/pay/transactions/h5"
    assert json.loads(vendor.asked[0].body)["scene_info"] == {
        "payer_client_ip": "203.0.113.7",
        "h5_info": {"type": "Wap"},
    }


def test_a_phone_of_unknown_address_gets_a_qr_code(vendor: Vendor, wechat_at, answer) -> None:
    vendor.answers = [answer({"code_url": "weixin://wxpay/1"})]

    assert wechat_at(vendor.base).start(request_for(is_phone=True)).qr_code == "weixin://wxpay/1"


def test_a_merchant_without_the_right_for_phones_gives_a_qr_code(
    vendor: Vendor, wechat_at, answer
) -> None:
    vendor.answers = [
        answer({"code": "NO_AUTH", "message": "商户号该产品权限未开通"}, 403),
        answer({"code_url": "weixin://wxpay/1"}),
    ]

    started = wechat_at(vendor.base).start(request_for(is_phone=True, client_ip="203.0.113.7"))

    assert started.qr_code == "weixin://wxpay/1"


def begin(order: Order, provider: WechatPay) -> Payment:
    return start_payment(
        order=order,
        provider=provider,
        return_url="https://courses.example.com/orders/1/",
        moment=timezone.now(),
        is_phone=True,
        client_ip="203.0.113.7",
    )


@pytest.fixture
def waiting_order(db) -> Order:
    request = OrderRequest([CourseFactory().pk])
    return place_order(buyer=UserFactory(), request=request, key="k", moment=timezone.now())


def test_a_phone_that_pays_again_gets_a_new_address_for_the_same_payment(
    waiting_order: Order, vendor: Vendor, wechat_at, answer
) -> None:
    """The former holds for five minutes, the order waits longer."""
    pages = ["https://wx.tenpay.com/a?prepay_id=1", "https://wx.tenpay.com/a?prepay_id=2"]
    vendor.answers = [answer({"h5_url": page}) for page in pages]

    begun = [begin(waiting_order, wechat_at(vendor.base)) for _ in pages]

    assert [one.redirect_url.partition("&")[0] for one in begun] == pages
    payment = Payment.objects.get()
    assert payment.redirect_url == begun[-1].redirect_url
    numbers = [json.loads(asked.body)["out_trade_no"] for asked in vendor.asked]
    assert numbers == [payment.number.hex] * 2


def test_a_new_address_that_cannot_be_had_leaves_the_payment_as_it_is(
    waiting_order: Order, vendor: Vendor, wechat_at, answer
) -> None:
    vendor.answers = [answer({"h5_url": "https://wx.tenpay.com/a?prepay_id=1"})]
    begun = begin(waiting_order, wechat_at(vendor.base))

    with pytest.raises(ProviderUnavailable):
        begin(waiting_order, wechat_at(vendor.base))

    payment = Payment.objects.get()
    assert (payment.redirect_url, payment.status) == (begun.redirect_url, PaymentStatus.STARTED)


def test_a_code_is_kept_as_long_as_the_order_waits(
    waiting_order: Order, vendor: Vendor, wechat_at, answer
) -> None:
    vendor.answers = [
        answer({"code": "NO_AUTH", "message": "商户号该产品权限未开通"}, 403),
        answer({"code_url": "weixin://wxpay/1"}),
    ]

    begun = [begin(waiting_order, wechat_at(vendor.base)) for _ in range(2)]

    assert [one.qr_code for one in begun] == ["weixin://wxpay/1"] * 2
    assert len(vendor.asked) == 2


@pytest.mark.parametrize("content", [{}, {"code_url": ""}, {"code_url": 5}, [], None])
def test_an_answer_without_a_code_is_unavailable(
    vendor: Vendor, wechat_at, answer, content
) -> None:
    vendor.answers = [answer(content)]

    with pytest.raises(ProviderUnavailable):
        wechat_at(vendor.base).start(request_for())


def test_nothing_is_asked_before_the_first_payment(vendor: Vendor, wechat_at) -> None:
    wechat_at(vendor.base)

    assert vendor.asked == []


@pytest.mark.parametrize("name", ["private_key", "public_key"])
def test_a_key_that_is_none_is_a_value_error(wechat_at, name) -> None:
    with pytest.raises(ValueError, match="WeChat Pay"):
        wechat_at(**{name: "nonsense"})


# Asking


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        ("SUCCESS", Outcome.SUCCEEDED),
        ("REFUND", Outcome.SUCCEEDED),
        ("NOTPAY", Outcome.OPEN),
        ("USERPAYING", Outcome.OPEN),
        ("CLOSED", Outcome.FAILED),
        ("REVOKED", Outcome.FAILED),
        ("PAYERROR", Outcome.FAILED),
    ],
)
def test_a_question_says_what_became_of_it(
    vendor: Vendor, wechat_at, answer, our_keys, state, outcome
) -> None:
    vendor.answers = [answer(PAID_ORDER | {"trade_state": state})]

    result = wechat_at(vendor.base).query(number=NUMBER, reference="")

    assert result == PaymentResult(NUMBER, TRANSACTION, outcome, Decimal("199.00"), "CNY")
    asked = vendor.asked[0]
    assert asked.path == f"/v3/pay/transactions/out-trade-no/{NUMBER}"
    assert asked.query == {"mchid": MCH_ID}
    assert_signed(asked, our_keys)


def test_a_question_by_reference_uses_wechats_number(vendor: Vendor, wechat_at, answer) -> None:
    vendor.answers = [answer(PAID_ORDER)]

    assert wechat_at(vendor.base).query(number=NUMBER, reference=TRANSACTION) == PAID
    assert vendor.asked[0].path == f"/v3/pay/transactions/id/{TRANSACTION}"


def test_an_unpaid_order_has_no_transaction_yet(vendor: Vendor, wechat_at, answer) -> None:
    order = {name: value for name, value in PAID_ORDER.items() if name != "transaction_id"}
    amount = {"total": 19900, "payer_currency": "CNY"}
    vendor.answers = [
        answer(order | {"trade_state": "NOTPAY", "amount": amount}),
        answer(order | {"trade_state": "NOTPAY", "amount": None}),
    ]
    wechat = wechat_at(vendor.base)

    told = wechat.query(number=NUMBER, reference="")
    told_without_amount = wechat.query(number=NUMBER, reference="")

    assert told == PaymentResult(NUMBER, "", Outcome.OPEN, Decimal("199.00"), "CNY")
    assert told_without_amount is None


def test_a_payment_that_wechat_does_not_know_is_none(vendor: Vendor, wechat_at, answer) -> None:
    vendor.answers = [answer({"code": "ORDER_NOT_EXIST", "message": "订单不存在"}, 404)]

    assert wechat_at(vendor.base).query(number=NUMBER, reference="") is None


@pytest.mark.parametrize(
    "changes",
    [{"out_trade_no": "f" * 32}, {"mchid": "1900000002"}, {"amount": {}}, {"trade_state": "?"}],
)
def test_an_answer_that_is_not_about_it_is_unavailable(
    vendor: Vendor, wechat_at, answer, changes
) -> None:
    vendor.answers = [answer(PAID_ORDER | changes)]

    with pytest.raises(ProviderUnavailable):
        wechat_at(vendor.base).query(number=NUMBER, reference="")


# Giving back


def test_a_refund_carries_its_key(vendor: Vendor, wechat_at, answer, our_keys) -> None:
    vendor.answers = [answer({"refund_id": "50000000382026030100000001", "status": "PROCESSING"})]

    refund = wechat_at(vendor.base).refund(**REFUND_OF | {"reason": "不合适" * 20})

    assert refund == "50000000382026030100000001"
    asked = vendor.asked[0]
    assert asked.path == "/v3/refund/domestic/refunds"
    assert_signed(asked, our_keys)
    sent = json.loads(asked.body)
    assert len(sent.pop("reason").encode()) <= 80
    assert sent == {
        "transaction_id": TRANSACTION,
        "out_refund_no": f"{NUMBER}-line-7",
        "amount": {"refund": 4950, "total": 19900, "currency": "CNY"},
    }


def test_a_long_key_is_still_the_same_number_of_at_most_64_signs(
    vendor: Vendor, wechat_at, answer
) -> None:
    vendor.answers = [answer({"refund_id": "5", "status": "SUCCESS"}) for _ in range(3)]
    wechat = wechat_at(vendor.base)

    for key in ("k" * 48, "k" * 48, "k" * 47 + "l"):
        wechat.refund(**REFUND_OF | {"key": key})

    numbers = [json.loads(asked.body)["out_refund_no"] for asked in vendor.asked]
    assert numbers[0] == numbers[1] != numbers[2]
    assert re.fullmatch("[0-9a-f]{64}", numbers[0])


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "INVALID_REQUEST"), (400, "PARAM_ERROR"), (403, "USER_ACCOUNT_ABNORMAL")],
)
def test_a_definite_no_to_a_refund_is_refused(
    vendor: Vendor, wechat_at, answer, status, code
) -> None:
    vendor.answers = [answer({"code": code, "message": "不"}, status)]

    with pytest.raises(RefundRefused, match=code):
        wechat_at(vendor.base).refund(**REFUND_OF)


@pytest.mark.parametrize("state", ["CLOSED", "ABNORMAL"])
def test_a_refund_that_did_not_work_is_refused(vendor: Vendor, wechat_at, answer, state) -> None:
    vendor.answers = [answer({"refund_id": "5", "status": state})]

    with pytest.raises(RefundRefused, match=state):
        wechat_at(vendor.base).refund(**REFUND_OF)


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (403, {"code": "NOT_ENOUGH"}),
        (403, {"code": "NO_AUTH"}),
        (401, {"code": "SIGN_ERROR"}),
        (404, {"code": "RESOURCE_NOT_EXISTS", "message": "订单不存在"}),
        (429, {"code": "FREQUENCY_LIMITED"}),
        (500, {"code": "SYSTEM_ERROR"}),
        (400, {}),
    ],
)
def test_a_refund_that_may_succeed_later_is_unavailable(
    vendor: Vendor, wechat_at, answer, status, content
) -> None:
    vendor.answers = [answer(content, status)]

    with pytest.raises(ProviderUnavailable):
        wechat_at(vendor.base).refund(**REFUND_OF)


# Closing


def test_closing_names_the_payment(vendor: Vendor, wechat_at, answer, our_keys) -> None:
    vendor.answers = [answer(None, 204)]

    wechat_at(vendor.base).close(number=NUMBER, reference="")

    asked = vendor.asked[0]
    assert asked.path == f"/v3/pay/transactions/out-trade-no/{NUMBER}/close"
    assert_signed(asked, our_keys)


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "ORDERPAID"), (400, "ORDER_CLOSED"), (404, "ORDER_NOT_EXIST")],
)
def test_closing_leaves_alone_what_is_over(vendor: Vendor, wechat_at, answer, status, code) -> None:
    vendor.answers = [answer({"code": code}, status)]

    wechat_at(vendor.base).close(number=NUMBER, reference="")


# A vendor that cannot be reached, or is somebody else


def all_calls(wechat: WechatPay) -> list[Any]:
    return [
        lambda: wechat.start(request_for()),
        lambda: wechat.query(number=NUMBER, reference=""),
        lambda: wechat.refund(**REFUND_OF),
        lambda: wechat.close(number=NUMBER, reference=""),
    ]


@pytest.mark.parametrize("n", range(4))
@pytest.mark.parametrize(
    "speech",
    [
        Answer(b"{}", 500),
        Answer(b"<html>", 502),
        None,
        Answer(b"{}"),
        Answer(b"", 204),
        Answer(b"<html>", 404),
    ],
    ids=["500", "502", "silence", "unsigned", "unsigned and empty", "html"],
)
def test_a_vendor_in_trouble_is_unavailable(vendor: Vendor, wechat_at, n, speech) -> None:
    vendor.answers = [speech]

    with pytest.raises(ProviderUnavailable):
        all_calls(wechat_at(vendor.base))[n]()


@pytest.mark.parametrize("n", range(4))
def test_an_answer_signed_by_somebody_else_is_unavailable(
    vendor: Vendor, wechat_at, answer, forger_keys, n
) -> None:
    content = PAID_ORDER | {"code_url": "weixin://1", "refund_id": "5", "status": "SUCCESS"}
    vendor.answers = [answer(content, keys=forger_keys)]

    with pytest.raises(ProviderUnavailable):
        all_calls(wechat_at(vendor.base))[n]()


@pytest.mark.parametrize("n", range(4))
def test_a_refused_connection_is_unavailable(wechat_at, n) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(ProviderUnavailable):
            all_calls(wechat_at(base))[n]()
