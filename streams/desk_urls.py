"""Addresses of the control desk of a live session, below its page."""

from __future__ import annotations

from django.urls import path

from streams import desk_views

urlpatterns = [
    path("", desk_views.show_desk, name="desk"),
    path("start/", desk_views.start, name="desk_start"),
    path("end/", desk_views.end, name="desk_end"),
    path("replay/", desk_views.publish_replay, name="desk_replay"),
    path(
        "replay/withdraw/",
        desk_views.withdraw_replay,
        name="desk_withdraw_replay",
    ),
    path("showcase/", desk_views.show_showcase, name="desk_showcase"),
    path("pin/", desk_views.pin, name="desk_pin"),
    path("unpin/", desk_views.unpin, name="desk_unpin"),
    path("order/", desk_views.arrange, name="desk_order"),
    path("add/", desk_views.add, name="desk_add"),
    path("remove/", desk_views.remove, name="desk_remove"),
    path("offers/", desk_views.show_offers, name="desk_offers"),
    path("promotions/", desk_views.promote, name="desk_promote"),
    path(
        "promotions/<int:promotion>/end/",
        desk_views.end_promotion,
        name="desk_end_promotion",
    ),
    path("coupons/", desk_views.hand_out, name="desk_hand_out"),
    path("coupons/new/", desk_views.hand_out_new, name="desk_new_coupon"),
    path(
        "coupons/<int:coupon>/stop/",
        desk_views.stop_coupon,
        name="desk_stop_coupon",
    ),
]
