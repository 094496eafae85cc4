"""Which course somebody wants next."""

from __future__ import annotations

import numpy as np

from analytics.sample_market.courses import SampleCourse
from analytics.sample_market.people import CLUSTER_NAMES, Viewers
from analytics.sample_market.truth import NEXT_LEVEL, OTHER_LANGUAGE, SAME_CATEGORY, TASTE


class Taste:
    """Weights of all courses for one viewer, from taste, language and what came before."""

    def __init__(self, viewers: Viewers, courses: list[SampleCourse]) -> None:
        self.viewers = viewers
        self.courses = courses
        self.place = {course.row.pk: k for k, course in enumerate(courses)}
        self.category = np.array([course.row.category.pk for course in courses])
        self.level = np.array([course.row.level for course in courses])
        self.days_on_sale = np.array([course.days_on_sale for course in courses])
        self.is_sold = np.array([course.is_sold for course in courses])
        cluster = np.array([course.cluster for course in courses])
        pull = np.array([course.pull for course in courses]) * self.is_sold
        # Most begin at the beginning.
        pull = pull * np.array([0.0, 1.0, 0.8, 0.5])[self.level]
        is_english = np.array([course.row.language == "en" for course in courses])
        in_language = [
            pull * np.where(is_english == reads_english, 1.0, OTHER_LANGUAGE)
            for reads_english in (False, True)
        ]
        self._weights = {
            (main, second, bool(english)): _mix(in_language[english], cluster, main, second)
            for main in range(len(CLUSTER_NAMES))
            for second in range(len(CLUSTER_NAMES))
            for english in (0, 1)
        }

    def weights(
        self, viewer: int, *, days_ago: int, owned: set[int], last: SampleCourse | None
    ) -> np.ndarray:
        """(n_courses,) of weights, 0 for what is owned, not on sale yet or not any more."""
        key = (
            int(self.viewers.cluster[viewer]),
            int(self.viewers.second[viewer]),
            bool(self.viewers.is_english[viewer]),
        )
        weights = self._weights[key] * (self.days_on_sale > days_ago)
        if last is not None:
            same = self.category == last.row.category.pk
            weights = weights * np.where(same, SAME_CATEGORY, 1.0)
            weights *= np.where(same & (self.level == last.row.level + 1), NEXT_LEVEL, 1.0)
        if owned:
            weights[[self.place[course] for course in owned]] = 0
        return weights


def _mix(pull: np.ndarray, cluster: np.ndarray, main: int, second: int) -> np.ndarray:
    """The pull of courses, scaled so that main, second and all get their shares of TASTE."""
    parts = ((cluster == main, TASTE[0]), (cluster == second, TASTE[1]), (cluster >= 0, TASTE[2]))
    mixed = np.zeros(len(pull))
    for within, share in parts:
        mass = pull[within].sum()
        if mass > 0:
            mixed[within] += share * pull[within] / mass
    return mixed


def choose(chance: np.random.Generator, weights: np.ndarray) -> int | None:
    """A place drawn by weight; None when all weights are 0."""
    sums = np.cumsum(weights)
    if sums[-1] <= 0:
        return None
    return int(np.searchsorted(sums, chance.random() * sums[-1], side="right"))
