"""The geometric compositions of drawn covers.

A motif draws onto a canvas of `width` x `height` pixels. Shapes in the `shade` of the palette
may lie anywhere; those in `light` and `accent` stay right of `free`, so that the title on the
left keeps its contrast.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from xml.etree.ElementTree import Element, SubElement


@dataclass(frozen=True)
class Palette:
    """The colours of a cover: `ink` is read on `ground` and on `shade`."""

    ground: str
    shade: str
    light: str
    accent: str
    ink: str


# Named for the mineral and plant colours of Chinese painting.
PALETTES = (
    Palette("#1f4e79", "#1a4369", "#8dbbe0", "#f2c14e", "#ffffff"),  # azurite
    Palette("#f1c964", "#e9bb49", "#fff3cf", "#a8321f", "#2d2410"),  # gamboge
    Palette("#1d5c4b", "#174e3f", "#86c7aa", "#f3d27a", "#ffffff"),  # malachite
    Palette("#c7dfd2", "#b4d2c3", "#f1f9f4", "#c24d2c", "#14362b"),  # celadon
    Palette("#a5331f", "#932b19", "#f0a488", "#f9dfae", "#ffffff"),  # cinnabar
    Palette("#2b3367", "#232a57", "#98a3de", "#f28f5f", "#ffffff"),  # indigo
    Palette("#d7e4ef", "#c6d8e8", "#f8fbfd", "#1f4e79", "#16324a"),  # moon white
    Palette("#7a2447", "#6a1c3c", "#e394b0", "#f5cf87", "#ffffff"),  # rouge
    Palette("#754326", "#64381e", "#e0ae86", "#f4e3bd", "#ffffff"),  # ochre
    Palette("#2c3239", "#23282e", "#a3afbb", "#e8684a", "#ffffff"),  # ink
)


@dataclass
class Canvas:
    """Where a motif draws: its size, its colours and its own seeded chance."""

    width: int
    height: int
    free: int
    palette: Palette
    chance: Random
    shapes: Element = field(default_factory=lambda: Element("g"))

    def circle(self, x: float, y: float, r: float, fill: str, **more: str) -> None:
        self._add("circle", cx=_n(x), cy=_n(y), r=_n(r), fill=fill, **more)

    def ring(self, x: float, y: float, r: float, stroke: str, thickness: float) -> None:
        self.circle(x, y, r, "none", **{"stroke": stroke, "stroke-width": _n(thickness)})

    def box(self, x: float, y: float, w: float, h: float, fill: str, rx: float = 0) -> None:
        self._add(
            "rect", x=_n(x), y=_n(y), width=_n(w), height=_n(h), fill=fill, rx=_n(min(rx, h / 2))
        )

    def path(self, d: str, fill: str) -> None:
        self._add("path", d=d, fill=fill)

    def _add(self, tag: str, **attributes: str) -> None:
        SubElement(self.shapes, tag, attributes)


def _n(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")


def arcs(canvas: Canvas) -> None:
    """Quarter rings around the lower right corner."""
    x, y = canvas.width, canvas.height
    step = canvas.chance.choice((38, 44))
    colours = canvas.palette
    for k in (8, 6, 4):
        canvas.ring(x, y, step * k, colours.shade, step * 0.62)
    canvas.ring(x, y, step * 3.1, colours.light, step * 0.62)
    canvas.circle(x, y, step * 1.9, colours.accent)


def bars(canvas: Canvas) -> None:
    """Rising columns, the last of them marked."""
    bar, gap, n = 38, 12, 5
    left = canvas.width - n * (bar + gap)
    heights = [*sorted(canvas.chance.uniform(0.12, 0.72) for _ in range(n - 1)), 0.86]
    for k, share in enumerate(heights):
        tall = canvas.height * share
        x, top = left + k * (bar + gap), canvas.height - tall
        canvas.box(x, top, bar, tall + 30, canvas.palette.shade, 6)
    canvas.circle(canvas.width - gap - bar / 2, canvas.height * 0.14, 19, canvas.palette.accent)
    low = canvas.chance.randrange(1, 4)
    tall = canvas.height * heights[low] * 0.55
    canvas.box(
        left + low * (bar + gap), canvas.height - tall, bar, tall + 30, canvas.palette.light, 6
    )


def lenses(canvas: Canvas) -> None:
    """Two discs that overlap."""
    r = canvas.chance.uniform(112, 132)
    x, y = canvas.width - r * 0.72, canvas.height * canvas.chance.uniform(0.36, 0.44)
    canvas.circle(x - r * 0.5, y + r * 0.85, r * 1.12, canvas.palette.shade)
    canvas.circle(x, y, r, canvas.palette.light)
    canvas.circle(x + r * 0.3, y + r * 0.95, r * 0.62, canvas.palette.accent)


def tiles(canvas: Canvas) -> None:
    """Three columns of quarter discs."""
    side = canvas.height / 5
    left = canvas.width - 3 * side
    colours = canvas.palette
    for row in range(5):
        for column in range(3):
            x, y = left + column * side, row * side
            fill = canvas.chance.choices(
                (colours.shade, colours.light, colours.accent, ""), (5, 2, 1, 2)
            )[0]
            if not fill:
                continue
            if column == 0:
                fill = colours.shade
            canvas.path(_quarter(x, y, side, canvas.chance.randrange(4)), fill)


def _quarter(x: float, y: float, side: float, corner: int) -> str:
    """A quarter disc in a square, around one of its four corners."""
    cx, cy = x + side * (corner in (1, 2)), y + side * (corner in (2, 3))
    ends = {
        0: ((x + side, y), (x, y + side), 1),
        1: ((x, y), (x + side, y + side), 0),
        2: ((x, y + side), (x + side, y), 1),
        3: ((x + side, y + side), (x, y), 0),
    }
    (ax, ay), (bx, by), sweep = ends[corner]
    return (
        f"M{_n(cx)} {_n(cy)}L{_n(ax)} {_n(ay)}A{_n(side)} {_n(side)} 0 0 {sweep} {_n(bx)} {_n(by)}Z"
    )


def hills(canvas: Canvas) -> None:
    """Layered ridges with a disc above them."""
    colours = canvas.palette
    canvas.circle(canvas.width - 92, canvas.chance.uniform(88, 118), 46, colours.accent)
    phase = canvas.chance.uniform(0, math.tau)
    for depth, (fill, from_x) in enumerate(
        ((colours.shade, 0), (colours.light, canvas.free), (colours.shade, canvas.free + 60))
    ):
        base = canvas.height * (0.62 + 0.12 * depth)
        points = [f"M{_n(from_x)} {canvas.height}"]
        for x in range(from_x, canvas.width + 21, 20):
            rise = (x - from_x) / max(1, canvas.width - from_x)
            y = base - 76 * rise + 20 * math.sin(x / 58 + phase + depth * 1.9) * rise
            points.append(f"L{x} {_n(min(y + 110 * (1 - rise), canvas.height))}")
        canvas.path("".join(points) + f"L{canvas.width} {canvas.height}Z", fill)


def rays(canvas: Canvas) -> None:
    """Beams from a half disc on the right edge."""
    x, y = canvas.width, canvas.height * canvas.chance.uniform(0.46, 0.6)
    n, reach = 11, canvas.width
    for k in range(n):
        a = math.pi / 2 + math.pi * (k + 0.25) / n
        b = math.pi / 2 + math.pi * (k + 0.72) / n
        canvas.path(
            f"M{_n(x)} {_n(y)}L{_n(x + reach * math.cos(a))} {_n(y - reach * math.sin(a))}"
            f"L{_n(x + reach * math.cos(b))} {_n(y - reach * math.sin(b))}Z",
            canvas.palette.shade,
        )
    canvas.circle(x, y, 128, canvas.palette.light)
    canvas.circle(x, y, 82, canvas.palette.accent)


def dots(canvas: Canvas) -> None:
    """A grid of dots that grow towards a corner."""
    pitch = 40
    up = canvas.chance.random() < 0.5
    marked = canvas.chance.randrange(3, 7)
    for row in range(canvas.height // pitch):
        for column in range(6):
            x = canvas.width - 20 - column * pitch
            y = row * pitch + 20
            depth = row if not up else canvas.height // pitch - 1 - row
            r = 2.5 + 15 * max(0.0, 1 - (column * 1.5 + depth) / 11)
            near = column < 3
            fill = canvas.palette.light if near else canvas.palette.shade
            if near and (row * 3 + column) % 11 == marked:
                fill = canvas.palette.accent
            canvas.circle(x, y, r, fill)


def folds(canvas: Canvas) -> None:
    """Slanting bands, as of folded paper."""
    colours = canvas.palette
    lean = canvas.chance.choice((150, 190))
    right = canvas.width + lean + 30
    for fill, offset, w in (
        (colours.shade, 330, 74),
        (colours.shade, 208, 30),
        (colours.light, 140, 62),
        (colours.accent, 62, 34),
    ):
        top = right - offset
        canvas.path(
            f"M{_n(top)} 0h{_n(w)}l{_n(-lean)} {canvas.height}h{_n(-w)}Z",
            fill,
        )


def petals(canvas: Canvas) -> None:
    """Two columns of leaves."""
    side = canvas.height / 4
    left = canvas.width - 2 * side - 22
    marked = canvas.chance.randrange(8)
    for k in range(8):
        x, y = left + (k % 2) * side, (k // 2) * side
        fill = canvas.palette.light if (k + k // 2) % 2 else canvas.palette.shade
        if k == marked:
            fill = canvas.palette.accent
        start, end = ((x, y), (x + side, y + side))
        if (k + k // 2) % 2:
            start, end = ((x + side, y), (x, y + side))
        r = _n(side)
        canvas.path(
            f"M{_n(start[0])} {_n(start[1])}A{r} {r} 0 0 1 {_n(end[0])} {_n(end[1])}"
            f"A{r} {r} 0 0 1 {_n(start[0])} {_n(start[1])}Z",
            fill,
        )


def orbits(canvas: Canvas) -> None:
    """Circles around a centre, each with a body on it."""
    x, y = canvas.width - 118, canvas.height * 0.5
    for r in (236, 168, 104):
        canvas.ring(x, y, r, canvas.palette.shade, 10)
    canvas.circle(x, y, 52, canvas.palette.light)
    turn = canvas.chance.uniform(-1.0, -0.5)
    canvas.circle(x + 104 * math.cos(turn), y + 104 * math.sin(turn), 20, canvas.palette.accent)
    turn = canvas.chance.uniform(0.9, 1.4)
    canvas.circle(x + 168 * math.cos(turn), y + 168 * math.sin(turn), 13, canvas.palette.light)


def bubbles(canvas: Canvas) -> None:
    """Two speech bubbles: a consultation."""
    colours = canvas.palette
    x, y = canvas.width - 214, canvas.height * 0.24
    canvas.box(x - 40, y + 104, 330, 150, colours.shade, 36)
    canvas.path(f"M{_n(x + 40)} {_n(y + 240)}v56l56 -56Z", colours.shade)
    canvas.box(x + 14, y - 30, 240, 118, colours.light, 36)
    canvas.path(f"M{_n(x + 150)} {_n(y + 70)}v62l-62 -62Z", colours.light)
    for k in range(3):
        canvas.circle(x + 74 + k * 44, y + 29, 11, colours.accent)


def signal(canvas: Canvas) -> None:
    """Waves from a sender: a live session."""
    colours = canvas.palette
    x, y = canvas.width - 86, canvas.height - 86
    for r in (330, 252, 178):
        canvas.ring(x, y, r, colours.shade, 26)
    canvas.ring(x, y, 104, colours.light, 14)
    canvas.circle(x, y, 46, colours.accent)


MOTIFS: tuple[Callable[[Canvas], None], ...] = (
    arcs,
    tiles,
    hills,
    lenses,
    bars,
    petals,
    rays,
    folds,
    orbits,
    dots,
)
