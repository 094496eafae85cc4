"""The words of the sample market: topics.txt and phrases.txt, read once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parent
LANGUAGES = ("zh", "en")
# Between a Chinese character and a Latin letter or digit, in either order.
MEETING = re.compile(r"(?<=[\u4e00-\u9fff])(?=[A-Za-z0-9])|(?<=[A-Za-z0-9])(?=[\u4e00-\u9fff])")


@dataclass(frozen=True)
class Topic:
    """Something that courses are about.

    `names` and `points` (six things it teaches) are by language, "zh" or "en".
    """

    slug: str
    category: str
    names: dict[str, str]
    points: dict[str, tuple[str, ...]]


@cache
def topics() -> tuple[Topic, ...]:
    """All topics in the order of their file."""
    found = []
    for category, lines in _sections("topics.txt").items():
        for slug, *named in zip(lines[0::3], lines[1::3], lines[2::3], strict=True):
            cells = dict(zip(LANGUAGES, (_cells(line) for line in named), strict=True))
            found.append(
                Topic(
                    slug,
                    category,
                    {language: row[0] for language, row in cells.items()},
                    {language: row[1:] for language, row in cells.items()},
                )
            )
    return tuple(found)


@cache
def phrases(name: str) -> tuple[str, ...]:
    """The lines of one section of phrases.txt. Raises KeyError for a name that is not there."""
    return _sections("phrases.txt")[name]


@cache
def table(name: str) -> tuple[tuple[str, ...], ...]:
    """A section whose lines are cells divided by bars."""
    return tuple(_cells(line) for line in phrases(name))


@cache
def words(name: str) -> tuple[str, ...]:
    """A section whose lines are words divided by spaces."""
    return tuple(word for line in phrases(name) for word in line.split())


def pick(chance: np.random.Generator, choices: tuple[str, ...]) -> str:
    """One of the choices, each as likely."""
    return choices[int(chance.integers(len(choices)))]


def capital(text: str) -> str:
    """The text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def fill(
    template: str, topic: Topic, language: str, chance: np.random.Generator, **more: object
) -> str:
    """The template with the topic and three of its points, drawn without repetition."""
    points = topic.points[language]
    p, q, r = (points[k] for k in chance.permutation(len(points))[:3])
    name = topic.names[language]
    return title_of(template, name, p=p, P=capital(p), q=q, r=r, **more)


def title_of(template: str, name: str, **more: object) -> str:
    """The template with a name of a topic, spaced as in print where scripts meet."""
    text = capital(template.format(x=name, X=capital(name), **more))
    return MEETING.sub(" ", text)


@cache
def _sections(file_name: str) -> dict[str, tuple[str, ...]]:
    sections: dict[str, list[str]] = {}
    current: list[str] = []
    for line in (FOLDER / file_name).read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            current = sections.setdefault(line.strip("[]"), [])
        elif line.strip() and not line.startswith("#"):
            current.append(line.strip())
    return {name: tuple(lines) for name, lines in sections.items()}


def _cells(line: str) -> tuple[str, ...]:
    return tuple(cell.strip() for cell in line.split("|"))
