"""Incidents: opened once, told once, ended with a reason; every step of it on one timeline."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from accounts import audit, cleaning
from accounts.models import Account
from accounts.refusals import Forbidden, Refusal
from accounts.roles import Power
from accounts.said import Said, within
from accounts.scope import Actor
from devices.models import Site
from provisioning import announcing, publishing
from provisioning.announcing import Happened
from provisioning.models import Incident, IncidentStep
from security.networks import Network

Kind = Incident.Kind
What = IncidentStep.What
KNOWN_FOR = timedelta(hours=1)


def found(kind: Incident.Kind, account: Account, subject: str) -> Incident | None:
    """The incident of this kind and subject that is going on in the account."""
    return Incident.objects.going_on().filter(kind=kind, account=account, subject=subject).first()


def open_(
    kind: Incident.Kind,
    *,
    account: Account,
    subject: str,
    title: str,
    now: datetime,
    network: Network | None = None,
    site: Site | None = None,
    evidence: dict[str, Any] | None = None,
    tell: bool = True,
    also: Callable[[Incident], Happened] | None = None,
) -> Incident:
    """The one that is going on, or a new one whose people are told by e-mail after the commit.

    For one that is going on a changed title or evidence is kept, and a changed title becomes a step. What
    evidence people see of, and how, says `incident_words`. What a person has closed within the hour is
    handed back as it ended: he knows of it. What goes on for longer is told anew. Programs that listen are
    told that it was opened, and what `also` makes of it.
    """
    incident: Incident
    evidence = _with_texts(evidence or {}, title)
    closed = _closed_by_a_person(kind, account, subject, now)
    if closed is not None:
        return closed
    with transaction.atomic():
        incident, is_new = Incident.objects.select_for_update().get_or_create(
            kind=kind,
            account=account,
            subject=subject,
            ended_at=None,
            defaults={
                "title": title[:300],
                "opened_at": now,
                "site": site,
                "first": network.hex_first if network else "",
                "last": network.hex_last if network else "",
                "evidence": evidence,
            },
        )
        if is_new:
            step(incident, What.OPENED, title, at=now)
            if tell:
                publishing.tell_later("incident", account.pk, str(incident.code))
            _announce_opened(incident, also)
            return incident
        refresh(incident, title=title, evidence=evidence, now=now)
    return incident


def _announce_opened(incident: Incident, also: Callable[[Incident], Happened] | None) -> None:
    network = incident.network
    facts = {
        "incident": str(incident.code),
        "kind": incident.kind,
        "title": incident.title,
        "network": str(network) if network else None,
    }
    opened = Happened(
        "incident.opened", incident.account, incident.opened_at, lane=_lane(incident), facts=facts
    )
    announcing.announce_many([opened, also(incident)] if also else [opened])


def _announce_ended(incident: Incident, by: Actor | None) -> None:
    """A ban's incident that ends by itself ends with the ban."""
    assert incident.ended_at is not None
    account, at, network = incident.account, incident.ended_at, incident.network
    facts = {"incident": str(incident.code), "how": incident.how_ended}
    more = {"kind": incident.kind, "title": incident.title, "by": by.label if by else None}
    told = [Happened("incident.closed", account, at, lane=_lane(incident), facts=facts | more)]
    if incident.kind == Kind.BAN and by is None:
        facts["network"] = str(network)
        told.append(Happened("address.unbanned", account, at, lane=f"address {network}", facts=facts))
    announcing.announce_many(told)


def _lane(incident: Incident) -> str:
    return f"incident {incident.code}"


def _closed_by_a_person(
    kind: Incident.Kind, account: Account, subject: str, now: datetime
) -> Incident | None:
    newest = Incident.objects.filter(kind=kind, account=account, subject=subject).first()
    if newest is None or newest.ended_at is None or now - newest.ended_at >= KNOWN_FOR:
        return None
    by_hand = newest.steps.filter(what=What.ENDED).exclude(by="").exists()
    return newest if by_hand else None


def refresh(incident: Incident, *, title: str, evidence: dict[str, Any] | None = None, now: datetime) -> bool:
    """Keep what is known by now of one that goes on; another title becomes a step. False: nothing new."""
    with transaction.atomic():
        held = Incident.objects.select_for_update().get(pk=incident.pk)
        if held.ended_at is not None:
            return False
        changed: dict[str, Any] = {"title": title[:300]} if held.title != title[:300] else {}
        known = held.evidence if evidence is None else evidence
        if evidence is not None and "steps" in held.evidence:
            known = {**evidence, "steps": held.evidence["steps"]}
        known = _with_texts(known, title, before=held.evidence)
        changed |= {"evidence": known} if held.evidence != known else {}
        if not changed:
            return False
        Incident.objects.filter(pk=held.pk).update(**changed)
        if "title" in changed:
            held.evidence = known
            step(held, What.SEEN, title, at=now)
            changed["evidence"] = held.evidence
        for name, value in changed.items():
            setattr(incident, name, value)
    return True


def _with_texts(
    evidence: dict[str, Any], title: str, *, before: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The evidence with what its texts and the title are made of; a title that stays keeps what it has."""
    kept = (before or {}).get("said", {})
    if evidence is not before:
        kept = {title: kept[title]} if title in kept else {}
    texts = {**kept, **within([title, evidence])}
    return {**evidence, "said": texts} if texts else evidence


def step(
    incident: Incident, what: IncidentStep.What, said: str, *, at: datetime, by: Actor | None = None
) -> IncidentStep:
    """Add a line to the timeline, in the caller's transaction."""
    packed = said.packed() if isinstance(said, Said) else incident.evidence.get("said", {}).get(said)
    if packed is not None:
        steps = {**incident.evidence.get("steps", {}), said[:500]: packed}
        incident.evidence = {**incident.evidence, "steps": steps}
        Incident.objects.filter(pk=incident.pk).update(evidence=incident.evidence)
    return IncidentStep.objects.create(
        incident=incident, at=at, what=what, said=said[:500], by=by.label[:200] if by else ""
    )


def end(incident: Incident, *, how: str, now: datetime, by: Actor | None = None) -> Incident:
    """End it, saying how; one that has ended stays as it is."""
    with transaction.atomic():
        rows = Incident.objects.select_for_update(of=("self",)).select_related("account")
        incident = rows.get(pk=incident.pk)
        if incident.ended_at is not None:
            return incident
        incident.ended_at, incident.how_ended = max(now, incident.opened_at), how[:300]
        incident.save(update_fields=["ended_at", "how_ended"])
        step(incident, What.ENDED, how, at=incident.ended_at, by=by)
        _announce_ended(incident, by)
    return incident


def note(incident: Incident, *, by: Actor, said: str, now: datetime | None = None) -> IncidentStep:
    """A person's note on the timeline: what was found, who was called."""
    now = now or timezone.now()
    if not by.may(Power.UNLOCK_DEVICE, incident.account.path):
        raise Forbidden("B5")
    said = cleaning.needed("note", said, gettext("The note"), longest=500)
    with transaction.atomic():
        written = step(incident, What.NOTED, said, at=now, by=by)
        audit.record(by, "incident.noted", incident, account=incident.account, now=now)
    return written


def close(incident: Incident, *, by: Actor, reason: str, now: datetime | None = None) -> Incident:
    """A person ends an incident that does not end by itself."""
    now = now or timezone.now()
    if not by.may(Power.UNLOCK_DEVICE, incident.account.path):
        raise Forbidden("B5")
    reason = cleaning.needed("reason", reason, gettext("The reason"), longest=300)
    with transaction.atomic():
        if Incident.objects.select_for_update().get(pk=incident.pk).ended_at is not None:
            raise Refusal("B5", gettext("This incident has ended already."), code="over")
        ended = end(incident, how=reason, now=now, by=by)
        audit.record(by, "incident.closed", ended, account=ended.account, now=now, reason=reason)
    return ended
