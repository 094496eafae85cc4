"""Addresses of the catalogue's pages."""

from __future__ import annotations

from django.urls import path, re_path

from catalog import learn_views, notification_views, order_views, views

app_name = "catalog"
urlpatterns = [
    path("courses/", views.course_list, name="course_list"),
    path("courses/<int:pk>/cover.svg", views.course_cover, name="cover"),
    path("courses/<str:slug>/", views.course_detail, name="course_detail"),
    path("learn/", learn_views.my_courses, name="my_courses"),
    # Before the lessons; the colons of a token keep it apart from the number of a lesson.
    re_path(
        r"^learn/files/(?P<token>[A-Za-z0-9_-]+:[A-Za-z0-9_-]+:[A-Za-z0-9_-]+)/$",
        learn_views.file,
        name="file",
    ),
    path("learn/<str:slug>/", learn_views.course, name="learn"),
    path("learn/<str:slug>/<int:pk>/", learn_views.lesson, name="lesson"),
    path("learn/<str:slug>/<int:pk>/done/", learn_views.complete, name="complete_lesson"),
    path("learn/<str:slug>/<int:pk>/file/", learn_views.file_link, name="lesson_file"),
    path("orders/", order_views.order_list, name="orders"),
    path("orders/<uuid:public_id>/", order_views.order_detail, name="order"),
    path("orders/<uuid:public_id>/pay/", order_views.pay_order, name="pay_order"),
    path("orders/<uuid:public_id>/cancel/", order_views.cancel, name="cancel_order"),
    path("orders/<uuid:public_id>/times/<int:line>/", order_views.move, name="move_time"),
    path("payments/sandbox/<uuid:reference>/", order_views.sandbox, name="sandbox"),
    path(
        "payments/sandbox/<uuid:reference>/decide/",
        order_views.decide_in_sandbox,
        name="decide_in_sandbox",
    ),
    path("payments/<slug:provider>/notify/", notification_views.notification, name="notification"),
    path("account/interests/", views.choose_interests, name="choose_interests"),
]
