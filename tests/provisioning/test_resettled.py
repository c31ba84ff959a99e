"""E18 for the phones: published anew, judged by their new line of accounts, let go of who was above."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import redis
from django.utils import timezone

from accounts import resettling, tenants
from accounts.authentication import actor_of
from accounts.models import Account, AuditEntry
from accounts.refusals import Refusal
from accounts.roles import Role
from accounts.scope import Actor
from devices import levels, settings_tree
from devices.models import Device
from provisioning import (
    claims,
    differences,
    entering,
    files,
    locking,
    policies,
    publishing,
    sites,
    unlock_all,
    windows,
    wire,
)
from provisioning.differences import Difference
from provisioning.gate import Outcome
from provisioning.models import DeviceEvent, JobItem, Lock, Outbox, Window
from tests.factories import AWAY, HOME, bind, make_phone, origin
from tests.provisioning.making import request
from tests.tree import PASSWORD, Tree, user_of

pytestmark = [pytest.mark.django_db, pytest.mark.rule("E18"), pytest.mark.usefixtures("clock")]

Committed = Callable[..., object]
AGENT = "Yealink SIP-T46U 108.86.0.90"


@pytest.fixture
def lake(cast: Tree) -> Account:
    return tenants.create_account(cast.platform, by=cast.support, slug="lake", name="Lake Telecom")


@pytest.fixture
def lars(cast: Tree, lake: Account) -> Actor:
    made = tenants.add_person(
        lake, by=cast.support, email="lars@example.org", name="Lars", role=Role.RESELLER, password=PASSWORD
    )
    return actor_of(made.user)


def outcome(phone: Device, address: str = AWAY) -> tuple[Outcome, str]:
    verdict = claims.claim(request(phone, address, agent=AGENT), now=timezone.now()).verdict
    return verdict.outcome, verdict.rule


# --- the store ---------------------------------------------------------------------------------------------


def test_every_phone_of_the_subtree_is_published_under_its_new_path(
    cast: Tree,
    lake: Account,
    locked: Device,
    store: redis.Redis,
    django_capture_on_commit_callbacks: Committed,
) -> None:
    lab = tenants.create_account(cast.acme, by=cast.support, slug="lab", name="Acme Lab")
    deep = make_phone(lab, by=cast.ana)
    other = make_phone(cast.globex, by=cast.eve)
    publishing.publish_devices([locked.pk, deep.pk, other.pk])
    revisions = dict(Lock.objects.values_list("pk", "files_revision"))

    with django_capture_on_commit_callbacks(execute=True):
        moved = resettling.move_customer(cast.acme, by=cast.support, below=lake)

    lab.refresh_from_db()
    paths = {}
    for phone in (locked, deep, other):
        record = wire.unpack_lock(store.get(wire.mac_key(phone.mac)))
        assert record is not None
        paths[phone] = record.facts.account_path
    assert paths == {locked: moved.path, deep: lab.path, other: cast.globex.path}
    grown = {
        pk for pk, revision in Lock.objects.values_list("pk", "files_revision") if revision > revisions[pk]
    }
    assert grown == {locked.pk, deep.pk}


def test_a_crash_after_the_commit_is_healed_by_the_sweeper(
    cast: Tree, lake: Account, locked: Device, store: redis.Redis
) -> None:
    publishing.publish_devices([locked.pk])
    moved = resettling.move_customer(cast.acme, by=cast.support, below=lake)

    publishing.sweep(timezone.now() + timedelta(hours=1))

    record = wire.unpack_lock(store.get(wire.mac_key(locked.mac)))
    assert record is not None
    assert record.facts.account_path == moved.path
    assert not Outbox.objects.filter(what=Outbox.What.LISTS).exists()


def test_its_files_say_what_it_inherits_there(cast: Tree, lake: Account, phone: Device) -> None:
    settings_tree.set_value(cast.harbour, by=cast.support, name="sip_server", value="sip.harbour.example")
    settings_tree.set_value(lake, by=cast.support, name="sip_server", value="sip.lake.example")

    resettling.move_customer(cast.acme, by=cast.support, below=lake)

    assert settings_tree.phone_settings([phone])[phone.pk].sip.host == "sip.lake.example"
    assert files.publish_files([phone.pk]) == {}


# --- windows -----------------------------------------------------------------------------------------------


def test_a_window_of_the_former_reseller_admits_nothing_of_it_at_once(
    cast: Tree, lake: Account, lars: Actor, locked: Device, store: redis.Redis,
    django_capture_on_commit_callbacks: Committed,
) -> None:  # fmt: skip
    windows.open_window(cast.harbour, by=cast.rita, origin=origin(AWAY), hours=4)
    with django_capture_on_commit_callbacks(execute=True):
        moved = resettling.move_customer(cast.acme, by=cast.support, below=lake)

    assert outcome(locked) == (Outcome.REFUSED, "R6")
    lists = wire.unpack_lists(store.get(wire.LISTS_DATA))
    record = wire.unpack_lock(store.get(wire.mac_key(locked.mac)))
    assert record is not None
    assert [window.account_path for window in lists.windows] == [cast.harbour.path]
    assert not record.facts.account_path.startswith(cast.harbour.path)

    windows.open_window(lake, by=lars, origin=origin(AWAY), hours=4)
    assert moved.path.startswith(lake.path)
    assert outcome(locked) == (Outcome.BOOTSTRAP, "R5")


def test_its_own_window_moves_with_it(
    cast: Tree,
    lake: Account,
    locked: Device,
    store: redis.Redis,
    django_capture_on_commit_callbacks: Committed,
) -> None:
    windows.open_window(cast.acme, by=cast.ana, origin=origin(AWAY), hours=4)

    with django_capture_on_commit_callbacks(execute=True):
        moved = resettling.move_customer(cast.acme, by=cast.support, below=lake)

    assert [w.account_path for w in wire.unpack_lists(store.get(wire.LISTS_DATA)).windows] == [moved.path]
    assert outcome(locked) == (Outcome.BOOTSTRAP, "R5")


def test_windows_of_the_former_reseller_name_none_of_its_phones_and_sites(
    cast: Tree, lake: Account, locked: Device
) -> None:
    yard = sites.create(cast.acme, by=cast.ana, name="Yard", networks=["198.51.100.32/28"])
    stays = make_phone(cast.globex, by=cast.eve)
    more = {"by": cast.rita, "origin": origin(AWAY), "hours": 4}
    of_site = windows.open_window(cast.harbour, site=yard, **more)
    of_it_alone = windows.open_window(cast.harbour, devices=[locked], **more)
    of_both = windows.open_window(cast.harbour, devices=[locked, stays], **more)
    from_above = windows.open_window(cast.platform, devices=[locked], **{**more, "by": cast.support})

    resettling.move_customer(cast.acme, by=cast.support, below=lake)

    closed = {window.pk: window.closed_at is not None for window in Window.objects.all()}
    assert closed == {of_site.pk: True, of_it_alone.pk: True, of_both.pk: False, from_above.pk: False}
    assert list(of_both.devices.all()) == [stays]
    assert list(from_above.devices.all()) == [locked]
    assert AuditEntry.objects.filter(verb="window.closed", details__rule="E18").count() == 2


# --- people ------------------------------------------------------------------------------------------------


def test_an_owner_who_reached_it_from_above_alone_owns_no_more(
    cast: Tree, lake: Account, phone: Device
) -> None:
    hers = make_phone(cast.acme, by=cast.ana, owner=user_of(cast.rita), name="Guest desk")
    from_above = make_phone(cast.acme, by=cast.ana, owner=user_of(cast.support))

    resettling.move_customer(cast.acme, by=cast.support, below=lake)

    owners = {device.pk: device.owner for device in Device.objects.filter(account=cast.acme)}
    assert owners == {phone.pk: user_of(cast.ben), hers.pk: None, from_above.pk: user_of(cast.support)}
    event = DeviceEvent.objects.get(rule="E18")
    assert (event.device, event.details["changes"]) == (hers, {"owner": ["Rita", None]})
    assert not Device.objects.visible_to(actor_of(user_of(cast.rita))).filter(account=cast.acme).exists()


def test_what_the_former_reseller_had_begun_stops(cast: Tree, lake: Account, locked: Device) -> None:
    job = unlock_all.start(cast.harbour, by=cast.rita)
    stale = Device.objects.select_related("account").get(pk=locked.pk)

    resettling.move_customer(cast.acme, by=cast.support, below=lake)
    unlock_all.run(job.pk)

    assert Lock.objects.get(pk=locked.pk).state == "locked"
    assert JobItem.objects.get(job=job, device=locked).result == JobItem.Result.SKIPPED
    with pytest.raises(Refusal) as refusal:
        locking.unlock(stale, by=cast.rita)
    assert refusal.value.code == "moved"
    with pytest.raises(Refusal):
        entering.change(stale, by=cast.rita, name="Mine")
    assert Lock.objects.get(pk=locked.pk).state == "locked"


def test_lines_places_and_locks_stay(cast: Tree, lake: Account, locked: Device) -> None:
    bind(locked, HOME)

    resettling.move_customer(cast.acme, by=cast.support, below=lake)

    lock = Lock.objects.get(pk=locked.pk)
    assert (lock.state, lock.bound_network) == ("locked", origin(HOME))
    assert outcome(locked, HOME) == (Outcome.BOOTSTRAP, "R4")


# --- the preview -------------------------------------------------------------------------------------------


def test_the_preview_says_what_would_be_inherited(cast: Tree, lake: Account) -> None:
    for account, host in ((cast.harbour, "sip.harbour.example"), (lake, "sip.lake.example")):
        settings_tree.set_value(account, by=cast.support, name="sip_server", value=host)
    settings_tree.set_value(cast.harbour, by=cast.support, name="language", value="de")
    settings_tree.set_value(cast.acme, by=cast.ana, name="language", value="fr")
    settings_tree.set_value(lake, by=cast.support, name="time_zone", value="America/New_York")
    policies.set_value(lake, by=cast.support, name="window_max_hours", value=8)
    policies.set_value(cast.harbour, by=cast.support, name="user_unlock_ttl", value=12)
    policies.set_value(cast.acme, by=cast.ana, name="fresh_ttl", value=5)
    policies.set_value(lake, by=cast.support, name="fresh_ttl", value=100)

    found = differences.preview(cast.acme, lake)

    assert found == [
        Difference("sip_server", "sip.harbour.example", "sip.lake.example", "SIP server"),
        Difference("user_unlock_ttl", 12, 24, "An end user's unlock", kind="policy"),
        Difference("window_max_hours", 40, 8, "The longest window", kind="policy"),
    ]


def test_what_it_has_tightened_itself_is_capped_by_what_it_comes_under(cast: Tree, lake: Account) -> None:
    policies.set_value(cast.acme, by=cast.ana, name="user_unlock_ttl", value=10)
    policies.set_value(lake, by=cast.support, name="user_unlock_ttl", value=6)

    assert differences.preview(cast.acme, lake) == [
        Difference("user_unlock_ttl", 10, 6, "An end user's unlock", kind="policy")
    ]


def test_the_preview_is_what_the_move_then_brings(cast: Tree, lake: Account, phone: Device) -> None:
    settings_tree.set_value(lake, by=cast.support, name="voicemail_number", value="*98")
    policies.set_value(lake, by=cast.support, name="token_overlap", value=1)
    told = {difference.name: difference.after for difference in differences.preview(cast.acme, lake)}

    moved = resettling.move_customer(cast.acme, by=cast.support, below=lake)

    assert told == {"voicemail_number": "*98", "token_overlap": 1}
    assert settings_tree.account_values([moved])[moved.pk]["voicemail_number"].value == "*98"
    assert policies.effective(moved).token_overlap == timedelta(hours=1)
    assert differences.preview(moved, lake) == []


def test_what_is_given_for_single_models_differs_too(cast: Tree, lake: Account) -> None:
    for account, language in ((cast.harbour, "de"), (lake, "fr")):
        model = levels.model_in(account, "yealink", "T46S")
        settings_tree.set_value(model, by=cast.support, name="language", value=language)
    other = levels.model_in(cast.harbour, "yealink", "T48S")
    settings_tree.set_value(other, by=cast.support, name="poll_hours", value=6)
    mine = levels.model_in(cast.acme, "yealink", "T46S")
    settings_tree.set_value(mine, by=cast.ana, name="voicemail_number", value="*98")

    assert differences.preview(cast.acme, lake) == [
        Difference("language", "de", "fr", "Language (Yealink T46S)"),
        Difference("poll_hours", 6, 24, "Hours between check-ins (Yealink T48S)"),
    ]


def test_nothing_differs_between_two_resellers_who_say_nothing(cast: Tree, lake: Account) -> None:
    assert differences.preview(cast.acme, lake) == []
