"""What a person says of their own profile on the page of their account."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from accounts.requests import AuthenticatedHttpRequest
from analytics.corrections import BadCorrection, NotPersonalised, correct_profile
from analytics.forms import CorrectionForm
from analytics.profile_rows import INTEREST_SUBJECT


@require_POST
@login_required
def correct(request: AuthenticatedHttpRequest) -> HttpResponse:
    """Change one part of one's own profile, and go back to where it stands on the page."""
    form = CorrectionForm(request.POST)
    if not form.is_valid():
        messages.error(request, form.first_error())
        return redirect("accounts:account")
    change = form.change()
    try:
        correct_profile(person=request.user, changes=[change], moment=timezone.now())
    except (BadCorrection, NotPersonalised) as error:
        messages.error(request, str(error))
        return redirect("accounts:account")
    part = "interests" if change.subject.startswith(INTEREST_SUBJECT) else change.subject
    return HttpResponseRedirect(f"{reverse('accounts:account')}#known-{part}")
