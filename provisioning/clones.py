"""T3: two parties hold a phone's tokens. It is suspected, both are served, and a person answers."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from accounts import audit
from accounts.refusals import Forbidden, Invalid, Refusal
from accounts.roles import Power
from accounts.scope import Actor
from devices import exposing
from devices.models import Device
from provisioning import announcing, events, locking, policies, publishing, suspicion, taking_back, tokens
from provisioning.gate import State, TokenKind
from provisioning.locking import CLOCK
from provisioning.models import Claim, DeviceEvent, Lock, Token
from security.networks import Network, show_address

TAKE_BACK, MOVED, SECRETS = "take-back", "moved", "secrets"
ANSWERS = {
    TAKE_BACK: "the former private URL is the real phone's",
    MOVED: "the phone was moved, all is well",
    SECRETS: "its SIP secrets are changed",
}
EVENT = "clone-suspected"


@dataclass(frozen=True, slots=True)
class Suspected:
    """A phone two parties of which are served until a person has answered, at most until `until`."""

    device: Device
    since: datetime
    until: datetime
    address: str  #: from where the former token was used then
    former_origin: str  #: where the former token was given
    claim: Claim | None  #: the first claim since the former token was current: what *take back* undoes


# --- raised ------------------------------------------------------------------------------------------------


@transaction.atomic
def suspect(token_hash: str, device: Device, *, address: int, at: datetime, now: datetime) -> None:
    """Somebody fetched the full file by a former token at that time, after a later one had been used (T3).

    A note may come late: a token whose overlap has ended since was served then, and is alive again. A token
    that a person ended in between stays dead.
    """
    extensions = exposing.hold(device)
    lock = next(iter(locking.locked_rows([device.pk])), None)
    token = Token.objects.filter(device=device, hash=token_hash).first()
    if lock is None or token is None or not _was_former(token, at):
        return
    suspicion.raise_(lock, why=Lock.Suspicion.CLONE, at=at, now=now)
    if token.clone_since is not None:
        return
    token.kind, token.clone_since = TokenKind.FORMER.value, at
    if lock.state != State.RETIRED.value:  # its tokens have their end (E19)
        token.until = at + tokens.CLONE_TIME
    token.save(update_fields=["kind", "clone_since", "until"])
    events.write(lock.device, EVENT, rule="T3", at=at, address=show_address(address))
    exposing.expose(extensions, by=CLOCK, why=f"Two parties hold private URLs of {device}", now=at)
    if policies.effective(lock.device.account).quarantine_on_clone and lock.state != State.QUARANTINED.value:
        locking.shut_out(lock, by=CLOCK, reason="Two parties hold its private URLs", now=now)
    publishing.device_changed(device.pk)


def _was_former(token: Token, at: datetime) -> bool:
    """Whether the token was a superseded one, and alive, at that time."""
    if token.superseded_at is None or not token.sealed:
        return False
    late = token.kind == TokenKind.DEAD.value and token.until is not None and at < token.until
    return token.kind == TokenKind.FORMER.value or late


# --- shown -------------------------------------------------------------------------------------------------


def open_clone(device: Device, *, now: datetime | None = None) -> Suspected | None:
    """What waits for a person's answer about this phone, if anything does."""
    return next(iter(open_clones([device], now=now)), None)


def open_clones(devices: Iterable[Device], *, now: datetime | None = None) -> list[Suspected]:
    """The phones among these that wait for an answer, one entry each, the oldest suspicion first."""
    known = {device.pk: device for device in devices}
    found: dict[int, Token] = {}
    for token in tokens.suspected(known, now or timezone.now()):
        found.setdefault(token.device_id, token)  # type: ignore[arg-type]
    addresses = {
        (event.device_id, event.at): event.address
        for event in DeviceEvent.objects.filter(device__in=found, what=EVENT)
    }
    claims: dict[int, list[Claim]] = {}
    for claim in Claim.objects.filter(device__in=found, undone_at=None).order_by("pk"):
        claims.setdefault(claim.device_id, []).append(claim)  # type: ignore[arg-type]
    rows = [_suspected(known[pk], token, addresses, claims.get(pk, [])) for pk, token in found.items()]
    return sorted(rows, key=lambda row: row.since)


def _suspected(
    device: Device, token: Token, addresses: dict[tuple[int | None, datetime], str], claims: list[Claim]
) -> Suspected:
    assert token.clone_since is not None
    assert token.until is not None
    return Suspected(
        device=device,
        since=token.clone_since,
        until=token.until,
        address=addresses.get((device.pk, token.clone_since), ""),
        former_origin=str(Network.from_hex(token.first, token.last)),
        claim=next((claim for claim in claims if token.claim_id and claim.pk > token.claim_id), None),
    )


# --- answered ----------------------------------------------------------------------------------------------


@announcing.asked_once()
def answer(device: Device, *, by: Actor, decision: str, now: datetime | None = None) -> Lock:
    """Answer who holds the former token: *take-back*, *moved* or *secrets*; nobody is served twice after it.

    *take-back*: it is the real phone (E16). *moved*: we moved it, and the former tokens are dead at once.
    *secrets*: as moved, and every extension of the phone gets a new secret (E15).
    """
    if decision not in ANSWERS:
        raise Invalid("decision", gettext("One of {names}.").format(names=", ".join(ANSWERS)), rule="T3")
    needed = (Power.TAKE_BACK, Power.EDIT_EXTENSIONS) if decision == SECRETS else (Power.TAKE_BACK,)
    if not all(by.may(power, device.account.path) for power in needed):
        raise Forbidden
    now = now or timezone.now()
    with transaction.atomic():
        extensions = exposing.hold(device)
        lock = locking.locked_row(device, beside=exposing.shown_on(extensions))
        suspected = open_clone(lock.device, now=now)
        if suspected is None:
            raise Refusal(
                "T3", gettext("This was answered already, or its 30 days are over."), code="answered"
            )
        if decision == TAKE_BACK:
            lock = taking_back.take_back(device, by=by, claim=suspected.claim, now=now)
        else:
            tokens.kill(tokens.superseded(device), now=now)
        if decision == SECRETS:
            for extension in extensions:
                exposing.new_secret(extension, by=by, now=now)
        audit.record(by, "clone.answered", device, now=now, decision=decision)
        events.write(lock.device, "clone-answered", by=by, rule="T3", at=now, answer=ANSWERS[decision])
        publishing.device_changed(device.pk)
    return lock
