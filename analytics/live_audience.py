"""Who watches, in groups so large that none tells about a single person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from analytics import room_frames
from analytics.methods.small_groups import SMALLEST_GROUP, shown_groups
from analytics.room_frames import Person
from streams.models import LiveSession

# Lower ends of the bands of age, in years.
AGE_BANDS = (0, 18, 25, 35, 45, 55)
# People looked at, those who came first: enough for every share to stand still.
MOST_PEOPLE = 10_000


@dataclass(frozen=True)
class Division:
    """People divided by one attribute; None where so few may not be divided.

    `shown` are the groups and their sizes, the largest first, `n_others` how many people are in
    all other groups together.
    """

    shown: dict[int, int]
    n_others: int


@dataclass(frozen=True)
class Audience:
    """The first `n_people` signed-in viewers who allow it, by what is known of them.

    `interests` by the id of a category, 0 for none known; `ages` by the lower end of the band
    (AGE_BANDS), -1 for not stated; `regulars` by 1 for who was in an earlier session of the
    seller and 0 for newcomers.
    """

    n_people: int
    interests: Division | None
    ages: Division | None
    regulars: Division | None


def audience_of(
    session: LiveSession,
    user_ids: Sequence[int],
    *,
    moment: datetime,
    known: dict[int, Person],
) -> Audience | None:
    """The audience among the people given in the order in which they came; None for so few.

    People are taken in tens: between two looks at a running session the groups change by ten
    people at least, never by the one whose coming somebody saw. Nobody who refuses
    personalisation is in it. `known` are the people who were looked up before; the others are
    added to it.
    """
    if session.started_at is None:
        return None
    some = user_ids[:MOST_PEOPLE]
    allowed = room_frames.personalised_among(some)
    people = [one for one in some if one in allowed]
    people = people[: len(people) - len(people) % SMALLEST_GROUP]
    if not people:
        return None
    unknown = [one for one in people if one not in known]
    if unknown:
        known.update(room_frames.people_of_audience(unknown, session=session))
    found = [known[one] for one in people]
    ages = [_band(moment.year - one.birth_year) if one.birth_year else -1 for one in found]
    return Audience(
        n_people=len(people),
        interests=_divided([one.interest for one in found]),
        ages=_divided(ages),
        regulars=_divided([int(one.is_regular) for one in found]),
    )


def _band(age: int) -> int:
    return max(lower for lower in AGE_BANDS if lower <= max(age, 0))


def _divided(groups: Sequence[int]) -> Division | None:
    found = shown_groups(Counter(groups))
    return Division(*found) if found else None
