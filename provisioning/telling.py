"""Who is told by e-mail, and what: short, with the consequence and the place where to undo it."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction

from accounts.models import Account, AuditEntry, Membership, User
from accounts.roles import POWERS, Power, Role
from devices.models import Device
from provisioning import incident_words, incidents, sentences, standing
from provisioning.gate import KeyKind
from provisioning.models import Incident, IncidentStep, Lock, Told
from security.models import Ban

REFUSED_MACS_EVERY = timedelta(days=1)
MOST_FACTS = 30  # pieces of evidence in an e-mail; the page has all
#: What digests.py gathers, by the names in Told.
WAITING, NEW_PLACES, RESETS, OPEN_ENDS = "waiting", "new-places", "resets", "open-ends"


def tell(what: str, row: int, text: str, *, now: datetime) -> int:
    """Send the e-mails about what happened to a phone, or in an account; returns how many were told."""
    return _TOLD[what](row, text, now)


def managers_of(device: Device) -> list[User]:
    """The people nearest to the phone who may lock it again: its account's, else those of the one above."""
    return managers_in(device.account)


def managers_in(account: Account) -> list[User]:
    """The people nearest to the account's phones."""
    roles = [role.value for role in Role if Power.UNLOCK_DEVICE in POWERS[role]]
    for path in reversed(account.ancestor_paths()):
        memberships = Membership.objects.filter(account__path=path, role__in=roles, user__is_active=True)
        people = [m.user for m in memberships.select_related("user").order_by("user__email")]
        if people:
            return people
    return []


def of_own_unlock(device: Device, *, owner: str, now: datetime) -> int:
    """E2: tell the managers that an owner lets his phone set itself up again; returns how many were told."""
    lock = Lock.objects.select_related("device__account").get(pk=device.pk)
    until = sentences.when(lock.grant_until, device.account.time_zone, now=now) if lock.grant_until else ""
    where = f"from {lock.grant_origin} only" if lock.grant_origin else "from any address"
    page = f"{settings.PORTAL_URL}/phones/{device.code}/"
    told = managers_of(device)
    body = (
        f"{owner} lets {device} set itself up again, once, {where}"
        + (f", until {until}" if until else "")
        + f".\n\nNothing to do if that is right. If not, lock it again:\n{page}\n"
    )
    for person in told:
        EmailMessage(subject=f"{owner} unlocked {device}", body=body, to=[person.email]).send()
    return len(told)


def of_yielded(account: Account, *, phone: str) -> int:
    """E10: tell the managers that a phone of theirs, which nobody ever set up, has given its MAC away."""
    told = managers_in(account)
    body = (
        f"{phone} was entered in {account} and was not set up within 30 days. Now somebody else has entered"
        " its MAC, so it was removed from your phones.\n\nNothing to do if you never had this phone. If it is"
        " yours, ask your provider: it can be moved back to you.\n"
    )
    for person in told:
        EmailMessage(subject=f"{phone} was removed", body=body, to=[person.email]).send()
    return len(told)


def of_refused_macs(account: Account, *, by: str, now: datetime) -> int:
    """E10: tell platform support, once a day, that an account asks for MACs that are others'."""
    since = now - REFUSED_MACS_EVERY
    with transaction.atomic():
        told, is_first = Told.objects.select_for_update().get_or_create(
            account=account, what="refused-macs", defaults={"at": now}
        )
        if not is_first and told.at > since:
            return 0
        told.at = now
        told.save(update_fields=["at"])
    entries = AuditEntry.objects.filter(account=account, verb="device.not-added", at__gt=since)
    body = (
        f"In the last 24 hours {account} tried to add {entries.count()} MACs that are in use elsewhere. The"
        f" last one was tried by {by}.\n\nEach was refused. Perhaps a list was mistyped, perhaps somebody"
        f" looks for phones of others. The MACs stand in the audit of {account.slug}.\n"
    )
    supporters = User.objects.filter(
        is_active=True, memberships__role=Role.SUPPORT.value, memberships__account__depth=1
    ).distinct()
    for person in supporters.order_by("email"):
        EmailMessage(subject=f"{account} asks for MACs of others", body=body, to=[person.email]).send()
    return supporters.count()


def of_ban(account: Account, ban: Ban, *, now: datetime) -> int:
    """B5: tell the managers that an address where their phones live is kept out, with the evidence.

    Their own phones' failures in clear, those of others as counts.
    """
    told = managers_in(account)
    living = standing.proved_at(ban.network, now).filter(account=account).count()
    keys = standing.failures(ban.network, now)
    own = {
        phone.mac: phone for phone in Device.objects.filter(account=account, mac__in=[k.label for k in keys])
    }
    until = sentences.when(ban.ends_at, account.time_zone, now=now)
    blocked = ban.kind == Ban.Kind.BLOCKED
    phones = f"{living} phones of yours live" if living != 1 else "One phone of yours lives"
    effect = "Blocked, they get nothing at all." if blocked else "What works goes on; new setups are refused."
    lines = [f"{ban.network} is {ban.kind} until {until}. {phones} there. {effect}", ""]
    lines += [f"Why: {ban.reason}"] if ban.reason else []
    lines.append(f"{len(keys)} different failures were counted there in the last hour.")
    lines += [
        f"- {own[key.label]}, yours, last {sentences.when(key.last_at, account.time_zone, now=now)}"
        for key in keys
        if key.label in own
    ]
    others = Counter(key.kind for key in keys if key.label not in own)
    lines += [f"- {count} of others: {standing.KINDS[KeyKind(kind)]}" for kind, count in others.most_common()]
    page = f"{settings.PORTAL_URL}/addresses/?{urlencode({'address': ban.network})}"
    lines += ["", "What stands against it, and who can end it:", page, ""]
    for person in told:
        EmailMessage(subject=f"{ban.network} is {ban.kind}", body="\n".join(lines), to=[person.email]).send()
    incident = incidents.found(Incident.Kind.BAN, account, f"ban {ban.code}")
    if incident is not None:
        _note_told(incident, told, now)
    return len(told)


def of_incident(incident: Incident, *, now: datetime) -> int:
    """Tell the people nearest to it, once, what happened, what follows and how it is known; note who was."""
    if incident.steps.filter(what=IncidentStep.What.TOLD).exists():
        return 0
    told, words = managers_in(incident.account), incident_words.describe(incident, now=now)
    since = sentences.when(incident.opened_at, incident.account.time_zone, now=now)
    lines = [f"{incident.title}", "", f"{incident.account}, since {since}. {words.consequence}"]
    lines += [words.next] if words.next else [f"It is over: {incident.how_ended}"]
    lines += ["", *(f"- {fact.label}: {fact.text}" for fact in words.facts[:MOST_FACTS])]
    page = f"{settings.PORTAL_URL}/incidents/{incident.code}/"
    lines += ["", "What becomes known later, and a place for notes:", page, ""]
    for person in told:
        EmailMessage(subject=incident.title, body="\n".join(lines), to=[person.email]).send()
    _note_told(incident, told, now)
    return len(told)


def _note_told(incident: Incident, told: Sequence[User], now: datetime) -> None:
    names = ", ".join(person.name or person.email for person in told)
    said = f"{names}, by e-mail." if names else "Nobody: the account has no manager, nor has one above it."
    incidents.step(incident, IncidentStep.What.TOLD, said, at=now)


def put_down_new_place(device: Device, *, now: datetime) -> None:
    """`poll_from_new_origin` = alert: the next hourly e-mail names this phone (digests.py)."""
    with transaction.atomic():
        # A first one is due at once.
        told, is_first = Told.objects.select_for_update().get_or_create(
            account=device.account,
            what=NEW_PLACES,
            defaults={"at": now - timedelta(hours=1), "names": [device.pk]},
        )
        if not is_first and device.pk not in told.names:
            told.names = [*told.names, device.pk]
            told.save(update_fields=["names"])


def _origin_drift(row: int, text: str, now: datetime) -> int:
    device = Device.objects.select_related("account").filter(pk=row).first()
    if device is not None:
        put_down_new_place(device, now=now)
    return 0


def _own_unlock(row: int, text: str, now: datetime) -> int:
    device = Device.objects.select_related("account").filter(pk=row).first()
    return of_own_unlock(device, owner=text, now=now) if device else 0


def _yielded(row: int, text: str, now: datetime) -> int:
    account = Account.objects.filter(pk=row).first()
    return of_yielded(account, phone=text) if account else 0


def _refused_macs(row: int, text: str, now: datetime) -> int:
    account = Account.objects.filter(pk=row).first()
    return of_refused_macs(account, by=text, now=now) if account else 0


def _banned(row: int, text: str, now: datetime) -> int:
    account, ban = Account.objects.filter(pk=row).first(), Ban.objects.filter(code=text).first()
    return of_ban(account, ban, now=now) if account and ban and ban.lifted_at is None else 0


def _incident(row: int, text: str, now: datetime) -> int:
    incident = Incident.objects.select_related("account").filter(account=row, code=text).first()
    return of_incident(incident, now=now) if incident else 0


#: What is told, by its name in `publishing.tell_later`: of a phone or of an account, with a text.
_TOLD: dict[str, Callable[[int, str, datetime], int]] = {
    "own-unlock": _own_unlock,
    "origin-drift": _origin_drift,
    "yielded": _yielded,
    "refused-macs": _refused_macs,
    "banned": _banned,
    "incident": _incident,
}
