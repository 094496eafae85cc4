from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AnalyticsConfig(AppConfig):
    name = "analytics"
    verbose_name = _("What the platform learned")

    def ready(self) -> None:
        from accounts.personal_data import register_holder
        from analytics import personal_data

        register_holder(
            "analytics", export=personal_data.export_observed, erase=personal_data.erase_observed
        )
