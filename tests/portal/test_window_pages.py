"""Windows: the end in words while the slider moves, who was let in and who is missing while it is open."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from devices.mac import pretty
from provisioning import claims, policies, windows
from provisioning.models import Window
from security.networks import origin_of, parse_address
from tests.portal.reading import said
from tests.world import AGENT, World, actor, signed_in

pytestmark = pytest.mark.django_db

THERE = "203.0.113.99"
HTMX = {"HX-Request": "true"}
LOCAL = "127.0.0.1"


@pytest.fixture
def ana(world: World) -> Client:
    return signed_in(world.ana)


def asked(world: World, **more: object) -> dict[str, object]:
    return {"account": world.acme.account.slug, "address": THERE, "hours": 3, **more}


def test_while_the_slider_moves_only_the_words_and_the_buttons_come(
    clock: time_machine.Traveller, world: World, ana: Client
) -> None:
    before = Window.objects.count()

    answer = ana.post("/windows/open/", asked(world, hours=16), headers=HTMX)

    page = answer.content.decode()
    ends = timezone.now() + timedelta(hours=16)
    assert f"Closes {ends:%A} {ends.day} {ends:%B} at {ends:%H:%M} UTC" in page
    assert "After 16 hours, by the clock of UTC." in page
    assert "Each of the 2 phones of Acme Anvils" in page
    assert 'name="open"' in page
    assert "<main" not in page
    assert Window.objects.count() == before


def test_half_a_form_says_its_end_and_offers_no_opening(world: World, ana: Client) -> None:
    page = ana.post("/windows/open/", asked(world, address="203.0."), headers=HTMX).content.decode()
    nothing = ana.post("/windows/open/", asked(world, hours=""), headers=HTMX).content.decode()

    assert "Closes " in page
    assert 'name="open"' not in page
    assert "Closes " not in nothing


def test_the_slider_ends_where_the_policy_does(world: World, ana: Client) -> None:
    by = actor(world.rita)
    policies.set_value(world.acme.account, by=by, name="window_max_hours", value=12)

    page = ana.get("/windows/open/").content.decode()
    too_long = ana.post("/windows/open/", asked(world, hours=13), headers=HTMX).content.decode()

    assert page.count('max="12"') == 2
    assert "At most 12 hours for Acme Anvils" in too_long
    assert 'name="open"' not in too_long


def test_the_number_of_many_phones_is_asked_for_on_the_page(
    world: World, ana: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "TYPED_ABOVE", 1)

    live = ana.post("/windows/open/", asked(world), headers=HTMX).content.decode()
    page = ana.post("/windows/open/", asked(world, preview="yes"))
    typing = ana.post("/windows/open/", asked(world, confirm=""), headers=HTMX).content.decode()

    assert 'name="preview"' in live.partition("<noscript>")[0]
    assert "Type the number of phones: 2" in said(page)
    assert 'name="open"' in typing


def test_my_current_address_is_put_into_the_form_and_nothing_opens(world: World, ana: Client) -> None:
    before = Window.objects.count()

    page = ana.post("/windows/open/", asked(world, use=LOCAL)).content.decode()
    forged = ana.post("/windows/open/", asked(world, use="198.51.100.3", preview="yes")).content.decode()

    assert f'name="address" value="{LOCAL}"' in page
    assert f"asks from {LOCAL}" in page
    assert f'name="address" value="{THERE}"' in forged
    assert Window.objects.count() == before


def test_a_window_that_starts_on_saturday_says_both_ends(
    clock: time_machine.Traveller, world: World, ana: Client
) -> None:
    saturday = timezone.now() + timedelta(days=5)
    starts = saturday.replace(hour=8, minute=0).strftime("%Y-%m-%dT%H:%M")

    shown = said(ana.post("/windows/open/", asked(world, starts=starts, preview="yes")))
    answer = ana.post("/windows/open/", asked(world, starts=starts, open="yes"), follow=True)

    assert f"Opens {saturday:%A} {saturday.day} {saturday:%B} at 08:00 UTC, closes" in shown
    assert "It opens in 4 d 20 h." in said(answer)
    too_far = (timezone.now() + timedelta(days=15)).strftime("%Y-%m-%dT%H:%M")
    refused = ana.post("/windows/open/", asked(world, starts=too_far, open="yes"))
    assert "At most 14 days ahead." in said(refused)


@pytest.mark.parametrize("starts", ["9999-12-31T23:59", "0001-01-01T00:00"])
def test_a_start_at_the_end_of_time_is_a_wrong_start(starts: str, world: World, ana: Client) -> None:
    before = Window.objects.count()

    for button in ("preview", "open"):
        answer = ana.post("/windows/open/", asked(world, starts=starts) | {button: "yes"})
        assert answer.status_code == 200, button
    assert re.search("At most 14 days ahead|This start has passed", said(answer))
    assert Window.objects.count() == before


def test_a_night_with_an_hour_more_is_no_longer_window(clock: time_machine.Traveller, world: World) -> None:
    """Twelve hours from 20:00 on the evening before Berlin's clocks go back end at 07:00, not at 08:00."""
    clock.move_to(datetime(2026, 10, 20, 12, tzinfo=UTC))
    world.acme.account.time_zone = "Europe/Berlin"
    world.acme.account.save()
    form = asked(world, starts="2026-10-24T20:00", hours=12)
    ana = signed_in(world.ana)

    shown = said(ana.post("/windows/open/", form | {"preview": "yes"}))
    ana.post("/windows/open/", form | {"open": "yes"})

    window = Window.objects.latest("pk")
    assert "closes Sunday 25 October at 07:00 CET" in shown
    assert window.starts_at == datetime(2026, 10, 24, 18, tzinfo=UTC)
    assert window.ends_at - window.starts_at == timedelta(hours=12)


def test_an_open_window_counts_who_was_let_in_and_who_is_missing(world: World, ana: Client) -> None:
    origin = origin_of(parse_address(THERE))
    window = windows.open_window(world.acme.account, by=actor(world.ana), origin=origin, hours=2)
    before = said(ana.get(f"/windows/{window.code}/"))
    mac = world.acme.other_phone.mac
    agent = AGENT.format(mac=pretty(mac).lower())
    assert claims.claim(claims.Request(mac, f"{mac}.boot", parse_address(THERE), agent)).file is not None

    after = ana.get(f"/windows/{window.code}/", headers=HTMX).content.decode()

    assert "0 of 2 phones let in, 2 missing." in before
    assert "1 of 2 phones let in, 1 missing." in after
    assert "<main" not in after
    missing = after[after.index('id="missing"') :]
    assert world.acme.phone.name in missing
    assert world.acme.other_phone.name not in missing
