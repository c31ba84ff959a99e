"""Phones made through the verbs, and requests of theirs, for tests of claims and publishing."""

import itertools
from typing import Any

from accounts.models import Account
from accounts.roles import Role
from accounts.scope import Actor, Standing
from devices import appearances, extensions, settings_tree
from devices.models import Device
from provisioning import claims, entering
from security.networks import parse_address
from tests.factories import make_mac

HOME, HOTEL, THIEF = "198.51.100.7", "203.0.113.9", "192.0.2.66"
SECRET = "Sip-secret-that-must-not-leak"
_macs = itertools.count(1)


def make_account(slug: str, parent: Account | None = None, kind: str = Account.Kind.CUSTOMER) -> Account:
    account = Account(slug=slug, name=slug.capitalize(), kind=kind)
    if parent is None:
        return Account.objects.add_root(instance=account)
    return Account.objects.add_child(parent, instance=account)


def support() -> Actor:
    """Somebody who may do everything everywhere."""
    return Actor(label="support", standings=(Standing("0001", Role.SUPPORT),))


def make_phone(account: Account, *, family: str = "yealink", model: str = "T46S", **more: Any) -> Device:
    number = next(_macs)
    mac = more.pop("mac", None) or make_mac()  # none that a test, or the tests' world, names itself
    device = entering.enter(account, by=support(), mac=mac, family=family, model=model, **more)
    extension = extensions.create(account, by=support(), username=str(1000 + number), secret=SECRET)
    appearances.put(device, by=support(), rows=[appearances.AppearanceRow(1, extension, "Desk")])
    settings_tree.set_value(account, by=support(), name="sip_server", value="sip.example.org")
    return Device.objects.get(pk=device.pk)


def colons(mac: str) -> str:
    return ":".join(mac[i : i + 2] for i in range(0, 12, 2))


def request(
    device: Device, address: str = HOME, *, name: str = "{mac}.boot", agent: str | None = None
) -> claims.Request:
    agent = f"Yealink SIP-T46S 66.85.0.5 {colons(device.mac)}" if agent is None else agent
    return claims.Request(
        mac=device.mac, file_name=name.format(mac=device.mac), address=parse_address(address), agent=agent
    )
