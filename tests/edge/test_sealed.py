"""Files as they lie in the store: small, sealed to their device and name, and readable after an upgrade."""

import os

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from accounts.sealing import Keyring, SealError, new_key
from provisioning import wire
from provisioning.compiling import compile_full
from provisioning.edge import sealed
from provisioning.edge.sealed import content_tag, open_file, open_with_tag, seal_file
from tests.families.samples import PRIVATE, settings

RING = Keyring.parse(new_key("k1"))


@given(st.binary(max_size=20_000))
def test_what_was_sealed_is_opened(body: bytes) -> None:
    assert open_with_tag(RING, "c", "n.cfg", seal_file(RING, "c", "n.cfg", body)) == (body, content_tag(body))


@pytest.mark.parametrize(("code", "name"), [("d", "n.cfg"), ("c", "m.cfg")])
def test_another_device_or_name_does_not_open_it(code: str, name: str) -> None:
    with pytest.raises(SealError):
        open_file(RING, code, name, seal_file(RING, "c", "n.cfg", b"body"))


def test_nothing_of_the_body_is_readable_in_the_store() -> None:
    body = b"account.1.password = planted-secret\n" * 100

    assert b"planted" not in seal_file(RING, "c", "n", body)


def test_the_shipped_dictionary_makes_a_phones_file_small() -> None:
    phone = settings("yealink", "T46S")
    body = compile_full(phone, PRIVATE)[f"{phone.mac}.cfg"].body

    assert sealed.trained_dictionary() is not None
    assert len(seal_file(RING, "c", "n", body)) < len(body) / 10


def test_a_file_from_before_the_dictionary_is_opened_and_one_of_another_is_not() -> None:
    body = b"setting = 1\n" * 200
    about = wire.file_about("c", "n")
    other = zstandard.train_dictionary(1024, [os.urandom(8) + body[:100] for _ in range(1000)])

    plain = RING.seal(content_tag(body) + zstandard.ZstdCompressor().compress(body), about)
    foreign = RING.seal(content_tag(body) + zstandard.ZstdCompressor(dict_data=other).compress(body), about)

    assert open_file(RING, "c", "n", plain) == body
    with pytest.raises(SealError, match="dictionary"):
        open_file(RING, "c", "n", foreign)
