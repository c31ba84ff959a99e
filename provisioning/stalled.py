"""Whether our own background work goes on: a stamp that is older than its measure is an incident.

Who looks: beat's tasks and the worker's keeper look at everything else, and a thread in beat looks at the
worker, so that either notices when the other is dead. When both are, the pages say so.
"""

import threading
from collections.abc import Mapping
from datetime import datetime, timedelta

import structlog
from django.db import close_old_connections, connection
from django.utils import timezone

from accounts import tenants
from accounts.models import Account
from accounts.said import Said
from provisioning import incidents, sentences, telling
from provisioning.models import Incident, Stamp

log = structlog.get_logger(__name__)

LATE = timedelta(minutes=10)
EVERY = timedelta(minutes=1)
#: What has its own measure, and what each means when it does not come.
MEASURES: Mapping[str, timedelta] = {
    "watch": timedelta(minutes=3),
    "drain": timedelta(minutes=3),
    "send": timedelta(minutes=3),
    "end-what-is-over": timedelta(minutes=5),
    "refresh-lists": timedelta(minutes=5),
    "listen": timedelta(minutes=20),
    "tell-waiting": timedelta(minutes=20),
    "forget": timedelta(hours=30),
    "canary": timedelta(days=3650),  # its silence is an incident of its own kind
}
MEANS: Mapping[str, Said] = {
    "watch": Said("the store is not watched"),
    "drain": Said("what phones did is not written down"),
    "send": Said("webhooks are not sent"),
    "end-what-is-over": Said("unlocks and windows end late in the pages"),
    "refresh-lists": Said("ended bans reach the edges late"),
    "listen": Said("silences are not heard"),
    "tell-waiting": Said("e-mails are late"),
    "forget": Said("what was kept long enough stays"),
}
KEEPERS = ("watch", "drain")  # the worker's own threads stamp these
SUBJECT = "background"


def late(now: datetime) -> dict[str, datetime]:
    """The stamps that are older than their measure; what never ran at all is not among them."""
    return {
        name: at
        for name, at in Stamp.objects.values_list("name", "at")
        if now - at > MEASURES.get(name, LATE)
    }


def look(now: datetime) -> Incident | None:
    """Open the incident while something is late, and end it when nothing is; returns the one that goes on."""
    found = late(now)
    top = Account.objects.filter(depth=1).first()
    if top is None:
        return None
    if not found:
        going_on = incidents.found(Incident.Kind.STALLED, top, SUBJECT)
        if going_on is not None:
            incidents.end(going_on, how=Said("All background work stamps in time again."), now=now)
        return None
    return incidents.open_(
        Incident.Kind.STALLED,
        account=tenants.platform(),
        subject=SUBJECT,
        title=_said(found, top.time_zone, now),
        now=now,
        evidence={
            "facts": [
                [name, _last(name, sentences.when(at, top.time_zone, now=now))]
                for name, at in sorted(found.items())
            ]
        },
    )


def _last(name: str, at: str) -> Said:
    return Said("last {at}: {means}", at=at, means=MEANS.get(name) or Said("it is late"))


def _said(found: Mapping[str, datetime], zone: str, now: datetime) -> Said:
    since = sentences.when(min(found.values()), zone, now=now)
    if found.keys() & set(KEEPERS) == {"drain"}:
        return Said("The drain has stopped: nothing since {since}.", since=since)
    if set(KEEPERS) <= found.keys():
        return Said("The worker has stopped: nothing since {since}.", since=since)
    if "end-what-is-over" in found and not found.keys() & set(KEEPERS):
        return Said("Beat, or what it starts, has stopped: nothing since {since}.", since=since)
    return Said("Background work has stopped: nothing since {since}.", since=since)


class Watcher:
    """Looks once a minute, and not before everything had the time to stamp after a start."""

    def __init__(self, started: datetime) -> None:
        self._next = started + LATE

    def step(self, now: datetime, *, tell: bool = False) -> Incident | None:
        """Look when it is time; `tell`: send the e-mail from here, for the worker that would is dead."""
        if now < self._next:
            return None
        self._next = now + EVERY
        incident = look(now)
        if incident is not None and tell and set(KEEPERS) <= late(now).keys():
            telling.tell("incident", incident.account_id, str(incident.code), now=now)
        return incident


def watch_the_worker() -> threading.Event:
    """Start the thread by which beat notices that the worker is gone; set the event to end it."""
    over = threading.Event()
    threading.Thread(target=_watch, args=(over,), name="beat-watch", daemon=True).start()
    return over


def _watch(over: threading.Event) -> None:
    watcher = Watcher(timezone.now())
    while not over.wait(EVERY.total_seconds() / 6):
        try:
            close_old_connections()
            watcher.step(timezone.now(), tell=True)
        except Exception:  # whatever is away now comes back; this thread is the last that would notice
            log.exception("nobody could look whether the worker is alive")
            connection.close()


_of_keeper: list[Watcher] = []


def look_from_keeper(now: datetime) -> None:
    """The worker's keeper looks at beat and at its own threads."""
    if not _of_keeper:
        _of_keeper.append(Watcher(now))
    _of_keeper[0].step(now)
