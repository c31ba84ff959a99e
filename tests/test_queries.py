"""A list costs the same number of queries whatever its length."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import tenants
from accounts.roles import Role
from devices import appearances, directory, extensions, profiles
from devices.appearances import AppearanceRow, KeyRow
from devices.mac import pretty
from devices.phone import KeyKind
from provisioning import (
    approvals,
    claims,
    entering,
    incidents,
    phone_import,
    sites,
    unlock_all,
    webhooks,
    windows,
)
from provisioning.models import FailureKey, ImportDraft, Incident, LastSeen, WebhookAttempt
from provisioning.phone_import_table import read_dicts
from provisioning.spans import Span
from security.networks import origin_of, parse_address
from tests.world import AGENT, HOTEL, World, actor, make_key, signed_in

LISTS = (
    "/api/v1/accounts/",
    "/api/v1/api-keys/",
    "/api/v1/approvals/",
    "/api/v1/audit/",
    "/api/v1/devices/",
    "/api/v1/devices/?state=unlocked&search=e",
    "/api/v1/devices/{phone}/appearances/",
    "/api/v1/devices/{phone}/events/",
    "/api/v1/devices/{phone}/files/",
    "/api/v1/events/",
    "/api/v1/customers/",
    "/api/v1/extensions/",
    "/api/v1/directory/contacts/",
    "/api/v1/hardening/?account=acme",
    "/api/v1/imports/",
    "/api/v1/imports/{draft}/",
    "/api/v1/incidents/",
    "/api/v1/incidents/{incident}/",
    "/api/v1/jobs/",
    "/api/v1/jobs/{job}/",
    "/api/v1/jobs/{job}/items/",
    "/api/v1/silence/?account=acme",
    "/api/v1/people/",
    "/api/v1/sites/",
    "/api/v1/webhooks/",
    "/api/v1/webhooks/{endpoint}/deliveries/",
    "/api/v1/webhook-deliveries/{delivery}/",
    "/api/v1/windows/",
    "/api/v1/windows/{window}/",
    "/",
    "/phones/",
    "/phones/resync/",
    "/approvals/",
    "/phones/import/{draft}/",
    "/phones/{phone}/files/",
    "/phones/{phone}/lines/",
    "/phones/{phone}/log/",
    "/addresses/unknown-phones/",
    "/windows/",
    "/windows/{window}/",
    "/sites/",
    "/extensions/",
    "/directory/?account=acme",
    "/directory/?account=acme&show=extensions",
    "/hardening/",
    "/profiles/",
    "/profiles/{profile}/",
    "/profiles/{profile}/phones/",
    "/incidents/",
    "/incidents/{incident}/",
    "/audit/",
    "/webhooks/",
    "/webhooks/{endpoint}/",
    "/webhooks/deliveries/{delivery}/",
    "/customers/",
    "/people/",
    "/keys/",
)
MORE = 5


def counted(client: Client, url: str) -> tuple[int, int]:
    """The number of queries and the length of the answer."""
    client.get(url)  # what is read once and kept does not count
    with CaptureQueriesContext(
        connection,
    ) as queries:
        answer = client.get(url)
    assert answer.status_code == 200, url
    return len(queries), len(answer.content)


def strangers(world: World, first: int, count: int) -> None:
    """Phones that nobody has entered ask where a phone of acme lives."""
    there, now = origin_of(parse_address("203.0.113.90")), timezone.now()
    for at in range(first, first + count):
        mac, hour = f"00005e0053e{at}", now.replace(minute=0, second=0, microsecond=0)
        agent = AGENT.format(mac=pretty(mac).lower())
        FailureKey.objects.create(
            first=there.hex_first, last=there.hex_last, hour=hour, kind="unknown-mac", label=mac,
            first_at=now, last_at=now, agent=agent,
        )  # fmt: skip


def grow(world: World) -> None:
    """More of everything that a list shows, the devices with locks, lines, cards and check-ins."""
    acme, by, now = world.acme.account, actor(world.ana), timezone.now()
    lines = []
    strangers(world, 1, MORE)
    for at in range(MORE):
        account = tenants.create_account(
            world.harbour, by=actor(world.rita), slug=f"more-{at}", name=f"More {at}"
        )
        tenants.add_person(
            acme, by=by, email=f"more{at}@acme.example", name=f"More {at}", role=Role.USER, password=None
        )
        make_key(acme, Role.VIEWER, world.ana)
        directory.add(acme, by=by, name=f"Contact {at}", number=f"77{at}")
        line = extensions.create(acme, by=by, username=f"40{at}", secret=f"s3cret-of-40{at}")
        lines.append(line)
        site = sites.create(acme, by=by, name=f"Place {at}", networks=[f"198.51.100.{16 * at + 32}/29"])
        owner = world.ben if at % 2 else None
        mac = f"00005e0053c{at}"
        phone = entering.enter(
            acme, by=by, mac=mac, family="yealink", model="T46S", name=f"Phone {at}", site=site, owner=owner
        )
        entering.enter(account, by=actor(world.rita), mac=f"00005e0053d{at}", family="poly", model="VVX 250")
        appearances.put(phone, by=by, rows=[AppearanceRow(1, line), AppearanceRow(2, world.acme.extension)])
        agent = AGENT.format(mac=pretty(mac).lower())
        address = parse_address(f"198.51.100.{16 * at + 33}")
        assert claims.claim(claims.Request(mac, f"{mac}.boot", address, agent)).file is not None
        LastSeen.objects.create(device=phone, at=now, address="198.51.100.33", agent=agent)
        note = {"address": parse_address(HOTEL), "agent": agent, "product": "Yealink SIP-T46S", "at": now}
        approvals.note_try(phone, rule="R6", count=1, **note)
        windows.open_window(
            acme, by=by, origin=origin_of(address), hours=1, starts=now + timedelta(hours=at + 1)
        )
        entering.change(world.acme.phone, by=by, name=f"Desk {at}")
        profiles.create(acme, by=by, name=f"Desks {at}", family="yealink")
        about: dict[str, Any] = {"account": acme, "title": f"Silence {at}", "now": now}
        silence = incidents.open_(Incident.Kind.SILENCE, subject=f"site {at}", site=site, **about)
        if at % 2:
            incidents.end(silence, how="They are back", now=now)
        incidents.note(world.acme.incident, by=by, said=f"Called for the {at}th time", now=now)
        hook = f"https://more-{at}.example/"
        webhooks.create(acme, by=by, name=f"Program {at}", url=hook, kinds=["job.finished"])
        webhooks.test(world.acme.endpoint, by=by)
        WebhookAttempt.objects.create(delivery=world.acme.delivery, at=now, took=0.1, status=500)
    told = [[str(phone.code), str(phone)] for phone in acme.devices.all()]
    Incident.objects.filter(pk=world.acme.incident.pk).update(evidence={"phones": told})
    rows = [AppearanceRow(at + 1, line) for at, line in enumerate([world.acme.extension, *lines])]
    watched = [KeyRow(10 + at, KeyKind.BLF, f"30{at}") for at in range(MORE)]
    appearances.arrange(world.acme.phone, by=by, lines=rows, keys_=watched)
    more = [KeyRow(20 + at, KeyKind.BLF, f"31{at}") for at in range(MORE)]
    profiles.change(world.acme.profile, by=by, keys=[KeyRow(3, KeyKind.BLF, "207", "Carla"), *more])
    unlock_all.run(unlock_all.start(acme, by=by, span=Span.parse("24h"), filter={}).pk)
    grown_list(world)


def grown_list(world: World) -> ImportDraft:
    """A list of phones as the world's own, but longer."""
    rows = [{"mac": f"00005e0053e{at}", "model": "T46S"} for at in range(MORE)]
    return phone_import.look(world.acme.account, read_dicts(rows), by=actor(world.ana))


@pytest.mark.timeout(600)
def test_lists_cost_the_same_whatever_their_length(world: World) -> None:
    places = {"phone": world.acme.phone.code, "window": world.acme.window.code, "job": world.acme.job.code}
    places |= {"profile": world.acme.profile.code, "incident": world.acme.incident.code}
    places |= {"draft": world.acme.draft.code}
    places |= {"endpoint": world.acme.endpoint.code, "delivery": world.acme.delivery.code}
    urls = [url.format(**places) for url in LISTS]
    rita = signed_in(world.rita)
    unlock_all.run(world.acme.job.pk)
    incidents.end(world.globex.incident, how="They are back", now=timezone.now())
    strangers(world, 0, 1)
    before = {url: counted(rita, url) for url in urls}

    grow(world)
    newest = unlock_all.Job.objects.order_by("-pk").first()
    assert newest is not None

    after = {url: counted(rita, url) for url in urls}
    for rest in ("", "items/"):
        longer = f"/api/v1/jobs/{newest.code}/{rest}"
        after[f"/api/v1/jobs/{world.acme.job.code}/{rest}"] = counted(rita, longer)
    longer = str(grown_list(world).code)
    for url in [url for url in urls if str(world.acme.draft.code) in url]:
        after[url] = counted(rita, url.replace(str(world.acme.draft.code), longer))
    assert {url: count for url, (count, _) in after.items()} == {
        url: count for url, (count, _) in before.items()
    }
    assert [url for url in urls if after[url][1] <= before[url][1]] == [], "these lists did not grow"
    assert max(count for count, _ in after.values()) <= 34
