"""The audit on a page: in words, found again, to its end, and nothing of another tenant's."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.html import strip_tags

from accounts import audit
from accounts.models import AuditEntry
from devices.models import Device
from portal.pages.audit import A_PAGE, said
from provisioning import locking
from provisioning.spans import Span
from tests.portal.reading import said as text_of
from tests.world import World, actor, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def ana(world: World) -> Client:
    return signed_in(world.ana)


def phone_of(world: World) -> Device:
    return Device.objects.select_related("account").get(pk=world.acme.phone.pk)


def test_a_change_says_who_what_when_from_where_and_how(world: World, ana: Client) -> None:
    locking.unlock(phone_of(world), by=actor(world.ana, "203.0.113.77"), span=Span.parse("24h"))

    page = ana.get("/audit/")

    assert "Phone unlocked" in text_of(page)
    assert world.acme.phone.name in text_of(page)
    assert "203.0.113.77" in text_of(page)
    assert world.ana.name in text_of(page)
    assert f"({world.ana.email})" not in text_of(page)
    assert f'href="/phones/{world.acme.phone.code}/"' in page.content.decode()


def test_nothing_of_another_tenant_is_there(world: World, ana: Client) -> None:
    pages = [ana.get("/audit/"), ana.get("/audit/", {"account": "globex"}), ana.get("/audit/", {"q": "eve"})]

    for page in pages:
        for word in world.globex.words:
            assert word not in page.content.decode()


@pytest.mark.parametrize(
    ("asked", "there", "not_there"),
    [
        ({"q": "203.0.113.77"}, "Phone unlocked", "Site created"),
        ({"q": "unlocked 203.0.113.77"}, "Phone unlocked", "Site created"),
        ({"kind": "site"}, "Site created", "Phone unlocked"),
        ({"kind": "no-kind", "q": "created"}, "Site created", "Phone unlocked"),
    ],
)
def test_it_is_searched(world: World, ana: Client, asked: dict[str, str], there: str, not_there: str) -> None:
    locking.unlock(phone_of(world), by=actor(world.ana, "203.0.113.77"), span=Span.parse("24h"))

    shown = text_of(ana.get("/audit/", asked))

    assert there in shown
    assert not_there not in shown


def test_what_finds_nothing_says_what_to_look_for(world: World, ana: Client) -> None:
    assert "Nothing like that was done" in text_of(ana.get("/audit/", {"q": "zzzz"}))


@pytest.mark.parametrize("name", ["q", "kind", "account", "before"])
@pytest.mark.parametrize("text", ["\0", "a\0b", "'", "%", "x" * 5000])
def test_nonsense_is_answered_with_a_page(world: World, ana: Client, name: str, text: str) -> None:
    assert ana.get("/audit/", {name: text}).status_code == 200


def test_every_entry_is_reached_page_by_page_and_once(world: World, ana: Client) -> None:
    for number in range(A_PAGE):
        audit.record(actor(world.ana), "site.changed", world.acme.site, name=f"Yard {number}")
    codes: list[int] = []
    path = "/audit/?kind=site"
    while True:
        page = ana.get(path)
        codes += [line.entry.pk for line in page.context["lines"]]
        older = page.context["older"]
        if older is None:
            break
        assert f"before={older}" in page.content.decode()
        path = f"/audit/?kind=site&before={older}"

    there = AuditEntry.objects.filter(account=world.acme.account, verb__startswith="site.")
    assert codes == list(there.order_by("-at", "-pk").values_list("pk", flat=True))
    assert len(codes) > A_PAGE


def test_htmx_gets_the_table_alone(world: World, ana: Client) -> None:
    part = ana.get("/audit/", headers={"HX-Request": "true"}).content.decode()

    assert "<table" in part
    assert "<html" not in part


def test_who_acted_for_somebody_is_named_with_him(world: World, ana: Client) -> None:
    acting = replace(actor(world.rita), on_behalf_of="Acme")
    audit.record(acting, "site.changed", world.acme.site)

    assert "for Acme" in text_of(ana.get("/audit/"))


def test_details_are_words_and_times_of_the_accounts_zone() -> None:
    now = timezone.now().replace(year=2026, month=3, day=2, hour=12, minute=0)
    until = (now + timedelta(hours=1)).isoformat()

    def shown(value: object, zone: str = "UTC") -> str:
        return strip_tags(said(value, zone, now))

    assert shown(True) == "yes"
    assert shown({"old": "a", "new": ["b", "<c>"]}) == "Old: a, New: b, &lt;c&gt;"
    assert shown("2026-03-02") == "2026-03-02"
    assert shown(until, "Europe/Berlin").endswith("14:00 CET")


@pytest.mark.parametrize("named", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
def test_a_phone_that_is_named_like_the_end_of_time_breaks_no_page(
    named: str, world: World, ana: Client
) -> None:
    audit.record(actor(world.ana), "device.changed", world.acme.phone, name={"old": "Desk", "new": named})

    answer = ana.get("/audit/")

    assert answer.status_code == 200
    assert named in text_of(answer)


def test_a_verb_is_found_by_its_words(world: World, ana: Client) -> None:
    audit.record(actor(world.ana), "device.taken-back", phone_of(world))

    assert "Phone taken back" in text_of(ana.get("/audit/", {"q": "taken back"}))
