"""The tab with a phone's files: line by line, masked, for those who may change settings."""

import time
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEntry, User
from devices import appearances
from devices.appearances import KeyRow
from devices.models import Device
from devices.phone import KeyKind
from provisioning.models import LastSeen
from tests.portal.reading import said
from tests.world import World, actor, signed_in

pytestmark = pytest.mark.django_db


def test_a_manager_reads_a_phones_files(world: World) -> None:
    phone, ana = world.acme.phone, signed_in(world.ana)

    page = ana.get(f"/phones/{phone.code}/files/").content.decode()

    assert f"{phone.mac}.cfg" in page
    assert '<span class="l">account.1.password = MASKED</span>' in page
    assert "account.1.user_name = " + world.acme.extension.username in page
    for secret in (world.acme.secret, *world.acme.tokens):
        assert secret not in page
    assert f'href="/phones/{phone.code}/files/"' in ana.get(f"/phones/{phone.code}/").content.decode()


def test_a_viewer_has_no_such_tab(world: World) -> None:
    phone, vic = world.acme.phone, signed_in(world.acme.viewer)

    assert vic.get(f"/phones/{phone.code}/files/").status_code == 403
    assert "/files/" not in vic.get(f"/phones/{phone.code}/").content.decode()
    assert signed_in(world.ben).get(f"/phones/{phone.code}/files/").status_code == 403
    assert signed_in(world.eve).get(f"/phones/{phone.code}/files/").status_code == 404


def test_files_that_cannot_be_made_say_why(world: World) -> None:
    phone = world.acme.phone
    Device.objects.filter(pk=phone.pk).update(model="T999")

    page = signed_in(world.ana).get(f"/phones/{phone.code}/files/")

    assert page.status_code == 200
    assert "T999 is not in the catalogue" in said(page)


def seeing_secrets(client: Client, user: User, *, ago: int) -> None:
    """This person may see secrets, and gave a second factor so many seconds ago."""
    user.memberships.update(sees_secrets=True)
    session = client.session
    session["account_authentication_methods"] = [{"method": "mfa", "at": time.time() - ago}]
    session["account_authentication_methods_user"] = str(user.pk)
    session.save()


def uncover(client: Client, phone: Device, **more: Any) -> Any:
    return client.post(f"/phones/{phone.code}/files/uncover/", {"name": f"{phone.mac}.cfg"}, **more)


def test_a_file_is_shown_in_clear_once_with_a_fresh_second_factor(world: World) -> None:
    phone, ana = world.acme.phone, signed_in(world.ana)
    seeing_secrets(ana, world.ana, ago=60)

    asked = ana.get(f"/phones/{phone.code}/files/").content.decode()
    shown = uncover(ana, phone)

    assert "Show it in clear" in asked
    assert world.acme.secret not in asked
    assert f"account.1.password = {world.acme.secret}" in shown.content.decode()
    assert "no-store" in shown.headers["Cache-Control"]
    assert AuditEntry.objects.filter(verb="device.file_seen", user=world.ana).count() == 1
    assert world.acme.secret not in ana.get(f"/phones/{phone.code}/files/").content.decode()
    assert ana.get(f"/phones/{phone.code}/files/uncover/").status_code == 405


def test_without_a_fresh_second_factor_it_is_asked_for_first(world: World) -> None:
    phone, ana = world.acme.phone, signed_in(world.ana)
    seeing_secrets(ana, world.ana, ago=16 * 60)

    answer = uncover(ana, phone)

    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/accounts/2fa/reauthenticate/?next=%2Fphones%2F")
    assert not AuditEntry.objects.filter(verb="device.file_seen").exists()


def test_nobody_else_uncovers_a_file(world: World) -> None:
    phone = world.acme.phone
    seeing_secrets(eve := signed_in(world.eve), world.eve, ago=60)
    assert uncover(eve, phone).status_code == 404

    for user in (world.ana, world.acme.viewer, world.ben, world.rita, world.sam):
        client = signed_in(user)
        assert uncover(client, phone).status_code == 403
        assert "in clear" not in client.get(f"/phones/{phone.code}/files/").content.decode()
    assert not AuditEntry.objects.filter(verb="device.file_seen").exists()


def test_a_phone_is_compared_with_another_of_its_make(world: World) -> None:
    phone, other, ana = world.acme.phone, world.acme.other_phone, signed_in(world.ana)

    page = ana.get(f"/phones/{phone.code}/files/?with={other.code}")

    assert f"Lines with a minus stand at {other} only" in said(page)
    assert "linekey.3.value = 207" in said(page)  # the profile's key, which the other one has not
    assert world.acme.secret not in page.content.decode()
    assert world.globex.phone.name not in page.content.decode()
    for code in (world.globex.phone.code, "00000000-0000-0000-0000-000000000000"):
        assert ana.get(f"/phones/{phone.code}/files/?with={code}").status_code == 404
    assert ana.get(f"/phones/{phone.code}/files/?with=x").status_code == 200


def test_what_was_changed_since_the_last_fetch_stands_there(world: World) -> None:
    phone, ana = world.acme.phone, signed_in(world.ana)
    url = f"/phones/{phone.code}/files/"
    assert "It has never fetched its files." in said(ana.get(url))

    LastSeen.objects.create(device=phone, at=timezone.now(), address="203.0.113.7")
    assert "Nothing was changed on the phone itself." in said(ana.get(url))
    appearances.put_keys(phone, by=actor(world.ana), rows=[KeyRow(4, KeyKind.PARK, "701")])

    assert "Keys changed: park 701 on key 4 added by Ana of acme." in said(ana.get(url))
