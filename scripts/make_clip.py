"""Draws static/clip/, the picture of a live room without a video server; run by hand, once.

    .venv/bin/python scripts/make_clip.py

Twelve seconds that begin again without a jump: everything in them moves in whole turns.
"""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
import wave
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image, ImageDraw, ImageFont

TARGET = Path(__file__).resolve().parent.parent / "static" / "clip"
WIDTH, HEIGHT, RATE, SECONDS = 640, 360, 20, 12
SOUND_RATE = 32_000
PAPER, INK, BRAND, BRIGHT, LIVE = "#0c1f19", "#f0f7f4", "#0e5c4a", "#7fd0b4", "#c8351f"
N_BARS = 12
# A quiet chord, in whole waves a clip.
TONES = (220.0, 277.0, 330.0)


def main() -> int:
    """Returns the exit code."""
    if shutil.which("ffmpeg") is None:
        print("make_clip: ffmpeg is not installed: sudo apt-get install ffmpeg", file=sys.stderr)
        return 2
    shutil.rmtree(TARGET, ignore_errors=True)
    TARGET.mkdir(parents=True)
    with TemporaryDirectory() as folder:
        sound = Path(folder) / "sound.wav"
        write_sound(sound)
        encode(sound)
    return 0


def encode(sound: Path) -> None:
    """Pictures and sound as HLS: H.264 baseline and AAC, which every device plays."""
    command = [
        *("ffmpeg", "-nostdin", "-loglevel", "error"),
        *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(RATE)),
        *("-i", "/dev/stdin", "-i", str(sound), "-map_metadata", "-1", "-bitexact"),
        *(
            "-c:v",
            "libx264",
            "-profile:v",
            "baseline",
            "-pix_fmt",
            "yuv420p",
            "-preset",
            "veryslow",
        ),
        *("-crf", "28", "-g", str(RATE * 4), "-keyint_min", str(RATE * 4), "-sc_threshold", "0"),
        *("-c:a", "aac", "-b:a", "40k", "-ac", "1", "-t", str(SECONDS)),
        *("-f", "hls", "-hls_time", "4", "-hls_playlist_type", "vod"),
        *("-hls_segment_filename", str(TARGET / "sample-%d.ts"), str(TARGET / "sample.m3u8")),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as ffmpeg:
        assert ffmpeg.stdin is not None, "it was asked for"
        for number in range(RATE * SECONDS):
            ffmpeg.stdin.write(frame(number / (RATE * SECONDS)).tobytes())
        ffmpeg.stdin.close()
    if ffmpeg.returncode:
        raise SystemExit(ffmpeg.returncode)


def frame(turn: float) -> Image.Image:
    """The picture at this part of the whole, from 0 to 1."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    draw = ImageDraw.Draw(picture)
    large, small = ImageFont.load_default(40), ImageFont.load_default(18)
    draw.text((40, 62), "LiveCourse", INK, large)
    draw.text((42, 114), "sample clip", BRIGHT, small)
    bars(draw, turn)
    planet(draw, turn)
    seconds = int(turn * SECONDS)
    draw.text((WIDTH - 190, 42), f"00:{seconds:02}", INK, small)
    glow = 0.5 + 0.5 * math.cos(4 * math.pi * turn * SECONDS / 4)
    radius = 5 + 2 * glow
    draw.ellipse((WIDTH - 214 - radius, 53 - radius, WIDTH - 214 + radius, 53 + radius), LIVE)
    draw.rectangle((0, HEIGHT - 6, WIDTH * turn, HEIGHT), BRIGHT)
    return picture


def bars(draw: ImageDraw.ImageDraw, turn: float) -> None:
    """A chart like one on a desk, whose bars rise and fall one after the other."""
    for number in range(N_BARS):
        wave_ = math.sin(2 * math.pi * (3 * turn - number / N_BARS))
        height = 62 + 40 * wave_ + 3 * number
        left = 44 + number * 26
        colour = BRIGHT if wave_ > 0.8 else BRAND
        draw.rounded_rectangle((left, 316 - height, left + 18, 316), 4, colour)
    draw.line((36, 320, 44 + N_BARS * 26, 320), INK, 2)


def planet(draw: ImageDraw.ImageDraw, turn: float) -> None:
    """A ball that goes round: also a still glance at the page shows that it moves."""
    centre, around = (500, 205), 86
    box = tuple(c + sign * around for sign in (-1, 1) for c in centre)
    draw.ellipse(box, outline=BRAND, width=3)
    for number in range(3):
        angle = 2 * math.pi * (2 * turn + number / 3)
        x, y = centre[0] + around * math.cos(angle), centre[1] + around * math.sin(angle)
        size = (20, 13, 9)[number]
        draw.ellipse((x - size, y - size, x + size, y + size), (INK, BRIGHT, LIVE)[number])


def write_sound(target: Path) -> None:
    """A chord that swells once a second, quiet enough to be turned on by mistake."""
    at = np.arange(SOUND_RATE * SECONDS) / SOUND_RATE
    swell = 0.5 - 0.5 * np.cos(2 * np.pi * at)
    chord = sum(np.sin(2 * np.pi * tone * at) for tone in TONES) / len(TONES)
    with wave.open(str(target), "wb") as file:
        file.setparams((1, 2, SOUND_RATE, 0, "NONE", ""))
        file.writeframes((chord * swell * 3000).astype("<i2").tobytes())


if __name__ == "__main__":
    sys.exit(main())
