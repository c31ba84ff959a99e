"""The NOTIFY that asks a phone to fetch again works under every protection, and no NOTIFY resets a phone."""

import re

import pytest

from devices.catalog import catalog
from devices.phone import HARDENING
from provisioning.compiling import compile_full
from tests.families.reading import bare, read
from tests.families.samples import MODELS, PRIVATE, settings

#: What a file may say of NOTIFY, by the key without its numbers: with every protection on, and with none.
SAID: dict[str, dict[str, tuple[set[str], set[str]]]] = {
    # Accepted from the registrar and the outbound proxy, which is where it comes from.
    "yealink": {"sip.trust_ctrl": ({"1"}, {"0"}), "account.X.sip_trust_ctrl": ({"1"}, {"0"})},
    # INVITE alone is looked at; a NOTIFY is no INVITE.
    "poly": {"voIpProt.SIP.requestValidation.X.request": ({"INVITE"}, set())},
    # It asks back for its line's password only where nothing else keeps strangers out.
    "cisco": {
        "Resync_From_SIP": ({"Yes"}, {"Yes"}),
        "Auth_Resync-Reboot_X_": ({"No"}, {"Yes"}),
        "Block_Nonproxy_SIP": ({"Yes"}, {"No"}),
        "Restrict_Source_IP_X_": ({"Yes"}, {"No"}),
    },
    # Two spellings of "ask back": 1 and No both mean that it does not.
    "grandstream": {
        "sip.notify.challenge": ({"No"}, {"Yes"}),
        "P4428": ({"1"}, {"0"}),
        "account.X.sip.allowSipReset": ({"No"}, {"No"}),
        **{f"P26{account}15": ({"0"}, {"0"}) for account in range(6)},
    },
    # The filter lets the registrar through.
    "snom": {"phone-settings.filter_registrar": ({"on"}, {"off"})},
    # 0: it fetches without a restart.
    "fanvil": {
        "sip.NotifyReboot": ({"0"}, {"0"}),
        "SIP_CONFIG_MODULE.Notify_Reboot": ({"0"}, {"0"}),
    },
}
#: Without a filter of its own it asks back for its line's password, protections or none.
ALWAYS_ASKS_BACK = {("cisco", "spa")}
WORDS = re.compile(
    r"notify|resync_from|resync-reboot|checksync|check_sync|check-sync|sip_?reset|P4428$|P26\d15$"
    r"|trust_ctrl|requestvalidation\.\w+\.request|nonproxy|restrict_source|filter_registrar|source\.list",
    re.IGNORECASE,
)


def _said(family: str, model: str, hardening: frozenset[str]) -> dict[str, set[str]]:
    """Whatever a phone's files say that has to do with NOTIFY."""
    phone = settings(family, model, hardening=hardening, web_page=not hardening)
    found: dict[str, set[str]] = {}
    for file in compile_full(phone, PRIVATE).values():
        for key, value in read(catalog().families[family].format, file.body).items():
            if WORDS.search(key):
                name = key if re.fullmatch(r"P\d+", key) else bare(key)
                found.setdefault(name, set()).add(value)
    return found


@pytest.mark.parametrize(("family", "model"), MODELS)
def test_the_protections_leave_the_resync_alone(family, model):
    generation = catalog().families[family].models[model].generation
    expected = dict(SAID[family])
    if (family, generation) in ALWAYS_ASKS_BACK:
        expected["Auth_Resync-Reboot_X_"] = ({"Yes"}, {"Yes"})

    protected, open_ = _said(family, model, frozenset(HARDENING)), _said(family, model, frozenset())

    assert protected == {key: expected[key][0] for key in protected}
    assert open_ == {key: expected[key][1] for key in open_}
    assert set(protected) >= set(open_)


@pytest.mark.parametrize(("family", "model"), MODELS)
def test_a_phone_that_takes_sip_from_its_server_alone_knows_where_the_notify_comes_from(family, model):
    found = [
        value
        for file in compile_full(settings(family, model), PRIVATE).values()
        for value in read(catalog().families[family].format, file.body).values()
    ]

    # The NOTIFY comes through the edge, which the filters let through as outbound proxy.
    assert [value for value in found if value.startswith("edge.example.org")]


@pytest.mark.parametrize("family", sorted(catalog().families))
def test_a_resync_is_one_of_the_vendors_own_events(family):
    resync = catalog().families[family].resync

    assert re.fullmatch(r"(?:check-sync|resync)(?:;reboot=false)?", resync.event)
    assert "factory" not in resync.reboot_event


@pytest.mark.parametrize(("family", "model"), [row for row in MODELS if row[0] == "grandstream"])
def test_nothing_ever_lets_a_notify_reset_a_phone(family, model):
    resets = {
        key: values
        for hardening in (frozenset(HARDENING), frozenset())
        for key, values in _said(family, model, hardening).items()
        if "Reset" in key or key.startswith("P26")
    }
    generation = catalog().families[family].models[model].generation

    assert set().union(*resets.values()) <= {"0", "No"}
    # Numbers that the sources name for these two only; the others have it off as they come.
    assert any(key.startswith("P26") for key in resets) is (generation in ("video", "ht"))
