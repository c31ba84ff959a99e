"""Files that phones take by their number: it only grows, over claims, edits and from the root to below it."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from accounts.models import Account
from devices import settings_tree
from devices.models import Device
from provisioning import claims, tokens
from provisioning.compiling import compile_full
from provisioning.gate import TokenKind
from provisioning.models import Lock, Token
from tests.provisioning.making import make_account, make_phone, request, support

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
LATER = timedelta(minutes=31)

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme() -> Account:
    return make_account("acme", make_account("platform", kind=Account.Kind.PLATFORM))


@pytest.fixture
def phone(acme: Account) -> Device:
    return make_phone(acme, family="fanvil", model="X6U", now=NOW)


def asked(phone: Device, *, secure: bool = True) -> claims.Request:
    plain = request(phone, name="{mac}.cfg", agent=f"Fanvil X6U 2.12.16.17 {phone.mac}")
    return replace(plain, secure=secure)


def body_of(answer: claims.Answer) -> bytes:
    assert answer.file is not None
    return answer.file.body


def number_in(body: bytes) -> float:
    found = re.search(rb"<Version>(2\.\d{12})</Version>", body)
    assert found is not None
    return float(found[1])


def private_file(phone: Device) -> bytes:
    """What the phone gets below its private URL, as publishing compiles it."""
    token = Token.objects.get(device=phone, kind=TokenKind.CURRENT.value)
    build = tokens.build(token, Lock.objects.get(pk=phone.pk).files_revision)
    settings = settings_tree.phone_settings([phone])[phone.pk]
    return compile_full(settings, tokens.private_url(token, phone), build=build)[f"{phone.mac}.cfg"].body


def test_a_repeat_is_the_same_bytes(phone: Device) -> None:
    first = claims.claim(asked(phone), now=NOW)

    again = claims.claim(asked(phone), now=NOW + timedelta(minutes=5))

    assert again.verdict.rule == "R4a"
    assert body_of(again) == body_of(first)


def test_each_file_has_a_higher_number_than_the_one_before(phone: Device) -> None:
    bootstrap = number_in(body_of(claims.claim(asked(phone, secure=False), now=NOW)))
    root = number_in(body_of(claims.claim(asked(phone), now=NOW + timedelta(minutes=1))))
    private = number_in(private_file(phone))
    settings_tree.set_value(phone, by=support(), name="voicemail_number", value="*97")
    edited = number_in(private_file(phone))
    claimed = number_in(body_of(claims.claim(asked(phone), now=NOW + LATER)))
    moved = number_in(private_file(phone))

    numbers = [bootstrap, root, private, edited, claimed, moved]
    assert numbers == sorted(set(numbers))


def test_the_same_settings_have_the_same_number(phone: Device) -> None:
    claims.claim(asked(phone), now=NOW)

    assert private_file(phone) == private_file(phone)
