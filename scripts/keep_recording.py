"""One recording of the video server, made ready to be watched; nginx starts this at its end.

    keep_recording.py RECORDING MEDIA_ROOT HOOK FFMPEG

RECORDING is <session>-<second at which it began>.flv. Its pictures and sound are put, as they
are, into pieces below MEDIA_ROOT/replays/<session>/; then HOOK, on this machine, is told of it and
the recording is deleted. What cannot be read is kept, for a person to look at.
"""

from __future__ import annotations

import re
import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

PIECE_SECONDS = 6
# A platform that is being updated is back before that; what it was not told it learns with the
# next recording of the session.
ATTEMPTS, PAUSE_SECONDS = 30, 10


def main(recording: Path, media: Path, hook: str, ffmpeg: str) -> int:
    """Returns the exit code, which nginx writes down."""
    named = re.fullmatch(r"(\d+)-(\d+)\.flv", recording.name)
    if named is None or not recording.is_file() or not recording.stat().st_size:
        return 0
    session, begun_at = named.groups()
    if not cut(recording, media / "replays" / session, begun_at, ffmpeg):
        return 1
    recording.unlink()
    return 0 if tell(hook, session) else 1


def cut(recording: Path, folder: Path, begun_at: str, ffmpeg: str) -> bool:
    """Cut it into pieces in a folder of its own, which has its name only when all are there."""
    name = f"{begun_at}-{secrets.token_hex(8)}"
    draft = folder / f".{name}"
    draft.mkdir(parents=True)
    # Streams without sound or with two sounds are left as they are.
    done = subprocess.run(
        [
            *(ffmpeg, "-nostdin", "-loglevel", "error", "-i", recording),
            *("-c", "copy", "-f", "hls", "-hls_time", str(PIECE_SECONDS)),
            *("-hls_playlist_type", "vod", "-hls_segment_filename", draft / "%05d.ts"),
            draft / "index.m3u8",
        ],
        check=False,
    )
    if done.returncode or not (draft / "index.m3u8").is_file():
        shutil.rmtree(draft, ignore_errors=True)
        return False
    draft.rename(folder / name)
    return True


def tell(hook: str, session: str) -> bool:
    """Say that there is something new to watch of the session."""
    body = urlencode({"call": "record_done", "name": session}).encode()
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE_SECONDS)
        try:
            with urlopen(hook, body, timeout=PAUSE_SECONDS):  # noqa: S310 (from our configuration)
                return True
        except (URLError, OSError):
            continue
    return False


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:5]))
