"""A thief won an unlock: his claim stands, the real phone still polls with what is now a former token."""

from datetime import UTC, datetime, timedelta

from django.utils import timezone

from accounts.models import Account
from devices.models import Device
from provisioning import claims, clones, locking
from provisioning.gate import Outcome, TokenKind
from provisioning.models import Claim, Denial, Token
from security.networks import Network, origin_of, parse_address
from tests.provisioning.making import HOME, THIEF, make_phone, request, support

Stolen = tuple[Device, Token, Token]

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def network(address: str) -> Network:
    return origin_of(parse_address(address))


def denied(phone: Device) -> set[str]:
    return {str(denial) for denial in Denial.objects.filter(lock=phone.pk)}


def asked(phone: Device, address: str, at: datetime = NOW + MINUTE) -> tuple[Outcome, str]:
    """What a start from there comes to."""
    verdict = claims.claim(request(phone, address), now=at).verdict
    return verdict.outcome, verdict.rule


def current(phone: Device) -> Token:
    return Token.objects.get(device=phone, kind=TokenKind.CURRENT.value)


def fetched(phone: Device, address: str, at: datetime) -> Token:
    """The phone (or who plays it) starts at this address, comes over and polls; returns its own token."""
    answer = claims.claim(request(phone, address), now=at)
    assert answer.file is not None, answer.verdict
    token = current(phone)
    entry = Token.objects.filter(claim=token.claim_id, kind=TokenKind.ENTRY.value).first()
    for given in (entry, token):
        if given is not None:
            claims.first_use(given.hash, parse_address(address), now=at + MINUTE)
    token.refresh_from_db()
    return token


def kinds(phone: Device) -> set[str]:
    """What the phone's tokens are now."""
    return set(Token.objects.filter(device=phone).values_list("kind", flat=True))


def claim_of(token: Token) -> Claim:
    assert token.claim is not None
    return Claim.objects.get(pk=token.claim_id)


def real_phone(account: Account, at: datetime = NOW - 10 * DAY) -> tuple[Device, Token]:
    """A phone of the account that was set up at HOME ten days ago, and its token."""
    phone = make_phone(account, now=at)
    return phone, fetched(phone, HOME, at)


def steal(phone: Device, address: str = THIEF, at: datetime = NOW - DAY) -> Token:
    """Somebody unlocks it for any address, and a thief is first."""
    locking.unlock(phone, by=support(), span=locking.Span.parse("24h"), now=at - HOUR)
    return fetched(phone, address, at)


def make_stolen(account: Account) -> Stolen:
    """The phone, its real token (a former one now), and the thief's."""
    phone, real = real_phone(account)
    thief = steal(phone)
    real.refresh_from_db()
    return phone, real, thief


def poll(phone: Device, token: Token, address: str = HOME, at: datetime = NOW) -> None:
    """The former token is used, and the note of it drained."""
    clones.suspect(token.hash, phone, address=parse_address(address), at=at, now=at)


def suspected_clone(account: Account, at: datetime | None = None) -> Device:
    """A phone of the account that was stolen a day ago and whose real one polled an hour ago."""
    at = at or timezone.now()
    phone, real = real_phone(account, at=at - 10 * DAY)
    steal(phone, at=at - DAY)
    poll(phone, real, at=at - HOUR)
    return phone
