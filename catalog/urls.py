"""Addresses of the catalogue's pages."""

from __future__ import annotations

from django.urls import path

from catalog import views

app_name = "catalog"
urlpatterns = [
    path("courses/", views.course_list, name="course_list"),
    path("courses/<int:pk>/cover.svg", views.course_cover, name="cover"),
    path("courses/<str:slug>/", views.course_detail, name="course_detail"),
    path("account/interests/", views.choose_interests, name="choose_interests"),
]
