from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CatalogConfig(AppConfig):
    name = "catalog"
    verbose_name = _("Courses and orders")

    def ready(self) -> None:
        from accounts.personal_data import register_holder
        from catalog import personal_data

        register_holder(
            "catalog", export=personal_data.export_learner, erase=personal_data.erase_learner
        )
