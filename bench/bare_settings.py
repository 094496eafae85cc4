"""The settings of the platform for `bare_recommendations`, with the middleware of a new project.

With BARE_MIDDLEWARE=none there is next to none, and with =platform all that the platform has.
"""

from __future__ import annotations

import os

from livecourse.settings import *  # noqa: F403
from livecourse.settings import MIDDLEWARE as PLATFORM_MIDDLEWARE

ROOT_URLCONF = "bench.bare_recommendations"
# Sign-in, which the model of a person needs, does not start without its own.
LEAST = ["allauth.account.middleware.AccountMiddleware"]
# What `django-admin startproject` writes.
NEW_PROJECT = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
MIDDLEWARE = {
    "new project": NEW_PROJECT + LEAST,
    "none": LEAST,
    "platform": PLATFORM_MIDDLEWARE,
}[os.environ.get("BARE_MIDDLEWARE", "new project")]
