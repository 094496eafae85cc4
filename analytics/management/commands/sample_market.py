"""Make the sample market, or print how its people sign in."""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser, ArgumentTypeError
from datetime import date, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from analytics.sample_market.courses import TooManyCourses
from analytics.sample_market.plan import SMALLEST, Plan
from analytics.sample_market.writing import AlreadyThere, ForeignRows, sign_ins, write_market

# With --today the present of the market is this hour of that day.
PRESENT_HOUR, PRESENT_MINUTE = 20, 30


class Command(BaseCommand):
    help = (
        "Make a market of made-up courses, people and live sessions in an empty database. "
        "docs/sample-market.md says what is true in it. `rebuild` then learns from it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seed", type=int, default=1, help="Equal seeds, equal markets.")
        parser.add_argument("--users", type=_at_least("users"), default=3000, help="Viewers.")
        parser.add_argument("--courses", type=_at_least("courses"), default=320)
        parser.add_argument(
            "--sessions",
            type=_at_least("sessions"),
            default=240,
            help="Live sessions that are over; some on air and to come are added.",
        )
        parser.add_argument(
            "--today",
            type=_day,
            help="The market's present is the evening of this day (YYYY-MM-DD) instead of now.",
        )
        parser.add_argument(
            "--truth", metavar="FILE", help="Also write what is true in the market, as JSON."
        )
        parser.add_argument(
            "--sign-ins",
            action="store_true",
            help="Only print the sign-ins of a sample market that is there.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["sign_ins"]:
            self._print_sign_ins()
            return
        began = time.monotonic()
        plan = Plan(
            seed=options["seed"],
            n_users=options["users"],
            n_courses=options["courses"],
            n_sessions=options["sessions"],
            now=_present(options["today"]),
            zone=timezone.get_default_timezone(),
        )
        try:
            market = write_market(plan)
        except AlreadyThere:
            self.stdout.write("The sample market is there already; nothing was changed.")
            return
        except ForeignRows as rows:
            raise CommandError(
                f"This database already holds {rows}. The sample market goes into an empty one "
                "only: point DATABASE_URL or VAR_DIR at another. Nothing was changed."
            ) from None
        except TooManyCourses as error:
            raise CommandError(f"--courses {options['courses']} is too many: {error}.") from None
        if options["truth"]:
            with open(options["truth"], "w", encoding="utf-8") as file:
                json.dump(market.truth.as_json(), file, ensure_ascii=False, indent=2)
        counts = {model._meta.model_name: len(rows) for model, rows in market.rows.items()}
        self.stdout.write(
            f"sample market: {counts['user']} people, {counts['course']} courses, "
            f"{counts['livesession']} live sessions, {counts['order']} orders, "
            f"{counts['event']} events in {time.monotonic() - began:.1f} s"
        )

    def _print_sign_ins(self) -> None:
        people = sign_ins()
        for person in people:
            secret = (
                person.password or f"(its file is gone: manage.py changepassword {person.email})"
            )
            self.stdout.write(f"{person.role:<10} {person.email:<34} {secret}  {person.name}")


def _present(day: date | None) -> datetime:
    if day is None:
        return timezone.now().replace(second=0, microsecond=0)
    return datetime(
        day.year,
        day.month,
        day.day,
        PRESENT_HOUR,
        PRESENT_MINUTE,
        tzinfo=timezone.get_default_timezone(),
    )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no day such as 2026-11-24") from None


def _at_least(name: str):  # type: ignore[no-untyped-def]
    def whole_number(text: str) -> int:
        number = int(text)
        if number < SMALLEST[name]:
            raise ArgumentTypeError(f"must be at least {SMALLEST[name]}, not {number}")
        return number

    return whole_number
