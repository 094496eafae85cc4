"""An import that is killed goes on where it stopped: nothing lost, nothing twice."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError
from django.db import OperationalError, connection

from accounts.models import User
from analytics.csv_import import progress
from analytics.csv_import.refused import RefusedRows
from analytics.models import Event, ImportRun
from tests.factories import CourseFactory, UserFactory

ROOT = Path(__file__).resolve().parents[3]


def known_people_and_courses(n_users: int, n_courses: int) -> None:
    User.objects.bulk_create(
        User(import_source="csv", external_id=f"U_{n}") for n in range(n_users)
    )
    for n in range(n_courses):
        CourseFactory(import_source="csv", external_id=f"C_{n}")


def interactions(n_rows: int, *, n_users: int, n_courses: int) -> str:
    """Rows of which each 97th names nobody and each 89th spans two lines and is refused."""
    rows = ["user,course,position"]
    for n in range(n_rows):
        user = f"U_{n % n_users}"
        if n % 97 == 96:
            user = f"X_{n}"
        elif n % 89 == 88:
            user = f'"U\n{n}"'
        rows.append(f"{user},C_{n % n_courses},{n}")
    return "\n".join(rows) + "\n"


def stored() -> list[tuple]:
    columns = ("uuid", "kind", "user__external_id", "course__external_id", "position")
    return sorted(Event.objects.values_list(*columns))


def subprocess_environment() -> dict[str, str]:
    """The command in a process of its own, on the database of this test."""
    database = connection.settings_dict
    url = "mysql://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format_map(database)
    return {**os.environ, "DATABASE_URL": url, "VAR_DIR": str(settings.VAR_DIR)}


def start(*arguments: object) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "manage.py", "import_csv", *map(str, arguments)],
        cwd=ROOT,
        env=subprocess_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def peak_mb(process: subprocess.Popen) -> float:
    """The largest memory of a process until it ends.

    Its rusage would hold that of the tests too, from which it was forked.
    """
    peak = 0
    while process.poll() is None:
        # Empty in the moment between the end and the notice of it.
        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())
        peak = max(peak, int(found[1]) if found else 0)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.02)
    return peak / 1024


@pytest.mark.mariadb(only=True)
@pytest.mark.django_db(transaction=True)
def test_a_killed_import_ends_with_the_rows_and_the_report_of_a_whole_one(
    import_csv, csv_file, tmp_path
):
    known_people_and_courses(500, 20)
    path = csv_file(interactions(60_000, n_users=500, n_courses=20))
    report = tmp_path / "killed.csv"
    offset = 0
    for _ in range(2):
        process = start("interactions", path, "--refused", report)
        while process.poll() is None:
            run = ImportRun.objects.first()
            if run is not None and run.byte_offset > offset:
                break
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "it was done before it could be killed"
        run = ImportRun.objects.get()
        assert run.finished_at is None
        assert run.byte_offset > offset
        offset = run.byte_offset

    outcome = import_csv("interactions", path, "--refused", report)

    assert "going on after line" in outcome.out
    resumed = stored()
    counts = ImportRun.objects.values_list("n_lines", "n_stored", "n_unchanged", "n_refused").get()
    assert counts[1] == len(resumed) == Event.objects.count()

    Event.objects.all().delete()
    ImportRun.objects.all().delete()
    clean_report = tmp_path / "clean.csv"
    import_csv("interactions", path, "--refused", clean_report)
    assert resumed == stored()
    assert counts == (
        ImportRun.objects.values_list("n_lines", "n_stored", "n_unchanged", "n_refused").get()
    )
    assert report.read_text() == clean_report.read_text()


@pytest.mark.mariadb
@pytest.mark.django_db
def test_rows_and_progress_are_kept_together_or_not_at_all(import_csv, csv_file, monkeypatch):
    """It fails behind the statement that moves the progress, before the commit."""
    monkeypatch.setattr("analytics.csv_import.interactions.Interactions.batch_size", 100)
    known_people_and_courses(5, 2)
    path = csv_file(interactions(250, n_users=5, n_courses=2))
    move, n_moves = progress.move, []

    def move_then_fail(run, **counts):
        move(run, **counts)
        n_moves.append(run)
        if len(n_moves) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(progress, "move", move_then_fail)
    with pytest.raises(KeyboardInterrupt):
        import_csv("interactions", path)

    run = ImportRun.objects.get()
    assert run.n_stored == Event.objects.count()
    assert run.n_stored + run.n_refused == 100

    monkeypatch.setattr(progress, "move", move)
    outcome = import_csv("interactions", path)
    run.refresh_from_db()
    assert run.n_unchanged == 0
    assert run.n_stored == Event.objects.count() == 250 - run.n_refused
    assert f"going on after line {run.n_lines}" not in outcome.out


@pytest.mark.django_db
def test_the_report_of_refused_rows_is_continued_without_repetition(
    import_csv, csv_file, tmp_path, monkeypatch
):
    """Refusals reach the disk before their batch is committed; what was not, is met again."""
    monkeypatch.setattr("analytics.csv_import.users.Users.batch_size", 2)
    rows = "".join(f"u{n},x\n" for n in range(10))
    path, report = csv_file(f"external_id,gender\n{rows}"), tmp_path / "refused.csv"
    add, n_added = RefusedRows.add, []

    def add_then_fail(self, refusals):
        add(self, refusals)
        n_added.append(1)
        if len(n_added) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(RefusedRows, "add", add_then_fail)
        import_csv("users", path, "--refused", report)
    assert len(report.read_text().splitlines()) == 1 + 6
    # A crash may also cut a line in the middle.
    with report.open("a") as file:
        file.write("1")

    import_csv("users", path, "--refused", report)

    lines = [line.partition(",")[0] for line in report.read_text().splitlines()]
    assert lines == ["line", *map(str, range(2, 12))]


@pytest.mark.django_db
def test_another_file_or_other_options_begin_at_the_beginning(import_csv, csv_file, monkeypatch):
    monkeypatch.setattr("analytics.csv_import.users.Users.batch_size", 2)
    path = csv_file("external_id,name\n" + "".join(f"u{n},N\n" for n in range(6)))

    def fail_at_the_second(run, **counts):
        if run.byte_offset:
            raise KeyboardInterrupt
        move(run, **counts)

    move = progress.move
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(progress, "move", fail_at_the_second)
        import_csv("users", path)
    assert User.objects.count() == 2

    outcome = import_csv("users", path, "--map", "name=display_name")
    assert "going on" not in outcome.out
    assert User.objects.filter(display_name="N").count() == 6
    assert "going on after line 3" in import_csv("users", path).out


@pytest.mark.django_db
def test_two_processes_on_one_file_do_not_store_a_batch_twice(import_csv, csv_file, monkeypatch):
    """Where the lock fails them, the progress decides who won."""
    path = csv_file("external_id\nu1\n")
    move = progress.move

    def move_after_another(run, **counts):
        ImportRun.objects.filter(pk=run.pk).update(byte_offset=5)
        move(run, **counts)

    monkeypatch.setattr(progress, "move", move_after_another)
    with pytest.raises(CommandError, match="by another process"):
        import_csv("users", path)
    assert not User.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(("code", "n_stored"), [(1213, 3), (1205, 3), (1054, 0)])
def test_a_batch_is_tried_again_where_the_server_asks_for_it(
    import_csv, csv_file, monkeypatch, code, n_stored
):
    """The first try makes a category and is taken back: the second must not remember it."""
    UserFactory()
    move, n_tries = progress.move, []

    def move_at_the_second_try(run, **counts):
        n_tries.append(1)
        if len(n_tries) == 1:
            raise OperationalError(code, "as the server says")
        move(run, **counts)

    monkeypatch.setattr(progress, "move", move_at_the_second_try)
    path = csv_file("external_id,title,category\nC_1,A,new\nC_2,B,new\nC_3,C,\n")
    if n_stored:
        assert import_csv("courses", path).last.startswith("3 rows stored")
    else:
        with pytest.raises(OperationalError):
            import_csv("courses", path)
        assert ImportRun.objects.get().byte_offset == 0


@pytest.mark.mariadb(only=True)
@pytest.mark.django_db(transaction=True)
def test_memory_does_not_grow_with_the_file(csv_file):
    """Ten times the rows, refused ones among them, in at most some megabytes more."""
    known_people_and_courses(500, 20)
    peaks = []
    for n_rows in (20_000, 200_000):
        path = csv_file(interactions(n_rows, n_users=500, n_courses=20), name=f"{n_rows}.csv")
        process = start("interactions", path, "--source", "csv")
        peaks.append(peak_mb(process))
        assert process.returncode == 0
    assert peaks[1] < peaks[0] + 30, peaks
    assert peaks[1] < 300
    assert Event.objects.count() > 190_000
