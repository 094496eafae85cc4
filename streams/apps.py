from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class StreamsConfig(AppConfig):
    name = "streams"
    verbose_name = _("Live sessions")

    def ready(self) -> None:
        from accounts.personal_data import register_holder
        from streams import personal_data

        register_holder(
            "streams", export=personal_data.export_viewer, erase=personal_data.erase_viewer
        )
