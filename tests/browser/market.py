"""A small market that fills every page with something."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from django.utils import timezone

from accounts.models import User
from catalog.models import CourseKind, Level
from streams.models import LiveSession
from tests.analytics.models_of import served_model
from tests.factories import (
    CategoryFactory,
    CourseFactory,
    EnrollmentFactory,
    LessonFactory,
    LiveSessionFactory,
    PromotionFactory,
    ReviewFactory,
    SectionFactory,
    SellerFactory,
    SessionPromotionFactory,
    ShowcaseItemFactory,
    UserFactory,
)

TITLES = [
    "零基础学 Python 编程：从第一行代码到自动化办公",
    "Design systems that scale: tokens, components and the people who use them",
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
    "古琴初级",
    "Knots",
    "跑步入门",
]


@dataclass(frozen=True)
class Market:
    """What the tests look for."""

    viewer: User
    course: object
    live: LiveSession
    coming: LiveSession
    ended: LiveSession

    def paths(self) -> list[str]:
        return [
            "/",
            "/courses/",
            f"/courses/{self.course.slug}/",
            "/live/",
            f"/live/{self.live.pk}/",
            f"/live/{self.coming.pk}/",
            f"/live/{self.ended.pk}/",
        ]


def make_market() -> Market:
    seller = SellerFactory(display_name="林小川")
    fields = [CategoryFactory() for _ in range(3)]
    now = timezone.now()
    courses = [
        CourseFactory(
            title=title,
            slug=f"c-{number}",
            seller=seller,
            category=fields[number % 3],
            kind=list(CourseKind)[number % 3],
            level=list(Level)[number % 3],
            language="zh" if number % 2 == 0 else "en",
            summary="每一课都有练习和答案。",
            description="## 你会学到\n\n- 变量\n\n| 周 | 内容 |\n|---|---|\n| 1 | 基础 |\n\n`code`",
            tags=["Python", "自动化"],
            list_price=Decimal(199),
            published_at=now - timedelta(days=number),
        )
        for number, title in enumerate(TITLES)
    ]
    first = courses[0]
    PromotionFactory(course=first, price=Decimal("99.90"), seats=20, seats_left=3)
    section = SectionFactory(course=first, title="第一章")
    LessonFactory(section=section, title="变量", is_preview=True)
    for rating in (5, 3):
        review = ReviewFactory(course=first, rating=rating, text="讲得很清楚。")
        EnrollmentFactory(course=first, user=review.user)
    live = LiveSessionFactory(live=True, seller=seller, title="今晚一起写程序", summary="答疑")
    coming = LiveSessionFactory(seller=seller, title="Tomorrow: portrait light")
    LiveSessionFactory(seller=seller, title="迟到", scheduled_at=now - timedelta(minutes=9))
    ended = LiveSessionFactory(ended=True, seller=seller, title="往期")
    for session in (live, coming, ended):
        for course in courses[:3]:
            ShowcaseItemFactory(live_session=session, course=course)
    live.pinned = live.showcase.first()
    live.save()
    SessionPromotionFactory(
        live_session=live, promotion__course=courses[1], promotion__price=Decimal(50)
    )
    served_model(
        courses,
        after={courses.index(first): dict.fromkeys(range(1, len(courses)), 1.0)},
        popular=[1.0 if at < 4 else 0.0 for at in range(len(courses))],
    )
    viewer = UserFactory(email="viewer@example.com", display_name="小周")
    return Market(viewer=viewer, course=first, live=live, coming=coming, ended=ended)
