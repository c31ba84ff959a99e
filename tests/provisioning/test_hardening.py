"""Hardening: what each phone's score is made of, who switched what off, and what an account comes to."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from accounts import tenants
from accounts.models import Account
from devices.catalog import catalog
from devices.levels import model_in
from devices.models import Device
from devices.phone import HARDENING
from devices.settings_tree import phone_settings, set_value
from provisioning import entering, hardening, retiring
from provisioning.hardening import SETTING_OF, TITLES, WEIGHTS, WORST, AccountScore, Score, Standing
from tests.families.samples import MODELS
from tests.tree import Tree, plant

pytestmark = pytest.mark.django_db


@pytest.fixture
def tree(settings: Settings) -> Tree:
    settings.PHONES_URL = "https://p.example.org"
    return plant()


def enter(tree: Tree, number: int, family: str = "cisco", model: str = "8841", **more: Account) -> Device:
    account = more.get("account", tree.acme)
    mac = f"00005e0053{number:02x}"
    return entering.enter(
        account, by=tree.rita, mac=mac, family=family, model=model, name=f"Desk {number:02}"
    )


def score(device: Device) -> Score:
    found = hardening.of_phone(device)
    assert found is not None
    return found


def lacking(device: Device, tree: Tree) -> dict[str, str]:
    return {row.name: row.reason(tree.ana) for row in score(device).lacking}


def test_the_eight_protections_make_a_hundred_points() -> None:
    assert set(WEIGHTS) == set(HARDENING) == set(TITLES)
    assert sum(WEIGHTS.values()) == 100


def test_a_phone_of_a_new_account_has_every_protection_that_its_family_can(tree: Tree) -> None:
    new = tenants.create_account(tree.harbour, by=tree.rita, slug="new", name="New")
    phone = enter(tree, 1, account=new)

    assert score(phone).points == 100
    assert score(phone).lacking == []
    assert phone_settings([phone])[phone.pk].hardening == frozenset(HARDENING)


@pytest.mark.once
@pytest.mark.parametrize(("family", "model"), MODELS)
def test_a_protection_that_cannot_be_costs_its_weight_and_says_why(
    family: str, model: str, settings: Settings
) -> None:
    settings.PHONES_URL = "https://p.example.org"
    vendor = catalog().families[family]
    kind = vendor.models[model]
    lacks = set(vendor.lacks(kind.generation)) | ({"provision_over_https_only"} if kind.no_tls else set())
    built_in = hardening.built_in()

    found = hardening.weigh(vendor, kind, built_in)

    assert {row.name for row in found.lacking} == lacks
    assert found.points == 100 - sum(WEIGHTS[name] for name in lacks)
    assert all(row.standing is Standing.CANNOT and row.why.endswith(".") for row in found.lacking)


@pytest.mark.parametrize("name", WEIGHTS)
def test_switching_one_off_costs_its_weight(name: str, tree: Tree) -> None:
    phone = enter(tree, 1)
    off = {"srtp": "off", "web_page": True}.get(SETTING_OF[name], False)

    set_value(tree.acme, by=tree.ana, name=SETTING_OF[name], value=off)

    assert score(phone).points == 100 - WEIGHTS[name]
    assert lacking(phone, tree) == {name: "Switched off by Acme (account)."}


def test_the_reason_names_the_level_and_the_place(tree: Tree) -> None:
    phone = enter(tree, 1)
    set_value(tree.platform, by=tree.support, name="lock_user_menu", value=False)
    set_value(model_in(tree.acme, "cisco", "8841"), by=tree.ana, name="web_page", value=True)
    set_value(phone, by=tree.ana, name="refuse_direct_ip_calls", value=False)

    assert lacking(phone, tree) == {
        "lock_user_menu": "Switched off by your provider (platform).",
        "web_page_off": "Switched off for the model Cisco 8841, Acme.",
        "refuse_direct_ip_calls": "Switched off for this phone alone.",
    }
    by_support = {row.name: row.reason(tree.support) for row in score(phone).lacking}
    assert by_support["lock_user_menu"] == "Switched off by Platform (platform)."


def test_optional_encryption_counts_and_none_does_not(tree: Tree) -> None:
    phone = enter(tree, 1)

    set_value(phone, by=tree.ana, name="srtp", value="required")
    assert score(phone).points == 100
    set_value(phone, by=tree.ana, name="srtp", value="off")
    assert score(phone).points == 85


def test_a_phone_without_tls_and_an_installation_without_it_are_told_apart(
    tree: Tree, settings: Settings
) -> None:
    old = enter(tree, 1, "yealink", "T20P")
    assert lacking(old, tree)["provision_over_https_only"] == hardening._NO_HTTPS

    settings.PHONES_URL = "http://p.example.org"
    assert lacking(enter(tree, 2), tree) == {"provision_over_https_only": hardening._PLAIN_HTTP}


def test_a_model_that_left_the_catalogue_has_no_score(tree: Tree) -> None:
    phone = enter(tree, 1)
    Device.objects.filter(pk=phone.pk).update(model="gone")
    phone.refresh_from_db()

    found = hardening.of_account(tree.acme)

    assert hardening.of_phone(phone) is None
    assert (found.phones, found.unknown, found.points) == (0, 1, None)


# --- an account -----------------------------------------------------------------------------------------


def test_an_account_is_the_mean_of_its_phones_and_of_those_below(tree: Tree) -> None:
    for number in (1, 2, 3):
        enter(tree, number)
    worst = enter(tree, 4, "fanvil", "X5U")
    own = enter(tree, 5)
    set_value(own, by=tree.ana, name="web_page", value=True)
    other = enter(tree, 6, account=tree.globex)
    retired = enter(tree, 7, "fanvil", "X5U")
    retiring.retire(retired, by=tree.ana)

    acme, harbour = hardening.of_account(tree.acme), hardening.of_account(tree.harbour)

    x5u = score(worst).points
    assert (acme.phones, acme.points) == (5, (3 * 100 + x5u + 85) // 5)
    assert (harbour.phones, harbour.points) == (6, (4 * 100 + x5u + 85) // 6)
    assert [row.device for row in acme.worst] == [worst, own]
    assert [row.score.points for row in acme.worst] == [x5u, 85]
    assert other not in [row.device for row in harbour.worst]


def test_the_tallies_count_what_is_off_and_what_cannot_be(tree: Tree) -> None:
    enter(tree, 1)
    enter(tree, 2, "fanvil", "X5U")
    set_value(tree.acme, by=tree.ana, name="srtp", value="off")

    found = {row.name: (row.on, row.off, row.cannot) for row in hardening.of_account(tree.acme).tallies}

    assert found["encrypt_calls"] == (0, 2, 0)
    assert found["web_page_off"] == (1, 0, 1)
    assert found["refuse_direct_ip_calls"] == (2, 0, 0)


def test_an_account_without_phones_has_no_score(tree: Tree) -> None:
    found = hardening.of_account(tree.acme)

    assert (found.points, found.phones, found.worst) == (None, 0, ())


def test_many_phones_cost_as_many_queries_as_few(tree: Tree) -> None:
    def cost() -> tuple[int, AccountScore]:
        with CaptureQueriesContext(connection) as queries:
            found = hardening.of_account(tree.harbour)
        return len(queries), found

    set_value(enter(tree, 1), by=tree.ana, name="web_page", value=True)
    enter(tree, 2, "snom", "D785")
    few, _ = cost()
    for number in range(3, 3 + WORST + 20):
        phone = enter(tree, number, *(("fanvil", "X5U"), ("yealink", "T46S"), ("cisco", "8841"))[number % 3])
        if number % 2:
            set_value(phone, by=tree.ana, name="lock_user_menu", value=False)
    many, found = cost()

    assert many == few
    assert len(found.worst) == WORST
    points = [row.score.points for row in found.worst]
    assert points == sorted(points)
