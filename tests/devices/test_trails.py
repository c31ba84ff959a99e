"""Where a value comes from, all the way down; and what of it a family cannot express."""

import random
from typing import Any

import pytest

from accounts.models import Account
from accounts.scope import Actor
from devices.definitions import SETTINGS
from devices.levels import Level, ModelIn, Target, account_values, effective, model_in, of_model
from devices.models import Device, SettingValue
from devices.settings_tree import set_value
from devices.trails import lacks, say, trails, without_own
from provisioning import entering, sites
from tests.tree import Tree, plant

pytestmark = pytest.mark.django_db


@pytest.fixture
def tree() -> Tree:
    return plant()


@pytest.fixture
def phone(tree: Tree) -> Device:
    return entering.enter(
        tree.acme, by=tree.ana, mac="00005e005301", family="yealink", model="T46S", name="Desk"
    )


def test_a_trail_holds_every_value_and_the_nearest_last(tree: Tree, phone: Device) -> None:
    model = model_in(tree.acme, "yealink", "T46S")
    given: list[tuple[Target, Actor, str]] = [
        (phone, tree.ana, "pl"),
        (tree.platform, tree.support, "fr"),
        (model, tree.ana, "es"),
        (tree.acme, tree.ana, "de"),
        (tree.globex, tree.eve, "it"),
    ]
    for target, by, value in given:
        set_value(target, by=by, name="language", value=value)

    trail = trails(phone)["language"]

    assert [tuple(one) for one in trail] == [
        ("en", Level.BUILT_IN, None),
        ("fr", Level.PLATFORM, tree.platform),
        ("de", Level.ACCOUNT, tree.acme),
        ("es", Level.MODEL, model),
        ("pl", Level.PHONE, phone),
    ]
    assert [one.account for one in trail] == [None, tree.platform, tree.acme, tree.acme, tree.acme]
    assert [one.named_to(tree.ana) for one in trail] == [True, False, True, True, True]
    assert without_own("language", trail, phone) == trail[-2]
    assert without_own("language", trails(model)["language"], model) == trail[2]
    assert without_own("sip_port", trails(phone)["sip_port"], phone) is None


def test_an_accounts_time_zone_cannot_be_taken_back(tree: Tree, phone: Device) -> None:
    site = sites.create(tree.acme, by=tree.ana, name="Lisbon", time_zone="Europe/Lisbon")
    entering.change(phone, by=tree.ana, site=site)
    moved = Device.objects.select_related("account", "site").get(pk=phone.pk)

    assert without_own("time_zone", trails(tree.acme)["time_zone"], tree.acme) is None
    assert trails(moved)["time_zone"][-1] == ("Europe/Lisbon", Level.SITE, site)
    assert trails(moved)["time_zone"][-1].account == tree.acme


@pytest.mark.parametrize("seed", range(8))
def test_the_end_of_a_trail_is_what_holds(seed: int, tree: Tree, phone: Device) -> None:
    drawn = random.Random(seed)
    site = sites.create(tree.acme, by=tree.ana, name="Lisbon", time_zone="Europe/Lisbon")
    entering.change(phone, by=tree.ana, site=drawn.choice([site, None]))
    values: dict[str, list[Any]] = {"language": ["de", "fr", "es"], "time_zone": ["UTC", "Asia/Kolkata"]}
    values["poll_hours"], values["call_waiting"] = [1, 2, 3], [True, False]
    for account in (tree.platform, tree.harbour, tree.acme, tree.globex):
        for name, possible in values.items():
            if name != "time_zone" and drawn.random() < 0.5:
                SettingValue.objects.create(account=account, name=name, value=drawn.choice(possible))
            for model in ("T46S", "T48S"):
                if drawn.random() < 0.4:
                    row = {"account": account, "family": "yealink", "model": model, "name": name}
                    SettingValue.objects.create(**row, value=drawn.choice(possible))
    for name, possible in values.items():
        if drawn.random() < 0.4:
            row = {"account": tree.acme, "device": phone, "name": name}
            SettingValue.objects.create(**row, value=drawn.choice(possible))
    fresh = Device.objects.select_related("account", "site").get(pk=phone.pk)
    model_at = model_in(tree.acme, "yealink", "T46S")

    for target, held in (
        (fresh, effective(fresh)),
        (model_at, of_model(model_at)),
        (tree.acme, account_values([tree.acme])[tree.acme.pk]),
    ):
        ends = {name: trail[-1] for name, trail in trails(target).items()}
        assert {name: (end.value, end.level, str(end.at or "")) for name, end in ends.items()} == {
            name: (found.value, found.level, found.place) for name, found in held.items()
        }


def test_what_a_model_cannot_is_told_with_the_reason(tree: Tree) -> None:
    fanvil, old = model_in(tree.acme, "fanvil", "X4U"), model_in(tree.acme, "cisco", "SPA504G")

    assert [lack.reason for lack in lacks(fanvil, "poll_window")] == [
        "It counts the hours from its own start; no time of day can be set."
    ]
    assert lacks(fanvil, "language") == ()
    assert "switched off by a file" in lacks(fanvil, "web_page")[0].reason
    assert "key and a certificate" in lacks(old, "srtp")[0].reason
    assert lacks(old, "srtp")[0].which == old.title


def test_an_account_is_told_once_of_a_family_and_apart_of_its_generations(tree: Tree) -> None:
    whole, part = lacks(tree.acme, "voice_vlan_priority"), lacks(tree.acme, "syslog_level")

    assert ("Poly", "The switch decides on the priority: it has no public setting for it.") in whole
    assert [lack.which for lack in whole].count("Poly") == 1
    first_series = "Fanvil, First series, with VOIP_CONFIG_FILE files"
    assert (first_series, "Its first series sends all of its log or none.") in part
    assert [lack.which for lack in part if lack.which.startswith("Fanvil")] == [first_series]
    assert lacks(tree.acme, "register_expires") == ()


def test_a_model_that_the_catalogue_has_lost_lacks_nothing_that_we_know_of(tree: Tree) -> None:
    assert lacks(ModelIn(tree.acme, "yealink", "T1"), "web_page") == ()
    assert lacks(ModelIn(tree.acme, "gone", "T1"), "web_page") == ()
    assert set(trails(ModelIn(tree.acme, "gone", "T1"))) == set(SETTINGS)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("web_page", False, "Off"),
        ("codecs", ["g722", "pcma"], "G.722 (wide band), G.711 A-law"),
        ("syslog_server", "", "None"),
        ("ring_tone", "", "As the phone has it"),
        ("ring_tone", 3, "3"),
        ("sip_transport", "tls", "TLS"),
        ("sip_port", 0, "0"),
    ],
)
def test_values_are_said_in_words(name: str, value: Any, words: str) -> None:
    assert say(SETTINGS[name], value) == words


def test_an_account_above_has_no_name_for_its_customers(tree: Tree) -> None:
    set_value(tree.harbour, by=tree.rita, name="poll_hours", value=6)

    given = trails(tree.acme)["poll_hours"][-1]

    assert isinstance(given.at, Account)
    assert (given.named_to(tree.ana), given.named_to(tree.rita), given.named_to(tree.support)) == (
        False,
        True,
        True,
    )
