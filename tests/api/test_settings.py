"""Settings over the API: what holds for whom and from where, its bounds, and who may change it."""

from typing import Any

import pytest

from accounts.models import AuditEntry
from accounts.roles import Role
from devices import settings_tree
from devices.definitions import GROUPS, SETTINGS
from devices.levels import model_in
from devices.models import SettingValue
from provisioning.models import Lock
from tests.world import World, actor, make_key, program, signed_in

URL = "/api/v1/settings/"


def table(client: Any, **where: Any) -> dict[str, dict[str, Any]]:
    answer = client.get(URL, where)
    assert answer.status_code == 200, answer.json()
    return {row["name"]: row for group in answer.json() for row in group["settings"]}


def unchanged() -> tuple[Any, ...]:
    revisions = list(Lock.objects.order_by("pk").values_list("pk", "revision", "files_revision"))
    return (
        list(SettingValue.objects.values("account", "name", "value")),
        AuditEntry.objects.count(),
        revisions,
    )


def test_every_setting_stands_in_its_group_with_its_bounds(world: World) -> None:
    key = program(world.acme.key)

    answer = key.get(URL, {"account": "acme"}).json()
    rows = table(key, account="acme")

    assert [group["group"] for group in answer] == [group.value for group in GROUPS]
    assert set(rows) == set(SETTINGS)
    assert all(row["title"] and row["help"] for row in rows.values())
    cannot = rows["register_expires"].pop("cannot")
    assert rows["register_expires"] == {
        "name": "register_expires",
        "title": "Registration",
        "help": "Seconds from one registration to the next.",
        "kind": "number",
        "value": 3600,
        "default": 3600,
        "lowest": 60,
        "highest": 86400,
        "optional": False,
        "choices": [],
        "level": "built in",
        "place": None,
        "account": None,
        "is_own": False,
        "may_change": True,
        "inherited": None,
    }
    assert cannot == []
    assert rows["sip_transport"]["choices"][0] == {"value": "udp", "title": "UDP"}
    assert rows["voice_vlan"]["optional"] is True
    assert "Poly" in [lack["which"] for lack in rows["voice_vlan_priority"]["cannot"]]


def test_a_value_says_where_it_stands_as_far_as_the_reader_can_see(world: World) -> None:
    settings_tree.set_value(world.harbour, by=actor(world.rita), name="poll_hours", value=12)
    phone = str(world.acme.phone.code)

    ana = table(program(world.acme.key), device=phone)["poll_hours"]
    rita = table(signed_in(world.rita), device=phone)["poll_hours"]
    at_harbour = table(signed_in(world.rita), account="harbour")["poll_hours"]

    assert (ana["value"], ana["level"], ana["place"], ana["account"]) == (12, "reseller", None, None)
    assert (rita["place"], rita["account"], rita["is_own"]) == ("Harbour Telecom", "harbour", False)
    assert (at_harbour["is_own"], at_harbour["inherited"]["value"]) == (True, 24)


@pytest.mark.parametrize("level", ["account", "model", "phone"])
def test_a_value_is_given_and_taken_back_at_each_level(level: str, world: World) -> None:
    where: dict[str, Any] = {
        "account": {"account": "acme"},
        "model": {"account": "acme", "family": "yealink", "model": "SIP-T46S"},
        "phone": {"device": str(world.acme.phone.code)},
    }[level]
    key = program(world.acme.key)

    put = key.put(f"{URL}language/", {**where, "value": "de"}, format="json")
    held = settings_tree.effective(world.acme.phone)["language"]
    query = "&".join(f"{name}={value}" for name, value in where.items())
    gone = key.delete(f"{URL}language/?{query}")

    assert put.status_code == 200, put.json()
    assert (put.json()["value"], put.json()["level"], put.json()["is_own"]) == ("de", level, True)
    assert put.json()["inherited"] == {"value": "en", "level": "built in", "place": None, "account": None}
    assert (held.value, held.level) == ("de", level)
    assert (gone.status_code, gone.json()["value"], gone.json()["is_own"]) == (200, "en", False)
    assert not SettingValue.objects.filter(name="language").exists()


def test_a_list_a_switch_and_nothing_are_values_too(world: World) -> None:
    key, phone = program(world.acme.key), str(world.acme.phone.code)

    for name, value in (
        ("codecs", ["pcma", "g722"]),
        ("call_waiting", False),
        ("voice_vlan", ""),
        ("voice_vlan", 0),
    ):
        put = key.put(f"{URL}{name}/", {"device": phone, "value": value}, format="json")
        assert put.status_code == 200, put.json()
        assert put.json()["value"] == value
        assert put.json()["is_own"] is True


def test_what_the_phone_cannot_is_said_with_the_reason(world: World) -> None:
    key = program(world.acme.key)

    rows = table(key, account="acme", family="fanvil", model="X4U")

    assert rows["poll_window"]["cannot"] == [
        {
            "which": "Fanvil X4U",
            "reason": "It counts the hours from its own start; no time of day can be set.",
        }
    ]
    assert rows["language"]["cannot"] == []


@pytest.mark.parametrize(
    ("case", "name", "value", "attr"),
    [
        ("beyond the bounds", "register_expires", 59, "register_expires"),
        ("no whole number", "register_expires", 60.5, "value"),
        ("no such word", "sip_transport", "sctp", "sip_transport"),
        ("a number for a switch", "web_page", 1, "web_page"),
        ("text for a list", "codecs", "g722", "codecs"),
        ("a codec twice", "codecs", ["g722", "g722", "pcma"], "codecs"),
        ("a list of numbers", "codecs", [1], "value"),
        ("a second line", "sip_server", "sip.example.org\nevil = 1", "sip_server"),
        ("nothing", "sip_server", None, "value"),
    ],
)
def test_what_a_setting_cannot_be_changes_nothing(
    case: str, name: str, value: Any, attr: str, world: World
) -> None:
    before = unchanged()

    answer = program(world.acme.key).put(f"{URL}{name}/", {"account": "acme", "value": value}, format="json")

    assert answer.status_code == 400, case
    assert answer.json()["errors"][0]["attr"].partition(".")[0] == attr
    assert unchanged() == before


@pytest.mark.parametrize(
    ("case", "where", "attr"),
    [
        ("nobody", {}, "account"),
        ("a phone and an account", {"account": "acme", "device": "its own"}, "account"),
        ("a model without its family", {"account": "acme", "model": "T46S"}, "family"),
        ("a family without a model", {"account": "acme", "family": "yealink"}, "model"),
        ("no such family", {"account": "acme", "family": "nobody", "model": "T46S"}, "family"),
        ("no such model", {"account": "acme", "family": "yealink", "model": "T1"}, "model"),
        ("another's account", {"account": "globex"}, "account"),
        ("another's phone", {"device": "globex"}, "device"),
        ("no code", {"device": "00005e005301"}, "device"),
    ],
)
def test_whose_it_is_has_to_be_said_rightly(
    case: str, where: dict[str, str], attr: str, world: World
) -> None:
    phones = {"its own": world.acme.phone, "globex": world.globex.phone}
    where = {
        name: str(phones[value].code) if name == "device" and value in phones else value
        for name, value in where.items()
    }
    key, before = program(world.acme.key), unchanged()

    get = key.get(URL, where)
    put = key.put(f"{URL}language/", {**where, "value": "de"}, format="json")
    gone = key.delete(f"{URL}language/?" + "&".join(f"{name}={value}" for name, value in where.items()))

    assert [answer.status_code for answer in (get, put, gone)] == [400, 400, 400], case
    assert {answer.json()["errors"][0]["attr"] for answer in (get, put, gone)} == {attr}
    assert unchanged() == before


def test_who_may_not_is_told_so(world: World) -> None:
    key = program(make_key(world.acme.account, Role.VIEWER, world.ana))
    settings_tree.set_value(world.acme.phone, by=actor(world.ana), name="language", value="de")
    before, phone = unchanged(), str(world.acme.phone.code)

    put = key.put(f"{URL}language/", {"device": phone, "value": "fr"}, format="json")
    gone = key.delete(f"{URL}language/?device={phone}")

    assert (put.status_code, gone.status_code) == (403, 403)
    assert table(key, device=phone)["language"]["may_change"] is False
    assert unchanged() == before


def test_a_setting_that_is_not_there_and_an_account_that_always_has_a_time_zone(world: World) -> None:
    key, before = program(world.acme.key), unchanged()

    assert key.put(f"{URL}no_such/", {"account": "acme", "value": 5}, format="json").status_code == 404
    zone = key.delete(f"{URL}time_zone/?account=acme")

    assert zone.status_code == 400
    assert zone.json()["errors"][0]["attr"] == "time_zone"
    assert table(key, account="acme")["time_zone"]["inherited"] is None
    assert unchanged() == before


def test_an_accounts_time_zone_is_answered_as_it_holds_now(world: World) -> None:
    put = program(world.acme.key).put(
        f"{URL}time_zone/", {"account": "acme", "value": "Asia/Kolkata"}, format="json"
    )

    assert (put.json()["value"], put.json()["is_own"], put.json()["place"]) == (
        "Asia/Kolkata",
        True,
        "Acme Anvils",
    )


def test_firmware_is_pinned_for_a_model_or_a_phone_and_never_for_an_account(world: World) -> None:
    key, before = program(world.acme.key), unchanged()
    image = "https://fw.example.org/T46S.rom"

    whole = key.put(f"{URL}firmware/", {"account": "acme", "value": image}, format="json")

    assert whole.status_code == 400
    assert whole.json()["errors"][0]["attr"] == "firmware"
    assert table(key, account="acme")["firmware"]["may_change"] is False
    assert unchanged() == before
    where = {"account": "acme", "family": "yealink", "model": "T46S"}
    assert table(key, **where)["firmware"]["may_change"] is True
    assert key.put(f"{URL}firmware/", {**where, "value": image}, format="json").json()["value"] == image


def test_a_models_value_above_is_not_the_models_own_here(world: World) -> None:
    above = model_in(world.harbour, "yealink", "T46S")
    settings_tree.set_value(above, by=actor(world.rita), name="language", value="fr")

    row = table(program(world.acme.key), account="acme", family="yealink", model="T46S")["language"]

    assert (row["value"], row["level"], row["is_own"], row["place"]) == ("fr", "model", False, None)
