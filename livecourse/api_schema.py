"""How the API describes itself."""

from __future__ import annotations

from typing import Any

from drf_spectacular.contrib.rest_framework_simplejwt import SimpleJWTScheme
from drf_standardized_errors.openapi import AutoSchema


class TokenScheme(SimpleJWTScheme):
    """How a program signs in."""

    target_class = "accounts.tokens.TokenAuthentication"


class ApiSchema(AutoSchema):
    """The errors of every operation, and the body of a DELETE that asks for one."""

    def _get_request_body(self, direction: str = "request") -> dict[str, Any] | None:
        if self.method == "DELETE" and self.get_request_serializer():
            # The library leaves out a body that the standard allows.
            self.method = "POST"
            try:
                return super()._get_request_body(direction)
            finally:
                self.method = "DELETE"
        return super()._get_request_body(direction)

    def _should_add_http401_error_response(self) -> bool:
        # Also where nobody need sign in, a token that is not valid is refused.
        return bool(self.view.get_authenticators())

    def _should_add_http403_error_response(self) -> bool:
        # A browser's session must prove by a token that the request comes from a page of ours.
        is_unsafe = self.method in ("POST", "PUT", "PATCH", "DELETE")
        return super()._should_add_http403_error_response() or (
            is_unsafe and bool(self.view.get_authenticators())
        )

    def _get_error_response_examples(self) -> list[Any]:
        return []
