"""Courses, e-books and consultations with their sections, lessons, promotions and coupons."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

import numpy as np

from analytics.sample_market.ebooks import Chapter, make_epub
from analytics.sample_market.people import CLUSTER_NAMES, Seller
from analytics.sample_market.plan import SOURCE, Keys, Plan
from analytics.sample_market.texts import (
    LANGUAGES,
    Topic,
    capital,
    fill,
    phrases,
    pick,
    table,
    title_of,
    topics,
)
from analytics.sample_market.truth import CLUSTERS
from catalog.models import (
    Category,
    Coupon,
    Course,
    CourseKind,
    CourseStatus,
    DiscountKind,
    Lesson,
    LessonKind,
    Promotion,
    Section,
)

# (kind, level, share of the courses, name of its titles; {family} is learn or health)
SORTS = (
    (CourseKind.COURSE, 1, 0.34, "title.{family}.1"),
    (CourseKind.COURSE, 2, 0.26, "title.{family}.2"),
    (CourseKind.COURSE, 3, 0.12, "title.{family}.3"),
    (CourseKind.EBOOK, 1, 0.16, "title.ebook"),
    (CourseKind.CONSULTATION, 2, 0.12, "title.consultation"),
)
# Prices that sellers ask, by kind and level; all end as prices end in shops.
PRICES = {
    (CourseKind.COURSE, 1): ("39", "49", "59", "79", "99", "99", "129"),
    (CourseKind.COURSE, 2): ("129", "149", "199", "199", "249", "299"),
    (CourseKind.COURSE, 3): ("299", "399", "499", "599", "899"),
    (CourseKind.EBOOK, 1): ("9.90", "12.90", "19.90", "19.90", "29.90", "39.90"),
    (CourseKind.CONSULTATION, 2): ("199", "299", "399", "499", "699"),
}
SHARE_FREE = 0.02
SHARE_DRAFT = 0.03
SHARE_ARCHIVED = 0.02
SHARE_PROMOTED_NOW = 0.08
SHARE_PROMOTED_BEFORE = 0.25
CUTS = (10, 15, 20, 25, 30, 40, 50)


class TooManyCourses(Exception):
    """There are no more distinct titles to give."""


@dataclass
class SampleCourse:
    """A course and what the market knows of it: its topic, its pull, how good it is."""

    row: Course
    topic: Topic
    cluster: int
    seller: Seller
    pull: float
    quality: float
    days_on_sale: int
    lessons: list[Lesson] = field(default_factory=list)
    promotions: list[Promotion] = field(default_factory=list)
    # What a lesson of kind file has for its learners.
    files: list[tuple[Lesson, bytes]] = field(default_factory=list)

    @property
    def is_sold(self) -> bool:
        return self.row.status == CourseStatus.PUBLISHED


def make_categories(keys: Keys) -> dict[str, Category]:
    """Fields and the categories within them, by their addresses."""
    found: dict[str, Category] = {}
    for position, (slug, zh, en) in enumerate(table("fields")):
        found[slug] = Category(
            pk=keys.new(Category), slug=slug, name_zh=zh, name_en=en, position=position
        )
    for position, (slug, parent, zh, en) in enumerate(table("categories")):
        found[slug] = Category(
            pk=keys.new(Category),
            slug=slug,
            name_zh=zh,
            name_en=en,
            parent=found[parent],
            position=position,
        )
    return found


def make_courses(
    plan: Plan, keys: Keys, sellers: list[Seller], categories: dict[str, Category]
) -> list[SampleCourse]:
    """The courses in the order of their publication. Raises TooManyCourses."""
    chance = plan.chance("courses")
    titles = _Titles(chance)
    n = plan.n_courses
    in_turn = [sellers[k % len(sellers)] for k in range(n)]
    days = np.sort(
        np.where(chance.random(n) < 0.8, chance.integers(190, 400, n), chance.integers(4, 190, n))
    )[::-1]
    order = chance.permutation(n)
    courses = [
        _course(plan, keys, chance, titles, in_turn[order[k]], categories, int(days[k]))
        for k in range(n)
    ]
    n_drafts, n_archived = int(n * SHARE_DRAFT), int(n * SHARE_ARCHIVED)
    for course in courses[n - n_drafts :]:
        course.row.status, course.row.published_at = CourseStatus.DRAFT, None
    for place in np.sort(chance.choice(n // 2, size=n_archived, replace=False)):
        courses[place].row.status = CourseStatus.ARCHIVED
    return courses


def make_promotions(plan: Plan, keys: Keys, courses: list[SampleCourse]) -> list[Promotion]:
    """Promotions for everybody: some that run, some to come, more that are over."""
    chance = plan.chance("promotions")
    rows = []
    for course in courses:
        if not course.is_sold or course.row.list_price == 0:
            continue
        draw = chance.random()
        length = int(chance.integers(3, 11))
        if draw < SHARE_PROMOTED_NOW:
            begin = int(chance.integers(0, 3))
            rows.append(_promotion(plan, keys, chance, course, begin, length))
        elif draw < SHARE_PROMOTED_NOW + 0.02:
            rows.append(_promotion(plan, keys, chance, course, -3, length))
        if chance.random() < SHARE_PROMOTED_BEFORE and course.days_on_sale > 40:
            begin = int(chance.integers(25, min(course.days_on_sale, 170)))
            rows.append(_promotion(plan, keys, chance, course, begin, length))
    return rows


def make_coupons(plan: Plan, keys: Keys, sellers: list[Seller]) -> list[Coupon]:
    """One coupon of each seller for everybody: most run, a few are over."""
    chance = plan.chance("coupons")
    rows = []
    for number, seller in enumerate(sellers, start=1):
        is_percent = chance.random() < 0.6
        size = int(chance.choice([10, 15, 20]))
        ends = -int(chance.integers(7, 30)) if chance.random() < 0.8 else 12
        rows.append(
            Coupon(
                pk=keys.new(Coupon),
                seller=seller.user,
                code=f"STUDY{size}-{number:02d}",
                kind=DiscountKind.PERCENT if is_percent else DiscountKind.AMOUNT,
                percent=size if is_percent else None,
                amount=None if is_percent else Decimal(size),
                minimum_spend=Decimal(0) if is_percent else Decimal(99),
                starts_at=plan.moment(90),
                ends_at=plan.moment(ends),
                max_uses=1000,
                budget=Decimal(20_000),
            )
        )
    return rows


class _Titles:
    """Distinct titles: first one of each kind and level of a topic, then the other wordings."""

    def __init__(self, chance: np.random.Generator) -> None:
        self._left: dict[tuple[int, str, int], list[tuple[Topic, str]]] = {}
        for cluster, name in enumerate(CLUSTER_NAMES):
            own = [topic for topic in topics() if topic.category in CLUSTERS[name]]
            for language in LANGUAGES:
                for place in range(len(SORTS)):
                    self._left[cluster, language, place] = _wordings(chance, own, language, place)

    def take(self, seller: Seller, place: int) -> tuple[Topic, int, str]:
        """A topic, the place in SORTS that still has a title, and the title's template."""
        for turn in range(len(SORTS)):
            other = (place + turn) % len(SORTS)
            left = self._left[seller.cluster, seller.language, other]
            if left:
                topic, template = left.pop()
                return topic, other, template
        raise TooManyCourses(f"no more titles for {CLUSTER_NAMES[seller.cluster]}")


def _wordings(
    chance: np.random.Generator, own: list[Topic], language: str, place: int
) -> list[tuple[Topic, str]]:
    """(topic, template) to be taken from the end."""
    rounds: list[list[tuple[Topic, str]]] = []
    for topic in own:
        family = "health" if _is_health(topic) else "learn"
        templates = phrases(f"{SORTS[place][3].format(family=family)}.{language}")
        for turn, which in enumerate(chance.permutation(len(templates))):
            while len(rounds) <= turn:
                rounds.append([])
            rounds[turn].append((topic, templates[which]))
    ordered = [one[k] for one in rounds for k in chance.permutation(len(one))]
    return ordered[::-1]


def _is_health(topic: Topic) -> bool:
    field_of = {slug: parent for slug, parent, _, _ in table("categories")}
    return field_of[topic.category] == "health"


def _course(
    plan: Plan,
    keys: Keys,
    chance: np.random.Generator,
    titles: _Titles,
    seller: Seller,
    categories: dict[str, Category],
    days_on_sale: int,
) -> SampleCourse:
    wanted = int(chance.choice(len(SORTS), p=[share for _, _, share, _ in SORTS]))
    topic, place, template = titles.take(seller, wanted)
    kind, level, _, _ = SORTS[place]
    language = seller.language
    price = Decimal(pick(chance, PRICES[kind, level]))
    if level == 1 and chance.random() < SHARE_FREE / 0.5:
        price = Decimal(0)
    name = topic.names[language]
    published_at = plan.moment(days_on_sale, int(chance.integers(9, 21)) * 3600)
    key = keys.new(Course)
    row = Course(
        pk=key,
        seller=seller.user,
        kind=kind,
        slug=f"{topic.slug}-{key}-{language}",
        title=title_of(template, name),
        language=language,
        category=categories[topic.category],
        level=level,
        tags=[topic.points[language][k] for k in chance.permutation(6)[:3]],
        list_price=price.quantize(Decimal("0.01")),
        status=CourseStatus.PUBLISHED,
        published_at=published_at,
        created_at=published_at - timedelta(days=int(chance.integers(2, 30))),
        updated_at=published_at,
        import_source=SOURCE,
        external_id=f"course-{key}",
    )
    course = SampleCourse(
        row,
        topic,
        seller.cluster,
        seller,
        float(np.exp(chance.normal(0, 0.9))),
        float(chance.normal(0, 0.5)),
        days_on_sale,
    )
    _write_outline(keys, chance, course)
    row.summary = fill(
        pick(chance, phrases(f"summary.{kind}.{language}")),
        topic,
        language,
        chance,
        s=seller.user.display_name,
        n=len(course.lessons),
    )
    row.description = _description(chance, course)
    if kind == CourseKind.EBOOK:
        _add_book(keys, course)
    return course


def _add_book(keys: Keys, course: SampleCourse) -> None:
    """The e-book itself: a small EPUB of what is really there, the outline and its texts."""
    language = course.row.language
    last = course.lessons[-1]
    title, body = phrases(f"ebook.file.{language}")
    lesson = Lesson(
        pk=keys.new(Lesson),
        section=last.section,
        title=title,
        kind=LessonKind.FILE,
        body=body,
        position=last.position + 1,
    )
    book = make_epub(
        name=str(course.row.external_id),
        title=course.row.title,
        author=course.seller.user.display_name,
        language=language,
        note=body,
        chapters=[Chapter(one.title, one.body) for one in course.lessons],
        written_at=course.row.updated_at,
    )
    course.lessons.append(lesson)
    course.files.append((lesson, book))


def _description(chance: np.random.Generator, course: SampleCourse) -> str:
    """Markdown: what is learnt, for whom, how, and a note where health is concerned."""
    language, topic, level = course.row.language, course.topic, course.row.level
    is_chinese = language == "zh"
    n_points = 6 if course.row.kind == CourseKind.COURSE else 4
    audience = phrases(f"audience.{level}.{language}")
    learn, whom, how = (
        ("你会学到", "适合谁", "怎么学") if is_chinese else ("What you learn", "For whom", "How")
    )
    parts = [
        course.row.summary,
        f"## {learn}\n\n"
        + "\n".join(f"- {capital(point)}" for point in topic.points[language][:n_points]),
        f"## {whom}\n\n"
        + "\n".join(f"- {capital(audience[k])}" for k in np.sort(chance.permutation(3)[:2])),
    ]
    if course.row.kind != CourseKind.CONSULTATION:
        parts.append(f"## {how}\n\n" + pick(chance, phrases(f"howto.{language}")))
    if _is_health(topic):
        parts.append(f"> {pick(chance, phrases(f'health-note.{language}'))}")
    return "\n\n".join(parts)


def _write_outline(keys: Keys, chance: np.random.Generator, course: SampleCourse) -> None:
    """Sections and lessons; they stay with the course until the market is written."""
    language = course.row.language
    points = [capital(point) for point in course.topic.points[language]]
    before, core, practice = phrases(f"section.{language}")
    kind = course.row.kind
    if kind == CourseKind.CONSULTATION:
        plan = [(before, list(table(f"consultation.{language}")[0]))]
    elif kind == CourseKind.EBOOK:
        plan = [(core, points)]
    else:
        follow, mistakes = phrases(f"lesson.practice.{language}")
        kept = points[: int(chance.integers(4, 7))]
        drills = [
            (follow if k % 2 else mistakes).format(p=point)
            for k, point in enumerate(course.topic.points[language][: len(kept)])
        ]
        plan = [
            (before, [pick(chance, phrases(f"lesson.first.{language}"))]),
            (core, kept),
            (practice, [*drills[: course.row.level + 2], *phrases(f"lesson.last.{language}")]),
        ]
    n_before = 0
    for place, (title, lesson_titles) in enumerate(plan):
        section = Section(pk=keys.new(Section), course=course.row, title=title, position=place)
        for number, lesson_title in enumerate(lesson_titles):
            # No lesson has a video, so none says that it is one; these are the longer ones.
            is_long = kind == CourseKind.COURSE and chance.random() < 0.85
            template = pick(chance, phrases(f"lesson.body.{language}"))
            course.lessons.append(
                Lesson(
                    pk=keys.new(Lesson),
                    section=section,
                    title=lesson_title,
                    kind=LessonKind.TEXT,
                    body=template.format(p=lesson_title),
                    duration_seconds=_seconds(chance, is_long=is_long),
                    is_preview=n_before < 2 and kind != CourseKind.CONSULTATION,
                    position=number,
                )
            )
            n_before += 1


def _seconds(chance: np.random.Generator, *, is_long: bool) -> int:
    """How long a learner is with a lesson, its exercise included."""
    usual = 720 if is_long else 360
    return int(np.clip(usual * np.exp(chance.normal(0, 0.35)), 120, 2700))


def _promotion(
    plan: Plan,
    keys: Keys,
    chance: np.random.Generator,
    course: SampleCourse,
    begins_days_ago: int,
    length: int,
) -> Promotion:
    row = Promotion(
        pk=keys.new(Promotion),
        course=course.row,
        price=cut_price(course.row.list_price, int(chance.choice(CUTS))),
        starts_at=plan.moment(begins_days_ago),
        ends_at=plan.moment(begins_days_ago - length),
    )
    course.promotions.append(row)
    return row


def cut_price(price: Decimal, percent: int) -> Decimal:
    """The price less so many percent, to a tenth of the currency as sellers write it."""
    lower = (price * (100 - percent) / 100).quantize(Decimal("0.1"))
    return min(lower, price).quantize(Decimal("0.01"))
