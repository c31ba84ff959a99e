"""Below the private URL: files that are not there yet, common files, and what phones upload."""

import threading
from collections.abc import Callable

import pytest

from tests.edge.serving import Doors, ServedEdge
from tests.edge.shelf import MAC, TOKEN, Shelf, hash_of, token_facts
from tests.edge.test_private import URL, has_private_headers


@pytest.fixture
def edge(either_way: ServedEdge) -> ServedEdge:
    """Every test here goes both ways."""
    return either_way


# --- files that are not there ------------------------------------------------------------------------------


def test_a_stale_file_is_compiled_once_for_all_who_wait(edge: ServedEdge, shelf: Shelf, doors: Doors) -> None:
    shelf.token(token_facts(), files=7)
    shelf.file(b"old", files=6)
    doors.on_want = lambda _: threading.Timer(0.2, lambda: shelf.file(b"new", files=7)).start()
    replies: list[bytes] = []
    callers = [threading.Thread(target=lambda: replies.append(edge.ask(URL).body)) for _ in range(5)]

    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()

    assert replies == [b"new"] * 5
    assert doors.wanted == [hash_of(TOKEN)]


def test_a_file_that_does_not_come_in_time_is_held(
    serve: Callable[..., ServedEdge],
    shelf: Shelf,
    doors: Doors,
) -> None:
    edge = serve(file_wait=0.2)
    shelf.token(token_facts())

    reply = edge.ask(URL)

    assert reply.status == 503
    assert has_private_headers(reply.headers)
    assert doors.wanted == [hash_of(TOKEN)]
    assert [note.outcome for note in shelf.noted(1)] == ["held"]


def test_a_file_that_cannot_be_opened_is_compiled_anew(edge: ServedEdge, shelf: Shelf, doors: Doors) -> None:
    shelf.token(token_facts())
    shelf.file(code="11111111-2222-4333-8444-5555555555ff")
    doors.on_want = lambda _: shelf.file(b"new")

    assert edge.ask(URL).body == b"new"


def test_a_file_that_was_sealed_for_another_phone_is_held(
    serve: Callable[..., ServedEdge], shelf: Shelf, doors: Doors
) -> None:
    edge = serve(file_wait=0.2)
    shelf.token(token_facts())
    shelf.file(code="11111111-2222-4333-8444-5555555555ff")

    assert edge.ask(URL).status == 503
    assert doors.wanted == [hash_of(TOKEN)]


def test_a_common_file_below_a_private_url_is_not_to_be_kept_by_a_proxy(
    edge: ServedEdge, shelf: Shelf
) -> None:
    shelf.token(token_facts())

    reply = edge.ask(f"/d/{TOKEN}/y000000000028.cfg")

    assert reply.status == 200
    assert has_private_headers(reply.headers)
    assert shelf.notes() == []


# --- uploads -----------------------------------------------------------------------------------------------


@pytest.mark.rule("O0")
@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_an_upload_is_accepted_and_dropped(edge: ServedEdge, shelf: Shelf, doors: Doors, method: str) -> None:
    shelf.token(token_facts())

    reply = edge.ask(f"/d/{TOKEN}/{MAC}-boot.log", method=method, body=b"log" * 1000)

    assert (reply.status, reply.body) == (204, b"")
    assert has_private_headers(reply.headers)
    assert doors.uploads == []


def test_a_directory_is_kept_and_served_again(edge: ServedEdge, shelf: Shelf, doors: Doors) -> None:
    shelf.token(token_facts())
    shelf.file()
    name = f"{MAC}-contact.xml"

    assert edge.ask(f"/d/{TOKEN}/{name}").status == 404
    headers = {"Content-Type": "text/xml"}
    assert edge.ask(f"/d/{TOKEN}/{name}", method="PUT", body=b"<x/>", headers=headers).status == 204
    assert doors.uploads == [(hash_of(TOKEN), name, b"<x/>", "text/xml")]
    shelf.file(b"<x/>", name=name, content_type="text/xml")
    assert edge.ask(f"/d/{TOKEN}/{name}").body == b"<x/>"
    assert [note.check_in for note in shelf.notes()] == []


def test_a_directory_is_held_while_the_phones_files_are_not_there_yet(
    serve: Callable[..., ServedEdge],
    shelf: Shelf,
) -> None:
    edge = serve(file_wait=0.1)
    shelf.token(token_facts())

    assert edge.ask(f"/d/{TOKEN}/{MAC}-contact.xml").status == 503


@pytest.mark.parametrize(("size", "kept"), [(512 * 1024, 1), (512 * 1024 + 1, 0), (1024 * 1024 + 1, 0)])
def test_an_upload_that_is_too_big_is_accepted_and_dropped(
    edge: ServedEdge, shelf: Shelf, doors: Doors, size: int, kept: int
) -> None:
    shelf.token(token_facts())

    reply = edge.ask(f"/d/{TOKEN}/{MAC}-contact.xml", method="PUT", body=b"x" * size)

    assert reply.status == 204
    assert len(doors.uploads) == kept


def test_an_upload_never_gets_a_5xx(edge: ServedEdge, shelf: Shelf, doors: Doors) -> None:
    shelf.token(token_facts())
    doors.away = True
    assert edge.ask(f"/d/{TOKEN}/{MAC}-contact.xml", method="PUT", body=b"x").status == 204
    shelf.client.flushall()
    assert edge.ask(f"/d/{TOKEN}/{MAC}-boot.log", method="PUT", body=b"x").status == 204
    assert edge.ask(f"/{MAC}-boot.log", method="PUT", body=b"x").status == 404


def test_an_upload_with_a_token_never_issued_is_refused(edge: ServedEdge, shelf: Shelf) -> None:
    assert edge.ask(f"/d/{TOKEN}/{MAC}-boot.log", method="PUT", body=b"x").status == 404
