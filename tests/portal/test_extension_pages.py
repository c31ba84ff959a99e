"""The page of extensions: whose secret may be known to others, and a new one that is shown nowhere."""

import time
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEntry, User
from accounts.refusals import Forbidden
from devices import extensions
from devices.models import Extension
from provisioning import taking_back
from tests.portal.reading import comes_back, everything, page, said
from tests.provisioning.stolen import real_phone, steal
from tests.world import World, actor, signed_in

DAY = timedelta(days=1)


@pytest.mark.rule("E15")
def test_extensions_say_who_may_know_their_secret(world: World) -> None:
    now, ana = timezone.now(), signed_in(world.ana)
    phone, _ = real_phone(world.acme.account, at=now - 10 * DAY)
    steal(phone, at=now - DAY)
    quiet = said(ana.get("/extensions/"))
    taking_back.take_back(phone, by=actor(world.ana))

    shown, only = ana.get("/extensions/"), ana.get("/extensions/?show=known")

    line = Extension.objects.get(appearances__device=phone)
    assert "every secret is known to its phones alone" in quiet
    assert "The secret of 1 extension may be known to others" in said(shown)
    assert said(shown).index(line.username) < said(shown).index(world.acme.extension.username)
    assert f"{phone} was taken back" in said(shown)
    assert world.acme.extension.username not in said(only)
    assert "New secret" not in said(signed_in(world.acme.viewer).get("/extensions/"))


@pytest.mark.rule("E15")
def test_a_new_secret_is_given_and_shown_nowhere(world: World) -> None:
    line, ana = world.acme.extension, signed_in(world.ana)
    url = page("extension-secret", line)

    asked = ana.get(url)
    done = ana.post(url, {"secret": ""}, follow=True)

    drawn = extensions.secret_of(Extension.objects.get(pk=line.pk))
    assert "2 phones show it" in said(asked)
    assert drawn != world.acme.secret
    assert "has a new secret." in said(done)
    for shown in (asked, done, ana.get(url)):
        assert [text for text in (drawn, world.acme.secret) if text in shown.content.decode()] == []
    before = everything()
    comes_back(ana.post(url, {"secret": drawn}), before, "This is the present secret already.", "E15")
    assert drawn not in ana.post(url, {"secret": drawn}).content.decode()


def seeing_secrets(client: Client, user: User, *, ago: int) -> None:
    """This person may see secrets, and gave a second factor so many seconds ago."""
    user.memberships.update(sees_secrets=True)
    session = client.session
    session["account_authentication_methods"] = [{"method": "mfa", "at": time.time() - ago}]
    session["account_authentication_methods_user"] = str(user.pk)
    session.save()


def test_a_drawn_secret_is_shown_once_to_who_may_see_secrets(world: World) -> None:
    line, ana = world.acme.extension, signed_in(world.ana)
    seeing_secrets(ana, world.ana, ago=60)

    asked = ana.get(page("extension-secret", line))
    shown = ana.post(page("extension-secret", line), {"secret": ""})

    drawn = extensions.secret_of(Extension.objects.get(pk=line.pk))
    assert "a drawn one is shown to you this once" in said(asked)
    assert (shown.status_code, drawn in shown.content.decode()) == (200, True)
    assert "no-store" in shown.headers["Cache-Control"]
    entry = AuditEntry.objects.latest("pk")
    assert (entry.verb, entry.user, entry.target_code) == ("extension.secret_seen", world.ana, str(line.code))
    assert drawn not in str(AuditEntry.objects.values_list("details", flat=True))
    for again in (ana.get(page("extension-secret", line)), ana.get("/extensions/")):
        assert drawn not in again.content.decode()
    typed = ana.post(page("extension-secret", line), {"secret": "typed-and-known-1"}, follow=True)
    assert "typed-and-known-1" not in typed.content.decode()
    assert AuditEntry.objects.filter(verb="extension.secret_seen").count() == 1
    form = {"account": "acme", "username": "4102", "secret": "", "call_appearances": "2"}
    added = ana.post("/extensions/add/", form)
    assert extensions.secret_of(Extension.objects.get(username="4102")) in added.content.decode()


@pytest.mark.parametrize(
    ("case", "ago", "told"),
    [("no second factor", None, "No page shows it"), ("one of long ago", 16 * 60, "Give it now")],
)
def test_without_a_fresh_second_factor_it_is_shown_to_nobody(
    world: World, case: str, ago: int | None, told: str
) -> None:
    line, ana = world.acme.extension, signed_in(world.ana)
    if ago is not None:
        seeing_secrets(ana, world.ana, ago=ago)

    asked = ana.get(page("extension-secret", line))
    done = ana.post(page("extension-secret", line), {"secret": ""}, follow=True)

    assert told in said(asked)
    assert "has a new secret." in said(done)
    assert extensions.secret_of(Extension.objects.get(pk=line.pk)) not in done.content.decode()
    assert not AuditEntry.objects.filter(verb="extension.secret_seen").exists()


def test_a_power_given_to_a_person_reaches_no_further_than_he_does(world: World) -> None:
    world.ana.memberships.update(sees_secrets=True)
    ana = actor(world.ana)

    with pytest.raises(Forbidden):
        extensions.show_secret(world.globex.extension, by=ana)
    with pytest.raises(Forbidden):
        extensions.show_secret(world.acme.extension, by=actor(world.sam))

    assert extensions.show_secret(world.acme.extension, by=ana) == world.acme.secret
    assert not AuditEntry.objects.filter(verb="extension.secret_seen", account=world.globex.account).exists()


@pytest.mark.rule("E15")
def test_a_secret_is_marked_by_a_click(world: World) -> None:
    line, ana = world.acme.extension, signed_in(world.ana)

    done = ana.post(page("extension-mark", line), {"why": "Read over the phone"}, follow=True)

    marked = Extension.objects.get(pk=line.pk)
    assert marked.exposed_since is not None
    assert "Read over the phone" in said(done)
    assert extensions.secret_of(marked) == world.acme.secret
    assert signed_in(world.acme.viewer).post(page("extension-mark", line)).status_code == 403
    assert signed_in(world.eve).get(page("extension-mark", line)).status_code == 404
