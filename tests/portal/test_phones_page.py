"""The page Phones: found by anything one knows of a phone, narrowed, put in order, and many at once."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import tenants
from accounts.models import AuditEntry
from accounts.roles import Role
from devices import profiles
from devices.models import Device
from provisioning import bulk, entering, locking, phone_export, tasks
from provisioning.models import Job, LastSeen, Lock
from tests.factories import make_phone, make_site
from tests.portal.reading import said
from tests.world import World, actor, make_key, program, signed_in

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

    assert cost() == few
    assert max(few) <= 32


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


# --- many at once ------------------------------------------------------------------------------------------


def test_ticked_phones_are_counted_before_anything_is_done(world: World, ana: Client) -> None:
    first, second = world.acme.phone, world.acme.other_phone
    locking.unlock(first, by=actor(world.ana))
    Lock.objects.filter(pk=second.pk).update(state="locked", grant_given_at=None, grant_until=None)
    ticked = {"do": "lock", "chosen": "yes", "phone": [str(first.code), str(second.code)]}
    before = Job.objects.count()

    shown = said(ana.post(BULK, ticked))
    assert f"It will be done to 1 of 2 phones of {world.acme.account}." in shown
    assert "1 is skipped: 1 locked already." in shown
    assert Job.objects.count() == before
    answer = ana.post(BULK, {**ticked, "start": "yes"})

    job = Job.objects.get(kind="lock")
    assert answer["Location"] == f"/jobs/{job.code}/"
    bulk.run(job.pk)
    told = said(ana.get(answer["Location"]))
    assert "This phone is locked already." in told
    assert Lock.objects.get(pk=first.pk).state == "locked"


def test_all_that_fit_the_list_are_taken_without_ticking_any(world: World, ana: Client) -> None:
    make_phone(world.acme.account, by=actor(world.ana), name="Left alone")

    ana.post(BULK, {"do": "rearm", "q": "acme", "start": "yes", "ship_on": ""})

    job = Job.objects.get(kind="rearm")
    assert job.params == {"do": "rearm", "filter": {"q": "acme"}}
    assert sorted(item.name for item in job.items.all()) == ["Desk of Ben at acme", "Door of acme"]


def test_many_are_unlocked_from_the_list(world: World, ana: Client) -> None:
    asked = {"do": "unlock", "q": "acme", "span": "24h"}

    assert "Each may be set up once, until " in said(ana.post(BULK, {**asked, "preview": "yes"}))
    ana.post(BULK, {**asked, "start": "yes"})

    job = Job.objects.filter(kind="unlock-all").latest("pk")
    assert (job.total, job.params["for"]) == (2, "24h")


def test_a_profile_is_chosen_and_then_given(world: World, ana: Client) -> None:
    asked = {"do": "profile", "q": "acme"}

    shown = ana.post(BULK, asked)
    assert "2 phones are chosen." in said(shown)
    assert 'name="start"' not in shown.content.decode()
    assert "is required" in said(ana.post(BULK, {**asked, "start": "yes"}))
    profile = profiles.create(world.acme.account, by=actor(world.ana), name="Fresh", family="yealink")
    shown = ana.post(BULK, {**asked, "preview": "yes", "profile": str(profile.code)})
    assert "It will be done to 2 of 2 phones" in said(shown)
    ana.post(BULK, {**asked, "start": "yes", "profile": str(profile.code)})

    bulk.run(Job.objects.get(kind="profile").pk)
    assert world.acme.account.devices.filter(profile=profile).count() == 2


def test_a_reseller_moves_many_and_the_customer_learns_nothing_of_where(world: World) -> None:
    rita = signed_in(world.rita)
    asked = {"do": "move", "account": "acme", "account_to": "globex"}

    assert "It will be done to 2 of 2 phones" in said(rita.post(BULK, {**asked, "preview": "yes"}))
    rita.post(BULK, {**asked, "start": "yes"})
    job = Job.objects.get(kind="move")
    bulk.run(job.pk)

    assert world.globex.account.devices.count() == 4
    assert signed_in(world.ana).get(f"/jobs/{job.code}/").status_code == 404
    assert rita.get(f"/jobs/{job.code}/").status_code == 200


@pytest.mark.parametrize("do", ["lock", "rearm", "unlock", "profile", "take-off", "move"])
def test_who_may_not_is_refused_and_nothing_changes(do: str, world: World) -> None:
    jobs, audited = Job.objects.count(), AuditEntry.objects.count()
    asked = {"do": do, "q": "acme", "start": "yes", "span": "24h", "account_to": "globex"}

    assert signed_in(world.acme.viewer).post(BULK, asked).status_code == 403
    if do == "move":
        assert signed_in(world.ana).post(BULK, asked).status_code == 403
    # A neighbour's phones are simply not there.
    ticked = {**asked, "chosen": "yes", "phone": [str(world.acme.phone.code)]}
    if do != "move":
        assert "No phone was chosen" in said(signed_in(world.eve).post(BULK, ticked))
    assert signed_in(world.ana).post(BULK, {"do": "explode"}).status_code == 404

    assert (Job.objects.count(), AuditEntry.objects.count()) == (jobs, audited)


def test_nonsense_does_nothing_to_all(world: World, ana: Client) -> None:
    """A filter that makes no sense is no filter that keeps everything."""
    answer = ana.post(BULK, {"do": "lock", "state": "asleep", "start": "yes"})

    assert "State: nothing here is called “asleep”." in said(answer)
    assert not Job.objects.filter(kind="lock").exists()
    many = [f"00000000-0000-4000-8000-00000000{number:04x}" for number in range(501)]
    answer = ana.post(BULK, {"do": "lock", "chosen": "yes", "phone": many, "start": "yes"})
    assert "Chosen phones: at most 500 at once." in said(answer)
    assert not Job.objects.filter(kind="lock").exists()


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


# --- the same by the API -----------------------------------------------------------------------------------


@pytest.fixture
def api(world: World) -> APIClient:
    return program(world.acme.key)


def found(api: APIClient, **asked: str) -> list[str]:
    answer = api.get("/api/v1/devices/", asked)
    assert answer.status_code == 200, answer.content
    return [row["name"] for row in answer.json()["results"]]


def test_the_api_has_the_same_words(world: World, api: APIClient) -> None:
    seen(world.acme.phone, hours=50, firmware="66.86.0.99")
    Device.objects.filter(pk=world.acme.other_phone.pk).update(is_enabled=False)

    assert found(api, search="192.0.2.77") == ["Desk of Ben at acme"]
    assert found(api, search="ext-acme-201", state="disabled") == ["Door of acme"]
    assert found(api, quiet="true") == ["Desk of Ben at acme"]
    assert found(api, quiet="false") == ["Door of acme"]
    assert found(api, firmware="66.86.0.99") == ["Desk of Ben at acme"]
    assert found(api, seen="false") == ["Door of acme"]
    assert found(api, state="waiting") == ["Desk of Ben at acme"]
    assert api.get("/api/v1/devices/", {"search": "a\0b"}).status_code == 400
    lock = api.get("/api/v1/devices/", {"search": "Desk"}).json()["results"][0]["lock"]
    assert "forecast" in lock


def test_many_are_locked_by_the_api(world: World, api: APIClient) -> None:
    wanted = {"account": "acme", "do": "lock", "filter": {"search": "Desk"}}

    answer = api.post("/api/v1/bulk/", wanted, format="json")

    assert answer.status_code == 202
    job = Job.objects.get(kind="lock")
    assert answer.json() == {"job": str(job.code)}
    assert [item.name for item in job.items.all()] == ["Desk of Ben at acme"]


@pytest.mark.parametrize(
    ("wanted", "status", "field"),
    [
        ({"do": "explode"}, 400, "do"),
        ({"do": "lock", "account": "globex"}, 400, "account"),
        ({"do": "lock", "filter": {"size": 3}}, 400, "filter"),
        ({"do": "rearm", "ship_on": "2020-01-01"}, 400, "ship_on"),
        ({"do": "move", "to": "acme"}, 403, None),
        ({"do": "profile"}, 409, None),
    ],
)
def test_the_api_says_what_is_wrong_and_starts_nothing(
    wanted: dict[str, Any], status: int, field: str | None, api: APIClient
) -> None:
    answer = api.post("/api/v1/bulk/", {"account": "acme", **wanted}, format="json")

    assert answer.status_code == status, answer.content
    assert field is None or field in answer.content.decode()
    assert not Job.objects.exclude(kind="unlock-all").exists()


def test_a_sub_accounts_manager_cannot_reach_up(world: World) -> None:
    below = tenants.create_account(world.acme.account, by=actor(world.rita), slug="acme-shop", name="Shop")
    key = make_key(below, Role.MANAGER, world.rita)

    answer = program(key).post("/api/v1/bulk/", {"account": "acme", "do": "lock"}, format="json")

    assert answer.status_code == 400
    assert not Job.objects.filter(kind="lock").exists()
