"""Masked files and previews, as programs ask for them."""

from typing import Any

import pytest

from accounts.models import AuditEntry
from accounts.roles import Role
from devices import settings_tree
from devices.levels import model_in
from devices.models import SettingValue
from provisioning.models import DeviceEvent, Lock, Outbox
from provisioning.previewing import MASKED_TOKEN
from tests.world import World, actor, make_key, program

pytestmark = pytest.mark.django_db

FILES, PREVIEW = "/api/v1/devices/{}/files/", "/api/v1/settings/preview/"


@pytest.fixture
def ana(world: World) -> Any:
    return program(world.acme.key)


def kept() -> tuple[Any, ...]:
    counts = [model.objects.count() for model in (SettingValue, AuditEntry, DeviceEvent, Outbox)]
    return (*counts, dict(Lock.objects.values_list("pk", "files_revision")))


def test_a_phones_files(world: World, ana: Any) -> None:
    said = ana.get(FILES.format(world.acme.phone.code))

    assert said.status_code == 200, said.content
    boot, cfg = said.json()
    assert (boot["name"], cfg["name"]) == (f"{world.acme.phone.mac}.boot", f"{world.acme.phone.mac}.cfg")
    assert cfg["content_type"].startswith("text/plain")
    assert cfg["size"] == len(cfg["body"].encode())
    assert "account.1.password = MASKED\n" in cfg["body"]
    assert f"/d/{MASKED_TOKEN}/" in cfg["body"]
    for secret in (world.acme.secret, *world.acme.tokens):
        assert secret not in said.content.decode()


def test_a_viewer_gets_no_files(world: World) -> None:
    vic = program(make_key(world.acme.account, Role.VIEWER, world.ana))

    assert vic.get(FILES.format(world.acme.phone.code)).status_code == 403
    assert vic.post(PREVIEW, [{"account": "acme", "name": "language", "value": "de"}]).status_code == 403


def test_what_a_setting_would_change(world: World, ana: Any) -> None:
    before = kept()

    said = ana.post(
        PREVIEW,
        [
            {"account": "acme", "name": "ntp_server", "value": "time.example.org"},
            {"device": str(world.acme.phone.code), "name": "ntp_server", "value": "own.example.org"},
        ],
    )

    assert said.status_code == 200, said.content
    told = said.json()
    assert told["phones"] == 2
    assert sum(row["phones"] for row in told["by_model"]) == 2
    shown = {phone["device"]: phone for phone in told["shown"]}
    mine = shown[str(world.acme.phone.code)]
    assert (mine["name"], mine["mac"], mine["problem"]) == (
        world.acme.phone.name,
        world.acme.phone.mac,
        "",
    )
    assert mine["files"] == [
        {
            "name": f"{world.acme.phone.mac}.cfg",
            "lines": [
                {"sign": "-", "text": "local_time.ntp_server1 = pool.ntp.org"},
                {"sign": "+", "text": "local_time.ntp_server1 = own.example.org"},
            ],
            "more": 0,
        }
    ]
    assert kept() == before


def test_without_a_value_what_stands_above_holds_again(world: World, ana: Any) -> None:
    phone = world.acme.phone
    by_model = {"account": "acme", "family": phone.family, "model": phone.model, "name": "language"}
    target = model_in(world.acme.account, phone.family, phone.model)
    settings_tree.set_value(target, by=actor(world.ana), name="language", value="de")
    assert ana.post(PREVIEW, [{**by_model, "value": "de"}]).json()["phones"] == 0
    settings_tree.set_value(phone, by=actor(world.ana), name="language", value="fr")
    before = kept()

    told = ana.post(PREVIEW, [{"device": str(phone.code), "name": "language"}]).json()

    assert told["phones"] == 1
    assert [phone["device"] for phone in told["shown"]] == [str(phone.code)]
    assert kept() == before


def test_the_vendors_own_keys_are_for_those_with_the_power(world: World, ana: Any) -> None:
    phone = world.acme.phone
    key = "distinctive_ring_tones.alert_info.1.text"
    body = [{"account": "acme", "family": phone.family, "key": key, "value": "inside"}]
    rita = program(make_key(world.harbour, Role.RESELLER, world.rita))

    assert ana.post(PREVIEW, body).status_code == 403
    told = rita.post(PREVIEW, body).json()

    assert told["phones"] == 2
    assert {"sign": "+", "text": f"{key} = inside"} in told["shown"][0]["files"][0]["lines"]


@pytest.mark.parametrize(
    ("case", "body", "field"),
    [
        ("nothing at all", [], "non_field_errors"),
        ("no list", {"account": "acme"}, "non_field_errors"),
        ("of nobody", [{"name": "language", "value": "de"}], "device"),
        ("no setting", [{"account": "acme", "value": "de"}], "name"),
        ("another's", [{"account": "globex", "name": "language", "value": "de"}], "account"),
        ("unknown", [{"account": "acme", "name": "colour", "value": "red"}], "colour"),
        ("out of bounds", [{"account": "acme", "name": "poll_hours", "value": 99}], "poll_hours"),
        ("no model", [{"account": "acme", "family": "yealink", "model": "X", "name": "dtmf"}], "model"),
        ("a strange word", [{"account": "acme", "name": "dtmf", "valu": "rtp"}], "valu"),
        ("too many", [{"account": "acme", "name": "dtmf"}] * 101, "non_field_errors"),
    ],
)
def test_a_bad_preview_names_the_field(world: World, ana: Any, case: str, body: Any, field: str) -> None:
    before = kept()

    said = ana.post(PREVIEW, body)

    assert said.status_code == 400, said.content
    assert field in [error["attr"] for error in said.json()["errors"]]
    assert kept() == before


def test_accounts_side_by_side_are_not_previewed_together(world: World) -> None:
    rita = program(make_key(world.harbour, Role.RESELLER, world.rita))
    one = {"name": "language", "value": "de"}

    said = rita.post(PREVIEW, [{**one, "account": "acme"}, {**one, "account": "globex"}])

    assert said.status_code == 400
    assert said.json()["errors"][0]["attr"] == "account"
