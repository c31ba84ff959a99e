"""The tab with a phone's files: line by line, masked, for those who may change settings."""

import pytest

from devices.models import Device
from tests.portal.reading import said
from tests.world import World, signed_in

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
