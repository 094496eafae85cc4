"""The providers that are set up here, by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from django.conf import settings
from django.utils.translation import gettext as _

from catalog.payments.provider import Provider


class UnknownProvider(Exception):
    """No provider of that name is set up here; the message names those that are."""

    def __init__(self, name: str) -> None:
        names = ", ".join(providers()) or "-"
        super().__init__(
            _("There is no payment provider “%(name)s”; there are: %(names)s.")
            % {"name": name, "names": names}
        )


class UnusableKeys(Exception):
    """The keys of a vendor are set, and its SDK cannot be set up with them.

    `vendor` is what the names of its settings begin with. The message holds no key.
    """

    def __init__(self, vendor: str) -> None:
        super().__init__(f"The keys in {vendor}_… are set, and at least one cannot be read.")
        self.vendor = vendor


@cache
def providers() -> dict[str, Provider]:
    """All providers whose keys are set, in the order in which buyers see them.

    A vendor's SDK is loaded only when its keys are there. Raises UnusableKeys.
    """
    makers: list[tuple[str, object, Callable[[], Provider]]] = [
        ("ALIPAY", settings.ALIPAY_APP_ID, _alipay),
        ("WECHAT_PAY", settings.WECHAT_PAY_MCH_ID, _wechat_pay),
        ("STRIPE", settings.STRIPE_SECRET_KEY, _stripe),
        ("SANDBOX", settings.SANDBOX_PAYMENTS, _sandbox),
    ]
    made = [_made(vendor, make) for vendor, is_set_up, make in makers if is_set_up]
    return {provider.name: provider for provider in made}


def provider_named(name: str) -> Provider:
    """The provider of that name. Raises UnknownProvider."""
    try:
        return providers()[name]
    except KeyError:
        raise UnknownProvider(name) from None


def providers_for(currency: str) -> list[Provider]:
    """The providers that take the currency."""
    return [
        one for one in providers().values() if one.currencies is None or currency in one.currencies
    ]


def _made(vendor: str, make: Callable[[], Provider]) -> Provider:
    try:
        return make()
    except Exception as error:  # Each SDK has words of its own for a key that is none.
        raise UnusableKeys(vendor) from error


def _stripe() -> Provider:
    from catalog.payments.stripe_checkout import StripeCheckout

    return StripeCheckout(
        secret_key=settings.STRIPE_SECRET_KEY, webhook_secret=settings.STRIPE_WEBHOOK_SECRET
    )


def _alipay() -> Provider:
    from catalog.payments.alipay import Alipay

    return Alipay(
        app_id=settings.ALIPAY_APP_ID,
        private_key=settings.ALIPAY_PRIVATE_KEY,
        public_key=settings.ALIPAY_PUBLIC_KEY,
        is_sandbox=settings.ALIPAY_SANDBOX,
    )


def _wechat_pay() -> Provider:
    from catalog.payments.wechat_pay import WechatPay

    return WechatPay(
        mch_id=settings.WECHAT_PAY_MCH_ID,
        app_id=settings.WECHAT_PAY_APP_ID,
        private_key=settings.WECHAT_PAY_PRIVATE_KEY,
        cert_serial=settings.WECHAT_PAY_CERT_SERIAL,
        api_v3_key=settings.WECHAT_PAY_API_V3_KEY,
        public_key=settings.WECHAT_PAY_PUBLIC_KEY,
        public_key_id=settings.WECHAT_PAY_PUBLIC_KEY_ID,
    )


def _sandbox() -> Provider:
    from catalog.payments.sandbox import Sandbox

    return Sandbox(secret=settings.SECRET_KEY)
