"""Keys that cannot be read are found by `manage.py check`, before a buyer finds them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.catalog.payments.conftest import KeyPair

ROOT = Path(__file__).resolve().parents[3]
SECRET = "-----BEGIN PRIVATE KEY-----\\nMIIsecretsecret\\n-----END PRIVATE KEY-----"


def alipay(keys: KeyPair, **changes: str) -> dict[str, str]:
    return {
        "ALIPAY_APP_ID": "2021000000000001",
        "ALIPAY_PRIVATE_KEY": keys.private,
        "ALIPAY_PUBLIC_KEY": keys.public,
        **changes,
    }


def wechat_pay(keys: KeyPair, **changes: str) -> dict[str, str]:
    return {
        "WECHAT_PAY_MCH_ID": "1900000001",
        "WECHAT_PAY_APP_ID": "wx0000000000000001",
        "WECHAT_PAY_PRIVATE_KEY": keys.private,
        "WECHAT_PAY_CERT_SERIAL": "1DDE55AD98ED71D6EDD4A4A16996DE7B47773A8C",
        "WECHAT_PAY_API_V3_KEY": "0123456789abcdef0123456789abcdef",
        "WECHAT_PAY_PUBLIC_KEY": keys.public,
        "WECHAT_PAY_PUBLIC_KEY_ID": "PUB_KEY_ID_0119000000012026",
        **changes,
    }


def check(folder: Path, variables: dict[str, str]) -> Any:
    return subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env={**os.environ, "VAR_DIR": str(folder), **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("vendor", "name"),
    [
        (alipay, "ALIPAY_PRIVATE_KEY"),
        (alipay, "ALIPAY_PUBLIC_KEY"),
        (wechat_pay, "WECHAT_PAY_PRIVATE_KEY"),
        (wechat_pay, "WECHAT_PAY_PUBLIC_KEY"),
    ],
)
def test_a_key_that_cannot_be_read_fails_the_check_and_is_not_told(
    tmp_path, our_keys, vendor, name
) -> None:
    done = check(tmp_path, vendor(our_keys, **{name: SECRET}))

    assert done.returncode == 1
    assert "catalog.E001" in done.stderr
    assert f"The keys in {name.rsplit('_', 2)[0]}_… are set" in done.stderr
    assert "secret" not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def test_keys_that_can_be_read_pass(tmp_path, our_keys) -> None:
    done = check(tmp_path, {**alipay(our_keys), **wechat_pay(our_keys)})

    assert done.returncode == 0, done.stderr
