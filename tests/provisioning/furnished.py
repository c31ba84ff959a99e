"""A phone with everything that a phone can have, for verbs that take it away; the clock stands at noon."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from accounts.models import Account
from accounts.scope import Actor
from devices import appearances, extensions, settings_tree
from devices.appearances import AppearanceRow, KeyRow
from devices.models import Device, Extension, Site
from devices.phone import KeyKind
from provisioning import claims, entering, files, locking, publishing, sites, windows
from provisioning.models import Approval, CheckInHour, Denial, LastSeen, Lock, Token, Window
from provisioning.spans import Span
from security.networks import parse_address
from tests.factories import origin, proved, refused, tried
from tests.provisioning.making import HOTEL, THIEF, request
from tests.tree import Tree, user_of

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
OFFICE = "198.51.100.7"
MAC, PARTNER_MAC, NEW_MAC = "00005e005341", "00005e005342", "00005e005343"
SECRETS = {"4101": "Secret-of-one-alone", "4100": "Secret-of-the-shared-line"}
UPLOAD = f"{MAC}-contact.xml"
#: What nobody but the old tenant may ever read again.
OLD_WORDS = (
    "Front desk", "Head office", "Ring twice", "4101", "4100", OFFICE, HOTEL, "Ben", "Ana",
    "sip.old.example", "<contacts/>", *SECRETS.values(),
)  # fmt: skip


@dataclass
class Furnished:
    """The phone, the one it shares a line with, and what hangs on it."""

    phone: Device
    partner: Device
    site: Site
    own: Extension
    shared: Extension
    window: Window
    card: Approval
    former: Token
    current: Token

    @property
    def lock(self) -> Lock:
        found: Lock = Lock.objects.select_related("bound_site", "device__account").get(pk=self.phone.pk)
        return found


def furnish(tree: Tree) -> Furnished:
    """Entered, shared, set, claimed twice, polled, refused, unlocked, on a card and on a window's list."""
    acme, ana = tree.acme, tree.ana
    site = sites.create(acme, by=ana, name="Head office", networks=["198.51.100.0/28"], now=NOW)
    phone = _enter(acme, ana, MAC, name="Front desk", site=site, owner=user_of(tree.ben))
    partner = _enter(acme, ana, PARTNER_MAC, name="Back door")
    entering.change(phone, by=ana, notes="Ring twice", now=NOW)
    own, shared = (
        extensions.create(acme, by=ana, username=name, secret=secret, now=NOW)
        for name, secret in SECRETS.items()
    )
    appearances.put(phone, by=ana, rows=[AppearanceRow(1, own), AppearanceRow(2, shared)], now=NOW)
    appearances.put(partner, by=ana, rows=[AppearanceRow(1, shared)], now=NOW)
    appearances.put_keys(phone, by=ana, rows=[KeyRow(3, KeyKind.BLF, "4100", "Door", 1)], now=NOW)
    settings_tree.set_value(acme, by=ana, name="sip_server", value="sip.old.example", now=NOW)
    settings_tree.set_value(phone, by=ana, name="language", value="de", now=NOW)
    claims.claim(request(phone, OFFICE), now=NOW)
    former = current_of(phone)
    claims.first_use(former.hash, parse_address(OFFICE), now=NOW + MINUTE)
    claims.claim(request(phone, OFFICE), now=NOW + HOUR)
    files.keep_upload(current_of(phone).hash, UPLOAD, b"<contacts/>", "text/xml", now=NOW + HOUR)
    proved(phone, OFFICE, at=NOW)
    LastSeen.objects.create(device=phone, at=NOW, address=OFFICE, agent="Yealink")
    CheckInHour.objects.create(device=phone, hour=NOW, count=1)
    thief = origin(THIEF)
    Denial.objects.create(
        lock=phone.lock, first=thief.hex_first, last=thief.hex_last, since=NOW, until=NOW + 30 * DAY, by="Ana"
    )
    Lock.objects.filter(pk=phone.pk).update(
        accepted_agents=["Odd Phone"],
        follow_first=thief.hex_first,
        follow_last=thief.hex_last,
        follow_since=NOW,
    )
    refused(phone, HOTEL, at=NOW + HOUR)
    card = tried(phone, HOTEL, at=NOW)
    assert card is not None
    window = windows.open_window(acme, by=ana, origin=origin(HOTEL), hours=40, devices=[phone], now=NOW)
    locking.unlock(phone, by=ana, span=Span.parse("first-fetch"), now=NOW + HOUR)
    publishing.publish_devices([phone.pk, partner.pk], now=NOW + HOUR)
    files.publish_files([phone.pk, partner.pk], now=NOW + HOUR)
    former.refresh_from_db()
    phone = Device.objects.select_related("account", "site", "owner").get(pk=phone.pk)
    return Furnished(phone, partner, site, own, shared, window, card, former, current_of(phone))


def current_of(device: Device) -> Token:
    return Token.objects.get(device=device, kind="current")


def _enter(account: Account, by: Actor, mac: str, **more: Any) -> Device:
    return entering.enter(account, by=by, mac=mac, family="yealink", model="T46S", now=NOW, **more)
