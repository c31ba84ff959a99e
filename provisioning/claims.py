"""The one transaction in which a phone takes its lock: decided anew, committed before the body leaves."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from devices import settings_tree
from devices.catalog import catalog
from devices.models import Device, SiteNetwork
from devices.user_agent import parse_agent, product_name
from provisioning import announcing, facts, gate, policies, publishing, tokens, windows, wire
from provisioning.announcing import Happened
from provisioning.compiling import CompiledFile, compile_bootstrap
from provisioning.gate import (
    Asked,
    Caller,
    DeviceFacts,
    Method,
    Outcome,
    RootFacts,
    State,
    Then,
    TokenKind,
    Verdict,
)
from provisioning.models import Claim, DeviceEvent, Lock, MacRecord, Token
from security.networks import Network, origin_of, show_address

BY_WINDOW = ("R2", "R5")
UNKNOWN = Verdict(Outcome.REFUSED, "R11", key=gate.KeyKind.UNKNOWN_MAC)


@dataclass(frozen=True, slots=True)
class Request:
    """A GET of a claiming file at the root URL (or below a dead token, T4)."""

    mac: str
    file_name: str
    address: int
    agent: str
    certificate_mac: str | None = None
    secure: bool = False  #: asked over HTTPS


@dataclass(frozen=True, slots=True)
class Answer:
    """The verdict and, when it is BOOTSTRAP, the body; both committed."""

    verdict: Verdict
    file: CompiledFile | None = None


def database_now() -> datetime:
    """The database's clock: edges on several machines must not disagree about an unlock's end."""
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        at: datetime = cursor.fetchone()[0]
        return at


def caller(request: Request, now: datetime) -> Caller:
    """What the rows know of the one who asks."""
    # Earned bans come and end at the edge, which has just looked; their rows follow.
    banned, blocked = facts.standing_of(request.address, now, earned=False)
    agent = parse_agent(request.agent)
    return Caller(
        address=request.address,
        agent_family=agent.family if agent else None,
        agent_mac=agent.mac if agent else None,
        agent_product=agent.product if agent else product_name(request.agent),
        certificate_mac=request.certificate_mac,
        banned=banned,
        blocked=blocked,
        shared=facts.is_shared(request.address, now),
    )


def claim(request: Request, *, now: datetime | None = None) -> Answer:
    """Decide on the rows under the phone's row lock and, where a rule admits, bind it and bring new tokens.

    Of two callers for one grant the second waits for the first one's commit and is then judged by what it
    left. Raises django.db.OperationalError when the database is away or a lock is not to be had in time.
    """
    with transaction.atomic():
        lock = _held(request.mac)
        if lock is None:
            return Answer(UNKNOWN)
        at = now or database_now()
        phone = facts.load([lock.pk], at)[lock.pk]
        verdict = gate.decide_root(
            RootFacts(
                now=at.timestamp(),
                method=Method.GET,
                asked=Asked.CLAIMING,
                caller=caller(request, at),
                device=phone,
                windows=facts.windows_at(request.address, at),
            )
        )
        if verdict.outcome is not Outcome.BOOTSTRAP:
            return Answer(verdict)
        if verdict.then is Then.CLAIM:
            if lock.is_heard:  # type: ignore[attr-defined]  # by `_held`
                _announce(lock, phone, verdict, request, at)
            _take(lock, verdict, request, at)
        if verdict.then is not Then.POLL:  # a check-in, which the edge notes
            _write_event(lock.device, verdict, request, at)
        return Answer(verdict, _body(lock, request, at))


def _held(mac: str) -> Lock | None:
    """The lock of the phone with this MAC, held; None when there is none.

    Read anew once it is held: what is joined to a locking query is from before the wait, and meanwhile the
    phone may have been given to another account (E17) or another MAC (E12).
    """
    held = Lock.objects.select_for_update(of=("self",)).filter(device__mac=mac).order_by().only("pk").first()
    if held is None:
        return None
    rows = Lock.objects.select_related("device__account", "device__site", "bound_site")
    heard = announcing.somebody_listens("device__account__path")
    lock: Lock | None = rows.annotate(is_heard=heard).filter(pk=held.pk, device__mac=mac).first()
    return lock


def _announce(lock: Lock, phone: DeviceFacts, verdict: Verdict, request: Request, now: datetime) -> None:
    """Tell whoever listens what this claim is; the lock still says what it was."""
    device, was_open = lock.device, lock.state == State.UNLOCKED.value
    rule, origin = verdict.rule, str(origin_of(request.address))
    told: list[tuple[str, dict[str, Any]]] = []
    if verdict.unlock_expired:
        told.append(("device.unlock_expired", {"rule": "R8", "ended": lock.grant_until}))
    elif was_open and (verdict.spends_grant or verdict.drops_grant):
        facts_of = {"rule": rule, "origin": origin, "unlocked_by": lock.grant_by}
        told.append(("device.unlock_used", facts_of))
    if lock.state == State.NEW.value or lock.last_claim_at is None:
        told.append(("device.first_provisioned", {"rule": rule, "origin": origin}))
    happened = [Happened(kind, device.account, now, device, facts=named) for kind, named in told]
    if rule in BY_WINDOW:
        used = windows.used(device, phone, address=request.address, rule=rule, at=now)
        happened += [used] if used else []
    announcing.announce_many(happened)


def _take(lock: Lock, verdict: Verdict, request: Request, now: datetime) -> None:
    """Bind the lock as the verdict says and bring a new current token."""
    device = lock.device
    origin = origin_of(request.address)
    claim_row = Claim.objects.create(
        device=device,
        mac=device.mac,
        at=now,
        rule=verdict.rule,
        first=origin.hex_first,
        last=origin.hex_last,
        address=show_address(request.address),
        agent=request.agent[:256],
        before={
            "state": lock.state,
            "reason": lock.reason,
            "bound": [lock.bound_first, lock.bound_last],
            "site": str(lock.bound_site.code) if lock.bound_site else None,
        },
    )
    if not facts.is_single_step(device):  # T1
        Token.objects.filter(device=device, kind=TokenKind.CURRENT.value).update(kind=TokenKind.FORMER.value)
        tokens.issue(device, claim_row, TokenKind.CURRENT, origin, now)
    changed = _apply(lock, verdict, request.address, origin, now)
    lock.save(update_fields=changed)
    MacRecord.objects.update_or_create(
        mac_hash=wire.mac_hash(settings.TOKEN_KEY, device.mac),
        defaults={"account_code": device.account.code, "claimed": True, "left_at": None},
    )
    publishing.claimed(device.pk)


def _apply(lock: Lock, verdict: Verdict, address: int, origin: Network, now: datetime) -> list[str]:
    """The verdict's effects on the lock's columns; returns which were changed."""
    changed = ["last_claim_at"]
    lock.last_claim_at = now
    if verdict.binds:
        changed += bind(lock, origin)
    grant_ends = verdict.spends_grant or verdict.drops_grant or verdict.unlock_expired
    if grant_ends or lock.state != State.UNLOCKED.value:
        lock.state, lock.reason = State.LOCKED.value, ""
        lock.grant_given_at = lock.grant_until = None
        lock.grant_first = lock.grant_last = lock.grant_by = ""
        changed += [
            "state",
            "reason",
            "grant_given_at",
            "grant_until",
            "grant_first",
            "grant_last",
            "grant_by",
        ]
    if verdict.binds or grant_ends:
        lock.since, lock.by = now, f"first fetch ({verdict.rule})"
        changed += ["since", "by"]
    return changed


def bind(lock: Lock, origin: Network) -> list[str]:
    """Bind the lock to the account's site that holds the origin, else to the origin; returns the columns."""
    found = SiteNetwork.objects.filter(
        account=lock.device.account, first__lte=origin.hex_first, last__gte=origin.hex_last
    )
    network = found.select_related("site").first()
    lock.bound_site = network.site if network else None
    lock.bound_first, lock.bound_last = ("", "") if network else (origin.hex_first, origin.hex_last)
    return ["bound_site", "bound_first", "bound_last"]


def _entry_token(current: Token, device: Device, now: datetime) -> Token:
    """The entry token of the last claim: the same for every repeat (R4a), made when a file first names it."""
    given = Token.objects.filter(claim=current.claim_id).exclude(pk=current.pk).first()
    if given is not None:
        return given
    assert current.claim is not None
    origin = Network.from_hex(current.first, current.last)
    entry = tokens.issue(device, current.claim, TokenKind.ENTRY, origin, now)
    if current.issued_at != now:
        publishing.claimed(device.pk)
    return entry


def _body(lock: Lock, request: Request, now: datetime) -> CompiledFile:
    """The bootstrap for this name; a single_step phone's whole file, which names the root."""
    device = lock.device
    # A secret that no key opens must not keep a phone from its bootstrap, which holds none.
    phone = settings_tree.phone_settings([device], unreadable={}).get(device.pk)
    plain = phone is not None and phone.plain_http
    root = tokens.root_url(device, plain=plain)
    full, here, build = False, root, lock.files_revision
    if not facts.is_single_step(device):
        current = Token.objects.select_related("claim").get(device=device, kind=TokenKind.CURRENT.value)
        full = phone is not None and _moves_by_full_file(device, request)
        token = current if full else _entry_token(current, device, now)
        here = tokens.private_url(token, device, plain=plain)
        build = tokens.build(current, lock.files_revision)
    name = request.file_name
    return compile_bootstrap(
        device.family, device.model, device.mac, name, here, root, phone, full=full, build=build
    )


def _moves_by_full_file(device: Device, request: Request) -> bool:
    """Whether this name is `full_and_move` and may be: over HTTPS, or by an explicit policy."""
    rule = catalog().own_file(device.family, device.model, device.mac, [request.file_name])
    if rule is None or not rule.full_and_move:
        return False
    return request.secure or policies.effective(device.account).full_over_http


def _write_event(device: Device, verdict: Verdict, request: Request, now: datetime) -> None:
    DeviceEvent.objects.create(
        device=device,
        account=device.account,
        mac=device.mac,
        at=now,
        what="request",
        outcome=verdict.outcome.value,
        rule=verdict.rule,
        address=show_address(request.address),
        agent=request.agent[:256],
        file=request.file_name[:120],
        details={"unlock_expired": True} if verdict.unlock_expired else {},
    )


def first_use(token_hash: str, address: int, *, now: datetime | None = None) -> bool:
    """Write down the first use of an entry or current token, before the body leaves (T2); safe to repeat."""
    with transaction.atomic():
        token = Token.objects.filter(hash=token_hash).exclude(kind=TokenKind.DEAD.value).first()
        if token is None or token.device_id is None:
            return False
        lock = (
            Lock.objects.select_for_update(of=("self",))
            .select_related("device__account")
            .get(pk=token.device_id)
        )
        token.refresh_from_db()
        at = now or database_now()
        overlap: timedelta = policies.effective(lock.device.account).token_overlap
        if token.kind == TokenKind.DEAD.value or not tokens.used_first(token, overlap=overlap, now=at):
            return False
        publishing.device_changed(lock.pk)
        return True
