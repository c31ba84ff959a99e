"""The root URL: who is claimed for, who is refused, and that all refusals look alike."""

import time
from dataclasses import replace

import pytest

from provisioning import wire
from provisioning.edge import root
from provisioning.edge.asking import ClaimAnswer
from provisioning.gate import Grant, KeyKind, Outcome, State, Then, Verdict, Window
from security.networks import parse_address, parse_origin
from tests.edge.serving import Doors, ServedEdge, wait_for
from tests.edge.shelf import AGENT, CODE, MAC, PATH, Shelf, block, device, locked

HERE, THERE = "127.0.0.1", "127.0.7.7"
FOREVER = time.time() + 10 * 86400
UNKNOWN = "00005e0053fe"


@pytest.mark.rule("R1")
def test_a_fresh_phone_is_claimed_for(edge: ServedEdge, shelf: Shelf, doors: Doors) -> None:
    shelf.lock(device())

    reply = edge.ask(f"/{MAC}.cfg", headers={"User-Agent": AGENT})

    assert (reply.status, reply.body) == (200, b"bootstrap")
    assert reply.headers["cache-control"] == "no-store"
    (request,) = doors.claims
    assert (request.mac, request.file_name, request.agent) == (MAC, f"{MAC}.cfg", AGENT)
    assert request.address == parse_address(HERE)


def _cases(shelf: Shelf) -> dict[str, tuple[str, str]]:
    """Every phone that gets nothing, with the agent it is asked by."""
    phones = {
        "01": locked(THERE),
        "02": device(armed_at=time.time() - 90 * 86400),
        "03": device(armed_at=time.time() + 86400),
        "04": locked(HERE, state=State.QUARANTINED),
        "05": locked(HERE, state=State.RETIRED),
        "06": locked(HERE, enabled=False),
        "07": locked(HERE),
        "08": locked(THERE, state=State.UNLOCKED, grant=Grant(FOREVER, parse_origin("127.0.9.9"), 1.0)),
        "09": locked(THERE, state=State.UNLOCKED, grant=Grant(time.time() - 1, None, 1.0)),
    }
    rules = ["R6", "R3", "R3a", "R10", "R10", "R10", "R12", "R9", "R6"]
    found = {}
    for (digits, facts), rule in zip(phones.items(), rules, strict=True):
        mac = f"00005e0053{digits}"
        code = f"11111111-2222-4333-8444-5555555555{digits}"
        shelf.lock(replace(facts, mac=mac, code=code))
        spelled = ":".join(mac[at : at + 2] for at in range(0, 12, 2))
        agent = "curl/8" if rule == "R12" else f"Yealink SIP-T46S 66.86.0.15 {spelled}"
        found[mac] = (rule, agent)
    found[UNKNOWN] = ("R11", AGENT.replace("53:01", "53:fe"))
    return found


def test_every_refusal_is_the_same_bytes_without_a_claim(
    edge: ServedEdge, shelf: Shelf, doors: Doors
) -> None:
    cases = _cases(shelf)

    replies = {mac: edge.ask(f"/{mac}.cfg", headers={"User-Agent": a}) for mac, (_, a) in cases.items()}

    assert {reply.raw for reply in replies.values()} == {
        b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    }
    assert doors.claims == []
    notes = shelf.noted(len(cases))
    assert {note.mac: note.rule for note in notes} == {mac: rule for mac, (rule, _) in cases.items()}
    by_rule = {note.rule: note for note in notes}
    assert by_rule["R3"].stale
    assert by_rule["R12"].card
    assert by_rule["R12"].product == "curl"
    assert by_rule["R9"].card
    assert [note.unlock_expired for note in notes if note.mac.endswith("09")] == [True]
    assert by_rule["R11"].code == ""


def test_distinct_failures_are_keys_of_the_origin_once(edge: ServedEdge, shelf: Shelf) -> None:
    _cases(shelf)
    before = shelf.client.info("commandstats").get("cmdstat_zadd", {}).get("calls", 0)

    for _ in range(3):
        edge.ask(f"/{UNKNOWN}.cfg", source=THERE)
        edge.ask("/wp-login.php", source=THERE)
        edge.ask("/etc/../passwd", source=THERE)
        edge.ask("/00005e005303.cfg", source=THERE, headers={"User-Agent": "curl/8"})
        edge.ask(f"/{UNKNOWN}.cfg", source=THERE, headers={"Sec-Fetch-Mode": "navigate"})

    expected = {
        (KeyKind.UNKNOWN_MAC, UNKNOWN),
        (KeyKind.BAD_PATH, ""),
        (KeyKind.WRONG_AGENT, "00005e005303"),
        (KeyKind.BROWSER, ""),
    }
    assert wait_for(lambda: shelf.failures(THERE) == expected)
    assert shelf.client.info("commandstats")["cmdstat_zadd"]["calls"] - before == 4


def test_refusals_of_a_second_are_one_note_with_a_count(edge: ServedEdge, shelf: Shelf) -> None:
    for _ in range(20):
        edge.ask(f"/{UNKNOWN}.cfg")

    notes = shelf.noted(20)

    assert len(notes) <= 3


def test_a_scan_leaves_few_notes_and_few_keys(edge: ServedEdge, shelf: Shelf) -> None:
    for number in range(400):
        edge.ask(f"/0000000{number:05x}.cfg", source=THERE)

    wait_for(lambda: len(shelf.notes()) >= 10)
    assert len(shelf.notes()) <= 40  # until the ban came; then it is a number
    assert len(shelf.failures(THERE)) <= 40


def test_a_scan_that_may_not_be_banned_leaves_few_notes(edge: ServedEdge, shelf: Shelf) -> None:
    shelf.lists(1, allowed=(block(THERE, FOREVER),))

    for number in range(400):
        edge.ask(f"/0000000{number:05x}.cfg", source=THERE)

    wait_for(lambda: len(shelf.notes()) >= 200)
    assert len(shelf.notes()) <= 260


@pytest.mark.rule("R4a")
def test_a_repeat_and_a_poll_ask_the_database_and_one_who_is_not_admitted_does_not(
    edge: ServedEdge, shelf: Shelf, doors: Doors
) -> None:
    shelf.lock(locked(HERE))

    assert edge.ask(f"/{MAC}.cfg", headers={"User-Agent": AGENT}).status == 200
    assert edge.ask(f"/{MAC}.cfg", headers={"User-Agent": AGENT}, source=THERE).status == 404

    assert len(doors.claims) == 1


def test_the_claims_own_verdict_is_final(edge: ServedEdge, shelf: Shelf, doors: Doors) -> None:
    shelf.lock(device())
    doors.answer = ClaimAnswer(Verdict(Outcome.REFUSED, "R6", key=KeyKind.LOCKED_MAC, card=True))

    reply = edge.ask(f"/{MAC}.cfg", headers={"User-Agent": AGENT})

    assert reply.status == 404
    (note,) = shelf.noted(1)
    assert (note.rule, note.card, note.code) == ("R6", True, CODE)


def test_a_poll_is_a_check_in(edge: ServedEdge, shelf: Shelf, doors: Doors) -> None:
    shelf.lock(locked(HERE, single_step=True))
    doors.answer = ClaimAnswer(Verdict(Outcome.BOOTSTRAP, "R4", Then.POLL), b"all of it", "text/plain")

    assert edge.ask(f"/{MAC}.cfg", headers={"User-Agent": AGENT}).body == b"all of it"

    (note,) = shelf.noted(1)
    assert (note.rule, note.check_in, note.code) == ("R4", True, CODE)


@pytest.mark.rule("G6")
def test_with_the_database_away_a_claim_is_held_and_a_refusal_is_not(
    edge: ServedEdge, shelf: Shelf, doors: Doors
) -> None:
    shelf.lock(device())
    doors.away = True

    held = edge.ask(f"/{MAC}.cfg", headers={"User-Agent": AGENT})
    refused = edge.ask(f"/{UNKNOWN}.cfg")

    assert held.status == 503
    assert 30 <= int(held.headers["retry-after"]) <= 300
    assert held.body == b""
    assert refused.status == 404


@pytest.mark.rule("R5")
def test_a_window_in_the_lists_leads_to_the_claim(edge: ServedEdge, shelf: Shelf, doors: Doors) -> None:
    shelf.lock(locked(THERE))
    assert edge.ask(f"/{MAC}.cfg", headers={"User-Agent": AGENT}).status == 404

    window = Window(parse_origin(HERE), PATH[:8], time.time() - 1, time.time() + 3600)
    shelf.lists(2, windows=(window,))

    assert edge.ask(f"/{MAC}.cfg", headers={"User-Agent": AGENT}).status == 200
    assert len(doors.claims) == 1


@pytest.mark.rule("G1")
@pytest.mark.parametrize("how", ["blocked", "banned", "standing"])
def test_a_blocked_or_banned_address_gets_nothing_and_is_only_counted(
    edge: ServedEdge, shelf: Shelf, doors: Doors, how: str
) -> None:
    shelf.lock(device())
    assert edge.ask(f"/{MAC}.cfg", headers={"User-Agent": AGENT}).status == 200
    if how == "standing":
        shelf.ban(HERE, time.time() + 3600)
    else:
        shelf.lists(2, **{how: (block(HERE, time.time() + 3600),)})

    for path in (f"/{MAC}.cfg", f"/{UNKNOWN}.cfg", "/y000000000028.cfg", "/nonsense"):
        assert edge.ask(path, headers={"User-Agent": AGENT}).status == 404

    assert len(doors.claims) == 1
    assert shelf.failures(HERE) == set()
    if how == "standing":
        shelf.ban(HERE, time.time() - 1)
    else:
        shelf.lists(3, **{how: (block(HERE, time.time() - 1),)})
    assert edge.ask(f"/{MAC}.cfg", headers={"User-Agent": AGENT}).status == 200


@pytest.mark.rule("G2")
@pytest.mark.parametrize(
    "mark", ["Sec-Fetch-Site", "Sec-Fetch-Storage-Access", "Origin", "Referer", "Cookie"]
)
def test_a_browser_is_refused_without_a_look_up(edge: ServedEdge, shelf: Shelf, mark: str) -> None:
    shelf.lock(device())
    edge.ask("/warm-up", source=THERE)
    before = shelf.client.info("commandstats")["cmdstat_mget"]["calls"]

    reply = edge.ask(f"/{MAC}.cfg", headers={"User-Agent": AGENT, mark: "x"})

    assert reply.status == 404
    assert shelf.client.info("commandstats")["cmdstat_mget"]["calls"] == before
    assert wait_for(lambda: shelf.failures(HERE) == {(KeyKind.BROWSER, "")})


@pytest.mark.rule("G3")
@pytest.mark.parametrize("method", ["DELETE", "OPTIONS", "PATCH", "PROPFIND"])
def test_other_methods_are_refused_and_no_answer_has_a_cors_header(edge: ServedEdge, method: str) -> None:
    reply = edge.ask("/y000000000028.cfg", method=method)

    assert reply.status == 404
    assert not [name for name in reply.headers if name.startswith("access-control")]


@pytest.mark.rule("G4")
def test_a_common_file_is_served_whole_or_as_not_modified(edge: ServedEdge) -> None:
    whole = edge.ask("/y000000000028.cfg")
    again = edge.ask("/y000000000028.cfg", headers={"If-None-Match": whole.headers["etag"]})
    head = edge.ask("/y000000000028.cfg", method="HEAD")

    assert (whole.status, again.status, head.status) == (200, 304, 200)
    assert whole.body
    assert again.body == head.body == b""
    assert head.headers["content-length"] == str(len(whole.body))
    assert "auto_provision.server.url" not in whole.body.decode()


@pytest.mark.rule("G5")
@pytest.mark.parametrize(
    ("case", "method", "path"),
    [
        ("an own file that does not claim", "GET", f"/{MAC}-local.cfg"),
        ("a HEAD", "HEAD", f"/{MAC}.cfg"),
        ("an upload", "PUT", f"/{MAC}-local.cfg"),
        ("an upload by form", "POST", f"/{MAC}.cfg"),
    ],
)
def test_what_does_not_claim_is_refused_and_no_key_for_a_known_phone(
    edge: ServedEdge, shelf: Shelf, doors: Doors, case: str, method: str, path: str
) -> None:
    shelf.lock(device())
    body = b"x" if method in ("PUT", "POST") else None

    known = edge.ask(path, method=method, body=body)
    unknown = edge.ask(path.replace(MAC, UNKNOWN), method=method, body=body)

    assert known.raw == unknown.raw
    assert known.status == 404
    assert doors.claims == []
    assert wait_for(lambda: shelf.failures(HERE) == {(KeyKind.UNKNOWN_MAC, UNKNOWN)})


def test_range_and_conditional_headers_are_ignored_at_the_root(edge: ServedEdge, shelf: Shelf) -> None:
    shelf.lock(device())
    headers = {"User-Agent": AGENT, "Range": "bytes=0-1", "If-None-Match": "*"}

    reply = edge.ask(f"/{MAC}.cfg", headers=headers)

    assert (reply.status, reply.body) == (200, b"bootstrap")


def test_up_to_two_folders_of_the_family_and_hex_folders_are_skipped(
    edge: ServedEdge, shelf: Shelf, doors: Doors
) -> None:
    shelf.lock(device())

    assert edge.ask(f"/{'0a' * 16}/{MAC.upper()}.cfg", headers={"User-Agent": AGENT}).status == 200
    assert edge.ask(f"/other/{MAC}.cfg", headers={"User-Agent": AGENT}).status == 404

    assert [request.mac for request in doors.claims] == [MAC]


def test_one_percent_escape_is_decoded_and_two_are_not(edge: ServedEdge, shelf: Shelf, doors: Doors) -> None:
    shelf.lock(device())

    assert edge.ask(f"/%30{MAC[1:]}.cfg", headers={"User-Agent": AGENT}).status == 200
    assert edge.ask(f"/%2530{MAC[1:]}.cfg", headers={"User-Agent": AGENT}).status == 404


def test_more_than_fifty_claims_a_second_and_a_burst_of_500_are_held(
    edge: ServedEdge, shelf: Shelf, doors: Doors
) -> None:
    shelf.lock(device())
    allowance = edge.edge._root._claims
    now = time.time()
    while allowance.take(wire.address_key(parse_origin(HERE)), now + 60):
        pass

    assert edge.ask(f"/{MAC}.cfg", headers={"User-Agent": AGENT}).status == 503
    assert edge.ask(f"/{UNKNOWN}.cfg").status == 404
    assert edge.ask(f"/{MAC}.cfg", headers={"User-Agent": AGENT}, source=THERE).status == 200
    assert root.CLAIMS_A_SECOND == 50
