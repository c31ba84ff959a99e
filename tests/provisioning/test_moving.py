"""E17: a phone moves to another account, and nothing of the old tenant goes with it."""

from collections.abc import Callable

import pytest
import redis

from accounts import tenants
from accounts.refusals import Forbidden, Refusal
from devices import secrets, settings_tree
from devices.models import Appearance, Device, Extension
from provisioning import claims, entering, files, locking, moving, publishing, wire
from provisioning.gate import State, TokenKind
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
    Window,
)
from security.networks import parse_address
from tests.factories import make_phone
from tests.provisioning.furnished import (
    DAY,
    HOUR,
    MAC,
    MINUTE,
    NOW,
    OFFICE,
    Furnished,
    furnish,
)
from tests.provisioning.making import request
from tests.provisioning.verb_checks import everything, is_refused
from tests.tree import Tree

pytestmark = [pytest.mark.django_db, pytest.mark.rule("E17"), pytest.mark.usefixtures("clock")]

LATER = NOW + 2 * HOUR
Committed = Callable[..., object]


@pytest.fixture
def home(cast: Tree) -> Furnished:
    return furnish(cast)


@pytest.fixture
def moved(home: Furnished, cast: Tree) -> Device:
    return moving.move(home.phone, by=cast.rita, to=cast.globex, now=LATER)


def all_of(device: Device) -> tuple[object, ...]:
    """What a refusal must leave, beyond the lock: the phone, its lines, its tokens and what hangs on it."""
    rows = Device.objects.filter(pk=device.pk).values().get()
    tokens = list(Token.objects.filter(device=device).values_list("hash", "kind", "until"))
    counts = [
        Appearance.objects.filter(device=device).count(),
        *(model.objects.filter(device=device).count() for model in (Upload, Proof, Claim, DeviceEvent)),
        Extension.objects.filter(exposed_since=None).count(),
        MacRecord.objects.count(),
    ]
    return everything(device), rows, tokens, counts


# --- what ends ---------------------------------------------------------------------------------------------


def test_it_is_locked_to_nothing_because_it_moved(home: Furnished, moved: Device, cast: Tree) -> None:
    lock = home.lock

    assert Device.objects.get(pk=moved.pk).account == cast.globex
    assert (lock.state, lock.reason, lock.since, lock.by) == ("locked", "moved", LATER, cast.rita.label)
    assert (lock.bound_network, lock.bound_site, lock.grant_given_at, lock.accepted_agents) == (
        None,
        None,
        None,
        [],
    )
    assert (lock.follow_first, lock.follow_since, lock.last_claim_at, lock.armed_at) == (
        "",
        None,
        None,
        LATER,
    )
    assert list(lock.denials.all()) == []
    assert claims.claim(request(moved, OFFICE), now=LATER + HOUR).verdict.rule == "R6"


@pytest.mark.rule("T4")
def test_every_token_it_was_given_is_dead_for_good(home: Furnished, moved: Device) -> None:
    rows = Token.objects.filter(mac=MAC)

    assert len(rows) == 4
    assert {(t.kind, bytes(t.sealed)) for t in rows} == {(TokenKind.DEAD.value, b"")}
    assert claims.first_use(home.current.hash, parse_address(OFFICE), now=LATER + MINUTE) is False


def test_what_it_showed_had_and_did_is_gone(home: Furnished, moved: Device) -> None:
    for rows in (moved.appearances, moved.keys, moved.setting_values, moved.claims, moved.windows):
        assert list(rows.all()) == []
    for model in (Upload, Proof, LastSeen, CheckInHour):
        assert not model.objects.filter(device=moved).exists()
    phone = Device.objects.get(pk=moved.pk)
    assert (phone.name, phone.notes, phone.owner, phone.site, phone.created_at) == ("", "", None, None, LATER)


def test_its_passwords_are_drawn_anew(home: Furnished, moved: Device) -> None:
    kinds = ((secrets.Kind.ADMIN_PASSWORD, "admin_password"), (secrets.Kind.USER_PASSWORD, "user_password"))
    for kind, column in kinds:
        old = secrets.open_text(kind, home.phone.code, getattr(home.phone, column))
        new = secrets.open_text(kind, moved.code, getattr(Device.objects.get(pk=moved.pk), column))
        assert len(new) == 16
        assert new != old


def test_it_takes_the_name_that_is_given_with_it(home: Furnished, cast: Tree) -> None:
    moved = moving.move(home.phone, by=cast.rita, to=cast.globex, name=" Reception ", now=LATER)

    assert Device.objects.get(pk=moved.pk).name == "Reception"


def test_its_card_is_closed_and_its_claims_are_out_of_reach(
    home: Furnished, moved: Device, cast: Tree
) -> None:
    card = Approval.objects.get(pk=home.card.pk)

    assert (card.status, card.decided_at, card.decided_by) == ("closed", LATER, cast.rita.label)
    assert {claim.device_id for claim in Claim.objects.filter(mac=MAC)} == {None}


def test_suspicion_stays(home: Furnished, cast: Tree) -> None:
    Lock.objects.filter(pk=home.phone.pk).update(
        suspicion_since=NOW, suspicion_until=NOW + 7 * DAY, suspicion_why="origins"
    )

    moving.move(home.phone, by=cast.rita, to=cast.globex, now=LATER)

    assert (home.lock.suspicion_until, home.lock.suspicion_why) == (NOW + 7 * DAY, "origins")
    with pytest.raises(Refusal) as refusal:
        locking.unlock(Device.objects.get(pk=home.phone.pk), by=cast.eve, now=LATER)
    assert refusal.value.code == "under-suspicion"


@pytest.mark.rule("E15")
def test_the_old_account_hears_that_its_secrets_may_be_known(
    home: Furnished, moved: Device, cast: Tree
) -> None:
    for extension in (home.own, home.shared):
        extension.refresh_from_db()
        assert (extension.account, extension.exposed_since) == (cast.acme, LATER)
        assert extension.exposed_why == "Front desk moved to another account (E17)"


def test_the_phone_it_shared_a_line_with_shares_no_more(home: Furnished, cast: Tree) -> None:
    before = Lock.objects.get(pk=home.partner.pk).files_revision

    moving.move(home.phone, by=cast.rita, to=cast.globex, now=LATER)

    assert Lock.objects.get(pk=home.partner.pk).files_revision == before + 1
    lines = settings_tree.phone_settings([home.partner])[home.partner.pk].lines
    assert [(line.username, line.shared) for line in lines] == [("4100", False)]


@pytest.mark.rule("E9")
def test_the_ledger_follows_so_the_old_account_gets_no_binding_back(
    home: Furnished, moved: Device, cast: Tree
) -> None:
    record = MacRecord.objects.get()
    assert (record.account_code, record.claimed, record.left_at) == (cast.globex.code, True, None)
    assert (record.bound_first, record.bound_site_code) == ("", None)

    entering.remove(moved, by=cast.eve, now=LATER + HOUR)
    again = entering.enter(cast.acme, by=cast.ana, mac=MAC, family="yealink", model="T46S", now=LATER + DAY)

    lock = Lock.objects.get(pk=again.pk)
    assert (lock.state, lock.reason) == ("locked", "previously-registered")
    assert (lock.bound_network, lock.bound_site) == (None, None)


@pytest.mark.rule("E10")
def test_moved_and_not_set_up_yet_it_yields_to_nobody(home: Furnished, moved: Device, cast: Tree) -> None:
    with pytest.raises(Refusal) as refusal:
        entering.enter(cast.acme, by=cast.ana, mac=MAC, family="yealink", model="T46S", now=LATER + 90 * DAY)

    assert refusal.value.code == "active-elsewhere"
    assert Device.objects.get(mac=MAC).account == cast.globex


# --- who may, and what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["ana", "vic", "ben", "eve"])
def test_it_takes_the_power_over_both_accounts(home: Furnished, cast: Tree, who: str) -> None:
    before = all_of(home.phone)

    with pytest.raises(Forbidden):
        moving.move(home.phone, by=getattr(cast, who), to=cast.globex, now=LATER)

    assert all_of(home.phone) == before


def test_a_reseller_moves_nothing_out_of_his_customers_or_in(home: Furnished, cast: Tree) -> None:
    other = tenants.create_account(cast.platform, by=cast.support, slug="lake", name="Lake Telecom")
    theirs = tenants.create_account(other, by=cast.support, slug="initech", name="Initech")
    foreign = make_phone(theirs, by=cast.support)
    before = all_of(home.phone), all_of(foreign)

    for phone, to in ((home.phone, theirs), (foreign, cast.acme)):
        with pytest.raises(Forbidden):
            moving.move(phone, by=cast.rita, to=to, now=LATER)

    assert (all_of(home.phone), all_of(foreign)) == before
    assert moving.move(home.phone, by=cast.support, to=theirs, now=LATER).account == theirs


@pytest.mark.rule("E8q")
def test_a_quarantined_phone_stays_where_it_is(home: Furnished, cast: Tree) -> None:
    locking.quarantine(home.phone, by=cast.ana, reason="Stolen", now=NOW)
    before = all_of(home.phone)

    is_refused(home.phone, moving.move, "quarantined", "E8q", by=cast.rita, to=cast.globex, now=LATER)

    assert all_of(home.phone) == before


def test_where_it_is_already_it_is_not_moved(home: Furnished, cast: Tree) -> None:
    before = all_of(home.phone)

    is_refused(home.phone, moving.move, "already-there", "E17", by=cast.rita, to=cast.acme, now=LATER)
    with pytest.raises(Refusal) as refusal:
        moving.move(home.phone, by=cast.rita, to=cast.globex, name="two\nlines", now=LATER)

    assert refusal.value.field == "name"
    assert all_of(home.phone) == before


def test_nothing_moves_into_an_account_that_is_on_its_way_out(home: Furnished, cast: Tree) -> None:
    type(cast.globex).objects.filter(pk=cast.globex.pk).update(is_active=False, deleted_at=NOW)
    before = all_of(home.phone)

    is_refused(home.phone, moving.move, "deleted", "keeping", by=cast.rita, to=cast.globex, now=LATER)

    assert all_of(home.phone) == before


@pytest.mark.parametrize("state", [State.NEW, State.LOCKED, State.RETIRED])
def test_from_every_other_state_it_arrives_locked(cast: Tree, state: State) -> None:
    phone = make_phone(cast.acme, by=cast.ana)
    Lock.objects.filter(pk=phone.pk).update(state=state.value)

    moving.move(phone, by=cast.rita, to=cast.globex, now=LATER)

    assert Lock.objects.values_list("state", "reason").get(pk=phone.pk) == ("locked", "moved")


def test_whoever_looked_before_the_move_acts_on_nothing(home: Furnished, moved: Device, cast: Tree) -> None:
    """Ana's page was open: her power was over a phone that is another account's now."""
    stale = home.phone
    for verb in (
        lambda: locking.unlock(stale, by=cast.ana, now=LATER),
        lambda: locking.rearm(stale, by=cast.ana, now=LATER),
        lambda: locking.quarantine(stale, by=cast.ana, reason="Mine", now=LATER),
        lambda: entering.change(stale, by=cast.ana, name="Mine", now=LATER),
        lambda: entering.remove(stale, by=cast.ana, now=LATER),
        lambda: settings_tree.set_value(stale, by=cast.ana, name="language", value="fr", now=LATER),
        lambda: moving.move(stale, by=cast.rita, to=cast.acme, now=LATER),
    ):
        before = all_of(moved)
        with pytest.raises(Refusal) as refusal:
            verb()
        assert (refusal.value.code, refusal.value.rule) == ("moved", "E17")
        assert all_of(moved) == before


# --- the store ---------------------------------------------------------------------------------------------


def test_the_old_file_is_withdrawn_in_the_same_step(
    home: Furnished, cast: Tree, store: redis.Redis, django_capture_on_commit_callbacks: Committed
) -> None:
    hashes = list(Token.objects.filter(mac=MAC).values_list("hash", flat=True))
    assert store.keys(f"f:{{{home.current.hash}}}:*")

    with django_capture_on_commit_callbacks(execute=True):
        moving.move(home.phone, by=cast.rita, to=cast.globex, now=LATER)

    for name in hashes:
        record = wire.unpack_token(store.get(wire.token_key(name)))
        assert (record.facts.kind, record.facts.mac, record.facts.code) == (TokenKind.DEAD, MAC, "")
        assert store.keys(f"f:{{{name}}}:*") == []
    lock = wire.unpack_lock(store.get(wire.mac_key(MAC)))
    assert lock is not None
    assert (lock.facts.state, lock.facts.account_path, lock.facts.bound) == (
        State.LOCKED,
        cast.globex.path,
        (),
    )


def test_a_slow_compile_of_the_old_files_comes_too_late(
    home: Furnished, cast: Tree, store: redis.Redis, django_capture_on_commit_callbacks: Committed,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """It had read the old tokens and settings; when it writes, the tokens are dead and take no file."""
    gathered = settings_tree.phone_settings

    def moved_meanwhile(*args: object, **more: object) -> object:
        found = gathered(*args, **more)  # type: ignore[arg-type]
        with django_capture_on_commit_callbacks(execute=True):
            moving.move(home.phone, by=cast.rita, to=cast.globex, now=LATER)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(settings_tree, "phone_settings", moved_meanwhile)
        files.publish_files([home.phone.pk])

    assert store.keys(f"f:{{{home.current.hash}}}:*") == []


def test_with_the_store_away_the_sweeper_withdraws_it(
    home: Furnished, cast: Tree, store: redis.Redis
) -> None:
    moving.move(home.phone, by=cast.rita, to=cast.globex, now=LATER)  # a crash: nothing is done on commit
    assert wire.unpack_token(store.get(wire.token_key(home.current.hash))).facts.kind is TokenKind.CURRENT

    publishing.sweep(NOW + publishing.COMPILED_BY + HOUR)

    assert wire.unpack_token(store.get(wire.token_key(home.current.hash))).facts.kind is TokenKind.DEAD
    assert store.keys(f"f:{{{home.current.hash}}}:*") == []
    assert not Outbox.objects.filter(what=Outbox.What.GONE).exists()


def test_the_window_that_listed_it_lists_it_no_more(
    home: Furnished, moved: Device, store: redis.Redis
) -> None:
    window = Window.objects.get(pk=home.window.pk)

    assert (window.listed, list(window.devices.all())) == (True, [])
    assert Outbox.objects.filter(what=Outbox.What.LISTS).exists()


def test_an_upload_that_came_in_slowly_is_not_kept(home: Furnished, moved: Device) -> None:
    files.keep_upload(home.current.hash, f"{MAC}-contact.xml", b"<late/>", "text/xml", now=LATER + MINUTE)

    assert not Upload.objects.exists()
