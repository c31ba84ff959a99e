"""A campus of very many phones as rows, by COPY: locks, check-ins, lines, owners, tokens, cards and a log."""

import random
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from accounts.models import Account, Membership, User
from devices.models import Appearance, Device, Extension, Site, SiteNetwork
from provisioning.models import Approval, Claim, DeviceEvent, LastSeen, Lock, Proof, Stamp, Token
from security.networks import parse_address, parse_origin, show_address

ROOMS = ("Desk", "Lab", "Hall", "Office", "Ward", "Kitchen", "Workshop", "Library")
FIRST = ("Ada", "Ben", "Carla", "Dora", "Emil", "Finn", "Greta", "Hugo", "Ida", "Jonas", "Karl", "Lena")
LAST = ("Albers", "Brandt", "Conrad", "Decker", "Ebert", "Fischer", "Gruber", "Hansen", "Ilic", "Jung")
MODELS = (("yealink", "T46S", 5), ("yealink", "T42S", 3), ("poly", "VVX 450", 2), ("snom", "D785", 1))
FIRMWARES = ("66.86.0.15", "66.86.0.160", "6.4.6.2453", "10.1.169.16", "10.1.175.0", "66.85.0.5")
OWNED, SITES, CARDS, LOG = 0.3, 40, 200, 2000
HOME = parse_address("203.0.0.0")
STATES = (("locked", 940), ("new", 30), ("unlocked", 20), ("quarantined", 5), ("retired", 5))


@dataclass(frozen=True)
class Campus:
    """Who looks at it, and one of its phones with a long log."""

    manager: User
    account: Account
    phone: Device
    site: uuid.UUID
    address: str  # where one of them is at home


def fill(phones: int, seed: int, now: datetime) -> Campus:
    """Write the rows and have the database look at them once, as its own clerk does in time."""
    from django.db import connection

    rng = random.Random(seed)
    account, manager = _tree()
    made = _Rows(account, phones, rng, now)
    for model, rows in made.tables():
        copy(model, rows)
    Stamp.objects.create(name="end-what-is-over", at=now)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    phone, office = Device.objects.get(pk=made.ids[phones // 2]), Site.objects.get(pk=SITES // 2)
    return Campus(manager, account, phone, office.code, show_address(HOME + 3 * (phones // 6)))


def copy(model: Any, rows: Iterable[dict[str, Any]]) -> None:
    """COPY the rows; a column that they do not name has its default."""
    from django.db import connection

    fields = [field for field in model._meta.concrete_fields if not field.generated]
    plain = {field.attname: field.get_default() for field in fields if not field.primary_key}
    names = ", ".join(f'"{field.column}"' for field in fields)
    with connection.cursor() as cursor:
        statement = f'COPY "{model._meta.db_table}" ({names}) FROM STDIN'
        with cursor.cursor.copy(statement) as out:
            for row in rows:
                whole = {**plain, **row}
                out.write_row([field.get_db_prep_save(whole[field.attname], connection) for field in fields])
        if model._meta.pk.get_internal_type().endswith("AutoField"):
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence('\"{model._meta.db_table}\"', 'id'),"
                f' (SELECT max(id) FROM "{model._meta.db_table}"))'
            )


def _tree() -> tuple[Account, User]:
    """A platform, a reseller, the campus and a small neighbour."""
    top = Account.objects.add_root(
        instance=Account(slug="platform", name="Platform", kind=Account.Kind.PLATFORM)
    )
    harbour = Account.objects.add_child(
        top, instance=Account(slug="harbour", name="Harbour", kind=Account.Kind.RESELLER)
    )
    account = Account.objects.add_child(
        harbour, instance=Account(slug="campus", name="Campus", kind=Account.Kind.CUSTOMER)
    )
    manager = User.objects.create(email="ana@campus.example", name="Ana of Campus")
    Membership.objects.create(user=manager, account=account, role="manager")
    return account, manager


class _Rows:
    """The rows of every table, drawn in one order."""

    def __init__(self, account: Account, phones: int, rng: random.Random, now: datetime) -> None:
        self.account, self.rng, self.now = account, rng, now
        self.ids = range(1, phones + 1)
        self.owners = round(phones * OWNED)
        self.offices = [parse_origin(f"198.51.{number}.7") for number in range(SITES)]
        self.site_of = [rng.randrange(SITES) for _ in self.ids]
        self.states = rng.choices([s for s, _ in STATES], [weight for _, weight in STATES], k=phones)
        self.models = rng.choices(MODELS, [weight for *_, weight in MODELS], k=phones)
        self.waiting = set(rng.sample(self.ids, min(CARDS, phones // 10)))
        self.old = now - timedelta(days=200)

    def tables(self) -> Iterator[tuple[Any, Iterator[dict[str, Any]]]]:
        yield User, self._users()
        yield Membership, self._memberships()
        yield Site, ({"id": n + 1, **self._own(), "name": f"Building {n}"} for n in range(SITES))
        yield (
            SiteNetwork,
            (
                {"id": n + 1, "site_id": n + 1, **self._account(), "first": o.hex_first, "last": o.hex_last}
                for n, o in enumerate(self.offices)
            ),
        )
        yield Device, self._devices()
        yield Lock, self._locks()
        yield LastSeen, self._seen()
        yield Extension, self._extensions()
        yield Appearance, self._appearances()
        yield Claim, self._claims()
        yield Token, self._tokens()
        yield Proof, self._proofs()
        yield Approval, self._approvals()
        yield DeviceEvent, self._events()

    def _account(self) -> dict[str, Any]:
        return {"account_id": self.account.pk}

    def _own(self) -> dict[str, Any]:
        return {**self._account(), "code": self._code(), "created_at": self.old}

    def _code(self) -> uuid.UUID:
        return uuid.UUID(int=self.rng.getrandbits(128), version=4)

    def _users(self) -> Iterator[dict[str, Any]]:
        for number in range(self.owners):
            first, last = self.rng.choice(FIRST), self.rng.choice(LAST)
            email = f"{first}.{last}.{number}@campus.example".lower()
            yield {
                "id": 1000 + number, "email": email, "name": f"{first} {last}", "code": self._code(),
                "date_joined": self.old, "password": "!",
            }  # fmt: skip

    def _memberships(self) -> Iterator[dict[str, Any]]:
        for number in range(self.owners):
            yield {"id": 1000 + number, "user_id": 1000 + number, **self._account(), "role": "user"}

    def _devices(self) -> Iterator[dict[str, Any]]:
        for pk in self.ids:
            family, model, _ = self.models[pk - 1]
            name = f"{self.rng.choice(ROOMS)} {pk % 977} of {self.rng.choice(FIRST)} {pk}"
            yield {
                "id": pk, **self._own(), "mac": self.mac(pk), "family": family, "model": model, "name": name,
                "owner_id": 999 + pk if pk <= self.owners else None, "site_id": self.site_of[pk - 1] + 1,
                "poll_minute": self.rng.randrange(1440), "admin_password": b"x" * 60,
                "user_password": b"x" * 60, "is_enabled": self.rng.random() > 0.003,
            }  # fmt: skip

    def mac(self, pk: int) -> str:
        """Scattered over a maker's range, the same each time."""
        return f"001565{pk * 7919 % (1 << 24):06x}"

    def _locks(self) -> Iterator[dict[str, Any]]:
        for pk, state in zip(self.ids, self.states, strict=True):
            bound, ends = self._bound(pk) if state != "new" else ("", ""), timedelta(hours=pk % 40 + 1)
            open_ = state == "unlocked"
            yield {
                "device_id": pk, "state": state, "by": "Ana",
                "since": self.old + timedelta(minutes=pk % 9000),
                "revision": pk, "files_revision": pk, "bound_first": bound[0], "bound_last": bound[1],
                "bound_site_id": self.site_of[pk - 1] + 1 if bound[0] and pk % 3 else None,
                "armed_at": self.now - timedelta(days=pk % 6) if state == "new" else self.old,
                "grant_given_at": self.now if open_ else None,
                "grant_until": self.now + ends if open_ and pk % 5 else None,
                "grant_by": "Ana" if open_ else "",
                "suspicion_until": self.now + ends if pk % 997 == 0 else None,
                "accepted_agents": [],
            }  # fmt: skip

    def _bound(self, pk: int) -> tuple[str, str]:
        if pk % 3:
            office = self.offices[self.site_of[pk - 1]]
            return office.hex_first, office.hex_last
        home = parse_origin(show_address(HOME + pk))
        return home.hex_first, home.hex_last

    def _seen(self) -> Iterator[dict[str, Any]]:
        for pk, state in zip(self.ids, self.states, strict=True):
            if state == "new":
                continue
            ago = timedelta(hours=24 * self.rng.random() + (80 if self.rng.random() < 0.01 else 0))
            home = self.offices[self.site_of[pk - 1]].first if pk % 3 else HOME + pk
            yield {
                "device_id": pk, "at": self.now - ago, "address": show_address(home),
                "agent": "Yealink SIP-T46S 66.86.0.15", "model": self.models[pk - 1][1],
                "firmware": self.rng.choice(FIRMWARES),
            }  # fmt: skip

    def _extensions(self) -> Iterator[dict[str, Any]]:
        for pk in self.ids:
            said = f"{self.rng.choice(FIRST)} {self.rng.choice(LAST)}"
            yield {"id": pk, **self._own(), "username": str(100_000 + pk), "display_name": said,
                   "secret": b"x" * 80}  # fmt: skip

    def _appearances(self) -> Iterator[dict[str, Any]]:
        for pk in self.ids:
            yield {"id": 2 * pk, "device_id": pk, "extension_id": pk, "position": 1}
            if pk % 5 == 0:
                yield {"id": 2 * pk + 1, "device_id": pk, "extension_id": pk - 1, "position": 2}

    def _claims(self) -> Iterator[dict[str, Any]]:
        for pk, state in zip(self.ids, self.states, strict=True):
            if state != "new":
                first, last = self._bound(pk)
                yield {
                    "id": pk, "device_id": pk, "code": self._code(), "at": self.old, "rule": "R1",
                    "first": first, "last": last, "address": "203.0.113.7", "mac": self.mac(pk),
                    "agent": "Yealink SIP-T46S 66.86.0.15", "before": {},
                }  # fmt: skip

    def _tokens(self) -> Iterator[dict[str, Any]]:
        for pk, state in zip(self.ids, self.states, strict=True):
            if state != "new":
                first, last = self._bound(pk)
                yield {
                    "id": pk, "device_id": pk, "mac": self.mac(pk), "hash": f"{pk:040x}", "sealed": b"x" * 90,
                    "kind": "current", "claim_id": pk, "issued_at": self.old, "first_used_at": self.old,
                    "first": first, "last": last, "origins": {},
                }  # fmt: skip

    def _proofs(self) -> Iterator[dict[str, Any]]:
        for pk, state in zip(self.ids, self.states, strict=True):
            if state == "locked":
                first, last = self._bound(pk)
                yield {"id": pk, "device_id": pk, "first": first, "last": last, "at": self.now}

    def _approvals(self) -> Iterator[dict[str, Any]]:
        for pk in sorted(self.waiting):
            yield {
                "id": pk, "device_id": pk, **self._account(), "code": self._code(), "rule": "R6",
                "opened_at": self.now, "closes_at": self.now + timedelta(days=7), "last_try_at": self.now,
                "tries": 3, "origins": [],
            }  # fmt: skip

    def _events(self) -> Iterator[dict[str, Any]]:
        """Yesterday's check-in of each, refusals of those that wait, and one phone's long log."""
        number, at = 0, self.now - timedelta(days=1)
        served = {"what": "request", "outcome": "full", "rule": "O3", "details": {"check_in": True}}
        refused = {"what": "request", "outcome": "refused", "rule": "R6", "details": {}}
        for pk in self.ids:
            for lines in ([served], [refused, refused] if pk in self.waiting else []):
                for line in lines:
                    number += 1
                    yield self._event(number, pk, at + timedelta(seconds=86400 * pk / len(self.ids)), line)
        for entry in range(LOG):
            number += 1
            pk = len(self.ids) // 2 + 1
            yield self._event(number, pk, self.now - timedelta(hours=entry), refused if entry % 9 else served)

    def _event(self, number: int, pk: int, at: datetime, more: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": number, "device_id": pk, **self._account(), "mac": self.mac(pk), "at": at,
            "address": "203.0.113.7", "agent": "Yealink SIP-T46S 66.86.0.15", "file": f"{self.mac(pk)}.cfg",
            **more,
        }  # fmt: skip
