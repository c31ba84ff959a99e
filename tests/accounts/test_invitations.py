"""Invitations by e-mail: what is sent to whom, and that nobody learns of other tenants by them."""

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.test import Client
from django.utils import timezone

from accounts import invitations
from accounts.models import AuditEntry, Membership, User
from accounts.refusals import Forbidden, Refusal
from accounts.roles import Role
from tests.world import PASSWORD, World, actor, signed_in

NEW = {"account": "acme", "email": "dora@acme.example", "name": "Dora", "role": "manager"}


def invited(world: World, callbacks: Any, **more: Any) -> Any:
    """The page's answer to an invitation by ana, with its letter sent."""
    with callbacks(execute=True):
        return signed_in(world.ana).post("/people/add/", {**NEW, **more}, follow=True)


def the_link() -> str:
    bodies = " ".join(str(letter.body) for letter in mail.outbox)
    return re.findall(r"https://portal\.example\.org(\S+/password/reset/key/\S+)", bodies)[-1]


def test_an_invited_person_sets_a_password_and_lands_where_he_belongs(
    world: World, django_capture_on_commit_callbacks: Any
) -> None:
    answer = invited(world, django_capture_on_commit_callbacks, role="user")
    row = Membership.objects.select_related("user").get(user__email=NEW["email"])

    page = answer.content.decode()
    assert "An invitation is on its way to dora@acme.example." in page
    assert "has not signed in yet" in page
    assert "Send again" in page
    assert (row.role, row.is_pending, row.user.has_usable_password()) == ("user", True, False)
    assert [letter.to for letter in mail.outbox] == [["dora@acme.example"]]
    dora = Client()
    form = dora.get(the_link(), follow=True)
    assert "Welcome. Choose your password" in form.content.decode()
    assert "You sign in as dora@acme.example." in form.content.decode()
    typed = {"password1": "dora-thought-of-it", "password2": "dora-thought-of-it"}
    landed = dora.post(form.redirect_chain[-1][0], typed, follow=True)
    assert landed.redirect_chain[-1][0] == "/my-phones/"
    assert not Membership.objects.select_related("user").get(pk=row.pk).is_pending
    again = Client().get(the_link(), follow=True)
    assert "This link is over" in again.content.decode()
    assert "Dora" in signed_in(world.ana).get("/people/").content.decode()


def test_a_link_is_good_for_three_days(world: World, django_capture_on_commit_callbacks: Any) -> None:
    invited(world, django_capture_on_commit_callbacks)
    now = timezone.now()

    with time_machine.travel(now + timedelta(days=3) - timedelta(minutes=5)):
        assert "Choose your password" in Client().get(the_link(), follow=True).content.decode()
    with time_machine.travel(now + timedelta(days=3, minutes=5)):
        assert "This link is over" in Client().get(the_link(), follow=True).content.decode()


def test_a_reseller_who_was_invited_sets_up_a_second_factor_first(
    world: World, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        invitations.invite(
            world.harbour, by=actor(world.rita), email="ron@harbour.example", name="Ron", role=Role.RESELLER
        )
    ron = Client()
    form = ron.get(the_link(), follow=True)

    typed = {"password1": "ron-thought-of-it", "password2": "ron-thought-of-it"}
    landed = ron.post(form.redirect_chain[-1][0], typed, follow=True)

    assert landed.redirect_chain[-1][0] == "/second-factor/"


def test_nobody_learns_whether_somebody_signs_in_elsewhere(
    world: World, django_capture_on_commit_callbacks: Any
) -> None:
    """Eve invites Ben, whom she does not know; all that she sees is what she would see of anybody."""
    User.objects.filter(pk=world.ben.pk).update(last_login=timezone.now() - timedelta(days=1))
    eve, pages = signed_in(world.eve), {}
    for email in (world.ben.email, "bea@acme.example"):
        form = {"account": "globex", "email": email, "name": "B", "role": "user"}
        with django_capture_on_commit_callbacks(execute=True):
            sent = eve.post("/people/add/", form, follow=True).content.decode()
        row = Membership.objects.get(user__email=email, account=world.globex.account)
        one = eve.get(f"/people/globex/{row.user.code}/").content.decode()
        audit = eve.get("/audit/").content.decode()
        pages[email] = [_same(page, email, str(row.user.code)) for page in (sent, one, audit)]
        entry = AuditEntry.objects.latest("pk")
        assert (entry.verb, entry.target_name) == ("person.invited", email)
        found = eve.get("/people/", {"person": world.ben.name}).content.decode()
        assert row.user.email not in found
        Membership.objects.filter(pk=row.pk).delete()
        AuditEntry.objects.model._base_manager.filter(pk=entry.pk)._raw_delete("default")

    assert pages[world.ben.email] == pages["bea@acme.example"]
    assert [
        word for page in pages[world.ben.email] for word in (world.ben.name, "acme") if word in page
    ] == []
    assert [letter.subject for letter in mail.outbox] == [
        "You have a role in Globex Gears now",
        "Your access to Globex Gears",
    ]
    assert "password" not in str(mail.outbox[0].body)


def _same(page: str, email: str, code: str) -> str:
    page = page.replace(email, "E").replace(code, "C")
    page = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", page)
    return re.sub(r"\d+ s(ec\w*)?\b|\d\d:\d\d(:\d\d)?", "T", page)


@pytest.mark.parametrize(
    ("case", "who", "form"),
    [
        ("above his own role", "ana", {"role": "reseller"}),
        ("in somebody else's account", "eve", {}),
        ("a role that the account has not", "rita", {"role": "reseller"}),
        ("somebody who is there", "ana", {"email": "ben@acme.example"}),
        ("without a name", "ana", {"name": " "}),
    ],
)
def test_nobody_is_invited(
    case: str, who: str, form: dict[str, str], world: World, django_capture_on_commit_callbacks: Any
) -> None:
    before = Membership.objects.count(), User.objects.count(), AuditEntry.objects.count()

    with django_capture_on_commit_callbacks(execute=True):
        answer = signed_in(getattr(world, who)).post("/people/add/", {**NEW, **form})

    assert answer.status_code in (200, 403)
    assert (Membership.objects.count(), User.objects.count(), AuditEntry.objects.count()) == before
    assert mail.outbox == []


def test_an_invitation_is_sent_again_but_not_at_once(
    world: World, django_capture_on_commit_callbacks: Any
) -> None:
    invited(world, django_capture_on_commit_callbacks)
    row = Membership.objects.get(user__email=NEW["email"])
    now = timezone.now()

    with pytest.raises(Refusal, match="went out just now"):
        invitations.send_again(row, by=actor(world.ana), now=now)
    assert len(mail.outbox) == 1
    with django_capture_on_commit_callbacks(execute=True):
        later = invitations.send_again(row, by=actor(world.ana), now=now + timedelta(minutes=3))

    assert later.invited_at == now + timedelta(minutes=3)
    assert len(mail.outbox) == 2
    assert AuditEntry.objects.latest("pk").verb == "person.invited-again"
    for who, error in ((world.eve, Forbidden), (world.acme.viewer, Forbidden)):
        with pytest.raises(error):
            invitations.send_again(row, by=actor(who), now=now + timedelta(days=1))
    User.objects.filter(pk=row.user_id).update(last_login=now + timedelta(days=1))
    with pytest.raises(Refusal, match="signed in already"):
        invitations.send_again(row, by=actor(world.ana), now=now + timedelta(days=2))
    assert len(mail.outbox) == 2


def test_a_mail_server_that_is_away_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    def away(*args: Any, **kwargs: Any) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr("accounts.invitations.EmailMessage.send", away)

    with pytest.raises(Refusal, match="could not be sent"), django_capture_on_commit_callbacks(execute=True):
        invitations.invite(
            world.acme.account, by=actor(world.ana), email="d@acme.example", name="D", role=Role.USER
        )

    assert Membership.objects.filter(user__email="d@acme.example").exists()
    assert PASSWORD not in str(mail.outbox)
