"""Addresses of the pages of live sessions."""

from __future__ import annotations

from django.urls import include, path

from streams import cart_views, game_views, reminder_views, views

app_name = "streams"
urlpatterns = [
    path("live/", views.session_list, name="session_list"),
    path("live/<int:pk>/", views.session_detail, name="session_detail"),
    path("live/<int:pk>/coupons/<int:coupon>/claim/", cart_views.claim, name="claim_coupon"),
    path("live/<int:pk>/cover.svg", views.session_cover, name="cover"),
    path("live/<int:pk>/reminder/", reminder_views.reminder, name="reminder"),
    path("live/<int:pk>/calendar.ics", reminder_views.calendar_file, name="calendar"),
    path("live/<int:pk>/desk/", include("streams.desk_urls")),
    path("live/<int:pk>/draws/<int:draw>/", game_views.draw_page, name="draw"),
    path("live/<int:pk>/draws/<int:draw>/enter/", game_views.enter, name="enter_draw"),
    path("live/<int:pk>/desk/games/", game_views.desk_games, name="desk_games"),
    path("live/<int:pk>/desk/polls/", game_views.open_poll, name="open_poll"),
    path("live/<int:pk>/desk/polls/<int:poll>/close/", game_views.close_poll, name="close_poll"),
    path("live/<int:pk>/desk/draws/", game_views.open_draw, name="open_draw"),
    path("live/<int:pk>/desk/draws/<int:draw>/draw/", game_views.pick_winners, name="pick_winners"),
    path("cart/", cart_views.cart, name="cart"),
    path("cart/add/", cart_views.add, name="add_to_cart"),
    path("cart/remove/<int:course>/", cart_views.remove, name="remove_from_cart"),
    path("cart/coupon/", cart_views.coupon, name="cart_coupon"),
    path("cart/checkout/", cart_views.checkout, name="checkout"),
]
