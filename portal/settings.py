"""Every setting, read from the environment, one screen a topic; README.md lists them."""

import os
import warnings
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import environ
import structlog
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from portal import languages, places
from portal.log_masks import mask_links

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

# --- Where things are -------------------------------------------------------------------------------------

DATA_DIR = places.data_directory(BASE_DIR)
# What `up` drew once for this machine stands under the real environment, never over it.
for _name, _value in places.read_settings_file(DATA_DIR).items():
    os.environ.setdefault(_name, _value)


def secret(name: str) -> str:
    """Return a secret from NAME, or from the file that NAME_FILE names; nothing when neither is set."""
    path = env.str(f"{name}_FILE", default="")
    if path:
        return Path(path).read_text(encoding="utf-8").strip()
    return str(env.str(name, default=""))


PORTAL_URL = env.str("PORTAL_URL", default="http://127.0.0.1:8000").rstrip("/")
PHONES_URL = env.str("PHONES_URL", default="http://127.0.0.1:8100").rstrip("/")
# The phones' host under names that resolve to one address family only: there a person proves where he is, by
# IPv4 and by IPv6 apart. Without them PHONES_URL is asked, by whichever the browser takes.
PHONES_URL_V4 = env.str("PHONES_URL_V4", default="").rstrip("/")
PHONES_URL_V6 = env.str("PHONES_URL_V6", default="").rstrip("/")
# By which address the platform's own test phone asks every few minutes; empty: PHONES_URL. "off": none.
CANARY_URL = env.str("CANARY_URL", default="").rstrip("/")
_portal = urlsplit(PORTAL_URL)
_secure = _portal.scheme == "https"

# --- What it may do ---------------------------------------------------------------------------------------

DEBUG = env.bool("DEBUG", default=False)
# On one machine phones and people have loopback or private addresses: sites and windows may hold them, and
# phones may use http. `up` turns it on; anywhere else it would weaken what "the same address" proves.
LATCHKEY_TRIAL = env.bool("LATCHKEY_TRIAL", default=False)
# Whether the demo users with their published passwords may exist here.
DEMO = env.bool("LATCHKEY_DEMO", default=False)

# --- Secrets ----------------------------------------------------------------------------------------------

SECRET_KEY = secret("SECRET_KEY")
# "id:base64,id2:base64": the first key seals, all of them open.
SECRET_KEYRING = secret("LATCHKEY_SECRET_KEYS")
TOKEN_KEY = secret("LATCHKEY_TOKEN_KEY").encode()

# --- Who is asking ----------------------------------------------------------------------------------------

# Networks of the reverse proxies whose X-Forwarded-For is believed. Empty: the peer is the caller.
TRUSTED_PROXIES = env.list("TRUSTED_PROXIES", default=[])
TRUSTED_PROXIES_STATED = "TRUSTED_PROXIES" in os.environ
ALLOWED_HOSTS = [
    *dict.fromkeys([_portal.hostname or "", *env.list("ALLOWED_HOSTS", default=[])]),
    *(["localhost", "127.0.0.1", "[::1]"] if LATCHKEY_TRIAL else []),
]
CSRF_TRUSTED_ORIGINS = [f"{_portal.scheme}://{_portal.netloc}"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _secure and TRUSTED_PROXIES else None

# --- Database ---------------------------------------------------------------------------------------------

# How long a statement waits for a lock: the portal and the worker are patient, a claim is not.
DATABASE_WAIT = env.float("DATABASE_WAIT", default=20.0)
warnings.filterwarnings("ignore", "Engine not recognized")  # said below, in a line of our own
DATABASES: dict[str, dict[str, Any]] = {
    "default": env.db_url("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'latchkey.sqlite3'}")
}
_database = DATABASES["default"]
if not _database.get("ENGINE"):
    raise ImproperlyConfigured("DATABASE_URL is no database's address; write postgres://... or sqlite:///...")
_database.setdefault("OPTIONS", {})
if _database["ENGINE"].endswith("sqlite3"):
    _database["OPTIONS"] |= {
        "timeout": DATABASE_WAIT,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }
elif _database["ENGINE"].endswith("postgresql"):
    _database["HOST"] = unquote(_database["HOST"])  # a socket's directory stands there as %2Frun%2F...
    _database["CONN_MAX_AGE"] = 0  # the pool keeps them
    _database["OPTIONS"] |= {
        "pool": {"min_size": 1, "max_size": env.int("DATABASE_POOL", default=10), "timeout": 5},
        "connect_timeout": 3,
        # Neither compiling a query nor starting helpers for it pays for what takes milliseconds.
        "options": f"-c lock_timeout={int(DATABASE_WAIT * 1000)} -c jit=off"
        " -c max_parallel_workers_per_gather=0",
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Store: what can be rebuilt ---------------------------------------------------------------------------

REDIS_URL = secret("REDIS_URL") or places.store_url(DATA_DIR)
CACHES = {
    "default": {"BACKEND": "portal.cache.ForgivingCache", "LOCATION": REDIS_URL, "KEY_PREFIX": "cache"},
}

# --- Applications -----------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "portal",
    "accounts",
    "devices",
    "security",
    "provisioning",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",  # allauth's list of passkeys speaks of time
    "django.forms",  # its templates, of which ours replace one
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "treebeard",
    "rest_framework",
    "rest_framework_api_key",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "drf_standardized_errors",
    "django_htmx",
    "template_partials",
    "csp",
    "django_structlog",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "portal.caller.CallerMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "accounts.authentication.ActorMiddleware",  # it may have something to say
    "accounts.second_factor.SecondFactorMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "portal.refusals.RefusalMiddleware",
]
ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.frame.frame",
            ],
            "builtins": [
                "django.templatetags.i18n",
                "django.templatetags.static",
                "portal.templatetags.latchkey",
            ],
        },
    },
]

FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
# A phone with all its expansion modules has more than 300 keys, each six fields of one form.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 4000

# --- Language and time ------------------------------------------------------------------------------------

# What e-mails are written in, and whatever is kept in words; pages follow the reader's browser.
LANGUAGE_CODE = env.str("LANGUAGE_CODE", default="en-gb")
LOCALE_PATHS = [BASE_DIR / "portal" / "locale"]
LANGUAGES = languages.found(LOCALE_PATHS)
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# --- Static files -----------------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = env.path("STATIC_ROOT", default=str(DATA_DIR / "static"))()
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        # Compressing takes half a minute, once for each release; a trial's people sit at the machine itself.
        "BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
        if LATCHKEY_TRIAL
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# --- Signing in: by e-mail only, accounts are made by managers ---------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "portal.sign_in.Adapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_USER_MODEL_EMAIL_FIELD = "email"
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_EMAIL_SUBJECT_PREFIX = "[Latchkey] "
ACCOUNT_REAUTHENTICATION_TIMEOUT = 900
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False  # nobody has letters sent to strangers
ACCOUNT_EMAIL_NOTIFICATIONS = True  # of every change of how somebody signs in
ACCOUNT_LOGIN_ON_PASSWORD_RESET = True  # by the second factor all the same, where there is one
PASSWORD_RESET_TIMEOUT = 3 * 24 * 3600  # an invitation's link, too
USERSESSIONS_TRACK_ACTIVITY = False  # it would write a row for every page
MFA_ADAPTER = "portal.sign_in.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "Latchkey"
MFA_TOTP_TOLERANCE = 1  # half a minute of a clock that goes wrong, or of slow fingers
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = LATCHKEY_TRIAL

# --- Sessions, cookies, headers ---------------------------------------------------------------------------

SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _secure
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = ("__Host-session", "__Host-csrf") if _secure else ("session", "csrf")
CSRF_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"


def _origins(*urls: str) -> list[str]:
    """Scheme, host and port of each address that is set."""
    parts = [urlsplit(url) for url in urls if url]
    return list(dict.fromkeys(f"{part.scheme}://{part.netloc}" for part in parts))


SECURE_HSTS_SECONDS = env.int("HSTS_SECONDS", default=31_536_000 if _secure else 0)
SECURE_REFERRER_POLICY = "same-origin"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "base-uri": [NONE],
        # The proof of an address is a form that goes to the phones' host and comes back to the portal.
        "form-action": [SELF, *_origins(PORTAL_URL, PHONES_URL, PHONES_URL_V4, PHONES_URL_V6)],
        "frame-ancestors": [NONE],
    },
}

# --- E-mail -----------------------------------------------------------------------------------------------

vars().update(environ.Env.email_url_config(secret("EMAIL_URL") or "consolemail://"))
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default=f"latchkey@{_portal.hostname}")

# --- API --------------------------------------------------------------------------------------------------

# Calls a minute of one key or one person, and of them those that change something; 0: as many as one likes.
API_RATE = env.int("API_RATE", default=3000)
API_WRITE_RATE = env.int("API_WRITE_RATE", default=1500)
REST_FRAMEWORK = {
    "DEFAULT_VERSIONING_CLASS": "rest_framework.versioning.NamespaceVersioning",
    "DEFAULT_VERSION": "v1",
    "ALLOWED_VERSIONS": ["v1"],
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.ApiKeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.authentication.IsSomebody"],
    "DEFAULT_THROTTLE_CLASSES": ["accounts.limits.MinuteLimit"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["portal.parsing.Parser"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "accounts.paging.Pages",
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_SCHEMA_CLASS": "portal.api_naming.Description",
    "EXCEPTION_HANDLER": "drf_standardized_errors.handler.exception_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
DRF_STANDARDIZED_ERRORS = {
    "EXCEPTION_HANDLER_CLASS": "portal.api.Handler",
    "EXCEPTION_FORMATTER_CLASS": "portal.api.Formatter",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Latchkey API",
    "OAS_VERSION": "3.1.1",
    "VERSION": "1.0",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "PowerEnum": "accounts.api_people.POWER_NAMES",
        "PowerSourceEnum": "devices.api_catalogue.POWER_SOURCES",
        "RoleEnum": "accounts.api.ROLES",
        "KeyRoleEnum": "accounts.api.KEY_ROLES",
        "KindEnum": "accounts.models.Account.Kind",
        "DifferenceKindEnum": "provisioning.api.customers.KINDS",
        "PolicyKindEnum": "provisioning.api.policies.KINDS",
        "BanKindEnum": "security.models.Ban.Kind",
        "IncidentKindEnum": "provisioning.models.Incident.Kind",
        "FailureKindEnum": "provisioning.api.addresses.FAILURE_KINDS",
        "DeliveryStateEnum": "provisioning.models.WebhookDelivery.State",
        "EventKindEnum": "provisioning.api.webhooks.KINDS",
        "SentKindEnum": "provisioning.api.webhooks.SENT",
        "NoticeWayEnum": "provisioning.api.notices.WAYS",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "accounts.once.describe",
        "portal.api_description.describe",
    ],
    "SCHEMA_PATH_PREFIX": "/api/v1",
}

# --- Background work --------------------------------------------------------------------------------------

CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1)
CELERY_BROKER_TRANSPORT_OPTIONS = {"global_keyprefix": "celery:", "visibility_timeout": 3600}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True  # every task runs twice without harm
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = 900
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0.05}
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "beat-schedule")
CELERY_TIMEZONE = "UTC"

# --- SIP edge: phones are asked to fetch again through it, never straight -----------------------------------

# "sip.example.net:5060;transport=udp": the provider's proxy. Empty: switched off.
SIP_EDGE = env.str("SIP_EDGE", default="")
SIP_T1 = env.float("SIP_T1", default=0.5)  # RFC 3261's; a request is given up after 64 times that
RESYNC_RATE = env.float("RESYNC_RATE", default=20.0)  # phones a second, all accounts together
RESYNC_PLACE_GAP = env.float("RESYNC_PLACE_GAP", default=2.0)  # seconds between two phones of one place
RESYNC_JITTER = env.float("RESYNC_JITTER", default=30.0)  # seconds over which many phones are spread
RESYNC_TRIES = env.int("RESYNC_TRIES", default=3)

# --- Webhooks ---------------------------------------------------------------------------------------------

# Networks of one's own that webhooks may go to, also by http; all others go to the public Internet alone.
WEBHOOK_NETWORKS = env.list("WEBHOOK_NETWORKS", default=[])

# --- Logs -------------------------------------------------------------------------------------------------

LOG_FORMAT = env.str("LOG_FORMAT", default="json")  # json | console
LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")
DJANGO_STRUCTLOG_CELERY_ENABLED = True
# Its guess at the caller's address believes any header; ours is bound by the portal's own middleware.
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False

_shared_processors: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
    structlog.processors.format_exc_info,
]
structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        *_shared_processors,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": structlog.stdlib.ProcessorFormatter,
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer()
                if LOG_FORMAT == "json"
                else structlog.dev.ConsoleRenderer(colors=False),
                mask_links,
            ],
            "foreign_pre_chain": _shared_processors,
        },
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"handlers": [], "level": LOG_LEVEL, "propagate": True},
        "django.server": {"handlers": [], "propagate": True},
        "django_structlog": {"level": env.str("REQUEST_LOG_LEVEL", default="WARNING")},
        "django.request": {"level": "ERROR"},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
    },
}
