"""Who may do what: predicates, and the permissions on people.

Every app grants its permissions in its own `rules.py`; admin, API and pages ask them by name
(`catalog.change_course`). Operators manage everything that can be managed, sellers what is
their own; nobody else has a place in the admin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth.models import AnonymousUser
from django.db.models import Model
from django.db.models.constants import LOOKUP_SEP
from rules import add_perm, always_false, predicate
from rules.predicates import Predicate

from accounts.models import Consent, Letter, Role, StatedAttributes, User

if TYPE_CHECKING:
    Person = User | AnonymousUser

ACTIONS = ("view", "add", "change", "delete")


def _has_role(person: Person, role: Role) -> bool:
    return person.is_authenticated and person.is_active and person.role == role


@predicate
def is_operator(person: Person) -> bool:
    return _has_role(person, Role.OPERATOR)


@predicate
def is_seller(person: Person) -> bool:
    return _has_role(person, Role.SELLER)


is_staff = is_operator | is_seller
nobody = always_false


def owned_through(path: str) -> Predicate:
    """Whether the row belongs to the person: `path` leads to its seller (`course__seller`).

    Asked without a row, the answer is yes: somebody may own some.
    """
    *steps, last = path.split(LOOKUP_SEP)

    def owns(person: Person, row: Model | None) -> bool:
        if row is None:
            return True
        for step in steps:
            row = getattr(row, step)
        return getattr(row, f"{last}_id") == person.pk

    return predicate(owns, name=f"owned_through:{path}")


def managed_through(path: str) -> Predicate:
    """Operators manage every row, sellers those that belong to them by `path`."""
    return is_operator | (is_seller & owned_through(path))


def grant(model: type[Model], **who: Predicate) -> None:
    """Say who may `view`, `add`, `change` and `delete` rows; what is not said, nobody may."""
    if unknown := set(who) - set(ACTIONS):
        raise TypeError(f"unknown action {sorted(unknown)[0]!r}: use {', '.join(ACTIONS)}")
    for action in ACTIONS:
        options = model._meta
        add_perm(f"{options.app_label}.{action}_{options.model_name}", who.get(action, nobody))


grant(User, view=is_operator, add=is_operator, change=is_operator)
grant(StatedAttributes, view=is_operator)
grant(Consent, view=is_operator)
grant(Letter, view=is_operator, change=is_operator)
