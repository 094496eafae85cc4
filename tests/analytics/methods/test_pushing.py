"""Made-up people who push a course: what they reach without a defence, and with it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analytics.methods.interactions import Interactions
from analytics.methods.pushing import (
    AIMED_RISE,
    ALARM_SHARE,
    LARGEST_RISE,
    N_MEASURED,
    Alarm,
    Before,
    Lists,
    aimed_rise,
    allowed_shares,
    first_people,
    list_shares,
    watch_for_pushes,
)
from analytics.methods.recommenders import HybridRecommender
from analytics.methods.trust import Trust, trust_of
from tests.analytics.methods.pushes import (
    KINDS,
    Attack,
    Kind,
    attacked,
    by_popularity,
    made_market,
    real_market,
)
from tests.conftest import IS_LONG

SEED = 3


class World:
    """A market, its recommender, and what its real people are shown."""

    def __init__(self, market: Interactions) -> None:
        self.market = market
        self.n_people = market.n_users
        rng = np.random.default_rng(SEED)
        # Others than those whom the brake is set on, where there are enough.
        self.people = np.sort(rng.choice(self.n_people, min(self.n_people, 8_000), replace=False))
        self.tuned = HybridRecommender().fit(market).tuned_parameters()
        self.clean = self.fitted(market)
        self.shares = self.shown(self.clean, market)

    def fitted(self, learned: Interactions) -> HybridRecommender:
        return HybridRecommender(**self.tuned).fit(learned)

    def shown(
        self, model: HybridRecommender, histories: Interactions, factors: np.ndarray | None = None
    ) -> np.ndarray:
        """Of the top-ten lists of real people, the share with each course."""
        return Lists(model, histories, histories.user_items, None).shares(self.people, factors)

    def before(self, now: Interactions) -> Before:
        market = self.market
        return Before(
            n_learners=np.bincount(market.indices, minlength=market.n_items),
            n_people=market.n_users,
            list_shares=list_shares(self.clean, market, market.user_items, rng_seed=SEED + 1),
            is_established=np.arange(now.n_users) < market.n_users,
            was_held=np.zeros(market.n_items, dtype=bool),
        )

    def unguarded_rise(self, attack: Attack) -> float:
        now = attacked(self.market, attack)
        return float((self.shown(self.fitted(now), now) - self.shares)[attack.target])

    def braked(self, attack: Attack) -> tuple[float, list[Alarm]]:
        """With nothing but the last version to compare with."""
        now = attacked(self.market, attack)
        model = self.fitted(now)
        factors, alarms = watch_for_pushes(
            model,
            now,
            now.user_items,
            self.before(now),
            SEED,
            trust=Trust.of_everybody(now),
        )
        return float((self.shown(model, now, factors) - self.shares)[attack.target]), alarms

    def of_histories(self, attack: Attack) -> tuple[float, list[Alarm]]:
        """With nothing but the histories themselves, as in a small market."""
        now = attacked(self.market, attack)
        trust = trust_of(now, rng_seed=SEED)
        model = self.fitted(trust.applied(now))
        factors, alarms = watch_for_pushes(model, now, now.user_items, None, SEED, trust=trust)
        return float((self.shown(model, now, factors) - self.shares)[attack.target]), alarms

    def of_first_fit(self, attack: Attack) -> tuple[float, list[Alarm]]:
        """With the people who came first in place of a version before."""
        now = attacked(self.market, attack)
        trust = trust_of(now, rng_seed=SEED)
        learned = trust.applied(now)
        model = self.fitted(learned)
        version = self.fitted(learned.of_users(first_people(now.n_users)))
        before = Before.of_first_people(version, now, now.user_items, SEED + 1)
        factors, alarms = watch_for_pushes(model, now, now.user_items, before, SEED, trust=trust)
        return float((self.shown(model, now, factors) - self.shares)[attack.target]), alarms


@pytest.fixture(scope="module")
def world() -> World:
    return World(made_market())


@pytest.fixture(scope="module")
def real_world(datasets: Path) -> World:
    return World(real_market(datasets))


def is_told(alarms: list[Alarm], attack: Attack) -> bool:
    return any(alarm.item == attack.target for alarm in alarms)


@pytest.mark.parametrize("share", [0.01, 0.03, 0.05])
@pytest.mark.parametrize("kind", KINDS)
def test_a_pushed_course_rises_by_two_points_at_most(
    world: World, kind: Kind, share: float
) -> None:
    for target in by_popularity(world.market, 0.05, 0.5, 0.95):
        attack = Attack(target, share, kind)
        rise, alarms = world.braked(attack)
        assert rise <= LARGEST_RISE
        # At 1% it is held back silently: as many real people take to a course now and then.
        assert is_told(alarms, attack) == (share >= 0.03)


@pytest.mark.parametrize("share", [0.03, 0.05])
@pytest.mark.parametrize("kind", KINDS)
def test_without_the_defence_it_rises_by_more(world: World, kind: Kind, share: float) -> None:
    targets = by_popularity(world.market, 0.05, 0.5, 0.95)
    assert max(world.unguarded_rise(Attack(t, share, kind)) for t in targets) > 0.03


@pytest.mark.parametrize("place", ["first", "any"])
def test_neither_the_place_in_the_histories_nor_their_length_helps(world: World, place) -> None:
    for kind in KINDS:
        for target in by_popularity(world.market, 0.05, 0.95):
            attack = Attack(target, 0.05, kind, place, has_sizes=True)
            rise, alarms = world.braked(attack)
            assert rise <= LARGEST_RISE
            assert is_told(alarms, attack)


@pytest.mark.parametrize("share", [0.01, 0.03, 0.05])
@pytest.mark.parametrize("kind", ["random", "average", "bandwagon"])
def test_the_histories_of_made_up_people_give_them_away_at_the_first_fit(
    world: World, kind: Kind, share: float
) -> None:
    (target,) = by_popularity(world.market, 0.95)
    attack = Attack(target, share, kind)
    for rise, alarms in (world.of_histories(attack), world.of_first_fit(attack)):
        assert rise <= LARGEST_RISE
        assert is_told(alarms, attack) == (share >= 0.03)


@pytest.mark.parametrize("kind", KINDS)
def test_made_up_people_who_look_real_and_came_last_push_nothing_at_the_first_fit(
    world: World, kind: Kind
) -> None:
    for target in by_popularity(world.market, 0.05, 0.5):
        attack = Attack(target, 0.05, kind, "any", has_sizes=True)
        rise, alarms = world.of_first_fit(attack)
        assert rise <= LARGEST_RISE
        assert is_told(alarms, attack)


@pytest.mark.parametrize("share", [0.03, 0.05])
def test_a_decoy_that_all_made_up_people_have_hides_nothing(world: World, share: float) -> None:
    target, decoy = by_popularity(world.market, 0.5, 0.9)
    attack = Attack(target, share, "random", decoy=decoy)
    rise, alarms = world.of_first_fit(attack)
    assert rise <= LARGEST_RISE
    assert is_told(alarms, attack)


def test_too_few_people_are_not_parted_into_first_and_last() -> None:
    assert len(first_people(999)) == 0
    assert np.array_equal(first_people(1_000), np.arange(900))


def test_made_up_people_are_told_from_the_learners_that_a_course_really_has(world: World) -> None:
    (target,) = by_popularity(world.market, 0.5)
    now = attacked(world.market, Attack(target, 0.05, "random"))
    trust = trust_of(now, rng_seed=SEED)
    mine = now.indices == target
    is_real = now.users < world.n_people
    assert trust.of_entry[mine & is_real].mean() > 0.7
    assert trust.of_entry[mine & ~is_real].mean() < 0.1
    assert trust.is_pushed[target]


def test_nothing_is_held_back_and_nobody_alarmed_where_nobody_pushes(world: World) -> None:
    market = world.market
    trust = trust_of(market, rng_seed=SEED)
    assert trust.of_entry.mean() > 0.99
    for before in (None, world.before(market)):
        factors, alarms = watch_for_pushes(
            world.clean, market, market.user_items, before, SEED, trust=trust
        )
        assert (factors == 1).all()
        assert alarms == []


def test_a_market_that_doubles_as_it_was_gives_no_alarm(world: World) -> None:
    order = np.random.default_rng(SEED).permutation(world.n_people)
    half = world.market.of_users(order[: world.n_people // 2])
    now = world.market.of_users(order)
    then = world.fitted(half)
    before = Before(
        n_learners=np.bincount(half.indices, minlength=half.n_items),
        n_people=half.n_users,
        list_shares=list_shares(then, half, half.user_items, rng_seed=SEED),
        is_established=np.arange(now.n_users) < half.n_users,
        was_held=np.zeros(half.n_items, dtype=bool),
    )
    model = world.fitted(now)
    factors, alarms = watch_for_pushes(
        model, now, now.user_items, before, SEED, trust=Trust.of_everybody(now)
    )
    assert alarms == []
    # Twice the data moves many courses by more than two points; few of them grew beyond it.
    assert (factors < 1).sum() <= 0.05 * now.n_items


def test_a_real_hit_rises_from_fit_to_fit_and_is_told_of(world: World) -> None:
    """The price of the brake: it cannot know that people mean it, and lets them wait."""
    (target,) = by_popularity(world.market, 0.95)
    attack = Attack(target, 0.05, "segment")
    now = attacked(world.market, attack)
    model = world.fitted(now)
    before = world.before(now)
    unbraked = world.shown(model, now)[target]
    seen = []
    for _ in range(5):
        factors, alarms = watch_for_pushes(
            model, now, now.user_items, before, SEED, trust=Trust.of_everybody(now)
        )
        shares = world.shown(model, now, factors)
        seen.append(float(shares[target]))
        assert is_told(alarms, attack) == (len(seen) == 1)
        before = dataclasses.replace(
            before,
            n_learners=np.bincount(now.indices, minlength=now.n_items),
            n_people=now.n_users,
            list_shares=shares,
            was_held=factors < 1,
        )
    assert (np.diff(seen) <= LARGEST_RISE).all()
    assert seen[0] < unbraked
    assert seen[-1] == pytest.approx(unbraked, abs=0.01)


def test_an_alarm_says_how_many_came_and_what_was_prevented(world: World) -> None:
    (target,) = by_popularity(world.market, 0.95)
    _, alarms = world.braked(Attack(target, 0.05, "random"))
    (alarm,) = [alarm for alarm in alarms if alarm.item == target]
    figure = alarm.figure(np.arange(world.market.n_items) + 1_000)
    assert figure["course"] == target + 1_000
    assert figure["kind"] == "pushed"
    assert figure["n_new"] == 100
    assert figure["share_new"] == pytest.approx(100 / 2_100, abs=1e-4)
    assert figure["lists_unbraked"] - figure["lists_before"] > 0.1
    assert figure["lists_now"] - figure["lists_before"] <= LARGEST_RISE


def test_the_brake_holds_back_no_more_than_it_must(world: World) -> None:
    market = world.market
    lists = Lists(world.clean, market, market.user_items, None)
    everybody = np.arange(market.n_users)
    top = int(world.shares.argmax())
    allowed = np.ones(market.n_items)
    allowed[top] = world.shares[top] / 2
    factors = lists.factors([everybody], allowed)
    assert 0 < factors[top] < 1
    assert (np.delete(factors, top) == 1).all()
    assert lists.shares(everybody, factors)[top] == pytest.approx(allowed[top], abs=0.01)
    assert lists.shares(everybody, factors)[top] <= allowed[top]
    assert np.array_equal(lists.shares(everybody), world.shares)


def test_lists_with_a_place_to_spare_lose_nothing() -> None:
    """Of nine courses every list shows all that a person lacks; a new one must not vanish."""
    rng = np.random.default_rng(SEED)
    users = np.repeat(np.arange(200), 3)
    items = np.concatenate([rng.choice(9, 3, replace=False) for _ in range(200)])
    market = Interactions.from_arrays(users, items, n_users=200, n_items=9)
    model = HybridRecommender().fit(market)
    lists = Lists(model, market, market.user_items, None)
    assert (lists.factors([np.arange(200)], np.full(9, 0.01)) == 1).all()


def test_only_what_grew_or_still_waits_is_held_back(world: World) -> None:
    market = world.market
    n_people, n_items = market.n_users, market.n_items
    trust = Trust.of_everybody(market)
    shares = np.full(n_items, 0.3)

    def allowed(before: Before | None) -> np.ndarray:
        return allowed_shares(trust, shares, shares, before, n_people=n_people)

    then = trust.n_learners.copy()
    then[3] -= 20
    before = Before(then, n_people, np.full(n_items, 0.1))
    assert (allowed(None) == 1).all()
    assert allowed(before) == pytest.approx(0.1 + AIMED_RISE)
    held = allowed(dataclasses.replace(before, was_held=np.arange(n_items) == 5))
    assert np.flatnonzero(held < 1).tolist() == [3, 5]


def test_the_brake_keeps_the_promise_in_spite_of_its_sample() -> None:
    rng = np.random.default_rng(SEED)
    n_people, n_samples = 5 * N_MEASURED, 400
    for share in (0.02, 0.2, 0.5):
        has = np.arange(n_people) < share * n_people
        then, now = (
            np.array(
                [
                    has[rng.choice(n_people, N_MEASURED, replace=False)].mean()
                    for _ in range(n_samples)
                ]
            )
            for _ in range(2)
        )
        aimed = aimed_rise(then, n_people)
        assert (aimed > 0.002).all()
        # What is let be more of a sample is, but for a few of them, no more than promised of all.
        assert (then + aimed - now <= LARGEST_RISE).mean() > 0.95
    assert aimed_rise(np.array([0.5]), N_MEASURED) == AIMED_RISE


def test_what_a_version_knew_is_found_again_under_the_courses_of_now() -> None:
    before = Before.aligned(
        np.array([2, 5, 9]),
        then_ids=np.array([2, 3, 9]),
        n_learners=np.array([20, 30, 90]),
        n_people=100,
        list_shares=np.array([0.2, 0.3, 0.9]),
    )
    assert before.n_learners.tolist() == [20, 0, 90]
    assert before.list_shares.tolist() == [0.2, 0.0, 0.9]


def test_of_a_version_without_courses_nothing_is_known() -> None:
    nothing = np.array([], dtype=np.int64)
    before = Before.aligned(
        np.array([2, 5]),
        then_ids=nothing,
        n_learners=nothing,
        n_people=0,
        list_shares=np.array([]),
    )
    assert before.n_learners.tolist() == [0, 0]
    assert before.list_shares.tolist() == [0.0, 0.0]


def test_with_too_few_courses_to_compare_everybody_is_trusted() -> None:
    few = Interactions.from_arrays(
        np.repeat(np.arange(30), 2), np.tile([0, 1], 30), n_users=30, n_items=3
    )
    trust = trust_of(few, rng_seed=SEED)
    assert (trust.of_entry == 1).all()
    assert not trust.is_pushed.any()


def test_the_same_seed_tells_the_same(world: World) -> None:
    one, other = (trust_of(world.market, rng_seed=SEED) for _ in range(2))
    assert np.array_equal(one.of_entry, other.of_entry)


def test_watching_leaves_the_recommender_as_it_was(world: World) -> None:
    (target,) = by_popularity(world.market, 0.95)
    now = attacked(world.market, Attack(target, 0.05, "random"))
    model = world.fitted(now)
    was = model.model_.copy()
    watch_for_pushes(model, now, now.user_items, world.before(now), SEED)
    assert (model.model_ != was).nnz == 0
    assert model.interactions_ is now


@pytest.mark.parametrize("attack", [Attack(0, 0.03, "segment"), Attack(0, 0.01, "random")], ids=str)
def test_histories_tell_the_pushed_course_from_the_others_that_made_up_people_have(
    real_world: World, attack: Attack
) -> None:
    """Of a course that many have anyway: the others look odder, and a sample shows too little."""
    (target,) = by_popularity(real_world.market, 0.002)
    now = attacked(real_world.market, dataclasses.replace(attack, target=target))
    trust = trust_of(now, rng_seed=SEED)
    mine, is_real = now.indices == target, now.users < real_world.n_people
    assert trust.of_entry[mine & ~is_real].mean() < 0.2
    assert trust.of_entry[mine & is_real].mean() > 0.9
    others = np.arange(now.n_items) != target
    assert not trust.is_pushed[others].any()
    assert (trust.n_doubted[others] < ALARM_SHARE * now.n_users).all()


# As most made-up people of the books are, and as careful ones are.
LOOKS: tuple[dict[str, Any], ...] = ({}, {"place": "any", "has_sizes": True})
OF_REAL = (
    [
        Attack(0, share, kind, **looks)
        for kind in KINDS
        for share in (0.01, 0.03, 0.05)
        for looks in LOOKS
    ]
    if IS_LONG
    else [Attack(0, 0.03, "bandwagon", **LOOKS[1]), Attack(0, 0.01, "copied")]
)
TARGETS = (0, 0.01, 0.3, 0.9) if IS_LONG else (0.01,)


@pytest.mark.parametrize("attack", OF_REAL, ids=str)
def test_among_real_learners_too(real_world: World, attack: Attack) -> None:
    for target in by_popularity(real_world.market, *TARGETS):
        pushed = dataclasses.replace(attack, target=target)
        for rise, alarms in (real_world.braked(pushed), real_world.of_first_fit(pushed)):
            assert rise <= LARGEST_RISE
            assert is_told(alarms, pushed) or attack.share < 0.03


def test_among_real_learners_nobody_is_alarmed_without_a_push(real_world: World) -> None:
    market = real_world.market
    trust = trust_of(market, rng_seed=SEED)
    first = market.of_users(first_people(market.n_users))
    of_first = Before.of_first_people(real_world.fitted(first), market, market.user_items, SEED + 1)
    for before in (real_world.before(market), of_first):
        factors, alarms = watch_for_pushes(
            real_world.clean, market, market.user_items, before, SEED, trust=trust
        )
        assert alarms == []
        assert (factors < 1).sum() <= 0.01 * market.n_items
