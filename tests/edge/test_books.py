"""Phone books below private URLs: real rows, published as in operation, asked of a real edge."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from django.conf import settings
from django.utils import timezone

from accounts.models import Account
from accounts.scope import Actor
from devices import directory, extensions
from devices.models import Contact, Device, Directory, Extension
from portal import embedded
from provisioning import (
    books,
    files,
    keeper,
    locking,
    moving,
    publishing,
    removing,
    retiring,
    tasks,
    tokens,
    wire,
)
from provisioning.edge.config import Config
from provisioning.models import Lock, Outbox
from tests.edge.serving import Doors, Reply, ServedEdge
from tests.edge.shelf import Shelf
from tests.provisioning.making import colons, make_phone, support
from tests.provisioning.stolen import fetched

HOME = "127.0.0.1"
NAME = "directory.xml"
Commit = Callable[..., Any]

pytestmark = pytest.mark.django_db


@pytest.fixture
def phone(acme: Account, ana: Actor) -> Device:
    directory.add(acme, by=ana, name="Taxi & Co", number="33")
    phone = make_phone(acme)
    fetched(phone, HOME, timezone.now())
    return phone


@pytest.fixture
def edge(store_server: embedded.Store, doors: Doors, phone: Device) -> Iterator[ServedEdge]:
    keeper.rebuild(timezone.now())
    publish(phone)
    with ServedEdge(Config.from_settings(settings), doors) as edge:
        yield edge


@pytest.fixture
def commit(django_capture_on_commit_callbacks: Commit) -> Commit:
    return lambda: django_capture_on_commit_callbacks(execute=True)


def publish(phone: Device) -> None:
    publishing.publish_devices([phone.pk])
    assert files.publish_files([phone.pk]) == {}


def token_of(phone: Device) -> str:
    return tokens.text_of(next(t for t in tokens.living(phone.pk) if t.kind == "current"))


def ask(edge: ServedEdge, phone: Device, name: str = NAME, token: str = "", **headers: str) -> Reply:
    given = {"User-Agent": f"Yealink SIP-T46S 66.85.0.5 {colons(phone.mac)}"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    path = f"/d/{token or token_of(phone)}/{name}" if token != "root" else f"/{name}"
    return edge.ask(path, source=HOME, headers=given)


def test_a_phone_gets_its_companys_book(edge: ServedEdge, phone: Device, store: redis.Redis) -> None:
    own = ask(edge, phone, f"{phone.mac}.cfg")
    book = ask(edge, phone)

    assert (
        f"remote_phonebook.data.1.url = {settings.PHONES_URL}/d/{token_of(phone)}/{NAME}" in own.body.decode()
    )
    assert (book.status, book.headers["content-type"]) == (200, "text/xml")
    assert "<Name>Taxi &amp; Co</Name>" in book.body.decode()
    assert f"<Telephone>{phone.appearances.get().extension.username}</Telephone>" in book.body.decode()
    assert "no-store" in book.headers["cache-control"]
    assert ask(edge, phone, If_None_Match=book.headers["etag"]).status == 304
    assert [note.file for note in Shelf(store).noted(1)] == [f"{phone.mac}.cfg"], "a book is no check-in"


def test_a_book_is_nowhere_but_below_a_private_url(
    edge: ServedEdge, phone: Device, store: redis.Redis
) -> None:
    refused = [
        ask(edge, phone, token="root"),
        ask(edge, phone, token="0" * 40),
        ask(edge, phone, "phonebook.xml"),
    ]

    assert [(reply.status, reply.body) for reply in refused] == [(404, b"")] * 3
    assert b"Taxi" not in store.get(wire.book_key(phone.account.code.hex, phone.family, NAME))


def test_a_changed_directory_changes_the_book_and_no_phones_own_file(
    edge: ServedEdge, phone: Device, acme: Account, ana: Actor, doors: Doors, commit: Commit
) -> None:
    before, own = ask(edge, phone), ask(edge, phone, f"{phone.mac}.cfg")
    revision = Lock.objects.get(pk=phone.pk).files_revision
    Outbox.objects.all().delete()

    with commit():
        directory.add(acme, by=ana, name="Zoo", number="44")
        directory.add(acme, by=ana, name="Post", number="55")
    assert tasks.compile_books(acme.pk) == 1
    assert tasks.compile_books(acme.pk) == 0, "what is published is not published again"

    after = ask(edge, phone)
    assert after.headers["etag"] != before.headers["etag"]
    assert "Zoo" in after.body.decode()
    assert "Post" in after.body.decode()
    assert ask(edge, phone, f"{phone.mac}.cfg").headers["etag"] == own.headers["etag"]
    assert Lock.objects.get(pk=phone.pk).files_revision == revision
    assert doors.wanted == []
    assert not Outbox.objects.exists()


def test_a_book_published_anew_is_the_same_to_the_phone(
    edge: ServedEdge, phone: Device, acme: Account
) -> None:
    before = ask(edge, phone)

    books.publish(acme.pk)

    assert ask(edge, phone, If_None_Match=before.headers["etag"]).status == 304


def test_what_a_phones_file_says_of_an_extension_leaves_the_book_alone(
    acme: Account, phone: Device, commit: Commit
) -> None:
    Outbox.objects.all().delete()

    with commit():
        extensions.change(phone.appearances.get().extension, by=support(), secret="another-s3cret")

    assert not Outbox.objects.filter(what=Outbox.What.BOOK).exists()
    assert Outbox.objects.filter(what=Outbox.What.DEVICE).exists()


def test_an_older_compile_never_wins(edge: ServedEdge, phone: Device, acme: Account, ana: Actor) -> None:
    directory.add(acme, by=ana, name="Zoo", number="44")
    books.publish(acme.pk)
    row = Directory.objects.get(account=acme)
    row.revision -= 1
    row.save()
    Contact.objects.all().delete()

    books.publish(acme.pk)

    assert "Zoo" in ask(edge, phone).body.decode()


@pytest.mark.parametrize("case", ["lost", "unreadable"])
def test_a_book_that_is_not_there_is_made_while_the_phone_waits(
    edge: ServedEdge, phone: Device, doors: Doors, store: redis.Redis, case: str
) -> None:
    key = wire.book_key(phone.account.code.hex, phone.family, NAME)
    good = store.get(key)
    if case == "lost":
        store.delete(key)
    else:
        store.set(key, good[:-1] + bytes([good[-1] ^ 1]))
    made: list[bytes] = []

    def bring(token_hash: str) -> None:
        made.append(good)
        threading.Timer(0.2, lambda: store.set(key, good)).start()

    doors.on_want = bring

    assert "Taxi" in ask(edge, phone).body.decode()
    assert len(made) == 1
    store.set(key, good[:-1] + bytes([good[-1] ^ 1]))
    publish(phone)
    assert "Taxi" in ask(edge, phone).body.decode(), "publishing a phone finds a book that nobody can open"


@pytest.mark.rule("E19")
def test_a_retired_phone_gets_no_book(edge: ServedEdge, phone: Device, ana: Actor, commit: Commit) -> None:
    with commit():
        retiring.retire(phone, by=ana)
    publish(phone)

    assert (ask(edge, phone).status, ask(edge, phone).body) == (404, b"")
    assert "remote_phonebook.data.1.url = \n" in ask(edge, phone, f"{phone.mac}.cfg").body.decode()


@pytest.mark.rule("E17")
def test_a_moved_phone_gets_the_book_of_its_new_account(
    edge: ServedEdge, phone: Device, globex: Account, eve: Actor, rita: Actor, commit: Commit
) -> None:
    directory.add(globex, by=eve, name="Gears", number="77")
    old = token_of(phone)
    with commit():
        moving.move(phone, by=rita, to=globex)
    moved = Device.objects.get(pk=phone.pk)
    with commit():
        locking.unlock(moved, by=eve, span=locking.Span.parse("24h"))
    fetched(moved, HOME, timezone.now())
    publish(moved)

    book = ask(edge, moved)
    assert "Gears" in book.body.decode()
    assert "Taxi" not in book.body.decode()
    assert "Taxi" not in ask(edge, moved, token=old).body.decode()


def test_an_upload_under_its_name_is_dropped(edge: ServedEdge, phone: Device, doors: Doors) -> None:
    before = ask(edge, phone).body

    put = edge.ask(f"/d/{token_of(phone)}/{NAME}", source=HOME, method="PUT", body=b"<x/>")

    assert put.status == 204
    assert doors.uploads == []
    assert ask(edge, phone).body == before


def test_what_its_task_did_not_bring_the_sweep_does(
    acme: Account, phone: Device, ana: Actor, commit: Commit
) -> None:
    Outbox.objects.all().delete()
    directory.add(acme, by=ana, name="Zoo", number="44")
    later = timezone.now() + 2 * publishing.COMPILED_BY

    assert books.sweep(timezone.now()) == 0
    with commit():
        assert books.sweep(later) == 1
    assert books.sweep(later) == 0, "the next one waits for its turn"
    assert books.publish_waiting(acme.pk) == 1


def test_a_removed_accounts_book_is_gone(store: redis.Redis, acme: Account, phone: Device) -> None:
    publish(phone)
    key = wire.book_key(acme.code.hex, phone.family, NAME)
    assert store.exists(key)

    list(removing.remove(acme))

    assert not store.exists(key)
    assert not Contact.objects.filter(account=acme).exists()
    assert not Directory.objects.filter(account=acme).exists()
    assert not Extension.objects.filter(account=acme).exists()
