"""How much each kind of event says that a course is wanted."""

from __future__ import annotations

from analytics.models import EventKind

# Having a course is 1. A view may be a slip of the thumb; who puts a course into the cart has all
# but decided.
KIND_WEIGHTS = {
    EventKind.VIEW: 0.1,
    EventKind.CLICK: 0.25,
    EventKind.WATCH: 0.25,
    EventKind.LIKE: 0.4,
    EventKind.SHARE: 0.5,
    EventKind.ADD_TO_CART: 0.6,
    EventKind.PURCHASE: 1.0,
    EventKind.LESSON_PROGRESS: 1.0,
}
TAKEN_KINDS = (EventKind.PURCHASE, EventKind.LESSON_PROGRESS)
