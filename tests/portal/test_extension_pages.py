"""The page of extensions: whose secret may be known to others, and a new one that is shown nowhere."""

from datetime import timedelta

import pytest
from django.utils import timezone

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
