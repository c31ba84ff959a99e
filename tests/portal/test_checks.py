"""Start-up checks: every unsafe combination has its id."""

from typing import Any

import pytest
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from portal.checks import TAG, refuse_to_start, store_problem
from portal.embedded import Store


def ids() -> list[str]:
    return sorted(str(message.id) for message in checks.run_checks(tags=[TAG]))


def test_the_tests_run_behind_the_walls_of_production() -> None:
    assert ids() == []


@pytest.mark.parametrize(
    ("case", "changes", "expected"),
    [
        ("no key to sign with", {"SECRET_KEY": ""}, ["portal.E001"]),
        ("no key to seal with", {"SECRET_KEYRING": ""}, ["portal.E001"]),
        ("no key for tokens", {"TOKEN_KEY": b""}, ["portal.E001"]),
        ("a key that is too short", {"SECRET_KEYRING": "k1:AAAA"}, ["portal.E005"]),
        ("proxies not stated", {"TRUSTED_PROXIES_STATED": False}, ["portal.E002"]),
        ("a proxy that is no network", {"TRUSTED_PROXIES": ["nginx"]}, ["portal.E006"]),
        ("a network for webhooks that is none", {"WEBHOOK_NETWORKS": ["10.0.0.1/8"]}, ["portal.E008"]),
        ("a network for webhooks", {"WEBHOOK_NETWORKS": ["10.0.0.0/8", "fd00::/8"]}, []),
        ("a SIP edge that is no address", {"SIP_EDGE": "http://sip.example.net"}, ["portal.E007"]),
        ("a SIP edge", {"SIP_EDGE": "sip.example.net:5060;transport=udp"}, []),
        ("people on http", {"PORTAL_URL": "http://portal.example.org"}, ["portal.E003"]),
        ("phones on http", {"PHONES_URL": "http://phones.example.org"}, ["portal.E003"]),
        (
            "a trial may do so",
            {"PHONES_URL": "http://127.0.0.1:8100", "LATCHKEY_TRIAL": True, "TRUSTED_PROXIES_STATED": False},
            [],
        ),
    ],
)
def test_an_unsafe_combination_is_refused(case: str, changes: dict[str, Any], expected: list[str]) -> None:
    with override_settings(**changes):
        assert ids() == expected, case
        if expected:
            with pytest.raises(ImproperlyConfigured, match=expected[0]):
                refuse_to_start()


def test_a_store_that_evicts_is_refused(store_server: Store, store: Any) -> None:
    store.config_set("maxmemory-policy", "allkeys-lru")

    problem = store_problem(store_server.url)

    store.config_set("maxmemory-policy", "noeviction")
    assert problem == "The store's maxmemory-policy is allkeys-lru; it must be noeviction."
    assert store_problem(store_server.url) == ""


def test_a_store_that_is_away_is_no_reason_to_stay_down(store_server: Store) -> None:
    store_server.stop()

    found = [
        message for message in checks.run_checks(tags=[TAG], include_deployment_checks=True) if message.id
    ]

    assert [(message.id, message.is_serious()) for message in found] == [("portal.W001", False)]
