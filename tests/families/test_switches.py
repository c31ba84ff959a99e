"""Every protection that is switched off changes every family's file, or the family says why it cannot be."""

from dataclasses import replace

import pytest

from devices.catalog import catalog
from devices.phone import HARDENING, PhoneSettings, Srtp
from provisioning.compiling import compile_full
from tests.families.samples import PRIVATE, settings
from tests.families.test_settings import GENERATIONS

#: Switched by the address itself: tests/provisioning/test_plain_http.py.
BY_ADDRESS = {"provision_over_https_only"}
#: Declined, but written: firmware that a phone of these models may get later knows it.
IN_VAIN = {("snom", "v7", "random_delay_before_polling")}


def _without(phone: PhoneSettings, name: str) -> PhoneSettings:
    phone = replace(phone, hardening=phone.hardening - {name})
    if name == "encrypt_calls":
        return replace(phone, sip=replace(phone.sip, srtp=Srtp.OFF))
    return replace(phone, web_page=True) if name == "web_page_off" else phone


def _bodies(phone: PhoneSettings) -> list[bytes]:
    return [file.body for file in compile_full(phone, PRIVATE).values()]


@pytest.mark.parametrize("name", sorted(set(HARDENING) - BY_ADDRESS))
@pytest.mark.parametrize(("key", "model"), GENERATIONS)
def test_switching_a_protection_off_is_written_or_declined(key, model, name):
    family, generation = key
    declined = catalog().families[family].lacks(generation)
    phone = settings(family, model)
    phone = replace(phone, sip=replace(phone.sip, srtp=Srtp.REQUIRED))

    changes = _bodies(phone) != _bodies(_without(phone, name))

    assert changes is (name not in declined or (*key, name) in IN_VAIN)


def test_without_the_delay_all_phones_ask_at_the_windows_beginning():
    early = settings("yealink", "T46S", poll_minute=201)
    late = replace(early, poll_minute=1100)
    without = frozenset(HARDENING) - {"random_delay_before_polling"}

    assert _bodies(early) != _bodies(late)
    assert _bodies(replace(early, hardening=without)) == _bodies(replace(late, hardening=without))
