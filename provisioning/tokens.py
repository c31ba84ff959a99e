"""Private URLs' secret parts: drawn, sealed, found by their HMAC, aged."""

import contextlib
import secrets
import string
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts import sealing
from devices.catalog import catalog
from devices.models import Device
from provisioning import facts, store, wire
from provisioning.gate import REPEAT_TIME, TokenKind
from provisioning.models import Claim, Token
from security.networks import Network

LENGTH = 40
ALPHABET = string.ascii_lowercase + string.digits
ENTRY_TIME = timedelta(seconds=REPEAT_TIME)
SLOW_ENTRY_TIME = timedelta(hours=24)  # where the bootstrap takes up to an hour, or a restart
CLONE_TIME = timedelta(days=30)
BUILDS_SINCE = 1_735_689_600_000  # the year 2025: what phones compare stays short


@cache
def _ring(text: str) -> sealing.Keyring:
    return sealing.Keyring.parse(text)


def keyring() -> sealing.Keyring:
    """The keys that seal tokens and files."""
    return _ring(settings.SECRET_KEYRING)


def draw() -> str:
    """A new token: 40 characters [a-z0-9], 206 bits."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def hash_of(token: str) -> str:
    return wire.token_hash(settings.TOKEN_KEY, token)


def about(token_hash: str) -> bytes:
    """What a sealed token is bound to."""
    return sealing.join(("token", token_hash))


def text_of(token: Token) -> str:
    """The token's own text, for the files that must name it."""
    return keyring().open(bytes(token.sealed), about(token.hash)).decode()


def root_url(device: Device, *, plain: bool = False) -> str:
    """The root as this phone may reach it: https, unless its model cannot or its settings say so (T6)."""
    family = catalog().families.get(device.family)
    model = family.models.get(device.model) if family else None
    base: str = settings.PHONES_URL
    if model is not None and model.no_tls:
        plain = True
    if plain:
        base = base.replace("https://", "http://", 1)
    return f"{base}/"


def private_url(token: Token, device: Device, *, plain: bool = False) -> str:
    """`<base>/d/<token>/`."""
    return f"{root_url(device, plain=plain)}d/{text_of(token)}/"


def build(token: Token, files_revision: int) -> int:
    """A number that grows with every change of the files below this token, and with every later token.

    Revisions begin at the clock in milliseconds, so that a phone entered again goes on above its old ones.
    """
    return files_revision - BUILDS_SINCE + token.pk


def entry_time(device: Device) -> timedelta:
    """How long an entry token is good: 30 minutes (T1), for a slow phone 24 h."""
    return SLOW_ENTRY_TIME if facts.is_slow(device) else ENTRY_TIME


def issue(device: Device, claim: Claim, kind: TokenKind, origin: Network, now: datetime) -> Token:
    """Make one token's row; an entry token is good for 30 minutes from its origin (T1), a slow one 24 h."""
    text = draw()
    name = hash_of(text)
    return Token.objects.create(
        device=device,
        mac=device.mac,
        hash=name,
        sealed=keyring().seal(text.encode(), about(name)),
        kind=kind.value,
        claim=claim,
        issued_at=now,
        until=now + entry_time(device) if kind is TokenKind.ENTRY else None,
        first=origin.hex_first,
        last=origin.hex_last,
        origins={wire.pack_network(origin): now.timestamp()},
    )


def living(device_id: int) -> list[Token]:
    """The tokens that have files of their own: the current one and the former ones."""
    kinds = (TokenKind.CURRENT.value, TokenKind.FORMER.value)
    return list(Token.objects.filter(device=device_id, kind__in=kinds).order_by("id"))


def used_first(token: Token, *, overlap: timedelta, now: datetime) -> bool:
    """Write down the first use; the tokens of earlier claims get their end by it (T2, T3).

    The caller holds the device's lock row. False when it was used before.
    """
    if token.first_used_at is not None:
        return False
    token.first_used_at = now
    token.save(update_fields=["first_used_at"])
    earlier = Token.objects.filter(
        device=token.device_id, claim__lt=token.claim_id, kind=TokenKind.FORMER.value, superseded_at=None
    )
    earlier.filter(until__lte=now + overlap).update(superseded_at=now)  # a retired phone's ends sooner (E19)
    earlier.update(superseded_at=now, until=now + overlap)
    if token.kind != TokenKind.ENTRY.value:
        entries = Token.objects.filter(
            device=token.device_id, claim__lte=token.claim_id, kind=TokenKind.ENTRY.value
        )
        entries.update(kind=TokenKind.DEAD.value, until=now)
    return True


def kill_all(device: Device, *, now: datetime) -> list[str]:
    """Every token of the device is dead at once, and none comes back; returns their hashes."""
    return kill(Token.objects.filter(device=device), now=now)


def kill(rows: "QuerySet[Token]", *, now: datetime) -> list[str]:
    """These tokens are dead at once, and no take-back (E16) brings them to life; returns their hashes.

    The text goes: a token that merely ran out of time keeps it, for its phone may only have slept.
    """
    # By their keys: which rows are meant may depend on what they are now.
    found = Token.objects.filter(pk__in=list(rows.values_list("pk", flat=True)))
    living = found.exclude(kind=TokenKind.DEAD.value)
    hashes = list(living.values_list("hash", flat=True))
    living.update(kind=TokenKind.DEAD.value, until=now)
    found.update(sealed=b"")
    return hashes


def suspected(device_ids: Iterable[int], now: datetime) -> "QuerySet[Token]":
    """The former tokens whose use has raised *clone suspected* (T3), unanswered; a phone's oldest first."""
    open_ones = Token.objects.filter(
        device__in=device_ids, kind=TokenKind.FORMER.value, clone_since__isnull=False, until__gt=now
    )
    return open_ones.order_by("device_id", "claim_id", "pk")


def superseded(device: Device) -> "QuerySet[Token]":
    """The former tokens of the phone that are no longer the current one in disguise (T2)."""
    return Token.objects.filter(device=device, kind=TokenKind.FORMER.value, superseded_at__isnull=False)


def bring_back(claim: Claim, *, now: datetime) -> Token | None:
    """The claim's token is the current one again (E16), and what was superseded by later ones is so no more.

    The caller has killed those. None where the claim brought none, or it is dead for good.
    """
    token = _revive(claim, TokenKind.CURRENT)
    if token is None or token.first_used_at is not None:
        return token
    # Handed out, and not used at its private URL yet: T1 and T2 go on where they stood.
    given = Token.objects.filter(claim=claim).exclude(pk=token.pk).exclude(sealed=b"")
    if not given.filter(first_used_at__isnull=False).exists():
        used = Claim.objects.filter(
            device=claim.device_id, undone_at=None, pk__lt=claim.pk, tokens__first_used_at__isnull=False
        )
        holder = used.order_by("-pk").first()
        if holder is not None:
            _revive(holder, TokenKind.FORMER)
    for entry in given:
        end = entry.issued_at + entry_time(entry.device)  # type: ignore[arg-type]
        if end > now:
            entry.kind, entry.until = TokenKind.ENTRY.value, end
            entry.save(update_fields=["kind", "until"])
    return token


def _revive(claim: Claim, kind: TokenKind) -> Token | None:
    """Give the claim's own token (its first) this kind and no end; None when its text is gone."""
    token = Token.objects.filter(claim=claim).order_by("pk").first()
    if token is None or not token.sealed:
        return None
    token.kind, token.until, token.superseded_at, token.clone_since = kind.value, None, None, None
    token.save(update_fields=["kind", "until", "superseded_at", "clone_since"])
    return token


def bury(now: datetime) -> int:
    """Tokens whose time is over become dead rows (a current one's when its phone is retired); late is fine.

    A former token that no file ever named goes too: the entry token given with it ended unused, so no phone
    can hold it. Without this a phone that never gets through would leave a token behind with every try.
    """
    over = Token.objects.filter(until__lte=now).exclude(kind=TokenKind.DEAD.value)
    buried = over.update(kind=TokenKind.DEAD.value)
    others = Token.objects.filter(claim=OuterRef("claim")).exclude(pk=OuterRef("pk"))
    unnamed = Token.objects.filter(
        Exists(others.filter(issued_at=OuterRef("issued_at"))),
        ~Exists(others.filter(Q(kind=TokenKind.ENTRY.value) | Q(first_used_at__isnull=False))),
        kind=TokenKind.FORMER.value,
        first_used_at=None,
        issued_at__lte=now - ENTRY_TIME,
    )
    names = list(unnamed.values_list("pk", flat=True)[:1000])
    return buried + Token.objects.filter(pk__in=names).update(kind=TokenKind.DEAD.value, until=now)


def wipe(*, before: datetime, most: int) -> int:
    """Some of the tokens that died before lose their text: from here on no take-back (E16) revives them."""
    old = Token.objects.filter(kind=TokenKind.DEAD.value, until__lt=before).exclude(sealed=b"")
    oldest = list(old.order_by("until").values_list("pk", flat=True)[:most])
    return old.filter(pk__in=oldest).update(sealed=b"")


def forget(*, before: datetime, most: int) -> int:
    """Some of the tokens that died before are remembered no more (T5), nor in the store."""
    old = Token.objects.filter(kind=TokenKind.DEAD.value, until__lt=before)
    oldest = dict(old.order_by("until").values_list("pk", "hash")[:most])
    gone = old.filter(pk__in=oldest).delete()[0]
    batch = store.Batch()
    batch.remove(wire.token_key(name) for name in oldest.values())
    with contextlib.suppress(store.Away):  # a store that starts anew is filled without them
        batch.write()
    return gone
