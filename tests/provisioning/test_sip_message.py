"""The NOTIFY's bytes and the reading of what comes back: what RFC 3261 and 3265 ask for, and nothing else."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.catalog import catalog
from provisioning.sip_message import Notify, SipEdge, cut, read_answer

NOTIFY = {
    "user": "4102",
    "realm": "sip.acme.example",
    "event": "check-sync;reboot=false",
    "call_id": "c4",
    "tag": "t1",
}
WAY = {"host": "192.0.2.9", "port": 40123, "transport": "udp", "branch": "z9hG4bKab"}


def test_the_bytes_of_a_notify() -> None:
    assert Notify(**NOTIFY).as_bytes(**WAY) == (
        b"NOTIFY sip:4102@sip.acme.example SIP/2.0\r\n"
        b"Via: SIP/2.0/UDP 192.0.2.9:40123;branch=z9hG4bKab;rport\r\n"
        b"Max-Forwards: 70\r\n"
        b"From: <sip:latchkey@sip.acme.example>;tag=t1\r\n"
        b"To: <sip:4102@sip.acme.example>\r\n"
        b"Call-ID: c4\r\n"
        b"CSeq: 1 NOTIFY\r\n"
        b"Contact: <sip:latchkey@192.0.2.9:40123>\r\n"
        b"Event: check-sync;reboot=false\r\n"
        b"Subscription-State: terminated\r\n"
        b"User-Agent: Latchkey\r\n"
        b"Content-Length: 0\r\n"
        b"\r\n"
    )


def test_over_tcp_and_ipv6() -> None:
    sent = Notify(**NOTIFY).as_bytes(**{**WAY, "host": "2001:db8::9", "transport": "tcp"})

    assert b"Via: SIP/2.0/TCP [2001:db8::9]:40123;branch=z9hG4bKab;rport\r\n" in sent
    assert b"Contact: <sip:latchkey@[2001:db8::9]:40123;transport=tcp>\r\n" in sent


@pytest.mark.parametrize("code", sorted(catalog().families))
def test_every_family_has_events_that_can_be_sent(code: str) -> None:
    events = catalog().families[code].resync

    for event in (events.event, events.reboot_event):
        assert f"\r\nEvent: {event}\r\n".encode() in Notify(**{**NOTIFY, "event": event}).as_bytes(**WAY)


@given(user=st.text(min_size=1, max_size=60))
def test_no_name_adds_a_header(user: str) -> None:
    try:
        sent = Notify(**{**NOTIFY, "user": user}).as_bytes(**WAY)
    except ValueError:
        return

    lines = sent.split(b"\r\n")
    assert [line.partition(b":")[0] for line in lines[1:-2]] == [
        *(b"Via", b"Max-Forwards", b"From", b"To", b"Call-ID", b"CSeq", b"Contact", b"Event"),
        *(b"Subscription-State", b"User-Agent", b"Content-Length"),
    ]
    assert re.fullmatch(rb"NOTIFY sip:[!-~]+@sip\.acme\.example SIP/2\.0", lines[0])
    assert lines[0].count(b"@") == 1
    assert not {b"<"[0], b">"[0], b'"'[0]} & set(lines[0])


@pytest.mark.parametrize(
    "bad",
    [
        {"user": ""},
        {"user": "41\r\nEvil: 1"},
        {"user": "41 02"},
        {"realm": "sip.acme.example>\r\nEvil: 1"},
        {"realm": ""},
        {"realm": "a b"},
        {"event": "check-sync\r\nEvil: 1"},
        {"event": ""},
    ],
)
def test_what_cannot_be_addressed_is_refused(bad: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"line|host|event"):
        Notify(**{**NOTIFY, **bad})


@pytest.mark.parametrize(
    ("text", "edge"),
    [
        ("sip:sip.example.net:5080", SipEdge("sip.example.net", 5080, "udp")),
        ("sip.example.net", SipEdge("sip.example.net", 5060, "udp")),
        ("192.0.2.7:5062;transport=TCP", SipEdge("192.0.2.7", 5062, "tcp")),
        ("sip:[2001:db8::7]:5060;transport=udp", SipEdge("2001:db8::7", 5060, "udp")),
        ("  ", None),
    ],
)
def test_the_edge_is_read(text: str, edge: SipEdge | None) -> None:
    assert SipEdge.parse(text) == edge
    assert edge is None or SipEdge.parse(str(edge)) == edge


@pytest.mark.parametrize(
    "text",
    [
        "http://sip.example.net",
        "a:0",
        "a:70000",
        "a;transport=tls",
        "a b",
        "sips:a",
        "a:5060;lr",
        "-",
        "[]:1",
    ],
)
def test_what_is_no_edge_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        SipEdge.parse(text)


def answer(status: str = "SIP/2.0 200 OK", via: str = "Via", cseq: str = "1 NOTIFY") -> bytes:
    sent_by = "SIP/2.0/UDP 192.0.2.9:40123 ;received=192.0.2.9; Branch = z9hG4bKab;rport=40123"
    return f"{status}\r\n{via}: {sent_by}\r\nCSeq: {cseq}\r\nContent-Length: 0\r\n\r\n".encode()


def test_an_answer_is_read() -> None:
    for message in (answer(), answer(via="v"), answer(via="VIA"), answer(status="SIP/2.0 200 ")):
        read = read_answer(message)
        assert read is not None
        assert (read.status, read.branch, read.is_final) == (200, "z9hG4bKab", True)
    provisional = read_answer(answer(status="SIP/2.0 100 Trying"))
    assert provisional is not None
    assert not provisional.is_final


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\r\n\r\n",
        b"\xff\xfe",
        b"OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKab\r\nCSeq: 1 NOTIFY\r\n\r\n",
        answer(cseq="1 REGISTER"),
        answer(via="Route"),
        answer(status="SIP/2.0 99 Odd"),
        answer(status="SIP/2.0 2000 Odd"),
    ],
)
def test_what_is_no_answer_is_not_read(message: bytes) -> None:
    assert read_answer(message) is None


@given(st.binary(max_size=300))
def test_junk_is_never_an_error(junk: bytes) -> None:
    assert read_answer(b"SIP/2.0 200 OK\r\n" + junk) is None or b"branch" in junk.lower()


@given(st.integers(min_value=1, max_value=400))
def test_a_stream_is_cut_into_messages_wherever_it_is_broken(size: int) -> None:
    with_body = answer().replace(b"Content-Length: 0\r\n\r\n", b"l: 4\r\n\r\nbody")
    stream = b"\r\n\r\n" + answer() + with_body + answer()
    read, found = b"", []
    for start in range(0, len(stream), size):
        read += stream[start : start + size]
        while part := cut(read):
            message, read = part
            found.append(message)

    assert found == [answer(), with_body, answer()]
    assert read == b""


@pytest.mark.parametrize("stream", [b"x" * 70000, b"A: b\r\nl: x\r\n\r\n", b"A: b\r\nl: -1\r\n\r\n"])
def test_a_stream_without_sip_is_refused(stream: bytes) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        cut(stream)
