"""How the command is called: columns under other names, constants, dry runs, and its errors."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import User
from analytics.models import Event, EventKind, ImportRun
from analytics.pipelines.locks import only_one
from catalog.models import Category, Course
from streams.models import LiveSession
from tests.factories import CourseFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]


def test_it_maps_columns_of_other_names_and_one_to_several(import_csv, csv_file):
    path = csv_file("ID, Name ,fields\nC_1,Algebra,maths|numbers\n")
    import_csv(
        "courses",
        path,
        *("--map", "id=external_id", "--map", "name=title"),
        *("--map", "fields=category", "--map", "fields=tags"),
    )
    course = Course.objects.get(external_id="C_1")
    assert (course.title, course.category.slug) == ("Algebra", "maths")
    assert course.tags == ["maths", "numbers"]


def test_it_ignores_unknown_columns_with_one_notice(import_csv, csv_file):
    outcome = import_csv("users", csv_file("external_id,shoe_size,hat\nU_1,43,=1\nU_2,44,\n"))
    assert outcome.out.count("ignored columns: shoe_size, hat") == 1
    assert outcome.last.startswith("2 rows stored")


def test_it_sets_a_constant_for_a_column_that_the_file_lacks(import_csv, csv_file):
    UserFactory(import_source="csv", external_id="U_1")
    CourseFactory(import_source="csv", external_id="C_1")
    path = csv_file("user,course,position\nU_1,C_1,0\n")
    import_csv("interactions", path, "--set", "kind=like", "--set", "value=3")
    event = Event.objects.get()
    assert (event.kind, event.value) == (EventKind.LIKE, 3.0)


def test_it_reads_other_delimiters(import_csv, csv_file):
    path = csv_file("external_id;display_name\nU_1;A,B\n")
    import_csv("users", path, "--delimiter", "semicolon")
    assert User.objects.get(external_id="U_1").display_name == "A,B"


@pytest.mark.parametrize("target", ["users", "courses", "sessions", "interactions"])
def test_a_dry_run_tells_what_would_happen_and_writes_nothing(import_csv, csv_file, target):
    rows = {
        "users": "external_id,gender\nU_1,male\nU_2,x\n",
        "courses": "external_id,title,category\nC_1,A,new\n,B,other\n",
        "sessions": "external_id,title,started_at,ended_at,n_viewers,n_buyers\n"
        "L_1,A,2026-01-01,2026-01-01,2,1\nL_2,A,2026-01-01,2026-01-01,1,2\n",
        "interactions": "user,course,position\nknown,known,0\nknown,unknown,1\n",
    }[target]
    UserFactory(import_source="csv", external_id="known")
    CourseFactory(import_source="csv", external_id="known")
    models = (User, Course, Category, LiveSession, Event, ImportRun)
    before = [model.objects.count() for model in models]

    outcome = import_csv(target, csv_file(rows), "--dry-run")

    assert outcome.last.startswith("1 rows would be stored, 0 already there, 1 refused")
    assert outcome.err.startswith("line 3: ")
    assert [model.objects.count() for model in models] == before
    after = import_csv(target, csv_file(rows))
    assert after.last.startswith("1 rows stored, 0 already there, 1 refused")


def test_a_dry_run_over_several_batches_does_not_use_what_it_took_back(
    import_csv, csv_file, monkeypatch
):
    monkeypatch.setattr("analytics.csv_import.courses.Courses.batch_size", 2)
    rows = "".join(f"C_{n},T,new\n" for n in range(7))
    outcome = import_csv("courses", csv_file(f"external_id,title,category\n{rows}"), "--dry-run")
    assert outcome.last.startswith("7 rows would be stored")


@pytest.mark.parametrize("target", ["users", "courses", "sessions", "interactions"])
def test_a_repeat_stores_nothing_twice(import_csv, csv_file, target):
    rows = {
        "users": "external_id,gender\nU_1,male\nU_2,\n",
        "courses": "external_id,title,category,tags\nC_1,A,new,x|y\nC_2,B,,\n",
        "sessions": "external_id,title,started_at,ended_at,n_viewers,n_buyers,gmv\n"
        "L_1,A,2026-01-01,2026-01-01,2,1,9.90\nL_2,A,2026-01-01,2026-01-01,3,2,\n",
        "interactions": "user,course,position,value\nknown,known,0,1\nknown,known,1,\n",
    }[target]
    UserFactory(import_source="csv", external_id="known")
    CourseFactory(import_source="csv", external_id="known")
    path = csv_file(rows)
    import_csv(target, path)
    models = (User, Course, Category, LiveSession, Event, ImportRun)
    before = [model.objects.count() for model in models]

    outcome = import_csv(target, path)

    assert outcome.last.startswith("0 rows stored, 2 already there, 0 refused")
    assert [model.objects.count() for model in models] == before


def test_it_keeps_a_row_about_the_import(import_csv, csv_file):
    path = csv_file("external_id,gender\nU_1,male\nU_2,x\n", name="learners.csv")
    import_csv("users", path)
    run = ImportRun.objects.get()
    assert (run.target, run.file_name, run.byte_offset) == (
        "users",
        "learners.csv",
        path.stat().st_size,
    )
    assert (run.n_lines, run.n_stored, run.n_unchanged, run.n_refused) == (3, 1, 0, 1)
    assert timezone.now() - run.finished_at < timedelta(minutes=1)


GOOD = "external_id,gender\nU_1,male\n"


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        ("", [], "the file is empty"),
        ("\ufeff", [], "the file is empty"),
        ("\n\n\n", [], "nothing but empty lines"),
        ("external_id,gender\n", [], "a header and no rows"),
        ("id,gender\nU_1,male\n", [], 'column "external_id" is missing.*--map'),
        ("id;gender\nU_1;male\n", [], "--delimiter"),
        ("external_id,gender,gender\nU_1,male,male\n", [], "more than once"),
        ('"external_id,gender\nU_1,male\n', [], "header cannot be read"),
        ("external_id,gender\rU_1,male\r", [], "header cannot be read"),
        ("external_id\0,gender\nU_1,male\n", [], "header cannot be read"),
        (GOOD, ["--map", "gender"], "not of the form --map"),
        (GOOD, ["--map", "sex=gender"], 'no column "sex"'),
        (GOOD, ["--map", "gender=shoe_size"], 'no column "shoe_size": the columns are external_id'),
        (GOOD, ["--map", "a=gender", "--map", "b=gender"], "more than once"),
        (GOOD, ["--set", "language"], "not of the form --set"),
        (GOOD, ["--set", "gender=male"], "has a column .gender. already"),
        (GOOD, ["--set", "language=klingon"], "--set language: .* is none of"),
        (GOOD, ["--set", "shoe_size=43"], 'no column "shoe_size"'),
        (GOOD, ["--set", "language=en", "--map", "gender=language"], "by --map and by --set"),
        (GOOD, ["--source", " "], "--source needs a name"),
        (GOOD, ["--source", "x" * 41], "--source needs a name"),
        (GOOD, ["--encoding", "utf-16"], "unknown encoding"),
        (GOOD, ["--refused", "/nowhere/at/all.csv"], "cannot write"),
        (GOOD, ["--seller", "nobody@example.com"], "no seller with"),
    ],
)
def test_an_error_of_the_call_is_one_line_and_changes_nothing(
    import_csv, csv_file, content, arguments, message
):
    with pytest.raises(CommandError, match=message) as raised:
        import_csv("users", csv_file(content), *arguments)
    assert "\n" not in str(raised.value)
    assert not User.objects.exists()
    assert not ImportRun.objects.exists()


def test_it_says_that_there_is_no_such_file(import_csv, tmp_path):
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(CommandError, match="no such file"):
            import_csv("users", path)


def test_it_knows_four_targets(csv_file):
    with pytest.raises(CommandError, match="invalid choice"):
        call_command("import_csv", "orders", str(csv_file(GOOD)))


def test_it_does_not_overwrite_the_file_with_its_refused_rows(import_csv, csv_file):
    path = csv_file(GOOD)
    with pytest.raises(CommandError, match="overwrite the file itself"):
        import_csv("users", path, "--refused", path)
    assert path.read_text() == GOOD


def test_it_does_not_run_beside_itself(import_csv, csv_file, monkeypatch):
    monkeypatch.setattr("analytics.csv_import.running._LOCK_SECONDS", 0.0)
    monkeypatch.setattr("analytics.csv_import.running.only_one", _held_by_another)
    with pytest.raises(CommandError, match="another import of users is running"):
        import_csv("users", csv_file(GOOD))
    assert not User.objects.exists()


def _held_by_another(name: str):
    from contextlib import nullcontext

    assert name == "import.users"
    return nullcontext(False)


def test_it_frees_its_lock_after_an_error(import_csv, csv_file):
    with pytest.raises(CommandError):
        import_csv("users", csv_file("id\nU_1\n"))
    with only_one("import.users") as is_held:
        assert is_held


@pytest.mark.parametrize("name", ["users", "courses", "interactions"])
def test_the_real_files_import_as_they_stand(import_csv, datasets: Path, tmp_path, name):
    """All courses, and as many lines of the large files as a test has time for."""
    folder = datasets / "mooccubex"
    arguments = {
        "users": ("users.csv", 1_500, ["--map", "user_id=external_id"]),
        "courses": (
            "courses.csv",
            None,
            [
                "--map",
                "course_id=external_id",
                "--map",
                "about=description",
                "--map",
                "fields=category",
                "--map",
                "fields=tags",
            ],
        ),
        "interactions": (
            "enrolments.csv",
            1_500,
            ["--map", "user_id=user", "--map", "course_id=course"],
        ),
    }
    wanted = ["users", "courses", "interactions"]
    for target in wanted if name == "interactions" else [name]:
        file_name, most, mapped = arguments[target]
        path = folder / file_name
        if most is not None:
            with path.open("rb") as file:
                lines = [file.readline() for _ in range(most + 1)]
            path = tmp_path / file_name
            path.write_bytes(b"".join(lines))
        outcome = import_csv(target, path, "--source", "mooccubex", *mapped)
        assert ", 0 already there, 0 refused;" in outcome.last, outcome.err[:500]
    if name == "courses":
        assert Course.objects.filter(import_source="mooccubex").count() == 2_297
        assert Category.objects.filter(name_zh="计算机科学与技术").count() == 1
