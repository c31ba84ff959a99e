"""Who is told by e-mail, and what: short, with the consequence and the place where to undo it.

When and with what else it leaves is each person's choice (noticing.py, letters.py).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from urllib.parse import urlencode

import structlog
from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import Account, AuditEntry, Membership, User
from accounts.roles import POWERS, Power, Role
from devices.models import Device
from provisioning import incident_words, incidents, letters, sentences, standing
from provisioning.gate import KeyKind
from provisioning.letters import Letter
from provisioning.models import Incident, IncidentStep, Job, Lock, Notice, Outbox, Told
from provisioning.noticing import HOUR, About
from security.models import Ban

log = structlog.get_logger(__name__)

AT_ONCE = 500
REFUSED_MACS_EVERY = timedelta(days=1)
MOST_FACTS = 30  # pieces of evidence in an e-mail; the page has all
#: What digests.py gathers, by the names in Told.
WAITING, NEW_PLACES, RESETS, OPEN_ENDS = "waiting", "new-places", "resets", "open-ends"


def tell(what: str, row: int, text: str, *, now: datetime) -> int:
    """Send the e-mails about what happened to a phone, or in an account; returns how many were told."""
    with transaction.atomic():
        told = _TOLD[what](row, text, now)
    return _sent(told, now)


def tell_asked(asked: int, *, now: datetime) -> int:
    """Tell what `publishing.tell_later` has put down under this number; nobody when that was done already."""
    with transaction.atomic():
        row = Outbox.objects.select_for_update().filter(pk=asked, what=Outbox.What.MAIL).first()
        if row is None:
            return 0
        told = _TOLD[row.details["what"]](row.details["row"], row.details["text"], now)
        row.delete()
    return _sent(told, now)


def sweep(now: datetime) -> int:
    """Tell what a worker should have told and did not; returns how many pieces of news that were."""
    old = Outbox.objects.filter(what=Outbox.What.MAIL, due_at__lte=now)
    old.filter(created_at__lt=now - letters.GIVEN_UP).delete()
    late = list(old.order_by("pk").values_list("pk", flat=True)[:AT_ONCE])
    for asked in late:
        try:
            tell_asked(asked, now=now)
        except Exception:  # one that cannot be told keeps no other waiting
            log.exception("news could not be told", asked=asked)
            Outbox.objects.filter(pk=asked).update(due_at=now + HOUR)
    return len(late)


def managers_of(device: Device) -> list[User]:
    """The people nearest to the phone who may lock it again: its account's, else those of the one above."""
    return managers_in(device.account)


def managers_in(account: Account) -> list[User]:
    """The people nearest to the account's phones; whoever was invited and never came is none of them."""
    roles = [role.value for role in Role if Power.UNLOCK_DEVICE in POWERS[role]]
    for path in reversed(account.ancestor_paths()):
        memberships = Membership.objects.filter(account__path=path, role__in=roles, user__is_active=True)
        found = memberships.select_related("user").order_by("user__email")
        people = [member.user for member in found if not member.is_pending]
        if people:
            return people
    return []


def of_own_unlock(device: Device, *, owner: str, now: datetime) -> list[User]:
    """E2: tell the managers that an owner lets his phone set itself up again."""
    lock = Lock.objects.select_related("device__account").get(pk=device.pk)
    until = sentences.when(lock.grant_until, device.account.time_zone, now=now) if lock.grant_until else ""
    if lock.grant_origin:
        head = _("{owner} lets {phone} set itself up again, once, from {origin} only, until {until}.")
    else:
        head = _("{owner} lets {phone} set itself up again, once, from any address, until {until}.")
    head = head.format(
        owner=owner, phone=device, origin=lock.grant_origin, until=until or _("its first fetch")
    )
    page = f"{settings.PORTAL_URL}/phones/{device.code}/"
    body = f"{head}\n\n{_('Nothing to do if that is right. If not, lock it again:')}\n{page}\n"
    given = int(lock.grant_given_at.timestamp()) if lock.grant_given_at else 0
    subject = _("{owner} unlocked {phone}").format(owner=owner, phone=device)
    letter = Letter(About.OWN_UNLOCKS, device.account, f"{device.code} {given}", subject, body)
    return letters.put(letter, managers_of(device), at=now)


def of_yielded(account: Account, *, phone: str, now: datetime) -> list[User]:
    """E10: tell the managers that a phone of theirs, which nobody ever set up, has given its MAC away."""
    body = _(
        "{phone} was entered in {account} and was not set up within 30 days. Now somebody else has entered"
        " its MAC, so it was removed from your phones.\n\nNothing to do if you never had this phone. If it is"
        " yours, ask your provider: it can be moved back to you.\n"
    ).format(phone=phone, account=account)
    name = f"{account.code} {now:%Y%m%d} {phone}"[:80]
    letter = Letter(About.YIELDED, account, name, _("{phone} was removed").format(phone=phone), body)
    return letters.put(letter, managers_in(account), at=now)


def of_refused_macs(account: Account, *, by: str, now: datetime) -> list[User]:
    """E10: tell platform support, once a day, that an account asks for MACs that are others'."""
    since = now - REFUSED_MACS_EVERY
    supporters = User.objects.filter(
        is_active=True, memberships__role=Role.SUPPORT.value, memberships__account__depth=1
    ).distinct()
    told, is_first = Told.objects.select_for_update().get_or_create(
        account=account, what="refused-macs", defaults={"at": now}
    )
    if not is_first and told.at > since:
        return []
    told.at = now
    told.save(update_fields=["at"])
    entries = AuditEntry.objects.filter(account=account, verb="device.not-added", at__gt=since)
    body = _(
        "In the last 24 hours {account} tried to add {count} MACs that are in use elsewhere. The last one"
        " was tried by {by}.\n\nEach was refused. Perhaps a list was mistyped, perhaps somebody looks for"
        " phones of others. The MACs stand in the audit of {slug}.\n"
    ).format(account=account, count=entries.count(), by=by, slug=account.slug)
    name = f"{account.code} {int(now.timestamp())}"
    subject = _("{account} asks for MACs of others").format(account=account)
    letter = Letter(About.REFUSED_MACS, account, name, subject, body)
    return letters.put(letter, supporters.order_by("email"), at=now)


def of_ban(account: Account, ban: Ban, *, now: datetime) -> list[User]:
    """B5: tell the managers that an address where their phones live is kept out, with the evidence.

    Their own phones' failures in clear, those of others as counts.
    """
    living = standing.proved_at(ban.network, now).filter(account=account).count()
    keys = standing.failures(ban.network, now)
    own = {
        phone.mac: phone for phone in Device.objects.filter(account=account, mac__in=[k.label for k in keys])
    }
    until = sentences.when(ban.ends_at, account.time_zone, now=now)
    kind = ban.get_kind_display().lower()
    phones = ngettext(
        "One phone of yours lives there.", "{count} phones of yours live there.", living
    ).format(count=living)
    effect = _("What works goes on; new setups are refused.")
    if ban.kind == Ban.Kind.BLOCKED:
        effect = _("Blocked, they get nothing at all.")
    head = _("{network} is {kind} until {until}.").format(network=ban.network, kind=kind, until=until)
    lines = [f"{head} {phones} {effect}", ""]
    lines += [_("Why: {reason}").format(reason=ban.reason)] if ban.reason else []
    lines.append(
        ngettext(
            "{count} failure was counted there in the last hour.",
            "{count} different failures were counted there in the last hour.",
            len(keys),
        ).format(count=len(keys))
    )
    lines += [
        _("- {phone}, yours, last {at}").format(
            phone=own[key.label], at=sentences.when(key.last_at, account.time_zone, now=now)
        )
        for key in keys
        if key.label in own
    ]
    others = Counter(key.kind for key in keys if key.label not in own)
    lines += [
        _("- {count} of others: {what}").format(count=count, what=standing.KINDS[KeyKind(key)])
        for key, count in others.most_common()
    ]
    page = f"{settings.PORTAL_URL}/addresses/?{urlencode({'address': ban.network})}"
    lines += ["", _("What stands against it, and who can end it:"), page, ""]
    name = f"{account.pk} {ban.code}"
    subject = _("{network} is {kind}").format(network=ban.network, kind=kind)
    letter = Letter(About.BANS, account, name, subject, "\n".join(lines))
    people = managers_in(account)
    if not people and (incident := _incident_of(About.BANS, account, name)):
        _note_told(incident, [], now)
    return letters.put(letter, people, at=now)


def of_incident(incident: Incident, *, now: datetime) -> list[User]:
    """Tell the people nearest to it, once, what happened, what follows and how it is known; note who was."""
    if incident.steps.filter(what=IncidentStep.What.TOLD).exists():
        return []
    people, words = managers_in(incident.account), incident_words.describe(incident, now=now)
    since = sentences.when(incident.opened_at, incident.account.time_zone, now=now)
    lines = [
        incident.told_title,
        "",
        _("{account}, since {since}.").format(account=incident.account, since=since)
        + f" {words.consequence}",
    ]
    over = _("It is over: {how}").format(how=incident.told_end)
    lines += [words.next or over]
    lines += ["", *(f"- {fact.label}: {fact.text}" for fact in words.facts[:MOST_FACTS])]
    page = f"{settings.PORTAL_URL}/incidents/{incident.code}/"
    lines += ["", _("What becomes known later, and a place for notes:"), page, ""]
    name = f"{incident.account_id} {incident.code}"
    letter = Letter(About.INCIDENTS, incident.account, name, incident.told_title, "\n".join(lines))
    if not people:
        _note_told(incident, [], now)
    return letters.put(letter, people, at=now)


def of_job(job: Job, *, now: datetime) -> list[User]:
    """Tell whoever started it that work on many phones has come to its end, if he wants to hear of that."""
    starter = User.objects.filter(pk=job.actor.get("user"), is_active=True)
    page = f"{settings.PORTAL_URL}/jobs/{job.code}/"
    words = {"account": job.account, "kind": job.get_kind_display(), "done": job.done, "total": job.total}
    body = _("{kind}: {done} of {total} phones are done.").format(**words)
    if job.skipped:
        skipped = ngettext("{count} was skipped", "{count} were skipped", job.skipped).format(
            count=job.skipped
        )
        body += " " + _("{skipped}; the page says why.").format(skipped=skipped)
    body += f"\n{page}\n"
    subject = _("{account}: {kind}, {total} phones, has finished").format(**words)
    return letters.put(Letter(About.JOBS, job.account, str(job.code), subject, body), starter, at=now)


def send(now: datetime, *, to: Sequence[User] | None = None) -> list[Notice]:
    """Let the e-mails leave that are due, and write on the timelines of incidents who was told."""
    left = letters.send_due(now, to=to)
    told: dict[Incident, list[User]] = {}
    for row in left:
        incident = _incident_of(About(row.kind), row.account, row.name)
        if incident is not None:
            told.setdefault(incident, []).append(row.user)
    for incident, people in told.items():
        _note_told(incident, people, now)
    return left


def _sent(told: Sequence[User], now: datetime) -> int:
    """Send at once what these people are to be told at once; returns how many they are."""
    if told:
        send(now, to=told)
    return len(told)


def _incident_of(kind: About, account: Account, name: str) -> Incident | None:
    """The incident that such a piece of news is of."""
    code = name.rpartition(" ")[2]
    if kind is About.BANS:
        return incidents.found(Incident.Kind.BAN, account, f"ban {code}")
    if kind is About.INCIDENTS:
        return Incident.objects.filter(account=account, code=code).first()
    return None


def _note_told(incident: Incident, told: Sequence[User], now: datetime) -> None:
    names = ", ".join(person.name or person.email for person in told)
    said = _("Nobody: the account has no manager, nor has one above it.")
    if names:
        said = _("{names}, by e-mail.").format(names=names)
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


def _origin_drift(row: int, text: str, now: datetime) -> list[User]:
    device = Device.objects.select_related("account").filter(pk=row).first()
    if device is not None:
        put_down_new_place(device, now=now)
    return []


def _own_unlock(row: int, text: str, now: datetime) -> list[User]:
    device = Device.objects.select_related("account").filter(pk=row).first()
    return of_own_unlock(device, owner=text, now=now) if device else []


def _yielded(row: int, text: str, now: datetime) -> list[User]:
    account = Account.objects.filter(pk=row).first()
    return of_yielded(account, phone=text, now=now) if account else []


def _refused_macs(row: int, text: str, now: datetime) -> list[User]:
    account = Account.objects.filter(pk=row).first()
    return of_refused_macs(account, by=text, now=now) if account else []


def _banned(row: int, text: str, now: datetime) -> list[User]:
    account, ban = Account.objects.filter(pk=row).first(), Ban.objects.filter(code=text).first()
    return of_ban(account, ban, now=now) if account and ban and ban.lifted_at is None else []


def _incident(row: int, text: str, now: datetime) -> list[User]:
    incident = Incident.objects.select_related("account").filter(account=row, code=text).first()
    return of_incident(incident, now=now) if incident else []


def _job_finished(row: int, text: str, now: datetime) -> list[User]:
    job = Job.objects.select_related("account").filter(pk=row).first()
    return of_job(job, now=now) if job else []


#: What is told, by its name in `publishing.tell_later`: of a phone or of an account, with a text.
_TOLD: dict[str, Callable[[int, str, datetime], list[User]]] = {
    "own-unlock": _own_unlock,
    "origin-drift": _origin_drift,
    "yielded": _yielded,
    "refused-macs": _refused_macs,
    "banned": _banned,
    "incident": _incident,
    "job-finished": _job_finished,
}
