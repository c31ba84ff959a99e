"""Where HTTP of ours may go: to public addresses alone, whatever a name says and when it says it."""

import asyncio
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from accounts.said import Said
from provisioning import outgoing
from provisioning.outgoing import Answer, Guard, Refused
from security.networks import parse_network
from tests.provisioning.webhook_receiver import answers, receiver

HOME = Guard((parse_network("127.0.0.0/8"),))
PRIVATE = (
    "10.0.0.1", "172.16.0.1", "192.168.1.1", "127.0.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
    "192.0.0.8", "192.88.99.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "203.0.113.1",
    "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "fec0::1", "ff02::1", "64:ff9b::7f00:1",
    "64:ff9b:1::1", "2002:7f00:1::", "2001::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "::127.0.0.1", "100::1", "3fff::1", "5f00::1",
)  # fmt: skip
PUBLIC = (
    "8.8.8.8",
    "1.1.1.1",
    "172.32.0.1",
    "100.128.0.1",
    "2606:4700::1111",
    "2a00:1450::1",
    "::ffff:8.8.8.8",
)


def ask(url: str, guard: Guard = HOME, *, seconds: float = 5.0) -> Answer:
    headers = {"content-type": "application/json"}
    return asyncio.run(
        outgoing.ask("POST", url, headers=headers, content=b"{}", guard=guard, seconds=seconds)
    )


def names(monkeypatch: pytest.MonkeyPatch, **known: list[str]) -> list[str]:
    """A resolver that knows these, and the names that it was asked for."""
    asked: list[str] = []

    def look_up(host: str, *arguments: Any, **more: Any) -> Any:
        asked.append(host)
        found = known.get(host.partition(".")[0])
        if found is None:
            raise socket.gaierror("Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_no_public_address_is_refused(address: str) -> None:
    with pytest.raises(Refused, match="is no public address"):
        Guard().check(address, is_plain=False)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_asked_by_https_alone(address: str) -> None:
    Guard().check(address, is_plain=False)
    Guard(plain=True).check(address, is_plain=True)
    with pytest.raises(Refused, match="Only https"):
        Guard().check(address, is_plain=True)


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ("https://example.org", "https://example.org"),
        ("https://example.org:8443/in?key=x", "https://example.org:8443"),
        ("http://[2606:4700::1111]:80/", "http://[2606:4700::1111]:80"),
        ("https://EXAMPLE.org/", "https://example.org"),
    ],
)
def test_an_address_is_told_without_what_may_be_secret(given: str, place: str) -> None:
    assert outgoing.read_url(given).place == place


@pytest.mark.parametrize(
    "given",
    [
        "", "example.org", "ftp://example.org/", "https://", "https:///in", "https://example.org:99999/",
        "https://user:word@example.org/", "https://user@example.org/", "https://example.org/#part",
        "https://example.org\\@127.0.0.1/", "https://exa mple.org/", "https://example.org/\r\nx: y",
        "https://[::1/", "https://" + "a" * 70 + ".org/", "https://bücher.example/",
    ],
)  # fmt: skip
def test_what_is_no_web_address_is_refused(given: str) -> None:
    with pytest.raises(Refused):
        outgoing.read_url(given)


@pytest.mark.parametrize("where", ["inner", "mixed", "metadata"])
def test_a_name_that_leads_inside_is_not_connected_to(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as inside:
        names(monkeypatch, inner=["127.0.0.1"], mixed=["8.8.8.8", "127.0.0.1"], metadata=["169.254.169.254"])
        answer = ask(f"https://{where}.example.org:{inside.port}/", Guard())

    assert (answer.status, inside.got) == (0, [])
    assert "is no public address" in answer.why


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "localhost", "[::1]"])
def test_however_loopback_is_spelled_it_is_not_connected_to(host: str) -> None:
    with receiver() as inside:
        answer = ask(f"https://{host}:{inside.port}/", Guard())

    assert (answer.status, inside.got) == (0, [])
    assert answer.why


def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is looked up once; what it would say a moment later does not count."""
    with receiver(answers(200, b"hello")) as crm:
        asked = names(monkeypatch, crm=["127.0.0.1"])
        answer = ask(f"http://crm.example.org:{crm.port}/in")

    assert (answer.status, answer.content) == (200, b"hello")
    assert asked == ["crm.example.org"]
    assert crm.got[0].headers["host"] == f"crm.example.org:{crm.port}"


def test_of_several_addresses_one_that_answers_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as crm:
        names(monkeypatch, crm=["127.0.0.9", "127.0.0.1"])  # nobody listens at the first
        answer = ask(f"http://crm.example.org:{crm.port}/")

    assert answer.status == 204


def test_an_unknown_name_is_said_to_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch)

    assert ask("https://nowhere.example.org/").why == "The name nowhere.example.org is not known."


def test_no_proxy_and_nothing_else_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as proxy, receiver() as crm:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        answer = ask(crm.url)

    assert (answer.status, len(crm.got), proxy.got) == (204, 1, [])


@pytest.mark.parametrize(("name", "status"), [("crm.example.org", 204), ("other.example.org", 0)])
def test_a_certificate_is_asked_for_by_name_though_the_connection_goes_to_a_number(
    name: str, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = self_signed(name, tmp_path)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate)
    trusting = ssl.create_default_context(cafile=str(certificate))
    monkeypatch.setattr(outgoing, "certificates", lambda: trusting)

    with receiver(tls=serving) as crm:
        names(monkeypatch, crm=["127.0.0.1"])
        answer = ask(f"https://crm.example.org:{crm.port}/")

    assert (answer.status, len(crm.got)) == (status, 1 if status else 0)
    assert ("Hostname mismatch" in answer.why) is (status == 0)


def test_the_machines_own_certificates_are_believed_and_asked_for() -> None:
    context = outgoing.certificates()

    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def self_signed(name: str, folder: Path) -> Path:
    """A certificate and its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    own = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "certificate.pem"
    path.write_bytes(own + made.public_bytes(pem))
    return path


def test_no_more_than_asked_for_is_read() -> None:
    with receiver(answers(200, b"x" * 200_000)) as crm:
        answer = ask(crm.url)

    assert answer.content == b"x" * outgoing.MOST_BYTES


def test_why_nothing_came_is_a_sentence_that_can_be_translated() -> None:
    with receiver() as crm:
        crm.behave = lambda handler, made: None
        why = ask(crm.url).why

    assert isinstance(why, Said)
    assert why.text == "The answer is no HTTP: {error}."
