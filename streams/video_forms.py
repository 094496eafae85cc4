"""What a seller may say about the video of a session."""

from __future__ import annotations

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.utils.translation import gettext_lazy as _

LONGEST = 500


class VideoAddressForm(forms.Form):
    """An HLS address elsewhere; empty for none."""

    url = forms.CharField(label=_("HLS address"), max_length=LONGEST, required=False)

    def clean_url(self) -> str:
        """An address that the viewers' browsers will fetch. Raises ValidationError."""
        url = self.cleaned_data["url"]
        if not url:
            return ""
        # A page over TLS plays nothing that comes without.
        schemes = ["https"] if settings.USE_TLS else ["https", "http"]
        try:
            URLValidator(schemes=schemes)(url)
        except ValidationError:
            raise ValidationError(
                _("This must be an address such as https://video.example.com/live/index.m3u8")
            ) from None
        if "@" in url.split("/")[2]:
            raise ValidationError(_("An address with a name and a password is not for viewers."))
        return url
