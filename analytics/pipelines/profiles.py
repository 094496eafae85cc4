"""What the platform derives about each person, built on with every new event."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from analytics import frames
from analytics.methods.derived_profile import (
    GONE_AFTER,
    NEWCOMER_FOR,
    SLIPPING_AFTER,
    Corrections,
    derive,
    price_bounds,
)
from analytics.methods.profile_state import State, merged
from analytics.methods.profiles import sums_of_actions
from analytics.models import EventKind, ModelRun, Profile, ServedRun, Stage, Task
from analytics.pipelines.runs import recorded_run, serve
from analytics.pipelines.writing import BATCH, upsert_values
from analytics.profile_rows import BUILD, apply_corrections, columns_of, read_corrections
from analytics.purchases import lines_of_purchases, record_purchases

# How much one event of a kind tells of an interest, in hundredths of a course taken.
INTEREST_WEIGHTS = {
    EventKind.VIEW: 10,
    EventKind.CLICK: 25,
    EventKind.WATCH: 25,
    EventKind.CHAT: 25,
    EventKind.LIKE: 40,
    EventKind.SHARE: 50,
    EventKind.ADD_TO_CART: 60,
    EventKind.PURCHASE: 100,
    EventKind.LESSON_PROGRESS: 100,
}
# Being shown something is not activity; everything else that a person does is.
ACTIVE_KINDS = tuple(kind for kind in EventKind if kind != EventKind.IMPRESSION)

NOTHING_SAID = Corrections()
JSON_COLUMNS = ("interests", "favourite_hours", "price", "engagement")

# An event whose transaction was still open during the last build has an id below the last
# one that was read. So many ids are counted again to find out.
TAIL = 10_000


class Overtaken(Exception):
    """Another process served a build meanwhile, so that this one would count events twice."""


@dataclass(frozen=True)
class _Sources:
    """What a build reads beside events: people, what they said, and courses, once."""

    people: set[int]
    chosen: dict[int, list[int]]
    corrections: dict[int, Corrections]
    courses: pd.DataFrame
    bounds: dict[str, tuple[float, float]]


def refresh_profiles(*, everything: bool = False, now: datetime | None = None) -> ModelRun:
    """Add the new events to the profiles, or build all of them anew from all events.

    Both give the same rows for the same events, courses, corrections and moment. Whoever refuses
    personalisation loses their profile; whoever allows it (again) gets one from their whole
    history. A build from the start is made where sums cannot be built on: before the first,
    after a change of rules or of price bands, and when events came in behind the last one read.
    """
    now = now or timezone.now()
    with recorded_run(Task.PROFILES) as run:
        before = ModelRun.objects.served(Task.PROFILES)
        run.window_end = now
        record_purchases(since=before.window_end if before else None, now=now)
        run.last_event_id = frames.last_event_id()
        sources = _read_sources()
        base = before if before and not everything and _can_build_on(before, sources) else None
        run.method = "new events" if base else "whole history"
        run.parameters = {
            "build": BUILD,
            "price_bounds": _as_json(sources.bounds),
            "tail_from": max(run.last_event_id - TAIL, 0),
        }
        run.parameters["tail_count"] = frames.event_count(
            after_id=run.parameters["tail_from"], up_to_id=run.last_event_id
        )
        if base:
            states, run.n_rows = _changed_states(run, base.last_event_id, sources)
        else:
            states, run.n_rows = _whole_states(sources.people, sources, run.last_event_id)
        with transaction.atomic():
            _make_sure_nobody_overtook(before)
            run.n_results = upsert_values(
                Profile, _rows(states, sources, run=run, now=now), key=["user"]
            )
            _forget(sources.people)
            if base:
                _move_stages(now)
            _take_over_corrections(sources, now=now)
            # With the sums, or a crash right after would add the same events again.
            run.save()
            serve(run)
    return run


def _read_sources() -> _Sources:
    courses = frames.course_frame()
    chosen = frames.chosen_interest_frame().sort_values(["user_id", "category_id"])
    by_person: dict[int, list[int]] = {}
    for user, category in zip(
        chosen["user_id"].tolist(), chosen["category_id"].tolist(), strict=True
    ):
        by_person.setdefault(user, []).append(category)
    return _Sources(
        people=frames.personalised_people(),
        chosen=by_person,
        corrections=read_corrections(),
        courses=courses,
        bounds=_bounds_of(courses[courses["is_published"]]),
    )


def _bounds_of(courses: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """The bounds of the price bands, of each currency that courses with a price are sold in."""
    found = {
        str(currency): price_bounds(prices.to_numpy())
        for currency, prices in courses.groupby("currency")["price"]
    }
    return {currency: bounds for currency, bounds in found.items() if bounds}


def _as_json(bounds: dict[str, tuple[float, float]]) -> dict[str, list[float]]:
    return {currency: list(both) for currency, both in bounds.items()}


def _can_build_on(before: ModelRun, sources: _Sources) -> bool:
    told = before.parameters
    if told.get("build") != BUILD or told.get("price_bounds") != _as_json(sources.bounds):
        return False
    n_now = frames.event_count(after_id=told["tail_from"], up_to_id=before.last_event_id)
    return n_now <= told["tail_count"]


def _whole_states(
    people: set[int], sources: _Sources, up_to_id: int, *, some: bool = False
) -> tuple[dict[int, State], int]:
    """The states of the given people from all their events, and how many those were."""
    events = frames.event_frame(
        kinds=ACTIVE_KINDS, up_to_id=up_to_id, user_ids=sorted(people) if some else None
    )
    states = sums_of_actions(_actions(events, sources.courses), settings.TIME_ZONE)
    for person in people - states.keys():
        states[person] = {"n": 0}
    # Whoever changed their mind since the people were read is left to the next build.
    for person in states.keys() - people:
        del states[person]
    return _with_chosen(states, sources), len(events)


def _changed_states(
    run: ModelRun, last_read_id: int, sources: _Sources
) -> tuple[dict[int, State], int]:
    """The new states of the people of whom something changed, and how many events are new."""
    profiled = set(Profile.objects.values_list("pk", flat=True))
    states, n_whole = _whole_states(
        sources.people - profiled, sources, run.last_event_id, some=True
    )
    events = frames.event_frame(
        kinds=ACTIVE_KINDS, after_id=last_read_id, up_to_id=run.last_event_id
    )
    events = events[events["user_id"].isin(profiled & sources.people)]
    new = sums_of_actions(_actions(events, sources.courses), settings.TIME_ZONE)
    asked = profiled & (new.keys() | sources.chosen.keys() | _with_stored_choice())
    for person, stored in _stored_states(asked & sources.people):
        state = {name: value for name, value in stored.items() if name != "chosen"}
        if person in new:
            state = merged(state, new[person])
        elif stored.get("chosen", []) == sources.chosen.get(person, []):
            continue
        states[person] = state
    return _with_chosen(states, sources), n_whole + len(events)


def _with_stored_choice() -> set[int]:
    """People whose profile holds chosen fields; they may have dropped all of them since."""
    return set(Profile.objects.filter(state__has_key="chosen").values_list("pk", flat=True))


def _stored_states(people: set[int]) -> Iterator[tuple[int, State]]:
    ids = sorted(people)
    for start in range(0, len(ids), BATCH):
        yield from Profile.objects.filter(pk__in=ids[start : start + BATCH]).values_list(
            "pk", "state"
        )


def _with_chosen(states: dict[int, State], sources: _Sources) -> dict[int, State]:
    for person in states.keys() & sources.chosen.keys():
        states[person]["chosen"] = sources.chosen[person]
    return states


def _actions(events: pd.DataFrame, courses: pd.DataFrame) -> pd.DataFrame:
    """Events as the actions that `sums_of_actions` takes."""
    kind = events["kind"].to_numpy()
    place = pd.Index(courses["course_id"]).get_indexer(events["course_id"])
    is_known = place >= 0
    value = np.nan_to_num(events["value"].to_numpy(), nan=-1.0, posinf=-1.0, neginf=-1.0)
    weights = np.zeros(max(EventKind) + 1, dtype="int64")
    weights[[int(k) for k in INTEREST_WEIGHTS]] = list(INTEREST_WEIGHTS.values())
    list_price = np.append(courses["price"].to_numpy(), -1.0)[place]
    price = np.where(value >= 0, value, list_price)
    currency = np.append(courses["currency"].to_numpy(), "").astype("object")[place]
    is_reduced = np.full(len(events), -1, dtype="int8")
    lines = lines_of_purchases(events)
    for row in np.flatnonzero(np.isin(events["id"].to_numpy(), list(lines))):
        line = lines[int(events["id"].iloc[row])]
        price[row], currency[row] = float(line.price), line.currency
        if line.list_price > 0:
            is_reduced[row] = line.price < line.list_price
    is_paid = (kind == EventKind.PURCHASE) & (price >= 0) & (currency != "")
    is_live = events["live_session_id"].to_numpy() > 0

    def counted(of: EventKind, amount: np.ndarray) -> np.ndarray:
        return np.where(is_live & (kind == of), amount, 0).astype("int64")

    ones = np.ones(len(events))
    return pd.DataFrame(
        {
            "user_id": events["user_id"],
            "category_id": np.append(courses["category_id"].to_numpy(), 0)[place],
            "weight": np.where(is_known, weights[kind], 0),
            "occurred_at": events["occurred_at"],
            "session_id": events["live_session_id"],
            "price_cents": np.where(is_paid, np.round(price * 100), -1).astype("int64"),
            "currency": currency,
            "is_reduced": is_reduced,
            "watched": counted(EventKind.WATCH, np.maximum(np.round(value), 0)),
            "chats": counted(EventKind.CHAT, ones),
            "likes": counted(EventKind.LIKE, np.where(value >= 0, np.round(value), 1)),
            "shares": counted(EventKind.SHARE, ones),
        }
    )


def _rows(
    states: dict[int, State], sources: _Sources, *, run: ModelRun, now: datetime
) -> Iterator[dict[str, Any]]:
    as_json = json.JSONEncoder(separators=(",", ":")).encode
    moment = now.astimezone(UTC).replace(tzinfo=None)
    for person in sorted(states):
        state = states[person]
        found = derive(
            state,
            chosen=state.get("chosen", ()),
            bounds=sources.bounds,
            now=moment,
            corrections=sources.corrections.get(person, NOTHING_SAID),
        )
        columns = columns_of(found)
        yield {
            "user": person,
            "run": run.pk,
            "version": BUILD,
            **columns,
            **{name: as_json(columns[name]) for name in JSON_COLUMNS},
            "state": as_json(state),
            "built_at": now,
        }


def _make_sure_nobody_overtook(before: ModelRun | None) -> None:
    served = ServedRun.objects.select_for_update().filter(task=Task.PROFILES).first()
    if (served and served.run_id) != (before and before.pk):
        raise Overtaken("another process served profiles while these were built")


def _take_over_corrections(sources: _Sources, *, now: datetime) -> None:
    """Derive those again who corrected their profile since the sources were read.

    After the rows were written, and so locked: whoever corrects theirs from here on waits for
    this build to commit.
    """
    said = read_corrections()
    changed = [
        person
        for person in said.keys() | sources.corrections.keys()
        if said.get(person) != sources.corrections.get(person)
    ]
    for start in range(0, len(changed), BATCH):
        apply_corrections(sorted(changed)[start : start + BATCH], moment=now)


def _forget(people: set[int]) -> None:
    """Drop the profiles of those who do not allow personalisation."""
    gone = sorted(set(Profile.objects.values_list("pk", flat=True)) - people)
    for start in range(0, len(gone), BATCH):
        Profile.objects.filter(pk__in=gone[start : start + BATCH]).delete()


def _move_stages(now: datetime) -> None:
    """Move those on of whom nothing new came: the stage is the only thing that time changes.

    Who switched it off has no last_active_at.
    """
    dated = Profile.objects.filter(last_active_at__isnull=False)
    dated.exclude(stage=Stage.GONE).filter(last_active_at__lt=now - GONE_AFTER).update(
        stage=Stage.GONE
    )
    dated.filter(
        stage__in=[Stage.NEWCOMER, Stage.ACTIVE],
        last_active_at__lt=now - SLIPPING_AFTER,
    ).update(stage=Stage.SLIPPING)
    newest_first = _micros(now - NEWCOMER_FOR)
    grown = [
        person
        for person, state in dated.filter(stage=Stage.NEWCOMER).values_list("pk", "state")
        if state["first"] <= newest_first
    ]
    for start in range(0, len(grown), BATCH):
        some = Profile.objects.filter(pk__in=grown[start : start + BATCH], stage=Stage.NEWCOMER)
        some.update(stage=Stage.ACTIVE)


def _micros(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
