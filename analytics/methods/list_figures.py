"""What the lists of a recommender look like from above: whom and what they show, and how well."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from analytics.methods.list_rules import AGES, KNOWN_GROUPS, most_of_one_seller
from analytics.methods.ranking_evaluation import CUTOFF, ndcg_at

MOST_SELLERS = 200


def capped_lists(
    items: np.ndarray, sellers: np.ndarray, *, n: int, share: float, n_sellers: int
) -> np.ndarray:
    """The first n of each list (n_users, m) of which no seller has more than its share.

    sellers (n_items,): whose each item is. Returns (n_users, n) int32, -1 where there are no more.
    """
    most = most_of_one_seller(n, share=share, n_sellers=n_sellers)
    owner = np.where(items >= 0, sellers[np.maximum(items, 0)], -1)
    n_before = np.zeros(items.shape, dtype=np.int32)
    for at in range(1, items.shape[1]):
        is_same = (owner[:, :at] == owner[:, at : at + 1]) & (n_before[:, :at] < most)
        n_before[:, at] = is_same.sum(axis=1)
    is_kept = (items >= 0) & (n_before < most)
    place = np.cumsum(is_kept, axis=1) - 1
    is_kept &= place < n
    out = np.full((len(items), n), -1, dtype=np.int32)
    rows, columns = np.nonzero(is_kept)
    out[rows, place[rows, columns]] = items[rows, columns]
    return out


def coverage(items: np.ndarray, is_published: np.ndarray) -> dict[str, Any]:
    """Which share of the courses on sale stands in at least one of the lists (n_users, n)."""
    shown = np.unique(items[items >= 0])
    n_courses = int(is_published.sum())
    return {
        "share": round(len(shown) / n_courses, 4) if n_courses else None,
        "n_shown": len(shown),
        "n_courses": n_courses,
        "n_people": len(items),
    }


def seller_shares(
    items: np.ndarray, sellers: np.ndarray, is_published: np.ndarray
) -> list[dict[str, Any]]:
    """Places in the lists by seller: share of all, the largest first, at most MOST_SELLERS."""
    places = items[items >= 0]
    ids, owner = np.unique(sellers, return_inverse=True)
    n_places = np.bincount(owner[places], minlength=len(ids))
    n_courses = np.bincount(owner[is_published], minlength=len(ids))
    order = np.argsort(-n_places, kind="stable")[:MOST_SELLERS]
    return [
        {
            "seller": int(ids[at]),
            "n_courses": int(n_courses[at]),
            "n_places": int(n_places[at]),
            "share": round(float(n_places[at] / max(len(places), 1)), 4),
        }
        for at in order
        if n_courses[at] or n_places[at]
    ]


def age_shares(
    items: np.ndarray, published_days: np.ndarray, is_published: np.ndarray
) -> list[dict[str, Any]]:
    """Places in the lists by how long a course has been on sale, and how many courses there are."""
    places = items[items >= 0]
    group = np.searchsorted(AGES, np.nan_to_num(published_days, nan=np.inf), side="right")
    n_places = np.bincount(group[places], minlength=len(AGES) + 1)
    n_courses = np.bincount(group[is_published], minlength=len(AGES) + 1)
    return [
        {
            "from_days": low,
            "to_days": high,
            "n_courses": int(n_courses[at]),
            "n_places": int(n_places[at]),
            "share": round(float(n_places[at] / max(len(places), 1)), 4),
        }
        for at, (low, high) in enumerate(zip((0, *AGES), (*AGES, None), strict=True))
    ]


def newcomer_figures(
    n_known: np.ndarray,
    items: np.ndarray,
    popular: np.ndarray,
    wanted: sparse.csr_matrix,
    *,
    groups: tuple[int, ...] = KNOWN_GROUPS,
) -> list[dict[str, Any]]:
    """NDCG@10 of the lists, and of popularity's, for people of whom little is known.

    n_known (n_users,): courses known of each; items, popular (n_users, n); wanted (n_users,
    n_items). A group holds those with so many courses and fewer than the next group has.
    """
    gains, plain = ndcg_at(items, wanted), ndcg_at(popular, wanted)
    found = []
    for low, high in zip(groups, (*groups[1:], None), strict=True):
        is_in = (n_known >= low) & (n_known < (high if high is not None else np.inf))
        if is_in.any():
            found.append(
                {
                    "known": low,
                    "ndcg@10": round(float(gains[is_in].mean()), 4),
                    "popularity": round(float(plain[is_in].mean()), 4),
                    "n": int(is_in.sum()),
                }
            )
    return found


def rare_figures(
    items: np.ndarray,
    collaborative: np.ndarray,
    wanted: sparse.csr_matrix,
    n_learners: np.ndarray,
    *,
    fewer_than: int = 10,
) -> dict[str, Any]:
    """recall@10 of courses with few learners, beside that of the collaborative part alone.

    items, collaborative (n_users, n): the two kinds of lists; wanted (n_users, n_items);
    n_learners (n_items,).
    """
    rows = np.repeat(np.arange(wanted.shape[0]), np.diff(wanted.indptr))
    is_rare = n_learners[wanted.indices] < fewer_than

    def recall(lists: np.ndarray, which: np.ndarray) -> float | None:
        hits = (lists[rows[which], :CUTOFF] == wanted.indices[which][:, None]).any(axis=1)
        return round(float(hits.mean()), 4) if len(hits) else None

    everything = np.ones(len(rows), dtype=bool)
    return {
        "fewer_than": fewer_than,
        "n": int(is_rare.sum()),
        "recall@10": recall(items, is_rare),
        "collaborative": recall(collaborative, is_rare),
        "recall_all": recall(items, everything),
        "collaborative_all": recall(collaborative, everything),
    }
