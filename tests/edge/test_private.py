"""Below the private URL: the file, who else gets nothing, uploads, and what is written down."""

import time

import pytest

from provisioning.edge.asking import ClaimAnswer
from provisioning.gate import KeyKind, Outcome, State, Then, TokenKind, Verdict
from security.networks import parse_address, parse_origin
from tests.edge.serving import Doors, ServedEdge, wait_for
from tests.edge.shelf import AGENT, BODY, CODE, MAC, TOKEN, Shelf, block, hash_of, locked, token_facts

HERE, THERE = "127.0.0.1", "127.0.7.7"
URL = f"/d/{TOKEN}/{MAC}.cfg"
PRIVATE = {
    "cache-control": "private, no-store",
    "referrer-policy": "no-referrer",
    "x-robots-tag": "none",
}


@pytest.fixture
def edge(either_way: ServedEdge) -> ServedEdge:
    """Every test here goes both ways."""
    return either_way


def has_private_headers(headers: dict[str, str]) -> bool:
    return PRIVATE.items() <= headers.items() and not any(n.startswith("access-control") for n in headers)


@pytest.mark.rule("O3")
def test_the_phone_gets_its_file_and_one_note_says_so(edge: ServedEdge, shelf: Shelf) -> None:
    token_hash = shelf.token(token_facts())
    shelf.file()

    reply = edge.ask(URL, headers={"User-Agent": AGENT})

    assert (reply.status, reply.body) == (200, BODY)
    assert reply.headers["content-type"] == "text/plain"
    assert has_private_headers(reply.headers)
    (note,) = shelf.noted(1)
    assert (note.rule, note.outcome, note.code, note.mac) == ("O3", "full", CODE, MAC)
    assert (note.token, note.agent, note.file) == (token_hash, AGENT, f"{MAC}.cfg")
    assert (note.check_in, note.current, note.drift, note.first_use) == (True, True, False, False)
    assert int(note.address, 16) == parse_address(HERE)


def test_the_name_may_be_spelled_in_capitals_and_below_a_folder(edge: ServedEdge, shelf: Shelf) -> None:
    mac = "00005e0053ab"
    shelf.token(token_facts(mac=mac))
    shelf.file(name=f"{mac}.cfg")

    for name in (f"{mac.upper()}.cfg", "00005E0053aB.cfg", f"{'ab' * 16}/{mac}.cfg", f"%30{mac[1:]}.cfg"):
        assert edge.ask(f"/d/{TOKEN}/{name}").body == BODY, name


@pytest.mark.rule("O3")
def test_a_current_token_gets_304_for_what_it_has_and_that_is_a_check_in(
    edge: ServedEdge, shelf: Shelf
) -> None:
    shelf.token(token_facts())
    shelf.file()
    etag = edge.ask(URL).headers["etag"]
    shelf.file()  # sealed anew, the content is the same

    again = edge.ask(URL, headers={"If-None-Match": f'"other", W/{etag}'})

    assert (again.status, again.body, again.headers["etag"]) == (304, b"", etag)
    assert has_private_headers(again.headers)
    assert [note.check_in for note in shelf.noted(2)] == [True, True]


def test_other_content_has_another_validator(edge: ServedEdge, shelf: Shelf) -> None:
    shelf.token(token_facts())
    shelf.file()
    etag = edge.ask(URL).headers["etag"]
    shelf.file(BODY + b"more")

    assert edge.ask(URL, headers={"If-None-Match": etag}).status == 200


@pytest.mark.rule("O0")
def test_head_has_the_headers_of_get_and_no_effect(edge: ServedEdge, shelf: Shelf, doors: Doors) -> None:
    shelf.token(token_facts(used=False))
    shelf.file()

    reply = edge.ask(URL, method="HEAD")

    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["content-length"] == str(len(BODY))
    assert doors.first_uses == []
    edge.ask(URL)
    assert len(shelf.noted(1)) == 1


@pytest.mark.rule("O4")
def test_another_origin_is_served_and_noted_as_drift_even_when_banned(edge: ServedEdge, shelf: Shelf) -> None:
    shelf.token(token_facts())
    shelf.file()
    shelf.ban(THERE, time.time() + 3600)
    shelf.lists(1, banned=(block(THERE, time.time() + 3600),))

    assert edge.ask(URL, source=THERE).status == 200

    (note,) = shelf.noted(1)
    assert (note.rule, note.drift) == ("O4", True)


def test_all_refusals_below_a_private_url_are_the_same_bytes(edge: ServedEdge, shelf: Shelf) -> None:
    tokens = {name: (name + "7") * 20 for name in "bcdefghij"}
    shelf.token(token_facts(enabled=False), tokens["b"])
    shelf.token(token_facts(state=State.QUARANTINED), tokens["c"])
    shelf.token(token_facts(TokenKind.DEAD), tokens["d"])
    shelf.token(token_facts(TokenKind.ENTRY, origin=parse_origin(THERE)), tokens["e"])
    shelf.token(token_facts(until=time.time() - 1, kind=TokenKind.FORMER), tokens["f"])
    shelf.token(token_facts(), tokens["g"])
    never_issued = tokens["h"]
    paths = [f"/d/{token}/{MAC}.cfg" for token in tokens.values() if token != tokens["g"]]
    paths += [f"/d/{tokens['g']}/{name}" for name in (f"{MAC}-local.cfg", "00005e0053aa.cfg", "x", "", "a/b")]
    paths += [f"/d/{tokens['g']}", f"/d/{tokens['g']}/../x", "/d/short/x", f"/d/{never_issued}", "/d//x"]

    raws = {path: edge.ask(path).raw for path in paths}

    closing = b"" if edge.kept else b"connection: close\r\n"
    expected = (
        b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\ncache-control: private, no-store\r\n"
        b"referrer-policy: no-referrer\r\nx-robots-tag: none\r\n" + closing + b"\r\n"
    )
    assert set(raws.values()) == {expected}


@pytest.mark.rule("T5")
def test_a_token_never_issued_is_a_key_and_stands_nowhere_in_clear(edge: ServedEdge, shelf: Shelf) -> None:
    planted = "z9" * 20

    edge.ask(f"/d/{planted}/{MAC}.cfg", headers={"User-Agent": f"x {planted}"})
    edge.ask(f"/d/{planted}/{MAC}.cfg", headers={"User-Agent": f"x {planted}", "Referer": planted})
    edge.ask(f"/{planted}", headers={"User-Agent": planted})
    edge.ask(f"/D/{planted}/{MAC}.cfg")

    token = (KeyKind.BAD_TOKEN, hash_of(planted)[:6])
    assert wait_for(lambda: shelf.failures(HERE) == {token, (KeyKind.BROWSER, ""), (KeyKind.BAD_PATH, "")})
    shelf.noted(4)
    for key in shelf.client.scan_iter():
        kind = shelf.client.type(key)
        held = {
            b"stream": lambda key: shelf.client.xrange(key),
            b"zset": lambda key: shelf.client.zrange(key, 0, -1),
            b"string": lambda key: shelf.client.get(key),
        }[kind](key)
        assert planted not in f"{key}{held}"


@pytest.mark.rule("T8")
def test_another_devices_name_is_refused_without_a_key(edge: ServedEdge, shelf: Shelf) -> None:
    shelf.token(token_facts())
    shelf.file()
    shelf.file(name="00005e0053aa.cfg")

    for name in ("00005e0053aa.cfg", "00005e0053aa.boot", "nothing-we-know", "wp-login.php"):
        assert edge.ask(f"/d/{TOKEN}/{name}").status == 404

    assert {note.rule for note in shelf.noted(4)} == {"T8"}
    assert shelf.failures(HERE) == set()


@pytest.mark.rule("O2")
def test_a_blocked_address_gets_nothing_and_the_phone_is_named(edge: ServedEdge, shelf: Shelf) -> None:
    shelf.token(token_facts())
    shelf.file()
    shelf.lists(1, blocked=(block(THERE, time.time() + 3600),))

    assert edge.ask(URL, source=THERE).status == 404
    assert edge.ask(URL).status == 200

    assert {note.rule: note.code for note in shelf.noted(2)} == {"O2": CODE, "O3": CODE}


# --- tokens ------------------------------------------------------------------------------------------------


@pytest.mark.rule("T1")
def test_an_entry_token_gets_the_files_of_its_current_one(
    edge: ServedEdge, shelf: Shelf, doors: Doors
) -> None:
    entry = "e1" * 20
    shelf.token(token_facts(used=False))
    shelf.file()
    shelf.token(
        token_facts(TokenKind.ENTRY, origin=parse_origin(HERE), until=time.time() + 600, used=False),
        entry,
        file_of=TOKEN,
    )

    reply = edge.ask(f"/d/{entry}/{MAC}.cfg", headers={"User-Agent": AGENT, "If-None-Match": "*"})

    assert (reply.status, reply.body) == (200, BODY)
    assert doors.first_uses == [(hash_of(entry), parse_address(HERE), AGENT)]
    (note,) = shelf.noted(1)
    assert (note.rule, note.check_in, note.current, note.first_use) == ("T1", False, False, False)


@pytest.mark.rule("T2")
def test_a_first_use_is_written_before_the_body_leaves_and_once(
    edge: ServedEdge, shelf: Shelf, doors: Doors
) -> None:
    shelf.token(token_facts(used=False))
    shelf.file()

    edge.ask(URL)
    edge.ask(URL)

    assert doors.first_uses == [(hash_of(TOKEN), parse_address(HERE), "")]
    assert [note.first_use for note in shelf.noted(2)] == [False, False]


@pytest.mark.rule("T2")
def test_with_the_database_away_the_first_use_is_in_the_note(
    edge: ServedEdge, shelf: Shelf, doors: Doors
) -> None:
    shelf.token(token_facts(used=False))
    shelf.file()
    doors.away = True

    assert edge.ask(URL).status == 200

    (note,) = shelf.noted(1)
    assert note.first_use
    assert note.token == hash_of(TOKEN)


@pytest.mark.rule("T3")
def test_a_superseded_former_token_is_served_where_it_is_known_as_a_suspected_clone(
    edge: ServedEdge, shelf: Shelf
) -> None:
    origins = ((parse_origin(HERE), time.time() - 3600),)
    shelf.token(token_facts(TokenKind.FORMER, superseded=True, until=time.time() + 3600, origins=origins))
    shelf.file()
    shelf.lock(locked(HERE, denied=()))

    known = edge.ask(URL, headers={"If-None-Match": "*"})
    foreign = edge.ask(URL, source=THERE, headers={"User-Agent": AGENT})

    assert (known.status, foreign.status) == (200, 404)
    notes = {note.rule: note for note in shelf.noted(2)}
    assert notes["T3"].clone
    assert notes["T3"].check_in
    assert not notes["T3"].current
    assert notes["R6"].clone
    assert notes["R6"].key == ""


@pytest.mark.rule("T4")
def test_a_dead_token_is_answered_as_its_mac_would_be_at_the_root(
    edge: ServedEdge, shelf: Shelf, doors: Doors
) -> None:
    shelf.token(token_facts(TokenKind.DEAD))
    shelf.lock(locked(HERE))

    home = edge.ask(URL, headers={"User-Agent": AGENT})
    away = edge.ask(URL, source=THERE, headers={"User-Agent": AGENT})

    assert (home.status, home.body) == (200, b"bootstrap")
    assert has_private_headers(home.headers)
    assert away.status == 404
    (request,) = doors.claims
    assert (request.mac, request.file_name) == (MAC, f"{MAC}.cfg")
    assert [note.rule for note in shelf.noted(1)] == ["R6"]
    assert shelf.failures(THERE) == set()


@pytest.mark.rule("T4")
@pytest.mark.parametrize(
    ("case", "name"),
    [
        ("another phone's name", "00005e0053aa.cfg"),
        ("a name of no family", "x"),
        ("no claiming name", f"{MAC}-local.cfg"),
    ],
)
def test_a_dead_token_reaches_no_other_mac(
    edge: ServedEdge, shelf: Shelf, doors: Doors, case: str, name: str
) -> None:
    shelf.token(token_facts(TokenKind.DEAD))
    shelf.lock(locked(HERE))
    shelf.lock(locked(HERE, mac="00005e0053aa"))

    assert edge.ask(f"/d/{TOKEN}/{name}", headers={"User-Agent": AGENT}).status == 404

    assert doors.claims == []
    assert shelf.failures(HERE) == set()


@pytest.mark.rule("T4")
def test_a_dead_token_of_a_mac_on_no_device_is_refused_without_a_key(edge: ServedEdge, shelf: Shelf) -> None:
    shelf.token(token_facts(TokenKind.DEAD))

    assert edge.ask(URL).status == 404

    assert [note.rule for note in shelf.noted(1)] == ["R11"]
    assert shelf.failures(HERE) == set()


@pytest.mark.rule("T4")
def test_a_dead_token_from_a_banned_address_is_refused(edge: ServedEdge, shelf: Shelf, doors: Doors) -> None:
    shelf.token(token_facts(TokenKind.DEAD))
    shelf.lock(locked(HERE))
    shelf.ban(HERE, time.time() + 3600)

    assert edge.ask(URL, headers={"User-Agent": AGENT}).status == 404
    assert doors.claims == []


def test_a_claim_below_a_dead_token_that_is_taken_for_a_clone_is_noted(
    edge: ServedEdge, shelf: Shelf, doors: Doors
) -> None:
    shelf.token(token_facts(TokenKind.FORMER, superseded=True, until=time.time() + 3600))
    shelf.lock(locked(HERE))
    doors.answer = ClaimAnswer(Verdict(Outcome.BOOTSTRAP, "R4", Then.CLAIM), b"bootstrap", "text/plain")

    assert edge.ask(URL, headers={"User-Agent": AGENT}).body == b"bootstrap"

    (note,) = shelf.noted(1)
    assert (note.rule, note.clone, note.check_in) == ("R4", True, False)


@pytest.mark.rule("T7")
def test_no_log_line_holds_a_token(
    edge: ServedEdge, shelf: Shelf, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    shelf.token(token_facts())
    shelf.file(code="11111111-2222-4333-8444-5555555555ff")

    assert edge.ask(URL, headers={"User-Agent": TOKEN}).status == 503
    assert edge.ask(f"/d/{TOKEN}/x?{TOKEN}").status == 404

    shelf.noted(2)
    shown = capfd.readouterr()
    assert "cannot be opened" in caplog.text
    assert TOKEN not in caplog.text + shown.out + shown.err
    assert TOKEN not in str(shelf.client.xrange("notes"))
