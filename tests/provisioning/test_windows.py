"""Provisioning windows: who opens them, for how long, for which phones, and what they let in (E4, E5, E6)."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts import tenants
from accounts.models import Account, AuditEntry
from accounts.refusals import Forbidden, Refusal
from accounts.scope import Actor
from devices.models import Device
from provisioning import facts, locking, policies, windows
from provisioning.models import FailureKey, ListsVersion, Window
from security.networks import parse_address, parse_network
from tests.factories import (
    AWAY,
    ELSEWHERE,
    HOME,
    banned,
    bind,
    claimed,
    failure,
    make_phone,
    make_site,
    origin,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock"), pytest.mark.rule("E4", "E5", "E6")]

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture(autouse=True)
def _documentation_addresses(settings: Any) -> None:
    """Addresses of the documentation are no public ones; a trial takes them."""
    settings.LATCHKEY_TRIAL = True


def open_at(account: Account, by: Actor, address: str = AWAY, **changes: Any) -> Window:
    return windows.open_window(account, by=by, **{"origin": origin(address), "hours": 8, **changes})


def is_refused(account: Account, by: Actor, code: str, *, field: str | None = None, **changes: Any) -> None:
    before = (
        Window.objects.count(),
        AuditEntry.objects.count(),
        ListsVersion.objects.values_list("number").first(),
    )
    with pytest.raises(Refusal) as caught:
        open_at(account, by, **changes)
    assert (caught.value.code, caught.value.rule, caught.value.field) == (code, "E4", field)
    assert before == (
        Window.objects.count(), AuditEntry.objects.count(), ListsVersion.objects.values_list("number").first()
    )  # fmt: skip


def test_a_window_opens_now_for_whole_hours(phone: Device, acme: Account, ana: Actor) -> None:
    window = open_at(acme, ana)

    assert (window.starts_at, window.ends_at) == (timezone.now(), timezone.now() + 8 * HOUR)
    assert (window.network, window.covers, window.opened_by) == (origin(AWAY), 1, ana.label)
    entry = AuditEntry.objects.latest("id")
    assert (entry.verb, entry.details["covers"]) == ("window.opened", 1)


def test_the_edges_are_told(phone: Device, acme: Account, ana: Actor) -> None:
    open_at(acme, ana)
    number = ListsVersion.objects.get().number

    window = open_at(acme, ana, ELSEWHERE)
    windows.close_window(window, by=ana)

    assert ListsVersion.objects.get().number == number + 2


@pytest.mark.parametrize("hours", [1, 40])
def test_a_window_lasts_from_one_to_forty_hours(acme: Account, ana: Actor, hours: int) -> None:
    window = open_at(acme, ana, hours=hours)

    assert window.ends_at - window.starts_at == hours * HOUR


@pytest.mark.parametrize("hours", [0, 41, -1, 1.5, True, "8"])
def test_no_other_hours(acme: Account, ana: Actor, hours: Any) -> None:
    is_refused(acme, ana, "invalid", field="hours", hours=hours)


def test_the_reseller_says_how_long_at_most(acme: Account, ana: Actor, rita: Actor) -> None:
    policies.set_value(acme, by=rita, name="window_max_hours", value=4)

    is_refused(acme, ana, "invalid", field="hours", hours=5)
    assert open_at(acme, ana, hours=4).pk


def test_a_window_starts_within_fourteen_days(acme: Account, ana: Actor) -> None:
    now = timezone.now()
    is_refused(acme, ana, "invalid", field="starts", starts=now + 14 * DAY + timedelta(seconds=1))
    is_refused(acme, ana, "invalid", field="starts", starts=now - HOUR)

    window = open_at(acme, ana, starts=now + 14 * DAY)

    assert (window.starts_at, window.ends_at) == (now + 14 * DAY, now + 14 * DAY + 8 * HOUR)


def test_a_window_is_for_one_origin(acme: Account, ana: Actor) -> None:
    is_refused(acme, ana, "invalid", field="address", origin=parse_network("203.0.113.0/24"))
    is_refused(acme, ana, "invalid", field="address", origin=parse_network("2001:db8::/48"))

    assert open_at(acme, ana, "2001:db8:0:1::7").network == parse_network("2001:db8:0:1::/64")


@pytest.mark.parametrize("address", ["192.168.1.7", "127.0.0.5", "10.0.0.1", "fd00::1", "100.64.0.1"])
def test_only_a_trial_takes_private_addresses(acme: Account, ana: Actor, settings: Any, address: str) -> None:
    assert open_at(acme, ana, address).pk
    settings.LATCHKEY_TRIAL = False

    is_refused(acme, ana, "invalid", field="address", origin=origin(address))
    assert open_at(acme, ana, "8.8.8.8").pk


def test_a_blocked_or_banned_address_gets_no_window(acme: Account, ana: Actor) -> None:
    ban = banned(AWAY)
    is_refused(acme, ana, "banned")
    ban.kind = "blocked"
    ban.save()
    is_refused(acme, ana, "blocked")
    ban.lifted_at = timezone.now()
    ban.save()

    assert open_at(acme, ana).pk


def test_twenty_windows_are_open_at_once(acme: Account, globex: Account, ana: Actor, eve: Actor) -> None:
    opened = [open_at(acme, ana, f"198.51.100.{number}", hours=1 + number) for number in range(1, 21)]
    is_refused(acme, ana, "too-many-windows")
    assert open_at(globex, eve).pk

    windows.close_window(opened[0], by=ana)

    assert open_at(acme, ana).pk


def test_above_fifty_phones_the_number_is_typed(acme: Account, ana: Actor, monkeypatch: Any) -> None:
    monkeypatch.setattr(windows, "TYPED_ABOVE", 1)
    make_phone(acme, by=ana)
    assert open_at(acme, ana).covers == 1
    make_phone(acme, by=ana)

    is_refused(acme, ana, "confirm", field="confirm")
    is_refused(acme, ana, "confirm", field="confirm", confirm=3)
    assert open_at(acme, ana, confirm=2).covers == 2
    assert windows.TYPED_ABOVE == 1


def test_fifty_is_the_number() -> None:
    assert windows.TYPED_ABOVE == 50


def test_quarantined_retired_and_disabled_phones_are_not_covered(
    phone: Device, acme: Account, ana: Actor
) -> None:
    for state in ("quarantined", "retired"):
        other = make_phone(acme, by=ana)
        type(other.lock).objects.filter(pk=other.pk).update(state=state)
    off = make_phone(acme, by=ana)
    Device.objects.filter(pk=off.pk).update(is_enabled=False)

    assert list(windows.covered(acme)) == [phone]


def test_a_window_covers_the_accounts_below_and_no_sibling(
    phone: Device, acme: Account, globex: Account, harbour: Account, ana: Actor, eve: Actor, rita: Actor
) -> None:
    below = tenants.create_account(acme, by=rita, slug="acme-lab", name="Acme Lab")
    lab = make_phone(below, by=ana)
    other = make_phone(globex, by=eve)

    assert set(windows.covered(acme)) == {phone, lab}
    assert set(windows.covered(harbour)) == {phone, lab, other}
    assert windows.cover(globex) == 1


def test_a_window_can_be_for_a_site_or_a_list(phone: Device, acme: Account, ana: Actor) -> None:
    site = make_site(acme, by=ana)
    inside = make_phone(acme, by=ana, site=site)

    assert open_at(acme, ana, site=site).covers == 1
    listed = open_at(acme, ana, devices=[phone, inside])

    assert (listed.covers, set(listed.devices.all())) == (2, {phone, inside})
    gates = facts.windows_at(parse_address(AWAY), timezone.now())
    assert {(w.site, w.devices) for w in gates} == {
        (str(site.code), None),
        (None, frozenset({str(phone.code), str(inside.code)})),
    }


def test_a_filter_names_the_accounts_own(
    phone: Device, acme: Account, globex: Account, ana: Actor, eve: Actor
) -> None:
    theirs = make_phone(globex, by=eve)

    is_refused(acme, ana, "invalid", field="site", site=make_site(globex, by=eve))
    is_refused(acme, ana, "invalid", field="devices", devices=[phone, theirs])
    is_refused(acme, ana, "invalid", field="devices", devices=[])


def test_only_who_holds_the_power_opens_or_closes(
    acme: Account, ana: Actor, ben: Actor, vic: Actor, eve: Actor
) -> None:
    window = open_at(acme, ana)

    for actor in (ben, vic, eve):
        with pytest.raises(Forbidden):
            open_at(acme, actor)
        with pytest.raises(Forbidden):
            windows.close_window(window, by=actor)
    assert Window.objects.get().closed_at is None


def test_opening_withdraws_the_keys_of_the_phones_it_covers(
    locked: Device, acme: Account, ana: Actor
) -> None:
    ours = failure(AWAY, label=locked.mac)
    kept = [
        failure(ELSEWHERE, label=locked.mac),
        failure(AWAY, label="00005e005399"),
        failure(AWAY, kind="unknown-mac", label="00005e005398"),
        failure(AWAY, kind="wrong-agent", label=locked.mac),
    ]

    open_at(acme, ana)

    assert set(FailureKey.objects.all()) == set(kept)
    assert ours not in FailureKey.objects.all()


def test_a_window_is_closed_early_once(acme: Account, ana: Actor) -> None:
    window = open_at(acme, ana)

    closed = windows.close_window(window, by=ana)
    entries = AuditEntry.objects.count()
    windows.close_window(window, by=ana)

    assert closed.closed_at == timezone.now()
    assert AuditEntry.objects.count() == entries
    assert facts.windows(timezone.now()) == ()


def test_a_window_closes_by_itself_and_the_sweep_writes_it_down_once(acme: Account, ana: Actor) -> None:
    window = open_at(acme, ana, hours=1)
    end = window.ends_at
    assert windows.sweep(end - timedelta(seconds=1)) == 0

    assert (windows.sweep(end), windows.sweep(end)) == (1, 0)

    assert Window.objects.get().closed_at == end
    assert AuditEntry.objects.latest("id").verb == "window.ended"


def test_an_open_window_lists_who_was_let_in_and_who_is_missing(
    locked: Device, acme: Account, ana: Actor
) -> None:
    now = timezone.now()
    here, arrived, early = (make_phone(acme, by=ana, name=name) for name in ("Here", "Arrived", "Early"))
    bind(here, AWAY)
    window = open_at(acme, ana, starts=now)
    claimed(arrived, AWAY, at=now + HOUR, rule="R2")
    claimed(early, AWAY, at=now - HOUR)
    claimed(locked, HOME, at=now + HOUR)

    assert [claim.device for claim in windows.let_in(window)] == [arrived]
    assert set(windows.missing(window)) == {locked, early}


def test_a_phone_at_home_in_a_site_there_is_not_missing(locked: Device, acme: Account, ana: Actor) -> None:
    site = make_site(acme, by=ana, networks=[f"{AWAY}/32"])
    bind(locked, site=site)

    assert list(windows.missing(open_at(acme, ana))) == []


def test_a_locked_phone_stays_locked_while_a_window_is_open(
    locked: Device, acme: Account, ana: Actor
) -> None:
    open_at(acme, ana)

    assert not locking.expire(locked, now=timezone.now())
    assert type(locked.lock).objects.get(pk=locked.pk).state == "locked"
