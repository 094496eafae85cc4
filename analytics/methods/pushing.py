"""Pushed courses: made-up people must neither bring a course into many lists nor go unnoticed.

Three things, each on its own and all together:

1. Before a fit, `trust.trust_of` tells from the histories alone which learners of which course
   look made up, and `Trust.applied` lets a fit learn less from them.
2. After it, `watch_for_pushes` holds back courses that come into more lists than they should: at
   most LARGEST_RISE more than under the last served version, and, where many learners are not
   trusted, no more than courses with as many trusted learners come into. A course that people
   really begin to love thus rises by less than LARGEST_RISE per fit: that is the price. A push
   that the signs do not tell climbs as slowly, fit by fit, and only the alarm tells of it. A
   first fit has no version before it: the people who came first stand in for it, where they are
   enough. Against made-up people who were there from the beginning there are the signs alone.
3. Courses with many made-up learners, or that grew by more than chance since the last version,
   are told of in alarms, whether or not anything was held back. A real hit gives one too. What
   is below ALARM_SHARE of all people is held back without an alarm.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy import sparse

from analytics.methods.interactions import Interactions
from analytics.methods.recommenders.base import BaseRecommender
from analytics.methods.trust import Trust, trust_of

# Shares of lists. The brake aims below what is promised (2 points): at AIMED_RISE, or by so many
# standard errors of its samples below.
LARGEST_RISE = 0.02
AIMED_RISE = 0.015
AIMED_CERTAINTY = 2.5
# An alarm is given from so many learners on, as a share of all people: those doubted, or
# those that came since the last version beyond what the growth of the market explains.
ALARM_SHARE = 0.015
# Held back is growth from so many on: fewer move less than two points.
HELD_SHARE = 0.0025
# So many standard deviations beyond what is explained, against chance in small markets.
HELD_CERTAINTY, ALARM_CERTAINTY = 2.0, 4.0
# At a first fit those who came last, and how many people there must be to hold any apart.
LATE_SHARE, FEWEST_PEOPLE = 0.1, 1_000
N_MEASURED = 10_000
N_LISTED = 10
# Courses that tell how many lists one with as many learners comes into.
N_LIKE_IT = 15
ROUNDS = 4


@dataclass(frozen=True)
class Before:
    """What the last served version knew and showed, by the items of now; 0 for new ones.

    n_learners (n_items,) int64; n_people; list_shares (n_items,) float64: of the top-ten lists of
    the people of then (see `list_shares`), the share with the item, as served.
    is_established (n_users,) bool: which people of now it knew; None where that is not told.
    was_held (n_items,) bool: what it held back; None where that is not told, so that everything
    may have been.
    """

    n_learners: np.ndarray
    n_people: int
    list_shares: np.ndarray
    is_established: np.ndarray | None = None
    was_held: np.ndarray | None = None

    @classmethod
    def aligned(
        cls,
        course_ids: np.ndarray,
        *,
        then_ids: np.ndarray,
        n_learners: np.ndarray,
        n_people: int,
        list_shares: np.ndarray,
        is_established: np.ndarray | None = None,
        was_held: np.ndarray | None = None,
    ) -> Self:
        """From arrays by the courses of then (n_then,), then_ids sorted."""
        at = np.searchsorted(then_ids, course_ids)
        known = (
            np.flatnonzero(then_ids[np.minimum(at, len(then_ids) - 1)] == course_ids)
            if len(then_ids)
            else np.array([], dtype=np.int64)
        )

        def of_now(values: np.ndarray) -> np.ndarray:
            found = np.zeros(len(course_ids), dtype=values.dtype)
            found[known] = values[at[known]]
            return found

        return cls(
            n_learners=of_now(n_learners),
            n_people=n_people,
            list_shares=of_now(list_shares),
            is_established=is_established,
            was_held=None if was_held is None else of_now(was_held),
        )

    @classmethod
    def of_first_people(
        cls,
        version: BaseRecommender,
        interactions: Interactions,
        taken: sparse.csr_matrix,
        rng_seed: int,
        *,
        candidates: np.ndarray | None = None,
    ) -> Self:
        """What a version that was fitted on the first of the people of now knew and showed.

        interactions, taken, candidates: as of `watch_for_pushes`, the people as they came.
        """
        n_first = version.interactions_.n_users
        first = interactions.of_users(np.arange(n_first))
        return cls(
            n_learners=np.bincount(first.indices, minlength=first.n_items),
            n_people=n_first,
            list_shares=list_shares(
                version, first, taken[:n_first], rng_seed=rng_seed, candidates=candidates
            ),
            is_established=np.arange(interactions.n_users) < n_first,
            was_held=np.zeros(first.n_items, dtype=bool),
        )


@dataclass(frozen=True)
class Alarm:
    """A course that may be pushed.

    n_new: learners since the last version, or, without one, those doubted; share_new: of all
    people. lists_before: share of top-ten lists under the last version, or, without one, what
    courses with as many trusted learners have; lists_unbraked: what this fit would have given;
    lists_now: what it gives.
    """

    item: int
    n_new: int
    share_new: float
    lists_before: float
    lists_unbraked: float
    lists_now: float

    def figure(self, course_ids: np.ndarray) -> dict[str, Any]:
        """As it stands among the figures of a model run."""
        return {
            "course": int(course_ids[self.item]),
            "kind": "pushed",
            "n_new": self.n_new,
            "share_new": round(self.share_new, 4),
            "lists_before": round(self.lists_before, 4),
            "lists_unbraked": round(self.lists_unbraked, 4),
            "lists_now": round(self.lists_now, 4),
        }


def watch_for_pushes(
    recommender: BaseRecommender,
    interactions: Interactions,
    taken: sparse.csr_matrix,
    before: Before | None,
    rng_seed: int,
    *,
    trust: Trust | None = None,
    candidates: np.ndarray | None = None,
) -> tuple[np.ndarray, list[Alarm]]:
    """Factors (n_items,) float32 for `recommender.damp`, and alarms; nothing is changed.

    recommender: fitted, best on `trust.applied(interactions)`. interactions: whole histories, as
    they are asked for lists. taken (n_users, n_items): what is left out of a person's list.
    before: None for the first version. trust: of these interactions, told anew where it is not
    given. candidates (n_items,) bool: what may be shown.
    """
    rng = np.random.default_rng(rng_seed)
    trust = trust if trust is not None else trust_of(interactions, rng_seed=rng_seed)
    lists = Lists(recommender, interactions, taken, candidates)
    people = measured_people(lists.n_users, before.is_established if before else None, rng)
    # The second half checks what was found on the first.
    halves = (people[::2], people[1::2]) if len(people) < lists.n_users else (people,)
    unbraked = lists.shares(people)
    usual = usual_shares(trust, unbraked)
    allowed = allowed_shares(trust, unbraked, usual, before, n_people=lists.n_users)
    factors = lists.factors(halves, allowed)
    is_alarming, n_new = grown(trust, before, lists.n_users)
    now = lists.shares(people, factors) if (factors < 1).any() else unbraked
    held_to = before.list_shares if before else usual
    alarms = [
        Alarm(
            item=int(item),
            n_new=int(n_new[item]),
            share_new=float(n_new[item] / max(lists.n_users, 1)),
            lists_before=float(held_to[item]),
            lists_unbraked=float(unbraked[item]),
            lists_now=float(now[item]),
        )
        for item in np.flatnonzero(is_alarming)
    ]
    return factors, sorted(alarms, key=lambda alarm: -alarm.n_new)


def first_people(n_users: int) -> np.ndarray:
    """(n,) of n_users as they came, those who stand in for a version before the first; none where
    they are too few."""
    return np.arange(int(n_users * (1 - LATE_SHARE)) if n_users >= FEWEST_PEOPLE else 0)


def list_shares(
    recommender: BaseRecommender,
    interactions: Interactions,
    taken: sparse.csr_matrix,
    *,
    rng_seed: int,
    candidates: np.ndarray | None = None,
) -> np.ndarray:
    """(n_items,) float64: the share of top-ten lists with each item, of a sample of people; what
    `Before` needs at the next fit. The recommender as it is served, damped."""
    lists = Lists(recommender, interactions, taken, candidates)
    people = measured_people(lists.n_users, None, np.random.default_rng(rng_seed))
    return lists.shares(people)


def measured_people(
    n_users: int, is_measured: np.ndarray | None, rng: np.random.Generator
) -> np.ndarray:
    """Everybody, or N_MEASURED of them, ascending."""
    people = np.arange(n_users) if is_measured is None else np.flatnonzero(is_measured)
    if len(people) <= N_MEASURED:
        return people
    return np.sort(rng.choice(people, N_MEASURED, replace=False))


def usual_shares(trust: Trust, shares: np.ndarray) -> np.ndarray:
    """(n_items,) float64: which share of lists courses with as many trusted learners come into,
    three quarters of them at most; of the courses that nothing is said against."""
    fair = np.flatnonzero(~trust.is_pushed & (trust.n_learners > 0))
    if not len(fair):
        return shares.copy()
    fair = fair[np.argsort(trust.n_trusted[fair], kind="stable")]
    at = np.searchsorted(trust.n_trusted[fair], trust.n_trusted)
    width = min(N_LIKE_IT, len(fair))
    first = np.clip(at - width // 2, 0, len(fair) - width)
    near = fair[first[:, None] + np.arange(width)]
    return np.asarray(np.quantile(shares[near], 0.75, axis=1))


def allowed_shares(
    trust: Trust,
    unbraked: np.ndarray,
    usual: np.ndarray,
    before: Before | None,
    *,
    n_people: int,
) -> np.ndarray:
    """(n_items,) the largest share of lists that each item may have."""
    trusted_part = trust.n_trusted / np.maximum(trust.n_learners, 1)
    explained = np.maximum(usual, trusted_part * unbraked)
    if before is None:
        return np.where(trust.is_pushed, explained, 1.0)
    risen = before.list_shares + aimed_rise(before.list_shares, before.n_people)
    if before.was_held is not None:
        # A fit that knows more moves courses too: only what grew, or still waits, is held back.
        beyond, noise = growth_beyond(trust.n_learners, before, n_people)
        is_held = before.was_held | (
            (beyond >= HELD_SHARE * n_people) & (beyond > HELD_CERTAINTY * noise)
        )
        risen = np.where(is_held, risen, 1.0)
    return np.where(
        trust.is_pushed, np.minimum(risen, np.maximum(explained, before.list_shares)), risen
    )


def aimed_rise(list_shares: np.ndarray, n_people: int) -> np.ndarray:
    """(n_items,) by how much more of the lists the brake lets each item have, when list_shares
    (n_items,) were measured, as those of now are, on N_MEASURED of n_people, or on all of them."""
    n_measured = max(min(n_people, N_MEASURED), 1)
    left_out = 1 - n_measured / max(n_people, 1)
    error = np.sqrt(2 * list_shares * (1 - list_shares) * left_out / n_measured)
    return np.minimum(AIMED_RISE, LARGEST_RISE - AIMED_CERTAINTY * error)


def grown(trust: Trust, before: Before | None, n_people: int) -> tuple[np.ndarray, np.ndarray]:
    """(is_alarming (n_items,) bool, n_new (n_items,)): see `Alarm`.

    Against a version before, what counts is growth beyond that of the market; in both cases at
    least ALARM_SHARE of all people.
    """
    is_alarming = trust.n_doubted >= ALARM_SHARE * n_people
    n_new = trust.n_doubted.copy()
    if before is not None:
        beyond, noise = growth_beyond(trust.n_learners, before, n_people)
        is_alarming |= (beyond >= ALARM_SHARE * n_people) & (beyond > ALARM_CERTAINTY * noise)
        n_new = np.maximum(trust.n_learners - before.n_learners, 0)
    return is_alarming, n_new


def growth_beyond(
    n_learners: np.ndarray, before: Before, n_people: int
) -> tuple[np.ndarray, np.ndarray]:
    """(beyond, noise), each (n_items,): learners more than the growth of the market explains, in
    people or in what they took, and the standard deviation of that by chance."""
    growth = max(
        n_people / max(before.n_people, 1),
        n_learners.sum() / max(before.n_learners.sum(), 1),
        1.0,
    )
    # Of newcomers it is a matter of chance who takes what; the others are who they were.
    share = np.minimum(before.n_learners / max(before.n_people, 1), 1)
    n_newcomers = max(n_people - before.n_people, 0)
    uncertain = 1 + n_newcomers / max(before.n_people, 1)
    noise = np.sqrt(n_newcomers * share * (1 - share) * uncertain)
    return n_learners - growth * before.n_learners, noise


class Lists:
    """Top-ten lists of whole histories under some factors, without touching the recommender."""

    def __init__(
        self,
        recommender: BaseRecommender,
        interactions: Interactions,
        taken: sparse.csr_matrix,
        candidates: np.ndarray | None,
    ) -> None:
        self.recommender = copy.copy(recommender)
        self.recommender.interactions_ = interactions
        self.model = recommender.model_
        self.taken = taken
        self.candidates = candidates
        self.n_users, self.n_items = interactions.n_users, interactions.n_items

    def ranked(
        self, people: np.ndarray, factors: np.ndarray | None, n: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """(items, scores), each (len(people), n)."""
        self.recommender.model_ = self.model
        if factors is not None:
            damped = self.model.copy()
            damped.data *= factors[damped.indices]
            self.recommender.model_ = damped
        found = self.recommender.recommend(
            people,
            n=n,
            exclude_seen=False,
            exclude=self.taken[people],
            candidates=self.candidates,
            with_reasons=False,
        )
        return found.items, found.scores

    def shares(self, people: np.ndarray, factors: np.ndarray | None = None) -> np.ndarray:
        """(n_items,) float64, of the lists of some people."""
        items, _ = self.ranked(people, factors, N_LISTED)
        counts = np.bincount(items[items >= 0], minlength=self.n_items)
        return counts / max(len(people), 1)

    def factors(self, samples: Sequence[np.ndarray], allowed: np.ndarray) -> np.ndarray:
        """(n_items,) float32: the largest factors with which no item passes its allowed share.

        A list loses an item once its damped score falls to that of the eleventh, so that the
        factor is a quantile of those ratios. Holding one item back lets others in: some rounds.
        """
        factors = np.ones(self.n_items, dtype=np.float32)
        for _ in range(ROUNDS):
            is_done = True
            for people in samples:
                items, scores = self.ranked(people, factors, N_LISTED + 1)
                listed = items[:, :N_LISTED]
                counts = np.bincount(listed[listed >= 0], minlength=self.n_items)
                for item in np.flatnonzero(counts > allowed * len(people)):
                    row, column = np.nonzero(listed == item)
                    ratios = scores[row, N_LISTED] / scores[row, column]
                    # A list with a place to spare shows everything: nothing is pushed there.
                    contested = np.sort(ratios[ratios > 0])
                    n_spare = len(ratios) - len(contested)
                    n_kept = max(int(allowed[item] * len(people)) - n_spare, 0)
                    if n_kept < len(contested):
                        factors[item] *= np.float32(0.9999 * contested[n_kept])
                        is_done = False
            if is_done:
                break
        return factors
