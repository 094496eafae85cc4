"""Every path of the platform, by app."""

from __future__ import annotations

from django.conf import settings
from django.conf.urls.static import static
from django.contrib import admin
from django.urls import include, path

from livecourse import health
from streams.views import home

handler500 = "livecourse.database_away.answer_failure"

urlpatterns = [
    # Tried in this order: apps come most often.
    path("api/v1/", include("livecourse.api_urls")),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("admin/", admin.site.urls),
    path("i18n/", include("django.conf.urls.i18n")),
    path("", home, name="home"),
    path("", include("catalog.urls")),
    path("", include("streams.urls")),
    path("", include("analytics.urls")),
    path("", include("accounts.urls")),
    path("account/", include("allauth.account.urls")),
    *static(settings.MEDIA_URL, document_root=settings.MEDIA_ROOT),
]
