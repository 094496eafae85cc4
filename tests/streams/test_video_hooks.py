"""What the video server asks: who may send is answered by the key, who may ask by the secret."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client, override_settings
from django.urls import reverse
from django.utils import timezone

from streams.models import Broadcast, LiveSession, SessionChange, SessionStatus, StreamKey
from streams.stream_keys import new_stream_key, revoke_stream_key
from tests.factories import LiveSessionFactory, SellerFactory, ShowcaseItemFactory

pytestmark = pytest.mark.django_db
HOOKS = ["publish", "update", "publish_done", "record_done"]


class VideoServer:
    """Calls the hooks as nginx does: what RTMP said as a form, the rest by headers."""

    def __init__(self, *, run: int = 7, secret: str | None = None) -> None:
        known_by = f"Bearer {settings.STREAM_HOOK_SECRET if secret is None else secret}"
        headers = {"Authorization": known_by, "X-Video-Run": str(run)}
        self.client = Client(headers=headers, enforce_csrf_checks=True)

    def call(self, hook: str, name: object, key: str = "", *, connection: int = 1) -> int:
        call = "update_publish" if hook == "update" else hook
        said = {"call": call, "app": "live", "name": name, "clientid": connection, "key": key}
        return self.client.post(reverse(f"streams:hook_{hook}"), said).status_code


@pytest.fixture
def session() -> LiveSession:
    return ShowcaseItemFactory().live_session


@pytest.fixture
def key(session: LiveSession) -> str:
    return new_stream_key(session.seller, moment=timezone.now())


def status_of(session: LiveSession) -> str:
    return LiveSession.objects.values_list("status", flat=True).get(pk=session.pk)


def is_on_air(session: LiveSession) -> bool:
    return Broadcast.objects.filter(pk=session.pk, is_on_air=True).exists()


@pytest.mark.mariadb
def test_the_right_key_puts_the_stream_on_air_and_starts_the_session(session, key) -> None:
    assert VideoServer().call("publish", session.pk, key) == 204

    assert is_on_air(session)
    change = SessionChange.objects.get()
    assert (change.before, change.after, change.cause) == ("scheduled", "live", "stream")
    assert change.changed_by == session.seller


def test_a_wrong_key_is_refused(session, key) -> None:
    for wrong in ("", "x", key[:-1], key + "x", key.swapcase(), StreamKey.objects.get().digest):
        assert VideoServer().call("publish", session.pk, wrong) == 403

    assert not is_on_air(session)
    assert status_of(session) == "scheduled"


def test_a_revoked_key_is_refused(session, key) -> None:
    revoke_stream_key(StreamKey.objects.get(), moment=timezone.now())

    assert VideoServer().call("publish", session.pk, key) == 403
    assert status_of(session) == "scheduled"


def test_another_sellers_key_is_refused(session, key) -> None:
    of_another = new_stream_key(SellerFactory(), moment=timezone.now())

    assert VideoServer().call("publish", session.pk, of_another) == 403
    assert status_of(session) == "scheduled"


@pytest.mark.parametrize("status", [SessionStatus.ENDED, SessionStatus.REPLAY])
def test_a_session_that_is_over_takes_no_stream(status) -> None:
    session = LiveSessionFactory(ended=True, status=status)
    key = new_stream_key(session.seller, moment=timezone.now())

    assert VideoServer().call("publish", session.pk, key) == 403
    assert status_of(session) == status
    assert not is_on_air(session)


def test_a_draft_goes_live_by_its_stream_when_it_has_something_to_show() -> None:
    empty = LiveSessionFactory(draft=True)
    key = new_stream_key(empty.seller, moment=timezone.now())
    assert VideoServer().call("publish", empty.pk, key) == 403

    ShowcaseItemFactory(live_session=empty)

    assert VideoServer().call("publish", empty.pk, key) == 204
    assert status_of(empty) == "live"


def test_a_session_that_its_seller_started_takes_the_stream(session) -> None:
    live = LiveSessionFactory(live=True, seller=session.seller)
    key = new_stream_key(session.seller, moment=timezone.now())

    assert VideoServer().call("publish", live.pk, key) == 204
    assert is_on_air(live)
    assert not SessionChange.objects.exists()


@pytest.mark.parametrize("name", ["", "abc", "-1", "1.5", "9" * 18, "9" * 5000, "../1", "1 "])
def test_a_stream_with_a_name_that_is_no_sessions_is_refused(session, key, name) -> None:
    assert VideoServer().call("publish", name, key) == 403


def test_the_name_of_a_stream_is_written_in_plain_digits(session, key) -> None:
    in_arabic_digits = "".join(chr(0x660 + int(digit)) for digit in str(session.pk))

    assert VideoServer().call("publish", in_arabic_digits, key) == 403
    assert VideoServer().call("publish", session.pk, key) == 204


# --- Who may ask ---


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("secret", ["", "wrong", "é"])
def test_a_forged_hook_is_refused_and_changes_nothing(session, key, hook, secret) -> None:
    VideoServer().call("publish", session.pk, key)
    before = Broadcast.objects.values().get()

    assert VideoServer(secret=secret).call(hook, session.pk, key) == 403
    assert Client().post(reverse(f"streams:hook_{hook}"), {"name": session.pk}).status_code == 403

    assert Broadcast.objects.values().get() == before


@pytest.mark.parametrize("hook", HOOKS)
def test_hooks_are_posted(hook) -> None:
    server = VideoServer()

    assert server.client.get(reverse(f"streams:hook_{hook}")).status_code == 405


def test_the_secret_is_the_one_that_the_operator_set(session, key) -> None:
    with override_settings(STREAM_HOOK_SECRET="of the operator"):
        assert VideoServer(secret="of the operator").call("publish", session.pk, key) == 204
        assert VideoServer(secret="").call("update", session.pk, key) == 403


def test_a_call_without_the_number_of_its_stream_is_refused(session, key) -> None:
    server = VideoServer()
    assert server.call("publish", session.pk, key, connection="x") == 403
    bare = Client(headers={"Authorization": f"Bearer {settings.STREAM_HOOK_SECRET}"})
    said = {"call": "publish", "name": session.pk, "clientid": 1, "key": key}
    assert bare.post(reverse("streams:hook_publish"), said).status_code == 403


def test_no_key_comes_into_the_log(session, key, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = "wrong-" + key
    server = VideoServer()

    server.call("publish", session.pk, wrong)
    server.call("publish", session.pk, key)
    server.call("update", session.pk, wrong)
    server.call("publish_done", session.pk, key)

    assert "stream refused" in caplog.text
    assert key not in caplog.text
    assert settings.STREAM_HOOK_SECRET not in caplog.text


# --- While it runs ---


def test_a_stream_goes_on_while_its_key_is_valid_and_its_session_runs(session, key) -> None:
    server = VideoServer()
    server.call("publish", session.pk, key)
    assert server.call("update", session.pk, key) == 204

    revoke_stream_key(StreamKey.objects.get(), moment=timezone.now())

    assert server.call("update", session.pk, key) == 403


def test_a_stream_is_cut_off_when_its_session_has_ended(session, key) -> None:
    server = VideoServer()
    server.call("publish", session.pk, key)
    LiveSession.objects.filter(pk=session.pk).update(
        status=SessionStatus.ENDED, ended_at=timezone.now() + timedelta(seconds=1)
    )

    assert server.call("update", session.pk, key) == 403


def test_what_makes_the_smaller_pictures_needs_no_key(session, key) -> None:
    server = VideoServer()
    said = {"call": "update_play", "name": session.pk, "clientid": 5}

    assert server.client.post(reverse("streams:hook_update"), said).status_code == 204
    assert not Broadcast.objects.exists()


def test_the_end_of_a_stream_takes_it_off_air_and_not_its_session(session, key) -> None:
    server = VideoServer()
    server.call("publish", session.pk, key)

    assert server.call("publish_done", session.pk, key) == 204

    assert not is_on_air(session)
    assert status_of(session) == "live"


def test_what_is_told_of_a_session_that_is_gone_is_taken_calmly() -> None:
    assert VideoServer().call("publish_done", 404_404) == 204
    assert VideoServer().call("record_done", 404_404) == 204
