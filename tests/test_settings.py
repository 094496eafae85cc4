"""What an operator reads when the environment is wrong: one line that says what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
GOOD_KEY = "0123456789" * 5


def start(tmp_path: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Start manage.py with nothing of this process's environment but where programs are."""
    return subprocess.run(
        [sys.executable, "manage.py", *(command or ("check",))],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "key",
    [
        {},
        {"SECRET_KEY": ""},
        {"SECRET_KEY": "short"},
        {"SECRET_KEY": "insecure-key-for-development-only-never-use-it-on-a-server"},
    ],
)
def test_without_a_good_secret_it_stops_with_one_clear_line(tmp_path, key) -> None:
    done = start(tmp_path, **key)

    assert done.returncode != 0
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1
    assert "SECRET_KEY is missing or too weak" in lines[0]


@pytest.mark.parametrize("url", ["nonsense", "oracle9://a/b", "mysql://u:p@host:notaport/db"])
def test_a_database_address_that_makes_no_sense_is_named_in_one_line(tmp_path, url) -> None:
    done = start(tmp_path, SECRET_KEY=GOOD_KEY, DATABASE_URL=url)

    assert done.returncode != 0
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1
    assert "DATABASE_URL" in lines[0]
    assert "mysql://" in lines[0]


def test_without_test_payments_a_secret_alone_passes_the_deployment_check(tmp_path) -> None:
    check = ["check", "--deploy", "--fail-level", "WARNING"]
    done = start(tmp_path, *check, SECRET_KEY=GOOD_KEY, SANDBOX_PAYMENTS="0")

    assert done.returncode == 0, done.stderr


def test_with_a_secret_alone_it_starts_and_the_deployment_check_warns_of_test_payments(
    tmp_path,
) -> None:
    done = start(tmp_path, "check", "--deploy", "--fail-level", "ERROR", SECRET_KEY=GOOD_KEY)

    assert done.returncode == 0, done.stderr
    assert "catalog.W001" in done.stderr


LONG_KEY = (
    "-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\\n-----END PRIVATE KEY-----"
)
VENDORS = {
    "Stripe": {"STRIPE_SECRET_KEY": "sk_test_1", "STRIPE_WEBHOOK_SECRET": "whsec_1"},
    "Alipay": {
        "ALIPAY_APP_ID": "2021000000000001",
        "ALIPAY_PRIVATE_KEY": LONG_KEY,
        "ALIPAY_PUBLIC_KEY": LONG_KEY,
    },
    "WeChat Pay": {
        "WECHAT_PAY_MCH_ID": "1900000001",
        "WECHAT_PAY_APP_ID": "wx0000000000000001",
        "WECHAT_PAY_PRIVATE_KEY": LONG_KEY,
        "WECHAT_PAY_CERT_SERIAL": "1DDE55AD98ED71D6EDD4A4A16996DE7B47773A8C",
        "WECHAT_PAY_API_V3_KEY": "0123456789abcdef0123456789abcdef",
        "WECHAT_PAY_PUBLIC_KEY": LONG_KEY,
        "WECHAT_PAY_PUBLIC_KEY_ID": "PUB_KEY_ID_0119000000012025",
    },
}


def shown(tmp_path: Path, expression: str, **environment: str) -> str:
    """What `expression` is with these settings, as Python writes it."""
    code = f"from django.conf import settings; print(repr(({expression})))"
    done = start(tmp_path, "shell", "--no-imports", "-c", code, SECRET_KEY=GOOD_KEY, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def refusal(tmp_path: Path, **environment: str) -> str:
    """The one line with which it refuses to start."""
    done = start(tmp_path, SECRET_KEY=GOOD_KEY, **environment)
    assert done.returncode != 0
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize(
    ("vendor", "missing"),
    [
        ("Stripe", "STRIPE_WEBHOOK_SECRET"),
        ("Stripe", "STRIPE_SECRET_KEY"),
        ("Alipay", "ALIPAY_PUBLIC_KEY"),
        ("WeChat Pay", "WECHAT_PAY_API_V3_KEY"),
    ],
)
def test_half_the_keys_of_a_vendor_are_one_line_that_names_the_rest(
    tmp_path, vendor, missing
) -> None:
    keys = {name: value for name, value in VENDORS[vendor].items() if name != missing}

    line = refusal(tmp_path, **keys)

    assert f"{vendor} is set up by half: {missing} missing" in line


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ORDER_HOLD_MINUTES", "0"),
        ("ORDER_HOLD_MINUTES", "121"),
        ("ORDER_HOLD_MINUTES", "long"),
        ("REMINDER_MINUTES", "0"),
        ("CHAT_DAYS", "0"),
        ("SITE_URL", "courses.example.com"),
        ("ALIPAY_PRIVATE_KEY", "/nowhere/key.pem"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named_in_one_line(tmp_path, name, value) -> None:
    assert name in refusal(tmp_path, **{name: value})


def test_a_wechat_key_of_the_wrong_length_is_named_in_one_line(tmp_path) -> None:
    keys = VENDORS["WeChat Pay"] | {"WECHAT_PAY_API_V3_KEY": "short"}

    assert "WECHAT_PAY_API_V3_KEY must have exactly 32" in refusal(tmp_path, **keys)


def test_payments_are_sandboxed_exactly_while_no_vendor_is_set_up(tmp_path) -> None:
    expression = "settings.SANDBOX_PAYMENTS, settings.SITE_URL, settings.ORDER_HOLD_MINUTES"

    assert shown(tmp_path, expression) == "(True, 'http://127.0.0.1:8000', 15)"
    for keys in VENDORS.values():
        assert shown(tmp_path, "settings.SANDBOX_PAYMENTS", **keys) == "False"
    on = shown(tmp_path, "settings.SANDBOX_PAYMENTS", SANDBOX_PAYMENTS="1", **VENDORS["Stripe"])
    assert on == "True"


def test_a_key_is_its_text_or_the_path_of_its_file(tmp_path) -> None:
    real = LONG_KEY.replace("\\n", "\n")
    file = tmp_path / "key.pem"
    file.write_bytes(real.replace("\n", "\r\n").encode() + b"\r\n")
    keys = VENDORS["Alipay"] | {"ALIPAY_PUBLIC_KEY": str(file)}

    both = shown(tmp_path, "settings.ALIPAY_PRIVATE_KEY, settings.ALIPAY_PUBLIC_KEY", **keys)

    assert both == repr((real, real))


def test_no_vendor_library_is_loaded_at_the_start(tmp_path) -> None:
    keys = {name: value for vendor in VENDORS.values() for name, value in vendor.items()}
    expression = "sorted({'stripe', 'alipay', 'wechatpayv3'} & set(__import__('sys').modules))"

    assert shown(tmp_path, expression, **keys) == "[]"


def test_the_address_of_the_site_has_no_slash_at_its_end(tmp_path) -> None:
    given = shown(tmp_path, "settings.SITE_URL", SITE_URL="https://courses.example.com/")

    assert given == "'https://courses.example.com'"


def test_forms_may_lead_to_the_vendors_that_are_set_up_alone(tmp_path) -> None:
    expression = "settings.CONTENT_SECURITY_POLICY['DIRECTIVES']['form-action']"

    assert "http" not in shown(tmp_path, expression)
    assert "https://checkout.stripe.com" in shown(tmp_path, expression, **VENDORS["Stripe"])
