"""An end user's page while his phone sets itself up: what he reads, what is offered, when it looks again."""

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEntry
from devices.models import Device
from provisioning import locking
from provisioning.gate import Outcome
from provisioning.models import Approval, DeviceEvent, LastSeen, Lock, Token
from security.models import Ban
from security.networks import parse_network
from tests.factories import AWAY, banned, bind, make_phone, refused, tried
from tests.portal.following import LOCAL, asked
from tests.portal.test_pages import TRADE_WORDS
from tests.tree import user_of
from tests.world import World, actor, signed_in

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode())).replace("&#x27;", "'")


@pytest.fixture
def bens(world: World) -> Client:
    """Ben at 127.0.0.1, whose phone is locked to another place and was not refused anywhere."""
    Approval.objects.all().delete()
    Token.objects.update(first_used_at=timezone.now())
    DeviceEvent.objects.filter(device=world.acme.phone).delete()
    return signed_in(world.ben)


def test_an_end_user_finds_his_passkeys_sessions_and_password(world: World, bens: Client) -> None:
    page = bens.get("/my-phones/").content.decode()

    for name in ("mfa_index", "usersessions_list", "account_change_password"):
        assert f'href="{reverse(name)}"' in page
        assert bens.get(reverse(name)).status_code in (200, 302)  # or first who he is


@pytest.mark.rule("E2")
def test_after_the_button_the_lines_appear_in_the_owners_words(world: World, bens: Client) -> None:
    phone = world.acme.phone
    bens.post(f"/my-phones/{phone.code}/allow/")
    asked(phone, Outcome.HELD, ago=timedelta(seconds=-1))
    asked(phone, Outcome.BOOTSTRAP, ago=timedelta(seconds=-2))
    asked(phone, Outcome.FULL, ago=timedelta(seconds=-3), rule="O3", details={"check_in": True})

    with time_machine.travel(timezone.now() + timedelta(seconds=5)):
        shown = bens.get("/my-phones/")

    said = text(shown)
    at = [said.index(words) for words in (
        "It may set itself up again.",
        "It was told to wait a moment.",
        "Your phone asked from this address and was let in.",
        "It has its configuration.",
    )]  # fmt: skip
    assert at == sorted(at)
    main = shown.content.decode().partition("<main")[2].partition("</main>")[0]
    assert phone.mac not in main
    assert [word for word in TRADE_WORDS if f" {word.lower()}" in main.lower().replace(">", "> ")] == []
    assert "R7" not in said


def test_a_try_from_elsewhere_is_somebodys(world: World, bens: Client) -> None:
    refused(world.acme.phone, AWAY)
    refused(world.acme.phone, LOCAL, rule="R14")

    said = text(bens.get("/my-phones/"))

    assert "Somebody asked for it from another address and was turned away." in said
    assert "Your phone asked from this address and was turned away." in said


def test_the_card_goes_from_ready_over_coming_to_works(world: World, bens: Client) -> None:
    phone = world.acme.phone
    LastSeen.objects.filter(device=phone).delete()
    bens.post(f"/my-phones/{phone.code}/allow/")
    ready = bens.get("/my-phones/")
    now = timezone.now()
    Lock.objects.filter(pk=phone.pk).update(
        state="locked", grant_until=None, grant_given_at=None, last_claim_at=now
    )
    Token.objects.filter(device=phone).update(first_used_at=None)
    coming = bens.get("/my-phones/")
    Token.objects.filter(device=phone).update(first_used_at=now)
    LastSeen.objects.create(device=phone, at=now, address=LOCAL)
    works = bens.get("/my-phones/")

    assert "Ready to set itself up" in text(ready)
    assert 'hx-trigger="every 4s"' in ready.content.decode()
    assert '<noscript><meta http-equiv="refresh" content="4"></noscript>' in ready.content.decode()
    assert "Look again" in text(ready)
    assert "Setting itself up" in text(coming)
    assert 'hx-trigger="every 4s"' in coming.content.decode()
    assert "Works" in text(works)
    assert "hx-trigger" not in works.content.decode()
    assert "http-equiv" not in works.content.decode()
    assert "A phone that shows its line and cannot call is not helped by it." in text(works)


def test_a_try_from_before_it_was_let_in_is_history(world: World, bens: Client) -> None:
    phone = world.acme.phone
    refused(phone, AWAY, at=timezone.now() - timedelta(minutes=5))
    assert tried(phone, AWAY) is not None
    assert "Turned away" in text(bens.get("/my-phones/"))

    asked(phone, Outcome.FULL, ago=timedelta(minutes=1), rule="O3", details={"check_in": True})
    LastSeen.objects.create(device=phone, at=timezone.now(), address=LOCAL)

    assert "Turned away" not in text(bens.get("/my-phones/"))


def test_a_quarter_of_an_hour_without_a_sound_is_no_hurry(world: World, bens: Client) -> None:
    bens.post(f"/my-phones/{world.acme.phone.code}/allow/")

    with time_machine.travel(timezone.now() + timedelta(minutes=16)):
        shown = bens.get("/my-phones/").content.decode()

    assert 'hx-trigger="every 20s"' in shown


def test_the_news_are_said_once(world: World, bens: Client) -> None:
    first = bens.get("/my-phones/").content.decode()
    url = re.search(r'hx-get="([^"]+)"', first)
    assert url is not None
    same = bens.get(url.group(1), headers={"HX-Request": "true"}).content.decode()
    refused(world.acme.phone, AWAY)
    other = bens.get(url.group(1), headers={"HX-Request": "true"}).content.decode()

    assert 'id="my-news"' not in same
    assert '<p class="sr" id="my-news" role="status" hx-swap-oob="innerHTML">Desk of Ben at acme:' in other
    assert "<html" not in other


@pytest.mark.rule("E2")
def test_the_owner_reads_how_often_he_may_still_do_it(world: World, bens: Client) -> None:
    phone = world.acme.phone
    url = f"/my-phones/{phone.code}/allow/"

    def closed() -> str:
        locking.lock_again(phone, by=actor(world.ana))
        return text(bens.get("/my-phones/"))

    assert "You can do this 3 times today." in text(bens.get("/my-phones/"))
    bens.post(url)
    assert "You can do this 2 times today." in closed()
    bens.post(url)
    assert "You can do this once more today." in closed()
    bens.post(url)
    spent = closed()
    before = AuditEntry.objects.count()
    told = text(bens.post(url, follow=True))

    assert "You did this three times in 24 hours. From" in spent
    assert "Let this phone set itself up again </button>" not in bens.get("/my-phones/").content.decode()
    assert "You did this 3 times in the last 24 hours." in told
    assert AuditEntry.objects.count() == before
    assert Lock.objects.get(pk=phone.pk).state == "locked"


@pytest.mark.rule("E7")
def test_under_suspicion_the_button_says_whom_to_ask(world: World, bens: Client) -> None:
    Lock.objects.filter(pk=world.acme.phone.pk).update(
        suspicion_since=timezone.now(), suspicion_until=timezone.now() + HOUR, suspicion_why="origins"
    )

    shown = bens.get("/my-phones/")

    assert "Ask your provider; you cannot do it alone for now." in text(shown)
    assert f"/my-phones/{world.acme.phone.code}/allow/" not in shown.content.decode()


# --- an address that is kept out ---------------------------------------------------------------------------


@pytest.mark.rule("B6")
def test_a_ban_comes_first_with_how_many_are_left(world: World, bens: Client) -> None:
    banned(LOCAL)

    shown = text(bens.get("/my-phones/"))

    assert shown.index("New phones cannot set themselves up where you are") < shown.index("Desk of Ben")
    assert f"Works at once, for {LOCAL} only. You can do this 2 more times today." in shown
    bens.post("/addresses/unblock/", {"address": LOCAL})
    assert "New phones cannot" not in text(bens.get("/my-phones/"))

    banned(LOCAL)
    refused_there = text(bens.get("/my-phones/"))
    assert f"Plug your phone in at {LOCAL} first, so that it asks there" in refused_there
    assert "Unblock my address" not in refused_there


@pytest.mark.rule("B6")
def test_a_block_says_whom_to_ask_and_has_no_button(world: World, bens: Client) -> None:
    banned(LOCAL, kind=Ban.Kind.BLOCKED)

    shown = text(bens.get("/my-phones/"))

    assert f"Somebody has blocked {LOCAL} on purpose, until" in shown
    assert "Ask the people who look after your phones." in shown
    assert "Unblock my address" not in shown


@pytest.mark.rule("B6")
def test_a_wider_ban_has_no_button(world: World, bens: Client) -> None:
    where = parse_network("127.0.0.0/24")
    now = timezone.now()
    Ban.objects.create(
        kind=Ban.Kind.BANNED, first=where.hex_first, last=where.hex_last, reason="Scanned", set_by="support",
        starts_at=now, ends_at=now + HOUR,
    )  # fmt: skip

    shown = text(bens.get("/my-phones/"))

    assert "More than your address is kept out, until" in shown
    assert "Unblock my address" not in shown


def test_who_manages_has_no_limit_on_his_own_phones(world: World) -> None:
    Device.objects.filter(pk=world.acme.phone.pk).update(owner=user_of(actor(world.ana)))

    assert "You can do this" not in text(signed_in(world.ana).get("/my-phones/"))


def test_many_phones_cost_as_many_queries_as_one(world: World, bens: Client) -> None:
    def queries() -> int:
        bens.get("/my-phones/")
        with CaptureQueriesContext(connection) as asked_for:
            assert bens.get("/my-phones/").status_code == 200
        return len(asked_for)

    refused(world.acme.phone, AWAY)
    one = queries()
    for number in range(5):
        more = make_phone(world.acme.account, by=actor(world.ana), name=f"More {number}", owner=world.ben)
        bind(more)
        refused(more, AWAY)

    assert queries() == one
