"""The short way for the daily request: the same bytes as by the parser, whatever comes before or after."""

import socket
import threading
from collections.abc import Callable

import pytest

from tests.edge.serving import PATIENCE, ServedEdge, parse, wait_for, written
from tests.edge.shelf import AGENT, BODY, MAC, TOKEN, Shelf, hash_of, token_facts

URL = f"/d/{TOKEN}/{MAC}.cfg"
PLAIN = written("GET", URL, [("User-Agent", AGENT)], kept=True)
ROOT = written("GET", "/y000000000028.cfg", [], kept=True)


@pytest.fixture
def phone(edge: ServedEdge, shelf: Shelf):  # type: ignore[no-untyped-def]
    """A connection of a phone whose file is there."""
    shelf.token(token_facts())
    shelf.file()
    with socket.create_connection(("127.0.0.1", edge.port), PATIENCE) as line:
        line.settimeout(PATIENCE)
        yield line


def read(line: socket.socket, count: int = 1) -> list[bytes]:
    """Read whole replies."""
    raw, found = b"", []
    while len(found) < count:
        head, end, rest = raw.partition(b"\r\n\r\n")
        length = int(parse(raw).headers.get("content-length", "0")) if end else -1
        if end and len(rest) >= length:
            found.append(raw[: len(head) + 4 + length])
            raw = rest[length:]
            continue
        part = line.recv(65536)
        assert part, raw
        raw += part
    assert raw == b""
    return found


def test_both_ways_give_the_same_bytes(phone: socket.socket) -> None:
    phone.sendall(PLAIN)
    short = read(phone)
    phone.sendall(PLAIN.replace(b"User-Agent", b"Connection: keep-alive\r\nUser-Agent"))
    by_parser = read(phone)

    assert short == by_parser
    assert short[0].endswith(BODY)


def test_a_connection_goes_on_by_either_way(phone: socket.socket) -> None:
    for request in (PLAIN, ROOT, PLAIN, PLAIN, ROOT):
        phone.sendall(request)
        (reply,) = read(phone)
        assert reply.startswith(b"HTTP/1.1 200 OK\r\n")
        assert (BODY in reply) == (request is PLAIN)


@pytest.mark.parametrize("cut", [1, 10, 60, len(PLAIN) - 1])
def test_a_request_that_comes_in_pieces_is_answered(phone: socket.socket, edge: ServedEdge, cut: int) -> None:
    phone.sendall(PLAIN[:cut])
    wait_for(lambda: any(connection._in_message for connection in edge.connections))
    phone.sendall(PLAIN[cut:])

    assert read(phone)[0].endswith(BODY)


@pytest.mark.parametrize(
    "requests", [[PLAIN, PLAIN, PLAIN], [PLAIN, ROOT, PLAIN], [ROOT, PLAIN, PLAIN], [ROOT, ROOT, PLAIN]]
)
def test_requests_sent_at_once_are_answered_in_order(
    phone: socket.socket, edge: ServedEdge, requests: list[bytes]
) -> None:
    with edge.standing_still():
        phone.sendall(b"".join(requests))
    replies = read(phone, len(requests))

    assert [BODY in reply for reply in replies] == [request is PLAIN for request in requests]


def test_what_comes_while_an_answer_is_awaited_waits_its_turn(
    phone: socket.socket, edge: ServedEdge, shelf: Shelf
) -> None:
    shelf.token(token_facts(), files=2)
    phone.sendall(PLAIN)
    wait_for(lambda: edge.doors.wanted == [hash_of(TOKEN)])
    phone.sendall(ROOT + PLAIN)
    shelf.file(b"new", files=2)

    replies = read(phone, 3)

    assert [reply.partition(b"\r\n\r\n")[2] == b"new" for reply in replies] == [True, False, True]


@pytest.mark.parametrize(
    ("case", "old", "new", "status"),
    [
        ("a body that is announced", b"User-Agent", b"Content-Length: 0\r\nUser-Agent", b"200"),
        ("a name with a blank", b"User-Agent:", b"User-Agent :", b"400"),
        ("two framings", b"User-Agent", b"Transfer-Encoding: x\r\nContent-Length: 5\r\nUser-Agent", b"400"),
        ("a folded line", b"User-Agent", b"X: y\r\n z\r\nUser-Agent", b"400"),
        ("a bare line feed", b"\r\nUser-Agent", b"\nUser-Agent", b""),
        ("a NUL", b"Yealink", b"Yea\0ink", b"400"),
        ("HTTP/1.0", b"HTTP/1.1", b"HTTP/1.0", b"200"),
        ("a query", b".cfg ", b".cfg?x ", b"200"),
        ("an absolute URL", b"GET /d/", b"GET http://phones.example.org/d/", b"200"),
        ("a long name", f"{MAC}.cfg".encode(), b"x" * 250, b"404"),
    ],
)
def test_what_is_not_plain_is_left_to_the_parser(
    phone: socket.socket, case: str, old: bytes, new: bytes, status: bytes
) -> None:
    request = PLAIN.replace(old, new)
    assert request != PLAIN

    phone.sendall(request)

    assert phone.recv(65536).startswith(b"HTTP/1.1 " + status)


def test_a_phone_behind_a_proxy_is_known_by_either_way(
    serve: Callable[..., ServedEdge], shelf: Shelf
) -> None:
    edge = serve(trusted_proxies=["127.0.0.0/8"])
    shelf.token(token_facts())
    shelf.file()
    headers = [("x-forwarded-for", "203.0.113.9, 192.0.2.7"), ("X-Forwarded-For", "127.0.0.5")]

    for kept in (True, False):
        edge.kept = kept
        assert edge.ask(URL, headers=headers).status == 200
        assert edge.ask(URL, headers=[("X-Forwarded-For", "garbage")]).status == 503

    notes = shelf.noted(2)
    assert {note.address for note in notes} == {f"{0xFFFF_C000_0207:x}"}
    assert {note.drift for note in notes} == {True}


def test_an_idle_connection_is_closed_and_a_used_one_is_not(edge: ServedEdge, shelf: Shelf) -> None:
    shelf.token(token_facts())
    shelf.file()
    with socket.create_connection(("127.0.0.1", edge.port), PATIENCE) as line:
        line.settimeout(PATIENCE)
        wait_for(lambda: edge.connections)
        (connection,) = edge.connections
        connection.timeout_keep_alive = 0.3
        for _ in range(5):
            line.sendall(PLAIN)
            assert read(line)[0].endswith(BODY)

        assert line.recv(1) == b""


def test_the_edge_ends_only_after_its_answers(serve: Callable[..., ServedEdge], shelf: Shelf) -> None:
    edge = serve()
    shelf.token(token_facts(), files=2)
    with socket.create_connection(("127.0.0.1", edge.port), PATIENCE) as line:
        line.settimeout(PATIENCE)
        line.sendall(PLAIN)
        wait_for(lambda: edge.doors.wanted)
        ending = threading.Thread(target=edge.__exit__)
        ending.start()
        wait_for(lambda: any(connection._last for connection in edge.connections))
        shelf.file(b"new", files=2)

        assert read(line)[0].endswith(b"connection: close\r\n\r\nnew")
        ending.join(PATIENCE)
