"""Whether a phone that was let in came over to its private URL and stays there, and what keeps it from that.

Pages and the API judge it when somebody looks; `sweep` writes it into the phone's log, once.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext

from accounts.speaking import told
from devices.catalog import catalog
from devices.models import Device
from provisioning import events, facts, locking
from provisioning.gate import Outcome, TokenKind
from provisioning.models import Claim, DeviceEvent, Token
from provisioning.sentences import when

LATE = timedelta(minutes=3)
LATE_WHEN_SLOW = timedelta(minutes=65)
POLL = timedelta(days=1)  # the longest interval that full files set
LOOKED_BACK = timedelta(hours=3)  # a sweep that ran later than this writes nothing; the page still says it
AT_ITS_PRIVATE_URL = ("O3", "O4", "T2", "T3")

WAITING, LATE_WORD, NO_STICK = "waiting", "late", "does not stick"
NOT_COME, CAME_BACK = "not-come-over", "does-not-stick"  # the log's words for the last two

_WAITING_SLOWLY, _WAITING_WITH_ALL = "waiting slowly", "waiting with all"
_SENTENCES = {
    WAITING: "Let in, and not at its private URL yet. That takes up to {minutes} minutes.",
    _WAITING_SLOWLY: (
        "Let in, and not at its private URL yet. Restart the phone: by itself it takes up to {minutes}"
        " minutes."
    ),
    _WAITING_WITH_ALL: (
        "Let in, with all its settings. It comes to its private URL within {minutes} minutes, or at its next"
        " start."
    ),
    LATE_WORD: (
        "Let in {since}, and still not at its private URL. Restart the phone. If that does not help, this"
        " may be why:"
    ),
    NO_STICK: "It had its private URL and asked at the root URL again. This may be why:",
}
_CERTIFICATE = "It does not trust the certificate of the private URL, or its clock is wrong."
_DHCP = "DHCP, plug-and-play or a redirection service leads it elsewhere at each start."
_NUMBER = (
    "It holds a file with a higher number and takes no lower one: reset it to its factory state, then"
    " restart it."
)
_FIRMWARE = "Its firmware is too old for the way to its private URL. Update it."
_RESET = "Somebody reset it to its factory state. Then there is nothing to do."
#: Every text above, which no call of gettext names.
TEXTS = (*_SENTENCES.values(), _CERTIFICATE, _DHCP, _NUMBER, _FIRMWARE, _RESET)


@dataclass(frozen=True, slots=True)
class ComingOver:
    """How far a phone is on its way to its private URL, in words; no word once it is there."""

    word: str | None = None
    sentence: str = ""
    causes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """What a device is found to be, since when."""

    word: str
    since: datetime


def describe_many(devices: Iterable[Device], *, now: datetime) -> dict[int, ComingOver]:
    """The phones that are on their way, late or back at the root, by their keys, in few queries."""
    phones = {device.pk: device for device in devices}
    return {pk: _in_words(phones[pk], found, now) for pk, found in _found(phones.values(), now).items()}


def causes(device: Device, word: str | None) -> tuple[str, ...]:
    """What is likely to keep a phone of this model from its private URL, the likeliest first."""
    if word not in (LATE_WORD, NO_STICK):
        return ()
    family = catalog().families.get(device.family)
    model = family.models.get(device.model) if family else None
    if family is None or model is None:
        return (_DHCP, _FIRMWARE)
    if word == NO_STICK:
        return (_RESET, _DHCP, _FIRMWARE)
    numbered = family.generations[model.generation].numbered
    named = ((_CERTIFICATE, not model.no_tls), (_DHCP, True), (_NUMBER, numbered), (_FIRMWARE, True))
    return tuple(text for text, holds in named if holds)


def sweep(now: datetime) -> int:
    """Write who is late, and who came back, into the phones' logs; safe to run twice or late."""
    let_in = DeviceEvent.objects.filter(
        at__gt=now - LOOKED_BACK, at__lte=now, what="request", outcome=Outcome.BOOTSTRAP.value
    )
    pks = set(let_in.exclude(rule="R4a").exclude(device=None).values_list("device_id", flat=True))
    devices = list(Device.objects.filter(pk__in=pks).select_related("account").order_by("pk"))
    found = _found(devices, now)
    return sum(_log(device, found[device.pk], now) for device in devices if device.pk in found)


def _log(device: Device, found: Found, now: datetime) -> bool:
    """Add the line unless it stands there; its time is when it became true."""
    word = _word(device, found, now)
    if word not in (LATE_WORD, NO_STICK):
        return False
    what = NOT_COME if word == LATE_WORD else CAME_BACK
    at = found.since + _patience(device) if word == LATE_WORD else found.since
    with transaction.atomic():
        held = locking.locked_row(device).device
        if DeviceEvent.objects.filter(device=held, what=what, at=at).exists():
            return False
        since = found.since.isoformat()
        events.write(held, what, by=locking.CLOCK, at=at, since=since, causes=list(causes(held, word)))
    return True


# --- what is so --------------------------------------------------------------------------------------------


def _found(devices: Iterable[Device], now: datetime) -> dict[int, Found]:
    """Phones that were let in and did not come over, or came over and asked at the root again.

    A claim without an entry token was answered with the full file (full_and_move).
    """
    rows = Token.objects.filter(device__in=list(devices), kind=TokenKind.CURRENT.value, claim__isnull=False)
    claims = {token.device_id: token.claim for token in rows.select_related("claim") if token.claim}
    given = Counter[int | None]()
    used = set()
    for claim_id, first_used_at in Token.objects.filter(
        claim__in=[claim.pk for claim in claims.values()]
    ).values_list("claim_id", "first_used_at"):
        given[claim_id] += 1
        used |= {claim_id} if first_used_at is not None else set()
    found = {
        pk: Found(WAITING if given[claim.pk] > 1 else _WAITING_WITH_ALL, claim.at)
        for pk, claim in claims.items()
        if pk is not None and claim.pk not in used
    }
    again = {pk: c for pk, c in claims.items() if pk is not None and c.rule == "R4" and c.at > now - POLL}
    for pk in _checked_in_before(again):
        found.setdefault(pk, Found(NO_STICK, again[pk].at))
    return found


def _checked_in_before(claims: dict[int, Claim]) -> set[int]:
    """Those that had been at their private URL within an interval before the claim."""
    if not claims:
        return set()
    checked_in = DeviceEvent.objects.filter(
        device__in=claims.keys(),
        what="request",
        outcome=Outcome.FULL.value,
        rule__in=AT_ITS_PRIVATE_URL,
        at__gt=min(claim.at for claim in claims.values()) - POLL,
    )
    return {
        pk
        for pk, at in checked_in.values_list("device_id", "at")
        if pk is not None and claims[pk].at - POLL < at < claims[pk].at
    }


def _patience(device: Device) -> timedelta:
    return LATE_WHEN_SLOW if facts.is_slow(device) else LATE


def _word(device: Device, found: Found, now: datetime) -> str:
    if found.word == NO_STICK:
        return NO_STICK
    return LATE_WORD if now >= found.since + _patience(device) else WAITING


def _in_words(device: Device, found: Found, now: datetime) -> ComingOver:
    word = _word(device, found, now)
    said = word
    if word == WAITING and found.word == _WAITING_WITH_ALL:
        said = _WAITING_WITH_ALL
    elif word == WAITING and facts.is_slow(device):
        said = _WAITING_SLOWLY
    minutes = int(_patience(device).total_seconds() // 60)
    since = when(found.since, device.account.time_zone, now=now)
    return ComingOver(
        word,
        gettext(_SENTENCES[said]).format(minutes=minutes, since=since),
        tuple(map(told, causes(device, word))),
    )
