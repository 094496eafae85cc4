"""Addresses of the pages of live sessions."""

from __future__ import annotations

from django.urls import path

from streams import views

app_name = "streams"
urlpatterns = [
    path("live/", views.session_list, name="session_list"),
    path("live/<int:pk>/", views.session_detail, name="session_detail"),
    path("live/<int:pk>/cover.svg", views.session_cover, name="cover"),
]
