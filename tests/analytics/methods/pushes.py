"""Markets and made-up people for tests of what keeps pushed courses out of lists."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from analytics.methods.interactions import Interactions

Kind = Literal["random", "average", "bandwagon", "segment", "copied"]
Place = Literal["first", "last", "any"]
KINDS: tuple[Kind, ...] = ("random", "average", "bandwagon", "segment", "copied")

N_FIELDS, N_OF_FIELD = 10, 15


@dataclass(frozen=True)
class Attack:
    """share of all people that are made up to push the target; what else they have, and where
    in it the target stands; has_sizes: as long as real histories are, else equally long; decoy:
    another item that all of them have, first."""

    target: int
    share: float
    kind: Kind
    place: Place = "last"
    has_sizes: bool = False
    decoy: int | None = None


def made_market(*, n_people: int = 2_000, seed: int = 1) -> Interactions:
    """People of ten fields of fifteen courses, the first ones of each known beyond it.

    Everybody goes through one field, roughly from its first course on, and now and then takes
    something well known from elsewhere.
    """
    rng = np.random.default_rng(seed)
    n_items = N_FIELDS * N_OF_FIELD
    field_size = 1 / np.arange(1, N_FIELDS + 1) ** 0.5
    fame = np.tile(1 / np.arange(1, N_OF_FIELD + 1) ** 1.2, N_FIELDS) * np.repeat(
        field_size, N_OF_FIELD
    )
    users, items, order = [], [], []
    for user in range(n_people):
        field = rng.choice(N_FIELDS, p=field_size / field_size.sum())
        size = int(np.clip(rng.lognormal(1.9, 0.6), 2, 30))
        wanted = fame * 0.25
        own = slice(field * N_OF_FIELD, (field + 1) * N_OF_FIELD)
        wanted[own] += 1.2 / np.arange(1, N_OF_FIELD + 1) ** 0.5
        taken = rng.choice(n_items, min(size, 30), replace=False, p=wanted / wanted.sum())
        when = taken % N_OF_FIELD + rng.normal(0, 3, len(taken))
        users.append(np.full(len(taken), user))
        items.append(taken)
        order.append(when)
    return Interactions.from_arrays(
        np.concatenate(users),
        np.concatenate(items),
        order=np.concatenate(order),
        n_users=n_people,
        n_items=n_items,
    )


def real_market(datasets: Path) -> Interactions:
    """The learners of MOOCCubeX in the order in which they took their courses."""
    rows = pd.read_csv(datasets / "mooccubex" / "enrolments.csv")
    users, names = pd.factorize(rows["user_id"])
    items, courses = pd.factorize(rows["course_id"])
    return Interactions.from_arrays(
        users,
        items,
        order=rows["position"].to_numpy(),
        n_users=len(names),
        n_items=len(courses),
    )


def by_popularity(market: Interactions, *shares: float) -> list[int]:
    """The items at some places between the most popular (0) and the least (1)."""
    counts = np.bincount(market.indices, minlength=market.n_items)
    ranked = np.argsort(-counts, kind="stable")
    return [int(ranked[int(share * (market.n_items - 1))]) for share in shares]


def attacked(market: Interactions, attack: Attack, *, seed: int = 7) -> Interactions:
    """The market with made-up people after everybody else."""
    rng = np.random.default_rng(seed)
    n_made_up = round(attack.share * market.n_users)
    counts = np.bincount(market.indices, minlength=market.n_items).astype(float)
    counts[attack.target] = 0
    sizes = np.diff(market.indptr)
    users, items, order = [], [], []
    for made_up in range(n_made_up):
        size = int(np.clip(rng.choice(sizes) - 1, 2, 40)) if attack.has_sizes else 10
        rest = _rest(market, attack, counts, size, rng)
        if attack.decoy is not None:
            rest = np.concatenate([[attack.decoy], rest[rest != attack.decoy]])
        at = {"first": 0, "last": len(rest), "any": int(rng.integers(0, len(rest) + 1))}
        history = np.insert(rest, at[attack.place], attack.target)
        users.append(np.full(len(history), made_up))
        items.append(history)
        order.append(np.arange(len(history)))
    people = Interactions.from_arrays(
        np.concatenate(users),
        np.concatenate(items),
        order=np.concatenate(order),
        n_users=n_made_up,
        n_items=market.n_items,
    )
    return Interactions.one_above_the_other([market, people])


def _rest(
    market: Interactions, attack: Attack, counts: np.ndarray, size: int, rng: np.random.Generator
) -> np.ndarray:
    """What a made-up person has besides the target."""
    others = np.flatnonzero(counts > 0)
    if attack.kind == "random":
        return rng.choice(others, size, replace=False)
    if attack.kind == "average":
        return rng.choice(len(counts), size, replace=False, p=counts / counts.sum())
    if attack.kind == "bandwagon":
        return rng.permutation(np.argsort(-counts)[:12])[: max(2, size)]
    if attack.kind == "segment":
        return rng.permutation(_near(market, attack.target, counts)[:20])[: max(2, size)]
    while True:
        user = int(rng.integers(market.n_users))
        copied = market.indices[market.indptr[user] : market.indptr[user + 1]]
        if len(copied) >= 3 and attack.target not in copied:
            return copied[:60]


def _near(market: Interactions, target: int, counts: np.ndarray) -> np.ndarray:
    """Items by how much of them people with the target have."""
    _, places = market.entries_of(market.users[market.indices == target])
    among = np.bincount(market.indices[places], minlength=market.n_items).astype(float)
    among[target] = 0
    return np.argsort(-among / np.sqrt(counts + 1))
