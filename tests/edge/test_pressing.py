"""Bans earned at the edge: at the threshold, by what counts, ended by proofs, with nobody else at work."""

import time
from collections.abc import Callable

import pytest

from provisioning import pressed, wire
from provisioning.edge import limits
from provisioning.edge.limits import SeenFailures
from provisioning.gate import State, TokenKind, Window
from provisioning.pressed import Earned, Place, What
from security.networks import parse_network, parse_origin
from security.pressure import Key
from tests.edge.serving import ServedEdge, wait_for
from tests.edge.shelf import AGENT, BODY, MAC, PATH, TOKEN, Shelf, block, device, locked, token_facts

HERE, THERE = "127.0.0.1", "127.0.7.7"
NOTHING = 404


def scan(edge: ServedEdge, count: int, *, source: str = HERE, first: int = 0) -> list[int]:
    """Ask for so many MACs that nobody knows."""
    found = []
    for number in range(first, first + count):
        mac = f"00005e54{number:04x}"
        headers = {"User-Agent": f"Yealink SIP-T46S 66.86.0.15 {mac}"}
        found.append(edge.ask(f"/{mac}.cfg", headers=headers, source=source).status)
    settled(edge)
    return found


def settled(edge: ServedEdge) -> None:
    """Wait until the edge has judged everything that it was asked."""
    wait_for(lambda: not edge.edge.pressing.is_busy)


def told(shelf: Shelf) -> list[Earned]:
    entries = (entry for _, entry in shelf.client.xrange(wire.NOTES))
    return [pressed.unpack_earned(entry[pressed.EARNED]) for entry in entries if pressed.EARNED in entry]


def standing(shelf: Shelf, origin: str = HERE) -> float:
    return pressed.unpack_standing(shelf.client.get(wire.address_key(parse_origin(origin))))


def prove(shelf: Shelf, count: int, *, account: str = PATH, origin: str = HERE) -> None:
    """So many devices of an account are proved there, as the drain writes it."""
    place = Place.of(parse_origin(origin))
    for number in range(count):
        shelf.client.hset(place.proved, f"00005e57{number:04x}", account)


def phone(shelf: Shelf, number: int) -> str:
    """A phone that works from there by its private URL; returns its path."""
    mac, token = f"00005e55{number:04x}", f"{number:04x}" + TOKEN[4:]
    code = f"11111111-2222-4333-8444-{number:012x}"
    shelf.token(token_facts(mac=mac, code=code), token)
    shelf.file(BODY, token=token, name=f"{mac}.cfg", code=code)
    return f"/d/{token}/{mac}.cfg"


@pytest.mark.rule("B1", "B3")
def test_the_tenth_different_failure_bans_the_address_for_an_hour(edge: ServedEdge, shelf: Shelf) -> None:
    scan(edge, 9)
    assert standing(shelf) == 0

    before = time.time()
    scan(edge, 1, first=9)

    assert before + 3600 <= standing(shelf) <= time.time() + 3600
    (ban,) = told(shelf)
    assert (ban.what, ban.step, ban.threshold, len(ban.keys)) == (What.BANNED, 1, "10", 10)
    shelf.lock(device())
    assert edge.ask(f"/{MAC}.cfg", headers={"User-Agent": AGENT}).status == NOTHING
    assert not edge.doors.claims
    assert edge.ask(f"/{MAC}.cfg", headers={"User-Agent": AGENT}, source=THERE).status == 200


def test_a_banned_caller_adds_nothing(edge: ServedEdge, shelf: Shelf) -> None:
    scan(edge, 10)
    until = standing(shelf)

    scan(edge, 40, first=10)

    assert standing(shelf) == until
    assert len(shelf.failures(HERE)) == 10
    assert len(told(shelf)) == 1


def test_repeats_and_what_is_counted_together_are_one_key_each(edge: ServedEdge, shelf: Shelf) -> None:
    for number in range(40):
        edge.ask(f"/no/such/path/{number}")
        edge.ask(f"/00005e54{number:04x}.cfg", headers={"Referer": "https://example.org/"})
        scan(edge, 1)

    assert {kind for kind, _ in shelf.failures(HERE)} == {"bad-path", "browser", "unknown-mac"}
    assert len(shelf.failures(HERE)) == 3
    assert standing(shelf) == 0


@pytest.mark.rule("B4")
def test_the_private_urls_of_a_banned_address_go_on(edge: ServedEdge, shelf: Shelf) -> None:
    path = phone(shelf, 1)
    scan(edge, 10)

    assert edge.ask(path).body == BODY
    assert standing(shelf) > time.time()  # one proved phone is no crowd: 10 + 10 % of 1


@pytest.mark.rule("B1")
def test_ten_percent_of_the_devices_proved_there_lift_the_threshold(edge: ServedEdge, shelf: Shelf) -> None:
    prove(shelf, 50)

    scan(edge, 14)
    assert standing(shelf) == 0

    scan(edge, 1, first=14)
    assert standing(shelf) > time.time()
    assert told(shelf)[0].threshold == "10 + 5 of 50 proved"


@pytest.mark.rule("B1")
def test_devices_of_this_second_end_a_ban_that_they_outweigh(edge: ServedEdge, shelf: Shelf) -> None:
    """At an address without history: nothing was drained, the phones' own requests are the proof."""
    paths = [phone(shelf, number) for number in range(30)]
    scan(edge, 10)
    assert standing(shelf) > time.time()

    for path in paths[:9]:
        assert edge.ask(path).status == 200
    settled(edge)
    assert standing(shelf) > time.time()

    edge.ask(paths[9])
    settled(edge)

    assert standing(shelf) == 0
    assert [earned.what for earned in told(shelf)] == [What.BANNED, What.ENDED]
    place = Place.of(parse_origin(HERE))
    assert not shelf.client.exists(place.spent, place.earlier, place.ban)
    scan(edge, 1, first=90)  # eleven keys at 10 + 10 % of 10 make the next one, for the first time in 24 h
    assert told(shelf)[-1].step == 1


@pytest.mark.rule("B1")
def test_phones_that_came_shortly_before_the_first_failure_count(edge: ServedEdge, shelf: Shelf) -> None:
    for number in range(20):
        assert edge.ask(phone(shelf, number)).status == 200

    scan(edge, 11)
    assert standing(shelf) == 0

    scan(edge, 1, first=11)
    assert told(shelf)[0].threshold == "10 + 2 of 20 proved"


@pytest.mark.rule("B1")
def test_locked_phones_of_a_crowd_are_cards_and_no_keys(edge: ServedEdge, shelf: Shelf) -> None:
    prove(shelf, 10)
    for number in range(40):
        mac = f"00005e56{number:04x}"
        shelf.lock(locked(THERE, mac=mac, code=f"11111111-2222-4333-8444-{number:012x}"))
        edge.ask(f"/{mac}.cfg", headers={"User-Agent": f"Yealink SIP-T46S 66.86.0.15 {mac}"})
    settled(edge)

    assert len(shelf.failures(HERE)) == 40
    assert standing(shelf) == 0


@pytest.mark.rule("B1")
def test_locked_phones_of_others_are_keys(edge: ServedEdge, shelf: Shelf) -> None:
    prove(shelf, 10, account="00099999")
    for number in range(11):
        mac = f"00005e56{number:04x}"
        shelf.lock(locked(THERE, mac=mac, code=f"11111111-2222-4333-8444-{number:012x}"))
        edge.ask(f"/{mac}.cfg", headers={"User-Agent": f"Yealink SIP-T46S 66.86.0.15 {mac}"})
    settled(edge)

    assert standing(shelf) > time.time()
    assert {key.account for key in told(shelf)[0].keys} == {PATH}


@pytest.mark.rule("B1")
def test_an_open_window_lifts_the_threshold_by_what_it_may_serve(edge: ServedEdge, shelf: Shelf) -> None:
    now = time.time()
    window = Window(parse_origin(HERE), PATH, now - 60, now + 3600, covers=200)
    shelf.lists(1, windows=(window,))

    scan(edge, 29)
    assert standing(shelf) == 0

    scan(edge, 1, first=29)
    assert told(shelf)[0].threshold == "10 + 20 of 200 in an open window"


@pytest.mark.rule("B3")
def test_keys_that_counted_do_not_count_again_and_the_next_ban_is_longer(
    edge: ServedEdge, shelf: Shelf
) -> None:
    scan(edge, 10)
    place = Place.of(parse_origin(HERE))
    shelf.client.set(place.standing, wire.pack_standing(time.time() - 1))  # its hour is over

    scan(edge, 19)  # nine new ones
    assert standing(shelf) < time.time()

    scan(edge, 1, first=19)

    second = told(shelf)[-1]
    assert second.step == 2
    assert second.until - second.at == pytest.approx(4 * 3600, abs=0.01)
    assert len(second.keys) == 10


@pytest.mark.rule("B8")
def test_an_allowed_network_is_never_banned_and_its_flood_leaves_a_number(
    edge: ServedEdge, shelf: Shelf
) -> None:
    shelf.lists(1, allowed=(block(HERE, time.time() + 3600),))

    scan(edge, 499)
    assert not told(shelf)
    scan(edge, 61, first=499)

    assert standing(shelf) == 0
    (alert,) = told(shelf)
    assert (alert.what, len(alert.keys)) == (What.ALERT, 500)
    assert len(shelf.failures(HERE)) == 500
    noted = {note.mac for note in shelf.notes() if note.rule == "R11"}
    assert "00005e54022f" not in noted  # the last one
    shelf.lock(locked(THERE))
    edge.ask(f"/{MAC}.cfg", headers={"User-Agent": AGENT})
    wait_for(lambda: MAC in {note.mac for note in shelf.notes()})  # known MACs go by the table


@pytest.mark.rule("B1", "B3")
def test_a_ban_is_the_same_on_every_edge(serve: Callable[..., ServedEdge], shelf: Shelf) -> None:
    one, other = serve(), serve()

    scan(one, 6)
    scan(other, 6, first=4)  # two of them the other edge has counted

    assert standing(shelf) > time.time()
    assert len(told(shelf)) == 1
    shelf.lock(device())
    assert one.ask(f"/{MAC}.cfg", headers={"User-Agent": AGENT}).status == NOTHING
    assert not one.doors.claims


def test_failures_are_counted_anew_after_the_store_was_filled_anew(edge: ServedEdge, shelf: Shelf) -> None:
    scan(edge, 5)
    shelf.client.flushall()
    shelf.complete(rebuild=2)

    scan(edge, 10)

    assert standing(shelf) > time.time()


def test_a_quarantined_phone_of_a_crowd_still_is_none_of_its_own(edge: ServedEdge, shelf: Shelf) -> None:
    shelf.lock(locked(HERE, state=State.QUARANTINED))
    edge.ask(f"/{MAC}.cfg", headers={"User-Agent": AGENT})
    settled(edge)

    assert shelf.failures(HERE) == set()


WIDE = parse_network("2001:db8:1:200::/56")


def spread(edge: ServedEdge, count: int, *, first: int = 0) -> None:
    """Failures from ever other addresses of one IPv6 /56, one each, through a trusted proxy."""
    for number in range(first, first + count):
        mac = f"00005e54{number:04x}"
        source = f"2001:db8:1:2{number % 256:02x}::{number:x}"
        edge.ask(f"/{mac}.cfg", headers={"User-Agent": f"Yealink {mac}", "X-Forwarded-For": source})
    settled(edge)


@pytest.mark.rule("B1", "B3")
def test_failures_spread_over_a_56_ban_all_of_it_at_twice_the_threshold(
    serve: Callable[..., ServedEdge], shelf: Shelf
) -> None:
    edge = serve(trusted_proxies=("127.0.0.0/8",))
    shelf.lock(device())
    neighbour = {"User-Agent": AGENT, "X-Forwarded-For": "2001:db8:1:2ff::9"}

    spread(edge, 19)
    assert not told(shelf)
    spread(edge, 1, first=19)

    (ban,) = told(shelf)
    assert (ban.network, len(ban.keys)) == (WIDE, 20)
    assert edge.ask(f"/{MAC}.cfg", headers=neighbour).status == NOTHING
    elsewhere = {**neighbour, "X-Forwarded-For": "2001:db8:1:300::9"}
    assert edge.ask(f"/{MAC}.cfg", headers=elsewhere).status == 200


@pytest.mark.rule("B1", "B3")
def test_a_56_in_which_a_proved_device_lives_is_not_banned(
    serve: Callable[..., ServedEdge], shelf: Shelf
) -> None:
    edge = serve(trusted_proxies=("127.0.0.0/8",))
    shelf.client.hset(pressed.place_of(WIDE).proved, MAC, PATH)

    spread(edge, 39)

    assert not told(shelf)


@pytest.mark.rule("B1")
def test_proofs_of_another_edge_count_before_they_are_drained(
    serve: Callable[..., ServedEdge], shelf: Shelf
) -> None:
    one, other = serve(), serve()
    for number in range(20):
        assert one.ask(phone(shelf, number)).status == 200
    scan(other, 9)
    one.ask("/y000000000108.cfg")  # whatever is asked there: it reads that something failed at the address
    settled(one)

    scan(other, 2, first=9)
    assert standing(shelf) == 0

    scan(other, 1, first=11)
    assert told(shelf)[0].threshold == "10 + 2 of 20 proved"


@pytest.mark.rule("B1")
def test_private_urls_that_were_never_given_are_weighed_against_proofs_too(
    edge: ServedEdge, shelf: Shelf
) -> None:
    for number in range(20):
        assert edge.ask(phone(shelf, number)).status == 200

    for number in range(11):
        edge.ask(f"/d/{number:040x}/{MAC}.cfg")
    settled(edge)
    assert standing(shelf) == 0

    edge.ask(f"/d/{99:040x}/{MAC}.cfg")
    settled(edge)
    assert told(shelf)[0].threshold == "10 + 2 of 20 proved"


@pytest.mark.rule("B1")
def test_a_former_private_url_proves_nothing(edge: ServedEdge, shelf: Shelf) -> None:
    for number in range(10):
        mac, token = f"00005e55{number:04x}", f"{number:04x}" + TOKEN[4:]
        code = f"11111111-2222-4333-8444-{number:012x}"
        known = ((parse_origin(HERE), time.time() - 3600),)
        later = {"superseded": True, "until": time.time() + 86400, "origins": known}
        facts = token_facts(TokenKind.FORMER, mac=mac, code=code, **later)
        shelf.token(facts, token)
        shelf.file(BODY, token=token, name=f"{mac}.cfg", code=code)
    scan(edge, 10)

    for number in range(10):
        assert edge.ask(f"/d/{number:04x}{TOKEN[4:]}/00005e55{number:04x}.cfg").status == 200
    settled(edge)

    assert standing(shelf) > time.time()
    assert not shelf.client.hlen(Place.of(parse_origin(HERE)).proved)


def earn(shelf: Shelf, *labels: str, alert: bool = False, at: float = 1000.0) -> int:
    """What the store says to a judgement by these failures."""
    keys = tuple(Key("unknown-mac", label, "", at) for label in labels)
    what, until = (What.ALERT, 0.0) if alert else (What.BANNED, at + 3600)
    one = Earned(what, parse_origin(HERE), at, keys, until=until, step=1)
    taken: int = shelf.client.execute_command(
        *pressed.earn_command(Place.of(parse_origin(HERE)), one, wire.NOTES)
    )
    return taken


@pytest.mark.rule("B3")
def test_of_two_edges_that_judge_at_once_one_bans(shelf: Shelf) -> None:
    assert earn(shelf, "a", "b") == 1
    assert earn(shelf, "c", "d", at=1001.0) == 0
    assert len(told(shelf)) == 1


@pytest.mark.rule("B8")
def test_of_two_edges_that_judge_at_once_one_alerts(shelf: Shelf) -> None:
    assert earn(shelf, "a", "b", alert=True) == 1
    assert earn(shelf, "a", "b", "c", alert=True, at=1001.0) == 0
    assert earn(shelf, "c", "d", alert=True, at=1002.0) == 1
    assert earn(shelf, "a", "e", alert=True, at=1000.0 + 7 * 86400) == 1


def test_cards_leave_room_for_what_counts() -> None:
    seen = SeenFailures()
    for number in range(limits.FAILURES_A_KIND + 10):
        seen.is_new(b"a", "locked-mac", b"%d" % number, 1e9)

    assert not seen.is_new(b"a", "locked-mac", b"one more", 1e9)
    assert seen.is_new(b"a", "unknown-mac", b"a stranger", 1e9)
    assert seen.is_new(b"a", "locked-mac", b"one more", 1e9 + 3600)
