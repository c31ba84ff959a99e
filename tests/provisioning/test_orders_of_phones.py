"""A list of phones is read in parts, and is the same as if it were sorted at once."""

from datetime import timedelta

import pytest
from django.utils import timezone

from devices.models import Device
from provisioning import finding
from provisioning.models import Approval, LastSeen, Lock
from tests.factories import make_phone
from tests.world import World, actor

NOW = timezone.now()


@pytest.fixture
def mixed(world: World) -> list[Device]:
    """Phones in every state that the order knows, heard from at various times or never."""
    by = actor(world.ana)
    made = [make_phone(world.acme.account, by=by, name=f"Z {at % 5}") for at in range(14)]
    states = {0: "quarantined", 1: "unlocked", 2: "unlocked", 3: "new", 4: "retired", 5: "new"}
    for at, device in enumerate(made):
        state = states.get(at, "locked")
        given = NOW - timedelta(hours=2) if state == "unlocked" else None
        Lock.objects.filter(pk=device.pk).update(state=state, grant_given_at=given, grant_until=None)
        if at % 3:
            LastSeen.objects.create(device=device, at=NOW - timedelta(hours=at % 4), address="192.0.2.7")
    Lock.objects.filter(pk=made[2].pk).update(grant_until=NOW - timedelta(minutes=1))
    Lock.objects.filter(pk=made[6].pk).update(suspicion_until=NOW + timedelta(days=1))
    Device.objects.filter(pk__in=[made[0].pk, made[5].pk, made[7].pk]).update(is_enabled=False)
    Approval.objects.create(
        device=made[8], account=world.acme.account, opened_at=NOW, closes_at=NOW, last_try_at=NOW
    )
    return made


@pytest.mark.parametrize("order", finding.ORDERS)
def test_the_pages_of_an_order_are_the_whole_of_it(mixed: list[Device], order: str) -> None:
    rows = Device.objects.filter(pk__in=[device.pk for device in mixed])
    whole = list(finding.ordered(rows, order, NOW).values_list("pk", flat=True))
    assert sorted(whole) == sorted(device.pk for device in mixed)
    for size in (1, 3, 4, len(whole)):
        for start in range(0, len(whole), size):
            page = finding.keys_of_page(rows, order, start, start + size, len(whole), NOW)
            assert page == whole[start : start + size], (size, start)


def test_who_needs_somebody_comes_first(mixed: list[Device]) -> None:
    rows = Device.objects.filter(pk__in=[device.pk for device in mixed])
    places = {device.pk: at for at, device in enumerate(mixed)}
    found = [places[pk] for pk in finding.keys_of_page(rows, "state", 0, 20, len(mixed), NOW)]
    # Waiting, suspected, quarantined, unlocked, new; then the locked, the unlock that is over among them.
    assert found[:5] == [8, 6, 0, 1, 3]
    assert set(found[5:11]) == {2, 9, 10, 11, 12, 13}
    assert found[11:] == [4, 5, 7]
