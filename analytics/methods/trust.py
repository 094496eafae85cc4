"""How far a fit should trust each entry: which learners of which course look made up.

Told from the histories alone (see `push_signs`), before a fit. What a push brings about in spite
of it is held back and told of after the fit (see `pushing`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from analytics.methods.interactions import Interactions
from analytics.methods.push_signs import FEWEST_COURSES, N_SAMPLED, SIGNS, SignReader, Signs

# More of its learners in a cell than this share of courses have is much.
MUCH = 0.98
# With this share of a sample of its learners in such excess a course is looked at whole.
ODD = 0.05
# Where so little is left of the trust in somebody, hardly a usual learner is like this. With the
# first share of such learners those of a course are trusted less, with the second its lists are
# held to what its trusted learners explain.
LITTLE_TRUST, DOUBTED, PUSHED = 0.3, 0.03, 0.4
# Whoever is trusted less is left out of what is told of other courses.
FEW_TRUST = 0.5
# What is left of an entry that is not trusted: nothing, but it stays an entry.
LEAST_TRUST = 0.01


@dataclass(frozen=True)
class Trust:
    """How much a fit should learn from each entry.

    of_entry (n_entries,) float32 from LEAST_TRUST to 1. n_trusted (n_items,) float64: learners,
    each as far as trusted. n_doubted (n_items,) int64: learners in whom LITTLE_TRUST or less is
    left. n_made_up (n_items,) int64: these, but for whom all but the length of their histories is
    as usual. n_learners (n_items,) int64.
    """

    of_entry: np.ndarray
    n_trusted: np.ndarray
    n_doubted: np.ndarray
    n_made_up: np.ndarray
    n_learners: np.ndarray

    @classmethod
    def of_everybody(cls, interactions: Interactions) -> Self:
        """Nobody is doubted."""
        n_learners = np.bincount(interactions.indices, minlength=interactions.n_items)
        return cls(
            of_entry=np.ones(interactions.n_entries, dtype=np.float32),
            n_trusted=n_learners.astype(np.float64),
            n_doubted=np.zeros(interactions.n_items, dtype=np.int64),
            n_made_up=np.zeros(interactions.n_items, dtype=np.int64),
            n_learners=n_learners,
        )

    def applied(self, interactions: Interactions) -> Interactions:
        """The same histories, of which a fit learns what can be trusted."""
        return replace(interactions, weight=interactions.weight * self.of_entry)

    @property
    def is_pushed(self) -> np.ndarray:
        """(n_items,) bool: much of what the course has of learners looks made up."""
        return self.n_made_up > PUSHED * np.maximum(self.n_learners, 1)


def trust_of(interactions: Interactions, *, rng_seed: int) -> Trust:
    """Compare the learners of each course with those of the others.

    In a market with fewer than FEWEST_COURSES courses to compare, everything is trusted.
    """
    trust = np.ones(interactions.n_entries, dtype=np.float32)
    n_doubted, n_made_up = np.zeros((2, interactions.n_items), dtype=np.int64)
    n_learners = np.bincount(interactions.indices, minlength=interactions.n_items)
    reader = SignReader(interactions, np.random.default_rng(rng_seed))
    courses = reader.courses()
    if len(courses) >= FEWEST_COURSES:
        sampled = [reader.read(int(item), n_most=N_SAMPLED) for item in courses]
        shares = {
            sign: np.sort([signs.shares(sign, np.ones(len(signs.places))) for signs in sampled], 0)
            for sign in SIGNS
        }
        much = {sign: _quantile_of_others(values, MUCH) for sign, values in shares.items()}
        excess = np.array([1 - _trusted(signs, much).mean() for signs in sampled])
        suspects = []
        for item in courses[excess >= ODD].tolist():
            suspects.append((int(_is_doubted(_trusted(reader.read(item), much)).sum()), item))
        is_exposed = np.zeros(interactions.n_users, dtype=bool)
        # Made-up people all have the course that they push, and as a rule not all of them any
        # other: the one that has most of them first. Whom it exposes says nothing against what
        # else they took, be it a second course that they push: that is left to the brake.
        for _n_doubted, item in sorted(suspects, reverse=True):
            whole = reader.read(item, left_out=is_exposed)
            trusted = _trusted(whole, much)
            is_doubted = _is_doubted(trusted)
            if is_doubted.sum() >= DOUBTED * max(len(whole.places), 1):
                trust[whole.places] = trusted
                n_doubted[item] = is_doubted.sum()
                n_made_up[item] = (is_doubted & whole.is_odd).sum()
                is_exposed[interactions.users[whole.places[trusted < FEW_TRUST]]] = True
    n_trusted = np.bincount(interactions.indices, weights=trust, minlength=interactions.n_items)
    return Trust(
        of_entry=np.maximum(trust, np.float32(LEAST_TRUST)),
        n_trusted=n_trusted,
        n_doubted=n_doubted,
        n_made_up=n_made_up,
        n_learners=n_learners,
    )


def _quantile_of_others(ascending: np.ndarray, share: float) -> np.ndarray:
    """(n_cells,) of sorted (n_courses, n_cells): the quantile without the largest, so that a
    course is not compared with itself."""
    return np.asarray(ascending[int(share * (len(ascending) - 2))])


def _trusted(signs: Signs, much: dict[str, np.ndarray]) -> np.ndarray:
    """(n_learners,) float32 trust: sign after sign, cells with too many learners are brought down
    to the share that is much, beside what the cells without excess hold."""
    n_learners = len(signs.places)
    trust = np.ones(n_learners, dtype=np.float32)
    for sign in SIGNS:
        shares = signs.shares(sign, trust)
        bound = np.maximum(much[sign], 1 / max(n_learners, 1))
        is_excess = shares > bound + 2 * np.sqrt(bound * (1 - bound) / max(n_learners, 1))
        if not is_excess.any():
            continue
        rest = max(1 - float(shares[is_excess].sum()), 0.02)
        wanted = bound[is_excess] * rest / (1 - min(float(bound[is_excess].sum()), 0.9))
        kept = np.ones(len(shares), dtype=np.float32)
        kept[is_excess] = np.minimum(wanted / shares[is_excess], 1)
        cells = signs.cells[sign]
        trust *= np.where(cells >= 0, kept[cells], 1)
    return trust


def _is_doubted(trust: np.ndarray) -> np.ndarray:
    """(n_learners,) bool: who is nearly certainly made up."""
    return np.asarray(trust <= LITTLE_TRUST)
