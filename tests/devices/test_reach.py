"""A setting changed above phones reaches those for which something changes, and leaves the others alone."""

import random
from typing import Any

import pytest

from accounts import tenants
from accounts.models import Account
from devices import raw_keys, settings_tree
from devices.levels import ModelIn, effective_many
from devices.models import Device
from devices.raw_keys import FamilyIn
from provisioning import entering, sites
from provisioning.models import Lock
from tests.tree import Tree, plant

pytestmark = pytest.mark.django_db


@pytest.fixture
def tree() -> Tree:
    return plant()


def revisions() -> dict[int, int]:
    return dict(Lock.objects.values_list("pk", "files_revision"))


def grown(before: dict[int, int]) -> set[int]:
    """The phones that are compiled anew, once each."""
    after = revisions()
    assert {after[pk] - before[pk] for pk in after} <= {0, 1}
    return {pk for pk in after if after[pk] != before[pk]}


def enter(tree: Tree, account: Account, number: int, family: str = "yealink", model: str = "T46S") -> Device:
    return entering.enter(account, by=tree.support, mac=f"00005e0053{number:02x}", family=family, model=model)


@pytest.fixture
def street(tree: Tree) -> list[Device]:
    """Phones of three families at four accounts, two of them on a site with a clock of its own."""
    branch = tenants.create_account(tree.acme, by=tree.support, slug="branch", name="Branch")
    lisbon = sites.create(tree.acme, by=tree.ana, name="Lisbon", time_zone="Europe/Lisbon")
    phones = [
        enter(tree, tree.acme, 1),
        enter(tree, tree.acme, 2, "yealink", "T20P"),
        enter(tree, tree.acme, 3, "poly", "VVX450"),
        enter(tree, branch, 4),
        enter(tree, branch, 5, "snom", "D785"),
        enter(tree, tree.globex, 6),
        enter(tree, tree.harbour, 7, "poly", "VVX450"),
        enter(tree, tree.acme, 8, "snom", "D785"),
    ]
    for phone in phones[1], phones[7]:
        entering.change(phone, by=tree.ana, site=lisbon)
    return phones


SETTINGS: dict[str, list[Any]] = {
    "ntp_server": ["one.example.org", "two.example.org", "pool.ntp.org"],
    "time_zone": ["Europe/Berlin", "Asia/Kolkata", "UTC"],
    "language": ["en", "de", "eu", "ca"],
    "call_waiting": [True, False],
    "codecs": [["pcma"], ["pcmu", "pcma"]],
    "backlight_seconds": ["", "60"],
    "srtp": ["off", "optional"],
    "web_page": [True, False],
}
RAW = {
    "yealink": "distinctive_ring_tones.alert_info.1.text",
    "poly": "up.idleBrowser.enabled",
    "snom": "alert_info_text",
}


def test_exactly_those_that_change_are_marked(tree: Tree, street: list[Device]) -> None:
    """Many changes at every level, each compared with what the phones' settings say before and after it."""
    dice = random.Random(4)
    accounts = [tree.platform, tree.harbour, tree.acme, street[3].account, tree.globex]
    kept = alone = 0

    for _ in range(150):
        phone, account = dice.choice(street), dice.choice(accounts)
        target = dice.choice([account, account, ModelIn(account, phone.family, phone.model), phone])
        name = dice.choice(list(SETTINGS))
        devices = list(Device.objects.select_related("account", "site"))
        held = {pk: values[name].value for pk, values in effective_many(devices).items()}
        inputs, before = settings_tree.phone_settings(devices), revisions()

        if dice.random() < 0.35 and not (isinstance(target, Account) and name == "time_zone"):
            settings_tree.reset_value(target, by=tree.support, name=name)
        else:
            settings_tree.set_value(target, by=tree.support, name=name, value=dice.choice(SETTINGS[name]))

        devices = list(Device.objects.select_related("account", "site"))
        now = {pk: values[name].value for pk, values in effective_many(devices).items()}
        after = settings_tree.phone_settings(devices)
        other = {pk for pk in after if after[pk] != inputs[pk]}
        if target is phone:
            assert grown(before) >= other
        else:
            assert grown(before) == other
            assert other <= {pk for pk in now if now[pk] != held[pk]}
            kept += bool(other)
            alone += len(street) - len(other)
    assert kept > 20
    assert alone > 100


def test_raw_keys_likewise(tree: Tree, street: list[Device]) -> None:
    dice = random.Random(4)
    accounts = [tree.platform, tree.harbour, tree.acme, street[3].account, tree.globex]
    kept = 0

    for _ in range(80):
        phone, account = dice.choice(street), dice.choice(accounts)
        family = FamilyIn(account, phone.family)
        target = dice.choice([family, ModelIn(account, phone.family, phone.model), phone])
        key = RAW[phone.family]
        inputs, before = settings_tree.phone_settings(street), revisions()

        if dice.random() < 0.35:
            raw_keys.reset_value(target, by=tree.support, key=key)
        else:
            raw_keys.set_value(target, by=tree.support, key=key, value=dice.choice("123"))

        after = settings_tree.phone_settings(street)
        other = {pk for pk in after if after[pk] != inputs[pk]}
        assert grown(before) >= other
        if target is not phone:
            assert grown(before) == other
            kept += bool(other)
    assert kept > 10
