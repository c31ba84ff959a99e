"""The page Phones: found by anything one knows of a phone, narrowed, in order, and taken away as a table."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from devices.models import Device
from provisioning import entering, locking, phone_export, tasks
from provisioning.models import LastSeen, Lock
from tests.factories import make_phone, make_site
from tests.portal.reading import said
from tests.world import World, actor, signed_in

LIST, BULK, EXPORT = "/phones/", "/phones/bulk/", "/phones/export/"
NOW = timezone.now()


@pytest.fixture(autouse=True)
def nobody_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks.run_job, "delay", lambda job: None)


@pytest.fixture
def ana(world: World) -> Client:
    return signed_in(world.ana)


def names(client: Client, **asked: str) -> list[str]:
    """The phones that the list shows, in its order."""
    return [str(row.device) for row in client.get(LIST, asked).context["rows"]]


def chip_counts(client: Client, **asked: str) -> dict[str, int]:
    return {chip.state or "all": chip.count for chip in client.get(LIST, asked).context["chips"]}


def seen(
    device: Device, *, hours: float = 1, address: str = "192.0.2.77", firmware: str = "66.86.0.15"
) -> None:
    LastSeen.objects.update_or_create(
        device=device,
        defaults={"at": NOW - timedelta(hours=hours), "address": address, "firmware": firmware},
    )


# --- found -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "query"),
    [
        ("with colons and a tail", "00:00:5E:00:53:a1…"),
        ("half of it with dots", "0000.5e00.53a1"),
        ("its first bytes and an end", "5e-00-53-a1"),
        ("four digits of it", "53a1"),
        ("the owner's name", "Ben of"),
        ("the address of its last check-in", "192.0.2.77"),
        ("the beginning of that address", "192.0.2."),
        ("a network that it is bound in", "203.0.113.0/28"),
        ("the address that it is bound to", "203.0.113.10"),
    ],
)
def test_a_phone_is_found_by_what_one_knows_of_it(case: str, query: str, world: World, ana: Client) -> None:
    seen(world.acme.phone)
    Lock.objects.filter(pk=world.acme.other_phone.pk).update(bound_first="", bound_last="", bound_site=None)

    assert names(ana, q=query) == ["Desk of Ben at acme"]


def test_three_digits_are_an_extension_sooner_than_a_mac(world: World, ana: Client) -> None:
    assert names(ana, q="3a1") == []


def test_nothing_of_a_neighbour_is_found(world: World) -> None:
    eve = signed_in(world.eve)
    seen(world.acme.phone)

    for query in ("Desk of Ben", "00005e0053a1", "ben@acme", "ext-acme-201", "192.0.2.77"):
        assert names(eve, q=query) == [], query


# --- narrowed ----------------------------------------------------------------------------------------------


def test_filters_combine_and_the_chips_count_what_is_left(world: World, ana: Client) -> None:
    by, acme = actor(world.ana), world.acme.account
    poly = make_phone(acme, by=by, name="Poly", family="poly", model="VVX 250")
    site = make_site(acme, by=by, name="Shed", networks=["198.51.100.200"])
    shed = make_phone(acme, by=by, name="Shed phone", site=site)
    seen(shed, hours=40)
    seen(poly, firmware="6.4.6")

    assert names(ana, family="poly") == ["Poly"]
    assert names(ana, model=f"poly/{poly.model}") == ["Poly"]
    assert names(ana, site=str(site.code)) == ["Shed phone"]
    assert names(ana, site="none") == ["Door of acme", "Poly"]
    assert names(ana, firmware="6.4.6") == ["Poly"]
    assert names(ana, firmware="6.4") == []
    assert names(ana, quiet="yes") == names(ana, state="quiet") == ["Shed phone"]
    assert "Poly" in names(ana, seen="yes")
    assert "Poly" not in names(ana, seen="never")
    assert names(ana, family="poly", site="none", seen="yes", q="pol") == ["Poly"]
    assert names(ana, family="poly", quiet="yes") == []
    assert chip_counts(ana, family="poly") == {"all": 1, "new": 1}
    assert chip_counts(ana, site=str(site.code)) == {"all": 1, "new": 1, "quiet": 1}
    assert chip_counts(ana, quiet="yes") == {"all": 1, "new": 1, "quiet": 1}


def test_the_chips_count_the_same_searched_and_unsearched(world: World, ana: Client) -> None:
    """They are counted by two ways; every state is there once."""
    by, acme = actor(world.ana), world.acme.account
    made = [make_phone(acme, by=by, name=f"Many acme {number}") for number in range(8)]
    for device, state in zip(made, ("quarantined", "retired", "locked", "locked", "locked"), strict=False):
        Lock.objects.filter(pk=device.pk).update(state=state)
    Device.objects.filter(pk__in=[made[0].pk, made[4].pk, made[5].pk]).update(is_enabled=False)
    Lock.objects.filter(pk=made[3].pk).update(suspicion_until=NOW + timedelta(days=1))
    locking.unlock(made[6], by=by)
    Lock.objects.filter(pk=made[6].pk).update(grant_until=NOW - timedelta(seconds=1))
    seen(made[2], hours=90)

    unsearched = chip_counts(ana)

    assert chip_counts(ana, q="acme") == unsearched
    assert {name: unsearched[name] for name in ("all", "disabled", "quarantined", "retired", "quiet")} == {
        "all": 10,
        "disabled": 3,
        "quarantined": 1,
        "retired": 1,
        "quiet": 1,
    }
    for state in unsearched.keys() - {"all", "quiet"}:
        assert len(names(ana, state=state)) == unsearched[state], state
    assert chip_counts(ana, state="locked")["quiet"] == 1
    assert "quiet" not in chip_counts(ana, state="retired")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"state": "asleep"}, "State: nothing here is called “asleep”."),
        ({"site": "nowhere"}, "Site: nothing here is called “nowhere”."),
        ({"site": "00000000-0000-4000-8000-000000000000"}, "Site: nothing here is called"),
        ({"account": "globex"}, "Account: nothing here is called “globex”."),
        ({"family": "acme"}, "Make: nothing here is called “acme”."),
        ({"model": "T46S"}, "Model: nothing here is called “T46S”."),
        ({"seen": "perhaps"}, "Checked in: nothing here is called “perhaps”."),
        ({"quiet": "no"}, "Quiet: nothing here is called “no”."),
        ({"order": "size"}, "Order: nothing here is called “size”."),
        ({"q": "a\0b"}, "Search: this is too long, or no text."),
        ({"firmware": "\0"}, "Firmware: this is too long, or no text."),
        ({"q": "x" * 121}, "Search: this is too long, or no text."),
    ],
)
def test_what_makes_no_sense_is_said_by_its_field(asked: dict[str, str], told: str, ana: Client) -> None:
    answer = ana.get(LIST, asked)

    assert answer.status_code == 200
    assert told in said(answer)
    assert answer.context["rows"] == []


@pytest.mark.parametrize("page", ["0", "-1", "99999999999999999999", "two", "²", "\0"])
def test_a_page_that_is_not_there_is_one_that_is(page: str, ana: Client) -> None:
    assert len(names(ana, page=page)) == 2


def test_a_strangers_site_is_told_like_none(world: World, ana: Client) -> None:
    told = said(ana.get(LIST, {"site": str(world.globex.site.code)}))

    assert f"Site: nothing here is called “{world.globex.site.code}”." in told


# --- in order and in pages ---------------------------------------------------------------------------------


def test_the_list_has_its_orders_and_each_the_other_way_round(world: World, ana: Client) -> None:
    by, acme = actor(world.ana), world.acme.account
    for number, model in enumerate(("T46S", "T42S", "T46S")):
        device = make_phone(acme, by=by, name=f"Z {number}", model=model)
        if number < 2:
            seen(device, hours=number + 1)
    Lock.objects.filter(device__name="Z 1").update(state="quarantined")

    for order in ("name", "seen", "model", "state"):
        assert names(ana, order=order) == names(ana, order=f"-{order}")[::-1], order
    assert [name for name in names(ana, order="seen") if name.startswith("Z")] == ["Z 0", "Z 1", "Z 2"]
    assert names(ana, order="model")[0] == "Z 1"
    assert [name for name in names(ana, order="state") if name.startswith("Z")] == ["Z 1", "Z 0", "Z 2"]
    assert 'aria-sort="descending"' in ana.get(LIST, {"order": "-seen"}).content.decode()


def test_every_phone_stands_on_one_page(world: World, ana: Client) -> None:
    """The second half is read from the end."""
    for number in range(60):
        make_phone(world.acme.account, by=actor(world.ana), name=f"Many {number:02}")
    whole = sorted(str(device) for device in world.acme.account.devices.all())

    for order in ("name", "-name", "model"):
        pages = [names(ana, order=order, page=str(page)) for page in (1, 2, 3)]
        assert [len(page) for page in pages] == [25, 25, 12], order
        assert sorted(name for page in pages for name in page) == whole, order
    assert names(ana, page="3") == whole[50:]
    shown = ana.get(LIST, {"page": "2", "q": "many"}).content.decode()
    assert "26 to 50 of 60" in shown
    assert "?q=many&amp;page=3" in shown


def test_the_list_costs_the_same_for_a_hundred_phones_and_for_many(world: World, ana: Client) -> None:
    asked: tuple[dict[str, str], ...] = (
        {},
        {"q": "many"},
        {"state": "new"},
        {"quiet": "yes"},
        {"model": "yealink/T46S"},
        {"order": "state"},
        {"page": "3"},
    )

    def cost() -> list[int]:
        counted = []
        for query in asked:
            with CaptureQueriesContext(connection) as queries:
                assert ana.get(LIST, query).status_code == 200
            counted.append(len(queries))
        return counted

    entered(world, 100)
    cost()  # what is read once and kept does not count
    few = cost()
    entered(world, 2200)

    # What is narrowed is read at once, and when that turns out to be many, counted in the way of many.
    more = [later - before for before, later in zip(few, cost(), strict=True)]
    assert more == [0, 0, 0, 0, 1, 0, 0]
    assert max(few) <= 28


def entered(world: World, count: int) -> None:
    """That many more phones as the verbs leave them, without their logs."""
    start = Device.objects.count()
    devices = Device.objects.bulk_create(
        Device(
            account=world.acme.account, mac=f"aa{start + number:010x}", family="yealink", model="T46S",
            name=f"Many {start + number}",
        )
        for number in range(count)
    )  # fmt: skip
    Lock.objects.bulk_create(Lock(device=device, state="new") for device in devices)


def test_the_row_says_what_happens_by_itself(world: World, ana: Client) -> None:
    by, acme = actor(world.ana), world.acme.account
    entering.enter(acme, by=by, mac="00005e0053f1", family="yealink", model="T46S", name="Fresh")
    Lock.objects.filter(pk=world.acme.phone.pk).update(state="locked", grant_given_at=None, grant_until=None)
    locking.unlock(world.acme.phone, by=by, span=locking.Span.parse("24h"))

    fresh = said(ana.get(LIST, {"q": "Fresh"}))
    open_ = said(ana.get(LIST, {"q": "Desk of Ben"}))

    assert "unless it is plugged in before." in fresh
    assert "Locks again on " in open_
    assert f"Unlocked by {world.ana.name}" in open_


# --- taken away as a table ---------------------------------------------------------------------------------


def table(answer: Any) -> list[dict[str, str]]:
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text), delimiter=";"))


def test_the_table_has_what_fits_and_nothing_that_a_spreadsheet_would_run(world: World, ana: Client) -> None:
    by = actor(world.ana)
    seen(world.acme.phone, address="192.0.2.77")
    make_phone(world.acme.account, by=by, name="=HYPERLINK(1)", family="poly", model="VVX 250")

    answer = ana.get(EXPORT)
    rows = table(answer)

    assert answer.streaming
    assert [row["Name"] for row in rows] == ["'=HYPERLINK(1)", "Desk of Ben at acme", "Door of acme"]
    assert list(rows[0]) == list(phone_export.COLUMNS)
    ben = rows[1]
    assert (ben["MAC"], ben["Vendor"], ben["Model"]) == ("00:00:5E:00:53:A1", "Yealink", "T46S")
    assert (ben["Owner"], ben["Extension"]) == ("ben@acme.example", "ext-acme-201")
    assert (ben["Address"], ben["Account"]) == ("192.0.2.77", "acme")
    assert world.acme.secret not in str(rows)
    assert [row["Name"] for row in table(ana.get(EXPORT, {"family": "yealink", "q": "door"}))] == [
        "Door of acme"
    ]
    ticked = {"chosen": "yes", "phone": [str(world.acme.phone.code)]}
    assert [row["Name"] for row in table(ana.post(EXPORT, ticked))] == ["Desk of Ben at acme"]


@pytest.mark.parametrize("cell", ["=1", "+1", "-1", "@x", "\tx", "\rx", "\nx", "'x"])
def test_a_cell_that_a_spreadsheet_would_take_for_a_formula_is_marked(cell: str) -> None:
    assert phone_export.escaped(cell) == f"'{cell}"
    assert phone_export.escaped("x=1") == "x=1"


def test_a_table_of_nonsense_leads_back_to_the_list_that_says_so(ana: Client) -> None:
    answer = ana.get(EXPORT, {"state": "asleep"}, follow=True)

    assert "State: nothing here is called “asleep”." in said(answer)


def test_the_table_is_read_in_pieces(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It costs a few queries a piece, and gives every phone once."""
    entered(world, 20)
    monkeypatch.setattr(phone_export, "PIECE", 5)

    pieces = list(phone_export.lines(world.acme.account.devices.all(), NOW))

    assert len(pieces) == 1 + 5
    assert len(b"".join(pieces).decode().splitlines()) == 1 + 22


def test_the_firmware_filter_offers_what_was_seen_here(world: World, ana: Client) -> None:
    seen(world.acme.phone, firmware="66.86.0.99")
    seen(world.globex.phone, firmware="1.2.3.4")

    shown = ana.get("/phones/firmwares/").content.decode()

    assert '<option value="66.86.0.99">' in shown
    assert "1.2.3.4" not in shown
