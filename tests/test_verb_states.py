"""Every cell of the verb x state table (rules.md section 5), through each door that has the verb."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.utils import timezone

from accounts.models import User
from accounts.roles import Role
from devices.models import Device
from provisioning import policies, unlock_all
from provisioning.models import Job, Lock, Outbox
from tests.factories import HOME, bind, origin
from tests.provisioning.verb_checks import everything, lock_of, set_lock
from tests.world import ELSEWHERE, World, actor, make_key, program, signed_in

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
STATES = ("new", "unlocked", "locked", "suspected", "quarantined", "disabled", "retired")


@dataclass(frozen=True)
class Answer:
    """What a door said: done, or refused by which rule."""

    done: bool
    rule: str = ""
    code: str = ""


Door = Callable[[World, Device], Answer]


# --- the states --------------------------------------------------------------------------------------------


def put_into(device: Device, state: str) -> None:
    """The phone, bound to HOME but for a new one, in one column of the table."""
    now = timezone.now()
    set_lock(device, state="locked", grant_given_at=None, grant_until=None, reason="")
    bind(Device.objects.select_related("lock").get(pk=device.pk), HOME)
    grant = {"state": "unlocked", "grant_given_at": now, "grant_until": now + timedelta(hours=2)}
    match state:
        case "new":
            set_lock(device, state="new", armed_at=now - DAY, bound_first="", bound_last="")
        case "unlocked":
            set_lock(device, **grant)
        case "suspected":
            set_lock(device, suspicion_since=now, suspicion_until=now + DAY, suspicion_why="origins")
        case "disabled":
            set_lock(device, **grant)
            Device.objects.filter(pk=device.pk).update(is_enabled=False)
        case "locked":
            pass
        case shut:
            set_lock(device, state=shut)


@pytest.fixture
def device(world: World) -> Device:
    return world.acme.phone


# --- the doors ---------------------------------------------------------------------------------------------


def by_api(verb: str, body: dict[str, Any] | None = None, *, role: Role = Role.MANAGER) -> Door:
    def call(world: World, device: Device) -> Answer:
        key = make_key(world.acme.account if role is Role.MANAGER else world.harbour, role, world.rita)
        said = program(key).post(f"/api/v1/devices/{device.code}/{verb}/", body or {}, format="json")
        if said.status_code == 200:
            return Answer(True)
        assert said.status_code == 409, said.content
        return Answer(False, said.json()["rule"], said.json()["code"])

    return call


def by_page(page: str, body: dict[str, Any] | None = None, *, person: str = "ana") -> Door:
    def call(world: World, device: Device) -> Answer:
        user: User = getattr(world, person)
        said = signed_in(user).post(f"/phones/{device.code}/{page}/", body or {})
        told = [m for m in get_messages(said.wsgi_request) if m.level_tag == "error"]
        if said.status_code == 200:  # the form again, with what is wrong
            assert said.context["form"].errors, said.content
            return Answer(False)
        assert said.status_code == 302
        return Answer(not told, told[0].extra_tags if told else "")

    return call


def by_job(world: World, device: Device) -> Answer:
    job = unlock_all.start(
        world.acme.account, by=actor(world.ana), filter={"devices": [str(device.code)]}, span=None
    )
    unlock_all.run(job.pk)
    item = Job.objects.get(pk=job.pk).items.get()
    assert item.result == "done" or item.why
    return Answer(item.result == "done", item.rule)


SEVEN_DAYS = {"span": "7d", "scope": "any"}
FOR_ONE = {"span": "7d", "scope": "one", "address": ELSEWHERE}
UNLOCK: dict[str, Door] = {
    "E1 by API": by_api("unlock", {"for": "7d"}),
    "E1 by page": by_page("unlock", SEVEN_DAYS),
    "E2 by page": by_page("allow"),
    "E3 by job": by_job,
}
UNLOCK_FOR_ONE: dict[str, Door] = {
    "E1 by API": by_api("unlock", {"for": "7d", "origin": ELSEWHERE}),
    "E1 by page": by_page("unlock", FOR_ONE),
}
LOCK: dict[str, Door] = {"E5 by API": by_api("lock"), "E5 by page": by_page("lock")}
REARM: dict[str, Door] = {"E11 by API": by_api("rearm"), "E11 by page": by_page("rearm", {"ship_on": ""})}


def doors(table: dict[str, Door]) -> Any:
    return pytest.mark.parametrize("door", list(table.values()), ids=list(table))


def is_refused(world: World, device: Device, door: Door, *rules: str) -> None:
    before = _without_jobs(device)
    said = door(world, device)
    assert not said.done
    assert said.rule in ("", *rules)
    assert _without_jobs(device) == before


def _without_jobs(device: Device) -> Any:
    """A job's own entry in the audit, and the mail that it has ended, change nothing of the phone."""
    row, _audit, events, _outbox = everything(device)
    return row, events, Outbox.objects.exclude(what=Outbox.What.MAIL).count()


# --- unlock ------------------------------------------------------------------------------------------------


@pytest.mark.rule("E1", "E2", "E3")
@doors(UNLOCK)
def test_a_new_phone_is_unlocked_until_the_later_of_both_ends(
    door: Door, world: World, device: Device
) -> None:
    put_into(device, "new")
    fresh_end = lock_of(device).armed_at + policies.effective(world.acme.account).fresh_ttl

    assert door(world, device).done

    lock = lock_of(device)
    assert lock.state == "unlocked"
    assert lock.grant_until is None or lock.grant_until >= fresh_end


@pytest.mark.rule("E1", "E2", "E3")
@doors(UNLOCK)
def test_an_unlock_is_replaced(door: Door, world: World, device: Device) -> None:
    put_into(device, "unlocked")
    former = lock_of(device)

    assert door(world, device).done

    lock = lock_of(device)
    assert (lock.state, lock.bound_network) == ("unlocked", origin(HOME))
    assert lock.grant_given_at > former.grant_given_at  # type: ignore[operator]
    assert lock.grant_until != former.grant_until


@pytest.mark.rule("E1", "E2", "E3")
@doors(UNLOCK)
def test_a_locked_phone_is_unlocked(door: Door, world: World, device: Device) -> None:
    put_into(device, "locked")

    assert door(world, device).done

    assert (lock_of(device).state, lock_of(device).bound_network) == ("unlocked", origin(HOME))


@pytest.mark.rule("E7")
@doors(UNLOCK)
def test_under_suspicion_it_is_not_unlocked_for_any_address(door: Door, world: World, device: Device) -> None:
    put_into(device, "suspected")

    is_refused(world, device, door, "E7")


@pytest.mark.rule("E7")
@doors(UNLOCK_FOR_ONE)
def test_under_suspicion_it_is_unlocked_for_one_address(door: Door, world: World, device: Device) -> None:
    put_into(device, "suspected")

    assert door(world, device).done

    assert (lock_of(device).state, lock_of(device).grant_origin) == ("unlocked", origin(ELSEWHERE))


@pytest.mark.rule("E1", "E2", "E3")
@pytest.mark.parametrize(
    ("state", "rules"),
    [
        ("quarantined", ("E8q",)),
        ("disabled", ("E1", "E2", "E3")),
        ("retired", ("E19",)),
    ],
)
@doors(UNLOCK | UNLOCK_FOR_ONE)
def test_what_is_shut_is_not_unlocked(
    door: Door, state: str, rules: tuple[str, ...], world: World, device: Device
) -> None:
    put_into(device, state)

    is_refused(world, device, door, *rules)


# --- lock again --------------------------------------------------------------------------------------------


@pytest.mark.rule("E5")
@doors(LOCK)
def test_a_new_phone_is_locked_to_nothing(door: Door, world: World, device: Device) -> None:
    put_into(device, "new")

    assert door(world, device).done

    assert (lock_of(device).state, lock_of(device).bound_network) == ("locked", None)


@pytest.mark.rule("E5")
@pytest.mark.parametrize("state", ["unlocked", "disabled", "suspected"])
@doors(LOCK)
def test_it_is_locked_with_the_previous_binding(door: Door, state: str, world: World, device: Device) -> None:
    put_into(device, state)

    assert door(world, device).done

    lock = lock_of(device)
    assert (lock.state, lock.bound_network, lock.grant_given_at) == ("locked", origin(HOME), None)


@pytest.mark.rule("E5")
@doors(LOCK)
def test_a_scoped_unlock_of_a_suspected_phone_is_closed(door: Door, world: World, device: Device) -> None:
    put_into(device, "suspected")
    assert UNLOCK_FOR_ONE["E1 by API"](world, device).done

    assert door(world, device).done

    assert (lock_of(device).state, lock_of(device).bound_network) == ("locked", origin(HOME))


@pytest.mark.rule("E5")
@pytest.mark.parametrize("state", ["locked", "retired"])
@doors(LOCK)
def test_there_is_nothing_to_lock(door: Door, state: str, world: World, device: Device) -> None:
    put_into(device, state)
    before = everything(device)

    assert door(world, device).done

    assert everything(device)[0] == before[0]
    assert everything(device)[2:] == before[2:]


@pytest.mark.rule("E5")
@doors(LOCK)
def test_a_quarantined_phone_is_not_locked_again(door: Door, world: World, device: Device) -> None:
    put_into(device, "quarantined")

    is_refused(world, device, door, "E8q")


# --- re-arm ------------------------------------------------------------------------------------------------


@pytest.mark.rule("E11")
@pytest.mark.parametrize("state", ["new", "unlocked", "locked", "retired"])
@doors(REARM)
def test_the_clock_starts_again(door: Door, state: str, world: World, device: Device) -> None:
    put_into(device, state)
    before = timezone.now()

    assert door(world, device).done

    lock = lock_of(device)
    assert (lock.state, lock.bound_network, lock.grant_given_at) == ("new", None, None)
    assert lock.armed_at >= before


@pytest.mark.rule("E11")
@pytest.mark.parametrize(
    ("state", "rules"),
    [
        ("suspected", ("E7",)),
        ("quarantined", ("E8q",)),
        ("disabled", ("E11",)),
    ],
)
@doors(REARM)
def test_it_is_not_armed_again(
    door: Door, state: str, rules: tuple[str, ...], world: World, device: Device
) -> None:
    put_into(device, state)

    is_refused(world, device, door, *rules)


@pytest.mark.rule("E11")
@pytest.mark.parametrize(
    "door",
    [by_api("rearm", role=Role.RESELLER), by_page("rearm", {"ship_on": ""}, person="rita")],
    ids=["API", "page"],
)
def test_the_provider_may_arm_a_suspected_phone_again(door: Door, world: World, device: Device) -> None:
    put_into(device, "suspected")

    assert door(world, device).done

    assert lock_of(device).state == "new"


def test_every_state_has_been_asked() -> None:
    """The table's columns and the states of the lock are the same set, but for disabled and suspected."""
    known = {choice for choice, _ in Lock._meta.get_field("state").flatchoices}
    assert set(STATES) - {"suspected", "disabled"} == known
