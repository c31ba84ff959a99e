"""O4: the binding follows a phone that stays elsewhere, slowly; its first use of a new place can be told."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from django.conf import settings

from accounts import audit, cleaning
from accounts.scope import Actor
from devices.levels import effective
from devices.models import Device
from provisioning import (
    announcing,
    claims,
    coming_over,
    describing,
    events,
    facts,
    locking,
    policies,
    publishing,
    sites,
    tokens,
    wire,
)
from provisioning.gate import State, TokenKind
from provisioning.models import Denial, Lock, Token
from security.networks import Network, any_holds, origin_of, show_address

THE_PHONE = Actor.system("the phone (O4)")
FOLLOWING = ("follow_first", "follow_last", "follow_since")
ALERT = "alert"
DRIFT = "device.origin_drift"
EMERGENCY = "An emergency address that is kept for this phone may be wrong now."

SiteNetworks = Sequence[tuple[Network, int]]  # an account's, each with its site


@dataclass(frozen=True, slots=True)
class Use:
    """A check-in by the current token: from where, when, and whether the edge saw it away from its place."""

    device: Device
    address: int
    at: datetime
    drift: bool
    token: str  # its hash

    @property
    def origin(self) -> Network:
        return origin_of(self.address)


def note_use(
    device: Device, *, address: int, at: datetime, current: bool, drift: bool, now: datetime, token: str = ""
) -> None:
    """As `note_uses` for one check-in; one by another token than the current one says nothing."""
    if current:
        note_uses([Use(device, address, at, drift, token)], now=now)


def note_uses(uses: Sequence[Use], *, now: datetime) -> None:
    """Remember where these phones are used, tell what is new, and let the bindings follow that may.

    In the transaction of whoever drains the notes. It costs no query where every phone is at its place.
    """
    away = {use.device.pk for use in uses if use.drift or use.device.lock.follow_first}
    if not away:
        return
    uses = sorted((use for use in uses if use.device.pk in away), key=lambda use: use.at)
    locks = {lock.pk: lock for lock in locking.locked_rows(away)}
    accounts = {lock.device.account for lock in locks.values()}
    effective = policies.effective_many(accounts)
    places = sites.places(account.pk for account in accounts)
    alerted = {pk for pk, policy in effective.items() if policy.poll_from_new_origin == ALERT}
    heard = announcing.heard(DRIFT, accounts)
    told = [
        use
        for use in uses
        if use.drift and (use.device.account_id in alerted or use.device.account.path in heard)
    ]
    _tell_new_places(told, places, alerted)

    @cache
    def fits(address: int) -> bool:
        return not facts.is_shared(address, now) and not any(facts.standing_of(address, now))

    changed = {}
    for use in uses:
        if (lock := locks.get(use.device.pk)) is None:
            continue
        before = lock.follow_first, lock.follow_since
        account = lock.device.account_id
        if _stays(lock, use, places[account]) and _may_follow(lock, use, effective[account], fits):
            _follow(lock, use, now)
        if (lock.follow_first, lock.follow_since) != before:
            changed[lock.pk] = lock
    Lock.objects.bulk_update(changed.values(), FOLLOWING)


def _place(origin: Network, own: SiteNetworks) -> Network | int:
    """What counts as one place: a site of the account, else the origin itself."""
    return next((site for network, site in own if network.holds(origin)), origin)


# --- what is new -------------------------------------------------------------------------------------------


def _tell_new_places(uses: Sequence[Use], places: sites.Places, alerted: Collection[int]) -> None:
    """Tell of each place that a phone's token had never been used from, once.

    People by the policy `poll_from_new_origin`, and programs that listen.
    """
    if not uses:
        return
    rows = Token.objects.filter(device__in={use.device.pk for use in uses}).exclude(kind=TokenKind.DEAD.value)
    held = list(rows)
    known = {token.hash: [wire.unpack_network(name) for name in token.origins] for token in held}
    current = {token.device_id: token.hash for token in held if token.kind == TokenKind.CURRENT.value}
    for use in uses:
        origins = known.get(use.token or current.get(use.device.pk, ""))
        own = places[use.device.account_id]
        if origins is None or _place(use.origin, own) in [_place(origin, own) for origin in origins]:
            continue
        origins.append(use.origin)
        if use.device.account_id in alerted:
            events.write(use.device, "origin-drift", rule="O4", at=use.at, address=show_address(use.address))
            publishing.tell_later("origin-drift", use.device.pk, "")
        told = {"rule": "O4", "origin": str(use.origin), "warning": EMERGENCY}
        announcing.announce(DRIFT, use.device.account, at=use.at, device=use.device, **told)


# --- the second place --------------------------------------------------------------------------------------


def _stays(lock: Lock, use: Use, own: SiteNetworks) -> bool:
    """Whether the phone was used here before and nowhere else since; else remember what this use tells."""
    changed_at = max(lock.since, lock.last_claim_at or lock.since)
    if use.at <= changed_at:
        return False  # it tells of the lock as it was
    bound = _bound(lock, own)
    at_home = not use.drift or not bound or any_holds(bound, use.address)
    if lock.follow_since is not None and changed_at < lock.follow_since:
        if use.at < lock.follow_since:
            return False  # it came late, and tells of the time before
        here = _place(Network.from_hex(lock.follow_first, lock.follow_last), own)
        if not at_home and _place(use.origin, own) == here:
            return True
    if at_home:
        lock.follow_first, lock.follow_last, lock.follow_since = "", "", None
    else:
        lock.follow_first, lock.follow_last = use.origin.hex_first, use.origin.hex_last
        lock.follow_since = use.at
    return False


def _bound(lock: Lock, own: SiteNetworks) -> list[Network]:
    if lock.bound_site_id is not None:
        return [network for network, site in own if site == lock.bound_site_id]
    return [lock.bound_network] if lock.bound_network else []


# --- following ---------------------------------------------------------------------------------------------


def _may_follow(lock: Lock, use: Use, policy: policies.Effective, fits: Callable[[int], bool]) -> bool:
    """Whether the binding follows by this use: an interval later, over https, to a place of the phone's."""
    if lock.state != State.LOCKED.value or not policy.origin_follows or lock.follow_since is None:
        return False
    if use.at - lock.follow_since < coming_over.POLL:
        return False
    if not (settings.LATCHKEY_TRIAL or _over_https(lock.device)):
        return False
    return fits(use.address) and not _is_denied(lock, use.address, use.at)


def _over_https(device: Device) -> bool:
    plain = not effective(device)["provision_over_https_only"].value
    return tokens.root_url(device, plain=plain).startswith("https://")


def _is_denied(lock: Lock, address: int, at: datetime) -> bool:
    where = f"{address:032x}"
    return Denial.objects.filter(lock=lock, until__gt=at, first__lte=where, last__gte=where).exists()


def _follow(lock: Lock, use: Use, now: datetime) -> None:
    """Bind the lock to where the phone has stayed; its candidate is done with."""
    old = describing.bound_origin(lock)
    changed = claims.bind(lock, use.origin)
    lock.since, lock.by = use.at, THE_PHONE.label
    lock.follow_first, lock.follow_last, lock.follow_since = "", "", None
    cleaning.full_clean(lock)
    lock.save(update_fields=[*changed, "since", "by"])
    details: dict[str, Any] = {"old": old, "new": describing.bound_origin(lock)}
    address = show_address(use.address)
    audit.record(THE_PHONE, "device.origin-followed", lock.device, now=now, **details)
    events.write(
        lock.device, "origin-followed", by=THE_PHONE, rule="O4", at=use.at, address=address, **details
    )
    told = {"rule": "O4", "by": THE_PHONE.label, "bound": details["new"]}
    announcing.announce("device.locked", lock.device.account, at=use.at, device=lock.device, **told)
    publishing.device_changed(lock.pk)
