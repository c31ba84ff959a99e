"""Names that are answered with the full file at the root, beside names of the same phone that are not."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from accounts.models import Account
from devices import settings_tree
from devices.models import Device
from provisioning import claims, describing, policies, tokens
from provisioning.gate import TokenKind
from provisioning.models import DeviceEvent, Outbox, Token
from security.networks import parse_address
from tests.provisioning.making import HOME, SECRET, THIEF, make_account, make_phone, request, support

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SOON = timedelta(seconds=4)
LATER = timedelta(minutes=31)
DAY = timedelta(hours=24)
XML, BINARY = "cfg{mac}.xml", "cfg{mac}"

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme() -> Account:
    return make_account("acme", make_account("platform", kind=Account.Kind.PLATFORM))


@pytest.fixture
def phone(acme: Account) -> Device:
    return make_phone(acme, family="grandstream", model="GRP2614", now=NOW)


def ask(phone: Device, name: str = XML, *, at: datetime = NOW, secure: bool = True) -> claims.Answer:
    agent = f"Grandstream Model HW GRP2614 SW 1.0.5.15 DevId {phone.mac}"
    asked = replace(request(phone, HOME, name=name, agent=agent), secure=secure)
    return claims.claim(asked, now=at)


def body_of(answer: claims.Answer) -> bytes:
    assert answer.file is not None, answer.verdict
    return answer.file.body


def token_in(answer: claims.Answer) -> Token:
    found = re.search(rb"/d/([a-z0-9]{40})", body_of(answer))
    assert found is not None
    return Token.objects.get(hash=tokens.hash_of(found[1].decode()))


def kinds(phone: Device) -> list[str]:
    return sorted(Token.objects.filter(device=phone).values_list("kind", flat=True))


@pytest.mark.rule("T1")
def test_the_full_file_names_the_current_token_and_there_is_no_entry_token(phone: Device) -> None:
    answer = ask(phone)

    assert (answer.verdict.outcome.value, answer.verdict.rule) == ("bootstrap", "R1")
    assert SECRET.encode() in body_of(answer)
    assert token_in(answer).kind == TokenKind.CURRENT.value
    assert kinds(phone) == ["current"]
    event = DeviceEvent.objects.filter(device=phone, what="request").latest("id")
    assert (event.outcome, event.rule, event.file) == ("bootstrap", "R1", f"cfg{phone.mac}.xml")


@pytest.mark.rule("R4a")
def test_its_repeat_is_the_same_bytes(phone: Device) -> None:
    assert body_of(ask(phone)) == body_of(ask(phone, at=NOW + timedelta(minutes=29)))


def test_the_first_of_two_names_is_a_bootstrap_and_the_second_the_full_file(phone: Device) -> None:
    binary = ask(phone, BINARY)
    full = ask(phone, at=NOW + SOON)

    assert full.verdict.rule == "R4a"
    assert SECRET.encode() not in body_of(binary)
    assert SECRET.encode() in body_of(full)
    entry, current = token_in(binary), token_in(full)
    assert (entry.kind, entry.until) == (TokenKind.ENTRY.value, NOW + DAY)
    assert (current.kind, current.until) == (TokenKind.CURRENT.value, None)
    assert entry.claim_id == current.claim_id


@pytest.mark.rule("T2")
def test_the_first_use_of_the_full_files_address_ends_the_entry_token(phone: Device) -> None:
    entry = token_in(ask(phone, BINARY))
    current = token_in(ask(phone, at=NOW + SOON))

    assert claims.first_use(current.hash, parse_address(HOME), now=NOW + 2 * SOON)

    entry.refresh_from_db()
    assert entry.kind == TokenKind.DEAD.value


@pytest.mark.parametrize("name", [XML, BINARY])
def test_over_plain_http_no_secret_is_at_the_root_and_the_token_lives_a_day(phone: Device, name: str) -> None:
    answer = ask(phone, name, secure=False)

    assert SECRET.encode() not in body_of(answer)
    assert (token_in(answer).kind, token_in(answer).until) == (TokenKind.ENTRY.value, NOW + DAY)
    told = describing.describe_lock(phone, now=NOW + SOON)
    assert "Restart the phone" in told.handover_sentence


def test_with_the_full_file_nobody_needs_to_restart_the_phone(phone: Device) -> None:
    ask(phone)

    told = describing.describe_lock(phone, now=NOW + SOON)

    assert told.handover == "waiting"
    assert "Restart" not in told.handover_sentence


@pytest.mark.parametrize("name", [XML, BINARY])
def test_the_policy_lets_the_full_file_over_plain_http_under_its_name_alone(
    acme: Account, phone: Device, name: str
) -> None:
    policies.set_value(acme, by=support(), name="full_over_http", value=True)

    answer = ask(phone, name, secure=False)

    assert (SECRET.encode() in body_of(answer)) == (name == XML)


def test_an_entry_token_that_is_made_later_is_published_and_stays_the_same(phone: Device) -> None:
    ask(phone)
    Outbox.objects.all().delete()

    plain = ask(phone, at=NOW + SOON, secure=False)
    again = ask(phone, at=NOW + 2 * SOON, secure=False)

    assert kinds(phone) == ["current", "entry"]
    assert body_of(plain) == body_of(again)
    assert Outbox.objects.filter(device_id=phone.pk).count() == 1
    entry = token_in(plain)
    assert entry.until == NOW + SOON + DAY


def test_a_secret_that_no_key_opens_leaves_the_bootstrap(
    phone: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings_tree, "phone_settings", lambda *args, **more: {})

    answer = ask(phone)

    assert SECRET.encode() not in body_of(answer)
    assert token_in(answer).kind == TokenKind.ENTRY.value


def test_a_thief_gets_neither(phone: Device) -> None:
    ask(phone)
    asked = request(
        phone, THIEF, name=XML, agent=f"Grandstream Model HW GRP2614 SW 1.0.5.15 DevId {phone.mac}"
    )

    answer = claims.claim(replace(asked, secure=True), now=NOW + LATER)

    assert (answer.verdict.rule, answer.file) == ("R6", None)


def test_an_address_that_a_full_file_named_is_not_buried(phone: Device) -> None:
    named = token_in(ask(phone))
    ask(phone, at=NOW + LATER)

    tokens.bury(NOW + 2 * DAY)

    named.refresh_from_db()
    assert named.kind == TokenKind.FORMER.value


@pytest.mark.parametrize(
    ("model", "agent", "scheme"),
    [
        ("SPA504G", "Cisco/SPA504G-7.4.8a ({mac})(CBT141400UK)", b"http"),
        ("8841", "Cisco-CP-8841-3PCC/11.0 ({mac})", b"https"),
    ],
)
def test_a_phone_without_our_authority_is_led_over_plain_http(
    acme: Account, model: str, agent: str, scheme: bytes
) -> None:
    phone = make_phone(acme, family="cisco", model=model, now=NOW)
    asked = request(phone, name="{mac}.xml", agent=agent.format(mac=phone.mac))

    answer = claims.claim(replace(asked, secure=True), now=NOW)

    assert re.findall(rb">(https?)://[^<]*/d/", body_of(answer)) == [scheme, scheme]
    assert token_in(answer).until == NOW + timedelta(minutes=30)
    assert SECRET.encode() not in body_of(answer)
