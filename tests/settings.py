"""The platform's settings for tests: a folder of its own, cheap password hashes, plain HTTP."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

os.environ.setdefault("SECRET_KEY", "tests-only-" + "0123456789abcdef" * 4)
os.environ.setdefault("USE_TLS", "0")
os.environ.setdefault("LOG_LEVEL", "ERROR")
# A folder for each process that runs tests: locks on files in it would hold up the others'.
_folder = tempfile.mkdtemp(prefix="livecourse-tests-")
atexit.register(shutil.rmtree, _folder, ignore_errors=True)
os.environ["VAR_DIR"] = _folder
os.environ.setdefault("EMAIL_URL", "memorymail://")

from livecourse.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# No manifest: tests need no collected files.
STORAGES = {
    **STORAGES,  # noqa: F405
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
# `manage.py lintmigrations`, which `make check` runs.
INSTALLED_APPS = [*INSTALLED_APPS, "django_migration_linter"]  # noqa: F405
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):  # noqa: F405
    # In a file, not in memory, where all threads of a test would share one connection: then a
    # server that answers a browser while the test reads gets "table is locked", or worse, the
    # other's transaction.
    DATABASES["default"]["TEST"] = {"NAME": os.path.join(_folder, "tests.sqlite3")}  # noqa: F405
