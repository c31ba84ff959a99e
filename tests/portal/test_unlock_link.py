"""The page behind an unlock link, for somebody without a login, and where a manager makes and ends one."""

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEntry, Membership
from portal.log_masks import mask_links
from provisioning import locking, moving, unlock_links
from provisioning.gate import Outcome
from provisioning.models import DeviceEvent, Lock, UnlockLink
from tests.factories import AWAY, refused
from tests.portal.following import LOCAL, asked
from tests.portal.test_pages import TRADE_WORDS
from tests.test_access_matrix import snapshot
from tests.world import World, actor, program, signed_in

pytestmark = pytest.mark.django_db
HEADERS = ("Cache-Control", "Referrer-Policy", "X-Robots-Tag", "Content-Security-Policy", "Content-Type")
BUTTON = "Let this phone set itself up again"


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode())).replace("&#x27;", "'")


@pytest.fixture(autouse=True)
def fresh_counts() -> None:
    cache.clear()


@pytest.fixture
def holder() -> Client:
    """Somebody without a login whose browser proves nothing: as strict as a real one."""
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def url(world: World) -> str:
    return f"/u/{world.acme.link_secret}/"


# --- the page of its holder --------------------------------------------------------------------------------


def test_the_page_names_the_phone_and_nothing_of_the_account(world: World, holder: Client, url: str) -> None:
    answer = holder.get(url)

    said = text(answer)
    assert "Is this phone with you?" in said
    assert world.acme.phone.name in said
    assert "Ana of acme sent you this link" in said
    main = answer.content.decode().partition("<main")[2]
    theirs = [
        world.acme.phone.mac,
        world.acme.extension.username,
        world.acme.manager.email,
        world.acme.secret,
    ]
    assert [word for word in [*theirs, world.acme.site.name] if word in main] == []
    assert [word for word in TRADE_WORDS if f" {word.lower()}" in main.lower().replace(">", "> ")] == []
    assert main.count("<form") == 1
    assert "csrf" not in main


def test_nothing_keeps_the_page_and_no_other_site_learns_its_address(holder: Client, url: str) -> None:
    for answer in (holder.get(url), holder.get("/u/wrong/")):
        assert "no-store" in answer.headers["Cache-Control"]
        assert "private" in answer.headers["Cache-Control"]
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Robots-Tag"] == "noindex, nofollow"
        assert answer.cookies == {}


def test_a_mail_scanner_presses_nothing(world: World, holder: Client, url: str) -> None:
    before = snapshot()

    for method in ("get", "head", "options", "put", "delete"):
        getattr(holder, method)(url)

    assert snapshot() == before


def test_the_button_unlocks_and_the_page_follows_the_phone(world: World, holder: Client, url: str) -> None:
    phone = world.acme.phone

    pressed = holder.post(url, headers={"Origin": "null"})  # as browsers say it under `no-referrer`
    assert (pressed.status_code, pressed.headers["Location"]) == (302, url)
    ready = holder.get(url)
    now = timezone.now()
    asked(phone, Outcome.BOOTSTRAP, LOCAL, ago=timedelta(seconds=-1))
    asked(phone, Outcome.FULL, LOCAL, ago=timedelta(seconds=-2), rule="O3", details={"check_in": True})
    with time_machine.travel(now + timedelta(seconds=5)):
        later = holder.get(url, headers={"HX-Request": "true"})

    assert Lock.objects.get(pk=phone.pk).state == "unlocked"
    assert "Ready to set itself up" in text(ready)
    assert "Pull its plug and the network cable that goes to the wall" in text(ready)
    assert f'hx-get="{url}" hx-trigger="every 4s"' in ready.content.decode()
    assert '<noscript><meta http-equiv="refresh" content="4"></noscript>' in ready.content.decode()
    assert BUTTON not in text(ready)
    assert "Your phone asked from this address and was let in." in text(later)
    assert "It has its configuration." in text(later)
    assert "<html" not in later.content.decode()
    used = AuditEntry.objects.get(verb="device.unlock_link_used")
    assert (used.user, used.address) == (world.ana, LOCAL)


def test_the_second_press_changes_nothing(world: World, holder: Client, url: str) -> None:
    holder.post(url)
    before = snapshot()

    assert holder.post(url).status_code == 302

    assert snapshot() == before


def test_what_happened_before_the_press_is_not_told(world: World, holder: Client, url: str) -> None:
    refused(world.acme.phone, AWAY)
    holder.post(url)

    assert "turned away" not in text(holder.get(url))


def test_a_try_where_the_holder_is_scopes_the_unlock_and_the_page_says_so(
    world: World, holder: Client, url: str
) -> None:
    refused(world.acme.phone, LOCAL)

    assert f"From where you are now only ( {LOCAL} )".replace("( ", "(").replace(" )", ")") in text(
        holder.get(url)
    )
    holder.post(url)

    assert str(Lock.objects.get(pk=world.acme.phone.pk).grant_origin) == LOCAL


def test_all_that_is_over_or_never_was_is_one_page(world: World, holder: Client, url: str) -> None:
    unknown = holder.get(f"/u/{'0' * 50}/")
    answers = {"unknown": unknown, "short": holder.get("/u/x/"), "posted": holder.post(f"/u/{'0' * 50}/")}
    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        answers["over"] = holder.get(url)
    with time_machine.travel(timezone.now() + timedelta(days=500)):
        answers["long over"] = holder.get(url)
    unlock_links.end(world.acme.unlock_link, by=actor(world.ana))
    answers["ended"] = holder.get(url)
    answers["ended, pressed"] = holder.post(url)
    unlock_links.use(  # used, and its unlock is over
        link := unlock_links.make(world.acme.phone, by=actor(world.ana)).link, address=LOCAL
    )
    locking.lock_again(world.acme.phone, by=actor(world.ana))
    UnlockLink.objects.filter(pk=link.pk).update(
        made_at=timezone.now() - timedelta(days=2), ends_at=timezone.now(), key=unlock_links.key_of("1" * 50)
    )
    answers["used, over"] = holder.get(f"/u/{'1' * 50}/")

    seen = {name: (answer.status_code, answer.content) for name, answer in answers.items()}
    assert set(seen.values()) == {(404, unknown.content)}
    heads = {name: {key: answer.headers.get(key) for key in HEADERS} for name, answer in answers.items()}
    assert all(head == heads["unknown"] for head in heads.values())
    assert Lock.objects.get(pk=world.acme.phone.pk).state == "locked"


def test_a_page_that_looks_again_is_told_to_stop(world: World, holder: Client, url: str) -> None:
    holder.post(url)
    locking.lock_again(world.acme.phone, by=actor(world.ana))
    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        over = holder.get(url, headers={"HX-Request": "true"})
    unknown = holder.get(f"/u/{'0' * 50}/", headers={"HX-Request": "true"})

    assert over.status_code == unknown.status_code == 286
    assert over.content == unknown.content
    assert "This link is not good any more" in text(over)
    assert "<html" not in over.content.decode()


def test_who_guesses_is_not_even_looked_up(
    world: World, holder: Client, url: str, django_assert_num_queries: Any
) -> None:
    for _try in range(30):
        assert holder.get(f"/u/{'0' * 50}/").status_code == 404

    with django_assert_num_queries(0):
        held_up = holder.get(url)
    elsewhere = Client(REMOTE_ADDR="192.0.2.77").get(url)

    assert held_up.status_code == 429
    assert held_up.content == Client(REMOTE_ADDR="192.0.2.78").get("/u/x/").content
    assert elsewhere.status_code == 200


def test_a_link_that_cannot_be_used_now_says_why(world: World, holder: Client, url: str) -> None:
    Membership.objects.filter(user=world.ana).delete()
    before = snapshot()

    shown = holder.get(url)
    holder.post(url)

    assert "Whoever sent you this link does not look after the phone any more." in text(shown)
    assert "<form" not in shown.content.decode()
    assert snapshot() == before


def test_a_phone_that_has_moved_is_not_named(world: World, holder: Client, url: str) -> None:
    moving.move(world.acme.phone, by=actor(world.rita), to=world.globex.account, name="Secret project")

    shown = text(holder.get(url))

    assert "This phone is not with the people any more who sent you the link." in shown
    assert "Secret project" not in shown


def test_the_secret_opens_nothing_else(world: World, holder: Client, url: str) -> None:
    """The access matrix knows who is without the link; this is who has it."""
    holder.post(url)

    for there in ("/", "/my-phones/", f"/phones/{world.acme.phone.code}/", "/phones/"):
        assert holder.get(there).headers["Location"].startswith(("/accounts/login/", "/my-phones/"))
    assert holder.get(f"/api/v1/devices/{world.acme.phone.code}/").status_code == 401
    assert world.globex.phone.name not in text(holder.get(url))


# --- no log has it -----------------------------------------------------------------------------------------


def test_no_line_of_the_log_holds_the_secret(
    world: World, url: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Through the handlers of operation, for a page that breaks: path, traceback and all."""
    import logging.config

    from django.conf import settings

    logging.config.dictConfig({**settings.LOGGING, "root": {"handlers": ["console"], "level": "DEBUG"}})

    def breaks(*_all: Any, **_named: Any) -> None:
        raise RuntimeError(f"cannot show {url}")

    monkeypatch.setattr(unlock_links, "find", breaks)
    answer = Client(raise_request_exception=False).get(url)

    said = capfd.readouterr()
    assert answer.status_code == 500
    assert "/u/-/" in said.err + said.out
    assert world.acme.link_secret not in said.err + said.out


@pytest.mark.parametrize(
    ("line", "masked"),
    [
        ('{"request": "GET /u/abc123/"}', '{"request": "GET /u/-/"}'),
        ("https://portal.example.org/u/abc123/ and /u/xyz", "https://portal.example.org/u/-/ and /u/-"),
        ("GET /phones/ of us/u", "GET /phones/ of us/u"),
    ],
)
def test_links_are_masked_wherever_they_stand(line: str, masked: str) -> None:
    assert mask_links(None, "info", line) == masked


# --- the manager's side ------------------------------------------------------------------------------------


def test_a_manager_makes_a_link_that_is_shown_once(world: World, holder: Client) -> None:
    ana = signed_in(world.ana)
    page = f"/phones/{world.acme.phone.code}/unlock-link/"
    assert "Make the link" in text(ana.get(page))

    made = ana.post(page, {"given_to": "Lou the fitter", "email": "lou@example.org"})

    found = re.search(r"/u/([a-z0-9]{50})/", made.content.decode())
    assert found is not None
    assert "no-store" in made.headers["Cache-Control"]
    assert "It was sent to lou@example.org." in text(made)
    assert "copying.js" in made.content.decode()
    assert found.group(0) in mail.outbox[0].body
    again = ana.get(page)
    assert "/u/" not in again.content.decode()
    assert "For Lou the fitter" in text(again)
    assert BUTTON in text(holder.get(found.group(0)))


def test_a_manager_ends_a_link_on_the_page(world: World, holder: Client, url: str) -> None:
    ana = signed_in(world.ana)

    answer = ana.post(
        f"/phones/{world.acme.phone.code}/unlock-link/{world.acme.unlock_link.code}/end/", follow=True
    )

    assert "The link is ended." in text(answer)
    assert "Open links" not in text(answer)
    assert holder.get(url).status_code == 404
    assert [line.what for line in DeviceEvent.objects.filter(device=world.acme.phone)].count(
        "unlock-link-ended"
    ) == 1


def test_a_refused_link_says_why_at_the_form(world: World) -> None:
    Lock.objects.filter(pk=world.acme.phone.pk).update(state="quarantined")

    answer = signed_in(world.ana).post(f"/phones/{world.acme.phone.code}/unlock-link/")

    assert "This phone is quarantined." in text(answer)
    assert UnlockLink.objects.filter(device=world.acme.phone).count() == 1


def test_the_api_makes_lists_and_ends_links(world: World, holder: Client) -> None:
    ana = program(world.acme.key)
    links = f"/api/v1/devices/{world.acme.phone.code}/unlock-links/"

    made = ana.post(links, {"given_to": "Lou"})
    listed = ana.get(links).json()["results"]

    assert made.status_code == 201
    path = made.json()["url"].partition("example.org")[2] or made.json()["url"][-53:]
    assert BUTTON in text(holder.get("/u/" + path.rpartition("/u/")[2]))
    assert [row["given_to"] for row in listed] == ["Lou", "Fitter of acme"]
    assert "url" not in listed[0]
    assert ana.delete(f"{links}{made.json()['code']}/").status_code == 204
    assert ana.delete(f"{links}{world.globex.unlock_link.code}/").status_code == 404
    assert len(ana.get(links).json()["results"]) == 1
    assert signed_in(world.ben).get(links).status_code == 403
    assert ana.post(links, {"email": "nobody"}).status_code == 400
