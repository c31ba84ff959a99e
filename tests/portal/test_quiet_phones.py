"""A phone that has not asked for too long is said to be quiet, on its page and in lists."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from devices import settings_tree
from devices.levels import ModelIn
from devices.models import Device
from devices.polling import Intervals
from provisioning import quiet_phones
from provisioning.models import Approval, LastSeen, Lock, Token
from tests.world import World, actor, signed_in

NOW = timezone.now()


def seen(device: Device, hours: float) -> Device:
    LastSeen.objects.update_or_create(
        device=device, defaults={"at": NOW - timedelta(hours=hours), "address": "203.0.113.7"}
    )
    found: Device = Device.objects.select_related("account", "lock", "last_seen").get(pk=device.pk)
    return found


@pytest.mark.parametrize(("hours", "said"), [(31, False), (33, True)])
def test_a_daily_phone_is_said_to_be_quiet_after_32_hours(world: World, hours: int, said: bool) -> None:
    phone, ana = seen(world.acme.phone, hours), signed_in(world.ana)
    Approval.objects.all().delete()  # it is not turned away somewhere else
    Token.objects.filter(device=phone).update(first_used_at=NOW)  # and has come over

    page = ana.get(reverse("phone", args=[phone.code])).content.decode()
    row = ana.get(reverse("phones")).content.decode()
    own = signed_in(world.ben).get(reverse("my-phones")).content.decode()

    assert ("It should ask once a day" in page) is said
    assert ("quiet since" in row) is said
    assert ("is it plugged in?" in own) is said


def test_it_is_quiet_since_the_end_of_its_allowance(world: World) -> None:
    phone = seen(world.acme.phone, 40)

    lapse = quiet_phones.lapses([phone], NOW)[phone.pk]

    assert (lapse.since, lapse.interval, lapse.last) == (NOW - timedelta(hours=8), 24, phone.last_seen.at)


@pytest.mark.parametrize("state", ["retired", "quarantined"])
def test_nobody_waits_for_a_phone_that_gets_nothing(world: World, state: str) -> None:
    phone = seen(world.acme.phone, 40)
    Lock.objects.filter(pk=phone.pk).update(state=state)

    assert quiet_phones.lapses([seen(phone, 40)], NOW) == {}

    Lock.objects.filter(pk=phone.pk).update(state="locked")
    Device.objects.filter(pk=phone.pk).update(is_enabled=False)
    assert quiet_phones.lapses([seen(phone, 40)], NOW) == {}


def test_the_interval_is_the_one_that_the_phones_file_has(world: World) -> None:
    by, acme, phone = actor(world.ana), world.acme.account, world.acme.phone
    above = actor(world.rita)

    def holds() -> float:
        device = Device.objects.get(pk=phone.pk)
        found = Intervals().of(device.pk, acme.path, device.family, device.model)
        assert found == settings_tree.effective(device)["poll_hours"].value
        return found

    assert holds() == 24
    settings_tree.set_value(world.harbour, by=above, name="poll_hours", value=12)
    assert holds() == 12
    settings_tree.set_value(ModelIn(world.harbour, "yealink", "T46S"), by=above, name="poll_hours", value=8)
    assert holds() == 8
    settings_tree.set_value(acme, by=by, name="poll_hours", value=6)
    assert holds() == 8
    settings_tree.set_value(ModelIn(acme, "yealink", "T46S"), by=by, name="poll_hours", value=4)
    assert holds() == 4
    settings_tree.set_value(phone, by=by, name="poll_hours", value=1)
    assert holds() == 1
