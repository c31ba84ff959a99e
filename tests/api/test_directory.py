"""The company directory over the API: contacts, their table in and out, and extensions that hide."""

import pytest

from accounts.roles import Role
from devices.models import Contact, Extension
from tests.world import World, make_key, program

CONTACTS = "/api/v1/directory/contacts/"


def test_contacts_are_listed_added_changed_and_removed(world: World) -> None:
    key = program(world.acme.key)

    made = key.post(
        CONTACTS, {"account": "acme", "name": "Taxi", "number": "030 / 12-34", "mobile": "+49171"}
    )
    assert made.status_code == 201, made.json()
    assert {name: made.json()[name] for name in ("account", "name", "number", "mobile", "other")} == {
        "account": "acme",
        "name": "Taxi",
        "number": "0301234",
        "mobile": "+49171",
        "other": "",
    }
    url = f"{CONTACTS}{made.json()['code']}/"
    assert key.patch(url, {"other": "9", "mobile": ""}).json()["other"] == "9"
    assert [row["name"] for row in key.get(CONTACTS).json()["results"]] == ["Porter of acme", "Taxi"]
    assert [row["name"] for row in key.get(f"{CONTACTS}?search=0301").json()["results"]] == ["Taxi"]
    assert key.delete(url).status_code == 204
    assert key.get(url).status_code == 404


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": "Taxi"}, "number"),
        ({"name": "Taxi", "number": "call me"}, "number"),
        ({"name": "Ta\nxi", "number": "1"}, "name"),
        ({"name": "Porter of acme", "number": "1"}, "name"),
        ({"name": "Taxi", "number": "1", "fax": "2"}, "fax"),
    ],
)
def test_a_wrong_contact_names_its_field(world: World, given: dict[str, str], field: str) -> None:
    refused = program(world.acme.key).post(CONTACTS, {"account": "acme", **given})

    assert refused.status_code == 400
    assert field in str(refused.json())
    assert Contact.objects.filter(account=world.acme.account).count() == 1


def test_a_table_is_looked_at_and_then_kept(world: World) -> None:
    key, url = program(world.acme.key), f"{CONTACTS}import/"
    table = {"account": "acme", "table": "Name;Phone;Fax\nTaxi;33;1\nPorter of acme;4712;\n"}

    seen = key.post(url, table).json()
    still = Contact.objects.filter(account=world.acme.account).count()
    done = key.post(url, {**table, "keep": True}).json()

    assert (seen["kept"], seen["added"], seen["changed"], seen["ignored"]) == (False, 1, 1, ["Fax"])
    assert [(row["line"], row["what"], row["name"]) for row in seen["rows"]] == [
        (2, "added", "Taxi"),
        (3, "changed", "Porter of acme"),
    ]
    assert still == 1
    assert done == {**seen, "kept": True}
    kept = Contact.objects.filter(account=world.acme.account).order_by("name")
    assert list(kept.values_list("name", "number")) == [("Porter of acme", "4712"), ("Taxi", "33")]


def test_a_table_with_a_wrong_row_is_not_kept(world: World) -> None:
    key, url = program(world.acme.key), f"{CONTACTS}import/"
    table = {"account": "acme", "table": "Name;Phone\nTaxi;33\nPost;none\n"}

    seen = key.post(url, table).json()
    refused = key.post(url, {**table, "keep": True})

    assert [(row["line"], row["field"]) for row in seen["rows"] if row["what"] == "refused"] == [
        (3, "number")
    ]
    assert refused.status_code == 400
    assert "Line 3" in str(refused.json())
    assert Contact.objects.filter(account=world.acme.account).count() == 1


def test_the_contacts_of_an_account_come_out_as_a_table(world: World) -> None:
    key = program(world.acme.key)

    table = key.get(f"{CONTACTS}export/?account=acme")

    assert table.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "contacts-acme.csv" in table.headers["Content-Disposition"]
    assert table.content.decode("utf-8-sig") == "Name;Number;Mobile;Other\r\nPorter of acme;4711;;\r\n"
    for wrong in ("", "?account=globex", "?account=none"):
        assert key.get(f"{CONTACTS}export/{wrong}").status_code == 400


def test_a_viewer_reads_and_changes_nothing(world: World) -> None:
    key = program(make_key(world.acme.account, Role.VIEWER, world.ana))

    assert key.get(CONTACTS).json()["count"] == 1
    assert key.get(f"{CONTACTS}export/?account=acme").status_code == 200
    table = {"account": "acme", "table": "Name;Phone\nTaxi;33"}
    for url, body in (
        (CONTACTS, {"account": "acme", "name": "Taxi", "number": "1"}),
        (f"{CONTACTS}import/", table),
    ):
        assert key.post(url, body).status_code == 403
    assert Contact.objects.filter(account=world.acme.account).count() == 1


def test_an_extension_hides_from_the_directory(world: World) -> None:
    key, url = program(world.acme.key), f"/api/v1/extensions/{world.acme.extension.code}/"

    assert key.get(url).json()["in_directory"] is True
    assert key.patch(url, {"in_directory": False}).json()["in_directory"] is False
    assert Extension.objects.get(pk=world.acme.extension.pk).in_directory is False
