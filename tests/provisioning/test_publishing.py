"""What changed reaches the store: before the caller has his answer, in order, and after a crash."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
import redis
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import transaction

from accounts.models import Account
from devices.models import Device
from portal import embedded
from provisioning import claims, entering, files, keeper, locking, publishing, tokens, wire
from provisioning.edge.sealed import open_file
from provisioning.gate import State, TokenKind
from provisioning.models import Lock, Outbox, Token
from tests.provisioning.making import SECRET, make_account, make_phone, request, support

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
Committed = Callable[..., object]

pytestmark = pytest.mark.django_db


@pytest.fixture
def phone() -> Device:
    return make_phone(make_account("acme", make_account("platform", kind=Account.Kind.PLATFORM)), now=NOW)


@pytest.fixture
def moved(phone: Device) -> Device:
    """A phone with tokens, published."""
    claims.claim(request(phone), now=NOW)
    publishing.publish_devices([phone.pk], now=NOW)
    files.publish_files([phone.pk], now=NOW)
    return phone


def record_of(store: redis.Redis, phone: Device) -> wire.LockRecord | None:
    return wire.unpack_lock(store.get(wire.mac_key(phone.mac)))


def current(phone: Device) -> Token:
    return Token.objects.get(device=phone, kind=TokenKind.CURRENT.value)


def test_a_verb_is_in_the_store_when_its_commit_is_done(
    store: redis.Redis, phone: Device, django_capture_on_commit_callbacks: Committed
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        locking.unlock(phone, by=support(), span=locking.Span.parse("24h"), now=NOW)

    record = record_of(store, phone)
    assert record is not None
    assert record.facts.state is State.UNLOCKED
    assert record.revision == Lock.objects.get(pk=phone.pk).revision


def test_a_verb_that_is_rolled_back_publishes_nothing(
    store: redis.Redis, phone: Device, django_capture_on_commit_callbacks: Committed
) -> None:
    before = Outbox.objects.count()

    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        locking.unlock(phone, by=support(), span=locking.Span.parse("24h"), now=NOW)
        transaction.set_rollback(True)

    assert store.get(wire.mac_key(phone.mac)) is None
    assert Outbox.objects.count() == before


def test_an_older_record_never_overwrites_a_newer_one(store: redis.Redis, phone: Device) -> None:
    publishing.publish_devices([phone.pk], now=NOW)
    newer = record_of(store, phone)
    assert newer is not None
    Lock.objects.filter(pk=phone.pk).update(revision=newer.revision - 1, state=State.QUARANTINED.value)

    publishing.publish_devices([phone.pk], now=NOW)

    assert record_of(store, phone) == newer


def test_a_file_that_is_older_than_its_token_asks_for_is_not_taken(store: redis.Redis, moved: Device) -> None:
    token = current(moved)
    name = f"{moved.mac}.cfg"
    key = wire.file_key(token.hash, name)
    before = store.get(key)
    Lock.objects.filter(pk=moved.pk).update(files_revision=1)

    files.publish_files([moved.pk], now=NOW)

    assert store.get(key) == before


def test_a_change_makes_the_old_file_stale_before_the_new_one_is_compiled(
    store: redis.Redis, moved: Device, django_capture_on_commit_callbacks: Committed
) -> None:
    token = current(moved)
    held = wire.unpack_file(store.get(wire.file_key(token.hash, f"{moved.mac}.cfg")))

    with django_capture_on_commit_callbacks(execute=True):
        publishing.device_changed(moved.pk, files=True)

    asked = wire.unpack_token(store.get(wire.token_key(token.hash)))
    assert asked.files_revision == held.files_revision + 1
    files.publish_files([moved.pk])
    fresh = wire.unpack_file(store.get(wire.file_key(token.hash, f"{moved.mac}.cfg")))
    assert fresh.files_revision == asked.files_revision
    assert not Outbox.objects.filter(device=moved, details__files=True).exists()


def test_files_open_for_their_own_device_alone_and_name_their_own_token(
    store: redis.Redis, moved: Device
) -> None:
    token = current(moved)
    name = f"{moved.mac}.cfg"
    stored = wire.unpack_file(store.get(wire.file_key(token.hash, name)))

    body = open_file(tokens.keyring(), str(moved.code), name, stored.sealed)

    assert SECRET.encode() in body
    assert tokens.private_url(token, moved).encode() in body
    with pytest.raises(ValueError, match="belong"):
        open_file(tokens.keyring(), "another", name, stored.sealed)


def test_each_living_token_has_a_file_that_names_itself(store: redis.Redis, moved: Device) -> None:
    old = current(moved)
    claims.first_use(old.hash, 1, now=NOW)
    claims.claim(request(moved), now=NOW + timedelta(hours=1))

    publishing.publish_devices([moved.pk])
    files.publish_files([moved.pk])

    new = current(moved)
    assert old.pk != new.pk
    for token in (old, new):
        name = f"{moved.mac}.cfg"
        sealed = wire.unpack_file(store.get(wire.file_key(token.hash, name))).sealed
        body = open_file(tokens.keyring(), str(moved.code), name, sealed)
        other = new if token.pk == old.pk else old
        assert tokens.text_of(token).encode() in body
        assert tokens.text_of(other).encode() not in body


def test_no_secret_and_no_token_stands_in_the_store(store: redis.Redis, moved: Device) -> None:
    text = tokens.text_of(current(moved)).encode()

    for key in store.scan_iter():
        value = {b"string": store.get, b"zset": lambda k: b"".join(store.zrange(k, 0, -1))}.get(
            store.type(key), lambda k: str(store.execute_command("DUMP", k)).encode()
        )(key)
        assert SECRET.encode() not in value
        assert text not in value
        assert text not in key


def test_bytes_are_a_function_of_the_settings(store: redis.Redis, moved: Device) -> None:
    token, name = current(moved), f"{moved.mac}.cfg"

    def body() -> bytes:
        stored = wire.unpack_file(store.get(wire.file_key(token.hash, name)))
        return open_file(tokens.keyring(), str(moved.code), name, stored.sealed)

    first = body()
    publishing.republish_all()
    publishing.publish_devices([moved.pk])
    files.publish_files([moved.pk])

    assert body() == first


def test_with_the_store_away_a_verb_works_and_the_sweeper_finishes_it(
    store: redis.Redis,
    store_server: embedded.Store,
    phone: Device,
    django_capture_on_commit_callbacks: Committed,
) -> None:
    Outbox.objects.all().delete()
    store_server.stop()
    try:
        with django_capture_on_commit_callbacks(execute=True):
            locking.unlock(phone, by=support(), span=locking.Span.parse("24h"), now=NOW)
        assert Outbox.objects.filter(device=phone).exists()
    finally:
        store_server.start()

    publishing.sweep(datetime.now(UTC) + publishing.SWEEP_AFTER + timedelta(seconds=1))

    record = record_of(store, phone)
    assert record is not None
    assert record.facts.state is State.UNLOCKED
    assert not Outbox.objects.filter(device=phone, details__files=False).exists()


def test_a_deleted_phone_is_unknown_and_its_tokens_are_dead(
    store: redis.Redis, moved: Device, django_capture_on_commit_callbacks: Committed
) -> None:
    name = current(moved).hash

    with django_capture_on_commit_callbacks(execute=True):
        entering.remove(moved, by=support())

    assert record_of(store, moved) is None
    facts = wire.unpack_token(store.get(wire.token_key(name))).facts
    assert (facts.kind, facts.mac, facts.code) == (TokenKind.DEAD, moved.mac, "")


def test_a_flushed_store_is_rebuilt_with_its_marker_last(store: redis.Redis, moved: Device) -> None:
    before = {key: store.get(key) for key in store.scan_iter("[mt]:*")}
    store.flushall()
    assert keeper.is_complete() is False

    assert keeper.rebuild(NOW) is True

    assert {key: store.get(key) for key in store.scan_iter("[mt]:*")} == before
    assert keeper.is_complete() is True
    assert wire.unpack_lists(store.get(wire.LISTS_DATA)).number == wire.unpack_number(store.get(wire.LISTS))


def test_a_rebuild_remembers_the_dead_tokens_of_deleted_phones(store: redis.Redis, moved: Device) -> None:
    name = current(moved).hash
    entering.remove(moved, by=support())
    store.flushall()

    keeper.rebuild(NOW)

    assert wire.unpack_token(store.get(wire.token_key(name))).facts.mac == moved.mac


def test_one_rebuilds_at_a_time(store: redis.Redis, phone: Device) -> None:
    store.set(keeper.REBUILDING, "somebody else")

    assert keeper.rebuild(NOW) is False
    assert store.get(wire.COMPLETE) is None


def test_a_marker_of_another_server_run_is_not_believed(store: redis.Redis) -> None:
    store.set(wire.COMPLETE, wire.pack_complete(1, "0" * 40))

    assert keeper.is_complete() is False


def test_a_device_that_cannot_be_compiled_says_why_and_stays_in_the_outbox(
    store: redis.Redis, moved: Device
) -> None:
    Device.objects.filter(pk=moved.pk).update(model="nothing of the sort")
    publishing.device_changed(moved.pk, files=True)

    failed = files.publish_files([moved.pk])

    assert list(failed) == [moved.pk]
    assert Outbox.objects.filter(device=moved, details__files=True).exists()


def test_token_urls_are_below_the_phones_address(moved: Device) -> None:
    assert tokens.private_url(current(moved), moved).startswith(f"{settings.PHONES_URL}/d/")


@pytest.mark.django_db(transaction=True)
def test_republish_brings_an_empty_store_up_to_date(store: redis.Redis) -> None:
    phone = make_phone(make_account("platform", kind=Account.Kind.PLATFORM))
    claims.claim(request(phone))
    store.flushall()
    out = StringIO()

    call_command("republish", stdout=out)

    assert out.getvalue() == "1 phones published, 0 could not be compiled\n"
    assert keeper.is_complete() is True
    assert store.get(wire.file_key(current(phone).hash, f"{phone.mac}.cfg")) is not None


def test_republish_says_in_one_line_that_the_store_is_away(
    store_server: embedded.Store, phone: Device
) -> None:
    store_server.stop()
    try:
        with pytest.raises(CommandError, match="The store cannot be reached"):
            call_command("republish")
    finally:
        store_server.start()


def test_the_sweeper_asks_for_a_compile_once_and_again_only_when_it_was_lost(
    store: redis.Redis, moved: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued: list[int] = []
    monkeypatch.setattr(publishing, "compile_later", lambda ids, wanted=False: queued.extend(ids))
    Outbox.objects.all().delete()
    publishing.device_changed(moved.pk, files=True)
    at = datetime.now(UTC)

    publishing.sweep(at + publishing.SWEEP_AFTER)
    assert queued == []
    lost = at + 2 * publishing.COMPILED_BY
    publishing.sweep(lost)
    publishing.sweep(lost + timedelta(seconds=2))

    assert queued == [moved.pk]
