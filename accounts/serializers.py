"""Bodies of the API about accounts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError as DjangoValidationError
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from accounts.models import EARLIEST_BIRTH_YEAR, Gender, Occupation, Role, User

# Hashing a password takes time by design; without an end to its length, all the time there is.
LONGEST_PASSWORD = 128
LONGEST_EMAIL = 254
LONGEST_TOKEN = 4096


class SignInSerializer(serializers.Serializer):
    email = serializers.EmailField(write_only=True, max_length=LONGEST_EMAIL)
    password = serializers.CharField(
        write_only=True, max_length=LONGEST_PASSWORD, trim_whitespace=False
    )


class RegisterSerializer(SignInSerializer):
    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        try:
            validate_password(attrs["password"], User(email=attrs["email"]))
        except DjangoValidationError as error:
            raise serializers.ValidationError(
                {"password": [ErrorDetail(e.messages[0], e.code) for e in error.error_list]}
            ) from error
        return attrs


class RefreshSerializer(serializers.Serializer):
    refresh = serializers.CharField(max_length=LONGEST_TOKEN, write_only=True)


class TokensSerializer(serializers.Serializer):
    """Two tokens: `access` for requests, `refresh` to get the next two."""

    access = serializers.CharField()
    refresh = serializers.CharField()


class PasswordSerializer(serializers.Serializer):
    password = serializers.CharField(
        write_only=True, max_length=LONGEST_PASSWORD, trim_whitespace=False
    )


class StatedSerializer(serializers.Serializer):
    """What a person tells about themselves; everything may stay empty."""

    birth_year = serializers.IntegerField(
        required=False, allow_null=True, min_value=EARLIEST_BIRTH_YEAR, max_value=2100
    )
    gender = serializers.ChoiceField(Gender.choices, required=False, allow_blank=True)
    occupation = serializers.ChoiceField(Occupation.choices, required=False, allow_blank=True)

    def validate_birth_year(self, year: int | None) -> int | None:
        this_year = (timezone.now() + timedelta(days=1)).year
        if year is not None and year > this_year:
            raise serializers.ValidationError(
                _("The year of birth must be from %(first)d to %(last)d.")
                % {"first": EARLIEST_BIRTH_YEAR, "last": this_year}
            )
        return year


class MeSerializer(serializers.Serializer):
    """The signed-in person. Only what is not read-only can be changed."""

    id = serializers.IntegerField(read_only=True)
    email = serializers.EmailField(read_only=True, allow_null=True)
    display_name = serializers.CharField(required=False, allow_blank=True, max_length=80)
    role = serializers.ChoiceField(Role.choices, read_only=True)
    language = serializers.ChoiceField(
        settings.LANGUAGES, required=False, allow_blank=True, help_text="Empty: not chosen."
    )
    is_personalised = serializers.BooleanField(
        required=False, help_text="Off: popular courses are shown, and events are not stored."
    )
    joined_at = serializers.DateTimeField(read_only=True)
    stated = StatedSerializer(required=False)

    def to_representation(self, instance: User) -> dict[str, Any]:
        shown = super().to_representation(instance)
        if shown.get("stated") is None:
            shown["stated"] = {"birth_year": None, "gender": "", "occupation": ""}
        return shown


class PersonalDataSerializer(serializers.Serializer):
    """Everything that the platform holds about a person."""

    exported_at = serializers.DateTimeField()
    sections = serializers.DictField(
        child=serializers.ListField(child=serializers.DictField()),
        help_text="Lists of rows by what they are about.",
    )


class PublicPersonSerializer(serializers.Serializer):
    """A seller as everybody sees them."""

    id = serializers.IntegerField()
    display_name = serializers.CharField()


class OneErrorSerializer(serializers.Serializer):
    """One thing that is wrong."""

    code = serializers.CharField(help_text="For programs; does not depend on the language.")
    detail = serializers.CharField(help_text="For people, in the language of the request.")
    attr = serializers.CharField(
        allow_null=True, help_text="The field of the request, with dots for what is nested."
    )


class ErrorSerializer(serializers.Serializer):
    """The shape of every error."""

    type = serializers.ChoiceField(["validation_error", "client_error", "server_error"])
    errors = OneErrorSerializer(many=True)  # type: ignore[assignment]
