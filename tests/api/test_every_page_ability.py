"""What a page can do, a program can: every page beside the calls that do the same, or why there is none."""

import functools
from enum import StrEnum
from typing import Any

import pytest
from django.db import transaction

from accounts.roles import Role
from portal.pages import choosing
from provisioning import clones
from provisioning.api.shapes import DecisionShape
from tests.test_access_matrix import ask
from tests.url_map import API, PAGES, api_urls, writes
from tests.world import World, make_key, program, signed_in


class Why(StrEnum):
    """Why there is no call for it. The list is closed: what is none of these has a call."""

    OWN_SIGN_IN = "how a person signs in, and where else he is signed in"
    PROOF = "a browser proves where its person is"
    LOOKS = "how pages look to their reader"
    MASQUERADE = "a person acts for a customer; a key of the customer's needs no mask"
    IN_CLEAR = "a secret in clear, for a person who has just shown his second factor"
    NOBODY = "whoever holds a link signs in nowhere"


#: A page's calls, or those of each of its buttons where it has several: the method and the name of the URL.
Calls = str | dict[str, str] | Why
ABILITIES: dict[str, Calls] = {
    "home": "get overview, get check-ins, get incident-list, get window-list, get device-list",
    "theme": Why.LOOKS,
    "second-factor": Why.OWN_SIGN_IN,
    "session-end": Why.OWN_SIGN_IN,
    "address-proof": Why.PROOF,
    "my-phones": "get device-list",
    "my-phone-allow": "post device-allow",
    # phones
    "phones": "get device-list",
    "phone-add": "post device-list",
    "phones-import": "post import-list",
    "phones-import-sample": "get import-sample",
    "phone-import": {"look": "get import-detail", "start": "post import-run"},
    "phone-import-bad": "get import-not-added",
    "phones-resync": "post resync",
    "phones-bulk": {
        "unlock": "post bulk-preview, post unlock-all",
        **dict.fromkeys(("lock", "rearm", "move", "profile", "take-off"), "post bulk-preview, post bulk"),
    },
    "phones-export": "get device-take-out",
    "phones-firmwares": "get device-firmwares",
    "unknown-phones": "get unknown-phones, post device-list",
    "connect": "get catalogue-families, get catalogue-family, get heard",
    # one phone
    "phone": "get device-detail, get device-hardening, get catalogue-model",
    "phone-lines": "get device-appearances, put device-appearances, get device-keys, put device-keys",
    "phone-profile": {"put on": "post profile-apply", "take off": "post profile-take-off"},
    "phone-files": "get device-files, get device-files-diff",
    "phone-file-uncovered": Why.IN_CLEAR,
    "phone-settings": {
        "look": "get setting-list, get settings-diff",
        "preview": "post settings-preview",
        "save": "put setting-detail",
        "again": "delete setting-detail",
        "raw": "get raw-key-list, put raw-key-detail, delete raw-key-detail",
    },
    "phone-log": "get device-events",
    "phone-advanced": "get device-claims, get device-unlock-links",
    "phone-allow": "post device-allow",
    "phone-unlock": "post device-unlock",
    "phone-link": "get device-unlock-links, post device-unlock-links",
    "phone-link-end": "delete device-unlock-link",
    "unlock-link": Why.NOBODY,
    "phone-lock": "post device-lock",
    "phone-rearm": "post device-rearm",
    "phone-quarantine": "post device-quarantine",
    "phone-release": "post device-release",
    "phone-take-back": "post device-take-back",
    "phone-clone": dict.fromkeys(clones.ANSWERS, "post device-clone"),
    "phone-retire": "post device-retire",
    "phone-swap": "post device-swap",
    "phone-move": "post device-move",
    "phone-resync": "post device-resync",
    "phone-edit": "patch device-detail",
    "phone-remove": "delete device-detail",
    # doors
    "approvals": "get approval-list",
    "approval": dict.fromkeys(
        ("once", "site", "deny", "quarantine"), "get approval-detail, post approval-detail"
    ),
    "windows": "get window-list",
    "window-open": "post window-list",
    "window": "get window-detail",
    "window-close": "delete window-detail",
    "unlock-all": "post unlock-all",
    "job": "get job-detail, get job-items",
    "explain": "get explain",
    # addresses
    "addresses": "get ip-check, get event-list",
    "address-unblock": "post ban-lift-mine",
    "bans": "get ban-list",
    "ban-add": "post ban-list",
    "ban-lift": "delete ban-detail",
    "what-if": "post what-if",
    "what-if-result": "get what-if-detail",
    "incidents": "get incident-list",
    "incident": "get incident-detail",
    "incident-note": "post incident-notes",
    "incident-close": "post incident-close",
    "allowances": "get allowed-network-list",
    "allowance-add": "post allowed-network-list",
    "allowance-grant": "post allowed-network-grant",
    "allowance-end": "delete allowed-network-detail",
    # places
    "sites": "get site-list",
    "site-add": "post site-list",
    "site": "get site-detail, patch site-detail",
    "site-closing": "get site-closing-times, put site-closing-times",
    "site-remove": "delete site-detail",
    "account-holidays": "get holidays, put holidays",
    # lines, keys, the directory
    "extensions": "get extension-list",
    "extension-add": "post extension-list",
    "extension": "get extension-detail, patch extension-detail",
    "extension-remove": "delete extension-detail",
    "extension-secret": "post extension-new-secret",
    "extension-mark": "post extension-expose",
    "directory": "get directory, get contact-list, get extension-list",
    "directory-add": "post contact-list",
    "directory-import": "post contact-bring-in",
    "directory-export": "get contact-take-out",
    "contact": "get contact-detail, patch contact-detail",
    "contact-remove": "delete contact-detail",
    "directory-extension": "patch extension-detail",
    "profiles": "get profile-list",
    "profile-add": "post profile-list",
    "profile": "get profile-detail, patch profile-detail",
    "profile-phones": {"apply": "post profile-apply", "take-off": "post profile-take-off"},
    "profile-remove": "delete profile-detail",
    # accounts
    "settings": {
        "look": "get setting-list, get settings-diff, get settings-nearer",
        "preview": "post settings-preview",
        "save": "put setting-detail",
        "again": "delete setting-detail",
        "raw": "get raw-key-list, put raw-key-detail, delete raw-key-detail",
    },
    "notifications": "get me-notifications, put me-notifications",
    "policies": "get policy-list",
    "policy": {"look": "get policy-detail", "save": "put policy-detail", "reset": "delete policy-detail"},
    "powers": "get roles, get person-list",
    "hardening": "get hardening",
    "keeping": "get keeping",
    "audit": "get audit-list",
    "customers": "get customer-list",
    "customer": "get customer-detail",
    "customer-add": "post account-list",
    "customer-switch": dict.fromkeys(("on", "off"), "patch account-detail"),
    "customer-act": Why.MASQUERADE,
    "acting-stop": Why.MASQUERADE,
    "customer-delete": "post account-delete",
    "customer-restore": "post account-restore",
    "customer-move": {"look": "get account-move", "move": "post account-move"},
    "people": "get person-list",
    "person-add": "post person-list",
    "person": "get person-detail",
    "person-role": "patch person-detail",
    "person-secrets": dict.fromkeys(("yes", "no"), "patch person-detail"),
    "person-second-factor": "post person-reset-second-factor",
    "person-again": "post person-invite",
    "person-switch": dict.fromkeys(("yes", "no"), "patch person-detail"),
    "person-remove": "delete person-detail",
    "keys": "get api-key-list",
    "key-add": "post api-key-list",
    "key-rotate": "post api-key-rotate",
    "key-revoke": "delete api-key-detail",
    "webhooks": "get webhook-list, get webhook-kinds",
    "webhook-add": "post webhook-list",
    "webhook": "get webhook-detail, get webhook-deliveries",
    "webhook-edit": "patch webhook-detail",
    "webhook-rotate": "post webhook-rotate",
    "webhook-test": "post webhook-test",
    "webhook-replay": "post webhook-replay",
    "webhook-remove": "delete webhook-detail",
    "delivery": "get delivery-detail",
    "webhook-result": "get delivery-detail",
    "delivery-replay": "post delivery-replay",
}

#: What a rule refuses in this world: it has been done there already, or has to be prepared first.
REFUSED = {("delete", name) for name in ("extension-detail", "profile-detail")}
REFUSED |= {("post", f"device-{verb}") for verb in ("clone", "release", "resync")}
REFUSED |= {("post", name) for name in ("ban-lift-mine", "person-reset-second-factor", "resync")}


def calls_of(ability: Calls) -> set[tuple[str, str]]:
    """The method and name of each call."""
    if isinstance(ability, Why):
        return set()
    lines = ability.values() if isinstance(ability, dict) else [ability]
    return {(method, name) for line in lines for method, name in (call.split() for call in line.split(", "))}


CALLS = sorted(functools.reduce(set.union, map(calls_of, ABILITIES.values()), set()))


def test_every_page_is_here() -> None:
    assert set(PAGES) - set(ABILITIES) == set(), "say here which calls do the same"
    assert set(ABILITIES) - set(PAGES) == set()


def test_every_button_is_here() -> None:
    assert set(ABILITIES["phones-bulk"]) == set(choosing.WORDS)
    assert set(ABILITIES["approval"]) == set(DecisionShape().fields["decision"].choices)


def test_every_call_is_there_and_takes_the_method(world: World) -> None:
    urls, sam = api_urls(world.acme), program(make_key(world.platform, Role.SUPPORT, world.sam))

    assert {name for _, name in CALLS} - set(API) == set()
    offered = {name: sam.options(urls[name]).headers["Allow"].split(", ") for _, name in CALLS}
    assert [(method, name) for method, name in CALLS if method.upper() not in offered[name]] == []


def test_every_call_answers_as_the_page_would(world: World) -> None:
    """By a key of support, or what is a person's own in his session; what it changes is undone each time."""
    urls, bodies = api_urls(world.acme), writes(world.acme)
    sam, in_person = program(make_key(world.platform, Role.SUPPORT, world.sam)), signed_in(world.ana)
    wrong: list[Any] = []
    refused = set()

    for method, name in CALLS:
        if name == "what-if-detail":
            continue  # a tenant's job is none; tests/api/test_what_if.py reads one
        given = [body for how, body in bodies.get(name, ()) if how == method]
        assert given or method == "get", f"say in writes() how to {method} {name}"
        with transaction.atomic():
            answer = ask(in_person if name.startswith("me-") else sam, method, urls[name], *given)
            transaction.set_rollback(True)
        if answer.status_code == 409:
            refused.add((method, name))
        elif not 200 <= answer.status_code < 300:
            wrong.append((method, name, answer.status_code, answer.content))

    assert wrong == []
    assert refused == REFUSED


@pytest.mark.parametrize("reason", list(Why))
def test_every_reason_is_needed(reason: Why) -> None:
    assert reason in ABILITIES.values()
