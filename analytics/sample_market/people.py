"""Sellers, viewers and the operator, with tastes that fit what they say of themselves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from accounts.consents import DOCUMENT_VERSION
from accounts.models import Consent, Gender, Purpose, Role, StatedAttributes, User
from analytics.sample_market.plan import DAYS, SOURCE, Keys, Plan
from analytics.sample_market.texts import phrases, pick, words
from analytics.sample_market.truth import CLUSTERS, SEGMENTS, SELLER_SPREAD
from catalog.models import Category, ChosenInterest

N_SELLERS = 24
COURSES_PER_SELLER = 4
N_SIGN_INS = 2
MAIL_DOMAIN = "livecourse.example"
# No password matches it. One text for all, since hashing thousands would take minutes.
NO_PASSWORD = "!sample"  # noqa: S105

CLUSTER_NAMES = tuple(CLUSTERS)
# Ways to come back: share of people, and the chance to be there after a day off, after a day on.
HABITS = ((0.34, 0.012, 0.05), (0.41, 0.06, 0.25), (0.18, 0.18, 0.50), (0.07, 0.15, 0.93))
REGULAR = 2
MOST_DAYS_SINCE_JOINING = 300
SHARE_ENGLISH = 0.22
SHARE_NOT_PERSONALISED = 0.02


@dataclass(frozen=True)
class Seller:
    """One seller: what they teach, in which language, and how well they sell."""

    user: User
    cluster: int
    language: str
    effect: float
    following: float


@dataclass(frozen=True)
class Viewers:
    """All viewers as arrays of one length n, in the order of `users`.

    cluster, second: indices into CLUSTER_NAMES. is_english: bool. joined_days_ago: days.
    hour: the hour at which they usually come. active: (n, DAYS + 1) of bool, by days ago.
    liveliness: weight with which they turn up in live sessions.
    """

    users: list[User]
    cluster: np.ndarray
    second: np.ndarray
    is_english: np.ndarray
    joined_days_ago: np.ndarray
    hour: np.ndarray
    active: np.ndarray
    liveliness: np.ndarray


def make_operator(plan: Plan, keys: Keys) -> User:
    return _person(
        keys, "operator", Role.OPERATOR, "LiveCourse", "zh", plan.moment(DAYS * 2), "operator"
    )


def make_sellers(plan: Plan, keys: Keys) -> list[Seller]:
    """Up to N_SELLERS sellers; of each cluster's three, the last teaches in English."""
    chance = plan.chance("sellers")
    n = max(2, min(N_SELLERS, plan.n_courses // COURSES_PER_SELLER))
    chinese, english = iter(phrases("sellers.zh")), iter(phrases("sellers.en"))
    by_cluster = [
        (cluster, language, next(names))
        for cluster in range(len(CLUSTER_NAMES))
        for language, names in (("zh", chinese), ("zh", chinese), ("en", english))
    ]
    in_turn = sorted(range(N_SELLERS), key=_turn)
    sellers = []
    for number, place in enumerate(in_turn[:n]):
        cluster, language, name = by_cluster[place]
        user = _person(
            keys,
            f"seller-{number + 1}",
            Role.SELLER,
            name,
            language,
            plan.moment(int(chance.integers(410, 700)), 36_000),
            f"seller{number + 1}" if number < N_SIGN_INS else None,
        )
        effect = round(float(chance.normal(0, SELLER_SPREAD)), 4)
        sellers.append(Seller(user, cluster, language, effect, float(chance.normal(0, 0.35))))
    return sellers


def _turn(place: int) -> tuple[int, int]:
    """The first eight sellers have all tastes and both languages, for a small market's sake."""
    cluster, which = divmod(place, 3)
    if which == 1:
        return 2, place
    return int((which == 0) != (cluster % 2 == 0)), place


def make_viewers(plan: Plan, keys: Keys) -> Viewers:
    chance = plan.chance("viewers")
    n = plan.n_users
    shares = np.array([SEGMENTS[name].share for name in CLUSTER_NAMES])
    cluster = chance.choice(len(CLUSTER_NAMES), size=n, p=shares / shares.sum())
    second = (cluster + chance.integers(1, len(CLUSTER_NAMES), size=n)) % len(CLUSTER_NAMES)
    is_english = chance.random(n) < SHARE_ENGLISH
    joined = chance.integers(1, MOST_DAYS_SINCE_JOINING, size=n)
    habit = chance.choice(len(HABITS), size=n, p=[share for share, _, _ in HABITS])
    # The people whom a visitor of the sample market signs in as have something to look at.
    first = slice(0, N_SIGN_INS)
    is_english[first] = [False, True]
    joined[first], habit[first] = MOST_DAYS_SINCE_JOINING - 40, REGULAR
    cluster[first] = [CLUSTER_NAMES.index("makers"), CLUSTER_NAMES.index("body")]
    names = _viewer_names(chance, is_english)
    users = [
        _person(
            keys,
            f"viewer-{k + 1}",
            Role.VIEWER,
            names[k],
            "en" if is_english[k] else "zh",
            plan.moment(int(joined[k]), int(chance.integers(25_000, 80_000))),
            f"viewer{k + 1}" if k < N_SIGN_INS else None,
        )
        for k in range(n)
    ]
    for k in np.flatnonzero(chance.random(n) < SHARE_NOT_PERSONALISED):
        users[k].is_personalised = bool(k < N_SIGN_INS)
    return Viewers(
        users,
        cluster,
        second,
        is_english,
        joined,
        np.clip(np.round(chance.normal(20, 2.6, size=n)), 6, 22).astype(int),
        _active_days(chance, habit=habit, joined=joined),
        np.array([0.5, 1.0, 2.0, 3.0])[habit] * np.exp(chance.normal(0, 0.4, size=n)),
    )


def make_stated(plan: Plan, viewers: Viewers) -> list[StatedAttributes]:
    """What viewers tell of themselves: some nothing, many only a part."""
    chance = plan.chance("stated")
    year = plan.now.year
    rows = []
    for user, cluster in zip(viewers.users, viewers.cluster, strict=True):
        segment = SEGMENTS[CLUSTER_NAMES[cluster]]
        age = int(np.clip(round(chance.normal(segment.age_mean, segment.age_spread)), 16, 84))
        gender = Gender.FEMALE if chance.random() < segment.women else Gender.MALE
        if chance.random() < 0.01:
            gender = Gender.OTHER
        weights = np.array(list(segment.occupations.values()), dtype="float64")
        occupation = list(segment.occupations)[
            chance.choice(len(weights), p=weights / sum(weights))
        ]
        told = chance.random(3) < (0.78, 0.85, 0.72)
        if chance.random() < 0.12 or not told.any():
            continue
        rows.append(
            StatedAttributes(
                user=user,
                birth_year=year - age if told[0] else None,
                gender=gender if told[1] else "",
                occupation=occupation if told[2] else "",
                updated_at=user.joined_at,
            )
        )
    return rows


def make_interests(
    plan: Plan, keys: Keys, viewers: Viewers, categories: dict[str, Category]
) -> list[ChosenInterest]:
    """Fields that about half of the viewers chose, mostly those they like."""
    chance = plan.chance("interests")
    rows = []
    for user, cluster in zip(viewers.users, viewers.cluster, strict=True):
        if chance.random() > 0.55:
            continue
        own = CLUSTERS[CLUSTER_NAMES[cluster]]
        chosen = {slug for slug in own if chance.random() < 0.7}
        if chance.random() < 0.3 or not chosen:
            anything = sorted(slug for slugs in CLUSTERS.values() for slug in slugs)
            chosen.add(anything[int(chance.integers(len(anything)))])
        rows += [
            ChosenInterest(pk=keys.new(ChosenInterest), user=user, category=categories[slug])
            for slug in sorted(chosen)
        ]
    return rows


def make_consents(keys: Keys, people: list[User]) -> list[Consent]:
    """Everybody accepted the terms; who is not personalised said so."""
    rows = []
    for user in people:
        decisions = [(Purpose.TERMS, True)]
        if not user.is_personalised:
            decisions.append((Purpose.PERSONALISATION, False))
        rows += [
            Consent(
                pk=keys.new(Consent),
                user=user,
                purpose=purpose,
                is_granted=is_granted,
                document_version=DOCUMENT_VERSION,
                decided_at=user.joined_at,
            )
            for purpose, is_granted in decisions
        ]
    return rows


def _person(
    keys: Keys,
    external_id: str,
    role: Role,
    name: str,
    language: str,
    joined_at: datetime,
    mail_name: str | None,
) -> User:
    """A person of the market; only who signs in has an address, so that nobody is written to."""
    return User(
        pk=keys.new(User),
        email=f"{mail_name}@{MAIL_DOMAIN}" if mail_name else None,
        password=NO_PASSWORD,
        display_name=name,
        role=role,
        language="en" if language == "en" else "zh-hans",
        joined_at=joined_at,
        import_source=SOURCE,
        external_id=external_id,
    )


def _viewer_names(chance: np.random.Generator, is_english: np.ndarray) -> list[str]:
    surnames, given = words("surnames"), words("given.zh")
    nicknames, english, initials = words("nicknames"), words("given.en"), words("initials")
    names = []
    for reads_english in is_english:
        if reads_english:
            names.append(f"{pick(chance, english)} {pick(chance, initials)}.")
        elif chance.random() < 0.45:
            names.append(pick(chance, nicknames).format(g=pick(chance, given)))
        else:
            names.append(pick(chance, surnames) + pick(chance, given))
    return names


def _active_days(
    chance: np.random.Generator, *, habit: np.ndarray, joined: np.ndarray
) -> np.ndarray:
    """(n, DAYS + 1) of bool by days ago: there on the day of joining, until they drift away.

    Nobody is there on day 0, which is not over.
    """
    n = len(habit)
    after_off = np.array([row[1] for row in HABITS])[habit]
    after_on = np.array([row[2] for row in HABITS])[habit]
    leaves = np.where(chance.random(n) < 0.4, joined * chance.random(n) * 0.8, 0)
    leaves[:N_SIGN_INS] = 0
    active = np.zeros((n, DAYS + 1), dtype=bool)
    was_there = np.zeros(n, dtype=bool)
    for day in range(DAYS, 0, -1):
        comes = chance.random(n) < np.where(was_there, after_on, after_off)
        was_there = ((comes & (day < joined)) | (day == joined)) & (day >= leaves)
        active[:, day] = was_there
    return active
