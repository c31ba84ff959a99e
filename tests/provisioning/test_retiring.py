"""E19: a retired phone is refused at the root, and its private URL gives a last file without accounts."""

from collections.abc import Callable

import pytest
import redis

from accounts import tenants
from accounts.models import AuditEntry
from accounts.refusals import Forbidden
from devices import extensions
from devices.models import Device, Extension
from provisioning import (
    claims,
    describing,
    entering,
    events,
    facts,
    files,
    gate,
    locking,
    publishing,
    retiring,
    tokens,
    wire,
)
from provisioning.compiling import compile_full
from provisioning.edge.sealed import open_file
from provisioning.gate import Asked, Caller, Method, Outcome, PrivateFacts, State, TokenKind
from provisioning.models import Approval, Claim, DeviceEvent, Lock, Proof, Token, Upload
from security.networks import parse_address
from tests.factories import make_phone
from tests.families.samples import MODELS, PRIVATE, TOKEN
from tests.families.samples import SECRETS as SAMPLES
from tests.families.samples import settings as sample
from tests.provisioning.furnished import (
    DAY,
    HOUR,
    MAC,
    MINUTE,
    NOW,
    OFFICE,
    OLD_WORDS,
    SECRETS,
    Furnished,
    furnish,
)
from tests.provisioning.making import HOTEL, request
from tests.provisioning.verb_checks import everything, is_refused
from tests.tree import Tree

pytestmark = [pytest.mark.django_db, pytest.mark.rule("E19"), pytest.mark.usefixtures("clock")]

LATER = NOW + 2 * HOUR
END = LATER + 30 * DAY
Committed = Callable[..., object]


@pytest.fixture
def home(cast: Tree) -> Furnished:
    return furnish(cast)


@pytest.fixture
def retired(home: Furnished, cast: Tree) -> Furnished:
    retiring.retire(home.phone, by=cast.ana, now=LATER)
    home.current.refresh_from_db()
    home.former.refresh_from_db()
    return home


def fetch(token: Token, seconds: float) -> tuple[Outcome, str]:
    """What a fetch of the full file by this token comes to, from the phone's own place."""
    device = Device.objects.get(mac=token.mac)
    record = facts.records([device.pk], facts.aware(seconds), all_tokens=True)[device.pk].tokens[token.hash]
    caller = Caller(parse_address(OFFICE), agent_family=device.family)
    verdict = gate.decide_private(
        PrivateFacts(seconds, Method.GET, Asked.FULL, caller, record.resolved(facts.site_lists()))
    )
    return verdict.outcome, verdict.rule


def all_of(device: Device) -> tuple[object, ...]:
    tokens_now = list(Token.objects.order_by("pk").values_list("hash", "kind", "until"))
    return everything(device), tokens_now, list(Extension.objects.order_by("pk").values())


# --- the state ---------------------------------------------------------------------------------------------


def test_the_root_refuses_it_everywhere(retired: Furnished, cast: Tree) -> None:
    lock = retired.lock

    assert (lock.state, lock.reason, lock.since, lock.by) == ("retired", "", LATER, cast.ana.label)
    assert (lock.grant_given_at, lock.bound_site) == (None, retired.site)
    for address in (OFFICE, HOTEL):
        assert claims.claim(request(retired.phone, address), now=LATER + MINUTE).verdict.rule == "R10"


def test_every_living_token_gets_its_last_file_for_thirty_days(retired: Furnished) -> None:
    assert retired.current.until == END
    assert fetch(retired.current, END.timestamp() - 1) == (Outcome.FULL, "O3")
    assert fetch(retired.former, END.timestamp() - 1) == (Outcome.FULL, "T2")

    assert fetch(retired.current, END.timestamp()) == (Outcome.REFUSED, "T4")
    assert fetch(retired.former, END.timestamp()) == (Outcome.REFUSED, "T4")
    tokens.bury(END)
    assert not Token.objects.exclude(kind=TokenKind.DEAD.value).exists()


@pytest.mark.rule("T2")
def test_a_former_token_that_ends_sooner_ends_sooner(home: Furnished, cast: Tree) -> None:
    claims.first_use(home.current.hash, parse_address(OFFICE), now=NOW + HOUR)

    retiring.retire(home.phone, by=cast.ana, now=LATER)

    home.former.refresh_from_db()
    assert home.former.until == NOW + HOUR + 2 * DAY


def test_a_late_first_use_lengthens_nothing(retired: Furnished) -> None:
    claims.first_use(retired.current.hash, parse_address(OFFICE), now=END - HOUR)

    assert set(Token.objects.exclude(kind="dead").values_list("until", flat=True)) == {END}


def test_its_card_is_closed_and_nothing_else_of_it_is_lost(retired: Furnished) -> None:
    phone = Device.objects.get(pk=retired.phone.pk)

    assert Approval.objects.get(pk=retired.card.pk).status == "closed"
    assert phone.appearances.count() == 2
    assert Upload.objects.filter(device=phone).exists()
    assert Proof.objects.filter(device=phone).exists()
    assert Claim.objects.filter(device=phone).count() == 2


def test_a_second_time_changes_nothing(retired: Furnished, cast: Tree) -> None:
    before = all_of(retired.phone)

    lock = retiring.retire(retired.phone, by=cast.ana, now=LATER + DAY)

    assert (lock.state, lock.since) == ("retired", LATER)
    assert all_of(retired.phone) == before


# --- the last file -----------------------------------------------------------------------------------------


def body_of(token: Token, store: redis.Redis) -> str:
    name = f"{MAC}.cfg"
    asked = wire.unpack_token(store.get(wire.token_key(token.hash)))
    stored = wire.unpack_file(store.get(wire.file_key(token.hash, name)))
    assert stored.files_revision == asked.files_revision
    code = Device.objects.get(mac=MAC).code
    return open_file(tokens.keyring(), str(code), name, stored.sealed).decode()


def test_its_last_file_has_no_account_and_names_its_private_url(
    home: Furnished, cast: Tree, store: redis.Redis, django_capture_on_commit_callbacks: Committed
) -> None:
    assert SECRETS["4101"] in body_of(home.current, store)

    with django_capture_on_commit_callbacks(execute=True):
        retiring.retire(home.phone, by=cast.ana, now=LATER)
    files.publish_files([home.phone.pk])

    text = body_of(home.current, store)
    assert [word for word in ("4101", "4100", *SECRETS.values()) if word in text] == []
    assert "account.1.enable = 0" in text
    assert tokens.private_url(home.current, home.phone) in text
    assert "linekey.3.type = 0" in text  # the busy lamp would have needed a line
    assert wire.unpack_lock(store.get(wire.mac_key(MAC))).facts.state is State.RETIRED  # type: ignore[union-attr]


def test_its_directory_is_no_longer_served(
    home: Furnished, cast: Tree, store: redis.Redis, django_capture_on_commit_callbacks: Committed
) -> None:
    name = f"{MAC}-contact.xml"

    with django_capture_on_commit_callbacks(execute=True):
        retiring.retire(home.phone, by=cast.ana, now=LATER)
    files.publish_files([home.phone.pk])
    files.keep_upload(home.current.hash, name, b"<more/>", "text/xml", now=LATER)

    stored = wire.unpack_file(store.get(wire.file_key(home.current.hash, name)))
    asked = wire.unpack_token(store.get(wire.token_key(home.current.hash)))
    assert stored.files_revision < asked.files_revision


def test_every_model_can_be_told_that_it_has_no_account() -> None:
    told, whole = [], []
    for family, model in MODELS:
        compiled = compile_full(sample(family, model).without_accounts(), PRIVATE)
        text = "".join(file.body.decode() for file in compiled.values())
        told += [(model, word) for word in (*SAMPLES[:2], "auth214", "auth250") if word in text]
        whole += [(family, model)] if TOKEN in text else []

    assert told == []
    assert whole == MODELS


# --- secrets -----------------------------------------------------------------------------------------------


@pytest.mark.rule("E15")
def test_what_lives_on_elsewhere_gets_a_new_secret_the_rest_is_marked(retired: Furnished, cast: Tree) -> None:
    retired.shared.refresh_from_db()
    retired.own.refresh_from_db()

    new = extensions.secret_of(retired.shared)
    assert (len(new), new != SECRETS["4100"], retired.shared.exposed_since) == (24, True, None)
    assert extensions.secret_of(retired.own) == SECRETS["4101"]
    assert (retired.own.exposed_since, retired.own.exposed_why) == (LATER, "Front desk was retired (E19)")
    changed = AuditEntry.objects.get(verb="extension.secret_changed")
    assert (changed.target_code, changed.at) == (str(retired.shared.code), LATER)


@pytest.mark.rule("E15")
def test_the_other_phone_of_the_line_gets_the_new_secret(home: Furnished, cast: Tree) -> None:
    before = Lock.objects.get(pk=home.partner.pk).files_revision

    retiring.retire(home.phone, by=cast.ana, now=LATER)

    assert Lock.objects.get(pk=home.partner.pk).files_revision == before + 1
    assert DeviceEvent.objects.filter(device=home.partner, what="secret-changed").exists()


@pytest.mark.rule("E15")
def test_a_retired_partner_is_no_living_phone(home: Furnished, cast: Tree) -> None:
    retiring.retire(home.partner, by=cast.ana, now=NOW + HOUR)
    home.shared.refresh_from_db()
    secret = extensions.secret_of(home.shared)
    assert secret != SECRETS["4100"]  # the front desk lived on then

    retiring.retire(home.phone, by=cast.ana, now=LATER)

    home.shared.refresh_from_db()
    assert (extensions.secret_of(home.shared), home.shared.exposed_since) == (secret, LATER)


# --- what is said ------------------------------------------------------------------------------------------


def test_it_is_said_until_when_the_last_file_is_served(retired: Furnished, cast: Tree) -> None:
    view = describing.describe_lock(retired.phone, now=LATER + MINUTE)

    assert (view.state, view.until, view.next) == ("retired", END, "Re-arm it to bring it back.")
    assert view.sentence == (
        "Retired since Mon 2 Mar, 15:00 CET. Its private URL gives a file without accounts until"
        " Wed 1 Apr, 16:00 CEST."
    )
    over = describing.describe_lock(retired.phone, now=END)
    assert (over.until, over.handover) == (None, None)
    assert over.sentence == "Retired since Mon 2 Mar, 15:00 CET. It gets nothing from anywhere."


def test_a_phone_that_was_never_set_up_gets_nothing_when_retired(cast: Tree) -> None:
    phone = make_phone(cast.acme, by=cast.ana)

    retiring.retire(phone, by=cast.ana, now=LATER)

    view = describing.describe_lock(phone, now=LATER)
    assert (view.until, view.sentence) == (
        None, "Retired since Mon 2 Mar, 15:00 CET. It gets nothing from anywhere."
    )  # fmt: skip


def test_the_log_and_the_record_say_who_and_until_when(retired: Furnished, cast: Tree) -> None:
    event = DeviceEvent.objects.get(device=retired.phone, what="retired")

    assert (event.rule, event.at) == ("E19", LATER)
    assert events.described(event, now=LATER).sentence == (
        f"Retired by {cast.ana.label}. Its private URL gives a file without accounts until"
        " Wed 1 Apr, 16:00 CEST."
    )
    assert AuditEntry.objects.get(verb="device.retired").details == {"until": END.isoformat()}


# --- who may, and what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["vic", "ben", "eve"])
def test_only_a_manager_retires(home: Furnished, cast: Tree, who: str) -> None:
    before = all_of(home.phone)

    with pytest.raises(Forbidden):
        retiring.retire(home.phone, by=getattr(cast, who), now=LATER)

    assert all_of(home.phone) == before


def test_what_is_shut_is_not_retired(home: Furnished, cast: Tree) -> None:
    entering.change(home.phone, by=cast.ana, is_enabled=False, now=NOW)
    is_refused(home.phone, retiring.retire, "disabled", "E19", by=cast.ana, now=LATER)
    entering.change(home.phone, by=cast.ana, is_enabled=True, now=NOW)
    tenants.switch_account(cast.acme, by=cast.rita, is_active=False)
    is_refused(home.phone, retiring.retire, "disabled", "E19", by=cast.ana, now=LATER)
    tenants.switch_account(cast.acme, by=cast.rita, is_active=True)
    locking.quarantine(home.phone, by=cast.ana, reason="Stolen", now=NOW)
    before = all_of(home.phone)

    is_refused(home.phone, retiring.retire, "quarantined", "E8q", by=cast.ana, now=LATER)

    assert all_of(home.phone) == before


# --- and back ----------------------------------------------------------------------------------------------


@pytest.mark.rule("E11")
def test_rearmed_it_is_new_and_its_old_tokens_are_dead_for_good(
    retired: Furnished, cast: Tree, store: redis.Redis, django_capture_on_commit_callbacks: Committed
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        lock = locking.rearm(retired.phone, by=cast.ana, now=LATER + DAY)

    assert (lock.state, lock.armed_at) == ("new", LATER + DAY)
    assert {(t.kind, bytes(t.sealed)) for t in Token.objects.all()} == {("dead", b"")}
    assert not Claim.objects.filter(device=retired.phone).exists()
    for token in (retired.current, retired.former):
        assert wire.unpack_token(store.get(wire.token_key(token.hash))).facts.kind is TokenKind.DEAD
        assert store.keys(f"f:{{{token.hash}}}:*") == []
    answer = claims.claim(request(retired.phone, HOTEL), now=LATER + DAY)
    assert (answer.verdict.outcome, answer.verdict.rule) == (Outcome.BOOTSTRAP, "R1")


@pytest.mark.rule("E11")
def test_a_last_file_that_is_just_being_compiled_never_reaches_the_new_token(
    retired: Furnished, cast: Tree, store: redis.Redis, monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Committed,
) -> None:  # fmt: skip
    """The compile saw the phone retired; then it is re-armed and set up; then the compile goes on."""
    read = Token.objects.filter

    def set_up_meanwhile(*args: object, **wanted: object) -> object:
        monkeypatch.undo()
        with django_capture_on_commit_callbacks(execute=True):
            locking.rearm(retired.phone, by=cast.ana, now=LATER + DAY)
            claims.claim(request(retired.phone, OFFICE), now=LATER + DAY)
        return read(*args, **wanted)

    monkeypatch.setattr(Token.objects, "filter", set_up_meanwhile)
    files.publish_files([retired.phone.pk])

    new = Token.objects.get(device=retired.phone, kind="current")
    assert store.get(wire.file_key(new.hash, f"{MAC}.cfg")) is None
    files.publish_files([retired.phone.pk])
    assert SECRETS["4101"] in body_of(new, store)


def test_a_removed_phone_that_was_retired_leaves_no_living_token(retired: Furnished, cast: Tree) -> None:
    entering.remove(retired.phone, by=cast.ana, now=LATER + DAY)

    assert not Token.objects.exclude(kind="dead").exists()


def test_an_empty_store_is_filled_with_the_last_file(retired: Furnished, store: redis.Redis) -> None:
    store.flushall()

    publishing.publish_devices([retired.phone.pk], now=LATER, all_tokens=True)
    files.publish_files([retired.phone.pk])

    text = body_of(retired.current, store)
    assert [word for word in OLD_WORDS if word in text] == []
    assert tokens.private_url(retired.current, retired.phone) in text
