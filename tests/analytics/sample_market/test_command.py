"""`manage.py sample_market`: what it stores, prints and refuses."""

from __future__ import annotations

import io
import json
import stat
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.models import User
from analytics.models import Event, FigureSource, SessionFigures
from analytics.pipelines.figures import refresh_figures
from analytics.sample_market import writing
from catalog.models import Coupon, Course, LessonProgress, Order
from streams.models import LiveSession
from tests.factories import CategoryFactory, CourseFactory, OperatorFactory

SMALL = ("--users", "60", "--courses", "32", "--sessions", "12", "--today", "2026-11-24")


@pytest.fixture(autouse=True)
def var_dir(settings, tmp_path: Path) -> Path:
    settings.VAR_DIR = tmp_path
    settings.PRIVATE_ROOT = tmp_path / "private"
    return tmp_path


def run(*options: str) -> str:
    out = io.StringIO()
    call_command("sample_market", *options, stdout=out)
    return out.getvalue()


@pytest.mark.mariadb
@pytest.mark.django_db(transaction=True)
def test_it_stores_a_market_that_every_constraint_accepts():
    said = run(*SMALL)
    assert "32 courses" in said
    assert User.objects.filter(role="viewer").count() == 60
    assert Course.objects.count() == 32
    assert LiveSession.objects.finished().count() == 12
    assert all(s.pinned_id for s in LiveSession.objects.live_now())
    assert Order.objects.exists() and Event.objects.exists() and LessonProgress.objects.exists()
    connection.check_constraints()
    # Keys were chosen by the market; what comes after it must not collide with them.
    CourseFactory()


@pytest.mark.mariadb
@pytest.mark.django_db(transaction=True)
def test_the_pipeline_counts_its_sessions_from_the_rows():
    run(*SMALL)
    refresh_figures(everything=True)
    figures = SessionFigures.objects.filter(live_session__in=LiveSession.objects.finished())
    assert figures.count() == 12
    assert not figures.exclude(source=FigureSource.MEASURED).exists()
    for row in figures:
        assert row.n_viewers > 0 and row.n_buyers <= row.n_viewers
        assert row.n_clicks <= row.n_impressions
        assert 0 < row.peak_viewers <= row.n_viewers
        assert row.net_sales <= row.gmv


@pytest.mark.django_db
def test_a_second_call_says_that_it_is_there_and_changes_nothing(var_dir):
    run(*SMALL)
    before = User.objects.count(), Event.objects.count(), writing.password_file().read_text()
    assert "already" in run("--seed", "9", *SMALL)
    after = User.objects.count(), Event.objects.count(), writing.password_file().read_text()
    assert after == before


@pytest.mark.django_db
@pytest.mark.parametrize("factory", [OperatorFactory, CourseFactory, CategoryFactory])
def test_it_refuses_a_database_with_rows_of_others(factory):
    factory()
    n_people = User.objects.count()
    with pytest.raises(CommandError, match="already holds"):
        run(*SMALL)
    assert User.objects.count() == n_people
    assert not writing.password_file().exists()


@pytest.mark.django_db(transaction=True)
def test_an_interrupted_market_leaves_nothing_and_the_next_call_makes_it(monkeypatch, var_dir):
    def interrupted(password: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(writing, "_write_password", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(*SMALL)
    assert not User.objects.exists() and not Event.objects.exists()
    assert not list(var_dir.rglob("*.epub"))
    assert run("--sign-ins") == ""
    assert "32 courses" in run(*SMALL)
    assert list(var_dir.rglob("*.epub"))


@pytest.mark.django_db
def test_sign_ins_are_printed_and_open_the_door():
    run(*SMALL)
    lines = [line.split() for line in run("--sign-ins").splitlines()]
    emails = [word for line in lines for word in line if "@" in word]
    assert emails == [
        "operator@livecourse.example",
        "seller1@livecourse.example",
        "seller2@livecourse.example",
        "viewer1@livecourse.example",
        "viewer2@livecourse.example",
    ]
    password = writing.password_file().read_text().strip()
    assert all(password in line for line in lines)
    for email in emails:
        assert User.objects.get(email=email).check_password(password)
    assert User.objects.get(email=emails[0]).is_superuser


@pytest.mark.django_db
def test_each_market_has_a_password_of_its_own_that_its_owner_alone_can_read():
    run(*SMALL)
    mode = writing.password_file().stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    assert writing.new_password() != writing.new_password()


@pytest.mark.django_db
def test_nobody_else_of_the_market_can_sign_in():
    run(*SMALL)
    others = User.objects.filter(email__isnull=True)
    assert others.count() > 50
    assert not any(user.has_usable_password() for user in others)


@pytest.mark.django_db
def test_sign_ins_print_nothing_without_a_market():
    OperatorFactory()
    assert run("--sign-ins") == ""


@pytest.mark.django_db
def test_sign_ins_say_so_when_the_password_is_gone():
    run(*SMALL)
    writing.password_file().unlink()
    assert "changepassword operator@livecourse.example" in run("--sign-ins")


@pytest.mark.django_db
def test_it_writes_down_what_is_true(tmp_path):
    run(*SMALL, "--truth", str(tmp_path / "truth.json"))
    told = json.loads((tmp_path / "truth.json").read_text())
    assert told["best_hour"] == 20
    people = set(User.objects.filter(role="viewer").values_list("external_id", flat=True))
    assert set(told["taste_of"]) == people


@pytest.mark.django_db
def test_coupons_stay_within_their_limits():
    run(*SMALL)
    for coupon in Coupon.objects.all():
        assert coupon.n_used <= coupon.max_uses and coupon.spent <= coupon.budget


@pytest.mark.django_db
@pytest.mark.parametrize(
    "options",
    [("--users", "3"), ("--courses", "0"), ("--sessions", "-1"), ("--today", "soon")],
)
def test_it_refuses_options_that_make_no_market(options):
    with pytest.raises(CommandError):
        run(*options)


@pytest.mark.django_db
def test_it_says_how_many_courses_are_too_many():
    with pytest.raises(CommandError, match="5000 is too many"):
        run("--courses", "5000", "--users", "20", "--sessions", "1")
    assert not User.objects.exists()
