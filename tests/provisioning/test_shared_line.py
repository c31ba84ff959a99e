"""The story of the shared line 4102: five phones of three vendors show it, and one of them loses it."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from accounts.models import AuditEntry
from devices import appearances, extensions, settings_tree
from devices.appearances import AppearanceRow
from devices.models import Device, Extension
from portal.templatetags.latchkey import when
from provisioning.compiling import compile_full
from provisioning.events import described
from provisioning.models import DeviceEvent, Lock
from tests.factories import make_phone
from tests.tree import Tree, user_of
from tests.world import signed_in

pytestmark = pytest.mark.django_db

URL = f"https://p.example.org/d/{'k3' * 20}/"
OFFICE = (
    ("yealink", "T46S", "Reception"),
    ("yealink", "T54W", "Sales 1"),
    ("poly", "VVX 450", "Sales 2"),
    ("poly", "VVX 250", "Sales 3"),
    ("snom", "D785", "Night desk"),
)


def files() -> dict[str, bytes]:
    """What each phone gets, byte by byte."""
    phones = {device.pk: device for device in Device.objects.all()}
    settings = settings_tree.phone_settings(phones.values())
    return {
        phones[pk].name: b"".join(file.body for _, file in sorted(compile_full(phone, URL).items()))
        for pk, phone in settings.items()
    }


def revisions() -> dict[str, int]:
    """How often each phone's files were made anew."""
    return dict(Lock.objects.values_list("device__name", "files_revision"))


def changed(before: dict[str, int] | dict[str, bytes]) -> set[str]:
    now: dict[str, int] | dict[str, bytes] = (
        files() if isinstance(before["Reception"], bytes) else revisions()
    )
    return {name for name, what in now.items() if before[name] != what}


@pytest.fixture
def office(cast: Tree) -> dict[str, Device]:
    """Each phone has a line of its own on key 1 and shows 4102 on key 2 or 3; a sixth shows it not at all."""
    by = cast.ana
    shared = extensions.create(
        cast.acme, by=by, username="4102", secret="s3cret-of-4102", display_name="Sales", call_appearances=3
    )
    phones = {}
    for at, (family, model, name) in enumerate((*OFFICE, ("yealink", "T46S", "Warehouse"))):
        phone = make_phone(cast.acme, by=by, family=family, model=model, name=name)
        own = extensions.create(cast.acme, by=by, username=f"41{at}0", secret=f"s3cret-of-41{at}0")
        rows = [AppearanceRow(1, own)]
        if name != "Warehouse":
            rows.append(AppearanceRow(3 if name == "Sales 2" else 2, shared, "Sales"))
        appearances.put(phone, by=by, rows=rows)
        phones[name] = phone
    return phones


def test_one_phone_loses_the_shared_line_and_its_file_alone_changes(
    cast: Tree, office: dict[str, Device]
) -> None:
    loser = office["Sales 2"]
    kept, made = files(), revisions()
    assert {name for name, body in kept.items() if b"s3cret-of-4102" in body} == {row[2] for row in OFFICE}
    own = loser.appearances.get(position=1).extension
    at: datetime = timezone.now() - timedelta(minutes=7)

    appearances.put(loser, by=cast.ana, rows=[AppearanceRow(1, own)], now=at)

    assert changed(kept) == changed(made) == {"Sales 2"}
    assert b"s3cret-of-4102" not in files()["Sales 2"]
    assert b'reg.1.type="private"' in files()["Sales 2"]
    event = DeviceEvent.objects.latest("id")
    told = "Lines changed: appearance 4102 on key 3 removed by Ana (ana@example.org)."
    assert (event.device, event.at, described(event).sentence) == (loser, at, told)
    entry = AuditEntry.objects.latest("id")
    assert (entry.verb, entry.at, entry.user) == ("device.lines-changed", at, user_of(cast.ana))

    page = signed_in(user_of(cast.vic)).get(f"/phones/{loser.code}/log/").content.decode()

    assert "appearance 4102 on key 3 removed by Ana" in page
    assert "Ana" in page
    assert when(at, cast.acme.time_zone) in page


def test_the_last_but_one_phone_that_loses_it_makes_it_nobodys_shared_line(
    cast: Tree, office: dict[str, Device]
) -> None:
    shared = Extension.objects.get(username="4102")
    for name in ("Reception", "Sales 1", "Sales 2"):
        appearances.put(office[name], by=cast.ana, rows=[])
    kept, made = files(), revisions()

    appearances.put(office["Sales 3"], by=cast.ana, rows=[])

    assert shared.appearances.get().device == office["Night desk"]
    assert changed(kept) == changed(made) == {"Sales 3", "Night desk"}


@pytest.mark.parametrize(
    "change", [{"display_name": "Sales team"}, {"call_appearances": 5}, {"barge_in": False}]
)
def test_an_edit_of_an_extension_recompiles_the_phones_that_show_it_and_no_other(
    cast: Tree, office: dict[str, Device], change: dict[str, object]
) -> None:
    shared, kept, made = Extension.objects.get(username="4102"), files(), revisions()

    extensions.change(shared, by=cast.ana, **change)

    assert changed(made) == {row[2] for row in OFFICE}
    assert changed(kept) <= changed(made)
    if "display_name" in change:
        assert changed(kept) == changed(made)
    assert files()["Warehouse"] == kept["Warehouse"]


def test_who_rings_is_a_matter_of_one_phone(cast: Tree, office: dict[str, Device]) -> None:
    phone, kept, made = office["Reception"], files(), revisions()
    own, shared = (row.extension for row in phone.appearances.order_by("position"))

    appearances.put(
        phone, by=cast.ana, rows=[AppearanceRow(1, own), AppearanceRow(2, shared, "Sales", "never")]
    )

    assert changed(kept) == changed(made) == {"Reception"}
    assert b"account.2.ringtone.ring_type = Silent.wav" in files()["Reception"]
    sentence = described(DeviceEvent.objects.latest("id")).sentence
    assert sentence == "Lines changed: appearance 4102 on key 2 set to ring never by Ana (ana@example.org)."
