"""A phone's log in sentences: what was answered by which rule, what people and the clock did, what helps."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from portal.templatetags.latchkey import who
from provisioning import events
from provisioning.following import THE_PHONE
from provisioning.gate import Outcome
from provisioning.locking import CLOCK
from provisioning.models import DeviceEvent
from provisioning.sentences import NOTHING
from provisioning.suspicion import SIGNS

SERVED = (Outcome.FULL.value, Outcome.BOOTSTRAP.value, Outcome.COMMON.value, Outcome.ACCEPTED.value)
MACHINES = ("", CLOCK.label, THE_PHONE.label, SIGNS.label)
KINDS = [
    ("", "All", ""),
    ("served", "Served", "full"),
    ("refused", "Refused", "refused"),
    ("held", "Held", "held"),
    ("people", "People and clock", "person"),
]


@dataclass(frozen=True, slots=True)
class LogLine:
    """One event as the pages show it."""

    event: DeviceEvent
    look: str
    words: str
    sentence: str
    remedy: str
    by: str


def of_kind(rows: Any, kind: str) -> Any:
    """Keep one kind of event; `lock` keeps what concerned the lock: people, the clock, claims, refusals."""
    if kind == "served":
        return rows.filter(what="request", outcome__in=SERVED)
    if kind in ("refused", "held"):
        return rows.filter(what="request", outcome=kind)
    if kind == "people":
        return rows.exclude(what="request")
    if kind == "lock":
        return rows.exclude(
            what="request", outcome__in=(Outcome.FULL.value, Outcome.COMMON.value, Outcome.ACCEPTED.value)
        )
    return rows


def log_lines(rows: Iterable[DeviceEvent]) -> list[LogLine]:
    """The events with the sentence and the remedy of their rules."""
    return [_line(event) for event in rows]


def _line(event: DeviceEvent) -> LogLine:
    said = events.described(event)
    if event.what == "request":
        remedy = "" if said.next == NOTHING else said.next
        return LogLine(event, event.outcome, "", said.sentence, remedy, "")
    by_person = event.actor not in MACHINES
    # The e-mail address behind a name is for the audit; a page says the name.
    sentence = said.sentence.replace(event.actor, who(event.actor)) if event.actor else said.sentence
    words = event.what.replace("-", " ").capitalize()
    return LogLine(event, "person" if by_person else "clock", words, sentence, "", who(event.actor))
