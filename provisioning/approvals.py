"""Pending approvals: a phone was refused somewhere, and a person answers (E14)."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet, Sum
from django.utils import timezone
from django.utils.translation import gettext

from accounts import audit, cleaning
from accounts.models import Account
from accounts.refusals import Forbidden, Invalid, Refusal
from accounts.roles import Power
from accounts.scope import Actor
from devices.models import Device, Site
from provisioning import announcing, events, locking, publishing, sites
from provisioning.evidence import Evidence as Evidence
from provisioning.evidence import accepting, is_bound_there, proved_there
from provisioning.evidence import evidence as evidence
from provisioning.evidence import evidence_of as evidence_of
from provisioning.gate import Outcome
from provisioning.locking import CLOCK, Span
from provisioning.models import Approval, Denial, DeviceEvent, Lock
from provisioning.windows import withdraw_keys
from security.networks import Network, origin_of, parse_address, show_address

OPEN_TIME = timedelta(hours=24)
OPEN_AN_ACCOUNT = 50
ORIGINS_SHOWN = 3
DENIED_FOR = timedelta(days=30)
CARD_RULES = ("R3", "R3a", "R3b", "R6", "R9", "R12")
ONCE, SITE, DENY, QUARANTINE = "once", "site", "deny", "quarantine"


# --- cards -------------------------------------------------------------------------------------------------


def note_try(
    device: Device, *, rule: str, address: int, agent: str, product: str, at: datetime, count: int
) -> Approval | None:
    """Open the phone's card or add a try to it; None when the rule makes none or the account has its 50.

    Runs in the transaction of whoever drains the notes, so late notes of a closed day open nothing.
    """
    if rule not in CARD_RULES or at + OPEN_TIME <= timezone.now():
        return None
    # The lock's row first, here and in `answer`: the drain and a person never wait for each other in a ring.
    locking.locked_row(device)
    card = Approval.objects.select_for_update().filter(device=device, status=Approval.Status.OPEN).first()
    if card is not None and card.closes_at <= at:
        _close(card, at)
        card = None
    if card is None:
        if (
            Approval.objects.filter(account=device.account, status=Approval.Status.OPEN).count()
            >= OPEN_AN_ACCOUNT
        ):
            return None
        card = Approval(
            device=device,
            account=device.account,
            rule=rule,
            opened_at=at,
            closes_at=at + OPEN_TIME,
            last_try_at=at,
        )
        events.write(device, "approval-opened", rule=rule, at=at, address=show_address(address))
    _add_try(card, rule=rule, address=address, agent=agent, product=product, at=at, count=count)
    is_new = card.pk is None
    card.save()
    if is_new:
        announcing.announce(
            "approval.pending",
            card.account,
            at=at,
            device=device,
            rule=rule,
            approval=str(card.code),
            origin=str(origin_of(address)),
            address=show_address(address),
            until=card.closes_at,
        )
    return card


def _add_try(
    card: Approval, *, rule: str, address: int, agent: str, product: str, at: datetime, count: int
) -> None:
    origin = origin_of(address)
    held = [entry for entry in card.origins if entry["first"] != origin.hex_first]
    newest = {
        "first": origin.hex_first,
        "last": origin.hex_last,
        "address": show_address(address),
        "agent": agent[:256],
        "product": product[:120],
        "at": at.isoformat(),
        "rule": rule,
    }
    card.origins = [newest, *held][:ORIGINS_SHOWN]
    card.rule = rule
    card.last_try_at = max(card.last_try_at, at)
    card.tries += count


def further_tries(account: Account, *, now: datetime) -> tuple[int, int]:
    """What has no card of its own: "and 37 further tries from 12 addresses" of the last 24 h."""
    return further(DeviceEvent.objects.filter(account=account), now=now)


def further(events_of: "QuerySet[DeviceEvent]", *, now: datetime) -> tuple[int, int]:
    """As `further_tries`, of these events."""
    rows = events_of.filter(
        at__gt=now - OPEN_TIME,
        what="request",
        outcome=Outcome.REFUSED.value,
        rule__in=CARD_RULES,
    ).exclude(device__approvals__opened_at__gt=now - OPEN_TIME)
    tries = rows.aggregate(tries=Sum("count"))["tries"] or 0
    return tries, rows.order_by().values("address").distinct().count()


def sweep(now: datetime) -> int:
    """Close the cards that nobody answered in 24 h; safe to run twice or late."""
    over = list(
        Approval.objects.filter(status=Approval.Status.OPEN, closes_at__lte=now).values_list("pk", flat=True)
    )
    closed = 0
    for pk in over:
        with transaction.atomic():
            card = (
                Approval.objects.select_for_update(of=("self",)).select_related("device__account").get(pk=pk)
            )
            if card.status == Approval.Status.OPEN:
                _close(card, now)
                closed += 1
    return closed


def close_for(device: Device, *, by: Actor, now: datetime) -> None:
    """Close the card of a phone that asks no more: given away, swapped or retired. Its lock's row is held."""
    Approval.objects.filter(device=device, status=Approval.Status.OPEN).update(
        status=Approval.Status.CLOSED, decided_at=now, decided_by=by.label
    )


def _close(card: Approval, now: datetime) -> None:
    card.status, card.decided_at, card.decided_by = Approval.Status.CLOSED, now, CLOCK.label
    card.save(update_fields=["status", "decided_at", "decided_by"])
    events.write(card.device, "approval-closed", rule="E14", at=now)


# --- answers -----------------------------------------------------------------------------------------------


@announcing.asked_once()
def answer(
    approval: Approval,
    *,
    by: Actor,
    decision: str,
    site: Site | None = None,
    typed: str = "",
    origin: Network | None = None,
    now: datetime | None = None,
) -> Approval:
    """Answer a card: *once*, *site*, *deny* or *quarantine*.

    `origin` is the one of the card's last three that is meant; without it the newest one that the caller saw.
    A try that comes in meanwhile is never the one that is let in.
    """
    now = now or timezone.now()
    device = approval.device
    origin = _meant(approval, by, decision, origin)
    with transaction.atomic():
        if decision == SITE:  # in the order in which a change of the site itself holds them
            Account.objects.select_for_update(no_key=True).get(pk=device.account_id)
        lock = locking.locked_row(device)
        card: Approval = (
            Approval.objects.select_for_update(of=("self",))
            .select_related("device__account")
            .get(pk=approval.pk)
        )
        if card.status != Approval.Status.OPEN or card.closes_at <= now:
            raise Refusal(
                "E14", gettext("This was answered already, or its 24 hours are over."), code="answered"
            )
        tried = _chosen(card, origin)
        where = _network(tried)
        if decision == ONCE:
            _once(lock, tried, by=by, now=now)
        elif decision == SITE:
            _join_site(card, where, site, typed, by=by, now=now)
            _once(lock, tried, by=by, now=now)
        elif decision == DENY:
            _deny(lock, where, by=by, now=now)
        else:
            locking.quarantine(card.device, by=by, reason="Answer to a refused request", now=now)
        card.status, card.decided_at, card.decided_by = Approval.Status(decision), now, by.label
        card.save(update_fields=["status", "decided_at", "decided_by"])
        details: dict[str, Any] = {"decision": decision, "origin": str(where)}
        audit.record(by, "approval.answered", card, now=now, device=str(device.code), **details)
        events.write(card.device, "approval-answered", by=by, rule="E14", at=now, **details)
        publishing.device_changed(card.device_id)
    return card


def _chosen(card: Approval, origin: Network | None) -> dict[str, Any]:
    """The try on the card that is answered: at that origin, or the newest."""
    for entry in card.origins:
        if origin is None or entry["first"] == origin.hex_first:
            found: dict[str, Any] = entry
            return found
    raise Refusal("E14", gettext("This address is no longer on the card."), code="answered", field="origin")


def _network(entry: dict[str, Any]) -> Network:
    return Network.from_hex(entry["first"], entry["last"])


def _meant(approval: Approval, by: Actor, decision: str, origin: Network | None) -> Network:
    """The origin that is answered; Forbidden for who may not answer so.

    A manager answers for any origin of the card, the owner *once* for the very address that he is at.
    """
    if decision not in (ONCE, SITE, DENY, QUARANTINE):
        raise Invalid("decision", gettext("One of once, site, deny, quarantine."), rule="E14")
    device = approval.device
    if by.may(Power.ANSWER_APPROVAL, device.account.path):
        return _network(_chosen(approval, origin))
    owns = by.user is not None and device.owner_id == by.user.pk
    if not (owns and decision == ONCE and by.may(Power.OWN_PHONES, device.account.path)):
        raise Forbidden
    for entry in approval.origins:
        here = any(parse_address(address) in _network(entry) for address in by.addresses)
        if here and origin in (None, _network(entry)):
            return _network(entry)
    raise Forbidden("E14", gettext("You can allow this only from the place where the phone is."))


def _once(lock: Lock, tried: dict[str, Any], *, by: Actor, now: datetime) -> None:
    """A grant of 24 h for that origin; after R12 this agent fits from now on; the phone's key there goes."""
    origin = _network(tried)
    locking.open_grant(lock, by=by, rule="E14", span=Span.parse("24h"), origin=origin, now=now)
    product = tried["product"]
    if tried["rule"] == "R12" and product and product not in lock.accepted_agents:
        lock.accepted_agents = [*lock.accepted_agents, product]
        lock.save(update_fields=["accepted_agents"])
    withdraw_keys(origin, [lock.device.mac], now=now, any_kind=True)


def _join_site(
    card: Approval, origin: Network, site: Site | None, typed: str, *, by: Actor, now: datetime
) -> None:
    """The origin becomes one of the site's networks, where a phone of the site already lives."""
    if site is None:
        raise Invalid("site", gettext("Name the site."), rule="E14")
    if site.account_id != card.device.account_id:
        raise Invalid("site", gettext("This site belongs to another account."), rule="E14")
    if not proved_there(site, origin, now):
        raise Refusal(
            "E14",
            gettext(
                "No phone of {name} has been at this address in the last 30 days, so it cannot join."
            ).format(name=site.name),
            code="not-proved",
            field="site",
        )
    if typed.strip() != site.name:
        raise Refusal(
            "E14",
            gettext("{accepting} phones would accept this address. Type the site's name to add it.").format(
                accepting=accepting(site)
            ),
            code="confirm",
            field="typed",
        )
    if any(Network.from_hex(n.first, n.last).holds(origin) for n in site.networks.all()):
        return
    sites.add_network(site, by=by, network=str(origin), now=now)


def _deny(lock: Lock, origin: Network, *, by: Actor, now: datetime) -> None:
    if is_bound_there(lock, origin):
        raise Refusal(
            "E14", gettext("The phone is locked to this address; it cannot be denied."), code="bound-origin"
        )
    denial = Denial.objects.filter(lock=lock, first=origin.hex_first, last=origin.hex_last).first()
    denial = denial or Denial(lock=lock, first=origin.hex_first, last=origin.hex_last)
    denial.since, denial.until, denial.by = now, now + DENIED_FOR, by.label
    cleaning.full_clean(denial)
    denial.save()
