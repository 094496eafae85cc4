"""Settings of LiveCourse, grouped by subject.

Every variable that an operator would change comes from the environment or from a file
`.env` beside manage.py. The defaults need no server: SQLite, an embedded broker, a cache
in memory. README.md and deploy/ show a set-up for production.
"""

from __future__ import annotations

import hmac
from datetime import timedelta
from pathlib import Path

import environ
from celery.schedules import crontab
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static
from django.urls import reverse_lazy

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")

# --- Safety ---------------------------------------------------------------------------

# Off by default, so that forgetting it is safe; `make run` leaves it off as well. On, it shows
# errors with their source and takes a known key: for development alone.
DEBUG = env.bool("DEBUG", default=False)

_INSECURE_KEY = "insecure-key-for-development-only-never-use-it-on-a-server"
SECRET_KEY = env("SECRET_KEY", default=_INSECURE_KEY if DEBUG else "")
if not DEBUG and (len(SECRET_KEY) < 40 or SECRET_KEY == _INSECURE_KEY):
    raise ImproperlyConfigured(
        "SECRET_KEY is missing or too weak: with DEBUG off it must be a random text of at least "
        "40 characters. Make one with: python -c 'import secrets; print(secrets.token_urlsafe(50))'"
    )

# Host names under which the site is reached, separated by commas.
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
# Origins with scheme that may send forms, when a proxy ends TLS: https://example.com
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# On behind TLS (the default with DEBUG off); set False to try production mode on plain HTTP.
USE_TLS = env.bool("USE_TLS", default=not DEBUG)
SECURE_SSL_REDIRECT = USE_TLS
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = env.int("HSTS_SECONDS", default=31_536_000) if USE_TLS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = USE_TLS
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = USE_TLS
SESSION_COOKIE_HTTPONLY = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# Set it when, and only when, a proxy in front sets this header itself.
if env.bool("BEHIND_TLS_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# Where forms may lead; vendors of payments join below. What pages may fetch and play, likewise.
_FORM_TARGETS = [SELF]
_FETCHED = [SELF]
# Sellers keep their videos where they like, behind TLS on https alone. The player of live video
# feeds the picture from script, which is what blob: is for.
ANY_SITE = ["https:"] if USE_TLS else ["https:", "http:"]
_PLAYED = [SELF, "blob:", *ANY_SITE]
CONTENT_SECURITY_POLICY = {
    # The admin theme evaluates expressions in its markup; it has a policy of its own.
    "EXCLUDE_URL_PREFIXES": ("/admin/",),
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "media-src": _PLAYED,
        "connect-src": _FETCHED,
        "object-src": [NONE],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "form-action": _FORM_TARGETS,
    },
}

# --- Applications ---------------------------------------------------------------------

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.import_export",
    "unfold.contrib.simple_history",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "rules.apps.AutodiscoverRulesConfig",
    "allauth",
    "allauth.account",
    "axes",
    "csp",
    "django_filters",
    "django_htmx",
    "django_prometheus",
    "drf_spectacular",
    "drf_standardized_errors",
    "import_export",
    "rest_framework",
    "rest_framework_simplejwt",
    "rest_framework_simplejwt.token_blacklist",
    "simple_history",
    "accounts",
    "catalog",
    "streams",
    "analytics",
]

MIDDLEWARE = [
    "livecourse.request_counters.Before",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "livecourse.caching.keep_personal_answers_private",
    "livecourse.for_browsers.ContentSecurityPolicy",
    "livecourse.for_browsers.Session",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "livecourse.for_browsers.SignedIn",
    "livecourse.for_browsers.Messages",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "livecourse.for_browsers.Htmx",
    "simple_history.middleware.HistoryRequestMiddleware",
    "axes.middleware.AxesMiddleware",
    "livecourse.request_counters.After",
]

ROOT_URLCONF = "livecourse.urls"
WSGI_APPLICATION = "livecourse.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.template.context_processors.tz",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
            ],
        },
    },
]

# --- Files that the program writes ----------------------------------------------------

# The embedded database, the embedded broker, uploads and collected browser libraries.
VAR_DIR = Path(env("VAR_DIR", default=str(BASE_DIR / "var")))
VAR_DIR.mkdir(parents=True, exist_ok=True)

STATIC_URL = "static/"
STATIC_ROOT = Path(env("STATIC_ROOT", default=str(VAR_DIR / "static")))
# Browser libraries, put there by `make setup` from the exact versions in package.json.
VENDOR_DIR = Path(env("VENDOR_DIR", default=str(BASE_DIR / "var" / "vendor")))
VENDOR_DIR.mkdir(parents=True, exist_ok=True)
STATICFILES_DIRS = [BASE_DIR / "static", ("vendor", VENDOR_DIR)]
MEDIA_URL = env("MEDIA_URL", default="/media/")
MEDIA_ROOT = Path(env("MEDIA_ROOT", default=str(VAR_DIR / "media")))
# Files that are sold, which only their owners get: no address leads into this folder, so it must
# not lie in one that a web server hands out.
PRIVATE_ROOT = Path(env("PRIVATE_ROOT", default=str(VAR_DIR / "private")))
if PRIVATE_ROOT.resolve().is_relative_to(MEDIA_ROOT.resolve()):
    raise ImproperlyConfigured("PRIVATE_ROOT must not lie in MEDIA_ROOT, which everybody may read.")
# With nginx in front, the prefix of its `internal` location for that folder, such as /private/:
# then nginx sends the bytes, and only the question who gets them comes here. Empty sends them here.
PRIVATE_ACCEL_PREFIX = env("PRIVATE_ACCEL_PREFIX", default="")
# Of one file of a lesson; the proxy in front must let as much through.
MAX_FILE_MB = env.int("MAX_FILE_MB", default=200)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "livecourse.static_storage.ModulesStorage"
    },
}
# Uploads larger than this go to a temporary file instead of memory.
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = env.int("MAX_BODY_BYTES", default=2 * 1024 * 1024)

# --- Database -------------------------------------------------------------------------

# mysql://user:password@host:3306/name for MySQL 8.0.11+ or MariaDB 10.6+.
_DATABASE_URL = env("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'livecourse.sqlite3'}")
try:
    if _DATABASE_URL.partition("://")[0] not in ("sqlite", "mysql"):
        raise ValueError("scheme")
    DATABASES = {"default": env.db_url_config(_DATABASE_URL)}
except ValueError:
    # Without the address itself, which may hold a password.
    raise ImproperlyConfigured(
        "DATABASE_URL cannot be understood: it must be mysql://user:password@host:3306/name or "
        "sqlite:////absolute/path"
    ) from None
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        # A write lock taken at the start of a transaction waits its turn; one taken later fails.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
elif DATABASES["default"]["ENGINE"].endswith("mysql"):
    DATABASES["default"] |= {
        "ENGINE": "livecourse.mysql",
        "CONN_MAX_AGE": env.int("DATABASE_CONN_MAX_AGE", default=60),
        "CONN_HEALTH_CHECKS": True,
        "TEST": {"CHARSET": "utf8mb4", "COLLATION": "utf8mb4_unicode_ci"},
    }
    DATABASES["default"]["OPTIONS"] = {
        **DATABASES["default"].get("OPTIONS", {}),
        "charset": "utf8mb4",
        "isolation_level": "read committed",
        "init_command": "SET sql_mode='STRICT_TRANS_TABLES', innodb_lock_wait_timeout=5",
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Recommendations --------------------------------------------------------------------

# Where fits put their models and web processes read them: on several hosts, a folder that all of
# them share.
MODELS_DIR = Path(env("MODELS_DIR", default=str(VAR_DIR / "models")))
# The largest share of a list that one seller's courses may take, and the share of places that is
# given to courses of whom nothing is known yet. Both from 0 to 1.
RECOMMEND_SELLER_SHARE = env.float("RECOMMEND_SELLER_SHARE", default=0.4)
RECOMMEND_EXPLORE_SHARE = env.float("RECOMMEND_EXPLORE_SHARE", default=0.1)
# For so many days after its publication a course counts as new.
NEW_COURSE_DAYS = env.int("NEW_COURSE_DAYS", default=30)
# Seconds that a fit may search for the weights of its parts.
TUNE_SECONDS = env.float("TUNE_SECONDS", default=2.0)
# Where the counts of a fit are made: threading (this process), loky (processes of this machine)
# or dask (the workers of the cluster whose scheduler has this address).
FIT_BACKEND = env("FIT_BACKEND", default="threading")
DASK_SCHEDULER = env("DASK_SCHEDULER", default="")
if FIT_BACKEND not in ("threading", "loky", "dask"):
    raise ImproperlyConfigured(
        f"FIT_BACKEND cannot be understood: “{FIT_BACKEND}”; it must be threading, loky or dask"
    )
if FIT_BACKEND == "dask" and not DASK_SCHEDULER:
    raise ImproperlyConfigured(
        "FIT_BACKEND is dask, so DASK_SCHEDULER must be the address of a scheduler, such as "
        "tcp://10.0.0.5:8786"
    )
for _name, _share in (
    ("RECOMMEND_SELLER_SHARE", RECOMMEND_SELLER_SHARE),
    ("RECOMMEND_EXPLORE_SHARE", RECOMMEND_EXPLORE_SHARE),
):
    if not 0 <= _share <= 1:
        raise ImproperlyConfigured(f"{_name} cannot be {_share}: it is a share from 0 to 1")

# --- Cache and background jobs --------------------------------------------------------

# redis://host:6379/0 shares the cache between processes; without it each has its own.
REDIS_URL = env("REDIS_URL", default="")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        # A Redis that hangs must not take the threads of the server with it.
        "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1},
    }
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}

# What wakes the processes that hold a live room; without Redis they look by themselves.
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL]},
    }
    if REDIS_URL
    else {"BACKEND": "channels.layers.InMemoryChannelLayer"}
}
ASGI_APPLICATION = "livecourse.asgi.application"
# A process that holds sockets says every sixth of this who is in its rooms; after so many seconds
# without a word its viewers count no longer.
PRESENCE_SECONDS = env.float("PRESENCE_SECONDS", default=30)

# Redis or RabbitMQ; the default is an embedded broker (docs/adr/0001-embedded-broker.md).
CELERY_BROKER_URL = env("CELERY_BROKER_URL", default=f"sqla+sqlite:///{VAR_DIR / 'broker.sqlite3'}")
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_IGNORE_RESULT = True
# A task is asked to stop after the first time, which its model run records, and killed after the
# second, a minute later.
CELERY_TASK_SOFT_TIME_LIMIT = env.int("TASK_TIME_LIMIT_SECONDS", default=3600)
CELERY_TASK_TIME_LIMIT = CELERY_TASK_SOFT_TIME_LIMIT + 60
if CELERY_BROKER_URL.startswith(("redis", "sentinel")):
    # Redis gives a message that is not acknowledged for so long to another worker: it must be
    # longer than any task may take. Celery reads it in three places, which must agree.
    CELERY_VISIBILITY_TIMEOUT = CELERY_TASK_TIME_LIMIT + 600
    CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": CELERY_VISIBILITY_TIMEOUT}
    CELERY_RESULT_BACKEND_TRANSPORT_OPTIONS = {"visibility_timeout": CELERY_VISIBILITY_TIMEOUT}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "beat-schedule")
# Minutes between two rounds of session figures; the nightly fits start at REBUILD_HOUR.
FIGURES_EVERY_MINUTES = env.int("FIGURES_EVERY_MINUTES", default=10)
REBUILD_HOUR = env.int("REBUILD_HOUR", default=4)
# Every message expires before the next one of its kind is sent, so that a worker that was down
# for a day runs each task once, not a hundred times.
CELERY_BEAT_SCHEDULE = {
    "profiles": {
        "task": "analytics.profiles",
        "schedule": timedelta(minutes=30),
        "options": {"expires": 29 * 60},
    },
    "figures": {
        "task": "analytics.figures",
        "schedule": timedelta(minutes=FIGURES_EVERY_MINUTES),
        "options": {"expires": FIGURES_EVERY_MINUTES * 60 - 30},
    },
    "recommend": {
        "task": "analytics.recommend",
        "schedule": crontab(hour=str(REBUILD_HOUR), minute="0"),
        "options": {"expires": 23 * 3600},
    },
    "conversion": {
        "task": "analytics.conversion",
        "schedule": crontab(minute="20"),
        "options": {"expires": 59 * 60},
    },
    "learning": {
        "task": "analytics.learning",
        "schedule": crontab(minute="40"),
        "options": {"expires": 59 * 60},
    },
    "retention": {
        "task": "analytics.retention",
        "schedule": crontab(hour=str(REBUILD_HOUR), minute="30"),
        "options": {"expires": 23 * 3600},
    },
    "letters": {
        "task": "accounts.send_letters",
        "schedule": timedelta(seconds=20),
        "options": {"expires": 19},
    },
    "expire_orders": {
        "task": "catalog.expire_orders",
        "schedule": timedelta(seconds=20),
        "options": {"expires": 19},
    },
    "check_payments": {
        "task": "catalog.check_payments",
        "schedule": timedelta(minutes=1),
        "options": {"expires": 59},
    },
    "send_refunds": {
        "task": "catalog.send_refunds",
        "schedule": timedelta(seconds=30),
        "options": {"expires": 29},
    },
    "deliver_sandbox_notices": {
        "task": "catalog.deliver_sandbox_notices",
        "schedule": timedelta(seconds=10),
        "options": {"expires": 9},
    },
    "send_reminders": {
        "task": "streams.send_reminders",
        "schedule": timedelta(seconds=20),
        "options": {"expires": 19},
    },
    "draw_due": {
        "task": "streams.draw_due",
        "schedule": timedelta(seconds=10),
        "options": {"expires": 9},
    },
    "end_silent_sessions": {
        "task": "streams.end_silent_sessions",
        "schedule": timedelta(seconds=10),
        "options": {"expires": 9},
    },
    "forget_old_chats": {
        "task": "streams.forget_old_chats",
        "schedule": crontab(hour=str(REBUILD_HOUR), minute="50"),
        "options": {"expires": 23 * 3600},
    },
    "tidy_broker": {
        "task": "livecourse.tidy_broker",
        "schedule": timedelta(hours=6),
        "options": {"expires": 5 * 3600},
    },
}

# --- People ---------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "rules.permissions.ObjectPermissionBackend",
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_USER_MODEL_EMAIL_FIELD = "email"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = env("ACCOUNT_EMAIL_VERIFICATION", default="optional")
ACCOUNT_LOGOUT_ON_GET = False
# Against guessing at many names; one name is guarded by the lines below, which, unlike this,
# cannot lock somebody out from another address.
ACCOUNT_RATE_LIMITS = {"login_failed": "30/m/ip"}
# Five wrong passwords for one name from one address, then a pause.
AXES_FAILURE_LIMIT = env.int("LOGIN_FAILURE_LIMIT", default=5)
AXES_COOLOFF_TIME = timedelta(minutes=env.int("LOGIN_PAUSE_MINUTES", default=30))
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_USERNAME_FORM_FIELD = "login"
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_TEMPLATE = "429.html"
# Proxies in front whose X-Forwarded-For entry can be trusted; 0 means none.
N_PROXIES = env.int("N_PROXIES", default=0)
AXES_CLIENT_IP_CALLABLE = "accounts.requester.address_of"
ALLAUTH_TRUSTED_PROXY_COUNT = N_PROXIES

# smtp://user:password@host:587/?tls=True; the default prints messages to the console.
vars().update(env.email_url("EMAIL_URL", default="consolemail://"))
DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL", default="LiveCourse <noreply@localhost>")
# Seconds that a mail server may take for one answer; without an end, a silent one would hold up a
# worker, or somebody who registers, for ever.
EMAIL_TIMEOUT = env.int("EMAIL_TIMEOUT_SECONDS", default=10)

# --- Payment --------------------------------------------------------------------------

# The address that buyers and vendors reach, without a slash at its end: for the vendors'
# notifications and for links in e-mails.
SITE_URL = (env("SITE_URL", default="") or "http://127.0.0.1:8000").rstrip("/")
if not SITE_URL.startswith(("http://", "https://")):
    raise ImproperlyConfigured("SITE_URL must be an address such as https://courses.example.com")

# How long an order keeps seats, coupons and prices while it waits to be paid.
try:
    ORDER_HOLD_MINUTES = env.int("ORDER_HOLD_MINUTES", default=15)
except (ValueError, ImproperlyConfigured):
    ORDER_HOLD_MINUTES = 0
if not 1 <= ORDER_HOLD_MINUTES <= 120:
    raise ImproperlyConfigured("ORDER_HOLD_MINUTES must be a whole number from 1 to 120")

# How long before a live session begins those who wait for it are told.
try:
    REMINDER_MINUTES = env.int("REMINDER_MINUTES", default=15)
except (ValueError, ImproperlyConfigured):
    REMINDER_MINUTES = 0
if not 1 <= REMINDER_MINUTES <= 1440:
    raise ImproperlyConfigured("REMINDER_MINUTES must be a whole number from 1 to 1440")

# How long the chat of a live session is kept after its end.
try:
    CHAT_DAYS = env.int("CHAT_DAYS", default=180)
except (ValueError, ImproperlyConfigured):
    CHAT_DAYS = 0
if not 1 <= CHAT_DAYS <= 3650:
    raise ImproperlyConfigured("CHAT_DAYS must be a whole number from 1 to 3650")

# --- Video ----------------------------------------------------------------------------

# The video server (`make video`, docs/video.md) on this machine: where it takes streams and hands
# out pictures. RTMP_HOST=0.0.0.0 lets sellers send from elsewhere.
RTMP_HOST = env("RTMP_HOST", default="127.0.0.1")
RTMP_PORT = env.int("RTMP_PORT", default=1935)
VIDEO_PORT = env.int("VIDEO_PORT", default=8080)
# The same as sellers and viewers reach it. A page over https plays nothing over http: then HLS_URL
# and REPLAYS_URL are addresses of the proxy in front (deploy/nginx.conf).
RTMP_URL = env("RTMP_URL", default=f"rtmp://127.0.0.1:{RTMP_PORT}/live").rstrip("/")
HLS_URL = env("HLS_URL", default=f"http://127.0.0.1:{VIDEO_PORT}/hls").rstrip("/")
REPLAYS_URL = env("REPLAYS_URL", default=f"http://127.0.0.1:{VIDEO_PORT}/replays").rstrip("/")
# Where the platform reads how fast streams come in; empty for not at all.
VIDEO_STAT_URL = env("VIDEO_STAT_URL", default=f"http://127.0.0.1:{VIDEO_PORT}/stat")
# Where the video server asks the platform, if not at SITE_URL.
PLATFORM_URL = (env("PLATFORM_URL", default="") or SITE_URL).rstrip("/")
# By it the platform knows the video server; to be set when the two have different SECRET_KEYs.
STREAM_HOOK_SECRET = (
    env("STREAM_HOOK_SECRET", default="")
    or hmac.new(SECRET_KEY.encode(), b"stream hooks", "sha256").hexdigest()
)
# The video server speaks plain HTTP to the platform where both are on one machine.
SECURE_REDIRECT_EXEMPT += [r"^live/hooks/"]
# How long a session waits for a stream that broke off before it ends.
try:
    STREAM_GRACE_SECONDS = env.int("STREAM_GRACE_SECONDS", default=120)
except (ValueError, ImproperlyConfigured):
    STREAM_GRACE_SECONDS = 0
if not 5 <= STREAM_GRACE_SECONDS <= 3600:
    raise ImproperlyConfigured("STREAM_GRACE_SECONDS must be a whole number from 5 to 3600")
for _address in (HLS_URL, REPLAYS_URL):
    _origin = "/".join(_address.split("/")[:3]) if "://" in _address else SELF
    for _sources in (_FETCHED, _PLAYED):
        if _origin not in _sources:
            _sources.append(_origin)


def _key_text(name: str, value: str) -> str:
    """The key that `name` holds: its text, with \\n for line ends, or the path of its file."""
    text = value.strip().replace("\\n", "\n")
    # A bare key is base64 text, which may begin with a slash as a path does.
    if not text or text.startswith("-----BEGIN") or (len(text) > 200 and "." not in text):
        return text
    try:
        return Path(text).read_text().strip()
    except (OSError, UnicodeError):
        raise ImproperlyConfigured(
            f"{name} must be a key or the path of a file that can be read and holds one"
        ) from None


def _complete(vendor: str, **values: str) -> bool:
    """Whether the vendor is set up; some of its keys without the others stop the start."""
    missing = [name for name, value in values.items() if not value]
    if missing and len(missing) < len(values):
        raise ImproperlyConfigured(
            f"{vendor} is set up by half: {', '.join(missing)} missing. Set all of its keys or none"
        )
    return not missing


# Where the keys come from: docs/payments.md. A vendor without keys is not offered to buyers.
STRIPE_SECRET_KEY = env("STRIPE_SECRET_KEY", default="")
STRIPE_WEBHOOK_SECRET = env("STRIPE_WEBHOOK_SECRET", default="")
_HAS_STRIPE = _complete(
    "Stripe",
    STRIPE_SECRET_KEY=STRIPE_SECRET_KEY,
    STRIPE_WEBHOOK_SECRET=STRIPE_WEBHOOK_SECRET,
)

ALIPAY_APP_ID = env("ALIPAY_APP_ID", default="")
ALIPAY_PRIVATE_KEY = _key_text("ALIPAY_PRIVATE_KEY", env("ALIPAY_PRIVATE_KEY", default=""))
# Alipay's, not that of the application.
ALIPAY_PUBLIC_KEY = _key_text("ALIPAY_PUBLIC_KEY", env("ALIPAY_PUBLIC_KEY", default=""))
# On for keys of Alipay's own sandbox, which has other addresses.
ALIPAY_SANDBOX = env.bool("ALIPAY_SANDBOX", default=False)
_HAS_ALIPAY = _complete(
    "Alipay",
    ALIPAY_APP_ID=ALIPAY_APP_ID,
    ALIPAY_PRIVATE_KEY=ALIPAY_PRIVATE_KEY,
    ALIPAY_PUBLIC_KEY=ALIPAY_PUBLIC_KEY,
)

WECHAT_PAY_MCH_ID = env("WECHAT_PAY_MCH_ID", default="")
WECHAT_PAY_APP_ID = env("WECHAT_PAY_APP_ID", default="")
WECHAT_PAY_PRIVATE_KEY = _key_text(
    "WECHAT_PAY_PRIVATE_KEY", env("WECHAT_PAY_PRIVATE_KEY", default="")
)
WECHAT_PAY_CERT_SERIAL = env("WECHAT_PAY_CERT_SERIAL", default="")
WECHAT_PAY_API_V3_KEY = env("WECHAT_PAY_API_V3_KEY", default="")
WECHAT_PAY_PUBLIC_KEY = _key_text("WECHAT_PAY_PUBLIC_KEY", env("WECHAT_PAY_PUBLIC_KEY", default=""))
WECHAT_PAY_PUBLIC_KEY_ID = env("WECHAT_PAY_PUBLIC_KEY_ID", default="")
_HAS_WECHAT_PAY = _complete(
    "WeChat Pay",
    WECHAT_PAY_MCH_ID=WECHAT_PAY_MCH_ID,
    WECHAT_PAY_APP_ID=WECHAT_PAY_APP_ID,
    WECHAT_PAY_PRIVATE_KEY=WECHAT_PAY_PRIVATE_KEY,
    WECHAT_PAY_CERT_SERIAL=WECHAT_PAY_CERT_SERIAL,
    WECHAT_PAY_API_V3_KEY=WECHAT_PAY_API_V3_KEY,
    WECHAT_PAY_PUBLIC_KEY=WECHAT_PAY_PUBLIC_KEY,
    WECHAT_PAY_PUBLIC_KEY_ID=WECHAT_PAY_PUBLIC_KEY_ID,
)
if _HAS_WECHAT_PAY and len(WECHAT_PAY_API_V3_KEY.encode()) != 32:
    raise ImproperlyConfigured("WECHAT_PAY_API_V3_KEY must have exactly 32 characters")

# The embedded sandbox, whose payments move no money: whoever can buy can then buy for nothing.
SANDBOX_PAYMENTS = env.bool(
    "SANDBOX_PAYMENTS", default=not (_HAS_STRIPE or _HAS_ALIPAY or _HAS_WECHAT_PAY)
)

# A browser follows the form that starts a payment only to addresses that are named here.
_FORM_TARGETS += [
    *(["https://checkout.stripe.com"] if _HAS_STRIPE else []),
    *(["https://*.alipay.com", "https://*.alipaydev.com"] if _HAS_ALIPAY else []),
    *(["https://wx.tenpay.com"] if _HAS_WECHAT_PAY else []),
]

# --- API ------------------------------------------------------------------------------

# Wrong passwords are counted by the address that was typed, on the web and in the API alike.
AXES_USERNAME_CALLABLE = "accounts.sign_in.attempted_email"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.tokens.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "livecourse.negotiation.RememberedNegotiation",
    "DEFAULT_PARSER_CLASSES": ["livecourse.api_bodies.BoundedJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "livecourse.api_schema.ApiSchema",
    "EXCEPTION_HANDLER": "drf_standardized_errors.handler.exception_handler",
    "DEFAULT_THROTTLE_CLASSES": [
        "livecourse.request_rates.OfAddress",
        "livecourse.request_rates.OfPerson",
    ],
    "DEFAULT_THROTTLE_RATES": {
        "anon": env("API_RATE_ANON", default="300/min"),
        "user": env("API_RATE_USER", default="600/min"),
        "sign_in": env("API_RATE_SIGN_IN", default="20/min"),
    },
    "NUM_PROXIES": N_PROXIES,
    "COERCE_DECIMAL_TO_STRING": True,
    "LIST_SERIALIZER_ERRORS_AS_DICT": True,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=env.int("ACCESS_TOKEN_MINUTES", default=15)),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=env.int("REFRESH_TOKEN_DAYS", default=14)),
    "ROTATE_REFRESH_TOKENS": True,
    "BLACKLIST_AFTER_ROTATION": True,
    # A new password makes the tokens of the old one void.
    "CHECK_REVOKE_TOKEN": True,
    "UPDATE_LAST_LOGIN": False,
}
DRF_STANDARDIZED_ERRORS = {
    "EXCEPTION_HANDLER_CLASS": "livecourse.errors.ApiExceptionHandler",
    "ERROR_SCHEMAS": dict.fromkeys(
        ["400", "401", "403", "404", "405", "406", "415", "429", "500"],
        "accounts.serializers.ErrorSerializer",
    ),
}
SPECTACULAR_SETTINGS = {
    "TITLE": "LiveCourse API",
    "DESCRIPTION": "Everything that a viewer can do on the web, and a seller's own figures.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "CourseKindEnum": "catalog.models.CourseKind.choices",
        "LevelEnum": "catalog.models.Level.choices",
        "TeachingLanguageEnum": "catalog.serializers.TEACHING_LANGUAGES",
        "SessionStatusEnum": "streams.models.SessionStatus.choices",
        "RestrictionKindEnum": "streams.models.RestrictionKind.choices",
        "OrderStatusEnum": "catalog.models.OrderStatus.choices",
        "PaymentStatusEnum": "catalog.models.PaymentStatus.choices",
    },
}

# --- Languages and time ---------------------------------------------------------------

LANGUAGE_CODE = env("LANGUAGE_CODE", default="zh-hans")
LANGUAGES = [("zh-hans", "简体中文"), ("en", "English")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
# The zone in which a day begins and ends, for retention and for hours of the day.
TIME_ZONE = env("TIME_ZONE", default="Asia/Shanghai")
USE_TZ = True

# --- Admin ----------------------------------------------------------------------------

UNFOLD = {
    "SITE_TITLE": "LiveCourse",
    "SITE_HEADER": "LiveCourse",
    "SITE_SYMBOL": "live_tv",
    "SITE_URL": "/",
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "href": lambda request: static("favicon.svg"),
        }
    ],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_LANGUAGES": True,
    "DASHBOARD_CALLBACK": "analytics.dashboard.admin_dashboard",
    "LOGIN": {"redirect_after": reverse_lazy("admin:index")},
    "STYLES": [lambda request: static("css/admin.css")],
    "SIDEBAR": {
        "show_search": True,
        "navigation": "analytics.navigation.admin_navigation",
    },
    # The greens of static/css/livecourse.css, from light to dark.
    "COLORS": {
        "primary": {
            "50": "#f0f7f4",
            "100": "#e1efe9",
            "200": "#c2dfd4",
            "300": "#7fd0b4",
            "400": "#4fae90",
            "500": "#2b8f72",
            "600": "#0e5c4a",
            "700": "#0a4a3b",
            "800": "#083b2f",
            "900": "#17332b",
            "950": "#0c1f19",
        },
    },
}
IMPORT_EXPORT_USE_TRANSACTIONS = True

# --- Watching -------------------------------------------------------------------------

# Who reads /metrics sends it as `Authorization: Bearer ...`; without one, only programs on this
# machine that ask the web server itself, not through a proxy, may read it.
METRICS_TOKEN = env("METRICS_TOKEN", default="")

# --- Logging --------------------------------------------------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env("LOG_LEVEL", default="INFO")},
}
