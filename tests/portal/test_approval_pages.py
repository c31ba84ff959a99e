"""The page of cards: new ones come by themselves, answers replace buttons, a question comes first."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from provisioning import approvals
from provisioning.models import Approval, Lock
from security.networks import parse_address
from tests.portal.reading import everything, said
from tests.world import AGENT, World, actor, signed_in

pytestmark = pytest.mark.django_db

ELSEWHERE = "198.51.100.77"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def ana(world: World) -> Client:
    return signed_in(world.ana)


def another(world: World) -> Approval:
    card = approvals.note_try(
        world.acme.other_phone,
        rule="R6",
        address=parse_address(ELSEWHERE),
        agent=AGENT.format(mac="00:00:5e:00:53:a2"),
        product="Yealink SIP-T46S",
        at=timezone.now(),
        count=1,
    )
    assert card is not None
    return card


def since(minutes: int = 5) -> str:
    return (timezone.now() - timedelta(minutes=minutes)).isoformat()


def test_a_new_card_comes_on_top_and_is_said(world: World, ana: Client) -> None:
    shown = world.acme.approval
    fresh = another(world)

    answer = ana.get("/approvals/", {"since": since(), "known": [str(shown.code)]}, headers=HTMX)

    page = answer.content.decode()
    assert f'id="card-{fresh.code}"' in page
    assert f'id="card-{shown.code}"' not in page
    assert 'hx-swap-oob="afterbegin:#cards"' in page
    assert "1 new phone waits for your answer." in page
    assert "2 phones were refused and wait for your answer" in page
    assert "<main" not in page


def test_nothing_new_replaces_nothing_that_somebody_types_in(world: World, ana: Client) -> None:
    answer = ana.get(
        "/approvals/", {"since": since(), "known": [str(world.acme.approval.code)]}, headers=HTMX
    )

    page = answer.content.decode()
    assert "answers-" not in page
    assert "afterbegin" not in page
    assert 'id="approvals-said"' not in page


def test_an_old_card_that_is_not_shown_is_no_new_one(world: World, ana: Client) -> None:
    Approval.objects.update(opened_at=timezone.now() - timedelta(hours=1))

    page = ana.get("/approvals/", {"since": since(), "known": ["rubbish"]}, headers=HTMX).content.decode()

    assert "card-" not in page


def test_a_card_that_somebody_else_answered_says_so(world: World, ana: Client) -> None:
    card = world.acme.approval
    approvals.answer(card, by=actor(world.rita), decision="deny")

    page = ana.get(
        "/approvals/", {"since": since(), "known": [str(card.code)]}, headers=HTMX
    ).content.decode()

    assert f'<footer id="answers-{card.code}" data-answered hx-swap-oob="true">' in page
    assert "Denied by Rita Reseller" in page
    assert "1 card was answered by somebody else" in page
    assert 'name="known"' not in page


def test_cards_of_another_account_are_neither_new_nor_answered(world: World, ana: Client) -> None:
    theirs = world.globex.approval
    approvals.answer(theirs, by=actor(world.rita), decision="deny")

    page = ana.get(
        "/approvals/", {"since": since(), "known": [str(theirs.code)]}, headers=HTMX
    ).content.decode()

    assert str(theirs.code) not in page
    assert world.globex.phone.name not in page


def test_by_htmx_an_answer_replaces_the_buttons_of_its_card(world: World, ana: Client) -> None:
    card = world.acme.approval
    url = f"/approvals/{card.code}/"

    answer = ana.post(url, {"decision": "once", "origin": "198.51.100.20"}, headers=HTMX)

    page = answer.content.decode()
    assert answer.status_code == 200
    assert f'<footer id="answers-{card.code}" data-answered' in page
    assert "is let in from 198.51.100.20, once, within 24 hours." in page
    assert "Nobody waits for you" in page
    assert str(Lock.objects.get(device=card.device).grant_origin) == "198.51.100.20"


def test_by_htmx_a_refusal_is_said_and_changes_nothing(world: World, ana: Client) -> None:
    card = world.acme.approval
    approvals.answer(card, by=actor(world.rita), decision="deny")
    before = everything()

    answer = ana.post(f"/approvals/{card.code}/", {"decision": "once"}, headers=HTMX)

    page = answer.content.decode()
    assert "This was answered already" in page
    assert '<span class="rule">E14</span>' in page
    assert everything() == before


def test_quarantine_and_site_ask_first_without_a_script(world: World, ana: Client) -> None:
    page = ana.get("/approvals/").content.decode()

    before, _, after = page.partition('<details data-answer="q">')
    assert 'value="quarantine"' not in before
    assert after.index("<summary") < after.index('value="quarantine"')
    assert "It gets nothing from anywhere, not even where it works now." in after
    assert after.index('value="quarantine"') < after.index("</details>")


def test_a_viewer_sees_the_evidence_and_no_buttons(world: World) -> None:
    vic = signed_in(world.acme.viewer)

    page = vic.get("/approvals/")

    assert "You may look, not answer." in said(page)
    assert "data-answer=" not in page.content.decode()
    assert "approvals.js" not in page.content.decode()
