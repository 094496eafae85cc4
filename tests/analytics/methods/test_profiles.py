# ruff: noqa: DTZ001 the numeric part reads times as UTC without a zone
from __future__ import annotations

import json
from datetime import datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.methods.derived_profile import (
    BANDS,
    LESS,
    MORE,
    OFF,
    PARTS,
    Corrections,
    DerivedProfile,
    derive,
    price_bounds,
    stage_at,
)
from analytics.methods.profile_state import State, merged
from analytics.methods.profiles import ACTION_COLUMNS, sums_of_actions

NOW = datetime(2026, 6, 1, 12, 0)
BOUNDS = {"CNY": (100.0, 300.0), "USD": (10.0, 30.0)}
NOTHING_SAID = Corrections()
SHANGHAI = "Asia/Shanghai"


def action(**values: object) -> dict[str, object]:
    nothing = {
        **dict.fromkeys(ACTION_COLUMNS, 0),
        "user_id": 1,
        "price_cents": -1,
        "currency": "",
        "is_reduced": -1,
        "occurred_at": None,
    }
    return nothing | values


def purchase(price: float, currency: str = "CNY", is_reduced: int = -1) -> dict[str, object]:
    return action(price_cents=int(price * 100), currency=currency, is_reduced=is_reduced)


def frame_of(actions: list[dict]) -> pd.DataFrame:
    frame = pd.DataFrame(actions, columns=list(ACTION_COLUMNS))
    whole = [name for name in ACTION_COLUMNS if name not in ("occurred_at", "currency")]
    frame[whole] = frame[whole].astype("int64")
    frame["occurred_at"] = pd.to_datetime(frame["occurred_at"]).astype("datetime64[us]")
    return frame


def states_of(actions: list[dict]) -> dict[int, State]:
    return sums_of_actions(frame_of(actions), SHANGHAI)


def profile_of(
    *actions: dict, chosen: tuple[int, ...] = (), said: Corrections = NOTHING_SAID
) -> DerivedProfile:
    state = states_of(list(actions)).get(1, {"n": 0})
    return derive(state, chosen=chosen, bounds=BOUNDS, now=NOW, corrections=said)


actions = st.lists(
    st.builds(
        action,
        user_id=st.integers(1, 3),
        category_id=st.integers(0, 3),
        weight=st.sampled_from([0, 10, 25, 100]),
        occurred_at=st.none()
        | st.datetimes(min_value=datetime(2022, 1, 1), max_value=datetime(2026, 5, 31)),
        session_id=st.integers(0, 2),
        price_cents=st.integers(-1, 50_000),
        currency=st.sampled_from(["CNY", "USD"]),
        is_reduced=st.integers(-1, 1),
        watched=st.integers(0, 900),
        chats=st.integers(0, 1),
        likes=st.integers(0, 5),
    ),
    max_size=25,
)
corrections = st.builds(
    Corrections,
    off=st.frozensets(st.sampled_from(PARTS)),
    fields=st.dictionaries(st.integers(1, 4), st.sampled_from([MORE, LESS, OFF])),
    hours=st.lists(st.integers(0, 23), max_size=3, unique=True).map(tuple),
    band=st.sampled_from(["", *BANDS]),
)


@settings(max_examples=60, deadline=None)
@given(actions, corrections, st.data())
def test_building_on_little_by_little_equals_building_at_once_whatever_was_corrected(
    given_actions: list[dict], said: Corrections, data: st.DataObject
) -> None:
    part_of = data.draw(
        st.lists(st.integers(0, 3), min_size=len(given_actions), max_size=len(given_actions))
    )
    states: dict[int, State] = {}
    for part in range(4):
        some = [a for a, where in zip(given_actions, part_of, strict=True) if where == part]
        for user, new in states_of(some).items() if some else ():
            # Between two builds a state lies in the database as JSON.
            stored = json.loads(json.dumps(states[user])) if user in states else None
            states[user] = merged(stored, new) if stored else new
    at_once = states_of(given_actions) if given_actions else {}
    assert states == at_once
    for user, state in at_once.items():
        one, other = (
            derive(s, chosen=(2,), bounds=BOUNDS, now=NOW, corrections=said)
            for s in (states[user], state)
        )
        assert one == other


def test_interests_are_shares_beside_the_events_behind_them() -> None:
    profile = profile_of(
        *[action(category_id=5, weight=100, occurred_at=NOW)] * 3,
        action(category_id=6, weight=100, occurred_at=NOW),
    )
    assert profile.interests == [
        {"category": 5, "weight": 0.75, "n_events": 3},
        {"category": 6, "weight": 0.25, "n_events": 1},
    ]
    assert profile.n_events == 4


def test_an_interest_counts_half_after_three_periods() -> None:
    profile = profile_of(
        action(category_id=5, weight=100, occurred_at=NOW - timedelta(days=90)),
        action(category_id=6, weight=100, occurred_at=NOW),
    )
    weights = {row["category"]: row["weight"] for row in profile.interests}
    assert weights == {6: pytest.approx(2 / 3, abs=1e-4), 5: pytest.approx(1 / 3, abs=1e-4)}


def test_very_old_interests_stay_small_and_are_kept_as_one_sum() -> None:
    old = [
        action(category_id=5, weight=100, occurred_at=NOW - timedelta(days=30 * n))
        for n in range(30, 90)
    ]
    new = action(category_id=6, weight=100, occurred_at=NOW)
    state = states_of([*old, new])[1]
    assert len(state["interests"]["5"][2]) == 1
    assert profile_of(*old, new).interests[0]["category"] == 6


def test_events_with_a_position_only_tell_interests_but_no_day_and_no_hour() -> None:
    profile = profile_of(
        *[action(category_id=5, weight=100)] * 2, action(category_id=6, weight=100)
    )
    assert [row["category"] for row in profile.interests] == [5, 6]
    assert profile.interests[0]["weight"] == pytest.approx(2 / 3, abs=1e-4)
    assert profile.favourite_hours == []
    assert profile.stage == ""
    assert profile.last_active_at is None


def test_an_event_without_a_date_counts_less_than_a_new_one() -> None:
    profile = profile_of(
        action(category_id=5, weight=100),
        action(category_id=6, weight=100, occurred_at=NOW),
    )
    assert [row["weight"] for row in profile.interests] == [0.8, 0.2]


def test_a_chosen_field_is_an_interest_without_events() -> None:
    assert profile_of(chosen=(9,)).interests == [{"category": 9, "weight": 1.0, "n_events": 0}]


def test_hours_are_those_of_the_platforms_zone_the_busiest_first() -> None:
    noon_in_utc = datetime(2026, 5, 1, 12, 0)
    profile = profile_of(
        *[action(occurred_at=noon_in_utc)] * 2,
        action(occurred_at=noon_in_utc - timedelta(hours=11)),
    )
    assert profile.favourite_hours == [
        {"hour": 20, "n_events": 2},
        {"hour": 9, "n_events": 1},
    ]


@pytest.mark.parametrize(
    ("prices", "band"),
    [([], ""), ([0], "free"), ([50, 100], "low"), ([200], "middle"), ([100, 900], "high")],
)
def test_the_price_band_is_of_the_mean_price_paid(prices: list[int], band: str) -> None:
    profile = profile_of(*(purchase(price) for price in prices))
    assert profile.price_band == band
    assert profile.price.get("n_purchases", 0) == len(prices)


def test_price_sensitivity_is_the_share_of_reduced_ones_among_those_of_known_list_price() -> None:
    profile = profile_of(
        purchase(90, is_reduced=1),
        purchase(30, is_reduced=0),
        purchase(60, is_reduced=0),
        purchase(20),
    )
    assert profile.price == {
        "band": "low",
        "mean": "50.00",
        "currency": "CNY",
        "n_purchases": 4,
        "n_known": 3,
        "n_discounted": 1,
        "discounted_share": 0.3333,
    }


def test_without_a_known_list_price_there_is_no_share_of_reduced_purchases() -> None:
    price = profile_of(purchase(90), purchase(0)).price
    assert (price["n_purchases"], price["n_known"], price["discounted_share"]) == (2, 0, None)
    assert profile_of().price == {}


def test_prices_of_two_currencies_do_not_add_up_and_the_more_frequent_one_counts() -> None:
    price = profile_of(
        purchase(900, is_reduced=1), purchase(20, "USD", 0), purchase(22, "USD", 1)
    ).price
    assert (price["currency"], price["mean"], price["band"]) == ("USD", "21.00", "middle")
    assert (price["n_purchases"], price["n_known"], price["n_discounted"]) == (2, 2, 1)


def test_a_currency_in_which_nothing_with_a_price_is_on_sale_has_no_bands() -> None:
    assert profile_of(purchase(5, "EUR")).price["band"] == ""
    assert profile_of(purchase(0, "EUR")).price["band"] == "free"


def test_engagement_counts_what_was_done_in_live_rooms() -> None:
    profile = profile_of(
        action(session_id=3, watched=60),
        action(session_id=4, watched=30),
        action(session_id=3, chats=1),
        action(session_id=3, likes=5),
        action(session_id=4, shares=1),
    )
    assert profile.engagement == {
        "n_sessions": 2,
        "watched_seconds": 90,
        "n_chats": 1,
        "n_likes": 5,
        "n_shares": 1,
    }


LIVELY = (
    *[action(category_id=5, weight=100, occurred_at=NOW)] * 3,
    action(category_id=6, weight=100, occurred_at=NOW, session_id=3, chats=1),
    purchase(60, is_reduced=1),
)


@pytest.mark.parametrize(
    ("part", "columns"),
    [
        ("interests", {"interests": []}),
        ("hours", {"favourite_hours": []}),
        ("price", {"price_band": "", "price": {}}),
        ("stage", {"stage": "", "last_active_at": None}),
        ("engagement", {"engagement": {}}),
    ],
)
def test_a_part_that_is_off_is_not_derived_and_the_others_stay(part: str, columns: dict) -> None:
    whole = profile_of(*LIVELY, chosen=(9,))
    said = Corrections(off=frozenset([part]), hours=(7,), band="high")
    corrected = profile_of(*LIVELY, chosen=(9,), said=said)

    for name in DerivedProfile.__slots__:
        if name in columns:
            assert getattr(whole, name) != columns[name]
            assert getattr(corrected, name) == columns[name]
        elif name not in ("favourite_hours", "price_band", "price"):
            assert getattr(corrected, name) == getattr(whole, name)


def test_a_field_that_is_off_leaves_its_share_to_the_others() -> None:
    said = Corrections(fields={5: OFF, 9: OFF})
    assert profile_of(*LIVELY, chosen=(9,), said=said).interests == [
        {"category": 6, "weight": 1.0, "n_events": 1}
    ]


def test_more_doubles_a_field_and_less_halves_it() -> None:
    more, less = (profile_of(*LIVELY, said=Corrections(fields={6: say})) for say in (MORE, LESS))
    assert [row["weight"] for row in more.interests] == [0.6, 0.4]
    assert [row["weight"] for row in less.interests] == [0.8571, 0.1429]


def test_more_of_an_unknown_field_adds_it_and_less_of_one_does_not() -> None:
    said = Corrections(fields={8: MORE, 7: LESS})
    assert profile_of(said=said).interests == [{"category": 8, "weight": 1.0, "n_events": 0}]


def test_hours_that_somebody_chose_stand_beside_the_events_of_those_hours() -> None:
    assert profile_of(*LIVELY, said=Corrections(hours=(7, 20))).favourite_hours == [
        {"hour": 20, "n_events": 4},
        {"hour": 7, "n_events": 0},
    ]


def test_a_band_that_somebody_named_goes_before_the_derived_one() -> None:
    profile = profile_of(purchase(60), said=Corrections(band="high"))
    assert (profile.price_band, profile.price["mean"]) == ("high", "60.00")
    without = profile_of(said=Corrections(band="high")).price
    assert (without["band"], without["n_purchases"], without["mean"]) == ("high", 0, None)


def days_ago(n: float) -> datetime:
    return NOW - timedelta(days=n)


@pytest.mark.parametrize(
    ("n", "first", "last", "stage"),
    [
        (0, None, None, "newcomer"),
        (3, None, None, ""),
        (3, days_ago(6.9), days_ago(1), "newcomer"),
        (3, days_ago(7), days_ago(1), "active"),
        (3, days_ago(300), days_ago(14), "active"),
        (3, days_ago(300), days_ago(14.1), "slipping"),
        (3, days_ago(300), days_ago(60.1), "gone"),
    ],
)
def test_the_stage_follows_from_the_first_and_the_last_action(
    n: int, first: datetime | None, last: datetime | None, stage: str
) -> None:
    assert stage_at(n=n, first=first, last=last, now=NOW) == stage


def test_price_bounds_are_round_terciles_of_what_is_not_free() -> None:
    assert price_bounds([0, 0, 0, *range(1, 301)]) == (100.0, 200.0)
    assert price_bounds([0]) is None
