from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class StreamsConfig(AppConfig):
    name = "streams"
    verbose_name = _("Live sessions")

    def ready(self) -> None:
        from accounts.outbox import register_letter
        from accounts.personal_data import register_holder
        from streams import draw_letters, personal_data
        from streams.draws import WON_LETTER
        from streams.reminders import REMINDER_LETTER, write_reminder

        register_holder(
            "streams", export=personal_data.export_viewer, erase=personal_data.erase_viewer
        )
        register_letter(REMINDER_LETTER, write_reminder)
        register_letter(WON_LETTER, draw_letters.write_won)
