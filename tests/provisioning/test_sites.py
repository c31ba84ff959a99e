"""Sites: which networks they may hold, and what a phone that is bound to one is bound to afterwards."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import override_settings

from accounts.models import AuditEntry
from accounts.refusals import Forbidden, Invalid, Refusal
from devices.models import Device, Site, SiteNetwork
from provisioning import claims, entering, facts, sites, windows
from provisioning.gate import State
from provisioning.models import ListsVersion, Lock
from security.networks import origin_of, parse_address, parse_origin
from tests.provisioning.making import request
from tests.tree import Tree, plant

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
# Documentation networks are no public ones; these are large and somebody's, which is what the rule wants.
PUBLIC, PUBLIC_TOO, PUBLIC_V6 = "8.8.8.0/24", "9.9.9.0/25", "2600:1f00:1::/48"


@pytest.fixture
def tree() -> Tree:
    return plant()


def numbers() -> int:
    return ListsVersion.objects.get_or_create(pk=1)[0].number


def enter(tree: Tree, site: Site | None = None) -> Device:
    return entering.enter(
        tree.acme, by=tree.ana, mac="00005e005301", family="yealink", model="T46S", site=site, now=NOW
    )


def test_a_site_holds_networks_of_both_families(tree: Tree) -> None:
    before = numbers()

    site = sites.create(tree.acme, by=tree.ana, name="Head office", networks=[PUBLIC_V6, PUBLIC, "9.9.9.9"])

    assert [str(network) for network in sites.networks_of(site)] == ["8.8.8.0/24", "9.9.9.9", PUBLIC_V6]
    assert AuditEntry.objects.latest("id").verb == "site.created"
    assert numbers() == before + 1


@pytest.mark.parametrize(
    ("case", "networks"),
    [
        ("no network", ["head office"]),
        ("host bits set", ["8.8.8.8/24"]),
        ("wider than a /24", ["8.8.8.0/23"]),
        ("wider than a /48", ["2600:1f00::/47"]),
        ("private", ["192.168.1.0/24"]),
        ("loopback", ["127.0.0.1"]),
        ("carrier NAT", ["100.64.1.0/24"]),
        ("an IPv4 network in IPv6 clothes", ["::ffff:192.168.1.0/120"]),
        ("twice", [PUBLIC, "8.8.8.128/25"]),
        ("too many", [f"8.8.{n}.0/24" for n in range(21)]),
    ],
)
def test_a_network_that_a_site_cannot_hold(tree: Tree, case: str, networks: list[str]) -> None:
    before = (numbers(), AuditEntry.objects.count())

    with pytest.raises(Invalid) as refusal:
        sites.create(tree.acme, by=tree.ana, name="Head office", networks=networks)

    assert refusal.value.field == "networks"
    assert (Site.objects.count(), (numbers(), AuditEntry.objects.count())) == (0, before)


def test_twenty_networks_are_the_most(tree: Tree) -> None:
    site = sites.create(tree.acme, by=tree.ana, name="Campus", networks=[f"8.8.{n}.0/24" for n in range(20)])

    with pytest.raises(Invalid):
        sites.add_network(site, by=tree.ana, network=PUBLIC_TOO)

    assert SiteNetwork.objects.count() == 20


def test_support_may_go_wider_within_reason(tree: Tree) -> None:
    sites.create(tree.acme, by=tree.support, name="Campus", networks=["8.8.0.0/20"])

    with pytest.raises(Invalid):
        sites.create(tree.acme, by=tree.support, name="Country", networks=["9.0.0.0/19"])


def test_one_machine_on_trial_has_loopback_places(tree: Tree) -> None:
    with override_settings(LATCHKEY_TRIAL=True):
        site = sites.create(tree.acme, by=tree.ana, name="Here", networks=["127.0.1.0/24", "10.0.0.0/24"])

    assert site.networks.count() == 2


def test_two_sites_of_an_account_do_not_overlap_but_two_accounts_may(tree: Tree) -> None:
    sites.create(tree.acme, by=tree.ana, name="Head office", networks=[PUBLIC])

    with pytest.raises(Invalid) as refusal:
        sites.create(tree.acme, by=tree.ana, name="Second floor", networks=["8.8.8.8"])
    assert refusal.value.detail == "8.8.8.8 overlaps 8.8.8.0/24 of Head office."

    assert sites.create(tree.globex, by=tree.eve, name="Co-working", networks=["8.8.8.8"]).pk


def test_a_name_is_there_once_in_an_account(tree: Tree) -> None:
    sites.create(tree.acme, by=tree.ana, name="Head office")

    with pytest.raises(Invalid) as refusal:
        sites.create(tree.acme, by=tree.ana, name="Head office")

    assert refusal.value.field == "name"


@pytest.mark.parametrize("who", ["vic", "ben", "eve"])
def test_only_managers_of_the_account_edit_sites(tree: Tree, who: str) -> None:
    site = sites.create(tree.acme, by=tree.ana, name="Head office", networks=[PUBLIC])
    actor = getattr(tree, who)

    for verb in (
        lambda: sites.create(tree.acme, by=actor, name="Mine"),
        lambda: sites.change(site, by=actor, name="Mine"),
        lambda: sites.add_network(site, by=actor, network=PUBLIC_TOO),
        lambda: sites.remove_network(site, by=actor, network=PUBLIC),
        lambda: sites.remove(site, by=actor),
    ):
        with pytest.raises(Forbidden):
            verb()

    assert [str(network) for network in sites.networks_of(Site.objects.get())] == [PUBLIC]


def test_a_network_comes_and_goes(tree: Tree) -> None:
    site = sites.create(tree.acme, by=tree.ana, name="Head office", networks=[PUBLIC])

    sites.add_network(site, by=tree.ana, network=PUBLIC_TOO)
    sites.remove_network(site, by=tree.ana, network=PUBLIC)

    assert [str(network) for network in sites.networks_of(site)] == [PUBLIC_TOO]
    assert AuditEntry.objects.latest("id").details == {"networks": [[PUBLIC, PUBLIC_TOO], [PUBLIC_TOO]]}


def test_a_sites_zone_is_in_its_phones_files(tree: Tree) -> None:
    site = sites.create(tree.acme, by=tree.ana, name="Head office")
    phone = enter(tree, site)
    before = Lock.objects.get(pk=phone.pk).files_revision

    sites.change(site, by=tree.ana, time_zone="Europe/Lisbon")
    sites.change(site, by=tree.ana, time_zone="Europe/Lisbon")

    assert Lock.objects.get(pk=phone.pk).files_revision == before + 1


def test_a_phone_bound_to_a_removed_site_stays_bound_to_its_own_address(tree: Tree) -> None:
    site = sites.create(tree.acme, by=tree.ana, name="Head office", networks=[PUBLIC])
    phone = enter(tree, site)
    claims.claim(request(phone, "8.8.8.8"), now=NOW)
    assert Lock.objects.get(pk=phone.pk).bound_site == site

    sites.remove(site, by=tree.ana, now=NOW)

    lock = Lock.objects.get(pk=phone.pk)
    assert (lock.state, lock.bound_site, lock.bound_network) == (
        "locked",
        None,
        origin_of(parse_address("8.8.8.8")),
    )
    assert facts.load([phone.pk], NOW)[phone.pk].bound == (origin_of(parse_address("8.8.8.8")),)
    assert Device.objects.get(pk=phone.pk).site is None
    assert AuditEntry.objects.latest("id").details == {"phones": 1, "bound": 1}


def test_a_site_with_an_open_window_stays(tree: Tree) -> None:
    site = sites.create(tree.acme, by=tree.ana, name="Head office", networks=[PUBLIC])
    window = windows.open_window(
        tree.acme, by=tree.ana, origin=parse_origin("9.9.9.9"), hours=2, site=site, now=NOW
    )

    with pytest.raises(Refusal) as refusal:
        sites.remove(site, by=tree.ana, now=NOW)
    assert (refusal.value.rule, refusal.value.code) == ("E4", "in-use")

    windows.close_window(window, by=tree.ana, now=NOW)
    sites.remove(site, by=tree.ana, now=NOW)
    assert not Site.objects.exists()


def test_a_phone_of_another_account_is_not_touched(tree: Tree) -> None:
    site: Any = sites.create(tree.acme, by=tree.ana, name="Head office", networks=[PUBLIC])
    other = entering.enter(
        tree.globex, by=tree.eve, mac="00005e005309", family="poly", model="VVX450", now=NOW
    )
    before = Lock.objects.get(pk=other.pk).revision

    sites.remove(site, by=tree.ana, now=NOW)

    lock = Lock.objects.get(pk=other.pk)
    assert (lock.revision, lock.state) == (before, State.NEW.value)
