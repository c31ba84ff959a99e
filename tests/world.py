"""Two customers of one reseller with everything an account can hold, made by the verbs themselves."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts import keys, tenants
from accounts.authentication import actor_of
from accounts.models import Account, User
from accounts.roles import Role
from accounts.scope import Actor
from devices import appearances, directory, extensions, profiles
from devices.appearances import AppearanceRow, KeyRow
from devices.mac import pretty
from devices.models import Contact, Device, Extension, Profile, Site
from devices.phone import KeyKind
from provisioning import (
    approvals,
    claims,
    entering,
    incidents,
    locking,
    phone_import,
    sites,
    unlock_all,
    unlock_links,
    webhooks,
    windows,
)
from provisioning.models import (
    Approval,
    ImportDraft,
    Incident,
    Job,
    Proof,
    Token,
    UnlockLink,
    WebhookDelivery,
    WebhookEndpoint,
    Window,
)
from provisioning.phone_import_table import read_dicts
from provisioning.spans import Span
from provisioning.tokens import text_of
from security import allowances, bans
from security.models import AllowedNetwork, Ban
from security.networks import origin_of, parse_address
from tests.remembering import remembered
from tests.second_factors import equipped

AGENT = "Yealink SIP-T46S 66.86.0.15 {mac}"
OFFICE, HOTEL, ELSEWHERE = "203.0.113.10", "198.51.100.20", "192.0.2.30"
PASSWORD = "nobody-guesses-this-1"
#: Where each customer lives, as its first address.
PLACES = {"acme": "203.0.113.0", "depot": "203.0.113.128", "globex": "192.0.2.0", "initech": "198.51.100.0"}


@dataclass
class Tenant:
    """One customer with one of each thing; `words` are what nobody else may ever read."""

    account: Account
    manager: User
    viewer: User
    user: User
    site: Site
    phone: Device
    other_phone: Device
    extension: Extension
    profile: Profile
    contact: Contact
    window: Window
    approval: Approval
    allowed: AllowedNetwork
    ban: Ban
    incident: Incident
    job: Job
    draft: ImportDraft
    key: str
    key_code: str
    secret: str
    unlock_link: UnlockLink
    link_secret: str
    endpoint: WebhookEndpoint
    delivery: WebhookDelivery
    tokens: list[str] = field(default_factory=list)

    @property
    def codes(self) -> list[str]:
        rows: list[Any] = [self.account, self.site, self.phone, self.other_phone, self.extension]
        rows += [self.profile, self.contact]
        rows += [self.window, self.approval, self.allowed, self.job, self.draft, self.incident]
        rows += [self.unlock_link, self.endpoint, self.delivery]
        return [*(str(row.code) for row in rows), self.key_code]

    @property
    def words(self) -> list[str]:
        codes = [*self.codes, self.link_secret]
        people = [word for user in (self.manager, self.viewer, self.user) for word in (user.email, user.name)]
        macs = [mac for phone in (self.phone, self.other_phone) for mac in (phone.mac, pretty(phone.mac))]
        names = [self.account.name, self.site.name, self.phone.name, self.other_phone.name, self.profile.name]
        names += [self.endpoint.name, self.endpoint.url, self.contact.name]
        names += [self.draft.file_name, self.draft.rows[0]["name"]]
        return [*codes, *people, *macs, *names, self.extension.username, self.extension.display_name]


@dataclass
class World:
    """The cast: sam (support), rita (reseller), ana and ben at acme, eve at globex."""

    platform: Account
    harbour: Account
    sam: User
    rita: User
    acme: Tenant
    globex: Tenant

    @property
    def ana(self) -> User:
        return self.acme.manager

    @property
    def ben(self) -> User:
        return self.acme.user

    @property
    def eve(self) -> User:
        return self.globex.manager


@pytest.fixture
def world(db: None, settings: Settings) -> World:
    """Two tenants with everything in them, seen from all sides."""
    settings.LATCHKEY_TRIAL = True  # addresses kept for examples are nobody's public ones
    return remembered(make_world)


def actor(user: User, address: str | None = "203.0.113.200") -> Actor:
    return actor_of(user, address=address)


def make_key(account: Account, role: Role, by: User, **more: Any) -> str:
    return keys.create(account, by=actor(by), name=f"{role} of {account.slug}", role=role, **more)[1]


def program(key: str | None = None, **more: Any) -> APIClient:
    """A caller of the API with that key."""
    client = APIClient(**more)
    if key:
        client.credentials(HTTP_AUTHORIZATION=f"Api-Key {key}")
    return client


def signed_in(user: User | None, **more: Any) -> Client:
    """A browser with that person's session."""
    client = Client(**more)
    if user is not None:
        client.force_login(equipped(user))
    return client


def make_world() -> World:
    """The whole tree; MACs are of the range kept for examples."""
    founder = Actor.system("tests")
    platform = tenants.found_platform(by=founder, slug="platform", name="Platform")
    sam = tenants.add_first_person(
        platform, by=founder, email="sam@platform.example", name="Sam Support", password=PASSWORD
    ).user
    harbour = tenants.create_account(platform, by=actor(sam), slug="harbour", name="Harbour Telecom")
    rita = person_in(harbour, sam, "rita@harbour.example", "Rita Reseller", Role.RESELLER)
    acme = make_tenant(harbour, (sam, rita), "acme", "Acme Anvils", ("Ana", "Vic", "Ben"), "00005e0053a")
    globex = make_tenant(harbour, (sam, rita), "globex", "Globex Gears", ("Eve", "Val", "Bob"), "00005e0053b")
    for person in (sam, rita):
        equipped(person)
    return World(platform, harbour, sam, rita, acme, globex)


def make_tenant(
    parent: Account, above: tuple[User, User], slug: str, name: str, cast: tuple[str, str, str], macs: str
) -> Tenant:
    """A customer with people, a place, two phones, a claimed lock, a card, a window, a job, a key.

    An allowance waits for an answer, and where the second phone lives is banned.
    """
    sam, rita = above
    account = tenants.create_account(parent, by=actor(rita), slug=slug, name=name)
    roles = (Role.MANAGER, Role.VIEWER, Role.USER)
    manager, viewer, user = (
        person_in(account, rita, f"{first.lower()}@{slug}.example", f"{first} of {slug}", role)
        for first, role in zip(cast, roles, strict=True)
    )
    by = actor(manager)
    first = parse_address(PLACES[slug])
    site = sites.create(account, by=by, name=f"Yard of {slug}", networks=[f"{PLACES[slug]}/28"])
    secret = f"sip-secret-of-{slug}-7Q"
    extension = extensions.create(
        account, by=by, username=f"ext-{slug}-201", secret=secret, display_name=f"Line of {slug}"
    )
    phone, other = (
        entering.enter(account, by=by, mac=f"{macs}{at}", family="yealink", model="T46S", name=label, **more)
        for at, label, more in (
            (1, f"Desk of {cast[2]} at {slug}", {"owner": user, "site": site}),
            (2, f"Door of {slug}", {}),
        )
    )
    row = AppearanceRow(position=1, extension=extension, label=f"Label {slug}")
    for device in (phone, other):
        appearances.put(device, by=by, rows=[row])
    keyed = [KeyRow(3, KeyKind.BLF, "207", "Carla")]
    profile = profiles.create(account, by=by, name=f"Desks of {slug}", family="yealink", keys=keyed)
    profiles.apply(profile, by=by, devices=[phone])
    contact = directory.add(account, by=by, name=f"Porter of {slug}", number="4711")
    request = claims.Request(
        mac=phone.mac,
        file_name=f"{phone.mac}.boot",
        address=first + 7,
        agent=AGENT.format(mac=pretty(phone.mac).lower()),
    )
    # The clock of the tests, which may stand; the database has its own.
    assert claims.claim(request, now=timezone.now()).file is not None
    with transaction.atomic():
        card = approvals.note_try(
            phone, rule="R6", address=parse_address(HOTEL), agent=request.agent, product="Yealink SIP-T46S",
            at=timezone.now(), count=2,
        )  # fmt: skip
    assert card is not None
    locking.unlock(other, by=by, span=Span.parse("24h"))
    window = windows.open_window(account, by=by, origin=origin_of(first + 60), hours=4)
    spot = origin_of(first + 90)
    Proof.objects.create(device=other, first=spot.hex_first, last=spot.hex_last, at=timezone.now())
    ban = bans.set_ban(spot, by=actor(sam), length=timedelta(hours=1), reason="Scanned for an hour")
    incident = incidents.open_(
        Incident.Kind.SILENCE,
        account=account,
        subject=f"site {site.code}",
        title=f"{site} is silent",
        now=timezone.now(),
        site=site,
        evidence={"phones": [[str(other.code), other.name]]},
    )
    allowed = allowances.propose(
        account,
        origin_of(first + 91),
        by=by,
        reason=f"Headquarters of {slug}",
        length=timedelta(days=30),
    )
    job = unlock_all.start(account, by=by, span=Span.parse("first-fetch"), filter={})
    table = read_dicts([{"mac": f"{macs}7", "model": "T46S", "name": f"Van of {slug}"}])
    draft = phone_import.look(account, table, by=by, file_name=f"phones-of-{slug}.csv")
    key, text = keys.create(
        account,
        by=by,
        name=f"Key of {slug}",
        role=Role.MANAGER,
        expires_at=timezone.now() + timedelta(days=9),
    )
    made = unlock_links.make(phone, by=by, given_to=f"Fitter of {slug}")
    hook = f"https://hooks.{slug}.example/in"
    endpoint, _ = webhooks.create(account, by=by, name=f"Tickets of {slug}", url=hook, kinds=["job.finished"])
    return Tenant(
        account=account, manager=manager, viewer=viewer, user=user, site=site, phone=phone, other_phone=other,
        extension=extension, profile=profile, contact=contact, window=window, approval=card, allowed=allowed,
        ban=ban, incident=incident, job=job, draft=draft,
        key=text, key_code=str(key.code), secret=secret,
        tokens=[text_of(token) for token in Token.objects.filter(device=phone)],
        unlock_link=made.link, link_secret=made.secret,
        endpoint=endpoint, delivery=webhooks.test(endpoint, by=by),
    )  # fmt: skip


def person_in(account: Account, by: User, email: str, name: str, role: Role) -> User:
    return tenants.add_person(
        account, by=actor(by), email=email, name=name, role=role, password=PASSWORD
    ).user
