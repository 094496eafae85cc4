"""`import_csv interactions`."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError
from django.db import IntegrityError

from analytics.csv_import import interactions
from analytics.models import Event, EventKind
from catalog.models import Course, Enrollment, Order
from tests.factories import CourseFactory, LiveSessionFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]


@pytest.fixture
def known():
    """Two people, two courses and a live session of the source `csv`."""
    return {
        **{u: UserFactory(import_source="csv", external_id=u) for u in ("U_1", "U_2")},
        **{c: CourseFactory(import_source="csv", external_id=c) for c in ("C_1", "C_2")},
        "L_1": LiveSessionFactory(import_source="csv", external_id="L_1", ended=True),
    }


def test_it_stores_events_with_the_time_of_the_platform_zone(import_csv, csv_file, known):
    path = csv_file(
        "user,course,live_session,kind,occurred_at,value\n"
        "U_1,C_1,L_1,watch,2026-01-31 20:00:30,95.5\n"
        "U_2,,L_1,View,2026-01-31T12:00:00Z,\n"
    )
    import_csv("interactions", path)
    watch, view = Event.objects.order_by("kind").reverse()
    assert (watch.user, watch.course, watch.live_session) == (
        known["U_1"],
        known["C_1"],
        known["L_1"],
    )
    assert (watch.kind, watch.value) == (EventKind.WATCH, 95.5)
    assert watch.occurred_at == datetime(2026, 1, 31, 12, 0, 30, tzinfo=UTC)
    assert (view.course, view.value, view.position) == (None, None, None)
    assert view.occurred_at == datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_it_takes_a_row_without_kind_for_a_purchase_and_makes_no_order(import_csv, csv_file, known):
    import_csv("interactions", csv_file("user,course,position\nU_1,C_1,0\nU_1,C_2,1\n"))
    events = Event.objects.order_by("position")
    assert [(e.kind, e.course.external_id, e.position) for e in events] == [
        (EventKind.PURCHASE, "C_1", 0),
        (EventKind.PURCHASE, "C_2", 1),
    ]
    # These people cannot sign in: nothing is sold to them or unlocked for them.
    assert not Order.objects.exists()
    assert not Enrollment.objects.exists()


def test_it_stores_the_same_row_once_in_whichever_file_it_comes(import_csv, csv_file, known):
    import_csv("interactions", csv_file("user,course,position\nU_1,C_1,0\n"))
    outcome = import_csv(
        "interactions",
        csv_file("position,user,course,note\n0,U_1,C_1,x\n0,U_1,C_1,y\n1,U_1,C_1,z\n"),
    )
    assert outcome.last.startswith("1 rows stored, 2 already there, 0 refused")
    assert Event.objects.count() == 2


def test_it_knows_a_row_by_its_own_id_where_it_has_one(import_csv, csv_file, known):
    path = csv_file(
        "external_id,user,course,kind,occurred_at\n"
        "1,U_1,C_1,like,2026-01-01 10:00\n2,U_1,C_1,like,2026-01-01 10:00\n"
        "2,U_1,C_1,like,2026-01-01 10:00\n"
    )
    outcome = import_csv("interactions", path)
    assert outcome.last.startswith("2 rows stored, 1 already there, 0 refused")


def test_it_does_not_mix_the_ids_of_two_sources(import_csv, csv_file, known):
    outcome = import_csv(
        "interactions", csv_file("user,course,position\nU_1,C_1,0\n"), "--source", "other"
    )
    assert 'line 2: user: "U_1" is not known' in outcome.err
    assert not Event.objects.exists()


def test_it_compares_ids_exactly(import_csv, csv_file, known):
    """MariaDB would find U_1 for u_1; SQLite would not."""
    outcome = import_csv("interactions", csv_file("user,course,position\nu_1,C_1,0\n"))
    assert 'user: "u_1" is not known' in outcome.err


def test_it_stores_what_was_refused_once_the_missing_row_is_there(import_csv, csv_file, known):
    path = csv_file("user,course,position\nU_1,C_1,0\nU_9,C_1,1\n")
    import_csv("interactions", path)
    UserFactory(import_source="csv", external_id="U_9")
    outcome = import_csv("interactions", path)
    assert outcome.last.startswith("1 rows stored, 1 already there, 0 refused")


@pytest.mark.parametrize(
    ("header", "named"), [("user,position", "live_session"), ("user,course", "occurred_at")]
)
def test_it_names_the_columns_of_which_one_is_needed(import_csv, csv_file, header, named):
    with pytest.raises(CommandError, match=named):
        import_csv("interactions", csv_file(f"{header}\nU_1,C_1\n"))


def test_it_makes_the_uuid_of_the_standard():
    for n in range(100):
        expected = uuid.uuid5(interactions._NAMESPACE, f"é{n}").hex
        assert interactions.uuid5_hex(f"é{n}") == expected


@pytest.mark.mariadb(only=True)
@pytest.mark.django_db(transaction=True)
def test_it_does_not_count_a_lost_row_as_one_that_was_there(import_csv, csv_file, known):
    """INSERT IGNORE passes over a broken foreign key as well as over a known uuid."""
    original = interactions.KnownIds.look_up

    def look_up_then_lose(self, ids):
        found = dict(original(self, ids))
        if "C_2" in found:
            Course.objects.filter(external_id="C_2").delete()
        return found

    with pytest.MonkeyPatch.context() as patch, pytest.raises(IntegrityError, match="1 events"):
        patch.setattr(interactions.KnownIds, "look_up", look_up_then_lose)
        import_csv("interactions", csv_file("user,course,position\nU_1,C_1,0\nU_1,C_2,1\n"))
    assert not Event.objects.exists()
