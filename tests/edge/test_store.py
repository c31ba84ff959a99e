"""What the edge knows: the marker, the lists, one look-up a turn, and a store that goes and comes back."""

import socket
import threading
import time
from collections.abc import Callable

import pytest

from portal import embedded
from provisioning import wire
from provisioning.gate import State
from tests.edge.serving import Doors, ServedEdge, wait_for, written
from tests.edge.shelf import AGENT, BODY, MAC, TOKEN, Shelf, block, device, token_facts

URL = f"/d/{TOKEN}/{MAC}.cfg"
UNKNOWN = "/00005e0053fe.cfg"


@pytest.mark.rule("G6")
@pytest.mark.parametrize("marker", ["absent", "of another server", "garbage"])
def test_without_the_marker_of_this_server_every_miss_is_held(
    edge: ServedEdge, shelf: Shelf, marker: str
) -> None:
    shelf.token(token_facts())
    shelf.file()
    if marker == "absent":
        shelf.client.delete(wire.COMPLETE)
    else:
        value = wire.pack_complete(1, "0" * 40) if marker == "of another server" else b"x"
        shelf.client.set(wire.COMPLETE, value)

    assert edge.ask(UNKNOWN).status == 503
    assert edge.ask("/d/" + "b2" * 20 + "/x").status == 503
    assert edge.ask(URL).status == 503
    assert edge.ask("/y000000000028.cfg").status == 200

    shelf.complete()
    assert edge.ask(UNKNOWN).status == 404
    assert edge.ask(URL).status == 200


@pytest.mark.rule("G6")
def test_a_store_that_stops_and_starts_is_held_and_found_again(
    edge: ServedEdge, shelf: Shelf, store_server: embedded.Store
) -> None:
    shelf.token(token_facts())
    shelf.file()
    assert edge.ask(URL).status == 200

    store_server.stop()
    wait_for(lambda: edge.ask(URL).status == 503)
    assert edge.ask(UNKNOWN).status == 503
    assert edge.ask("/y000000000028.cfg").status == 200

    store_server.start()
    wait_for(lambda: edge.edge.store.is_there)
    assert edge.ask(UNKNOWN).status == 503
    fresh = Shelf(shelf.client)
    fresh.complete()
    fresh.token(token_facts())
    fresh.file()
    assert (edge.ask(URL).status, edge.ask(UNKNOWN).status) == (200, 404)


def test_a_store_that_hangs_is_away_after_a_second(serve: Callable[..., ServedEdge], shelf: Shelf) -> None:
    edge = serve(store_wait=0.3)
    assert edge.ask(UNKNOWN).status == 404

    shelf.client.execute_command("CLIENT", "PAUSE", "1500", "ALL")

    assert edge.ask(UNKNOWN).status == 503
    wait_for(lambda: edge.ask(UNKNOWN).status == 404)


def test_an_edge_that_starts_before_its_store_serves_once_it_is_there(
    serve: Callable[..., ServedEdge], store_server: embedded.Store, shelf: Shelf
) -> None:
    store_server.stop()
    edge = serve()
    assert edge.ask(UNKNOWN).status == 503

    store_server.start()
    Shelf(shelf.client).complete()

    wait_for(lambda: edge.ask(UNKNOWN).status == 404)


def test_newer_lists_are_loaded_before_the_decision(edge: ServedEdge, shelf: Shelf, doors: Doors) -> None:
    shelf.lock(device())
    shelf.lists(1)
    for number in range(2, 12):
        standing = (block("127.0.0.1", time.time() + 600),) if number % 2 else ()
        shelf.lists(number, blocked=standing)

        status = edge.ask(f"/{MAC}.cfg", headers={"User-Agent": AGENT}).status

        assert status == (404 if number % 2 else 200), number


def test_lists_that_cannot_be_had_are_no_reason_to_guess(edge: ServedEdge, shelf: Shelf) -> None:
    shelf.client.set(wire.LISTS, wire.pack_number(5))

    assert edge.ask(UNKNOWN).status == 503

    shelf.client.set(wire.LISTS_DATA, b"not lists")
    assert edge.ask(UNKNOWN).status == 503
    shelf.lists(5)
    assert edge.ask(UNKNOWN).status == 404


def test_lists_of_a_rebuilt_store_are_read_again_even_with_a_lower_number(
    edge: ServedEdge, shelf: Shelf
) -> None:
    shelf.lists(9)
    assert edge.ask(URL).status == 404
    shelf.client.flushall()
    shelf.token(token_facts())
    shelf.file()
    shelf.lists(2, blocked=(block("127.0.0.1", time.time() + 600),))
    shelf.complete(rebuild=2)

    assert edge.ask(URL).status == 404
    assert "O2" in {note.rule for note in shelf.noted(1)}


def test_an_unreadable_record_is_held(edge: ServedEdge, shelf: Shelf) -> None:
    shelf.client.set(wire.mac_key(MAC), b"x")
    shelf.client.set(wire.mac_key("00005e0053fe"), wire.tombstone(3))

    assert edge.ask(f"/{MAC}.cfg").status == 503
    assert edge.ask(UNKNOWN).status == 404


def test_requests_of_one_turn_share_one_look_up(edge: ServedEdge, shelf: Shelf) -> None:
    shelf.token(token_facts())
    shelf.file()
    edge.ask(URL)
    before = shelf.client.info("commandstats")["cmdstat_mget"]["calls"]
    phones = [socket.create_connection(("127.0.0.1", edge.port), 10) for _ in range(40)]
    wait_for(lambda: len(edge.connections) == 40)

    with edge.standing_still():
        for number, phone in enumerate(phones):
            phone.sendall(written("GET", URL, [], kept=number % 2 == 0))
    replies = [phone.recv(65536) for phone in phones]
    for phone in phones:
        phone.close()

    assert all(BODY in reply for reply in replies)
    assert shelf.client.info("commandstats")["cmdstat_mget"]["calls"] - before <= 3


@pytest.mark.rule("G6")
def test_beyond_the_cap_in_flight_phones_are_held_without_a_look_up(
    serve: Callable[..., ServedEdge], shelf: Shelf, doors: Doors
) -> None:
    edge = serve(most_in_flight=1)
    shelf.lock(device())
    shelf.token(token_facts())
    shelf.file()
    doors.claim_waits = threading.Event()
    slow = threading.Thread(target=lambda: edge.ask(f"/{MAC}.cfg", headers={"User-Agent": AGENT}))
    slow.start()
    wait_for(lambda: doors.claims)
    before = shelf.client.info("commandstats")["cmdstat_mget"]["calls"]

    assert edge.ask(URL).status == 503
    assert edge.ask(UNKNOWN).status == 503
    assert shelf.client.info("commandstats")["cmdstat_mget"]["calls"] == before
    assert edge.ask("/y000000000028.cfg").status == 200

    doors.claim_waits.set()
    slow.join()
    assert edge.ask(URL).status == 200


def test_notes_that_cannot_be_written_are_counted_and_told_later(
    edge: ServedEdge, shelf: Shelf, doors: Doors
) -> None:
    shelf.token(token_facts())
    shelf.file()
    shelf.client.set(wire.NOTES, b"no stream")

    assert edge.ask(URL).status == 200
    wait_for(lambda: edge.edge.store.lost_notes == 1)
    shelf.client.delete(wire.NOTES)
    assert edge.ask(URL).status == 200

    assert wait_for(lambda: shelf.client.get(wire.LOST_NOTES) == b"1")
    assert len(shelf.noted(1)) == 1


def test_what_was_gathered_is_written_when_the_edge_ends(
    serve: Callable[..., ServedEdge], shelf: Shelf
) -> None:
    edge = serve()
    shelf.ban("127.0.0.1", time.time() + 60)
    shelf.lock(device(state=State.LOCKED))
    for _ in range(3):
        edge.ask(f"/{MAC}.cfg")
    edge.__exit__()

    assert [(note.rule, note.count) for note in shelf.notes()] == [("G1", 3)]
