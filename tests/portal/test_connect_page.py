"""Connect phones: every maker's way with the address in it, and who asked from where the reader is."""

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from devices.catalog import catalog
from provisioning.models import DeviceEvent, Proof
from security.networks import origin_of, parse_address
from tests.factories import AGENT, failure
from tests.portal.reading import said
from tests.world import Tenant, World, signed_in

pytestmark = pytest.mark.django_db

LOCAL = "127.0.0.1"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def ana(world: World) -> Client:
    return signed_in(world.ana)


def asked(tenant: Tenant, address: str, *, ago: timedelta, outcome: str = "full") -> None:
    DeviceEvent.objects.create(
        device=tenant.phone, account=tenant.account, mac=tenant.phone.mac, at=timezone.now() - ago,
        what="request", outcome=outcome, rule="O3", address=address,
    )  # fmt: skip


def test_every_maker_says_where_its_phones_are_told(ana: Client, settings: Settings) -> None:
    settings.PHONES_URL = "https://phones.example.org"

    for code, family in catalog().families.items():
        shown = said(ana.get("/connect/", {"family": code}))

        assert family.connect is not None, code
        assert family.connect.options, code
        assert family.connect.address(family.connect.value, settings.PHONES_URL) in shown
        assert all(step in shown for step in family.connect.steps)
        assert "{" not in shown


def test_a_maker_that_wants_no_scheme_gets_none(ana: Client, settings: Settings) -> None:
    settings.PHONES_URL = "https://phones.example.org"

    page = ana.get("/connect/", {"family": "grandstream"}).content.decode()

    assert 'id="hand-root">phones.example.org</code>' in page
    assert 'id="dhcp-root">https://phones.example.org</code>' in page


def test_models_without_tls_have_an_address_of_their_own(ana: Client, settings: Settings) -> None:
    settings.PHONES_URL = "https://phones.example.org"

    pages = {code: ana.get("/connect/", {"family": code}).content.decode() for code in catalog().families}

    assert 'id="dhcp-plain">http://phones.example.org/$MA.xml</code>' in pages["cisco"]
    have_some = {
        code for code, family in catalog().families.items() if any(m.no_tls for m in family.models.values())
    }
    assert {code for code, page in pages.items() if "dhcp-plain" in page} == have_some
    assert have_some < set(pages)


def test_the_first_maker_is_that_of_ones_own_phones(world: World, ana: Client) -> None:
    page = ana.get("/connect/").content.decode()

    assert '<a href="/connect/?family=yealink" aria-current="page">' in page
    assert ana.get("/connect/", {"family": "nobody"}).status_code == 200


def test_ones_own_phone_is_seen_by_name_and_others_are_not(
    clock: time_machine.Traveller, world: World, ana: Client
) -> None:
    asked(world.acme, LOCAL, ago=timedelta(seconds=12))
    asked(world.acme, "198.51.100.9", ago=timedelta(seconds=5), outcome="refused")
    asked(world.globex, LOCAL, ago=timedelta(seconds=3))

    page = ana.get("/connect/", headers=HTMX).content.decode()

    assert "It asked 12 s ago and was served." in page
    assert world.acme.phone.name in page
    assert "was refused" not in page
    assert world.globex.phone.name not in page
    assert "<main" not in page


def test_after_ten_minutes_nobody_has_asked(clock: time_machine.Traveller, world: World, ana: Client) -> None:
    asked(world.acme, LOCAL, ago=timedelta(minutes=11))

    assert "No phone has asked from here." in ana.get("/connect/", headers=HTMX).content.decode()


def test_an_unknown_phone_is_named_only_where_the_rule_allows(
    clock: time_machine.Traveller, world: World, ana: Client
) -> None:
    key = failure(LOCAL, kind="unknown-mac", label="00005e0053f7")
    type(key).objects.filter(pk=key.pk).update(agent=AGENT, last_at=timezone.now() - timedelta(seconds=9))
    somebodys = ana.get("/connect/", headers=HTMX).content.decode()

    there = origin_of(parse_address(LOCAL))
    Proof.objects.create(
        device=world.acme.phone, first=there.hex_first, last=there.hex_last, at=timezone.now()
    )
    ones_own = ana.get("/connect/", headers=HTMX).content.decode()
    listed = ana.get("/addresses/unknown-phones/")
    home = said(ana.get("/"))
    Proof.objects.create(
        device=world.globex.phone, first=there.hex_first, last=there.hex_last, at=timezone.now()
    )
    shared = ana.get("/connect/", headers=HTMX).content.decode()

    assert "A phone that is not in your list" in somebodys
    assert "00:00:5E:00:53:F7" not in somebodys
    url = "/phones/add/?mac=00005e0053f7&amp;account=acme&amp;family=yealink&amp;model=T46U"
    assert url in ones_own
    assert "A phone that is not in your list" not in ones_own
    assert url in listed.content.decode()
    assert "1 unknown phone asked where your phones live" in said(listed)
    assert "1 phone that is not in your list asked where your phones live." in home
    assert "00:00:5E:00:53:F7" not in shared
    assert "A phone that is not in your list" in shared


def test_a_viewer_adds_nobody(world: World) -> None:
    vic = signed_in(world.acme.viewer)

    assert vic.get("/connect/").status_code == 200
    assert "Add a phone" not in said(vic.get("/connect/"))
    assert vic.get("/addresses/unknown-phones/").status_code == 403
