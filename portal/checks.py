"""Start-up checks with stable ids: what must not go into operation, and how to put it right."""

import ipaddress
from typing import Any
from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from accounts.sealing import Keyring
from provisioning.sip_message import SipEdge
from security.networks import AddressError, parse_network

TAG = "latchkey"
SECRET_HINT = "Set it (or its _FILE variant), or run `python3 manage.py up` once, which draws one."  # noqa: S105


@checks.register(TAG)
def secrets_are_set(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Nothing is sealed or signed with an empty key."""
    try:
        secret_key = settings.SECRET_KEY
    except ImproperlyConfigured:
        secret_key = ""
    wanted = {
        "SECRET_KEY": secret_key,
        "LATCHKEY_SECRET_KEYS": settings.SECRET_KEYRING,
        "LATCHKEY_TOKEN_KEY": settings.TOKEN_KEY,
    }
    missing = [
        checks.Error(f"{name} is not set.", hint=SECRET_HINT, id="portal.E001")
        for name, value in wanted.items()
        if not value
    ]
    if settings.SECRET_KEYRING:
        try:
            Keyring.parse(settings.SECRET_KEYRING)
        except ValueError as error:
            return [*missing, checks.Error(f"LATCHKEY_SECRET_KEYS: {error}.", id="portal.E005")]
    return [*missing]


@checks.register(TAG)
def proxies_are_stated(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Behind an unknown proxy all phones would have one address, and a lock would prove nothing."""
    if not settings.TRUSTED_PROXIES_STATED and not settings.LATCHKEY_TRIAL:
        return [
            checks.Error(
                "TRUSTED_PROXIES is not set.",
                hint="Name the proxies' networks, or set it empty: then every peer is taken for the caller.",
                id="portal.E002",
            )
        ]
    wrong = []
    for network in settings.TRUSTED_PROXIES:
        try:
            ipaddress.ip_network(network)  # host bits are mostly a typing error
        except ValueError as error:
            wrong.append(checks.Error(f"TRUSTED_PROXIES: {error}.", id="portal.E006"))
    return [*wrong]


@checks.register(TAG)
def addresses_are_safe(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Outside a trial people and phones use https."""
    if settings.LATCHKEY_TRIAL:
        return []
    return [
        checks.Error(
            f"{name} is not an https address.",
            hint="Put a reverse proxy with TLS in front.",
            id="portal.E003",
        )
        for name in ("PORTAL_URL", "PHONES_URL", "PHONES_URL_V4", "PHONES_URL_V6")
        if getattr(settings, name) and urlsplit(getattr(settings, name)).scheme != "https"
    ]


@checks.register(TAG)
def sip_edge_is_an_address(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """A wrong one would be found out by the first person who presses the button."""
    try:
        SipEdge.parse(settings.SIP_EDGE)
    except ValueError as error:
        hint = "Write sip.example.net:5060;transport=udp, or leave it empty: no resync."
        return [checks.Error(f"SIP_EDGE: {error}.", hint=hint, id="portal.E007")]
    return []


@checks.register(TAG)
def webhook_networks_are_networks(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """A wrong one would keep every webhook from being sent."""
    try:
        for network in settings.WEBHOOK_NETWORKS:
            parse_network(network)
    except AddressError as error:
        return [checks.Error(f"WEBHOOK_NETWORKS: {error}", id="portal.E008")]
    return []


AWAY = "The store cannot be reached"


def store_problem(url: str) -> str:
    """Say in a sentence why the store cannot be used; empty when it can."""
    try:
        with redis.Redis.from_url(url, socket_timeout=3, socket_connect_timeout=3) as client:
            policy = client.info("memory").get("maxmemory_policy")
    except (redis.exceptions.RedisError, OSError, ValueError) as error:
        return f"{AWAY}: {error}"
    if policy != "noeviction":
        # An evicted record reads as "unknown phone", and that phone would be refused.
        return f"The store's maxmemory-policy is {policy}; it must be noeviction."
    return ""


@checks.register(TAG, deploy=True)
def store_keeps_everything(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """The store may lose everything at once, never single records."""
    problem = store_problem(settings.REDIS_URL)
    if problem.startswith(AWAY):
        # No reason to stay down: without its store the edge holds the phones, and the pages go on.
        return [checks.Warning(problem, id="portal.W001")]
    return [checks.Error(problem, id="portal.E004")] if problem else []


def refuse_to_start() -> None:
    """End a server process that nobody has checked: gunicorn and uvicorn do not run Django's checks."""
    errors = [message for message in checks.run_checks(tags=[TAG]) if message.is_serious()]
    if errors:
        raise ImproperlyConfigured("; ".join(f"{message.id} {message.msg}" for message in errors))
