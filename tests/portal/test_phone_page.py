"""A phone's overview: what is true of it, and what of that comes again by itself."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from devices import appearances
from devices.appearances import KeyRow
from devices.phone import KeyKind
from provisioning import claims, locking
from provisioning.models import Approval, Lock
from provisioning.spans import Span
from tests.portal.reading import said
from tests.provisioning.making import request
from tests.world import HOTEL, World, actor, signed_in

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


def text(answer: Any) -> str:
    return str(answer.content.decode())


def test_the_verdict_comes_again_with_what_changes_with_it(world: World) -> None:
    phone, ana = world.acme.phone, signed_in(world.ana)
    page = text(ana.get(f"/phones/{phone.code}/"))
    assert f'id="verdict" class="verdict is-waiting" hx-get="/phones/{phone.code}/"' in page
    assert "hx-swap-oob" not in page
    locking.unlock(phone, by=actor(world.ana), span=Span.parse("24h"))

    news = text(ana.get(f"/phones/{phone.code}/", headers=HTMX))

    assert "<main" not in news
    assert news.lstrip().startswith('<div id="verdict"')
    for part in ('id="badges" hx-swap-oob="true"', 'id="lock-facts"', 'id="lock-history"'):
        assert part in news
    assert news.count('hx-swap-oob="true"') == 3
    assert "Unlocked" in news
    assert "Locks again on" in news


def test_tries_from_several_places_are_not_counted_for_the_last_one(world: World) -> None:
    phone, ana = world.acme.phone, signed_in(world.ana)
    Approval.objects.filter(device=phone).update(tries=20)

    page = said(ana.get(f"/phones/{phone.code}/"))

    assert re.search(r"20 times it has asked from elsewhere and was refused, last from [0-9.]+, ", page)


def test_ones_own_address_leads_to_what_stands_against_it(world: World) -> None:
    page = text(signed_in(world.ana).get("/phones/"))

    assert re.search(r'You are at <a class="mono" href="/addresses/">[0-9.]+</a>', page)


def test_every_button_of_the_verdict_can_have_the_focus_back(world: World) -> None:
    """htmx gives the focus back by the id; a button without one would lose it every half minute."""
    phone, ana = world.acme.phone, signed_in(world.ana)
    for change in (lambda: None, lambda: locking.unlock(phone, by=actor(world.ana), span=Span.parse("24h"))):
        change()
        news = text(ana.get(f"/phones/{phone.code}/", headers=HTMX)).split('id="badges"')[0]
        assert "<button" in news
        for tag in news.split("<button")[1:]:
            assert ' id="' in tag.split(">")[0] or " disabled" in tag.split(">")[0]


def test_the_badges_of_another_tab_come_again_alone(world: World) -> None:
    phone, ana = world.acme.phone, signed_in(world.ana)
    assert f'id="badges" hx-get="/phones/{phone.code}/"' in text(ana.get(f"/phones/{phone.code}/lines/"))

    news = text(ana.get(f"/phones/{phone.code}/", headers={**HTMX, "HX-Target": "badges"}))

    assert news.startswith('<span class="badges" id="badges" hx-get=')
    assert "Refused, waiting" in news
    assert "verdict" not in news


def test_the_history_is_the_locks_and_not_the_files(world: World) -> None:
    phone, by = world.acme.phone, actor(world.ana)
    appearances.put_keys(phone, by=by, rows=[KeyRow(4, KeyKind.PARK, "701")])
    locking.unlock(phone, by=by, span=Span.parse("24h"))

    page = said(signed_in(world.ana).get(f"/phones/{phone.code}/"))

    assert "Unlocked by Ana of acme for any address" in page
    assert "Keys changed" not in page


def test_nothing_is_said_of_what_nobody_knows(world: World) -> None:
    """Whether it is registered is not known here, so no place is held for it."""
    assert "egistered" not in said(signed_in(world.ana).get(f"/phones/{world.acme.phone.code}/"))


def test_a_stranger_reads_no_news(world: World) -> None:
    phone = world.acme.phone

    for target in ("badges", "verdict"):
        headers = {**HTMX, "HX-Target": target}
        assert signed_in(world.eve).get(f"/phones/{phone.code}/", headers=headers).status_code == 404
        assert signed_in(world.ben).get(f"/phones/{phone.code}/", headers=headers).status_code == 403


def test_a_claim_is_told_by_the_news(world: World) -> None:
    phone, ana = world.acme.phone, signed_in(world.ana)
    locking.unlock(phone, by=actor(world.ana), span=Span.parse("24h"))
    Lock.objects.filter(pk=phone.pk).update(last_claim_at=timezone.now() - timedelta(hours=1))
    assert claims.claim(request(phone, HOTEL)).file is not None

    news = said_of(ana.get(f"/phones/{phone.code}/", headers=HTMX))

    assert Lock.objects.get(pk=phone.pk).state == "locked"
    assert HOTEL in news
    assert "Moved, waiting" in news


def said_of(answer: Any) -> str:
    return " ".join(text(answer).split())
