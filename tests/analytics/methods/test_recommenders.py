"""One contract for all recommenders, on a market whose answer is known by construction."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.estimator_checks import estimator_checks_generator

from analytics.methods.interactions import Interactions
from analytics.methods.ranking_evaluation import evaluate_recommender
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
)
from analytics.methods.recommenders.base import PRIOR_UNTIL
from analytics.methods.recommenders.content import term_counts

ALL = [
    PopularityRecommender,
    DemographicKNNRecommender,
    ItemKNNRecommender,
    ContentKNNRecommender,
    EASERecommender,
    HybridRecommender,
]
PERSONAL = ALL[1:]
OF_ITEMS = [ItemKNNRecommender, ContentKNNRecommender, EASERecommender, HybridRecommender]
every = pytest.mark.parametrize("make", ALL)

N_USERS, N_ITEMS = 120, 12
# Person u is of camp u % 2: even ones take the first six courses, odd ones the last six, each
# all but one (course u // 2 % 6 of their camp), which is the right answer for them.
MISSING = np.array([user % 2 * 6 + user // 2 % 6 for user in range(N_USERS)])


def two_camps() -> tuple[Interactions, UserFeatures, ItemFeatures]:
    pairs = [
        (user, user % 2 * 6 + item)
        for user in range(N_USERS)
        for item in range(6)
        if user % 2 * 6 + item != MISSING[user]
    ]
    users, items = np.array(pairs).T
    camp = np.arange(N_ITEMS, dtype=np.int32) // 6
    return (
        Interactions.from_arrays(
            users, items, order=np.arange(len(users)), n_users=N_USERS, n_items=N_ITEMS
        ),
        dataclasses.replace(
            UserFeatures.unknown(N_USERS, n_categories=2),
            age=np.where(np.arange(N_USERS) % 2, 55.0, 20.0),
            gender=(np.arange(N_USERS) % 2).astype(np.int32),
        ),
        dataclasses.replace(
            ItemFeatures.unknown(N_ITEMS),
            category=camp,
            texts=["投资理财入门" if c else "Python for beginners" for c in camp],
        ),
    )


def fitted(make: type[BaseRecommender]) -> BaseRecommender:
    data, users, items = two_camps()
    return make().fit(data, user_features=users, item_features=items)


@pytest.mark.parametrize("make", PERSONAL)
def test_it_recommends_the_one_course_of_their_camp_that_a_person_lacks(make) -> None:
    found = fitted(make).recommend(np.arange(N_USERS), n=1)
    # Five demographic neighbours may all lack the same course; the others never err.
    share = (found.items[:, 0] == MISSING).mean()
    assert share == 1 if make is not DemographicKNNRecommender else share > 0.8


@every
def test_lists_are_sorted_without_repeats_and_say_why(make) -> None:
    model = fitted(make)
    found = model.recommend(np.arange(N_USERS), n=N_ITEMS)
    for user in range(N_USERS):
        n_found = (found.items[user] >= 0).sum()
        assert n_found == len(set(found.items[user][:n_found]))
        assert not set(found.items[user]) & set(model.interactions_.user_items[user].indices)
        assert (found.items[user][n_found:] == -1).all()
        assert (found.scores[user][:n_found] > 0).all()
        assert (found.reasons[user][:n_found] >= 0).all()
        assert (found.reasons[user][n_found:] == Reason.NONE).all()
    assert (np.diff(found.scores, axis=1) <= 0).all()


@every
def test_a_person_has_what_they_are_recommended_because_of(make) -> None:
    model = fitted(make)
    found = model.recommend(np.arange(N_USERS), n=3)
    users, places = np.nonzero(found.because >= 0)
    assert (model.interactions_.user_items.toarray()[users, found.because[users, places]] > 0).all()
    of_history = np.isin(found.reasons, [Reason.HISTORY, Reason.NEXT, Reason.CONTENT])
    assert ((found.because >= 0) == of_history).all()


@every
def test_it_leaves_out_what_it_is_told_to(make) -> None:
    model = fitted(make)
    asked = np.array([4, 0, 7])
    exclude = sparse.csr_matrix(
        (np.ones(3, np.float32), ([0, 1, 2], MISSING[asked])), shape=(3, N_ITEMS)
    )
    found = model.recommend(asked, n=N_ITEMS, exclude=exclude)
    assert not (found.items == MISSING[asked][:, None]).any()
    only = np.zeros(N_ITEMS, dtype=bool)
    only[[0, 7]] = True
    shown = model.recommend(asked, n=N_ITEMS, exclude_seen=False, candidates=only).items
    assert set(shown.ravel()) <= {0, 7, -1}
    again = model.recommend(asked, n=N_ITEMS, exclude_seen=False, exclude=exclude).items
    assert not (again == MISSING[asked][:, None]).any()
    assert np.isin(again, model.interactions_.user_items[0].indices).any()


@every
def test_asked_in_another_order_or_alone_a_person_gets_the_same(make) -> None:
    model = fitted(make)
    everybody = model.recommend(np.arange(N_USERS), n=4)
    backwards = model.recommend(np.arange(N_USERS)[::-1], n=4)
    np.testing.assert_array_equal(everybody.items, backwards.items[::-1])
    np.testing.assert_array_equal(everybody.items[5], model.recommend([5], n=4).items[0])


@every
def test_two_fits_on_the_same_rows_give_the_same_lists(make) -> None:
    first, second = (fitted(make).recommend(np.arange(N_USERS), n=6) for _ in range(2))
    np.testing.assert_array_equal(first.items, second.items)
    np.testing.assert_array_equal(first.scores, second.scores)
    np.testing.assert_array_equal(first.because, second.because)


def test_equal_scores_come_by_index() -> None:
    data = Interactions.from_arrays(np.arange(4), np.arange(4), n_users=5, n_items=4)
    assert PopularityRecommender().fit(data).recommend([4], n=4).items.tolist() == [[0, 1, 2, 3]]


@every
@pytest.mark.parametrize("n", [0, 1, 50])
def test_a_list_is_as_long_as_asked_and_padded_past_the_catalogue(make, n) -> None:
    found = fitted(make).recommend([0, 1], n=n)
    for array in (found.items, found.scores, found.reasons, found.because):
        assert array.shape == (2, n)


@every
@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (3, 1), (4, 5)])
def test_it_fits_when_nobody_did_anything(make, shape) -> None:
    n_users, n_items = shape
    empty = np.array([], dtype=int)
    data = Interactions.from_arrays(empty, empty, n_users=n_users, n_items=n_items)
    found = make().fit(data).recommend(np.arange(n_users), n=3)
    assert found.items.shape == (n_users, 3)
    if make in (PopularityRecommender, HybridRecommender):
        expected = [item if item < n_items else -1 for item in range(3)]
        assert found.items.tolist() == [expected] * n_users


@every
@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (3, 1), (2, 2)])
def test_it_fits_on_a_single_entry(make, shape) -> None:
    n_users, n_items = shape
    data = Interactions.from_arrays(
        np.array([0]), np.array([0]), order=np.array([7]), n_users=n_users, n_items=n_items
    )
    found = make().fit(data).recommend(np.arange(n_users), n=2)
    assert 0 not in found.items[0]


@every
def test_it_refuses_a_market_without_items_and_features_of_another_length(make) -> None:
    empty = np.array([], dtype=int)
    with pytest.raises(ValueError, match="no item"):
        make().fit(Interactions.from_arrays(empty, empty, n_users=2, n_items=0))
    data, users, items = two_camps()
    with pytest.raises(ValueError, match="one row per user"):
        make().fit(data, user_features=UserFeatures.unknown(3), item_features=items)
    with pytest.raises(ValueError, match="one row per item"):
        make().fit(data, user_features=users, item_features=ItemFeatures.unknown(3))


@every
def test_it_takes_unknown_ages_and_people_without_history(make) -> None:
    data, users, items = two_camps()
    data = data.keep(data.users >= 10)
    users.age[::3] = np.nan
    found = make().fit(data, user_features=users, item_features=items).recommend(np.arange(20))
    assert np.isfinite(found.scores).all()
    if make in (PopularityRecommender, HybridRecommender):
        assert (found.items[:10, 0] >= 0).all()


def estimator_checks() -> list[pytest.ParameterSet]:
    """All of scikit-learn's, but for other kinds of arrays, which it checks on request alone."""
    return [
        pytest.param(estimator, check, id=f"{make.__name__}-{check.func.__name__}-{at}")
        for make in ALL
        for at, (estimator, check) in enumerate(estimator_checks_generator(make()))
        if check.func.__name__ != "check_array_api_input"
    ]


@pytest.mark.parametrize(("estimator", "check"), estimator_checks())
def test_it_passes_the_estimator_checks_of_scikit_learn(estimator, check) -> None:
    check(estimator)


@every
def test_it_follows_the_conventions_of_scikit_learn(make) -> None:
    model = make()
    twin = clone(model)
    assert twin.get_params() == model.get_params()
    data, users, items = two_camps()
    before = model.get_params()
    assert model.fit(data, user_features=users, item_features=items) is model
    assert model.get_params() == before
    assert model.model_.shape[1] == N_ITEMS


@pytest.mark.parametrize("make", OF_ITEMS)
def test_similar_items_are_of_the_same_camp_and_never_the_item_itself(make) -> None:
    found, scores = fitted(make).similar_items(np.arange(N_ITEMS), n=5)
    for item in range(N_ITEMS):
        assert sorted(found[item]) == [
            i for i in range(N_ITEMS) if i // 6 == item // 6 and i != item
        ]
    assert (np.diff(scores, axis=1) <= 0).all()


@pytest.mark.parametrize("make", [ItemKNNRecommender, ContentKNNRecommender])
def test_neighbours_are_those_of_similar_items(make) -> None:
    model = fitted(make)
    similarities, items = model.kneighbors(np.arange(3), n=4)
    found, scores = model.similar_items(np.arange(3), n=4)
    np.testing.assert_array_equal(items, found)
    np.testing.assert_array_equal(similarities, scores)


# The plain method of the source.


def people(ages: list, genders: list, occupations: list) -> UserFeatures:
    return dataclasses.replace(
        UserFeatures.unknown(len(ages)),
        age=np.array(ages, dtype=float),
        gender=np.array(genders, dtype=np.int32),
        occupation=np.array(occupations, dtype=np.int32),
    )


def test_demographic_neighbours_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    users = people(rng.permutation(400)[:60] / 3, rng.integers(0, 2, 60), rng.integers(0, 5, 60))
    data = Interactions.from_arrays(np.arange(60), np.zeros(60, int), n_users=60, n_items=2)
    model = DemographicKNNRecommender().fit(data, user_features=users)
    rows = np.column_stack([users.age, users.gender, users.occupation])
    expected = NearestNeighbors(n_neighbors=5).fit(rows).kneighbors(rows, return_distance=False)
    np.testing.assert_array_equal(model.kneighbors(np.arange(60)), np.sort(expected, axis=1))


def test_people_who_are_alike_have_the_same_neighbours() -> None:
    n = 30
    data = Interactions.from_arrays(np.arange(n), np.zeros(n, int), n_users=n, n_items=1)
    model = DemographicKNNRecommender().fit(data, user_features=people([20] * n, [0] * n, [1] * n))
    found = model.kneighbors(np.arange(n))
    assert found.shape == (n, 5)
    assert len(set(found[0].tolist())) == 5
    assert (found == found[0]).all()


def test_a_person_gets_what_the_neighbours_took_minus_what_they_have() -> None:
    users = people([20, 21, 22, 60, 61], [0] * 5, [0] * 5)
    data = Interactions.from_arrays(
        np.array([0, 1, 1, 2, 2, 3, 4]), np.array([0, 0, 1, 1, 2, 3, 3]), n_users=5, n_items=5
    )
    model = DemographicKNNRecommender(n_neighbors=3).fit(data, user_features=users)
    found = model.recommend([0], n=4)
    assert found.items.tolist() == [[1, 2, -1, -1]]
    np.testing.assert_allclose(found.scores[0, :2], [2 / 3, 1 / 3])
    assert (found.reasons[0, :2] == Reason.PEOPLE).all()


# Text in two languages.


def test_chinese_is_cut_into_pairs_and_triples_and_english_into_words() -> None:
    """Given two texts that share "3", "入门", "门课" and "入门课": and one more each."""
    counts = term_counts(["Python 3 入门课", "入门课 3 学"]).toarray()
    shared, own = counts[:, counts.all(axis=0)], counts[:, ~counts.all(axis=0)]
    assert shared.shape[1] == 4
    assert own.tolist() in ([[1, 0], [0, 1]], [[0, 1], [1, 0]])
    assert term_counts(["学"]).toarray().tolist() == [[1]]


def test_terms_are_counted_within_a_text_and_never_across_two() -> None:
    assert term_counts(["入门入门", "wine Wine", ""]).sum(axis=1).ravel().tolist() == [[5, 2, 0]]
    assert term_counts(["入", "门"]).toarray().tolist() in ([[1, 0], [0, 1]], [[0, 1], [1, 0]])
    assert term_counts(["", "!"]).shape == (2, 0)


def test_alike_texts_are_neighbours_in_both_languages() -> None:
    items = dataclasses.replace(
        ItemFeatures.unknown(4),
        texts=["机器学习基础", "Wine and cheese", "机器学习进阶", "Cheese for everybody"],
    )
    data = Interactions.from_arrays(np.array([0]), np.array([0]), n_users=1, n_items=4)
    model = ContentKNNRecommender(category=0, level=0, seller=0).fit(data, item_features=items)
    found, _ = model.similar_items(np.arange(4), n=1)
    assert found.ravel().tolist() == [2, 3, 0, 1]


# What the hybrid adds.


def test_newer_courses_weigh_more() -> None:
    data, _, items = two_camps()
    mixed = np.array([[0, 0], [0, 6], [1, 6], [1, 0]])
    users = np.concatenate([data.users, N_USERS + mixed[:, 0]])
    both = Interactions.from_arrays(
        users,
        np.concatenate([data.indices, mixed[:, 1]]),
        order=np.arange(len(users)),
        n_users=N_USERS + 2,
        n_items=N_ITEMS,
    )
    for model in (ItemKNNRecommender(), HybridRecommender()):
        first = model.fit(both, item_features=items).recommend([N_USERS, N_USERS + 1], n=2)
        assert (first.items[0] // 6 == 1).all(), "the newest is of the second camp"
        assert (first.items[1] // 6 == 0).all()


def test_it_learns_what_follows_what() -> None:
    # Everybody takes 0, then 1, then 2, ...; as sets, all pairs are equally frequent.
    n_users, length = 200, 8
    users = np.repeat(np.arange(n_users), length)
    start = np.repeat(np.random.default_rng(0).integers(0, length, n_users), length)
    items = (np.tile(np.arange(length), n_users) + start) % length
    order = np.tile(np.arange(length), n_users)
    part = np.tile(np.arange(length) < 4, n_users)
    data = Interactions.from_arrays(
        users[part], items[part], order=order[part], n_users=n_users, n_items=length
    )
    found = HybridRecommender().fit(data).recommend(np.arange(n_users), n=1)
    followers = (items.reshape(n_users, length)[:, 3] + 1) % length
    assert (found.items[:, 0] == followers).mean() == 1


def test_a_newcomer_gets_the_field_that_they_chose() -> None:
    data, users, items = two_camps()
    data = data.keep(data.users >= 2)
    interests = sparse.csr_matrix(([1.0, 1.0], ([0, 1], [0, 1])), shape=(N_USERS, 2))
    said = dataclasses.replace(users, interests=interests)
    found = HybridRecommender().fit(data, user_features=said, item_features=items)
    lists = found.recommend([0, 1], n=6)
    assert (lists.items // 6 == [[0], [1]]).all()
    assert (lists.reasons == Reason.INTEREST).all()


def test_a_newcomer_who_said_nothing_gets_what_is_popular() -> None:
    data, _, items = two_camps()
    data = data.keep((data.users >= 2) & ((data.indices != 3) | (data.users % 4 == 0)))
    found = HybridRecommender().fit(data, item_features=items).recommend([0], n=N_ITEMS)
    popular = PopularityRecommender().fit(data).recommend([0], n=N_ITEMS)
    np.testing.assert_array_equal(found.items, popular.items)
    assert (found.reasons == Reason.POPULAR).all()


def test_the_prior_is_gone_once_there_is_a_history() -> None:
    data, users, items = two_camps()
    data = dataclasses.replace(data, weight=data.weight * PRIOR_UNTIL / 5)
    model = HybridRecommender().fit(data, user_features=users, item_features=items)
    found = model.recommend(np.arange(N_USERS), n=N_ITEMS)
    assert not np.isin(found.reasons, [Reason.PEOPLE, Reason.INTEREST]).any()


def test_a_course_that_nobody_took_is_found_by_its_content() -> None:
    data, _, items = two_camps()
    new = N_ITEMS
    items = ItemFeatures(
        category=np.append(items.category, 1).astype(np.int32),
        level=np.append(items.level, 1.0),
        seller=np.append(items.seller, 0).astype(np.int32),
        kind=np.append(items.kind, 0).astype(np.int32),
        texts=[*items.texts, items.texts[-1]],
        tags=[*items.tags, []],
    )
    data = Interactions.from_arrays(
        data.users, data.indices, order=-data.age, n_users=N_USERS, n_items=new + 1
    )
    found = HybridRecommender(weights=None).fit(data, item_features=items)
    odd = found.recommend([1, 3], n=2)
    assert (odd.items == new).any(axis=1).all()
    assert (odd.reasons[odd.items == new] == Reason.CONTENT).all()
    assert not (found.recommend([0, 2], n=1).items == new).any(), "of the other camp"


def test_past_the_dense_limit_it_still_finds_the_answer() -> None:
    data, users, items = two_camps()
    model = HybridRecommender(max_dense_items=5).fit(data, user_features=users, item_features=items)
    assert (model.recommend(np.arange(N_USERS), n=1).items[:, 0] == MISSING).all()


def test_it_works_where_the_order_is_unknown() -> None:
    data, users, items = two_camps()
    unordered = Interactions.from_arrays(data.users, data.indices, n_users=N_USERS, n_items=N_ITEMS)
    model = HybridRecommender().fit(unordered, user_features=users, item_features=items)
    assert (model.recommend(np.arange(N_USERS), n=1).items[:, 0] == MISSING).all()


def test_a_given_half_life_is_taken_while_the_weights_are_searched() -> None:
    data, users, items = two_camps()
    model = HybridRecommender(half_life=4.0).fit(data, user_features=users, item_features=items)
    assert model.half_life_ == 4.0
    assert model.tuning_["steps"] > 0


def test_a_fit_given_what_another_found_is_the_same_without_a_search() -> None:
    data, users, items = two_camps()
    first = HybridRecommender().fit(data, user_features=users, item_features=items)
    again = HybridRecommender(**first.tuned_parameters())
    again.fit(data, user_features=users, item_features=items)
    assert again.tuning_ == {}
    np.testing.assert_allclose(again.model_.toarray(), first.model_.toarray(), atol=1e-3)
    np.testing.assert_array_equal(again.recommend([0, 1]).items, first.recommend([0, 1]).items)


def test_given_weights_are_taken_as_they_are() -> None:
    data, users, items = two_camps()
    model = HybridRecommender(weights={"popular": 1.0}).fit(
        data, user_features=users, item_features=items
    )
    popular = PopularityRecommender().fit(data)
    asked = np.arange(N_USERS)
    np.testing.assert_array_equal(
        model.recommend(asked, n=6).items, popular.recommend(asked, n=6).items
    )
    assert model.tuning_ == {}


# Without the platform around it, and on real data.


def test_the_numeric_part_needs_no_django() -> None:
    program = (
        "import sys, pkgutil, importlib, analytics.methods as m\n"
        "for found in pkgutil.walk_packages(m.__path__, 'analytics.methods.'):\n"
        "    importlib.import_module(found.name)\n"
        "assert 'django' not in sys.modules\n"
    )
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=root,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_on_real_learners_the_hybrid_is_twice_as_good_as_the_baselines(datasets: Path) -> None:
    rows = pd.read_csv(datasets / "mooccubex" / "enrolments.csv", nrows=150_000)
    users, _ = pd.factorize(rows["user_id"])
    items, course_ids = pd.factorize(rows["course_id"])
    said = pd.read_csv(datasets / "mooccubex" / "users.csv").set_index("user_id")["gender"]
    n_users = users.max() + 1
    gender = rows["user_id"].drop_duplicates().map(said).map({"male": 0, "female": 1})
    data = Interactions.from_arrays(
        users, items, order=rows["position"], n_users=n_users, n_items=len(course_ids)
    )
    is_last = np.zeros(data.n_entries, dtype=bool)
    is_last[data.indptr[1:] - 1] = np.diff(data.indptr) > 1
    asked = np.random.default_rng(0).choice(n_users, 4000, replace=False)
    scores = {
        make: evaluate_recommender(
            make(),
            data.keep(~is_last),
            data.keep(is_last),
            user_features=dataclasses.replace(
                UserFeatures.unknown(n_users), gender=gender.fillna(-1).to_numpy(dtype=np.int32)
            ),
            item_features=None,
            exclude=None,
            users=asked,
        )
        for make in (PopularityRecommender, DemographicKNNRecommender, HybridRecommender)
    }
    ndcg = {make: score["ndcg@10"] for make, score in scores.items()}
    assert ndcg[HybridRecommender] >= 2 * ndcg[PopularityRecommender]
    assert ndcg[HybridRecommender] >= 2 * ndcg[DemographicKNNRecommender]
    assert ndcg[HybridRecommender] > 0.17
