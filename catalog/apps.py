from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import Tags, register
from django.utils.translation import gettext_lazy as _


class CatalogConfig(AppConfig):
    name = "catalog"
    verbose_name = _("Courses and orders")

    def ready(self) -> None:
        from accounts.outbox import register_letter
        from accounts.personal_data import register_holder
        from catalog import order_letters, personal_data
        from catalog.checks import try_vendor_keys, warn_of_test_payments
        from catalog.fulfilment import RECEIPT
        from catalog.refunds import REFUND_LETTER

        register_holder(
            "catalog", export=personal_data.export_learner, erase=personal_data.erase_learner
        )
        register_letter(RECEIPT, order_letters.write_receipt)
        register_letter(REFUND_LETTER, order_letters.write_refund)
        register(try_vendor_keys)
        register(warn_of_test_payments, Tags.security, deploy=True)
