"""The video of a session follows its stream: on air, away, over; and what stays to be watched."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings as configured
from django.test import Client
from django.urls import reverse

from streams import tasks
from streams.broadcast import (
    SAMPLE_CLIP,
    SILENT_AFTER,
    Publication,
    StreamRefused,
    admit_stream,
    end_silent_sessions,
    hear_stream,
    lose_stream,
    set_video_address,
    stream_health,
    video_part,
)
from streams.models import (
    Broadcast,
    ChangeCause,
    LiveSession,
    PinnedSpan,
    Room,
    SessionChange,
    SessionStatus,
)
from streams.replays import chapters, publish_due_replays, store_recordings
from streams.session_life import end_session, withdraw_replay
from streams.stream_keys import new_stream_key
from streams.stream_rates import note_stream_rates, stream_rates
from tests.factories import (
    BroadcastFactory,
    CourseFactory,
    LiveSessionFactory,
    ShowcaseItemFactory,
)

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
FIRST, SECOND_ONE, ELSEWHERE = Publication(7, 1), Publication(7, 2), Publication(8, 1)
NOTHING = {"kind": "none", "url": None, "is_on_air": False, "is_away": False, "is_sample": False}


class Sender:
    """A seller's program and what the video server tells of it."""

    def __init__(self) -> None:
        self.session = ShowcaseItemFactory().live_session
        self.key = new_stream_key(self.session.seller, moment=NOW)

    def begin(self, which: Publication = FIRST, *, at: datetime = NOW) -> None:
        admit_stream(self.session.pk, key=self.key, publication=which, moment=at)

    def go_on(self, which: Publication = FIRST, *, at: datetime) -> None:
        hear_stream(self.session.pk, key=self.key, publication=which, moment=at)

    def break_off(self, which: Publication = FIRST, *, at: datetime) -> bool:
        return lose_stream(self.session.pk, publication=which, moment=at)

    @property
    def status(self) -> str:
        return self.stored.status

    @property
    def stored(self) -> LiveSession:
        return LiveSession.objects.get(pk=self.session.pk)

    @property
    def video(self) -> dict:
        return dict(video_part(self.stored))

    @property
    def n_drops(self) -> int:
        return Broadcast.objects.get(pk=self.session.pk).n_drops


@pytest.fixture
def sender() -> Sender:
    return Sender()


@pytest.fixture(autouse=True)
def addresses(settings, tmp_path) -> None:
    settings.HLS_URL = "https://video.example/hls"
    settings.REPLAYS_URL = "https://video.example/replays"
    settings.STREAM_GRACE_SECONDS = 120
    settings.MEDIA_ROOT = tmp_path
    settings.VIDEO_STAT_URL = ""


def version(session: LiveSession) -> int:
    return Room.objects.values_list("version", flat=True).get(pk=session.pk)


# --- On air and away ---


def test_before_any_stream_there_is_no_picture(sender) -> None:
    assert sender.video == NOTHING


@pytest.mark.mariadb
def test_a_stream_is_seen_in_the_room_from_its_beginning(sender) -> None:
    sender.begin()

    url = f"https://video.example/hls/{sender.session.pk}.m3u8"
    assert sender.video == NOTHING | {"kind": "hls", "url": url, "is_on_air": True}
    assert sender.status == "live"


@pytest.mark.mariadb
def test_a_drop_shows_back_in_a_moment_and_does_not_end_the_session(sender) -> None:
    sender.begin()
    before = version(sender.session)

    assert sender.break_off(at=NOW + MINUTE)

    assert version(sender.session) > before
    assert (sender.video["is_on_air"], sender.video["is_away"]) == (False, True)
    assert sender.video["url"] is not None
    assert sender.status == "live"
    assert end_silent_sessions(moment=NOW + MINUTE + 119 * SECOND) == 0
    assert sender.status == "live"


def test_a_stream_that_comes_back_is_on_air_again(sender) -> None:
    sender.begin()
    sender.break_off(at=NOW + MINUTE)
    before = version(sender.session)

    sender.begin(SECOND_ONE, at=NOW + 2 * MINUTE)

    assert version(sender.session) > before
    assert (sender.video["is_on_air"], sender.video["is_away"]) == (True, False)
    assert sender.n_drops == 1
    assert end_silent_sessions(moment=NOW + 2 * MINUTE + SECOND) == 0
    # It is live since it first began, and was not started twice.
    assert sender.stored.started_at == NOW
    assert SessionChange.objects.count() == 1


@pytest.mark.mariadb
def test_a_stream_that_stays_away_ends_its_session_after_the_grace_time(sender) -> None:
    sender.begin()
    sender.break_off(at=NOW + MINUTE)

    assert end_silent_sessions(moment=NOW + MINUTE + 120 * SECOND) == 1

    assert sender.status == "ended"
    assert sender.stored.ended_at == NOW + 3 * MINUTE
    assert SessionChange.objects.last().cause == ChangeCause.STREAM
    assert sender.video == NOTHING
    assert end_silent_sessions(moment=NOW + 9 * MINUTE) == 0


def test_sessions_without_a_stream_of_their_own_are_never_ended(sender) -> None:
    never_streamed = LiveSessionFactory(live=True)
    with_address = BroadcastFactory(external_url="https://e.example/a.m3u8", dropped_at=NOW)
    BroadcastFactory(external_url=SAMPLE_CLIP)

    assert end_silent_sessions(moment=NOW + timedelta(days=1)) == 0

    never_streamed.refresh_from_db()
    assert never_streamed.is_live
    assert with_address.live_session.is_live
    # Nor is anybody's page told of it, round after round.
    assert not Room.objects.exists()


def test_what_the_video_server_speaks_of_no_more_is_away_from_when_that_is_noticed(sender) -> None:
    sender.begin()
    sender.go_on(at=NOW + 10 * SECOND)
    last = NOW + 10 * SECOND

    end_silent_sessions(moment=last + SILENT_AFTER)
    assert sender.video["is_on_air"]
    noticed = last + 10 * MINUTE
    assert end_silent_sessions(moment=noticed) == 0
    assert sender.video["is_away"]

    # It was the platform that did not listen: the next word puts it back on air.
    sender.go_on(at=noticed + SECOND)
    assert sender.video["is_on_air"]
    assert sender.status == "live"


# --- Two streams of one session ---


@pytest.mark.mariadb
def test_the_second_stream_of_a_session_is_refused_while_the_first_is_there(sender) -> None:
    sender.begin()

    with pytest.raises(StreamRefused, match="already"):
        sender.begin(SECOND_ONE, at=NOW + SECOND)
    # It is heard of again, as the same one.
    sender.begin(FIRST, at=NOW + SECOND)

    # Whoever was refused says goodbye as well.
    assert not sender.break_off(SECOND_ONE, at=NOW + 2 * SECOND)
    assert sender.video["is_on_air"]
    assert sender.n_drops == 0


def test_the_end_of_an_old_stream_told_late_leaves_the_new_one_on_air(sender) -> None:
    sender.begin()
    end_silent_sessions(moment=NOW + MINUTE)
    sender.begin(SECOND_ONE, at=NOW + 2 * MINUTE)

    assert not sender.break_off(FIRST, at=NOW + 2 * MINUTE + SECOND)

    assert sender.video["is_on_air"]
    with pytest.raises(StreamRefused, match="taken its place"):
        sender.go_on(FIRST, at=NOW + 2 * MINUTE + 2 * SECOND)
    sender.go_on(SECOND_ONE, at=NOW + 2 * MINUTE + 3 * SECOND)


def test_after_a_new_start_of_the_video_server_the_stream_comes_back_at_once(sender) -> None:
    sender.begin()

    sender.begin(ELSEWHERE, at=NOW + 5 * SECOND)

    assert sender.video["is_on_air"]
    assert sender.n_drops == 1
    assert not sender.break_off(FIRST, at=NOW + 6 * SECOND)
    assert sender.video["is_on_air"]


def test_a_stream_that_went_silent_can_be_replaced_before_anybody_noticed(sender) -> None:
    sender.begin()

    sender.begin(SECOND_ONE, at=NOW + SILENT_AFTER + SECOND)

    assert not sender.break_off(FIRST, at=NOW + SILENT_AFTER + 2 * SECOND)
    assert sender.video["is_on_air"]


def test_who_ends_the_session_and_then_stops_sending_has_interrupted_nothing(sender) -> None:
    sender.begin()
    end_session(
        sender.session.pk, by=sender.session.seller, cause=ChangeCause.SELLER, moment=NOW + MINUTE
    )

    assert sender.break_off(at=NOW + 2 * MINUTE)

    assert sender.n_drops == 0
    assert Broadcast.objects.get().dropped_at is None
    assert not stream_health(sender.stored).is_away


# --- Elsewhere, and the sample ---


def test_an_address_elsewhere_is_played_while_nothing_is_sent_here(sender) -> None:
    url = "https://e.example/live.m3u8"
    set_video_address(sender.session.pk, url)
    assert sender.video == NOTHING

    sender.begin()
    assert sender.video["url"] != url
    sender.break_off(at=NOW + MINUTE)

    assert sender.video == NOTHING | {"kind": "hls", "url": url, "is_on_air": True}
    assert end_silent_sessions(moment=NOW + timedelta(hours=1)) == 0


def test_the_sample_says_that_it_is_one(sender) -> None:
    set_video_address(sender.session.pk, SAMPLE_CLIP)
    LiveSession.objects.filter(pk=sender.session.pk).update(status="live", started_at=NOW)

    part = sender.video
    assert part["is_sample"]
    assert part["url"] == "/static/clip/sample.m3u8"
    assert stream_health(sender.stored).external_url == ""


@pytest.mark.parametrize(
    ("url", "is_taken"),
    [
        ("https://video.example.com/live/index.m3u8", True),
        ("http://10.0.0.7:8080/a.m3u8?token=1", True),
        ("", True),
        ("javascript:alert(1)", False),
        ("data:video/mp4;base64,AAAA", False),
        ("//video.example.com/a.m3u8", False),
        ("rtmp://video.example.com/a", False),
        ("https://ann:secret@video.example.com/a.m3u8", False),
        ("https://video.example.com/" + "a" * 500, False),
        (SAMPLE_CLIP, False),
    ],
)
def test_the_desk_takes_addresses_that_a_browser_can_fetch(sender, url, is_taken) -> None:
    client = Client(headers={"Accept-Language": "en", "HX-Request": "true"})
    client.force_login(sender.session.seller)
    set_video_address(sender.session.pk, "https://before.example/a.m3u8")

    answer = client.post(
        reverse("streams:desk_video_address", args=[sender.session.pk]), {"url": url}
    )

    assert answer.status_code == (200 if is_taken else 422)
    kept = Broadcast.objects.get().external_url
    assert kept == (url if is_taken else "https://before.example/a.m3u8")


def test_behind_tls_an_address_without_is_refused(sender, settings) -> None:
    settings.USE_TLS = True
    settings.SECURE_SSL_REDIRECT = False
    client = Client(headers={"Accept-Language": "en", "HX-Request": "true"})
    client.force_login(sender.session.seller)
    address = reverse("streams:desk_video_address", args=[sender.session.pk])

    assert client.post(address, {"url": "http://e.example/a.m3u8"}).status_code == 422
    assert client.post(address, {"url": "https://e.example/a.m3u8"}).status_code == 200


# --- At the desk ---


def test_the_desk_tells_how_the_stream_is(sender) -> None:
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(sender.session.seller)
    address = reverse("streams:desk_video", args=[sender.session.pk])
    assert "No stream yet." in client.get(address).text

    sender.begin()
    Broadcast.objects.update(kbps=2500)
    page = client.get(address).text
    assert "Your stream is on air" in page
    assert "2500 kbit/s" in page

    sender.break_off(at=NOW + MINUTE)
    assert "Your stream is gone" in client.get(address).text
    assert stream_health(sender.stored).ends_at == NOW + 3 * MINUTE


STATISTICS = """<rtmp><server>
<application><name>live</name><live>
<stream><name>{pk}</name><time>6230</time><bw_in>2512345</bw_in><bw_out>1</bw_out>
<client><id>5</id></client></stream>
<stream><name>x</name><time>6230</time><bw_in>9</bw_in></stream>
</live></application>
<application><name>hls</name><live>
<stream><name>{pk}_low</name><bw_in>300000</bw_in></stream>
</live></application></server></rtmp>"""


def test_the_speed_of_a_stream_is_read_from_the_video_server(sender) -> None:
    assert list(stream_rates(STATISTICS.format(pk=12))) == [(12, 2512)]
    assert list(stream_rates("<html>not found</html>")) == []


def test_a_video_server_that_cannot_be_asked_holds_nothing_up(sender, settings) -> None:
    sender.begin()
    settings.VIDEO_STAT_URL = "http://127.0.0.1:9/stat"

    assert note_stream_rates() == 0


# --- Replays ---


def record(sender: Sender, begun_at: datetime, seconds: float) -> None:
    """What scripts/keep_recording.py leaves of one recording."""
    name = f"{int(begun_at.timestamp())}-{'ab' * 8}"
    folder = _media() / "replays" / str(sender.session.pk) / name
    folder.mkdir(parents=True)
    pieces, left = [], seconds
    while left > 0:
        length = min(6.0, left)
        pieces.append(f"#EXTINF:{length:.6f},\n{len(pieces):05}.ts")
        left -= length
    (folder / "index.m3u8").write_text("\n".join(["#EXTM3U", *pieces, "#EXT-X-ENDLIST", ""]))


def _media() -> Path:
    return Path(configured.MEDIA_ROOT)


def finish(sender: Sender, *, at: datetime) -> None:
    end_session(sender.session.pk, by=None, cause=ChangeCause.STREAM, moment=at)


def playlist(sender: Sender) -> list[str]:
    recording = Broadcast.objects.get(pk=sender.session.pk).recording
    return (_media() / recording).read_text().splitlines()


@pytest.mark.mariadb
def test_the_recording_becomes_the_replay_when_the_session_is_over(sender) -> None:
    sender.begin()
    sender.break_off(at=NOW + 20 * SECOND)
    record(sender, NOW, 20)
    assert store_recordings(sender.session.pk, moment=NOW + 25 * SECOND)
    assert sender.status == "live"

    finish(sender, at=NOW + 30 * SECOND)
    assert publish_due_replays(moment=NOW + 40 * SECOND) == 1

    assert sender.status == "replay"
    stored = Broadcast.objects.get()
    assert (stored.recorded_from, stored.recorded_seconds) == (NOW, 20)
    name = stored.recording.removeprefix("replays/")
    assert sender.video == NOTHING | {
        "kind": "hls",
        "url": f"https://video.example/replays/{name}",
    }
    assert publish_due_replays(moment=NOW + 50 * SECOND) == 0


def test_a_recording_that_is_ready_after_the_end_is_published_at_once(sender) -> None:
    sender.begin()
    sender.break_off(at=NOW + 20 * SECOND)
    finish(sender, at=NOW + 30 * SECOND)
    record(sender, NOW, 20)

    store_recordings(sender.session.pk, moment=NOW + 31 * SECOND)

    assert sender.status == "replay"


def test_a_session_that_its_seller_ended_has_its_replay_when_the_stream_has_stopped(sender) -> None:
    sender.begin()
    sender.break_off(at=NOW + 20 * SECOND)
    record(sender, NOW, 20)
    store_recordings(sender.session.pk, moment=NOW + 21 * SECOND)
    sender.begin(SECOND_ONE, at=NOW + 30 * SECOND)
    finish(sender, at=NOW + 60 * SECOND)
    store_recordings(sender.session.pk, moment=NOW + 60 * SECOND)

    assert sender.status == "ended"
    assert publish_due_replays(moment=NOW + 61 * SECOND) == 0
    sender.break_off(SECOND_ONE, at=NOW + 62 * SECOND)
    assert publish_due_replays(moment=NOW + 63 * SECOND) == 1


def test_a_replay_that_its_seller_took_away_stays_away(sender, django_assert_num_queries) -> None:
    sender.begin()
    sender.break_off(at=NOW + 20 * SECOND)
    finish(sender, at=NOW + 30 * SECOND)
    record(sender, NOW, 20)
    store_recordings(sender.session.pk, moment=NOW + 31 * SECOND)

    withdraw_replay(
        sender.session.pk, by=sender.session.seller, cause=ChangeCause.SELLER, moment=NOW + MINUTE
    )

    # Round after round it costs no more than the question what is due.
    with django_assert_num_queries(1):
        assert publish_due_replays(moment=NOW + 2 * MINUTE) == 0
    record(sender, NOW + 40 * SECOND, 5)
    store_recordings(sender.session.pk, moment=NOW + 3 * MINUTE)
    assert sender.status == SessionStatus.ENDED
    assert sender.video == NOTHING


def test_the_replay_has_everything_that_was_recorded_in_order(sender) -> None:
    sender.begin()
    # The later part is ready first.
    record(sender, NOW + MINUTE, 10)
    store_recordings(sender.session.pk, moment=NOW + 2 * MINUTE)
    first_address = Broadcast.objects.get().recording
    record(sender, NOW, 20)
    store_recordings(sender.session.pk, moment=NOW + 3 * MINUTE)

    lines = playlist(sender)
    assert [line for line in lines if line.startswith("#EXT-X-PROGRAM")] == [
        "#EXT-X-PROGRAM-DATE-TIME:2026-06-10T12:00:00.000+00:00",
        "#EXT-X-PROGRAM-DATE-TIME:2026-06-10T12:01:00.000+00:00",
    ]
    assert lines.count("#EXT-X-DISCONTINUITY") == 1
    assert sum(line.endswith(".ts") for line in lines) == 4 + 2
    stored = Broadcast.objects.get()
    assert stored.recording == first_address
    assert (stored.recorded_from, stored.recorded_seconds) == (NOW, 30)

    store_recordings(sender.session.pk, moment=NOW + 4 * MINUTE)
    assert playlist(sender) == lines


def test_what_is_still_being_written_or_is_no_recording_is_left_out(sender) -> None:
    folder = _media() / "replays" / str(sender.session.pk)
    for name in (f".{int(NOW.timestamp())}-{'ab' * 8}", "notes", f"{int(NOW.timestamp())}-x"):
        (folder / name).mkdir(parents=True)
        (folder / name / "index.m3u8").write_text("#EXTINF:6.0,\n00000.ts\n")

    assert not store_recordings(sender.session.pk, moment=NOW)
    assert not Broadcast.objects.exists()


def test_nobody_guesses_the_address_of_a_replay(sender, settings) -> None:
    sender.begin()
    record(sender, NOW, 6)
    store_recordings(sender.session.pk, moment=NOW)
    name = Path(Broadcast.objects.get().recording).name

    settings.SECRET_KEY = "another-" * 8
    store_recordings(sender.session.pk, moment=NOW)

    assert len(name) > 24
    assert Path(Broadcast.objects.get().recording).name != name


# --- Chapters ---


def pin(sender: Sender, title: str, begin: timedelta, end: timedelta | None) -> None:
    PinnedSpan.objects.create(
        live_session=sender.session,
        course=CourseFactory(title=title),
        pinned_at=NOW + begin,
        unpinned_at=None if end is None else NOW + end,
    )


def told(sender: Sender) -> list[tuple[str, str]]:
    return [(chapter.clock, chapter.title) for chapter in chapters(sender.stored)]


def test_pinned_products_are_the_chapters_of_the_replay(sender) -> None:
    sender.begin()
    record(sender, NOW, 7200)
    pin(sender, "Knots", 10 * SECOND, 5 * MINUTE)
    pin(sender, "Sails", 5 * MINUTE, 70 * MINUTE)
    pin(sender, "Winds", 70 * MINUTE, None)
    assert chapters(sender.stored) == []

    store_recordings(sender.session.pk, moment=NOW + 121 * MINUTE)

    assert told(sender) == [("0:10", "Knots"), ("5:00", "Sails"), ("1:10:00", "Winds")]


def test_chapters_are_cut_to_what_was_recorded(sender) -> None:
    sender.begin()
    record(sender, NOW, 60)
    pin(sender, "Before", -10 * MINUTE, -5 * MINUTE)
    pin(sender, "From before", -5 * MINUTE, 30 * SECOND)
    pin(sender, "A slip", 30 * SECOND, 31 * SECOND)
    pin(sender, "Meant", 31 * SECOND, 5 * MINUTE)
    pin(sender, "After", 6 * MINUTE, None)

    store_recordings(sender.session.pk, moment=NOW + 10 * MINUTE)

    assert told(sender) == [("0:00", "From before"), ("0:31", "Meant")]


def test_chapters_know_of_the_time_that_was_not_recorded(sender) -> None:
    sender.begin()
    record(sender, NOW, 60)
    record(sender, NOW + 10 * MINUTE, 60)
    pin(sender, "Knots", 10 * SECOND, 2 * MINUTE)
    pin(sender, "While away", 2 * MINUTE, 3 * MINUTE)
    pin(sender, "Sails", 5 * MINUTE, 10 * MINUTE + 20 * SECOND)
    pin(sender, "Winds", 10 * MINUTE + 20 * SECOND, None)

    store_recordings(sender.session.pk, moment=NOW + 12 * MINUTE)

    assert told(sender) == [("0:10", "Knots"), ("1:00", "Sails"), ("1:20", "Winds")]


def test_the_page_of_a_replay_has_its_player_and_its_chapters(sender) -> None:
    sender.begin()
    sender.break_off(at=NOW + 2 * MINUTE)
    finish(sender, at=NOW + 3 * MINUTE)
    record(sender, NOW, 120)
    pin(sender, "Knots & <Sails>", 65 * SECOND, None)
    store_recordings(sender.session.pk, moment=NOW + 4 * MINUTE)

    page = Client().get(reverse("streams:session_detail", args=[sender.session.pk])).text

    assert 'data-seek="65"' in page
    assert "Knots &amp; &lt;Sails&gt;" in page
    assert "data-player" in page


def test_the_clock_of_the_worker_does_all_of_it(sender) -> None:
    sender.begin()
    sender.break_off(at=NOW)
    record(sender, NOW, 6)
    store_recordings(sender.session.pk, moment=NOW)

    tasks.follow_streams()

    assert sender.status == "replay"


def test_the_admin_page_of_a_session_tells_of_its_video(sender) -> None:
    sender.begin()
    Broadcast.objects.update(kbps=2500)
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(sender.session.seller)
    address = reverse("admin:streams_livesession_change", args=[sender.session.pk])

    page = client.get(address).text

    assert "stream: on air" in page
    assert "speed: 2500 kbit/s" in page
