"""Transactions that meet others: rolled back by the database for a deadlock, they begin again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import OperationalError, transaction
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

P = ParamSpec("P")
R = TypeVar("R")

# MySQL and MariaDB: deadlock, lock wait timeout, row changed since the snapshot.
_MEETINGS = frozenset({1213, 1205, 1020})
MOST_ATTEMPTS = 5


_is_in_rule: ContextVar[bool] = ContextVar("is_in_rule", default=False)


@contextmanager
def _in_rule() -> Iterator[None]:
    token = _is_in_rule.set(True)
    try:
        yield
    finally:
        _is_in_rule.reset(token)


def is_meeting(error: BaseException) -> bool:
    """Whether the database gave up because of another transaction, so that trying again helps."""
    if not isinstance(error, OperationalError):
        return False
    code = error.args[0] if error.args else None
    return code in _MEETINGS or "database is locked" in str(error)


def in_one_transaction(rule: Callable[P, R]) -> Callable[P, R]:
    """Run the rule in one transaction, begun again from its start when it met another.

    Inside another rule of this kind it is a part of that one, which ends or begins again as a
    whole. Inside a transaction of any other caller, what it raises takes back what it wrote and
    no more, but after a deadlock, which has rolled back all, that caller begins again. The rule
    must read anew what it decides on.
    """

    @wraps(rule)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if transaction.get_connection().in_atomic_block:
            if _is_in_rule.get():
                return rule(*args, **kwargs)
            with transaction.atomic(), _in_rule():
                return rule(*args, **kwargs)
        try:
            return begun(*args, **kwargs)
        except OperationalError as error:
            if not is_meeting(error):
                raise
        # Made only now: nearly every transaction meets nobody.
        again = Retrying(
            retry=retry_if_exception(is_meeting),
            stop=stop_after_attempt(MOST_ATTEMPTS - 1),
            wait=wait_random_exponential(multiplier=0.02, max=0.5),
            reraise=True,
        )
        return again(begun, *args, **kwargs)

    def begun(*args: P.args, **kwargs: P.kwargs) -> R:
        with transaction.atomic(), _in_rule():
            return rule(*args, **kwargs)

    return run
