"""The recommender that this process serves: loaded once per version, swapped as a whole."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

import numpy as np

from analytics.methods.model_arrays import BadArrays
from analytics.methods.served_model import ServedModel
from analytics.model_files import BadModelFile, load_arrays
from analytics.models import ModelRun, RunOutcome, Task

logger = logging.getLogger(__name__)

# A new version is seen after so many seconds at the latest.
LOOK_EVERY_SECONDS = 2.0
# A file that could not be read may be on its way, from another host or a backup.
TRY_AGAIN_SECONDS = 30.0
# What is left of it is shown where nothing is known of somebody.
N_POPULAR = 200
# So many earlier versions are tried where the served one cannot be read.
EARLIER = 5


@dataclass(frozen=True)
class Version:
    """One served run with its model, when its fit began, and what is popular in it: (course id,
    score), best first."""

    run_id: int
    fitted_at: datetime
    model: ServedModel
    popular: list[tuple[int, float]]

    @classmethod
    def of(cls, run: ModelRun) -> Self:
        """Raises BadModelFile or BadArrays."""
        model = ServedModel(load_arrays(run))
        best = np.argsort(-model.popular, kind="stable")[:N_POPULAR]
        return cls(
            run.pk,
            run.started_at,
            model,
            [(int(model.course_ids[at]), float(model.popular[at])) for at in best],
        )


@dataclass
class Holder:
    """What one process holds; `current` may be called by all its threads.

    A file that cannot be read is said so once; what was loaded last goes on serving then, or,
    where nothing was yet, the newest earlier version whose file can be read.
    """

    clock: Callable[[], float] = time.monotonic
    _version: Version | None = None
    _looked_at: float = float("-inf")
    _refused: dict[int, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def current(self) -> Version | None:
        """The version to serve now; None before the first fit."""
        now = self.clock()
        if now - self._looked_at < LOOK_EVERY_SECONDS:
            return self._version
        # One thread looks; the others go on with what is there.
        if self._lock.acquire(blocking=self._version is None):
            try:
                if now - self._looked_at >= LOOK_EVERY_SECONDS:
                    self._version = self._look()
                    self._looked_at = now
            finally:
                self._lock.release()
        return self._version

    def is_refused(self, run_id: int) -> bool:
        """Whether the file of this run was tried and could not be read, and not since."""
        return run_id in self._refused

    def forget(self) -> None:
        """Look anew at the next call."""
        self._version, self._looked_at = None, float("-inf")
        self._refused.clear()

    def _look(self) -> Version | None:
        served = ModelRun.objects.served(Task.RECOMMEND)
        if served is None:
            return None
        if self._version is not None and self._version.run_id == served.pk:
            return self._version
        found = self._load(served)
        if found is None and self._version is not None:
            return self._version
        return found or self._earlier(served)

    def _earlier(self, served: ModelRun) -> Version | None:
        runs = ModelRun.objects.filter(
            task=Task.RECOMMEND, outcome=RunOutcome.SERVED, pk__lt=served.pk
        ).exclude(model_file="")
        for run in runs.order_by("-pk")[:EARLIER]:
            if found := self._load(run):
                return found
        return None

    def _load(self, run: ModelRun) -> Version | None:
        refused_at = self._refused.get(run.pk)
        if refused_at is not None and self.clock() - refused_at < TRY_AGAIN_SECONDS:
            return None
        try:
            found = Version.of(run)
        except (BadModelFile, BadArrays, OSError) as error:
            if refused_at is None:
                logger.error("the model of run #%s cannot be served: %s", run.pk, error)
            self._refused[run.pk] = self.clock()
            return None
        self._refused.pop(run.pk, None)
        return found


_holder = Holder()


def current() -> Version | None:
    """The version that this process serves; None before the first fit."""
    return _holder.current()


def is_refused(run_id: int) -> bool:
    """Whether this process could not read the file of this run when it last tried."""
    return _holder.is_refused(run_id)


def forget() -> None:
    """Look anew at the next call: for a process whose database was changed under it."""
    _holder.forget()
