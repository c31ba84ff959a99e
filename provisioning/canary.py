"""The platform's own phone, which fetches its file by the public address every few minutes (section 7).

It takes the way of every phone: name, proxy, certificate, edge, store. Twice in vain is an incident.
"""

import http.client
import secrets as random
import ssl
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.db import transaction

from accounts import tenants
from accounts.models import Account
from accounts.refusals import Refusal
from accounts.roles import Role
from accounts.said import Said
from accounts.scope import Actor, Standing
from devices import settings_tree
from devices.catalog import catalog
from devices.models import Device
from devices.user_agent import product_name
from provisioning import claims, entering, facts, incidents, keeper, publishing, sentences, tokens
from provisioning.gate import State, TokenKind
from provisioning.models import Incident, Lock, Stamp, Token
from security.networks import parse_address

log = structlog.get_logger(__name__)

NAME = "Canary"
AGENT = facts.CANARY_AGENT
STAMP = "canary"
SUBJECT = "canary"
OFF = "off"
PATIENCE = 10.0  # seconds
HERE = "127.0.0.1"  # it is bound to no place that a real phone has


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of one fetch; `trouble` says in words why it was in vain."""

    trouble: str = ""

    @property
    def is_good(self) -> bool:
        return not self.trouble


def is_on() -> bool:
    """Whether this installation keeps a canary."""
    return str(settings.CANARY_URL) != OFF


def look(now: datetime, *, before: bool) -> bool:
    """Fetch the file once; returns whether it came. `before`: the try just before was in vain as well."""
    fetched = _fetch(now)
    if fetched.is_good:
        keeper.stamp(STAMP, now)
        _end(now)
        return True
    log.warning("the canary did not get its file", why=fetched.trouble)
    if before:
        _open(fetched.trouble, now)
    return False


def phone(now: datetime) -> Device:
    """The canary's device in the platform's account, entered and set up when it is not there yet."""
    top = tenants.platform()
    found = (
        Device.objects.filter(account=top, name=NAME, is_enabled=True)
        .exclude(lock__state__in=(State.RETIRED.value, State.QUARANTINED.value))
        .order_by("pk")
        .first()
    )
    return found or _enter(top, now)


def address() -> str:
    """The public address by which it asks."""
    return str(settings.CANARY_URL or settings.PHONES_URL).rstrip("/")


def _fetch(now: datetime) -> Fetched:
    try:
        device = phone(now)
        token = _token(device, now)
    except Refusal as refusal:
        return Fetched(Said("it cannot be set up: {why}", why=str(refusal)))
    if token is None:
        return Fetched(Said("it cannot be set up: it was not admitted at the root URL"))
    parts = urlsplit(f"{address()}/d/{tokens.text_of(token)}/{_file_of(device)}")
    try:
        caller = _caller(parts.scheme, parts.hostname or "", parts.port)
        try:
            caller.request("GET", parts.path, headers={"User-Agent": AGENT, "Connection": "close"})
            answer = caller.getresponse()
            body = answer.read()
        finally:
            caller.close()
    except ssl.SSLCertVerificationError as error:
        why = Said(
            "the certificate of {host} does not hold: {why}", host=parts.hostname, why=error.verify_message
        )
        return Fetched(why)
    except (OSError, http.client.HTTPException, ValueError) as error:
        trouble = str(error or type(error).__name__)
        return Fetched(Said("{host} gave no answer: {why}", host=parts.hostname, why=trouble))
    if answer.status != 200:
        what = f"{answer.status} {answer.reason}".strip()
        return Fetched(Said("{host} answered {what}", host=parts.hostname, what=what))
    return Fetched() if body else Fetched(Said("{host} answered with an empty file", host=parts.hostname))


def _caller(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    if scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=PATIENCE, context=ssl.create_default_context())
    return http.client.HTTPConnection(host, port, timeout=PATIENCE)


def _enter(top: Account, now: datetime) -> Device:
    """A phone of the first family whose models move to a private URL; its MAC is of the range for own use."""
    by = Actor(label="the canary", standings=(Standing(top.path, Role.MANAGER),))
    family, model = next(
        (code, name)
        for code, family in sorted(catalog().families.items())
        for name, model in sorted(family.models.items())
        if not model.single_step
    )
    with transaction.atomic():
        mac = f"02{random.token_hex(5)}"
        device = entering.enter(top, by=by, mac=mac, family=family, model=model, name=NAME, now=now)
        settings_tree.set_value(device, by=by, name="sip_server", value="canary.invalid", now=now)
        lock = Lock.objects.select_for_update().get(pk=device.pk)
        lock.accepted_agents = [product_name(AGENT)]
        lock.save(update_fields=["accepted_agents"])
        publishing.device_changed(device.pk)
    return device


def _token(device: Device, now: datetime) -> Token | None:
    """Its current private URL; without one it is let in at the root as a phone that starts."""
    tokens_ = Token.objects.filter(device=device, kind=TokenKind.CURRENT.value).exclude(sealed=b"")
    token = tokens_.order_by("-pk").first()
    if token is None:
        request = claims.Request(device.mac, _file_of(device), parse_address(HERE), AGENT, secure=True)
        claims.claim(request, now=now)
        token = tokens_.order_by("-pk").first()
    return token


def _file_of(device: Device) -> str:
    """The file whose fetch is a check-in."""
    rules = catalog().families[device.family].files
    return next(rule.path.replace("{mac}", device.mac) for rule in rules if rule.full)


def _short(trouble: str) -> str:
    """As much of it as a title holds; what is cut is cut in English."""
    return trouble if len(trouble) <= 160 else trouble[:160]


def _open(trouble: str, now: datetime) -> None:
    top = tenants.platform()
    good = Stamp.objects.filter(name=STAMP).values_list("at", flat=True).first()
    title = Said("The platform's test phone does not get its file: {trouble}.", trouble=_short(trouble))
    if good:
        title = Said(
            "The platform's test phone does not get its file: {trouble}. The last time it came was {last}.",
            trouble=_short(trouble),
            last=sentences.when(good, top.time_zone, now=now),
        )
    incidents.open_(
        Incident.Kind.CANARY,
        account=top,
        subject=SUBJECT,
        title=title,
        now=now,
        evidence={
            "facts": [[Said("Asked at"), address()], [Said("What came"), trouble]],
            "state": {"since": (good or now).isoformat()},
        },
    )


def _end(now: datetime) -> None:
    going_on = incidents.found(Incident.Kind.CANARY, tenants.platform(), SUBJECT)
    if going_on is not None:
        incidents.end(going_on, how=Said("The test phone got its file by the public address again."), now=now)
