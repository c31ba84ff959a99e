"""`ETag` and `If-Match`: a change that was meant for another version is refused and changes nothing."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections
from rest_framework.test import APIClient

from accounts import keys
from accounts.models import Account, AuditEntry
from accounts.roles import Role
from accounts.scope import Actor
from devices import extensions
from devices.models import Device, SettingValue
from provisioning import claims, locking
from provisioning.spans import Span
from security.networks import parse_address
from tests.factories import make_phone
from tests.test_access_matrix import snapshot
from tests.world import World, actor, program

API = "/api/v1/"
STALE = '"0123456789abcdef0123456789abcdef"'
Call = Callable[[APIClient, World, dict[str, str]], Any]


def device(world: World) -> str:
    return f"{API}devices/{world.acme.phone.code}/"


def lines(world: World) -> str:
    return f"{device(world)}appearances/"


def keys_(world: World) -> str:
    return f"{device(world)}keys/"


def setting(world: World) -> str:
    return f"{API}settings/poll_hours/?account=acme"


def setting_of_phone(world: World) -> str:
    return f"{API}settings/poll_hours/?device={world.acme.phone.code}"


LINE = [{"position": 2, "extension": "ext-acme-201", "label": "Second"}]
KEY = [{"position": 5, "kind": "blf", "value": "201"}]
#: What changes something: its address, its method, and what it sends.
CHANGES: list[tuple[Callable[[World], str], str, Any]] = [
    (device, "patch", {"name": "Renamed"}),
    (device, "delete", None),
    (lines, "put", LINE),
    (keys_, "put", KEY),
    (setting, "put", {"account": "acme", "value": 7}),
    (setting, "delete", None),
    (setting_of_phone, "put", {"value": 7}),
    (setting_of_phone, "delete", None),
]


def change(
    client: APIClient, world: World, url: Callable[[World], str], method: str, body: Any, match: str
) -> Any:
    """Change it, if it is still that version; a setting's own address has no query."""
    address = url(world)
    if method == "put" and "?" in address:
        address = address.partition("?")[0]
        body = {"device": str(world.acme.phone.code)} | body if "account" not in body else body
    return getattr(client, method)(address, body, headers={"If-Match": match})


@pytest.mark.parametrize(("url", "method", "body"), CHANGES)
@pytest.mark.parametrize("match", [STALE, f'{STALE}, "x"', "nonsense", "", f"W/{STALE}"])
def test_another_version_is_refused_and_nothing_changes(
    world: World, url: Callable[[World], str], method: str, body: Any, match: str
) -> None:
    before = snapshot()

    answer = change(program(world.acme.key), world, url, method, body, match)

    assert (answer.status_code, answer.json()["code"]) == (412, "changed-meanwhile")
    assert set(answer.json()) == {"code", "detail"}
    assert snapshot() == before


@pytest.mark.parametrize(("url", "method", "body"), CHANGES)
@pytest.mark.parametrize("form", ["{}", "W/{}", '"x", {}', "*"])
def test_the_version_that_was_read_is_changed(
    world: World, url: Callable[[World], str], method: str, body: Any, form: str
) -> None:
    ana = program(world.acme.key)
    read = ana.get(url(world))["ETag"]

    answer = change(ana, world, url, method, body, form.format(read))

    assert answer.status_code in (200, 204), answer.json()
    if answer.status_code == 200:
        assert answer["ETag"] == ana.get(url(world))["ETag"]
        assert (answer["ETag"] == read) == (method == "delete")  # nothing was given here


@pytest.mark.parametrize("where", ["account=acme", "device={device}"])
def test_a_setting_may_be_changed_by_the_version_of_all_of_them(world: World, where: str) -> None:
    ana, where = program(world.acme.key), where.format(device=world.acme.phone.code)
    name, _, whose = where.partition("=")
    all_of_them = ana.get(f"{API}settings/?{where}")["ETag"]
    body, match = {name: whose, "value": 7}, {"If-Match": all_of_them}

    first = ana.put(f"{API}settings/poll_hours/", body, headers=match)
    second = ana.put(f"{API}settings/poll_hours/", {**body, "value": 8}, headers=match)

    assert (first.status_code, second.status_code) == (200, 412)
    assert [row.value for row in SettingValue.objects.filter(name="poll_hours")] == [7]


def test_a_value_given_above_makes_another_version(world: World) -> None:
    """What the reader has seen was the value that held."""
    ana, address = program(world.acme.key), setting_of_phone(world)
    read, other = ana.get(address)["ETag"], ana.get(address.replace("poll_hours", "language"))["ETag"]

    ana.put(f"{API}settings/poll_hours/", {"account": "acme", "value": 9})

    assert ana.get(address)["ETag"] != read
    assert ana.get(address.replace("poll_hours", "language"))["ETag"] == other


def test_one_setting_is_read_as_it_stands_in_the_table(world: World) -> None:
    ana = program(world.acme.key)
    rows = [row for group in ana.get(f"{API}settings/?account=acme").json() for row in group["settings"]]

    for row in rows:
        assert ana.get(f"{API}settings/{row['name']}/?account=acme").json() == row
    assert ana.get(f"{API}settings/no-such/?account=acme").status_code == 404
    assert ana.get(f"{API}settings/poll_hours/").status_code == 400


def test_what_a_phone_does_by_itself_makes_no_other_version(world: World) -> None:
    phone, ana = world.acme.other_phone, program(world.acme.key)
    address = f"{API}devices/{phone.code}/"
    read = ana.get(address)["ETag"]
    request = claims.Request(
        mac=phone.mac,
        file_name=f"{phone.mac}.boot",
        address=parse_address("198.51.100.77"),
        agent="Yealink SIP-T46S",
    )
    claims.claim(request)
    locking.unlock(phone, by=actor(world.ana), span=Span.parse("24h"))

    assert ana.get(address)["ETag"] == read


@pytest.mark.parametrize("field", ["name", "notes", "model", "owner", "site", "is_enabled"])
def test_each_thing_that_people_change_makes_another_version(world: World, field: str) -> None:
    ana, address = program(world.acme.key), device(world)
    values = {
        "name": "Other",
        "notes": "Dusty",
        "model": "T42S",
        "owner": None,
        "site": None,
        "is_enabled": False,
    }
    read = ana.get(address)["ETag"]

    changed = ana.patch(address, {field: values[field]})

    assert changed.status_code == 200, changed.json()
    assert read != changed["ETag"] == ana.get(address)["ETag"]


def test_lines_and_keys_are_versions_of_their_own(world: World) -> None:
    ana = program(world.acme.key)
    of_lines, of_keys, of_phone = (ana.get(url(world))["ETag"] for url in (lines, keys_, device))

    ana.put(keys_(world), KEY)

    assert ana.get(lines(world))["ETag"] == of_lines
    assert ana.get(device(world))["ETag"] == of_phone
    assert ana.get(keys_(world))["ETag"] != of_keys
    assert ana.get(keys_(world) + "?effective=true")["ETag"] == ana.get(keys_(world))["ETag"]


def test_without_the_header_the_last_one_wins(world: World) -> None:
    ana = program(world.acme.key)

    answers = [ana.patch(device(world), {"name": name}).status_code for name in ("One", "Two")]

    assert answers == [200, 200]
    assert Device.objects.get(pk=world.acme.phone.pk).name == "Two"


def test_a_viewer_is_told_of_his_role(world: World) -> None:
    viewer = program(keys.create(world.acme.account, by=actor(world.ana), name="V", role=Role.VIEWER)[1])

    answer = viewer.patch(device(world), {"name": "x"}, headers={"If-Match": STALE})

    assert answer.status_code == 403


# --- two at once -----------------------------------------------------------------------------------------

ROUNDS, WRITERS = 5, 4
#: What is contested: where it is read, the method, where it is written, and what is sent.
CONTESTED: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "name": ("devices/{0}/", "patch", "devices/{0}/", {"name": "{1}"}),
    "phone": ("devices/{0}/", "delete", "devices/{0}/", {}),
    "lines": (
        "devices/{0}/appearances/", "put", "devices/{0}/appearances/",
        {"position": 1, "extension": "201", "label": "{1}"},
    ),
    "a phone's setting": (
        "settings/sip_server/?device={0}", "put", "settings/sip_server/",
        {"device": "{0}", "value": "{1}.example.net"},
    ),
    "an account's setting": (
        "settings/sip_server/?account=acme", "put", "settings/sip_server/",
        {"account": "acme", "value": "{1}.example.net"},
    ),
}  # fmt: skip


def together(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Do it so many times at once, each with a connection of its own; returns what came of it."""
    begin, answers = threading.Barrier(count), []

    def run(number: int) -> None:
        try:
            begin.wait(60)
            answers.append(work(number))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


@pytest.mark.both
@pytest.mark.timeout(600)
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("what", CONTESTED)
def test_of_those_who_have_seen_the_same_one_wins(acme: Account, ana: Actor, what: str) -> None:
    key = keys.create(acme, by=ana, name="Tests", role=Role.MANAGER)[1]
    extensions.create(acme, by=ana, username="201", secret="nobody-knows-201")
    read, method, written, body = CONTESTED[what]

    for turn in range(ROUNDS):
        code = str(make_phone(acme, by=ana).code)
        version = program(key).get(API + read.format(code))["ETag"]
        entries = AuditEntry.objects.count()

        def write(number: int, *, code: str = code, version: str = version, turn: int = turn) -> Any:
            sent: Any = {
                name: value.format(code, f"w{turn}-{number}") if isinstance(value, str) else value
                for name, value in body.items()
            }
            sent = [sent] if what == "lines" else sent
            call = getattr(program(key), method)
            return call(API + written.format(code), sent, headers={"If-Match": version})

        codes = sorted(answer.status_code for answer in together(WRITERS, write))

        assert codes[0] in (200, 204), codes
        assert set(codes[1:]) <= ({404, 409} if what == "phone" else {412}), codes
        assert AuditEntry.objects.count() == entries + 1
