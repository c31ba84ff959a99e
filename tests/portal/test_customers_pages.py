"""All customers on one page: how they are, the worst first; taken on, switched off and on."""

import html
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import tenants
from accounts.models import Account, AuditEntry, Membership
from provisioning import health, incidents
from provisioning.models import Approval, DeviceEvent, Incident, LastSeen
from tests.world import World, actor, signed_in


def text(answer: Any) -> str:
    return html.unescape(answer.content.decode())


def said(answer: Any) -> str:
    """The page's own words, with single blanks."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text(answer)))


def names(answer: Any) -> list[str]:
    return re.findall(r'<a class="name" href="/customers/([\w-]+)/">', text(answer))


def calm(world: World) -> None:
    """Nothing waits and nothing is wrong."""
    Approval.objects.update(status="deny")
    for row in Incident.objects.going_on():
        incidents.end(row, how="Over", now=timezone.now())


def test_each_customer_s_figures_are_its_own(world: World) -> None:
    now = timezone.now()
    LastSeen.objects.create(device=world.acme.phone, at=now - timedelta(hours=3), address="203.0.113.7")
    LastSeen.objects.create(device=world.acme.other_phone, at=now - timedelta(days=9), address="203.0.113.7")
    for rule in ("R6", "R6", "G5"):
        DeviceEvent.objects.create(
            device=world.acme.phone, account=world.acme.account, mac=world.acme.phone.mac,
            at=now - timedelta(hours=1), what="request", outcome="refused", rule=rule,
        )  # fmt: skip

    found = health.of_accounts([world.acme.account.pk, world.globex.account.pk], now)
    acme, globex = found[world.acme.account.pk], found[world.globex.account.pk]

    assert (acme.phones, acme.checked_in, acme.quiet, acme.turned_away) == (2, 1, 1, 1)
    assert (acme.waiting, acme.windows, acme.incidents) == (1, 1, 1)
    assert acme.bans == Incident.objects.going_on().filter(account=world.acme.account, kind="ban").count()
    assert (globex.checked_in, globex.quiet, globex.turned_away) == (0, 0, 0)


def test_the_sentence_and_the_worst_first(world: World) -> None:
    rita = signed_in(world.rita)
    assert "2 of 2 customers need you." in said(rita.get("/customers/"))
    calm(world)
    quiet = rita.get("/customers/")
    incidents.open_(
        Incident.Kind.SILENCE, account=world.globex.account, subject="x", title="Globex is silent",
        now=timezone.now(), tell=False,
    )  # fmt: skip
    worse = rita.get("/customers/")

    assert "All 2 customers are well: nothing waits for you." in said(quiet)
    assert names(quiet) == ["acme", "globex"]
    assert "1 of 2 customers needs you." in said(worse)
    assert names(worse) == ["globex", "acme"]
    assert names(rita.get("/customers/?show=need")) == ["globex"]


def test_a_customer_is_found_by_a_part_of_its_name(world: World) -> None:
    rita = signed_in(world.rita)

    assert names(rita.get("/customers/?q=gears")) == ["globex"]
    assert names(rita.get("/customers/?q=ACME")) == ["acme"]
    assert "No customer fits" in said(rita.get("/customers/?q=nobody"))
    assert rita.get("/customers/?q=%00&page=x&show=x").status_code == 200


def test_five_hundred_cost_as_many_queries_as_two(world: World) -> None:
    rita = signed_in(world.rita)

    def queries() -> int:
        rita.get("/customers/")
        with CaptureQueriesContext(connection) as seen:
            assert rita.get("/customers/").status_code == 200
        return len(seen)

    before = queries()
    Account.objects.get(pk=world.harbour.pk)
    for at in range(60):
        tenants.create_account(world.harbour, by=actor(world.rita), slug=f"c-{at}", name=f"Customer {at}")

    assert queries() == before
    assert len(names(rita.get("/customers/"))) == 50
    assert "of 62, the worst first" in said(rita.get("/customers/"))
    assert len(names(rita.get("/customers/?page=2"))) == 12


def test_a_row_leads_to_what_waits_by_acting_for_it(world: World) -> None:
    rita = signed_in(world.rita)
    shown = text(rita.get("/customers/"))

    assert 'form="act-acme" name="next" value="/approvals/"' in shown
    answer = rita.post("/customers/acme/act/", {"next": "/approvals/"}, follow=True)

    assert "You act for Acme Anvils." in said(answer)
    assert world.acme.phone.name in said(answer)


def test_only_customers_below_are_shown(world: World) -> None:
    elsewhere = tenants.create_account(
        world.platform, by=actor(world.sam), slug="lakeside", name="Lakeside Phones"
    )

    assert "lakeside" not in text(signed_in(world.rita).get("/customers/"))
    assert signed_in(world.rita).get(f"/customers/{elsewhere.slug}/").status_code == 404
    assert set(names(signed_in(world.sam).get("/customers/"))) == {"harbour", "acme", "globex", "lakeside"}
    assert names(signed_in(world.ana).get("/customers/")) == []


# --- taken on ----------------------------------------------------------------------------------------------

NEW = {"below": "harbour", "name": "Initech", "slug": "initech", "time_zone": "Europe/Lisbon"}


def test_a_customer_is_taken_on_with_its_first_manager(world: World) -> None:
    rita = signed_in(world.rita)

    answer = rita.post(
        "/add-customer/", {**NEW, "email": "Pete@initech.example", "person": "Pete"}, follow=True
    )

    made = Account.objects.get(slug="initech")
    assert (made.kind, made.time_zone, made.name) == ("customer", "Europe/Lisbon", "Initech")
    member = Membership.objects.get(account=made)
    assert (member.user.email, member.user.name, member.role) == ("pete@initech.example", "Pete", "manager")
    assert "Initech is there." in said(answer)
    assert AuditEntry.objects.filter(verb="account.created", account=made, user=world.rita).exists()


def test_its_first_manager_is_invited_by_e_mail(
    world: World, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        signed_in(world.rita).post("/add-customer/", {**NEW, "email": "pete@initech.example"})

    [message] = mail.outbox
    assert message.to == ["pete@initech.example"]
    assert "Initech" in message.subject
    shown = said(signed_in(world.rita).get("/customers/initech/"))
    assert "pete@initech.example Invited, not signed in yet" in shown


def test_an_invitation_that_cannot_be_sent_is_said(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuses(self: Any) -> int:
        raise ConnectionRefusedError

    def at_once(act: Callable[[], None], *args: Any, **more: Any) -> None:
        act()

    monkeypatch.setattr("django.core.mail.EmailMessage.send", refuses)
    monkeypatch.setattr("accounts.invitations.transaction.on_commit", at_once)
    rita = signed_in(world.rita)
    answer = rita.post("/add-customer/", {**NEW, "email": "pete@initech.example"}, follow=True)

    assert "the e-mail could not be sent" in said(answer)


def test_a_customer_may_come_without_a_manager(world: World) -> None:
    signed_in(world.rita).post("/add-customer/", NEW)

    assert not Membership.objects.filter(account__slug="initech").exists()


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("slug", "acme", "This slug is taken."),
        ("time_zone", "Mars/Base", "There is no such time zone."),
        ("email", "nobody", "valid email"),
        ("name", "", "required"),
        ("below", "platform", ""),
    ],
)
def test_what_is_wrong_makes_no_account(field: str, value: str, says: str, world: World) -> None:
    before = Account.objects.count(), Membership.objects.count()

    answer = signed_in(world.rita).post("/add-customer/", {**NEW, "email": "p@x.example", field: value})

    assert answer.status_code == 200
    assert "No account was made" in said(answer)
    assert says in said(answer)
    assert (Account.objects.count(), Membership.objects.count()) == before


def test_platform_support_may_take_on_a_reseller_with_its_first_one(world: World) -> None:
    asked = {**NEW, "below": "platform", "kind": "reseller", "email": "lou@lakeside.example"}

    signed_in(world.sam).post("/add-customer/", asked)

    member = Membership.objects.get(user__email="lou@lakeside.example")
    assert (member.account.kind, member.role) == ("reseller", "reseller")


def test_below_a_customer_comes_a_sub_account(world: World) -> None:
    rita = signed_in(world.rita)

    assert 'name="kind"' not in text(rita.get("/add-customer/"))
    rita.post("/add-customer/", {**NEW, "below": "acme"})

    made = Account.objects.get(slug="initech")
    assert (made.kind, made.path.startswith(world.acme.account.path)) == ("sub-account", True)


@pytest.mark.parametrize("who", ["ana", "eve", "ben"])
def test_nobody_else_takes_on_a_customer(who: str, world: World) -> None:
    before = Account.objects.count()

    assert signed_in(getattr(world, who)).post("/add-customer/", NEW).status_code == 403
    assert Account.objects.count() == before


# --- switched off and on -----------------------------------------------------------------------------------


def test_a_customer_is_switched_off_and_on_again(world: World) -> None:
    rita, url = signed_in(world.rita), "/customers/acme/switch/"

    asked = said(rita.get(url))
    off = said(rita.post(url, {"to": "off", "reason": "Unpaid"}, follow=True))
    listed = rita.get("/customers/")
    was_off = Account.objects.get(slug="acme").is_active
    on = said(rita.post(url, {"to": "on"}, follow=True))

    assert "its 2 phones get no file any more" in asked
    assert "Acme Anvils is switched off: its phones get no file." in off
    assert names(listed)[-1] == "acme"
    assert "1 of 1 customers needs you." in said(listed)
    assert was_off is False
    assert "Acme Anvils is on: its phones get their files again." in on
    assert Account.objects.get(slug="acme").is_active
    entry = AuditEntry.objects.get(verb="account.disabled")
    assert (entry.user, entry.details) == (world.rita, {"reason": "Unpaid"})


@pytest.mark.parametrize("who", ["ana", "eve", "ben"])
def test_nobody_else_switches_a_customer_off(who: str, world: World) -> None:
    answer = signed_in(getattr(world, who)).post("/customers/acme/switch/", {"to": "off"})

    assert answer.status_code in (403, 404)
    assert Account.objects.get(slug="acme").is_active


def test_while_acting_for_it_nobody_switches_it_off(world: World) -> None:
    rita = signed_in(world.rita)
    rita.post("/customers/acme/act/")

    assert rita.post("/customers/acme/switch/", {"to": "off"}).status_code == 404
    assert Account.objects.get(slug="acme").is_active
