"""Who asks for recommendations, made in the database that the environment names; prints JSON.

Run as a program: `python -m bench.recommendations_world N_PEOPLE`.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time

import django

N_TIMED = 2_000


def people(n: int) -> dict[str, object]:
    """Tokens of people who allow personalisation and did something, drawn by lot."""
    from datetime import timedelta

    from rest_framework_simplejwt.tokens import AccessToken

    from accounts.models import User
    from analytics.models import Event

    known = set(Event.objects.filter(user__isnull=False).values_list("user", flat=True).distinct())
    found = User.objects.filter(pk__in=known, is_personalised=True, is_active=True).order_by("pk")
    drawn = random.Random(1).sample(list(found), n)
    asked = {person.pk: person for person in drawn}
    tokens = {}
    for pk, person in asked.items():
        token = AccessToken.for_user(person)
        token.set_exp(lifetime=timedelta(hours=2))
        tokens[pk] = str(token)
    return {"tokens": tokens, "in_process": _in_process(list(asked.values()))}


def _in_process(asked: list) -> dict[str, float]:
    """Milliseconds of processor that scoring one person takes, reading their history apart."""
    import numpy as np
    from django.utils import timezone

    from analytics.history import read_history
    from analytics.methods.served_model import History
    from analytics.served_recommender import current

    version = current()
    if version is None:
        raise RuntimeError("no recommender is served")
    model, year = version.model, timezone.now().year
    allowed = np.ones(model.n_items, dtype=bool)
    rng = np.random.default_rng(1)
    long = min(300, model.n_items)
    times: dict[str, list[float]] = {"real": [], "long": []}
    for at in range(N_TIMED):
        person = read_history(asked[at % len(asked)].pk)
        said = person.person(model.category_index, year=year)
        history = person.history(model.index_of)
        longest = History(
            rng.choice(model.n_items, long, replace=False).astype(np.int32),
            np.ones(long, np.float32),
            np.arange(long, dtype=np.int32)[::-1],
        )
        for name, one in (("real", history), ("long", longest)):
            began = time.thread_time()
            model.rank(one, said, n=48, leave_out=one.items, allowed=allowed)
            times[name].append((time.thread_time() - began) * 1e3)
    return {
        f"{name} p{share}": float(np.percentile(found, share))
        for name, found in times.items()
        for share in (50, 99)
    }


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "livecourse.settings")
    django.setup()
    print(json.dumps(people(int(sys.argv[1]))))
