"""Accounts, extensions, sites and the audit over the API."""

from accounts.models import Account
from devices.models import Extension, Site
from tests.world import World, program, signed_in

API = "/api/v1/"


def test_the_tree_is_seen_from_where_one_stands(world: World) -> None:
    rita, ana = signed_in(world.rita), signed_in(world.ana)

    seen = rita.get(f"{API}accounts/").json()["results"]

    assert [(row["slug"], row["parent"], row["kind"]) for row in seen] == [
        ("harbour", None, "reseller"),
        ("acme", "harbour", "customer"),
        ("globex", "harbour", "customer"),
    ]
    assert [row["slug"] for row in ana.get(f"{API}accounts/").json()["results"]] == ["acme"]
    assert ana.get(f"{API}accounts/globex/").status_code == 404


def test_a_reseller_makes_renames_and_disables_a_customer(world: World) -> None:
    rita = signed_in(world.rita)
    sent = {"content_type": "application/json"}
    body = {"parent": "harbour", "slug": "initech", "name": "Initech", "time_zone": "Europe/Vienna"}

    made = rita.post(f"{API}accounts/", body, **sent)
    changed = rita.patch(f"{API}accounts/initech/", {"name": "Initrode", "is_active": False}, **sent)

    assert (made.status_code, made.json()["kind"]) == (201, "customer")
    assert (changed.json()["name"], changed.json()["is_active"]) == ("Initrode", False)
    assert not Account.objects.get(slug="initech").is_active


def test_a_time_zone_that_is_none_is_named(world: World) -> None:
    body = {"parent": "harbour", "slug": "initech", "name": "Initech", "time_zone": "Mars/Base"}

    answer = signed_in(world.rita).post(f"{API}accounts/", body, content_type="application/json")

    assert answer.status_code == 400
    assert [error["attr"] for error in answer.json()["errors"]] == ["time_zone"]
    assert not Account.objects.filter(slug="initech").exists()


def test_a_manager_makes_no_customer_and_does_not_disable_his_own(world: World) -> None:
    ana = program(world.acme.key)

    made = ana.post(f"{API}accounts/", {"parent": "acme", "slug": "sub", "name": "Sub"})
    ended = ana.patch(f"{API}accounts/acme/", {"name": "Renamed", "is_active": False})

    assert (made.status_code, ended.status_code) == (403, 403)
    kept = Account.objects.get(slug="acme")
    assert (kept.is_active, kept.name) == (True, "Acme Anvils")


def test_an_extension_is_made_changed_and_removed_and_its_secret_never_returned(world: World) -> None:
    key = program(world.acme.key)
    body = {"account": "acme", "username": "300", "secret": "first-secret", "display_name": "Three"}

    made = key.post(f"{API}extensions/", body)
    path = f"{API}extensions/{made.json()['code']}/"
    changed = key.patch(path, {"secret": "second-secret", "display_name": "Drei"})

    assert (made.status_code, changed.status_code) == (201, 200)
    assert (changed.json()["username"], changed.json()["display_name"]) == ("300", "Drei")
    for answer in (made, changed, key.get(path), key.get(f"{API}extensions/")):
        assert "secret" not in answer.content.decode()
    assert key.delete(path).status_code == 204
    assert not Extension.objects.filter(username="300").exists()


def test_an_extension_that_a_phone_shows_stays(world: World) -> None:
    answer = program(world.acme.key).delete(f"{API}extensions/{world.acme.extension.code}/")

    assert (answer.status_code, answer.json()["code"]) == (409, "in-use")


def test_an_extension_twice_is_named(world: World) -> None:
    body = {"account": "acme", "username": world.acme.extension.username, "secret": "some-secret"}

    answer = program(world.acme.key).post(f"{API}extensions/", body)

    assert (answer.status_code, answer.json()["errors"][0]["attr"]) == (400, "username")


def test_the_extensions_tell_on_how_many_phones_they_are(world: World) -> None:
    shown = program(world.acme.key).get(f"{API}extensions/").json()["results"]

    assert [(row["username"], row["phones"]) for row in shown] == [("ext-acme-201", 2)]


def test_a_site_is_made_changed_and_removed(world: World) -> None:
    key = program(world.acme.key)
    body = {"account": "acme", "name": "Pier", "networks": ["203.0.113.64/28", "2001:db8:7::/48"]}

    made = key.post(f"{API}sites/", body)
    path = f"{API}sites/{made.json()['code']}/"
    changed = key.patch(path, {"networks": ["203.0.113.80"], "time_zone": "Europe/Rome"})

    assert (made.status_code, sorted(made.json()["networks"])) == (201, sorted(body["networks"]))
    assert (changed.json()["networks"], changed.json()["time_zone"]) == (["203.0.113.80"], "Europe/Rome")
    assert key.delete(path).status_code == 204


def test_networks_that_overlap_or_are_none_are_named(world: World) -> None:
    key = program(world.acme.key)
    before = Site.objects.count()

    for networks in (["203.0.113.0/29"], ["203.0.113.1/24"], ["198.51.100.0/20"], "203.0.113.64/28"):
        answer = key.post(f"{API}sites/", {"account": "acme", "name": "Pier", "networks": networks})
        assert (answer.status_code, answer.json()["errors"][0]["attr"]) == (400, "networks"), networks
    assert Site.objects.count() == before


def test_the_audit_tells_who_did_what_from_where(world: World) -> None:
    key = program(world.acme.key, REMOTE_ADDR="198.51.100.77")
    key.post(f"{API}devices/{world.acme.phone.code}/unlock/", {"for": "24h"})

    rows = key.get(f"{API}audit/", {"target": str(world.acme.phone.code)}).json()["results"]

    assert rows[0]["verb"] == "device.unlocked"
    assert rows[0]["address"] == "198.51.100.77"
    assert rows[0]["actor"].startswith("API key Key of acme")
    assert rows[0]["target"] == {
        "kind": "device",
        "code": str(world.acme.phone.code),
        "name": "Desk of Ben at acme",
    }
    assert {row["account"] for row in key.get(f"{API}audit/").json()["results"]} == {"acme"}
