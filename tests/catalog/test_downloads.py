"""Files of lessons: their owners get them, through links that soon end, and nobody else."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from django.core import signing
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.tokens import tokens_of
from catalog.downloads import (
    LINK_MINUTES,
    LinkBroken,
    LinkExpired,
    LinkOfSomebodyElse,
    NoFile,
    content_type,
    download_name,
    lesson_of_link,
    link_to_file,
)
from catalog.lesson_progress import NotALearner
from catalog.models import Enrollment, Lesson
from catalog.private_files import CONTENT_TYPES, PrivateFiles
from tests.factories import (
    EnrollmentFactory,
    LessonFactory,
    OperatorFactory,
    SectionFactory,
    SellerFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parent.parent.parent
BYTES = b"%PDF-1.7 the book"
MAY = {"learner": 200, "seller": 200, "operator": 200}
PEOPLE = ("anonymous", "learner", "refunded", "stranger", "seller", "other_seller", "operator")


@pytest.fixture(autouse=True)
def private_root(settings, tmp_path) -> Path:
    settings.PRIVATE_ROOT = tmp_path / "private"
    return settings.PRIVATE_ROOT


@pytest.fixture
def lesson(private_root: Path) -> Lesson:
    """A lesson with a file, named in Chinese."""
    lesson = LessonFactory(title="第一章：答案", kind="file")
    lesson.file.save("My secret answers.PDF", ContentFile(BYTES))
    return lesson


@pytest.fixture
def people(lesson: Lesson) -> dict:
    course = lesson.section.course
    return {
        "anonymous": None,
        "learner": EnrollmentFactory(course=course).user,
        "refunded": EnrollmentFactory(course=course, is_active=False).user,
        "stranger": UserFactory(),
        "seller": course.seller,
        "other_seller": SellerFactory(),
        "operator": OperatorFactory(),
    }


def browser_of(person) -> Client:
    browser = Client(headers={"accept-language": "en"})
    if person is not None:
        browser.force_login(person)
    return browser


def opened(lesson: Lesson, person, *, by=None) -> object:
    """What the browser of a person gets for a link made now for that person, or for `by`."""
    made_for = by or person
    link = link_to_file(person=made_for, lesson=lesson, moment=timezone.now())
    return browser_of(person).get(reverse("catalog:file", args=[link.token]))


# --- How files lie -------------------------------------------------------------------------


def test_a_stored_name_tells_nothing_of_what_was_typed(lesson, private_root) -> None:
    again = LessonFactory()
    again.file.save("My secret answers.PDF", ContentFile(b""))

    folder, _, name = lesson.file.name.partition("/")

    assert folder == "lessons"
    assert len(name) == len("0" * 32 + ".pdf")
    assert name.endswith(".pdf")
    assert again.file.name != lesson.file.name
    assert (private_root / lesson.file.name).read_bytes() == BYTES


@pytest.mark.parametrize(
    "typed",
    [
        "../../etc/passwd.pdf",
        "/etc/x.pdf",
        "a/b/c.pdf",
        "书 名.pdf",
        ".pdf.pdf",
    ],
)
def test_an_uploaded_name_leads_nowhere(private_root, typed) -> None:
    lesson = LessonFactory()

    lesson.file = SimpleUploadedFile(typed, BYTES)
    lesson.save()

    [stored] = [path for path in private_root.rglob("*") if path.is_file()]
    assert stored.parent == private_root / "lessons"
    assert stored.suffix == ".pdf"
    assert set(stored.stem) <= set("0123456789abcdef")


@pytest.mark.parametrize("typed", ["page.html", "run.exe", "picture.svg", "none", "a.pdf.js"])
def test_an_extension_that_is_not_known_is_not_kept(private_root, typed) -> None:
    stored = PrivateFiles().save(f"lessons/{typed}", ContentFile(b""))

    assert "." not in stored


def test_a_stored_file_has_no_public_address(client, lesson) -> None:
    with pytest.raises(ValueError, match="no address"):
        assert lesson.file.url
    assert client.get(f"/media/{lesson.file.name}").status_code == 404


def test_others_on_the_machine_may_not_read_a_file(lesson, private_root) -> None:
    file = private_root / lesson.file.name

    assert [path.stat().st_mode & 0o007 for path in (file, file.parent)] == [0, 0]


def test_the_private_folder_inside_the_public_one_stops_the_start(tmp_path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import livecourse.settings"],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "SECRET_KEY": "0123456789" * 5,
            "VAR_DIR": str(tmp_path),
            "MEDIA_ROOT": str(tmp_path),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode != 0
    assert "PRIVATE_ROOT must not lie in MEDIA_ROOT" in done.stderr


# --- Who gets a file -----------------------------------------------------------------------


@pytest.mark.parametrize("who", PEOPLE)
def test_only_owners_get_a_link_and_the_file(lesson, people, who) -> None:
    browser = browser_of(people[who])
    address = reverse("catalog:lesson_file", args=[lesson.section.course.slug, lesson.pk])

    response = browser.get(address, follow=True)

    is_sent = response.status_code == 200 and "attachment" in response.get(
        "Content-Disposition", ""
    )
    assert is_sent == (who in MAY)
    if is_sent:
        assert b"".join(response.streaming_content) == BYTES
    else:
        assert BYTES not in response.content


@pytest.mark.parametrize("who", PEOPLE)
def test_the_link_of_a_learner_opens_for_that_learner_alone(lesson, people, who) -> None:
    response = opened(lesson, people[who], by=people["learner"])

    assert response.status_code == (200 if who == "learner" else 403)


def test_a_lesson_that_is_free_to_try_does_not_give_its_file_away(lesson, people) -> None:
    Lesson.objects.update(is_preview=True)

    with pytest.raises(NotALearner):
        link_to_file(person=people["stranger"], lesson=lesson, moment=timezone.now())


def test_a_link_expires_to_the_second(lesson, people) -> None:
    now = timezone.now().replace(microsecond=0)
    link = link_to_file(person=people["learner"], lesson=lesson, moment=now)
    end = now + timedelta(minutes=LINK_MINUTES)

    assert link.expires_at == end
    before = end - timedelta(seconds=1)
    assert lesson_of_link(link.token, person=people["learner"], moment=before) == lesson
    with pytest.raises(LinkExpired):
        lesson_of_link(link.token, person=people["learner"], moment=end)
    # Whose it is not learns nothing of its time.
    with pytest.raises(LinkOfSomebodyElse):
        lesson_of_link(link.token, person=people["operator"], moment=end)


def test_an_expired_link_says_so_and_where_there_is_a_new_one(lesson, people) -> None:
    past = timezone.now() - timedelta(hours=1)
    link = link_to_file(person=people["learner"], lesson=lesson, moment=past)

    response = browser_of(people["learner"]).get(reverse("catalog:file", args=[link.token]))

    assert response.status_code == 410
    html = response.content.decode()
    assert "has expired" in html
    assert reverse("catalog:lesson", args=[lesson.section.course.slug, lesson.pk]) in html


def test_access_that_was_taken_back_ends_links_that_were_made_before(lesson, people) -> None:
    learner, now = people["learner"], timezone.now()
    link = link_to_file(person=learner, lesson=lesson, moment=now)
    Enrollment.objects.filter(user=learner).update(is_active=False)

    response = browser_of(learner).get(reverse("catalog:file", args=[link.token]))

    assert response.status_code == 403
    with pytest.raises(NotALearner):
        lesson_of_link(link.token, person=learner, moment=now)


def test_a_changed_link_opens_nothing(lesson, people) -> None:
    learner, now = people["learner"], timezone.now()
    token = link_to_file(person=learner, lesson=lesson, moment=now).token
    payload, stamp, signature = token.split(":")
    other = link_to_file(person=people["seller"], lesson=lesson, moment=now).token.split(":")

    for changed in (
        f"{other[0]}:{stamp}:{signature}",
        f"{payload}:{stamp}:{signature[::-1]}",
        f"{payload}:{stamp}:{signature[:-1]}",
        f"{payload[:-1]}:{stamp}:{signature}",
        signing.dumps([learner.pk, lesson.pk, 9_999_999_999], salt="another purpose"),
        signing.dumps([learner.pk, lesson.pk, 9_999_999_999], key="another key"),
        "a:b:c",
    ):
        with pytest.raises(LinkBroken):
            lesson_of_link(changed, person=learner, moment=now)
        answer = browser_of(learner).get(reverse("catalog:file", args=[changed]))
        assert answer.status_code == 404


def test_the_link_of_one_lesson_opens_no_other(lesson, people) -> None:
    LessonFactory(section=lesson.section).file.save("b.txt", ContentFile(b"other"))
    response = opened(lesson, people["learner"])

    assert b"".join(response.streaming_content) == BYTES


def test_an_app_opens_its_link_with_its_token(lesson, people) -> None:
    learner, api = people["learner"], APIClient()
    bearer = {"Authorization": f"Bearer {tokens_of(learner)['access']}"}
    link = api.get(reverse("api:lesson_file", args=[lesson.pk]), headers=bearer).json()
    path = urlsplit(link["url"]).path
    strangers = {"Authorization": f"Bearer {tokens_of(people['stranger'])['access']}"}

    assert set(link) == {"url", "expires_at"}
    assert api.get(path, headers=bearer).status_code == 200
    assert api.get(path, headers=strangers).status_code == 403
    assert api.get(path, headers={"Authorization": "Bearer wrong"}).status_code == 403
    assert api.get(path).status_code == 403
    # The token decides, also where the browser of the learner sends it.
    assert browser_of(learner).get(path, headers=strangers).status_code == 403


def test_the_api_says_that_a_lesson_has_no_file(people, lesson) -> None:
    bare = LessonFactory(section=SectionFactory(course=lesson.section.course))
    api = APIClient()
    api.force_authenticate(people["learner"])

    assert api.get(reverse("api:lesson_file", args=[bare.pk])).status_code == 404


def test_who_is_signed_out_is_led_to_sign_in(lesson, people) -> None:
    response = opened(lesson, None, by=people["learner"])

    assert response.status_code == 403
    assert reverse("account_login") in response.content.decode()


# --- How a file is sent --------------------------------------------------------------------


def test_a_file_is_sent_under_the_name_of_its_lesson_and_kept_by_no_cache(lesson, people) -> None:
    response = opened(lesson, people["learner"])

    assert response["Content-Type"] == "application/pdf"
    assert response["Content-Disposition"] == (
        f"attachment; filename*=utf-8''{quote('第一章：答案.pdf')}"
    )
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Cache-Control"] == "private, no-store"
    assert int(response["Content-Length"]) == len(BYTES)


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Answers", "Answers.pdf"),
        ("../../etc/passwd", "etc passwd.pdf"),
        ('a"b\\c', "a b c.pdf"),
        ("line\r\nSet-Cookie: x=1", "line Set-Cookie x=1.pdf"),
        ("invoice\u202efdp.exe", "invoice fdp.exe.pdf"),
        ("...", "lesson-7.pdf"),
        ("書" * 200, "書" * 80 + ".pdf"),
        ("e\u0301tude", "\u00e9tude.pdf"),
    ],
)
def test_a_title_becomes_a_name_that_any_file_system_takes(title, name) -> None:
    assert download_name(Lesson(pk=7, title=title, file="lessons/0a.pdf")) == name


def test_a_title_cannot_write_headers(lesson, people) -> None:
    Lesson.objects.update(title='x"\r\nSet-Cookie: a=b')

    response = opened(lesson, people["learner"])

    assert "\n" not in response["Content-Disposition"]
    assert not response.cookies.get("a")


@pytest.mark.parametrize("extension", [*CONTENT_TYPES, "html", "svg", ""])
def test_no_file_is_told_to_be_a_page(extension) -> None:
    kind = content_type(Lesson(file=f"lessons/0a.{extension}"))

    assert kind == CONTENT_TYPES.get(extension, "application/octet-stream")
    assert not kind.startswith(("text/html", "image/svg"))


@pytest.mark.parametrize("name", ["../../../etc/passwd", "/etc/passwd", "lessons/gone.pdf", ""])
@pytest.mark.parametrize("prefix", ["", "/private/"])
def test_a_row_that_names_a_file_elsewhere_or_nowhere_sends_nothing(
    lesson, people, settings, name, prefix
) -> None:
    settings.PRIVATE_ACCEL_PREFIX = prefix
    learner, now = people["learner"], timezone.now()
    link = link_to_file(person=learner, lesson=lesson, moment=now)
    Lesson.objects.update(file=name)

    response = browser_of(learner).get(reverse("catalog:file", args=[link.token]))

    assert response.status_code == 404
    assert "X-Accel-Redirect" not in response
    with pytest.raises(NoFile):
        lesson_of_link(link.token, person=learner, moment=now)


@pytest.mark.parametrize("prefix", ["/private/", "/private"])
def test_nginx_is_told_to_send_the_bytes(lesson, people, settings, prefix) -> None:
    settings.PRIVATE_ACCEL_PREFIX = prefix

    response = opened(lesson, people["learner"])

    assert response["X-Accel-Redirect"] == f"/private/{lesson.file.name}"
    assert response["Content-Type"] == "application/pdf"
    assert response.content == b""


def test_the_sample_of_nginx_hands_the_folder_out_on_our_word_alone() -> None:
    nginx = (ROOT / "deploy" / "nginx.conf").read_text()
    _, _, rest = nginx.partition("location /private/ {")
    block = rest.partition("}")[0]

    assert "internal;" in block
    assert "nosniff" in block
    assert "alias /var/lib/livecourse/private/;" in block


# --- What a seller may upload --------------------------------------------------------------


def uploaded(section, file: SimpleUploadedFile):
    """The answer of the admin to a seller who adds a lesson with the file."""
    data = {
        "title": section.title,
        "lessons-TOTAL_FORMS": 1,
        "lessons-INITIAL_FORMS": 0,
        "lessons-0-title": "Book",
        "lessons-0-kind": "file",
        "lessons-0-duration_seconds": 0,
        "lessons-0-position": 0,
        "lessons-0-file": file,
    }
    address = reverse("admin:catalog_section_change", args=[section.pk])
    return browser_of(section.course.seller).post(address, data)


@pytest.mark.parametrize("extension", CONTENT_TYPES)
def test_a_seller_uploads_a_file_that_learners_can_use(extension) -> None:
    section = SectionFactory()

    assert uploaded(section, SimpleUploadedFile(f"书.{extension}", BYTES)).status_code == 302

    assert Lesson.objects.get().file.read() == BYTES


@pytest.mark.parametrize("name", ["page.html", "run.exe", "picture.svg", "none", "a.pdf.js"])
def test_a_file_of_another_kind_is_refused_with_the_kinds_that_are_not(private_root, name) -> None:
    response = uploaded(SectionFactory(), SimpleUploadedFile(name, BYTES))

    assert "pdf, epub, mobi" in response.content.decode()
    assert not Lesson.objects.exists()
    assert not list(private_root.rglob("*.*"))


def test_a_file_that_is_too_large_is_refused_with_both_sizes(settings) -> None:
    settings.MAX_FILE_MB = 1

    response = uploaded(SectionFactory(), SimpleUploadedFile("a.pdf", b"x" * (1024**2 + 1)))

    assert "The file has 2 MB; a lesson takes at most 1 MB." in response.content.decode()
    assert not Lesson.objects.exists()


def test_a_seller_finds_the_file_in_the_form_and_gets_it(lesson) -> None:
    seller = browser_of(lesson.section.course.seller)
    address = reverse("catalog:lesson_file", args=[lesson.section.course.slug, lesson.pk])

    form = seller.get(reverse("admin:catalog_section_change", args=[lesson.section_id]))

    assert address in form.content.decode()
    assert b"".join(seller.get(address, follow=True).streaming_content) == BYTES
