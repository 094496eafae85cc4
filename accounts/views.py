"""Pages of a person's own account; signing in and out is allauth's."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.consents import record_consent
from accounts.forms import NameForm, StatedAttributesForm
from accounts.models import Purpose, StatedAttributes
from accounts.requests import AuthenticatedHttpRequest


@require_http_methods(["GET", "POST"])
@login_required
def account(request: AuthenticatedHttpRequest) -> HttpResponse:
    """Name and language, what the person tells about themselves, and links to the rest."""
    stated = StatedAttributes.objects.filter(user=request.user).first() or StatedAttributes(
        user=request.user
    )
    sent = request.POST or None
    name_form = NameForm(
        sent if sent and "save_name" in sent else None,
        instance=request.user,
        initial={"language": request.user.language or translation.get_language()},
    )
    stated_form = StatedAttributesForm(
        sent if sent and "save_stated" in sent else None, instance=stated
    )
    if name_form.is_bound and name_form.is_valid():
        name_form.save()
        return _saved(request, language=name_form.cleaned_data["language"])
    if stated_form.is_bound and stated_form.is_valid():
        stated_form.save()
        return _saved(request)
    has_errors = name_form.is_bound or stated_form.is_bound
    context = {"name_form": name_form, "stated_form": stated_form}
    return render(request, "accounts/account.html", context, status=422 if has_errors else 200)


@require_POST
@login_required
def set_personalisation(request: AuthenticatedHttpRequest) -> HttpResponse:
    """Turn personal recommendations on or off, from now on."""
    is_granted = request.POST.get("is_granted") == "yes"
    record_consent(user=request.user, purpose=Purpose.PERSONALISATION, is_granted=is_granted)
    messages.success(
        request,
        _("Courses are chosen for you again.")
        if is_granted
        else _("You are now shown what is popular, the same as everybody."),
    )
    return redirect("accounts:account")


def _saved(request: AuthenticatedHttpRequest, *, language: str = "") -> HttpResponse:
    response = redirect("accounts:account")
    if language:
        translation.activate(language)
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME, language, max_age=365 * 24 * 3600, samesite="Lax"
        )
    messages.success(request, _("Saved."))
    return response
