"""HTTPS switched off for phones that do not trust the server: their addresses are http, everywhere alike."""

from datetime import UTC, datetime

import pytest
import redis
from pytest_django import Settings

from accounts.models import Account
from devices.models import Device
from devices.settings_tree import set_value
from provisioning import claims, files, previewing, publishing, tokens, wire
from provisioning.edge.sealed import open_file
from provisioning.gate import TokenKind
from provisioning.models import Token
from tests.provisioning.making import make_account, make_phone, request, support

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ENTRY = b"://phones.example.org/d/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def phone(settings: Settings) -> Device:
    settings.PHONES_URL = "https://phones.example.org"
    return make_phone(make_account("acme", make_account("platform", kind=Account.Kind.PLATFORM)), now=NOW)


def bootstrap(phone: Device) -> bytes:
    claimed = claims.claim(request(phone), now=NOW)
    assert claimed.file is not None
    return claimed.file.body


def switch_off(phone: Device) -> None:
    set_value(phone, by=support(), name="provision_over_https_only", value=False, now=NOW)


def full_file(phone: Device, store: redis.Redis) -> bytes:
    """The phone's file as the edge would serve it."""
    publishing.publish_devices([phone.pk], now=NOW)
    files.publish_files([phone.pk], now=NOW)
    token = Token.objects.get(device=phone, kind=TokenKind.CURRENT.value)
    name = f"{phone.mac}.cfg"
    stored = wire.unpack_file(store.get(wire.file_key(token.hash, name)))
    assert stored is not None
    return open_file(tokens.keyring(), str(phone.code), name, stored.sealed)


@pytest.mark.parametrize(("off", "scheme"), [(False, b"https"), (True, b"http")])
def test_every_address_in_a_phones_files_follows_the_switch(
    off: bool, scheme: bytes, phone: Device, store: redis.Redis
) -> None:
    if off:
        switch_off(phone)

    first, full = bootstrap(phone), full_file(phone, store)

    for body in (first, full):
        assert body.count(scheme + ENTRY) == body.count(ENTRY) > 0
    shown = "\n".join(line for file in previewing.files(phone, by=support()) for line in file.lines)
    assert f"{scheme.decode()}://phones.example.org/d/" in shown


def test_a_secret_that_no_key_opens_leaves_the_bootstrap_over_https(phone: Device) -> None:
    switch_off(phone)
    Device.objects.filter(pk=phone.pk).update(admin_password=b"nothing that any key sealed")

    assert b"https" + ENTRY in bootstrap(phone)
