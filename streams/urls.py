"""Addresses of the pages of live sessions."""

from __future__ import annotations

from django.urls import include, path

from streams import cart_views, game_views, reminder_views, video_hooks, video_views, views

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
    path("live/<int:pk>/desk/video/", video_views.show_health, name="desk_video"),
    path("live/<int:pk>/desk/stream-key/", video_views.make_key, name="desk_stream_key"),
    path("live/<int:pk>/desk/video-address/", video_views.set_address, name="desk_video_address"),
    path("live/hooks/publish/", video_hooks.publish, name="hook_publish"),
    path("live/hooks/update/", video_hooks.update, name="hook_update"),
    path("live/hooks/publish_done/", video_hooks.publish_done, name="hook_publish_done"),
    path("live/hooks/record_done/", video_hooks.record_done, name="hook_record_done"),
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
