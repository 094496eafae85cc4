"""The settings of the platform for `bare_recommendations`, with next to no middleware."""

from __future__ import annotations

import os

from livecourse.settings import *  # noqa: F403
from livecourse.settings import MIDDLEWARE as PLATFORM_MIDDLEWARE

ROOT_URLCONF = "bench.bare_recommendations"
# Sign-in, which the model of a person needs, does not start without its own.
MIDDLEWARE = ["allauth.account.middleware.AccountMiddleware"]
if os.environ.get("BARE_MIDDLEWARE"):
    MIDDLEWARE = PLATFORM_MIDDLEWARE
