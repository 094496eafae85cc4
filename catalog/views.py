"""Pages of the catalogue."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.requests import AuthenticatedHttpRequest, HtmxHttpRequest
from catalog import covers, interests, outline, reviews, search
from catalog.cards import course_cards
from catalog.forms import CourseSearchForm, InterestsForm
from catalog.models import Course, Enrollment, Lesson
from catalog.pricing import current_price
from catalog.responses import address_without, cover_response, numbered_page

COURSES_PER_PAGE = 24
REVIEWS_PER_PAGE = 8


@require_GET
def course_list(request: HtmxHttpRequest) -> HttpResponse:
    """The courses that match the filters; an HTMX request gets the results alone."""
    moment = timezone.now()
    form = CourseSearchForm(request.GET)
    wanted = form.search()
    found = search.find_courses(wanted, viewer=request.user, moment=moment)
    page = numbered_page(found, COURSES_PER_PAGE, request.GET.get("page"))
    context = {
        "form": form,
        "search": wanted,
        "page": page,
        "cards": course_cards(page.object_list, moment=moment),
        "query": address_without(request, "page"),
    }
    is_fragment = request.htmx and not request.htmx.history_restore_request
    template = "catalog/_course_results.html" if is_fragment else "catalog/course_list.html"
    response = render(request, template, context)
    patch_vary_headers(response, ["HX-Request"])
    return response


@require_GET
def course_detail(request: HttpRequest, slug: str) -> HttpResponse:
    """One course: what it holds, what it costs, what learners say."""
    lessons = Prefetch("sections__lessons", Lesson.objects.defer("body"))
    courses = (
        Course.objects.visible_to(request.user)
        .select_related("seller", "category__parent")
        .with_ratings()
        .with_learners()
        .prefetch_related("sections", lessons)
    )
    course = get_object_or_404(courses, slug=slug)
    shown = reviews.shown_reviews(course)
    context = {
        "course": course,
        "price": current_price(course, moment=timezone.now()),
        "outline": outline.outline_of(course),
        "is_enrolled": request.user.is_authenticated
        and Enrollment.objects.active().filter(user=request.user, course=course).exists(),
        "stars": reviews.star_counts(course),
        "review_page": numbered_page(shown, REVIEWS_PER_PAGE, request.GET.get("reviews")),
    }
    return render(request, "catalog/course_detail.html", context)


@require_GET
def course_cover(request: HttpRequest, pk: int) -> HttpResponse:
    """The drawn cover of a course; for good when the address carries its version."""
    chosen = Course.objects.select_related("seller")
    # Published first: who asks does not matter then, and shared caches may keep the picture.
    course = chosen.published().filter(pk=pk).first()
    is_public = course is not None
    if course is None:
        course = get_object_or_404(chosen.visible_to(request.user), pk=pk)
    is_current = request.GET.get("v") == covers.course_cover_version(course)
    return cover_response(
        covers.draw_course_cover(course), is_public=is_public, is_current=is_current
    )


@require_POST
@login_required
def choose_interests(request: AuthenticatedHttpRequest) -> HttpResponse:
    """Save the fields that the signed-in person cares about."""
    form = InterestsForm(request.POST)
    if form.is_valid():
        interests.choose_interests(user=request.user, categories=form.cleaned_data["categories"])
        messages.success(request, _("Your interests are saved."))
    else:
        messages.error(request, " ".join(map(str, form.errors["categories"])))
    return redirect("accounts:account")
