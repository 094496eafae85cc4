"""Addresses of the pages of a person's own account."""

from __future__ import annotations

from django.urls import path

from accounts import views

app_name = "accounts"
urlpatterns = [
    path("account/", views.account, name="account"),
    path("account/personalisation/", views.set_personalisation, name="set_personalisation"),
]
