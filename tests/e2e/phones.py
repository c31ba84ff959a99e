"""Devices made by the API for end-to-end tests, each with a MAC and an extension of its own."""

import itertools
import secrets
from dataclasses import dataclass
from typing import Any

from tests.e2e.household import Household

_numbers = itertools.count(2000)
_macs = itertools.count(secrets.randbelow(0xF00000))


@dataclass(frozen=True)
class Entered:
    """A device that the API made, with the SIP secret that its file must hold."""

    code: str
    mac: str
    secret: str
    username: str
    family: str
    model: str

    def agent(self, template: str) -> str:
        """A real phone's agent with this device's MAC in place of its own."""
        return template.format(mac=self.mac, colons=":".join(self.mac[i : i + 2] for i in range(0, 12, 2)))


def fresh_mac(oui: str) -> str:
    return f"{oui}{next(_macs) % 0x1000000:06x}"


def enter(
    home: Household,
    *,
    family: str = "yealink",
    model: str = "T46S",
    oui: str = "001565",
    account: str = "acme",
    mac: str | None = None,
    key: str | None = None,
) -> Entered:
    """Make a device with one extension on its first line key."""
    mac = mac or fresh_mac(oui)
    made = home.api(
        "POST",
        "/devices/",
        {"account": account, "mac": mac, "family": family, "model": model, "name": f"{model} {mac[-4:]}"},
        key=key,
    )
    assert made.status == 201, made.body
    username, secret = str(next(_numbers)), f"Sip-{secrets.token_hex(12)}"
    extension = home.api(
        "POST",
        "/extensions/",
        {"account": account, "username": username, "secret": secret, "display_name": f"Desk {username}"},
        key=key,
    )
    assert extension.status == 201, extension.body
    rows = [{"position": 1, "extension": extension.json()["code"], "label": username}]
    put = home.api("PUT", f"/devices/{made.json()['code']}/appearances/", rows, key=key)
    assert put.status == 200, put.body
    return Entered(made.json()["code"], mac, secret, username, family, model)


def lock_of(home: Household, device: Entered, *, key: str | None = None) -> dict[str, Any]:
    answer = home.api("GET", f"/devices/{device.code}/", key=key)
    assert answer.status == 200, answer.body
    return dict(answer.json()["lock"])


def events_of(home: Household, device: Entered) -> list[dict[str, Any]]:
    answer = home.api("GET", f"/devices/{device.code}/events/")
    assert answer.status == 200, answer.body
    return list(answer.json()["results"])
