"""Stream keys: shown once, one of each seller, and void when they are said to be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from streams.models import StreamKey
from streams.stream_keys import (
    new_stream_key,
    owner_of_key,
    revoke_stream_key,
    valid_key_of,
)
from tests.factories import (
    LiveSessionFactory,
    OperatorFactory,
    SellerFactory,
    StreamKeyFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)
HTMX = {"HX-Request": "true"}


def test_a_key_is_its_sellers_and_cannot_be_read_from_the_database() -> None:
    ann, ben = SellerFactory(), SellerFactory()

    of_ann, of_ben = new_stream_key(ann, moment=NOW), new_stream_key(ben, moment=NOW)

    assert (owner_of_key(of_ann), owner_of_key(of_ben)) == (ann.pk, ben.pk)
    assert len(of_ann) == 32
    for row in StreamKey.objects.values():
        assert of_ann not in map(str, row.values())
    assert str(valid_key_of(ann)) == f"…{of_ann[-4:]}"


@pytest.mark.parametrize("text", ["", "x", "…", "0" * 64, "\ud800".encode("utf-8", "replace")])
def test_any_other_text_is_nobodys(text: str | bytes) -> None:
    new_stream_key(SellerFactory(), moment=NOW)

    assert owner_of_key(str(text)) is None


def test_a_digest_is_no_key() -> None:
    new_stream_key(SellerFactory(), moment=NOW)

    assert owner_of_key(StreamKey.objects.get().digest) is None


@pytest.mark.mariadb
def test_a_new_key_revokes_the_one_before_and_nobody_elses() -> None:
    ann, ben = SellerFactory(), SellerFactory()
    old, of_ben = new_stream_key(ann, moment=NOW), new_stream_key(ben, moment=NOW)

    new = new_stream_key(ann, moment=NOW + timedelta(days=1))

    assert [owner_of_key(key) for key in (old, new, of_ben)] == [None, ann.pk, ben.pk]
    [first, second] = StreamKey.objects.filter(seller=ann).order_by("pk")
    assert (first.active_of, first.revoked_at) == (None, NOW + timedelta(days=1))
    assert (second.active_of, second.revoked_at) == (ann, None)


@pytest.mark.mariadb
def test_the_database_holds_one_valid_key_of_each_seller() -> None:
    seller = StreamKeyFactory().seller

    with pytest.raises(IntegrityError), transaction.atomic():
        StreamKeyFactory(seller=seller)


def test_a_revoked_key_is_void_at_once_and_is_revoked_once() -> None:
    seller = SellerFactory()
    secret = new_stream_key(seller, moment=NOW)
    key = StreamKey.objects.get()

    assert revoke_stream_key(key, moment=NOW)
    assert not revoke_stream_key(key, moment=NOW + timedelta(hours=1))

    assert owner_of_key(secret) is None
    assert valid_key_of(seller) is None
    assert StreamKey.objects.get().revoked_at == NOW


def test_the_key_of_somebody_who_was_locked_out_is_void() -> None:
    seller = SellerFactory()
    secret = new_stream_key(seller, moment=NOW)

    seller.is_active = False
    seller.save()

    assert owner_of_key(secret) is None


# --- At the desk ---


@pytest.fixture
def client() -> Client:
    return Client(headers={"Accept-Language": "en"})


def test_the_desk_shows_a_new_key_once(client: Client) -> None:
    session = LiveSessionFactory()
    client.force_login(session.seller)
    desk = reverse("streams:desk", args=[session.pk])
    assert "You have no stream key yet." in client.get(desk).text

    answer = client.post(reverse("streams:desk_stream_key", args=[session.pk]), headers=HTMX)

    ending = StreamKey.objects.get().ending
    [shown] = [part for part in answer.text.split('"') if part.startswith(f"{session.pk}?key=")]
    secret = shown.partition("=")[2]
    assert owner_of_key(secret) == session.seller_id
    assert answer.headers["Cache-Control"].find("no-store") >= 0
    page = client.get(desk).text
    assert secret not in page
    assert f"?key=…{ending}" in page


def test_without_script_a_page_shows_the_new_key(client: Client) -> None:
    session = LiveSessionFactory()
    client.force_login(session.seller)

    answer = client.post(reverse("streams:desk_stream_key", args=[session.pk]))

    assert "<html" in answer.text
    assert f'value="{session.pk}?key=' in answer.text


@pytest.mark.parametrize("name", ["desk_stream_key", "desk_video_address", "desk_video"])
def test_it_is_for_those_who_manage_the_session(client: Client, name: str) -> None:
    session = LiveSessionFactory(live=True)
    address = reverse(f"streams:{name}", args=[session.pk])
    ask = client.get if name == "desk_video" else client.post

    for person, status in [
        (None, 404),
        (UserFactory(), 404),
        (SellerFactory(), 404),
        (session.seller, 200),
        (OperatorFactory(), 200),
    ]:
        if person is not None:
            client.force_login(person)
        assert ask(address).status_code == status, person
    assert StreamKey.objects.exclude(seller=session.seller).count() == 0


def test_a_key_is_made_by_a_press_and_not_by_a_link(client: Client) -> None:
    session = LiveSessionFactory()
    client.force_login(session.seller)

    assert client.get(reverse("streams:desk_stream_key", args=[session.pk])).status_code == 405
    assert not StreamKey.objects.exists()


# --- In the admin ---


def test_a_seller_revokes_a_key_in_the_admin_and_sees_no_others(client: Client) -> None:
    mine, other = StreamKeyFactory(), StreamKeyFactory()
    client.force_login(mine.seller)
    address = reverse("admin:streams_streamkey_changelist")

    chosen = {"action": "revoke_chosen", "_selected_action": [mine.pk, other.pk]}
    page = client.post(address, chosen, follow=True).text

    assert "1 stream key is void now." in page
    mine.refresh_from_db()
    other.refresh_from_db()
    assert mine.active_of is None
    assert other.active_of == other.seller
