"""A small platform whose fits are ended by kill -9, one after the other, each at another moment.

Run as a program with the environment of an empty platform that has its tables. Prints one line of
JSON after each fit: how its process ended, which runs there are, and what the API answers then.
Every step is a process of its own: none remembers anything of the ones before.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from unittest import mock

import django

# The first call of it ends the process: while methods are scored, while the file is written, when
# it lies there but is not served, and within the transaction that would serve it.
MOMENTS = [
    "analytics.pipelines.recommend.evaluate_recommender",
    "analytics.model_files.os.fsync",
    "analytics.pipelines.recommend.serve",
    "analytics.models.ServedRun.objects.update_or_create",
]


def apart(step: Callable[[], object]) -> int:
    """Do the step in a process of its own; the signal that ended it, 0 for none."""
    from django.db import connections

    connections.close_all()
    sys.stdout.flush()
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    status = 1
    try:
        step()
        sys.stdout.flush()
        status = 0
    except BaseException:  # noqa: BLE001 told, and by the exit status
        traceback.print_exc()
    finally:
        os._exit(status)


def make_market() -> None:
    """Two fields of five courses, and 30 people who keep to one of them."""
    from tests.factories import (
        LONG_AGO,
        CategoryFactory,
        CourseFactory,
        EnrollmentFactory,
        SellerFactory,
        UserFactory,
    )

    seller, fields = SellerFactory(), [CategoryFactory(), CategoryFactory()]
    courses = [CourseFactory(seller=seller, category=fields[n // 5]) for n in range(10)]
    for number in range(30):
        person = UserFactory()
        for step in range(3):
            EnrollmentFactory(
                user=person,
                course=courses[number % 2 * 5 + (number + step) % 5],
                enrolled_at=LONG_AGO + timedelta(days=step, hours=number),
            )


def fit(end_at: str = "") -> None:
    from analytics.pipelines.recommend import refresh_recommendations

    if not end_at:
        refresh_recommendations()
        return

    def end(*args: object, **more: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    owner, name = end_at.rsplit(".", 1)
    with mock.patch.object(_named(owner), name, end):
        refresh_recommendations()


def _named(path: str) -> object:
    """A module, or what is in one."""
    parts = path.split(".")
    for n in range(len(parts), 0, -1):
        try:
            found: object = import_module(".".join(parts[:n]))
        except ModuleNotFoundError:
            continue
        for part in parts[n:]:
            found = getattr(found, part)
        return found
    raise LookupError(path)


def tell(step: str, ended_by: int) -> None:
    from django.conf import settings
    from rest_framework.test import APIClient

    from accounts.models import User
    from accounts.tokens import tokens_of
    from analytics.models import ModelRun, Task

    person = User.objects.filter(enrollments__isnull=False).order_by("pk").first()
    assert person is not None
    token = {"Authorization": f"Bearer {tokens_of(person)['access']}"}
    answer = APIClient().get("/api/v1/recommendations/", headers=token)
    served = ModelRun.objects.served(Task.RECOMMEND)
    folder = Path(settings.MODELS_DIR)
    print(
        json.dumps(
            {
                "step": step,
                "ended_by": ended_by,
                "served": served and served.pk,
                "runs": list(ModelRun.objects.order_by("pk").values_list("outcome", "message")),
                "status": answer.status_code,
                "rows": [(row["id"], row["reason_code"]) for row in answer.json()["results"]],
                "courses": APIClient().get("/api/v1/courses/").status_code,
                "files": sorted(path.name for path in folder.iterdir()),
            }
        )
    )


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "livecourse.settings"
    django.setup()
    for module in ("analytics.pipelines.recommend", "livecourse.urls", "rest_framework.test"):
        import_module(module)  # Once, and not by each of the processes.
    if apart(make_market):
        raise SystemExit("no market")
    for moment in ["", *MOMENTS, ""]:
        ended_by = apart(lambda moment=moment: fit(moment))  # type: ignore[misc]
        if apart(lambda moment=moment, by=ended_by: tell(moment, by)):  # type: ignore[misc]
            raise SystemExit(f"nothing to tell after {moment}")


if __name__ == "__main__":
    main()
