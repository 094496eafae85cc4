"""Every path of the API, under /api/v1/."""

from __future__ import annotations

from typing import NoReturn

from django.http import Http404
from django.urls import path, re_path
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts import api as accounts
from analytics import api as analytics
from analytics import profile_api as profiles
from catalog import api as catalog
from catalog import order_api as orders
from streams import api as streams
from streams import chat_api as chat
from streams import games_api as games
from streams import order_api as live_orders
from streams import room_api as rooms


@extend_schema(exclude=True)
class NoSuchPathView(APIView):
    """Answers every other path in the shape of all errors."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def initial(self, request: Request, *args: object, **kwargs: object) -> NoReturn:
        raise Http404


app_name = "api"
urlpatterns = [
    # Tried in this order: what comes in rushes comes first.
    path("orders/", live_orders.OrderListView.as_view(), name="orders"),
    path("orders/quote/", live_orders.OrderQuoteView.as_view(), name="quote"),
    path("recommendations/", analytics.RecommendationsView.as_view(), name="recommendations"),
    path("events/", analytics.EventIntakeView.as_view(), name="events"),
    path("orders/<uuid:public_id>/", orders.OrderView.as_view(), name="order"),
    path("orders/<uuid:public_id>/pay/", orders.OrderPayView.as_view(), name="pay"),
    path("orders/<uuid:public_id>/cancel/", orders.OrderCancelView.as_view(), name="cancel"),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("auth/register/", accounts.RegisterView.as_view(), name="register"),
    path("auth/token/", accounts.TokenView.as_view(), name="token"),
    path("auth/token/refresh/", accounts.TokenRefreshView.as_view(), name="token_refresh"),
    path("me/", catalog.MeView.as_view(), name="me"),
    path("me/profile/", profiles.MyProfileView.as_view(), name="profile"),
    path("me/export/", accounts.MyExportView.as_view(), name="export"),
    path("courses/", catalog.CourseListView.as_view(), name="courses"),
    path("courses/<int:pk>/", catalog.CourseView.as_view(), name="course"),
    path("courses/<int:pk>/similar/", analytics.SimilarCoursesView.as_view(), name="similar"),
    path("courses/<int:pk>/reviews/", catalog.CourseReviewsView.as_view(), name="reviews"),
    path("live-sessions/", streams.LiveSessionListView.as_view(), name="live_sessions"),
    path("live-sessions/<int:pk>/", streams.LiveSessionView.as_view(), name="live_session"),
    path("live-sessions/<int:pk>/room/", rooms.RoomView.as_view(), name="room"),
    path("live-sessions/<int:pk>/likes/", rooms.RoomLikesView.as_view(), name="likes"),
    path("live-sessions/<int:pk>/beats/", rooms.RoomBeatsView.as_view(), name="beats"),
    path("live-sessions/<int:pk>/messages/", chat.MessageListView.as_view(), name="messages"),
    path(
        "live-sessions/<int:pk>/messages/<int:message>/hidden/",
        chat.HiddenMessageView.as_view(),
        name="hidden_message",
    ),
    path(
        "live-sessions/<int:pk>/messages/<int:message>/author/restriction/",
        chat.AuthorRestrictionView.as_view(),
        name="author_restriction",
    ),
    path(
        "live-sessions/<int:pk>/restrictions/",
        chat.RestrictionListView.as_view(),
        name="restrictions",
    ),
    path(
        "live-sessions/<int:pk>/restrictions/<int:restriction>/",
        chat.RestrictionView.as_view(),
        name="restriction",
    ),
    path("live-sessions/<int:pk>/moderators/", chat.ModeratorListView.as_view(), name="moderators"),
    path(
        "live-sessions/<int:pk>/moderators/<int:moderator>/",
        chat.ModeratorView.as_view(),
        name="moderator",
    ),
    path("live-sessions/<int:pk>/chat-rules/", chat.ChatRulesView.as_view(), name="chat_rules"),
    path("live-sessions/<int:pk>/reminder/", streams.ReminderView.as_view(), name="reminder"),
    path(
        "live-sessions/<int:pk>/coupons/",
        live_orders.SessionCouponListView.as_view(),
        name="session_coupons",
    ),
    path(
        "live-sessions/<int:pk>/coupons/<int:coupon>/",
        live_orders.SessionCouponClaimView.as_view(),
        name="claim_coupon",
    ),
    path(
        "live-sessions/<int:pk>/polls/<int:poll>/vote/", games.PollVoteView.as_view(), name="vote"
    ),
    path("live-sessions/<int:pk>/draws/", games.DrawListView.as_view(), name="draws"),
    path("live-sessions/<int:pk>/draws/<int:draw>/", games.DrawView.as_view(), name="draw"),
    path(
        "live-sessions/<int:pk>/draws/<int:draw>/entry/",
        games.DrawEntryView.as_view(),
        name="draw_entry",
    ),
    path("enrollments/", catalog.EnrollmentListView.as_view(), name="enrollments"),
    path("lessons/<int:pk>/progress/", catalog.LessonProgressView.as_view(), name="progress"),
    path("lessons/<int:pk>/file/", catalog.LessonFileView.as_view(), name="lesson_file"),
    path(
        "seller/sessions/<int:pk>/metrics/",
        analytics.SessionMetricsView.as_view(),
        name="session_metrics",
    ),
    path("seller/forecasts/", analytics.ForecastListView.as_view(), name="forecasts"),
    path("seller/retention/", analytics.RetentionListView.as_view(), name="retention"),
    re_path("", NoSuchPathView.as_view(), name="no_such_path"),
]
