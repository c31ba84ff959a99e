"""Phones come and go: what is checked at the door, what the ledger remembers, what removal leaves behind."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings

from accounts import tenants
from accounts.authentication import actor_of
from accounts.models import AuditEntry
from accounts.refusals import Forbidden, Invalid, Refusal
from accounts.roles import Role
from devices import appearances, extensions, secrets
from devices.appearances import AppearanceRow
from devices.models import Device
from provisioning import claims, entering, facts, locking, sites, tokens, wire
from provisioning.gate import Outcome, State, TokenKind
from provisioning.models import DeviceEvent, Lock, MacRecord, Outbox, Token
from security.networks import origin_of, parse_address
from tests.provisioning.making import HOME, HOTEL, request
from tests.tree import Tree, plant, user_of

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
MAC = "00005e005301"


@pytest.fixture
def tree() -> Tree:
    return plant()


def enter(tree: Tree, now: datetime = NOW, **changes: Any) -> Device:
    given = {"mac": MAC, "family": "yealink", "model": "T46S", **changes}
    account, by = given.pop("account", tree.acme), given.pop("by", tree.ana)
    return entering.enter(account, by=by, now=now, **given)


def lock_of(device: Device) -> Lock:
    found: Lock = Lock.objects.select_related("bound_site").get(pk=device.pk)
    return found


# --- at the door -------------------------------------------------------------------------------------------


def test_a_phone_is_new_from_now(tree: Tree) -> None:
    phone = enter(
        tree,
        mac="00-00-5E:00.53 01",
        family="Yealink",
        model="SIP-T46S",
        name=" Desk ",
        owner=user_of(tree.ben),
    )

    phone = Device.objects.get(pk=phone.pk)
    assert (phone.mac, phone.family, phone.model, phone.name) == (MAC, "yealink", "T46S", "Desk")
    lock = lock_of(phone)
    assert (lock.state, lock.reason, lock.armed_at, lock.bound_network) == ("new", "", NOW, None)
    assert 0 <= phone.poll_minute < 1440
    admin = secrets.open_text(secrets.Kind.ADMIN_PASSWORD, phone.code, phone.admin_password)
    user = secrets.open_text(secrets.Kind.USER_PASSWORD, phone.code, phone.user_password)
    assert len({admin, user}) == 2
    entry, event = AuditEntry.objects.latest("id"), DeviceEvent.objects.latest("id")
    assert (entry.verb, entry.details["mac"], event.what, event.at) == ("device.entered", MAC, "entered", NOW)
    assert admin not in str(entry.details)


@pytest.mark.rule("R3a")
def test_a_phone_that_ships_later_is_armed_on_that_day(tree: Tree) -> None:
    phone = enter(tree, ship_on=date(2026, 3, 20))

    assert lock_of(phone).armed_at == datetime(2026, 3, 19, 23, 0, tzinfo=UTC)  # midnight in Berlin


@pytest.mark.parametrize(
    ("case", "changes", "field", "words"),
    [
        ("ten digits", {"mac": "00005e0053"}, "mac", "this has 10"),
        ("no digits", {"mac": "00005e00530g"}, "mac", "'g' is none"),
        ("no such family", {"family": "yaelink"}, "family", "Did you mean yealink?"),
        ("nothing near", {"family": "???"}, "family", "Known are"),
        ("no such model", {"model": "T46X"}, "model", "Did you mean T46"),
        ("another family's model", {"model": "VVX450"}, "model", "no model 'VVX450'"),
        ("a name of two lines", {"name": "a\nb"}, "name", "cannot stand here"),
        ("a day that has passed", {"ship_on": date(2026, 3, 1)}, "ship_on", "passed"),
        ("too far ahead", {"ship_on": date(2026, 5, 2)}, "ship_on", "60 days"),
    ],
)
def test_what_cannot_be_names_its_field(
    tree: Tree, case: str, changes: dict[str, Any], field: str, words: str
) -> None:
    before = AuditEntry.objects.count()

    with pytest.raises(Invalid) as refusal:
        enter(tree, **changes)

    assert refusal.value.field == field
    assert words in refusal.value.detail
    assert (Device.objects.count(), AuditEntry.objects.count()) == (0, before)


@pytest.mark.parametrize("who", ["vic", "ben", "eve"])
def test_only_managers_of_the_account_enter_change_and_remove(tree: Tree, who: str) -> None:
    phone = enter(tree)
    actor = getattr(tree, who)

    for verb in (
        lambda: enter(tree, mac="00005e005302", by=actor),
        lambda: entering.change(phone, by=actor, name="Mine"),
        lambda: entering.remove(phone, by=actor),
    ):
        with pytest.raises(Forbidden):
            verb()

    assert [device.name for device in Device.objects.all()] == [""]


def test_an_owner_is_somebody_of_the_account(tree: Tree) -> None:
    with pytest.raises(Invalid) as refusal:
        enter(tree, owner=user_of(tree.eve))
    assert refusal.value.field == "owner"

    assert enter(tree, owner=user_of(tree.rita)).owner == user_of(tree.rita)


def test_a_site_is_one_of_the_account(tree: Tree) -> None:
    foreign = sites.create(tree.globex, by=tree.eve, name="Globex HQ")

    with pytest.raises(Invalid) as refusal:
        enter(tree, site=foreign)

    assert refusal.value.field == "site"


# --- E10 ---------------------------------------------------------------------------------------------------


@pytest.mark.rule("E10")
@pytest.mark.parametrize("state", [State.NEW, State.UNLOCKED, State.LOCKED, State.QUARANTINED])
def test_a_mac_elsewhere_is_refused_in_the_same_words_always(tree: Tree, state: State) -> None:
    other = enter(tree, account=tree.globex, by=tree.eve)
    if state is not State.NEW:
        claims.claim(request(other), now=NOW)
    if state is State.UNLOCKED:
        locking.unlock(other, by=tree.eve, span=locking.Span.parse("24h"), now=NOW)
    if state is State.QUARANTINED:
        locking.quarantine(other, by=tree.eve, reason="stolen", now=NOW)
    assert lock_of(other).state == state.value
    before = AuditEntry.objects.count()

    with pytest.raises(Refusal) as refusal:
        enter(tree, now=NOW + 40 * DAY if state is not State.NEW else NOW)

    assert refusal.value.detail == "This MAC cannot be added; ask your provider."
    assert (refusal.value.rule, refusal.value.field) == ("E10", "mac")
    assert (Device.objects.get().account, AuditEntry.objects.count()) == (tree.globex, before + 1)
    kept = AuditEntry.objects.latest("id")
    assert (kept.verb, kept.account, kept.details) == (
        "device.not-added", tree.acme, {"mac": MAC, "rule": "E10"}
    )  # fmt: skip


@pytest.mark.rule("E10")
def test_in_the_same_account_it_may_be_said(tree: Tree) -> None:
    enter(tree)

    with pytest.raises(Refusal) as refusal:
        enter(tree)

    assert (refusal.value.code, Device.objects.count()) == ("already-here", 1)


@pytest.mark.rule("E10")
def test_a_phone_that_never_came_yields_after_thirty_days(tree: Tree) -> None:
    enter(tree, account=tree.globex, by=tree.eve, ship_on=date(2026, 3, 10))
    with pytest.raises(Refusal):
        enter(tree, now=NOW + 37 * DAY)

    phone = enter(tree, now=NOW + 38 * DAY)

    assert Device.objects.get() == phone
    assert phone.account == tree.acme
    assert lock_of(phone).state == "new"
    told = AuditEntry.objects.get(verb="device.yielded")
    assert (told.account, told.details["mac"]) == (tree.globex, MAC)
    assert DeviceEvent.objects.get(what="yielded").account == tree.globex


# --- E9 ----------------------------------------------------------------------------------------------------


@pytest.mark.rule("E9")
def test_entered_again_it_comes_back_from_its_own_place_alone(tree: Tree) -> None:
    phone = enter(tree)
    claims.claim(request(phone), now=NOW)
    entering.remove(phone, by=tree.ana, now=NOW + DAY)

    again = enter(tree, now=NOW + 31 * DAY)

    lock = lock_of(again)
    assert (lock.state, lock.reason) == ("locked", "previously-registered")
    assert lock.bound_network == origin_of(parse_address(HOME))
    elsewhere = claims.claim(request(again, HOTEL), now=NOW + 31 * DAY)
    at_home = claims.claim(request(again), now=NOW + 31 * DAY)
    assert (elsewhere.verdict.outcome, elsewhere.verdict.rule) == (Outcome.REFUSED, "R6")
    assert (at_home.verdict.outcome, at_home.verdict.rule) == (Outcome.BOOTSTRAP, "R4")


@pytest.mark.rule("E9")
def test_a_site_that_is_still_there_is_its_place_again(tree: Tree) -> None:
    site = sites.create(tree.acme, by=tree.ana, name="Head office", networks=["8.8.8.0/24"])
    phone = enter(tree, site=site)
    claims.claim(request(phone, "8.8.8.8"), now=NOW)
    entering.remove(phone, by=tree.ana, now=NOW)

    again = enter(tree, now=NOW + DAY)

    assert lock_of(again).bound_site == site
    assert facts.load([again.pk], NOW)[again.pk].bound == tuple(sites.networks_of(site))


@pytest.mark.rule("E9")
@pytest.mark.parametrize(
    ("case", "changes", "days"),
    [("too late", {}, 31), ("by another account", {"account": "globex", "by": "eve"}, 1)],
)
def test_otherwise_it_is_locked_and_bound_to_nothing(
    tree: Tree, case: str, changes: dict[str, str], days: int
) -> None:
    phone = enter(tree)
    claims.claim(request(phone), now=NOW)
    entering.remove(phone, by=tree.ana, now=NOW)

    again = enter(
        tree,
        now=NOW + days * DAY + timedelta(seconds=1),
        **{key: getattr(tree, name) for key, name in changes.items()},
    )

    lock = lock_of(again)
    assert (lock.state, lock.reason, lock.bound_network) == ("locked", "previously-registered", None)
    assert claims.claim(request(again), now=NOW + days * DAY + DAY).verdict.outcome is Outcome.REFUSED


@pytest.mark.rule("E9")
def test_a_phone_that_never_came_leaves_no_trace_in_the_ledger(tree: Tree) -> None:
    entering.remove(enter(tree), by=tree.ana, now=NOW)

    assert not MacRecord.objects.exists()
    assert lock_of(enter(tree, account=tree.globex, by=tree.eve)).state == "new"


@pytest.mark.rule("E8q")
def test_a_quarantine_outlives_the_phone(tree: Tree) -> None:
    phone = enter(tree)
    locking.quarantine(phone, by=tree.ana, reason="stolen", now=NOW)
    entering.remove(phone, by=tree.ana, now=NOW)

    again = enter(tree, account=tree.globex, by=tree.eve, now=NOW + 400 * DAY)

    assert lock_of(again).state == "quarantined"
    assert claims.claim(request(again), now=NOW + 400 * DAY).verdict.rule == "R10"


def test_the_ledger_holds_no_mac_in_clear(tree: Tree) -> None:
    phone = enter(tree)
    claims.claim(request(phone), now=NOW)
    entering.remove(phone, by=tree.ana, now=NOW)

    assert MacRecord.objects.get().mac_hash == wire.mac_hash(settings.TOKEN_KEY, MAC)


# --- changing ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "changes", "lock_grows", "files_grow"),
    [
        ("its name is in its files", {"name": "Desk"}, 1, 1),
        ("another model, other files", {"model": "T54W"}, 1, 1),
        ("switched off", {"is_enabled": False}, 1, 0),
        ("an owner is no phone's business", {"owner": "ben"}, 0, 0),
        ("nor are notes", {"notes": "on loan\nuntil May"}, 0, 0),
        ("nothing new", {"name": "", "is_enabled": True}, 0, 0),
    ],
)
def test_a_change_publishes_what_it_concerns(
    tree: Tree, case: str, changes: dict[str, Any], lock_grows: int, files_grow: int
) -> None:
    phone = enter(tree)
    before = lock_of(phone)
    if "owner" in changes:
        changes = {"owner": user_of(tree.ben)}

    entering.change(phone, by=tree.ana, now=NOW + DAY, **changes)

    after = lock_of(phone)
    assert after.revision - before.revision == lock_grows
    assert after.files_revision - before.files_revision == files_grow
    told = "nothing new" not in case
    assert (AuditEntry.objects.latest("id").verb == "device.changed") is told
    assert DeviceEvent.objects.filter(what="changed", at=NOW + DAY).exists() is told


def test_a_phone_that_is_off_is_refused_and_comes_back(tree: Tree) -> None:
    phone = enter(tree)
    entering.change(phone, by=tree.ana, is_enabled=False)
    assert claims.claim(request(phone), now=NOW).verdict.rule == "R10"

    entering.change(phone, by=tree.ana, is_enabled=True)
    assert claims.claim(request(phone), now=NOW).verdict.rule == "R1"


def test_a_switched_off_account_refuses_its_phones(tree: Tree) -> None:
    phone = enter(tree)
    before = lock_of(phone).revision

    tenants.switch_account(tree.acme, by=tree.rita, is_active=False)

    assert lock_of(phone).revision == before + 1
    assert claims.claim(request(phone), now=NOW).verdict.rule == "R10"


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"mac": "00005e005399"}, "mac"), ({"model": "T9999"}, "model"), ({"notes": "x" * 5001}, "notes")],
)
def test_what_cannot_be_changed_names_its_field(tree: Tree, changes: dict[str, Any], field: str) -> None:
    phone = enter(tree)

    with pytest.raises(Invalid) as refusal:
        entering.change(phone, by=tree.ana, name="Half done", **changes)

    assert (refusal.value.field, Device.objects.get().name) == (field, "")


def test_a_smaller_model_must_hold_the_lines(tree: Tree) -> None:
    phone = enter(tree)
    lines = [
        extensions.create(tree.acme, by=tree.ana, username=str(n), secret="of its own") for n in (1, 2, 3)
    ]
    rows = [AppearanceRow(at, line) for at, line in enumerate(lines, start=1)]
    appearances.put(phone, by=tree.ana, rows=rows)

    with pytest.raises(Invalid, match="Key 3"):
        entering.change(phone, by=tree.ana, model="T31G")

    assert Device.objects.get().model == "T46S"


# --- removing ----------------------------------------------------------------------------------------------


def test_removal_leaves_dead_tokens_and_the_story(tree: Tree) -> None:
    phone = enter(tree, name="Desk")
    claims.claim(request(phone), now=NOW)

    entering.remove(phone, by=tree.ana, now=NOW + DAY)

    assert not Device.objects.exists()
    rows = Token.objects.all()
    assert {(t.kind, t.device_id, t.mac, bytes(t.sealed), t.until) for t in rows} == {
        (TokenKind.DEAD.value, None, MAC, b"", NOW + DAY)
    }
    assert len(rows) == 2
    assert AuditEntry.objects.latest("id").verb == "device.removed"
    event = DeviceEvent.objects.get(what="removed")
    assert (event.device, event.account, event.mac) == (None, tree.acme, MAC)
    gone = Outbox.objects.get(what=Outbox.What.GONE)
    assert set(gone.details["tokens"]) == {t.hash for t in rows}


def test_the_phone_it_shared_a_line_with_shares_no_more(tree: Tree) -> None:
    phone, other = enter(tree), enter(tree, mac="00005e005302")
    line = extensions.create(tree.acme, by=tree.ana, username="4100", secret="of its own")
    for device in (phone, other):
        appearances.put(device, by=tree.ana, rows=[AppearanceRow(1, line)])
    before = lock_of(other).files_revision

    entering.remove(phone, by=tree.ana)

    assert lock_of(other).files_revision == before + 1


def test_two_people_remove_a_phone(tree: Tree) -> None:
    phone = enter(tree)

    entering.remove(phone, by=tree.ana)
    entering.remove(phone, by=tree.ana)

    assert AuditEntry.objects.filter(verb="device.removed").count() == 1


def test_a_former_manager_removes_nothing(tree: Tree) -> None:
    phone = enter(tree)
    membership = user_of(tree.ana).memberships.get()
    tenants.change_role(membership, by=tree.rita, role=Role.VIEWER)

    with pytest.raises(Forbidden):
        entering.remove(phone, by=actor_of(user_of(tree.ana)))

    assert tokens.living(phone.pk) == []
    assert Device.objects.exists()
