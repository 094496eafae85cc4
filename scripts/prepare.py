"""First half of `make run`: database, static files, and in an empty database a sample market.

One process for all of it, since starting Python with Django costs a second each time. The
environment is that of the platform; SAMPLE_MARKET holds options of `manage.py sample_market`
for another size than the default, such as "--users 200".
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "livecourse.settings")

import django  # noqa: E402
from django.core.exceptions import ImproperlyConfigured  # noqa: E402
from django.core.management import CommandError, call_command  # noqa: E402
from django.db import Error as AnyDatabaseError  # noqa: E402


def main() -> int:
    """Make everything ready and print the sign-ins. Returns the exit code."""
    try:
        django.setup()
        say("migrating the database and collecting static files")
        call_command("migrate", verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
        fill()
        call_command("sample_market", sign_ins=True)
    except (ImproperlyConfigured, CommandError, AnyDatabaseError) as error:
        print(f"run: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def fill() -> None:
    """Make a sample market in an empty database; compute what was never computed."""
    from analytics.models import ModelRun, Task
    from analytics.sample_market.writing import AlreadyThere, ForeignRows, require_empty

    try:
        require_empty()
    except (AlreadyThere, ForeignRows):
        pass
    else:
        say("the database is empty: making the sample market (once)")
        call_command("sample_market", *shlex.split(os.environ.get("SAMPLE_MARKET", "")))
    # Also after a first start that was interrupted between the two.
    if set(Task.values) - set(ModelRun.objects.values_list("task", flat=True)):
        say("learning from what is there (once; later the worker does it on schedule)")
        call_command("rebuild")


def say(text: str) -> None:
    print(f"run: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
