"""What an incident is told in: its consequence, its evidence as its readers may see it, what comes next.

Of an incident's `evidence` people see: `facts`, pairs of a label and a text; `phones`, pairs of a code and a
name of the account's own phones; `keys` as bans keep them, the account's own in clear and others' as counts;
whatever else is a text, a number or a list of texts, by its own name. `state` is the machine's, not shown;
"said" and "steps" are what its texts are made of.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext

from devices.mac import pretty
from provisioning import sentences, standing
from provisioning.gate import KeyKind
from provisioning.models import Incident

Kind = Incident.Kind


@dataclass(frozen=True, slots=True)
class _Told:
    """What every incident of a kind is told in: its rule, its look, what follows from it, what to do."""

    rule: str
    voice: str
    icon: str
    consequence: str
    next: str


_KINDS: dict[str, _Told] = {
    Kind.STORM: _Told(
        "B2",
        "is-storm",
        "storm",
        "Phones that come back all at once are no attack: they count as nothing, and nobody is kept out for"
        " them. Some may be held for a moment; they keep what they have and ask again by themselves.",
        "Nothing to do. Where nobody knows of a power cut, look for its cause.",
    ),
    Kind.BAN: _Told(
        "B5",
        "is-banned",
        "ban",
        "A ban stops new setups only: phones that work go on at their private URLs. A block stops them all.",
        "Wait for its end, or open the IP check: whoever is at that address can unblock it.",
    ),
    Kind.PRESSURE: _Told(
        "B8",
        "is-care",
        "shield",
        "The network is allowed more, so nobody is kept out. Beyond 500 unknown MACs an hour the rest is only"
        " counted.",
        "Look for what asks there: phones that nobody has entered, or a stranger in the network.",
    ),
    Kind.SUSPICION: _Told(
        "E7",
        "is-waiting",
        "eye",
        "The phones go on working. Until 7 days after the last try each can be unlocked for one named address"
        " only.",
        "See in the phones' logs from where they were asked for. The provider can lift the suspicion.",
    ),
    Kind.SILENCE: _Told(
        "",
        "is-quiet",
        "moon",
        "Phones that cannot reach us keep what they have. Whether they can make calls is not known here.",
        "Ask somebody there. On a day off, enter it in the site's closing times.",
    ),
    Kind.PLATFORM: _Told(
        "",
        "is-wrong",
        "globe",
        "Many accounts are quiet at once, so no site is blamed. Phones keep what they have.",
        "Look at the platform first: edges, network, names and certificates.",
    ),
    Kind.CANARY: _Told(
        "",
        "is-wrong",
        "pulse",
        "The platform cannot fetch the file of its own test phone by the public address. Other phones may not"
        " either; they keep what they have.",
        "Look at names, certificates, the proxy and the edges, in this order.",
    ),
    Kind.STALLED: _Told(
        "",
        "is-wrong",
        "warn",
        "Phones are served. What is changed may reach them late, and pages may show what was true before.",
        "Look at the worker, beat and the store, and start again what has stopped.",
    ),
}


def texts() -> Iterator[str]:
    """Every text of this table."""
    for told in _KINDS.values():
        yield from (told.consequence, told.next)
    yield from ("Threshold", "Phones of yours proved there")  # names in the evidence of a ban


@dataclass(frozen=True, slots=True)
class Fact:
    """One piece of evidence; `device` is the code of an own phone that it is about."""

    label: str
    text: str
    device: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """An incident as its readers see it."""

    consequence: str
    next: str
    rule: str
    voice: str
    icon: str
    facts: tuple[Fact, ...]


def describe(incident: Incident, *, now: datetime) -> Words:
    """Say what an incident means, and show what of its evidence its account may see."""
    told = _KINDS[incident.kind]
    return Words(
        consequence=gettext(told.consequence),
        next=gettext(told.next) if incident.ended_at is None else "",
        rule=told.rule,
        voice=told.voice,
        icon=told.icon,
        facts=tuple(_facts(incident, now)),
    )


def _facts(incident: Incident, now: datetime) -> Iterator[Fact]:
    evidence: dict[str, Any] = incident.evidence
    for label, text in evidence.get("facts", ()):
        yield Fact(incident.told(str(label)), incident.told(str(text)))
    for code, name in evidence.get("phones", ()):
        yield Fact(gettext("Phone"), str(name), device=str(code))
    if "keys" in evidence:
        yield from _keys(incident, now)
    for name, value in evidence.items():
        if name in ("facts", "phones", "keys", "state", "said", "steps"):
            continue
        label = gettext(name.replace("_", " ").replace("-", " ").capitalize())
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str | int | float) and not isinstance(one, bool) and one != "":
                yield Fact(label, f"{one:,}" if isinstance(one, int) else str(one))


def _keys(incident: Incident, now: datetime) -> Iterator[Fact]:
    """B5: the account's own phones' failures in clear, those of others as counts."""
    own = str(incident.account.code)
    others: Counter[str] = Counter()
    for kind, label, account, at in incident.evidence["keys"]:
        if account == own:
            last = sentences.when(datetime.fromtimestamp(at, UTC), incident.account.time_zone, now=now)
            yield Fact(gettext("A phone of yours"), f"{pretty(label)}, {_kind(kind)}, {last}")
        else:
            others[kind] += 1
    for kind, count in others.most_common():
        yield Fact(gettext("Of others"), f"{count:,} {_kind(kind)}")


def _kind(kind: str) -> str:
    try:
        return gettext(standing.KINDS[KeyKind(kind)])
    except ValueError:
        return kind
