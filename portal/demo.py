"""Fills an empty database for a first look: through the verbs, so that locks, log and audit are real."""

import ipaddress
import secrets
import shlex
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts import tenants
from accounts.authentication import actor_of
from accounts.models import Account, User
from accounts.roles import Role
from accounts.scope import Actor
from devices import appearances, directory, extensions, profiles, raw_keys, settings_tree
from devices.appearances import AppearanceRow, KeyRow
from devices.catalog import catalog
from devices.levels import Target, model_in
from devices.mac import pretty
from devices.models import Device, Site
from devices.phone import KeyKind
from devices.user_agent import parse_agent, product_name
from portal import demo_webhooks
from portal.demo_facts import DemoFacts
from portal.demo_scans import scan
from provisioning import (
    claims,
    draining,
    entering,
    incidents,
    letters,
    locking,
    phone_import,
    phone_import_table,
    quarters,
    retiring,
    sites,
    unlock_links,
    windows,
)
from provisioning.gate import KeyKind as Failure
from provisioning.gate import TokenKind
from provisioning.models import CheckInHour, Incident, IncidentStep, Token
from provisioning.spans import Span
from provisioning.wire import Note
from security import allowances, bans
from security.networks import parse_address, parse_network, parse_origin

DATA = Path(__file__).with_suffix(".toml")
FILLER = Actor.system("the demo")
FIRST_USE_AFTER = timedelta(seconds=9)
NIGHTS = 35


def fill(*, trial: bool) -> DemoFacts:
    """Fill an empty database and return what people may do with it; one that is not empty stays as it is."""
    data = tomllib.loads(DATA.read_text(encoding="utf-8"))
    if not Account.objects.exists():
        with transaction.atomic():  # half a demo would never be completed
            _Filling(data, trial=trial, now=timezone.now()).fill()
    return facts(data)


def facts(data: dict[str, Any]) -> DemoFacts:
    """The sign-ins, and the two lines that play the demo's phone and a thief who knows its MAC."""
    phone = next(phone for phone in data["phones"] if phone.get("played"))
    url = f"{settings.PHONES_URL}/{_claiming_name(phone['family'], phone['model'], phone['mac'])}"
    line = f"-A {shlex.quote(_agent(phone))} {url}"
    return DemoFacts(
        sign_ins=[(person["email"], data["password"], person["role"]) for person in data["people"]],
        curl_phone=f"curl -i {line}",
        curl_thief=f"curl -i --interface {data['thief']} {line}",
    )


class _Filling:
    """One filling: what was made so far, by the names that the data uses."""

    def __init__(self, data: dict[str, Any], *, trial: bool, now: datetime) -> None:
        self.data, self.trial, self.now = data, trial, now
        self.start = now - timedelta(days=1 + max(phone["days"] for phone in data["phones"]))
        self.accounts: dict[str, Account] = {}
        self.actors: dict[str, Actor] = {}
        self.managers: dict[str, Actor] = {}
        self.sites: dict[tuple[str, str], Site] = {}

    def fill(self) -> None:
        self._accounts_and_people()
        self._settings()
        for row in self.data["sites"]:
            self._site(**row)
        for row in self.data["extensions"]:
            self._extensions(**row)
        for row in self.data["contacts"]:
            self._contacts(**row)
        entered = {phone["mac"]: self._phone(phone) for phone in self.data["phones"]}
        for phone in self.data["phones"]:
            self._lines(entered[phone["mac"]], phone)
        for row in self.data["profiles"]:
            self._profile(entered, **row)
        if self.trial:  # elsewhere these addresses are nobody's, and no phone could come from them
            for phone in self.data["phones"]:
                self._life(entered[phone["mac"]], phone)
            self._nights(entered)
            self._window(**self.data["window"])
            self._scans()
            self._incidents()
        self._kept_out()
        self._list(**self.data["list"])
        locking.sweep(self.now)
        with self._told(**self.data["webhooks"]):
            for phone in self.data["phones"]:
                self._state(entered[phone["mac"]], phone)

    def _accounts_and_people(self) -> None:
        top = tenants.found_platform(by=FILLER, now=self.start, **self.data["platform"])
        self.accounts[top.slug] = top
        first, *others = self.data["people"]
        password: dict[str, Any] = {"password": self.data["password"], "is_demo": True, "now": self.start}
        made = tenants.add_first_person(top, by=FILLER, email=first["email"], name=first["name"], **password)
        support = self.actors[first["email"]] = actor_of(made.user)
        for row in self.data["accounts"]:
            below = self.accounts[row.pop("below")]
            account = tenants.create_account(below, by=support, now=self.start, **row)
            self.accounts[account.slug] = account
        for row in others:
            role, slug = Role(row["role"]), row["account"]
            made = tenants.add_person(
                self.accounts[slug], by=support, email=row["email"], name=row["name"], role=role, **password
            )
            actor = self.actors[row["email"]] = actor_of(made.user)
            if role is Role.MANAGER:
                self.managers[slug] = actor
            if row.get("sees_secrets"):
                tenants.let_see_secrets(made, by=support, sees=True, now=self.start)
        for row in self.data["invited"]:  # without a letter: the address is nobody's
            tenants.add_person(
                self.accounts[row["account"]],
                by=self.managers[row["account"]],
                email=row["email"],
                name=row["name"],
                role=Role(row["role"]),
                invited=True,
                now=self.now - timedelta(days=row["days_ago"]),
            )
        for row in self.data["notices"]:
            by = actor_of(User.objects.get(email=row["by"]))
            assert by.user is not None
            letters.choose(by.user, by=by, choices=row["choices"], now=self.start)

    def _settings(self) -> None:
        support = self.actors[self.data["people"][0]["email"]]
        for name in ("sip_server", "voicemail_number"):
            settings_tree.set_value(
                self.accounts["platform"], by=support, name=name, value=self.data[name], now=self.start
            )
        for row in self.data["models"]:
            target = model_in(self.accounts[row["account"]], row["family"], row["model"])
            self._give(target, row["account"], row["settings"], self.start)
        for row in self.data["raw_keys"]:
            added_to = raw_keys.target_in(self.accounts[row["account"]], row["family"])
            raw_keys.set_value(added_to, by=support, key=row["key"], value=row["value"], now=self.start)

    def _give(self, target: Target, account: str, values: dict[str, Any], at: datetime) -> None:
        for name, value in values.items():
            settings_tree.set_value(target, by=self.managers[account], name=name, value=value, now=at)

    def _site(self, account: str, name: str, networks: list[str]) -> None:
        self.sites[account, name] = sites.create(
            self.accounts[account],
            by=self.managers[account],
            name=name,
            networks=networks if self.trial else [],
            now=self.start,
        )

    def _extensions(self, account: str, numbers: dict[str, str]) -> None:
        for number, name in numbers.items():
            extensions.create(
                self.accounts[account],
                by=self.managers[account],
                username=number,
                secret=secrets.token_urlsafe(15),
                display_name=name,
                now=self.start,
            )

    def _contacts(self, account: str, people: list[dict[str, str]]) -> None:
        for person in people:
            directory.add(self.accounts[account], by=self.managers[account], now=self.start, **person)

    def _phone(self, phone: dict[str, Any]) -> Device:
        # Where none of them can have come, each is new from now on.
        entered = self.now - timedelta(days=phone["days"] if self.trial else 0)
        ships = phone.get("ships_in_days")
        owner = User.objects.get(email=phone["owner"]) if "owner" in phone else None
        return entering.enter(
            self.accounts[phone["account"]],
            by=self.managers[phone["account"]],
            mac=phone["mac"],
            family=phone["family"],
            model=phone["model"],
            name=phone["name"],
            owner=owner,
            site=self.sites.get((phone["account"], phone.get("site", ""))),
            ship_on=(self.now + timedelta(days=ships)).date() if ships else None,
            now=entered,
        )

    def _lines(self, device: Device, phone: dict[str, Any]) -> None:
        by, entered = self.managers[phone["account"]], device.created_at
        rows = [AppearanceRow(at, str(number)) for at, number in enumerate(phone.get("lines", ()), start=1)]
        keys = [KeyRow(**{**key, "kind": KeyKind(key["kind"])}) for key in phone.get("keys", ())]
        appearances.put(device, by=by, rows=rows, now=entered)
        appearances.put_keys(device, by=by, rows=keys, now=entered)
        self._give(device, phone["account"], phone.get("settings", {}), entered)

    def _profile(
        self,
        entered: dict[str, Device],
        account: str,
        name: str,
        family: str,
        keys: list[dict[str, Any]],
        phones: list[str],
    ) -> None:
        by, rows = self.managers[account], [KeyRow(**{**key, "kind": KeyKind(key["kind"])}) for key in keys]
        made = profiles.create(
            self.accounts[account], by=by, name=name, family=family, keys=rows, now=self.start
        )
        chosen = [entered[mac] for mac in phones]
        profiles.apply(made, by=by, devices=chosen, now=max(phone.created_at for phone in chosen))

    def _life(self, device: Device, phone: dict[str, Any]) -> None:
        """The phone came on its first day, moved to its private URL, and asked there last night."""
        if "from" not in phone:
            return
        address = parse_address(_here() if phone["from"] == "here" else phone["from"])
        came = device.created_at + timedelta(hours=3)
        current = self._claim(device, phone, address, came)

        def check_in(token: Token, at: datetime, **more: Any) -> Note:
            facts = {"rule": "O3", "outcome": "full", "check_in": True, "current": True, "token": token.hash}
            file = f"{device.mac}.cfg"
            return self._note(device, phone, at=at, address=address, **{**facts, "file": file, **more})

        midnight = self.now.replace(hour=0, minute=0, second=0, microsecond=0)
        asked = midnight + timedelta(minutes=device.poll_minute)
        last = asked if asked < self.now else asked - timedelta(days=1)
        notes = [check_in(current, came + FIRST_USE_AFTER, first_use=True), check_in(current, last)]
        if phone.get("cloned"):  # somebody at the same address was let in later, and both ask now (T3)
            hour = timedelta(hours=1)
            theirs = self._claim(device, phone, address, self.now - 3 * hour)
            notes.append(check_in(theirs, self.now - 2 * hour, first_use=True))
            draining.write(notes, self.now)
            notes = [check_in(current, self.now - hour, rule="T3", current=False, clone=True)]
        if "also_from" in phone:  # carried along for a while, long enough to be known there as well
            there = f"{parse_address(phone['also_from']):x}"
            notes.append(replace(check_in(current, last - timedelta(days=2), rule="O4"), address=there))
        notes += [self._refused(device, phone, tried) for tried in phone.get("tried_from", ())]
        draining.write(notes, self.now)

    def _nights(self, entered: dict[str, Device]) -> None:
        """Every night of the last weeks each phone checked in, so that Home knows what to expect."""
        midnight = self.now.replace(hour=0, minute=0, second=0, microsecond=0)
        asked = []
        for phone in self.data["phones"]:
            device = entered[phone["mac"]]
            for ago in range(1, NIGHTS) if "from" in phone else ():
                at = midnight - timedelta(days=ago) + timedelta(minutes=device.poll_minute)
                if at > device.created_at + timedelta(days=1):
                    asked.append((device, at.replace(minute=0), quarters.bit(at)))
        quarters.count(asked)
        CheckInHour.objects.bulk_create(
            [CheckInHour(device=device, hour=hour, count=1, quarters=bits) for device, hour, bits in asked],
            ignore_conflicts=True,
        )

    def _claim(self, device: Device, phone: dict[str, Any], address: int, at: datetime) -> Token:
        """The phone asks at the root and is let in; returns its current token."""
        file_name = _claiming_name(device.family, device.model, device.mac)
        claims.claim(claims.Request(device.mac, file_name, address, _agent(phone)), now=at)
        return Token.objects.get(device=device, kind=TokenKind.CURRENT.value)

    def _note(
        self, device: Device, phone: dict[str, Any], *, at: datetime, address: int, **facts: Any
    ) -> Note:
        return Note(
            at=at.timestamp(),
            address=f"{address:x}",
            mac=device.mac,
            code=str(device.code),
            agent=_agent(phone),
            **facts,
        )

    def _refused(self, device: Device, phone: dict[str, Any], tried_from: str) -> Note:
        """A try from a strange address two hours ago: a card waits for an answer."""
        agent = _agent(phone)
        parsed = parse_agent(agent)
        return self._note(
            device,
            phone,
            at=self.now - timedelta(hours=2),
            address=parse_address(tried_from),
            rule="R6",
            outcome="refused",
            file=_claiming_name(device.family, device.model, device.mac),
            count=3,
            card=True,
            key=Failure.LOCKED_MAC.value,
            label=device.mac,
            product=parsed.product if parsed else product_name(agent) or "",
        )

    def _window(self, account: str, address: str, hours: int, by: str) -> None:
        windows.open_window(
            self.accounts[account],
            by=self.actors[by],
            origin=parse_origin(address),
            hours=hours,
            now=self.now,
        )

    def _kept_out(self) -> None:
        """A ban, a block, and a network for which more is asked."""
        for row in self.data["bans"]:
            keep_out = bans.block if row["blocked"] else bans.set_ban
            length, by = timedelta(hours=row["hours"]), self.actors[row["by"]]
            keep_out(parse_network(row["network"]), by=by, length=length, reason=row["reason"], now=self.now)
        asked = self.data["allowance"]
        allowances.propose(
            self.accounts[asked["account"]],
            parse_network(asked["network"]),
            by=self.actors[asked["by"]],
            reason=asked["reason"],
            length=timedelta(days=asked["days"]),
            now=self.now,
        )

    def _list(self, account: str, by: str, file: str, table: str) -> None:
        """A list of phones that was sent, and waits for its Yes."""
        phone_import.look(
            self.accounts[account],
            phone_import_table.read(table.encode()),
            by=self.actors[by],
            file_name=file,
            now=self.now,
        )

    def _scans(self) -> None:
        """Who asked for phones that nobody has: some of it too little for a ban."""
        for at, row in enumerate(self.data["scans"]):
            macs = [f"00005e90{at:02x}{number:02x}" for number in range(row["macs"])]
            scan(row["address"], row["days_ago"], macs, agent=row["agent"], now=self.now)

    def _incidents(self) -> None:
        """What went wrong before: told, noted, and over. A ban where phones live opens its own."""
        for row in self.data["incidents"]:
            began, by = self.now - timedelta(days=row["days_ago"]), self.actors[row["by"]]
            over = began + timedelta(minutes=row["minutes"])
            opened = incidents.open_(
                Incident.Kind(row["kind"]),
                account=self.accounts[row["account"]],
                subject=row["title"][:100],
                title=row["title"],
                now=began,
                network=parse_network(row["network"]) if "network" in row else None,
                site=self.sites.get((row["account"], row.get("site", ""))),
                evidence={"facts": row["facts"]},
                tell=False,
            )
            told = f"{by.label.partition(' (')[0]}, by e-mail."
            incidents.step(opened, IncidentStep.What.TOLD, told, at=began + timedelta(minutes=1))
            incidents.note(opened, by=by, said=row["note"], now=began + timedelta(minutes=9))
            incidents.end(opened, how=row["how_ended"], now=over)

    @contextmanager
    def _told(self, account: str, by: str, **rows: Any) -> Iterator[None]:
        """Two programs hear of what is done meanwhile; one of them takes it."""
        at, actor = self.accounts[account], self.actors[by]
        more: dict[str, Any] = {"by": actor, "trial": self.trial, "now": self.now}
        endpoint, former = (
            demo_webhooks.listen(at, row=row, **more) for row in (rows["now"], rows["former"])
        )
        yield
        if self.trial:
            demo_webhooks.answer(endpoint, by=actor, answers=rows["answers"], now=timezone.now())
            demo_webhooks.switch_off(former, by=actor, now=timezone.now())

    def _state(self, device: Device, phone: dict[str, Any]) -> None:
        """What a person did to the phone's lock."""
        if "link_for" in phone:
            entered = Device.objects.select_related("account").get(pk=device.pk)
            by = self.managers[phone["account"]]
            unlock_links.make(entered, by=by, given_to=phone["link_for"], now=self.now)
        if "state" not in phone:
            return
        device = Device.objects.select_related("account").get(pk=device.pk)
        by = self.actors[phone["by"]]
        verbs: dict[str, Callable[[], object]] = {
            "unlocked": lambda: locking.unlock(device, by=by, span=self._span(phone), now=self.now),
            "allowed": lambda: locking.allow_reprovision(device, by=by, now=self.now),
            "quarantined": lambda: locking.quarantine(device, by=by, reason=phone["reason"], now=self.now),
            "retired": lambda: retiring.retire(device, by=by, now=self.now),
            "disabled": lambda: entering.change(device, by=by, is_enabled=False, now=self.now),
        }
        verbs[phone["state"]]()

    def _span(self, phone: dict[str, Any]) -> Span:
        return Span.hours(phone["hours"]) if "hours" in phone else Span.parse("first-fetch")


def _agent(phone: dict[str, Any]) -> str:
    text: str = phone["agent"]
    return text.format(colons=pretty(phone["mac"]).lower(), mac=phone["mac"])


def _claiming_name(family: str, model: str, mac: str) -> str:
    """The name that this phone asks for first."""
    vendor = catalog().families[family]
    generation = vendor.models[model].generation
    rule = next(rule for rule in vendor.files if rule.claims and generation not in rule.absent_in)
    return rule.path.replace("{mac}", mac)


def _here() -> str:
    """The address from which this machine reaches its own phones' port."""
    host = urlsplit(settings.PHONES_URL).hostname or ""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return "127.0.0.1"
