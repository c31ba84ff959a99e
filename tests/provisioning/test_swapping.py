"""E12: broken hardware is swapped; the phone keeps what it shows, and its old MAC is on no phone."""

from collections.abc import Callable

import pytest
import redis
import time_machine

from accounts.models import AuditEntry
from accounts.refusals import Forbidden, Invalid, Refusal
from accounts.scope import Actor
from devices import appearances, secrets, settings_tree
from devices.appearances import AppearanceRow
from devices.models import Appearance, Device, Extension
from provisioning import claims, entering, events, ledger, locking, publishing, retiring, swapping, wire
from provisioning.gate import Outcome, TokenKind
from provisioning.models import (
    Approval,
    CheckInHour,
    Claim,
    DeviceEvent,
    LastSeen,
    Lock,
    MacRecord,
    Outbox,
    Proof,
    Token,
    Upload,
)
from security.networks import parse_address
from tests.factories import make_phone
from tests.provisioning import notes
from tests.provisioning.furnished import (
    DAY,
    HOUR,
    MAC,
    MINUTE,
    NEW_MAC,
    NOW,
    OFFICE,
    PARTNER_MAC,
    Furnished,
    furnish,
)
from tests.provisioning.making import HOTEL, request
from tests.provisioning.verb_checks import everything, is_refused
from tests.tree import Tree, user_of

pytestmark = [pytest.mark.django_db, pytest.mark.rule("E12"), pytest.mark.usefixtures("clock")]

LATER = NOW + 2 * HOUR
Committed = Callable[..., object]


@pytest.fixture
def home(cast: Tree) -> Furnished:
    return furnish(cast)


@pytest.fixture
def swapped(home: Furnished, cast: Tree) -> Device:
    return swapping.swap(home.phone, by=cast.ana, mac="00-00-5E-00-53-43", now=LATER)


def all_of(device: Device) -> tuple[object, ...]:
    rows = Device.objects.filter(pk=device.pk).values().get()
    tokens = list(Token.objects.order_by("pk").values_list("hash", "kind", "until"))
    counts = [
        Upload.objects.filter(device=device).count(),
        Claim.objects.filter(device=device).count(),
        Extension.objects.filter(exposed_since=None).count(),
        MacRecord.objects.count(),
        Device.objects.count(),
    ]
    return everything(device), rows, tokens, counts


# --- what stays --------------------------------------------------------------------------------------------


def test_lines_keys_settings_and_place_stay(home: Furnished, swapped: Device, cast: Tree) -> None:
    phone = Device.objects.get(pk=home.phone.pk)

    assert (phone.mac, phone.code, phone.account) == (NEW_MAC, home.phone.code, cast.acme)
    assert (phone.name, phone.notes, phone.owner, phone.site, phone.model) == (
        "Front desk", "Ring twice", user_of(cast.ben), home.site, "T46S"
    )  # fmt: skip
    assert [row.extension for row in phone.appearances.order_by("position")] == [home.own, home.shared]
    assert [(key.position, key.value) for key in phone.keys.all()] == [(3, "4100")]
    assert settings_tree.effective(phone)["language"].value == "de"
    assert CheckInHour.objects.filter(device=phone).count() == 1
    assert DeviceEvent.objects.filter(device=phone, what="request", mac=MAC).exists()


def test_its_passwords_are_drawn_anew(home: Furnished, swapped: Device) -> None:
    old = secrets.open_text(secrets.Kind.ADMIN_PASSWORD, home.phone.code, home.phone.admin_password)
    new = secrets.open_text(secrets.Kind.ADMIN_PASSWORD, swapped.code, swapped.admin_password)

    assert len(new) == 16
    assert new != old


# --- what ends ---------------------------------------------------------------------------------------------


def test_it_is_new_from_now(home: Furnished, swapped: Device, cast: Tree) -> None:
    lock = home.lock

    assert (lock.state, lock.reason, lock.since, lock.by) == ("new", "", LATER, cast.ana.label)
    assert (lock.armed_at, lock.last_claim_at, lock.grant_given_at) == (LATER, None, None)
    assert (lock.bound_network, lock.bound_site, lock.accepted_agents, lock.follow_first) == (
        None,
        None,
        [],
        "",
    )
    assert list(lock.denials.all()) == []
    answer = claims.claim(request(swapped, HOTEL), now=LATER + MINUTE)
    assert (answer.verdict.outcome, answer.verdict.rule) == (Outcome.BOOTSTRAP, "R1")


def test_what_the_old_hardware_did_is_gone(home: Furnished, swapped: Device) -> None:
    for model in (Upload, Proof, LastSeen):
        assert not model.objects.filter(device=swapped).exists()
    assert {claim.device_id for claim in Claim.objects.filter(mac=MAC)} == {None}
    assert Approval.objects.get(pk=home.card.pk).status == "closed"


@pytest.mark.rule("T4")
def test_its_tokens_are_dead_on_no_device_and_never_the_new_mac_s(home: Furnished, swapped: Device) -> None:
    rows = Token.objects.all()

    assert len(rows) == 4
    assert {(t.kind, t.device_id, t.mac, bytes(t.sealed)) for t in rows} == {
        (TokenKind.DEAD.value, None, MAC, b"")
    }
    assert claims.first_use(home.current.hash, parse_address(OFFICE), now=LATER + MINUTE) is False
    assert claims.claim(request(home.phone, OFFICE), now=LATER + MINUTE).verdict.rule == "R11"


@pytest.mark.rule("E15")
def test_its_extensions_secrets_may_be_known(home: Furnished, swapped: Device) -> None:
    for extension in (home.own, home.shared):
        extension.refresh_from_db()
        assert extension.exposed_since == LATER
        assert extension.exposed_why == "The hardware of Front desk was swapped (E12)"


def test_the_log_says_which_hardware_came_for_which(home: Furnished, swapped: Device, cast: Tree) -> None:
    event = DeviceEvent.objects.filter(device=swapped).latest("pk")

    assert (event.what, event.rule, event.mac, event.at) == ("swapped", "E12", NEW_MAC, LATER)
    assert events.described(event, now=LATER).sentence == (
        f"New hardware, set in by {cast.ana.label}: 00:00:5E:00:53:43 instead of 00:00:5E:00:53:41."
    )
    entry = AuditEntry.objects.get(verb="device.swapped")
    assert (entry.details["old"], entry.details["new"]) == (MAC, NEW_MAC)


def test_a_late_note_of_the_old_hardware_is_no_proof_of_the_new_one(
    home: Furnished, swapped: Device, cast: Tree
) -> None:
    poll = notes.used(home.phone, OFFICE, LATER - MINUTE, drift=False, token=home.current.hash)

    notes.drain(poll, notes.tried(home.phone, HOTEL, LATER - MINUTE, card=True), now=LATER + MINUTE)

    rows = DeviceEvent.objects.filter(what="request", at=LATER - MINUTE)
    assert [(row.device, row.account, row.mac) for row in rows] == [(swapped, cast.acme, MAC)] * 2
    assert not Proof.objects.filter(device=swapped).exists()
    assert not LastSeen.objects.filter(device=swapped).exists()
    assert not Approval.objects.filter(device=swapped, status="open").exists()


# --- the ledger --------------------------------------------------------------------------------------------


@pytest.mark.rule("E9")
def test_the_old_mac_goes_to_the_ledger_with_its_suspicion(home: Furnished, cast: Tree) -> None:
    Lock.objects.filter(pk=home.phone.pk).update(suspicion_since=NOW, suspicion_until=NOW + 7 * DAY)

    swapping.swap(home.phone, by=cast.ana, mac=NEW_MAC, now=LATER)

    entry = ledger.entry_of(MAC)
    assert entry is not None
    assert (entry.account_code, entry.claimed, entry.quarantined) == (cast.acme.code, True, False)
    assert (entry.bound_site_code, entry.left_at) == (home.site.code, LATER)
    assert entry.suspicion_until == NOW + 7 * DAY
    assert (home.lock.suspicion_since, home.lock.suspicion_until, home.lock.suspicion_why) == (None, None, "")
    assert ledger.entry_of(NEW_MAC) is None


@pytest.mark.rule("E9")
def test_repaired_hardware_comes_back_with_its_binding_and_its_suspicion(home: Furnished, cast: Tree) -> None:
    Lock.objects.filter(pk=home.phone.pk).update(suspicion_since=NOW, suspicion_until=NOW + 7 * DAY)
    swapped = swapping.swap(home.phone, by=cast.ana, mac=NEW_MAC, now=LATER)

    again = swapping.swap(swapped, by=cast.ana, mac=MAC, now=LATER + DAY)

    lock = home.lock
    assert (again.mac, lock.state, lock.reason) == (MAC, "locked", "previously-registered")
    assert (lock.bound_site, lock.suspicion_until) == (home.site, NOW + 7 * DAY)
    assert DeviceEvent.objects.filter(device=again).latest("pk").rule == "E9"
    assert ledger.entry_of(NEW_MAC) is None  # it was never set up


@pytest.mark.rule("E9")
def test_a_mac_that_another_account_had_is_locked_to_nothing(home: Furnished, cast: Tree) -> None:
    theirs = make_phone(cast.globex, by=cast.eve, mac=NEW_MAC, now=NOW)
    claims.claim(request(theirs, HOTEL), now=NOW)
    entering.remove(theirs, by=cast.eve, now=NOW + HOUR)

    swapping.swap(home.phone, by=cast.ana, mac=NEW_MAC, now=LATER)

    lock = home.lock
    assert (lock.state, lock.reason, lock.bound_network) == ("locked", "previously-registered", None)


@pytest.mark.rule("E8q")
def test_a_mac_that_was_quarantined_stays_so(home: Furnished, cast: Tree) -> None:
    theirs = make_phone(cast.globex, by=cast.eve, mac=NEW_MAC, now=NOW)
    locking.quarantine(theirs, by=cast.eve, reason="Stolen", now=NOW)
    entering.remove(theirs, by=cast.eve, now=NOW + HOUR)

    swapped = swapping.swap(home.phone, by=cast.ana, mac=NEW_MAC, now=LATER)

    assert home.lock.state == "quarantined"
    assert claims.claim(request(swapped, OFFICE), now=LATER + MINUTE).verdict.rule == "R10"


# --- what is refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["vic", "ben", "eve"])
def test_only_a_manager_swaps(home: Furnished, cast: Tree, who: str) -> None:
    before = all_of(home.phone)

    with pytest.raises(Forbidden):
        swapping.swap(home.phone, by=getattr(cast, who), mac=NEW_MAC, now=LATER)

    assert all_of(home.phone) == before


@pytest.mark.rule("E8q")
def test_no_other_mac_frees_a_quarantined_phone(home: Furnished, cast: Tree) -> None:
    locking.quarantine(home.phone, by=cast.ana, reason="Stolen", now=NOW)
    before = all_of(home.phone)

    is_refused(home.phone, swapping.swap, "quarantined", "E8q", by=cast.ana, mac=NEW_MAC, now=LATER)

    assert all_of(home.phone) == before


def test_a_retired_phone_is_rearmed_first(home: Furnished, cast: Tree) -> None:
    retiring.retire(home.phone, by=cast.ana, now=NOW + HOUR)
    before = all_of(home.phone)

    is_refused(home.phone, swapping.swap, "retired", "E19", by=cast.ana, mac=NEW_MAC, now=LATER)

    assert all_of(home.phone) == before


@pytest.mark.parametrize(
    ("case", "changes", "code", "field"),
    [
        ("its own MAC", {"mac": MAC}, "same-mac", "mac"),
        ("no MAC", {"mac": "00005e"}, "invalid", "mac"),
        ("another phone's here", {"mac": PARTNER_MAC}, "already-here", "mac"),
        ("no such model", {"mac": NEW_MAC, "model": "T99X"}, "invalid", "model"),
        ("a model without that many keys", {"mac": NEW_MAC, "model": "T31P"}, "invalid", "position"),
    ],
)
def test_what_cannot_be_names_its_field_and_changes_nothing(
    home: Furnished, cast: Tree, case: str, changes: dict[str, str], code: str, field: str
) -> None:
    before = all_of(home.phone)

    with pytest.raises(Refusal) as refusal:
        swapping.swap(home.phone, by=cast.ana, now=LATER, **changes)

    assert (refusal.value.code, refusal.value.field) == (code, field)
    assert all_of(home.phone) == before


@pytest.mark.rule("E10")
def test_a_mac_that_is_active_elsewhere_is_refused_and_counted(home: Furnished, cast: Tree) -> None:
    theirs = make_phone(cast.globex, by=cast.eve, mac=NEW_MAC, now=NOW)
    claims.claim(request(theirs, HOTEL), now=NOW)
    before = Device.objects.values().get(pk=home.phone.pk), Token.objects.filter(kind="dead").count()

    with pytest.raises(Refusal) as refusal:
        swapping.swap(home.phone, by=cast.ana, mac=NEW_MAC, now=LATER)

    assert (refusal.value.code, refusal.value.detail) == ("active-elsewhere", entering.ELSEWHERE)
    assert (
        Device.objects.values().get(pk=home.phone.pk),
        Token.objects.filter(kind="dead").count(),
    ) == before
    entry = AuditEntry.objects.latest("pk")
    assert (entry.verb, entry.account, entry.details["mac"]) == ("device.not-added", cast.acme, NEW_MAC)


def test_the_same_family_s_other_model_must_hold_the_lines(home: Furnished, cast: Tree) -> None:
    swapped = swapping.swap(home.phone, by=cast.ana, mac=NEW_MAC, model="SIP-T54W", now=LATER)

    assert Device.objects.get(pk=swapped.pk).model == "T54W"
    with pytest.raises(Invalid, match="no model 'VVX450'"):
        swapping.swap(swapped, by=cast.ana, mac=MAC, model="VVX450", now=LATER)
    assert Appearance.objects.filter(device=swapped).count() == 2


# --- the store ---------------------------------------------------------------------------------------------


def test_the_old_mac_gets_a_tombstone_and_the_new_one_its_lock(
    home: Furnished, cast: Tree, store: redis.Redis, django_capture_on_commit_callbacks: Committed
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        swapping.swap(home.phone, by=cast.ana, mac=NEW_MAC, now=LATER)

    assert store.exists(wire.mac_key(MAC))
    assert wire.unpack_lock(store.get(wire.mac_key(MAC))) is None
    record = wire.unpack_lock(store.get(wire.mac_key(NEW_MAC)))
    assert record is not None
    assert (record.facts.code, record.facts.mac, record.facts.state) == (str(home.phone.code), NEW_MAC, "new")
    for token in (home.current, home.former):
        facts = wire.unpack_token(store.get(wire.token_key(token.hash))).facts
        assert (facts.kind, facts.mac, facts.code) == (TokenKind.DEAD, MAC, "")
        assert store.keys(f"f:{{{token.hash}}}:*") == []


def test_onto_a_mac_that_another_phone_has_just_left(
    home: Furnished, cast: Tree, store: redis.Redis, clock: time_machine.Traveller,
    django_capture_on_commit_callbacks: Committed,
) -> None:  # fmt: skip
    """Its tombstone is newer than the phone's own row: the phone's record must win all the same."""
    Lock.objects.filter(pk=home.phone.pk).update(revision=7, files_revision=7)
    with django_capture_on_commit_callbacks(execute=True):
        entering.remove(make_phone(cast.acme, by=cast.ana, mac=NEW_MAC), by=cast.ana)
    assert wire.unpack_lock(store.get(wire.mac_key(NEW_MAC))) is None
    clock.move_to(LATER)

    with django_capture_on_commit_callbacks(execute=True):
        swapping.swap(home.phone, by=cast.ana, mac=NEW_MAC)

    record = wire.unpack_lock(store.get(wire.mac_key(NEW_MAC)))
    assert record is not None
    assert record.facts.code == str(home.phone.code)


@pytest.mark.rule("E10")
def test_a_phone_that_never_came_yields_and_the_next_one_is_known_at_once(
    home: Furnished, cast: Tree, store: redis.Redis, django_capture_on_commit_callbacks: Committed
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        make_phone(cast.globex, by=cast.eve, mac=NEW_MAC, now=NOW - 40 * DAY)

    with django_capture_on_commit_callbacks(execute=True):
        swapping.swap(home.phone, by=cast.ana, mac=NEW_MAC, now=LATER)

    assert Device.objects.get(mac=NEW_MAC) == home.phone
    record = wire.unpack_lock(store.get(wire.mac_key(NEW_MAC)))
    assert record is not None
    assert record.facts.account_path == cast.acme.path


def test_with_the_store_away_the_sweeper_lays_the_old_mac_to_rest(
    home: Furnished, cast: Tree, store: redis.Redis
) -> None:
    swapping.swap(home.phone, by=cast.ana, mac=NEW_MAC, now=LATER)  # a crash: nothing is done on commit
    assert wire.unpack_lock(store.get(wire.mac_key(MAC))) is not None

    publishing.sweep(NOW + publishing.COMPILED_BY + HOUR)

    assert wire.unpack_lock(store.get(wire.mac_key(MAC))) is None
    assert wire.unpack_lock(store.get(wire.mac_key(NEW_MAC))) is not None
    assert not Outbox.objects.filter(what=Outbox.What.GONE).exists()


def test_a_shared_line_goes_on_being_shared(home: Furnished, cast: Tree) -> None:
    before = Lock.objects.get(pk=home.partner.pk).files_revision

    swapping.swap(home.phone, by=cast.ana, mac=NEW_MAC, now=LATER)

    assert Lock.objects.get(pk=home.partner.pk).files_revision == before
    lines = settings_tree.phone_settings([home.partner])[home.partner.pk].lines
    assert [line.shared for line in lines] == [True]
    appearances.put(home.partner, by=cast.ana, rows=[AppearanceRow(1, home.own)], now=LATER)


def test_support_swaps_too(home: Furnished, support: Actor) -> None:
    assert swapping.swap(home.phone, by=support, mac=NEW_MAC, now=LATER).mac == NEW_MAC
