"""A test picture over RTMP into the video server, and out of it into a browser."""

from __future__ import annotations

import re
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone
from playwright.sync_api import Page, expect

from streams.broadcast import SAMPLE_CLIP
from streams.models import Broadcast, ChangeCause, LiveSession
from streams.session_life import end_session
from streams.showcase import pin_course
from streams.stream_keys import new_stream_key
from tests import servers
from tests.browser.conftest import page_opener
from tests.concurrency.shop import is_up, url_of_test_database
from tests.conftest import missing
from tests.factories import BroadcastFactory, SellerFactory, ShowcaseItemFactory
from tests.operation.processes import BIN, environment, eventually, started

TEST_PICTURE = "testsrc=size=320x180:rate=15"
ENCODED = "-c:v libx264 -preset ultrafast -tune zerolatency -g 30 -pix_fmt yuv420p -c:a aac"
IS_MOVING = """async () => {
    const picture = document.querySelector("[data-picture]"), before = picture.currentTime;
    await new Promise((resume) => setTimeout(resume, 500));
    return picture.videoWidth > 0 && picture.currentTime > before + 0.2;
}"""


@dataclass(frozen=True)
class Studio:
    """The platform and the video server, side by side as an operator has them."""

    site: str
    rtmp: str
    hls: str
    log: Path

    @contextmanager
    def sending(self, session: LiveSession, key: str) -> Iterator[subprocess.Popen]:
        """A seller's program that sends until the block ends, or until it is refused."""
        address = f"{self.rtmp}/{session.pk}?key={key}"
        with started(self.command(address), env=environment(self.log.parent), log=self.log) as one:
            yield one

    @staticmethod
    def command(address: str) -> list[str]:
        picture = ["-re", "-f", "lavfi", "-i", TEST_PICTURE, "-f", "lavfi", "-i", "sine"]
        quiet = ["ffmpeg", "-nostdin", "-loglevel", "error"]
        return [*quiet, *picture, *ENCODED.split(), "-f", "flv", address]


@pytest.fixture
def studio(transactional_db, tmp_path, settings) -> Iterator[Studio]:
    web, rtmp, video = (servers.free_port() for _ in range(3))
    site = f"http://127.0.0.1:{web}"
    env = environment(
        tmp_path,
        DATABASE_URL=url_of_test_database(),
        SECRET_KEY=settings.SECRET_KEY,
        VENDOR_DIR=str(settings.VENDOR_DIR),
        MEDIA_ROOT=str(tmp_path / "media"),
        SITE_URL=site,
        RTMP_PORT=str(rtmp),
        VIDEO_PORT=str(video),
        LOG_LEVEL="WARNING",
    )
    # Both read and write where the other does.
    settings.MEDIA_ROOT = env["MEDIA_ROOT"]
    log = tmp_path / "studio.log"
    listen = ["--host", "127.0.0.1", "--port", str(web), "--log-level", "warning"]
    command = [f"{BIN}/uvicorn", "livecourse.asgi:application", *listen, "--lifespan", "off"]
    pages = {**env, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    try:
        with (
            started(command, env=pages, log=log),
            servers.nginx(env, log=tmp_path / "video.log") as rtmp_address,
        ):
            eventually(lambda: is_up(web), what="the platform answers", log=log)
            yield Studio(site, rtmp_address, f"http://127.0.0.1:{video}/hls", log)
    except servers.ServerMissing as error:
        missing(str(error))


def fetched(address: str) -> str:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return answer.read().decode()
    except (urllib.error.URLError, OSError):
        return ""


def stored(session: LiveSession) -> LiveSession:
    return LiveSession.objects.get(pk=session.pk)


def is_on_air(session: LiveSession) -> bool:
    return Broadcast.objects.filter(pk=session.pk, is_on_air=True).exists()


def wait_until_it_moves(page: Page) -> None:
    page.wait_for_function(IS_MOVING, timeout=60_000)


def test_a_sellers_stream_is_seen_in_the_room_and_kept_as_its_replay(studio, browser) -> None:
    # Given: a session, its seller's key, and a key of somebody else.
    item = ShowcaseItemFactory(course__title="Knots")
    session = item.live_session
    key = new_stream_key(session.seller, moment=timezone.now())
    of_another = new_stream_key(SellerFactory(), moment=timezone.now())

    # When somebody else sends, they are turned away, and nothing begins.
    refused = subprocess.run(
        [*studio.command(f"{studio.rtmp}/{session.pk}?key={of_another}")],
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert refused.returncode != 0
    assert stored(session).status == "scheduled"

    with page_opener(browser, studio.site) as open_page:
        # When its seller sends, the session is live, and its picture comes in several sizes.
        with studio.sending(session, key) as sender:
            eventually(lambda: stored(session).is_live, what="it is live", log=studio.log)
            pin_course(session.pk, item.course_id, moment=timezone.now())
            master = f"{studio.hls}/{session.pk}.m3u8"
            eventually(lambda: fetched(master).count("#EXT-X-STREAM-INF") == 3, what="three sizes")
            page = open_page(f"/live/{session.pk}/")
            wait_until_it_moves(page)
            expect(page.locator("[data-says]")).to_be_hidden()

            # When the line breaks, the room says so and the session goes on.
            sender.kill()
        page.get_by_text("Back in a moment").wait_for()
        eventually(lambda: not is_on_air(session), what="it is off air")
        assert stored(session).is_live

        # When the seller sends again, the picture moves again.
        with studio.sending(session, key):
            page.get_by_text("Back in a moment").wait_for(state="hidden")
            wait_until_it_moves(page)
            assert Broadcast.objects.get().n_drops == 1

        # When the session is over, both recordings are its replay, with what was pinned.
        end_session(session.pk, by=None, cause=ChangeCause.SELLER, moment=timezone.now())
        media = Path(settings.MEDIA_ROOT) / "replays" / str(session.pk)
        eventually(lambda: len(list(media.glob("[0-9]*/index.m3u8"))) == 2, what="two recordings")
        eventually(lambda: stored(session).status == "replay", what="a replay", log=studio.log)
        recording = Broadcast.objects.get().recording
        kept = media.parent.parent / recording
        eventually(lambda: kept.read_text().count("#EXT-X-DISCONTINUITY") == 1, what="all of it")
        replay = open_page(f"/live/{session.pk}/")
        replay.get_by_role("button", name=re.compile(r"^0:\d\d\s*Knots$")).click()
        wait_until_it_moves(replay)
        seconds = sum(map(float, re.findall(r"#EXTINF:([\d.]+)", kept.read_text())))
        assert replay.evaluate("document.querySelector('[data-picture]').duration") == (
            pytest.approx(seconds, abs=1.5)
        )

    # And no key was written down by the video server.
    written = "".join(
        file.read_text(errors="ignore") for file in studio.log.parent.glob("video/*.log")
    )
    assert key not in written
    assert of_another not in written


def test_the_sample_clip_moves_without_a_video_server(open_page, transactional_db) -> None:
    session = BroadcastFactory(external_url=SAMPLE_CLIP).live_session

    page = open_page(f"/live/{session.pk}/")

    wait_until_it_moves(page)
    assert page.get_by_text("Sample clip").is_visible()
    page.get_by_role("button", name="Sound on").click()
    assert not page.evaluate("document.querySelector('[data-picture]').muted")
