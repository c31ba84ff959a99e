"""From rows to what the gate reads: a device's facts, its tokens, the windows and the standing of an address.

Always for many devices at once and in a constant number of queries: publishing, the claim and the pages
all build the same facts here.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import QuerySet

from accounts.models import Account
from devices.catalog import catalog
from devices.models import Device, SiteNetwork
from provisioning import gate, policies, wire
from provisioning.models import Claim, Denial, Lock, Proof, Token, Window
from security.models import Ban
from security.networks import Network, origin_of

SHARED_TIME = timedelta(days=30)
CANARY_AGENT = "Latchkey-Canary/1"
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class DeviceRecords:
    """What the store holds of one device: its lock summary and its tokens by hash."""

    lock: wire.LockRecord
    tokens: dict[str, wire.TokenRecord]


def load(device_ids: Sequence[int], now: datetime) -> dict[int, gate.DeviceFacts]:
    """The facts of each device, with the networks of the sites that they are bound to as they are now."""
    found = records(device_ids, now)
    lists = site_lists()
    return {pk: record.lock.resolved(lists) for pk, record in found.items()}


def records(
    device_ids: Sequence[int], now: datetime, *, all_tokens: bool = False
) -> dict[int, DeviceRecords]:
    """What the store should hold of each device, at its present revision.

    Tokens that died more than a day ago stand in the store as dead already; a rebuild asks for all.
    """
    # The lock first: whatever is committed later than its revision was read is published again by its author.
    locks = {
        lock.pk: lock
        for lock in Lock.objects.filter(pk__in=device_ids).select_related(
            "device__account", "device__site", "bound_site"
        )
    }
    if not locks:
        return {}
    inactive = _inactive_paths()
    accounts = {lock.device.account_id: lock.device.account for lock in locks.values()}
    effective = policies.effective_many(list(accounts.values()))
    denials = _grouped(Denial.objects.filter(lock__in=locks, until__gt=now), "lock_id")
    rows = Token.objects.filter(device__in=locks).order_by("claim_id", "id")
    if not all_tokens:
        rows = rows.exclude(kind=gate.TokenKind.DEAD.value, until__lt=now - DAY)
    tokens = _grouped(rows, "device_id")
    claims = _used_claims(locks, now)

    found = {}
    for pk, lock in locks.items():
        device = lock.device
        enabled = device.is_enabled and not any(device.account.path.startswith(path) for path in inactive)
        own_tokens: list[Token] = tokens.get(pk, [])
        facts = gate.DeviceFacts(
            code=str(device.code),
            mac=device.mac,
            family=device.family,
            account_path=device.account.path,
            state=gate.State(lock.state),
            enabled=enabled,
            site=str(device.site.code) if device.site else None,
            single_step=is_single_step(device),
            bound=(lock.bound_network,) if lock.bound_network and not lock.bound_site_id else (),
            armed_at=lock.armed_at.timestamp(),
            grant=_grant(lock),
            hand_out=_hand_out(own_tokens),
            denied=tuple(
                gate.Denial(Network.from_hex(d.first, d.last), d.since.timestamp(), d.until.timestamp())
                for d in denials.get(pk, [])
            ),
            suspicion_until=lock.suspicion_until.timestamp() if lock.suspicion_until else 0.0,
            accepted_agents=frozenset(lock.accepted_agents),
            used_claims=tuple(claims.get(pk, ())),
            last_claim_at=lock.last_claim_at.timestamp() if lock.last_claim_at else 0.0,
            policies=effective[device.account_id].gate(),
        )
        site = str(lock.bound_site.code) if lock.bound_site else None
        found[pk] = DeviceRecords(
            lock=wire.LockRecord(lock.revision, facts, bound_site=site, model=device.model),
            tokens=_token_records(lock, facts, site, own_tokens),
        )
    return found


def book_of(device: Device, state: gate.State) -> str | None:
    """The code of the account whose phone book the phone gets; a retired one gets none (E19)."""
    family = catalog().families.get(device.family)
    model = family.models.get(device.model) if family else None
    if family is None or model is None or state is gate.State.RETIRED:
        return None
    return device.account.code.hex if family.phone_book(model.generation) else None


def is_single_step(device: Device) -> bool:
    """Whether the catalogue says that this model cannot be moved to a private URL."""
    family = catalog().families.get(device.family)
    model = family.models.get(device.model) if family else None
    return bool(model and model.single_step)


def is_slow(device: Device) -> bool:
    """Whether the catalogue says that this model's bootstrap can take an hour to bring it over."""
    family = catalog().families.get(device.family)
    model = family.models.get(device.model) if family else None
    return bool(family and model and family.generations[model.generation].slow)


def windows(now: datetime) -> tuple[gate.Window, ...]:
    """The windows that are open or will open."""
    return as_facts(Window.objects.open_or_coming(now))


def windows_at(address: int, now: datetime) -> tuple[gate.Window, ...]:
    """As `windows`, but only those whose origin holds the address."""
    where = f"{address:032x}"
    return as_facts(Window.objects.open_or_coming(now).filter(first__lte=where, last__gte=where))


def as_facts(rows: "QuerySet[Window]") -> tuple[gate.Window, ...]:
    """Windows as the gate reads them."""
    return tuple(map(window, rows.select_related("account", "site").prefetch_related("devices")))


def window(row: Window) -> gate.Window:
    """One window as the gate reads it."""
    return gate.Window(
        origin=row.network,
        account_path=row.account.path,
        starts=row.starts_at.timestamp(),
        ends=row.ends_at.timestamp(),
        site=str(row.site.code) if row.site else None,
        devices=frozenset(str(d.code) for d in row.devices.all()) if row.listed else None,
        covers=row.covers,
    )


def standing_of(address: int, now: datetime, *, earned: bool = True) -> tuple[bool, bool]:
    """Whether the address is banned, and whether it is blocked; `earned` bans count, or the others alone."""
    where = f"{address:032x}"
    rows = Ban.objects.standing(now).filter(first__lte=where, last__gte=where)
    kinds = set((rows if earned else rows.filter(step=0)).values_list("kind", flat=True))
    return Ban.Kind.BANNED in kinds, Ban.Kind.BLOCKED in kinds


def is_shared(address: int, now: datetime) -> bool:
    """Whether proved phones of two customers checked in from this origin during the last 30 days."""
    return bool(shared(now, at=[origin_of(address)]))


def shared(now: datetime, *, at: Iterable[Network] | None = None) -> frozenset[Network]:
    """Every shared origin, or those of some."""
    rows = Proof.objects.filter(at__gte=now - SHARED_TIME)
    if at is not None:
        rows = rows.filter(first__in={origin.hex_first for origin in at})
    seen: dict[tuple[str, str], set[str]] = defaultdict(set)
    for first, last, path in rows.values_list("first", "last", "device__account__path").distinct():
        seen[first, last].add(path)
    several = {origin: paths for origin, paths in seen.items() if len(paths) > 1}
    customer_of = _customers(set().union(*several.values()))
    return frozenset(
        Network.from_hex(*origin)
        for origin, paths in several.items()
        if len({customer_of[path] for path in paths}) > 1
    )


def site_lists() -> wire.Lists:
    """Lists that hold the sites alone."""
    grouped: dict[str, tuple[str, list[Network]]] = {}
    rows = SiteNetwork.objects.values_list("site__code", "account__path", "first", "last")
    for code, path, first, last in rows:
        grouped.setdefault(str(code), (path, []))[1].append(Network.from_hex(first, last))
    return wire.Lists(
        sites={code: wire.SiteNetworks(path, tuple(networks)) for code, (path, networks) in grouped.items()}
    )


def _customers(paths: Collection[str]) -> dict[str, str]:
    """The customers these accounts are or belong to; an account above all customers stands for itself."""
    if not paths:
        return {}
    above = {path: [path[:end] for end in range(4, len(path) + 1, 4)] for path in paths}
    reach = {step for steps in above.values() for step in steps}
    rows = Account.objects.filter(path__in=reach, kind=Account.Kind.CUSTOMER)
    customers = set(rows.values_list("path", flat=True))
    return {path: next((step for step in above[path] if step in customers), path) for path in paths}


def _inactive_paths() -> list[str]:
    return list(Account.objects.filter(is_active=False).values_list("path", flat=True))


def _grouped(rows: Iterable[object], column: str) -> dict[int, list]:  # type: ignore[type-arg]
    grouped: dict[int, list[object]] = defaultdict(list)
    for row in rows:
        grouped[getattr(row, column)].append(row)
    return grouped


def _used_claims(device_ids: Iterable[int], now: datetime) -> dict[int, list[float]]:
    """When the claims of the last 24 h whose tokens were used happened (R4)."""
    used: dict[int, list[float]] = defaultdict(list)
    rows = Claim.objects.filter(
        device__in=device_ids, at__gt=now - DAY, tokens__first_used_at__isnull=False
    ).distinct()
    for device_id, at in rows.values_list("device_id", "at").order_by("at"):
        used[device_id].append(at.timestamp())
    return used


def _grant(lock: Lock) -> gate.Grant | None:
    if lock.grant_given_at is None:
        return None
    until = lock.grant_until.timestamp() if lock.grant_until else None
    return gate.Grant(until, lock.grant_origin, lock.grant_given_at.timestamp())


def _hand_out(tokens: Sequence[Token]) -> gate.HandOut | None:
    """The last claim's: when and to which origin the present tokens were given (R4a)."""
    current = next((t for t in tokens if t.kind == gate.TokenKind.CURRENT), None)
    if current is None:
        return None
    return gate.HandOut(
        current.issued_at.timestamp(),
        Network.from_hex(current.first, current.last),
        current.first_used_at is not None,
    )


def _token_records(
    lock: Lock, facts: gate.DeviceFacts, site: str | None, tokens: Sequence[Token]
) -> dict[str, wire.TokenRecord]:
    main = {t.claim_id: t.hash for t in tokens if t.kind in (gate.TokenKind.CURRENT, gate.TokenKind.FORMER)}
    return {
        token.hash: token_record(
            token,
            revision=lock.revision,
            files_revision=lock.files_revision,
            device=facts,
            model=lock.device.model,
            bound_site=site,
            file_of=main.get(token.claim_id) if token.kind == gate.TokenKind.ENTRY else None,
            book_of=book_of(lock.device, facts.state),
        )
        for token in tokens
    }


def token_record(
    token: Token,
    *,
    revision: int,
    files_revision: int = 0,
    device: gate.DeviceFacts | None = None,
    model: str = "",
    bound_site: str | None = None,
    file_of: str | None = None,
    book_of: str | None = None,
) -> wire.TokenRecord:
    """One token as the store holds it; a dead one keeps its MAC alone (T4)."""
    kind = gate.TokenKind(token.kind)
    if kind is gate.TokenKind.DEAD or device is None:
        dead = gate.TokenFacts(mac=token.mac, kind=gate.TokenKind.DEAD)
        return wire.TokenRecord(revision, wire.NO_FILES, dead)
    former = kind is gate.TokenKind.FORMER
    origins = (
        tuple((wire.unpack_network(name), at) for name, at in sorted(token.origins.items())) if former else ()
    )
    return wire.TokenRecord(
        revision,
        files_revision,
        gate.TokenFacts(
            mac=token.mac,
            kind=kind,
            code=device.code,
            family=device.family,
            state=device.state,
            enabled=device.enabled,
            bound=device.bound,
            origin=Network.from_hex(token.first, token.last) if kind is gate.TokenKind.ENTRY else None,
            until=token.until.timestamp() if token.until else None,
            superseded=former and token.superseded_at is not None,
            origins=origins,
            used=token.first_used_at is not None,
        ),
        model=model,
        bound_site=bound_site,
        file_of=file_of,
        book_of=book_of,
    )


def aware(epoch: float) -> datetime:
    """An instant of the store as the rows hold it."""
    return datetime.fromtimestamp(epoch, tz=UTC)
