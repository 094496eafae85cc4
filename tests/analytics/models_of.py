"""A served model made by hand, for tests of what is shown of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from django.utils import timezone

from analytics import outlines, rendered_cards, served_recommender, serving, shop_window
from analytics.methods.reasons import Reason
from analytics.model_files import save_arrays
from analytics.models import ModelRun, PopularCourses
from catalog.models import Category, Course
from tests.factories import ModelRunFactory


def served_model(
    courses: Sequence[Course],
    *,
    after: Mapping[int, Mapping[int, float]],
    reason: Reason = Reason.HISTORY,
    popular: Sequence[float] = (),
) -> ModelRun:
    """A served run whose model says `after[i][j]` for course j of whoever has course i (places in
    `courses`), because of i; and for everybody else what is popular."""
    n = len(courses)
    rows = np.zeros((n, n), dtype=np.float32)
    for mine, others in after.items():
        for other, score in others.items():
            rows[mine, other] = score
    share = np.array(popular or [0.0] * n, dtype=np.float32)
    order = np.argsort([course.pk for course in courses])
    rows, share = rows[order][:, order], share[order]
    ids = np.array([course.pk for course in courses])[order]
    both = np.vstack([rows, share * 1e-3])
    run = ModelRunFactory(started_at=timezone.now())
    save_arrays(
        run,
        {
            **_csr("rows", both),
            **_csr("similar", rows, by_score=True),
            "format": np.array(1, np.int32),
            "course_ids": ids.astype(np.int64),
            "category_ids": np.array(
                sorted(Category.objects.values_list("pk", flat=True)), dtype=np.int64
            ),
            "row_reason": np.array([reason] * n + [Reason.POPULAR], np.int8),
            "row_item": np.array([*range(n), -1], np.int32),
            "block_ask": np.array([0, 3], np.int8),
            "block_start": np.array([0, n, n + 1], np.int32),
            "block_weight": np.ones(2, np.float32),
            "block_decay": np.ones(2, np.float32),
            "block_fades": np.zeros(2, bool),
            "block_name": np.array(["together", "popular"]),
            "prior_until": np.array(10, np.float32),
            "age_bands": np.array([30.0]),
            "people_offsets": np.ones(3, np.int32),
            "people_sizes": np.zeros(3, np.int32),
            "alike": np.empty((0, 3)),
            "alike_median_age": np.array(0.0),
            "popular": share,
            "n_learners": np.full(n, 100, np.int32),
            "n_people": np.array(1_000, np.int64),
        },
    )
    run.save()
    PopularCourses.objects.create(
        run=run,
        items=[
            [int(ids[at]), float(share[at]), int(Reason.POPULAR), None]
            for at in np.argsort(-share, kind="stable")
            if share[at] > 0
        ],
    )
    look_anew()
    return run


def look_anew() -> None:
    """What this process holds of models and of what is on sale is read again."""
    served_recommender.forget()
    shop_window.forget()
    outlines.forget()
    rendered_cards.forget()
    serving.forget()


def _csr(name: str, dense: np.ndarray, *, by_score: bool = False) -> dict[str, np.ndarray]:
    indices, data = [], []
    for row in dense:
        found = np.flatnonzero(row)
        if by_score:
            found = found[np.argsort(-row[found], kind="stable")]
        indices.append(found)
        data.append(row[found])
    return {
        f"{name}_indptr": np.concatenate([[0], np.cumsum([len(one) for one in indices])]),
        f"{name}_indices": np.concatenate(indices).astype(np.int32),
        f"{name}_data": np.concatenate(data).astype(np.float32),
    }
