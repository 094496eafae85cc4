"""One person scored from plain arrays: as the fit scores everybody, and for the reasons named."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import sparse

from analytics.methods import served_model
from analytics.methods.interactions import Interactions
from analytics.methods.model_arrays import (
    ALIKE,
    EVERYBODY,
    HISTORY,
    INTEREST,
    PAIRS,
    PEOPLE,
    BadArrays,
)
from analytics.methods.reasons import Reason
from analytics.methods.recommenders import (
    BaseRecommender,
    ContentKNNRecommender,
    DemographicKNNRecommender,
    EASERecommender,
    HybridRecommender,
    ItemFeatures,
    ItemKNNRecommender,
    PopularityRecommender,
    UserFeatures,
    pairs,
)
from analytics.methods.recommenders.blocks import Ask
from analytics.methods.served_model import History, Person, Ranked, ServedModel

N_USERS, N_ITEMS, N_CATEGORIES = 90, 40, 4
ALL: dict[str, Callable[[], BaseRecommender]] = {
    "popularity": PopularityRecommender,
    "demographic_knn": DemographicKNNRecommender,
    "item_knn, few": lambda: ItemKNNRecommender(n_neighbors=4),
    "item_knn, many": lambda: ItemKNNRecommender(n_neighbors=30),
    "content_knn": ContentKNNRecommender,
    "ease": EASERecommender,
    "hybrid": lambda: HybridRecommender(tune_seconds=0.2),
}
every = pytest.mark.parametrize("name", ALL)


@pytest.fixture(autouse=True)
def pairs_of_few(monkeypatch) -> None:
    """Of so few people hardly any two took the same pair of courses."""
    monkeypatch.setattr(pairs, "LEAST_SUPPORT", 0.05)


class Market:
    """Random people and courses, of whom some did nothing and said nothing."""

    def __init__(self, seed: int, *, is_ordered: bool) -> None:
        rng = np.random.default_rng(seed)
        users, items = np.nonzero(rng.random((N_USERS, N_ITEMS)) < 0.15)
        users, items = users[users > 4], items[users > 4]
        self.interactions = Interactions.from_arrays(
            users,
            items,
            n_users=N_USERS,
            n_items=N_ITEMS,
            # Few different times, so that some things were done at once.
            order=rng.integers(0, 12, len(users)) if is_ordered else None,
            weight=rng.choice([0.1, 0.25, 0.5, 1.0], len(users)).astype(np.float32),
            recent=rng.random(len(users)) < 0.3,
        )
        interests = (rng.random((N_USERS, N_CATEGORIES)) < 0.3).astype(np.float32)
        age = rng.integers(15, 70, N_USERS).astype(np.float64)
        age[::5] = np.nan
        self.users = UserFeatures(
            age=age,
            gender=rng.integers(-1, 3, N_USERS).astype(np.int32),
            occupation=rng.integers(-1, 5, N_USERS).astype(np.int32),
            interests=sparse.csr_matrix(interests),
        )
        category = rng.integers(0, N_CATEGORIES, N_ITEMS).astype(np.int32)
        category[:N_CATEGORIES] = np.arange(N_CATEGORIES)
        words = np.array(["ink", "brush", "wine", "money", "python", "paper"])
        self.items = ItemFeatures(
            category=category,
            level=rng.integers(1, 4, N_ITEMS).astype(np.float64),
            seller=rng.integers(0, 5, N_ITEMS).astype(np.int32),
            kind=np.zeros(N_ITEMS, dtype=np.int32),
            texts=[" ".join(rng.choice(words, 3)) for _ in range(N_ITEMS)],
            tags=[[] for _ in range(N_ITEMS)],
        )

    def fitted(self, name: str) -> BaseRecommender:
        return ALL[name]().fit(
            self.interactions, user_features=self.users, item_features=self.items
        )

    def history(self, user: int) -> History:
        data = self.interactions
        mine = slice(data.indptr[user], data.indptr[user + 1])
        return History(data.indices[mine], data.weight[mine], data.age[mine])

    def person(self, user: int) -> Person:
        return Person(
            age=float(self.users.age[user]),
            gender=int(self.users.gender[user]),
            occupation=int(self.users.occupation[user]),
            interests=tuple(self.users.interests[user].indices.tolist()),
        )


def arrays_of(fitted: BaseRecommender) -> dict[str, np.ndarray]:
    return {
        **fitted.arrays(),
        "course_ids": np.arange(100, 100 + N_ITEMS),
        "category_ids": np.arange(N_CATEGORIES),
    }


def test_it_asks_blocks_by_the_numbers_that_the_fit_writes() -> None:
    assert [HISTORY, PEOPLE, INTEREST, EVERYBODY, ALIKE, PAIRS] == [
        Ask.HISTORY, Ask.PEOPLE, Ask.INTEREST, Ask.EVERYBODY, Ask.ALIKE, Ask.PAIRS,
    ]  # fmt: skip


@every
@pytest.mark.parametrize("is_ordered", [True, False])
@pytest.mark.parametrize("is_large", [True, False])
def test_it_says_to_each_what_the_fit_says_to_all(name, is_large, is_ordered, monkeypatch) -> None:
    if is_large:
        # A large model stays as sparse as it is stored.
        monkeypatch.setattr(served_model, "MOST_CELLS", 0)
        monkeypatch.setattr(served_model, "LEAST_FULL", 1.1)
    seed = 1 + is_large
    market = Market(seed, is_ordered=is_ordered)
    fitted = market.fitted(name)
    served = ServedModel(arrays_of(fitted))
    allowed = np.random.default_rng(seed).random(N_ITEMS) < 0.8
    wanted = fitted.recommend(np.arange(N_USERS), n=8, candidates=allowed)

    for user in range(N_USERS):
        history = market.history(user)
        found = served.rank(
            history, market.person(user), n=8, leave_out=history.items, allowed=allowed
        )
        n = int((wanted.items[user] >= 0).sum())
        assert found.items.tolist() == wanted.items[user][:n].tolist()
        assert found.scores == pytest.approx(wanted.scores[user][:n], rel=1e-5)
        assert found.reasons.tolist() == wanted.reasons[user][:n].tolist()
        assert found.because.tolist() == wanted.because[user][:n].tolist()


@every
def test_without_the_reason_that_is_named_the_score_falls(name) -> None:
    market = Market(3, is_ordered=True)
    arrays = arrays_of(market.fitted(name))
    served = ServedModel(arrays)
    rows = np.repeat(np.arange(len(arrays["row_reason"])), np.diff(arrays["rows_indptr"]))
    n_seen = 0
    for user in range(0, N_USERS, 9):
        history, person = market.history(user), market.person(user)
        found = served.rank(history, person, n=5, leave_out=history.items)
        for item, score, reason, because in zip(
            found.items, found.scores, found.reasons, found.because, strict=True
        ):
            named = (arrays["row_reason"] == reason) & (arrays["row_item"] == because)
            without = {
                **arrays,
                "rows_data": np.where(named[rows], np.float32(0), arrays["rows_data"]),
            }
            assert ServedModel(without).scores(history, person)[item] < score
            n_seen += 1
    assert n_seen > 20


def test_the_parts_of_a_score_add_up_and_the_largest_reason_is_named() -> None:
    market = Market(4, is_ordered=True)
    served = ServedModel(arrays_of(market.fitted("hybrid")))
    history, person = market.history(20), market.person(20)
    found = served.rank(history, person, n=6, leave_out=history.items)
    for item, score, reason in zip(found.items, found.scores, found.reasons, strict=True):
        parts = served.parts_of(int(item), history, person)
        assert sum(part.value for part in parts) == pytest.approx(score, rel=1e-5)
        by_reason: dict[Reason, float] = {}
        for part in parts:
            by_reason[part.reason] = by_reason.get(part.reason, 0) + part.value
        assert max(by_reason, key=by_reason.__getitem__) == reason


def test_two_courses_together_say_more_than_each() -> None:
    """Given a history that ends with a pair of courses that the model has a row for."""
    arrays = arrays_of(Market(4, is_ordered=True).fitted("hybrid"))
    served = ServedModel(arrays)
    without = ServedModel({**arrays, "pair_keys": arrays["pair_keys"] + N_ITEMS**2})
    (start,) = arrays["block_start"][:-1][arrays["block_ask"] == PAIRS]
    pair = len(arrays["pair_keys"]) // 2
    low, high = divmod(int(arrays["pair_keys"][pair]), N_ITEMS)
    followers = arrays["rows_indices"][slice(*arrays["rows_indptr"][start + pair :][:2])]
    assert len(followers)
    others = [item for item in range(N_ITEMS) if item not in (low, high)]

    def gained(*items: int) -> np.ndarray:
        age = np.arange(len(items), dtype=np.int32)[::-1]
        history = History(np.array(items, np.int32), np.ones(len(items), np.float32), age)
        both = (one.scores(history, Person()) for one in (served, without))
        return np.subtract(*both)

    assert np.flatnonzero(gained(low, high) > 1e-6).tolist() == followers.tolist()
    np.testing.assert_allclose(gained(high, low), gained(low, high), atol=1e-6)
    np.testing.assert_allclose(gained(high), 0, atol=1e-6)
    # So many others in between, and one is no longer near the other.
    far = others[: served_model.PAIR_REACH]
    np.testing.assert_allclose(gained(low, *far, high), gained(*far, high), atol=1e-6)


def ranked(n: int, scores: list[float], **arguments: np.ndarray) -> Ranked:
    """The list of a model that says these scores to everybody."""
    arrays = arrays_of(Market(1, is_ordered=True).fitted("popularity"))
    data = np.array(scores, dtype=np.float32)
    one_row = {
        "rows_indptr": np.array([0, len(data)]),
        "rows_indices": np.arange(len(data), dtype=np.int32),
        "rows_data": data,
        "row_reason": np.zeros(1, np.int8),
        "row_item": np.array([-1], np.int32),
        "block_ask": np.array([EVERYBODY], np.int8),
        "block_start": np.array([0, 1], np.int32),
        "block_weight": np.ones(1, np.float32),
        "block_decay": np.ones(1, np.float32),
        "block_fades": np.zeros(1, bool),
        "block_name": np.array(["popular"]),
    }
    return ServedModel({**arrays, **one_row}).rank(History.empty(), Person(), n=n, **arguments)


def test_equal_scores_come_by_index() -> None:
    assert ranked(3, [1, 2, 1, 2, 1]).items.tolist() == [1, 3, 0]
    assert ranked(9, [1, 2, 0, 2, 1]).items.tolist() == [1, 3, 0, 4]


def test_what_is_left_out_or_not_allowed_never_comes() -> None:
    allowed = np.ones(N_ITEMS, dtype=bool)
    allowed[1] = False
    assert ranked(9, [1, 2, 3], leave_out=np.array([2]), allowed=allowed).items.tolist() == [0]
    assert ranked(0, [1, 2, 3]).items.tolist() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("format", np.array(2, np.int32)),
        ("course_ids", np.arange(N_ITEMS)[::-1].copy()),
        ("course_ids", np.arange(N_ITEMS - 1)),
        ("category_ids", np.arange(N_CATEGORIES + 1)),
        ("rows_data", "nan"),
        ("rows_data", "short"),
        ("rows_indices", "beyond"),
        ("rows_indices", "float"),
        ("rows_indptr", "falling"),
        ("row_item", "beyond"),
        ("row_reason", "beyond"),
        ("block_ask", "beyond"),
        ("block_start", "short"),
        ("prior_until", np.array(0, np.float32)),
        ("alike", np.zeros((1, 2))),
        ("n_learners", np.zeros(1, np.int32)),
        ("pair_keys", np.array([5, 3])),
        ("pair_keys", np.arange(100_000)),
        ("similar_indices", "beyond"),
        ("popular", "nan"),
    ],
)
def test_arrays_that_are_no_model_are_refused_by_name(name, value) -> None:
    arrays = arrays_of(Market(5, is_ordered=True).fitted("hybrid"))
    before = arrays[name].copy()
    if isinstance(value, str):
        changed = before.copy()
        if value == "nan":
            changed[0] = np.nan
        elif value == "short":
            changed = changed[:-1]
        elif value == "beyond":
            changed[0] = 100 if changed.dtype == np.int8 else 1_000_000
        elif value == "float":
            changed = changed.astype(np.float32)
        else:
            changed[1] = changed[-1] + 1
        value = changed
    ServedModel(arrays)
    # Of ids that are too many or too few, what no longer fits them is named.
    with pytest.raises(
        BadArrays, match=r"block|popular|course" if "_ids" in name else f"{name[:5]}|a block"
    ):
        ServedModel({**arrays, name: value})


def test_an_array_that_is_missing_is_named() -> None:
    arrays = arrays_of(Market(5, is_ordered=True).fitted("popularity"))
    del arrays["popular"]
    with pytest.raises(BadArrays, match="popular is missing"):
        ServedModel(arrays)
