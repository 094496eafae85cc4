"""The API of signing in and of one's own account."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import logout
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle, ScopedRateThrottle
from rest_framework_simplejwt.exceptions import TokenError

from accounts.account import change_account
from accounts.personal_data import erase_person, export_person
from accounts.requester import person_of
from accounts.serializers import (
    ErrorSerializer,
    MeSerializer,
    PasswordSerializer,
    PersonalDataSerializer,
    RefreshSerializer,
    RegisterSerializer,
    SignInSerializer,
    TokensSerializer,
)
from accounts.sign_in import ensure_confirmed, register_person, sign_in_person
from accounts.tokens import refresh_tokens, tokens_of


class SignInAPIView(GenericAPIView):
    """What the views share at which nobody is signed in yet."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (ScopedRateThrottle,)
    throttle_scope = "sign_in"

    def get_authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'

    def read(self, request: Request) -> dict[str, Any]:
        """The checked body."""
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        return body.validated_data


class RegisterView(SignInAPIView):
    serializer_class = RegisterSerializer

    @extend_schema(operation_id="register", responses={201: TokensSerializer, 403: ErrorSerializer})
    def post(self, request: Request) -> Response:
        """Make an account and sign in to it; 403 `email_unconfirmed` asks to confirm it first."""
        person = register_person(**self.read(request))
        ensure_confirmed(request=request._request, person=person)
        return Response(tokens_of(person), status=status.HTTP_201_CREATED)


class TokenView(SignInAPIView):
    serializer_class = SignInSerializer

    @extend_schema(
        operation_id="sign_in",
        responses={200: TokensSerializer, 401: ErrorSerializer, 403: ErrorSerializer},
    )
    def post(self, request: Request) -> Response:
        """Sign in; after some wrong passwords there is a pause (429, `locked_out`)."""
        person = sign_in_person(request=request, **self.read(request))
        if person is None:
            raise AuthenticationFailed(
                _("There is no account with this e-mail address and password."), "wrong_password"
            )
        ensure_confirmed(request=request._request, person=person)
        return Response(tokens_of(person))


class TokenRefreshView(SignInAPIView):
    serializer_class = RefreshSerializer

    @extend_schema(
        operation_id="refresh_tokens", responses={200: TokensSerializer, 401: ErrorSerializer}
    )
    def post(self, request: Request) -> Response:
        """Exchange a refresh token for the next two; it is void from then on."""
        try:
            return Response(refresh_tokens(self.read(request)["refresh"]))
        except TokenError as error:
            raise AuthenticationFailed(
                _("The token is not valid or was used before: please sign in again."),
                "token_not_valid",
            ) from error


class MeView(GenericAPIView):
    """The signed-in person. What apps to the left know about a person, they add by subclass."""

    serializer_class = MeSerializer
    throttle_scope = "sign_in"

    def get_throttles(self) -> list[BaseThrottle]:
        # Erasing asks for the password, which somebody with a stolen token could try out.
        extra = [ScopedRateThrottle()] if self.request and self.request.method == "DELETE" else []
        return [*super().get_throttles(), *extra]

    def change(self, request: Request, changes: dict[str, Any]) -> None:
        change_account(person=person_of(request), changes=changes)

    @extend_schema(operation_id="me")
    def get(self, request: Request) -> Response:
        """One's own account."""
        return Response(self.get_serializer(person_of(request)).data)

    @extend_schema(operation_id="change_me")
    def patch(self, request: Request) -> Response:
        """Change what is given and leave the rest."""
        body = self.get_serializer(person_of(request), data=request.data, partial=True)
        body.is_valid(raise_exception=True)
        self.change(request, body.validated_data)
        return Response(self.get_serializer(person_of(request)).data)

    @extend_schema(
        operation_id="erase_me",
        request=PasswordSerializer,
        responses={204: None, 400: ErrorSerializer, 409: ErrorSerializer},
    )
    def delete(self, request: Request) -> Response:
        """Remove one's account and data for good. Orders stay, without a name."""
        body = PasswordSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        erase_person(person=person_of(request), password=body.validated_data["password"])
        if hasattr(request._request, "session"):
            logout(request._request)
        return Response(status=status.HTTP_204_NO_CONTENT)


class MyExportView(GenericAPIView):
    serializer_class = PersonalDataSerializer

    @extend_schema(operation_id="export_me")
    def get(self, request: Request) -> Response:
        """Everything that the platform holds about the signed-in person."""
        found = {"exported_at": timezone.now(), "sections": export_person(person_of(request))}
        return Response(
            found, headers={"Content-Disposition": 'attachment; filename="livecourse-data.json"'}
        )
