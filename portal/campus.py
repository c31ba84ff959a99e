"""Enters the campus of `manage.py demo --live`: an account with hundreds of phones behind one address."""

import secrets
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts import tenants
from accounts.authentication import actor_of
from accounts.models import Account, User
from accounts.scope import Actor
from devices import appearances, extensions
from devices.appearances import AppearanceRow
from devices.mac import pretty
from devices.models import Device, Site
from provisioning import entering, sites, tokens
from provisioning.gate import TokenKind
from provisioning.models import Token

DATA = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True)
class Handset:
    """One phone of the campus, as whoever plays it has to know it."""

    mac: str
    agent: str
    family: str
    model: str
    private: str = ""  # where it asks when it was set up before


@dataclass
class Campus:
    """What the data say, and who enters it."""

    data: dict[str, Any]
    by: Actor

    @classmethod
    def read(cls) -> "Campus":
        """The campus of the data, entered by one of the demo's people; User.DoesNotExist without the demo."""
        data = tomllib.loads(DATA.read_text(encoding="utf-8"))
        return cls(data, actor_of(User.objects.get(email=data["by"])))

    @property
    def address(self) -> str:
        return str(self.data["address"])

    @property
    def account(self) -> Account | None:
        accounts: QuerySet[Account] = Account.objects.filter(slug=self.data["slug"], deleted_at=None)
        return accounts.first()

    def enter(self, number: int) -> Iterator[int]:
        """Enter what is missing of so many phones, each by itself, and say after each how many there are."""
        account, site = self._place()
        for at, phone in enumerate(self.handsets(number)):
            if not Device.objects.filter(mac=phone.mac, account=account).exists():
                self._enter(account, site, phone, at)
            yield at + 1

    def set_up(self, number: int) -> list[Handset]:
        """The phones; those that hold a private URL ask there, whether or not they have done so yet."""
        phones = {phone.mac: phone for phone in self.handsets(number)}
        held = Q(first_used_at__isnull=False) | Exists(
            Token.objects.filter(claim=OuterRef("claim"), first_used_at__isnull=False)
        )
        for token in Token.objects.filter(held, device__mac__in=phones, kind=TokenKind.CURRENT.value):
            old = phones[token.mac]
            private = f"{settings.PHONES_URL}/d/{tokens.text_of(token)}/"
            phones[token.mac] = Handset(old.mac, old.agent, old.family, old.model, private)
        return list(phones.values())

    def strangers(self, number: int) -> list[Handset]:
        """Phones that nobody has entered."""
        return list(self._made(number, start=0x800000))

    def handsets(self, number: int) -> list[Handset]:
        """The campus's own, the same ones each time."""
        return list(self._made(number, start=0))

    def _made(self, number: int, *, start: int) -> Iterator[Handset]:
        mix = [row for row in self.data["mix"] for _ in range(row["of_ten"])]
        for at in range(number):
            row, mac = mix[at % len(mix)], f"{self.data['mac']}{start + at:06x}"
            agent = row["agent"].format(mac=mac, colons=pretty(mac).lower())
            yield Handset(mac, agent, row["family"], row["model"])

    def _place(self) -> tuple[Account, Site]:
        account = self.account
        if account is None:
            above = Account.objects.get(slug=self.data["below"])
            account = tenants.create_account(
                above, by=self.by, slug=self.data["slug"], name=self.data["name"], kind=Account.Kind.CUSTOMER
            )
        site = Site.objects.filter(account=account, name=self.data["site"]).first()
        if site is None:
            site = sites.create(account, by=self.by, name=self.data["site"], networks=[self.address])
        return account, site

    def _enter(self, account: Account, site: Site, phone: Handset, at: int) -> None:
        number = str(self.data["first_line"] + at)
        with transaction.atomic():
            device = entering.enter(
                account,
                by=self.by,
                mac=phone.mac,
                family=phone.family,
                model=phone.model,
                name=f"Room {number}",
                site=site,
            )
            extensions.create(
                account,
                by=self.by,
                username=number,
                secret=secrets.token_urlsafe(15),
                display_name=f"Room {number}",
            )
            appearances.put(device, by=self.by, rows=[AppearanceRow(1, number)])
