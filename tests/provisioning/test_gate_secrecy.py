"""What keeps a private URL private: its scheme, its HMAC, and what goes with every answer (T6, T7)."""

from dataclasses import asdict

import pytest
from django.test import override_settings

from devices.catalog import catalog
from devices.models import Device
from provisioning import tokens, wire
from provisioning.edge import answers
from provisioning.gate import Method, Outcome

TOKEN = "q3v9x0m1k7b2c8d4f6g5h0j1k2l3m4n5p6r7s8t9"  # 40 characters [a-z0-9]
PRIVATE_HEADERS = {
    b"cache-control": b"private, no-store",
    b"referrer-policy": b"no-referrer",
    b"x-robots-tag": b"none",
}


def model_with(no_tls: bool) -> Device:
    for family in catalog().families.values():
        for model in family.models.values():
            if model.no_tls is no_tls:
                return Device(family=family.code, model=model.name)
    pytest.skip("no family has such a model")


@pytest.mark.rule("T6")
def test_a_private_url_is_https() -> None:
    with override_settings(PHONES_URL="https://phones.example.org"):
        assert tokens.root_url(model_with(no_tls=False)) == "https://phones.example.org/"


@pytest.mark.rule("T6")
def test_only_a_model_that_cannot_gets_http_at_the_same_host() -> None:
    with override_settings(PHONES_URL="https://phones.example.org"):
        assert tokens.root_url(model_with(no_tls=True)) == "http://phones.example.org/"


@pytest.mark.rule("T7")
def test_a_token_stands_as_an_hmac() -> None:
    name = wire.token_hash(b"key", TOKEN)

    assert len(name) == 40
    assert set(name) <= set("0123456789abcdef")
    assert name not in TOKEN
    assert name != wire.token_hash(b"another key", TOKEN)
    assert name == wire.token_hash(b"key", TOKEN)
    assert TOKEN.encode() not in wire.token_key(name) + wire.file_key(name, "a.cfg") + wire.wanted_key(name)


@pytest.mark.rule("T7")
def test_every_answer_below_a_private_url_is_kept_from_caches_and_searches() -> None:
    given = [
        answers.refused(private=True),
        answers.held(private=True),
        answers.plain(Outcome.ACCEPTED, Method.UPLOAD, private=True),
        answers.bootstrap(b"x", "text/plain", True),
        answers.full(b"x", "text/plain", b'"1"'),
    ]

    for answer in given:
        headers = dict(answer.headers)
        assert PRIVATE_HEADERS.items() <= headers.items()
        assert not [name for name in headers if name.startswith(b"access-control-")]


@pytest.mark.rule("T7")
def test_a_note_has_no_place_for_a_token() -> None:
    note = wire.Note(at=1.0, address="0", rule="T5", outcome="refused", token=wire.token_hash(b"k", TOKEN))

    assert TOKEN not in str(asdict(note))
    assert TOKEN.encode() not in wire.pack_note(note)
