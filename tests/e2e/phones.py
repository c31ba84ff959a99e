"""Devices made by the API for end-to-end tests, each with a MAC and an extension of its own."""

import itertools
import re
import secrets
from dataclasses import dataclass
from typing import Any

from tests.e2e.household import Household, Reply, eventually

AGENT = "Yealink SIP-T46S 66.85.0.5 {colons}"

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


# --- what a phone does -------------------------------------------------------------------------------------


def ask(home: Household, phone: Entered, path: str, source: str) -> Reply:
    return home.phone(path, agent=phone.agent(AGENT), source=source)


def folder_in(body: bytes) -> str:
    """The private folder that a file names."""
    found = re.search(rb"/d/[a-z0-9]{40}/", body)
    assert found, body
    return found.group().decode()


def served(home: Household, phone: Entered, path: str, source: str) -> Reply:
    """Ask until it is there; a compile may be under way."""

    def fetched() -> Reply | None:
        reply = ask(home, phone, path, source)
        assert reply.status in (200, 503), reply.status
        return reply if reply.status == 200 else None

    return eventually(fetched, what=path)  # type: ignore[no-any-return]


def boot(home: Household, phone: Entered, source: str) -> str:
    """Fetch at the root until it is let in; returns the entry token's folder."""

    def bootstrap() -> Reply | None:
        reply = ask(home, phone, f"/{phone.mac}.boot", source)
        return reply if reply.status == 200 else None

    return folder_in(eventually(bootstrap, what="a bootstrap").body)


def set_up(home: Household, phone: Entered, source: str) -> str:
    """Boot as the phone does; returns the folder of its current token, used once."""
    full = served(home, phone, f"{boot(home, phone, source)}{phone.mac}.cfg", source)
    below = folder_in(full.body)
    assert phone.secret.encode() in served(home, phone, f"{below}{phone.mac}.cfg", source).body
    return below
