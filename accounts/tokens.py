"""Tokens of the API: made for a person, exchanged once, void with the password or the account."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import RefreshToken, Token
from rest_framework_simplejwt.utils import aware_utcnow, get_md5_hash_password

from accounts.models import User
from accounts.plain_rows import fetch_rows


class _People:
    """What the library asks of a model and its manager, answered by one plain statement."""

    DoesNotExist = User.DoesNotExist

    @property
    def objects(self) -> _People:
        return self

    def get(self, **where: Any) -> User:
        """The one person with these values. Raises User.DoesNotExist."""
        found = fetch_rows(User, **where)
        if not found:
            raise User.DoesNotExist
        return found[0]


class TokenAuthentication(JWTAuthentication):
    """The library's own checks of a token and of the person; each request of the API has them.

    A signature that was found right stays right and is not computed again; until when it holds
    and whether the person may still sign in is asked each time.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user_model = _People()  # type: ignore[assignment]

    def get_validated_token(self, raw_token: bytes) -> Token:
        token = _signed_token(raw_token)
        try:
            token.check_exp(current_time=aware_utcnow())
        except TokenError:
            return super().get_validated_token(raw_token)
        return token


@lru_cache(maxsize=4096)
def _signed_token(raw_token: bytes) -> Token:
    return JWTAuthentication().get_validated_token(raw_token)


def tokens_of(person: User) -> dict[str, str]:
    """A new pair: `access` and `refresh`."""
    refresh = RefreshToken.for_user(person)
    return {"access": str(refresh.access_token), "refresh": str(refresh)}  # type: ignore[attr-defined]


def refresh_tokens(refresh: str) -> dict[str, str]:
    """The next pair for a refresh token, which is void from then on.

    Raises TokenError for a token that is not valid, was used before, or whose person may no
    longer sign in or has another password by now.
    """
    token = RefreshToken(refresh)  # type: ignore[arg-type]
    user_id = token.payload.get(api_settings.USER_ID_CLAIM) or 0
    person = User.objects.filter(pk=user_id, is_active=True).first()
    password = token.payload.get(api_settings.REVOKE_TOKEN_CLAIM)
    if person is None or password != get_md5_hash_password(person.password):
        raise TokenError("Token is no longer valid")
    # The unique row decides which of two simultaneous exchanges was first.
    blacklisted: Any = token.blacklist()
    if not blacklisted[1]:
        raise TokenError("Token was used before")
    return tokens_of(person)
