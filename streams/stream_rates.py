"""How much the video server gets of each stream, from its own statistics."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from urllib.error import URLError
from urllib.request import urlopen

from django.conf import settings

from streams.models import Broadcast

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 2
LONGEST_ANSWER = 1_000_000
_APPLICATION = re.compile(r"<application>\s*<name>live</name>(.*?)</application>", re.DOTALL)
# Of a stream whose name is that of a session: bits a second that come in.
_STREAM = re.compile(r"<stream>\s*<name>(\d{1,18})</name>.*?<bw_in>(\d+)</bw_in>", re.DOTALL)


def note_stream_rates() -> int:
    """Write down how fast each stream on air comes in; returns how many were told.

    A server that cannot be asked leaves the last figures; whether streams come is told otherwise.
    """
    if not settings.VIDEO_STAT_URL or not Broadcast.objects.filter(is_on_air=True).exists():
        return 0
    try:
        # The operator's own address.
        with urlopen(settings.VIDEO_STAT_URL, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            text = answer.read(LONGEST_ANSWER).decode("utf-8", "replace")
    except (URLError, OSError) as error:
        logger.warning("the video server gives no figures: %s", error)
        return 0
    return sum(
        Broadcast.objects.filter(pk=session_id, is_on_air=True).update(kbps=kbps)
        for session_id, kbps in stream_rates(text)
    )


def stream_rates(statistics: str) -> Iterator[tuple[int, int]]:
    """The sessions that are streamed, and how many kbit/s come in of each."""
    for application in _APPLICATION.findall(statistics):
        for name, bits in _STREAM.findall(application):
            yield int(name), int(bits) // 1000
