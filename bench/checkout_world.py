"""What a flash sale needs, made in the database that the environment names; prints it as JSON.

Run as a program: `python -m bench.checkout_world N_BUYERS`, and again for further buyers.
"""

from __future__ import annotations

import json
import os
import sys

import django


def make(n_buyers: int) -> dict[str, object]:
    """New buyers with tokens, and one course with a promotion that has a seat for each of them."""
    from datetime import timedelta

    from django.utils import timezone
    from rest_framework_simplejwt.tokens import AccessToken

    from accounts.models import Role, User
    from catalog.models import Category, Course, CourseStatus, Promotion

    now = timezone.now()
    tag = f"{User.objects.count()}"
    seller = User.objects.create(email=f"seller-{tag}@example.com", role=Role.SELLER)
    field, _is_new = Category.objects.get_or_create(slug="bench", name_zh="测", name_en="Bench")
    course = Course.objects.create(
        seller=seller,
        slug=f"hot-{tag}",
        title="Hot course",
        category=field,
        list_price=100,
        status=CourseStatus.PUBLISHED,
        published_at=now,
    )
    promotion = Promotion.objects.create(
        course=course,
        price=50,
        starts_at=now - timedelta(days=1),
        ends_at=now + timedelta(days=1),
        seats=2 * n_buyers,
        seats_left=2 * n_buyers,
    )
    emails = [f"buyer-{tag}-{n}@example.com" for n in range(n_buyers)]
    User.objects.bulk_create([User(email=email) for email in emails], batch_size=1000)
    buyers = User.objects.filter(email__in=emails).order_by("pk")
    tokens = []
    for buyer in buyers:
        token = AccessToken.for_user(buyer)
        token.set_exp(lifetime=timedelta(hours=2))
        tokens.append(str(token))
    return {
        "course": course.pk,
        "promotion": promotion.pk,
        "buyers": [buyer.pk for buyer in buyers],
        "tokens": tokens,
    }


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "livecourse.settings"
    django.setup()
    print(json.dumps(make(int(sys.argv[1]))))
