"""The API of one's own profile."""

from __future__ import annotations

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.requester import person_of
from accounts.serializers import ErrorSerializer
from analytics.corrections import correct_profile
from analytics.known_profile import known_profile
from analytics.profile_serializers import KnownProfileSerializer, ProfileChangesSerializer


class MyProfileView(GenericAPIView):
    """What was derived about the signed-in person, and what they say of it; nobody else's."""

    serializer_class = KnownProfileSerializer

    @extend_schema(operation_id="my_profile")
    def get(self, request: Request) -> Response:
        """What is known of oneself, each value beside the number of events behind it."""
        return Response(self.get_serializer(known_profile(person_of(request))).data)

    @extend_schema(
        operation_id="correct_my_profile",
        request=ProfileChangesSerializer,
        responses={200: KnownProfileSerializer, 409: ErrorSerializer},
    )
    def patch(self, request: Request) -> Response:
        """Put parts right, or switch them off or on: all of it at once, or nothing."""
        body = ProfileChangesSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        person = person_of(request)
        correct_profile(person=person, changes=body.changes(), moment=timezone.now())
        return Response(self.get_serializer(known_profile(person)).data)
