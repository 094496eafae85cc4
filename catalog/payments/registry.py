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


@cache
def providers() -> dict[str, Provider]:
    """All providers whose keys are set, in the order in which buyers see them.

    A vendor's SDK is loaded only when its keys are there.
    """
    makers: list[tuple[object, Callable[[], Provider]]] = [
        (settings.ALIPAY_APP_ID, _alipay),
        (settings.WECHAT_PAY_MCH_ID, _wechat_pay),
        (settings.STRIPE_SECRET_KEY, _stripe),
        (settings.SANDBOX_PAYMENTS, _sandbox),
    ]
    made = [make() for is_set_up, make in makers if is_set_up]
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
