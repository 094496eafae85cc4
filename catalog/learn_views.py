"""The pages on which people learn what they have, and the way to files that only they get."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST, require_safe
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.authentication import JWTAuthentication

from accounts.models import User
from accounts.requests import AuthenticatedHttpRequest
from catalog import downloads, learning
from catalog.lesson_progress import MOST_STUDY_SECONDS, NotALearner
from catalog.models import Course, Lesson
from catalog.private_files import extension_of
from catalog.responses import numbered_page

COURSES_PER_PAGE = 24


@require_GET
@login_required
def my_courses(request: AuthenticatedHttpRequest) -> HttpResponse:
    """The courses that the signed-in person has, those studied last first."""
    enrollments = learning.courses_of_learner(request.user)
    page = numbered_page(enrollments, COURSES_PER_PAGE, request.GET.get("page"))
    return render(request, "catalog/learn.html", {"page": page})


@require_GET
@login_required
def course(request: AuthenticatedHttpRequest, slug: str) -> HttpResponse:
    """Leads to the lesson to go on with."""
    found = _course(request, slug)
    study = learning.study_of(found, person=request.user)
    if study.access is learning.Access.NONE:
        return _no_access(request, found)
    if lesson := study.next_lesson():
        return redirect("catalog:lesson", slug, lesson.pk)
    return render(request, "catalog/learn_nothing.html", {"course": found, "study": study})


@require_GET
def lesson(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """One lesson beside the outline of its course."""
    try:
        shown = _lesson(request, slug, pk)
    except Http404:
        if request.user.is_authenticated:
            raise
        # It may be there for who is entitled to it: nobody else learns whether it is.
        return redirect_to_login(request.get_full_path())
    found = shown.section.course
    study = learning.study_of(found, person=request.user)
    if not study.is_open(shown):
        return _no_access(request, found)
    progress = study.progress_in(shown)
    before, after = study.beside(shown)
    context: dict[str, Any] = {
        "course": found,
        "study": study,
        "lesson": shown,
        "progress": progress,
        "most_seconds": MOST_STUDY_SECONDS,
        "is_done": shown.pk in study.done,
        "before": before,
        "after": after,
        "video_url": _playable(shown.video_url),
        "file_kind": extension_of(shown.file.name or "").upper() if shown.file else "",
    }
    return render(request, "catalog/learn_lesson.html", context)


@require_POST
def complete(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Mark the lesson as done, and stay on it."""
    address = reverse("catalog:lesson", args=[slug, pk])
    if not request.user.is_authenticated:
        return redirect_to_login(address)
    done = _lesson(request, slug, pk)
    if learning.access_to(done.section.course, person=request.user) is not learning.Access.LEARNER:
        return _no_access(request, done.section.course)
    learning.complete_lesson(learner=request.user, lesson=done, moment=timezone.now())
    return redirect(address)


@require_GET
@login_required
def file_link(request: AuthenticatedHttpRequest, slug: str, pk: int) -> HttpResponse:
    """Makes a link to the lesson's file for who asks now, and leads there."""
    wanted = _lesson(request, slug, pk)
    try:
        link = downloads.link_to_file(person=request.user, lesson=wanted, moment=timezone.now())
    except NotALearner:
        return _no_access(request, wanted.section.course)
    except downloads.NoFile:
        return _refused(request, 404, _("This file is not here"), _gone(), wanted)
    return redirect("catalog:file", link.token)


@require_safe
def file(request: HttpRequest, token: str) -> HttpResponseBase:
    """The file of a link, to the very person for whom it was made."""
    try:
        found = downloads.lesson_of_link(
            token, person=_person_asking(request), moment=timezone.now()
        )
    except downloads.LinkOfSomebodyElse as error:
        return _refused(request, 403, _("This link is not yours"), str(error))
    except NotALearner as error:
        return _refused(request, 403, _("You do not have this file"), str(error))
    except downloads.LinkExpired as error:
        text = _("It was good for %(n)d minutes. Open the lesson and download the file from there.")
        minutes = {"n": downloads.LINK_MINUTES}
        return _refused(request, 410, str(error), text % minutes, error.lesson)
    except downloads.LinkBroken:
        return _refused(request, 404, _("This file is not here"), _gone())
    return _sent(found)


def _sent(found: Lesson) -> HttpResponseBase:
    kind, name = downloads.content_type(found), downloads.download_name(found)
    response: HttpResponseBase
    if settings.PRIVATE_ACCEL_PREFIX:
        response = HttpResponse(content_type=kind)
        prefix = settings.PRIVATE_ACCEL_PREFIX.rstrip("/")
        response["X-Accel-Redirect"] = f"{prefix}/{quote(found.file.name or '')}"
    else:
        response = FileResponse(found.file.open("rb"), content_type=kind)
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response


def _refused(
    request: HttpRequest, status: int, title: str, text: str, lesson: Lesson | None = None
) -> HttpResponse:
    context = {"code": status, "title": title, "text": text, "lesson": lesson}
    response = render(request, "catalog/learn_refused.html", context, status=status)
    response["Cache-Control"] = "private, no-store"
    return response


def _gone() -> str:
    return _("The link was cut short or changed, or the seller has withdrawn the file.")


def _person_asking(request: HttpRequest) -> User | None:
    """Whom a token of the API or, without one, the session stands for; None for nobody."""
    try:
        # Of the request it reads the header alone, which both kinds of request have.
        found = JWTAuthentication().authenticate(request)  # type: ignore[arg-type]
    except AuthenticationFailed:
        return None
    if found is not None:
        return found[0]  # type: ignore[return-value]
    return request.user if request.user.is_authenticated else None


def _course(request: HttpRequest, slug: str) -> Course:
    known = learning.courses_known_to(request.user).select_related("seller", "category")
    return get_object_or_404(known, slug=slug)


def _lesson(request: HttpRequest, slug: str, pk: int) -> Lesson:
    known = learning.lessons_known_to(request.user).select_related("section__course__seller")
    return get_object_or_404(known, pk=pk, section__course__slug=slug)


def _no_access(request: HttpRequest, course: Course) -> HttpResponse:
    """To sign in, or else to where the course can be had, with a word that says why."""
    if not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    if learning.had_access(course, person=request.user):
        text = _("You do not have access to “%(title)s” any more.")
    else:
        text = _("The lessons of “%(title)s” open once you have the course.")
    messages.info(request, text % {"title": course.title})
    if not course.is_published:
        return redirect("catalog:my_courses")
    return redirect("catalog:course_detail", course.slug)


def _playable(address: str) -> str:
    """The address where a browser may look for a video; empty for any other kind of address."""
    return address if urlsplit(address).scheme in ("http", "https") else ""
