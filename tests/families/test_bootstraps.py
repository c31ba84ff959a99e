"""What the root answers: enough to find the private URL, never a SIP secret, always the same bytes."""

import re

import pytest

from devices.catalog import catalog
from provisioning.compiling import CompileError, compile_bootstrap, compile_common, compile_full
from tests.families.reading import read
from tests.families.samples import ENTRY, MAC, MODELS, PRIVATE, ROOT, SECRETS, name_of, settings

#: What a bootstrap says by number and the full file by name.
SAME = {
    "P212": "provisioning.config.protocol",
    "P237": "provisioning.config.serverPath",
    "P145": "provisioning.override.dhcp.allowCommonOptions",
    "P1414": "provisioning.3cxAutoProvision",
    "P1007": "provisioning.override.dhcp.enableOption150",
    "P1008": "provisioning.override.dhcp.enableOption160",
    "P1009": "provisioning.override.dhcp.enableOption161",
    "P8337": "provisioning.override.dhcp.allowCustomOption",
    "P194": "provisioning.auto.mode",
    "P193": "provisioning.auto.minute",
}
TOKEN_OF_ENTRY = ENTRY.rstrip("/").rpartition("/")[2].encode()
CLAIMING = [
    (family, model, name_of(rule, model))
    for family, model in MODELS
    for rule in catalog().families[family].files
    if rule.claims
    and catalog().families[family].models[model].generation not in rule.absent_in
    and not catalog().families[family].models[model].single_step
]


@pytest.mark.parametrize(("family", "model", "name"), CLAIMING)
def test_a_bootstrap_leads_to_the_private_url_and_holds_no_secret(family, model, name):
    phone = settings(family, model)

    first = compile_bootstrap(family, model, MAC, name, ENTRY, ROOT, phone)
    again = compile_bootstrap(family, model, MAC, name, ENTRY, ROOT)

    assert first == again
    assert TOKEN_OF_ENTRY in first.body
    assert not [secret for secret in SECRETS if secret.encode() in first.body]
    assert b"214" not in first.body
    assert first.name == name


def test_the_boot_file_stores_nothing():
    body = compile_bootstrap("yealink", "T46S", MAC, f"{MAC}.boot", ENTRY, ROOT).body

    assert read("lines", body) == {
        "overwrite_mode": "0",
        "include:config": f"{ROOT}/yealink-retry.cfg\n{ENTRY}{MAC}.cfg",
    }


def test_the_cfg_at_the_root_polls_every_minute_in_both_spellings():
    found = read("lines", compile_bootstrap("yealink", "T46S", MAC, f"{MAC}.cfg", ENTRY, ROOT).body)

    for prefix in ("static.", ""):
        assert found[f"{prefix}auto_provision.server.url"] == ENTRY
        assert found[f"{prefix}auto_provision.repeat.enable"] == "1"
        assert found[f"{prefix}auto_provision.repeat.minutes"] == "1"
        assert found[f"{prefix}auto_provision.dhcp_option.enable"] == "0"
        assert found[f"{prefix}auto_provision.pnp_enable"] == "0"
        assert found[f"{prefix}zero_touch.enable"] == "0"


def test_before_v81_the_cfg_at_the_root_has_no_prefix():
    found = read("lines", compile_bootstrap("yealink", "T22P", MAC, f"{MAC}.cfg", ENTRY, ROOT).body)

    assert not [key for key in found if key.startswith("static.")]
    assert found["auto_provision.mode"] == "1"


@pytest.mark.parametrize(("family", "model"), MODELS)
def test_the_full_file_undoes_every_key_of_a_bootstrap(family, model):
    vendor = catalog().families[family]
    full: dict[str, str] = {}
    for file in compile_full(settings(family, model), PRIVATE).values():
        full |= read(vendor.format, file.body)
    bodies = [
        compile_bootstrap(family, model, MAC, name, ENTRY, ROOT, settings(family, model)).body
        for known, kind, name in CLAIMING
        if (known, kind) == (family, model)
    ]
    if vendor.helper and any(vendor.helper.path.encode() in body for body in bodies):
        bodies.append(compile_common(family, vendor.helper.path, ROOT).body)

    for body in bodies:
        for key, value in read(vendor.format, body).items():
            known = SAME[key] if SAME.get(key) in full else key
            assert known in full or key in ("include:config", "file@url", "gnkey"), key
            if re.search(r"repeat|polling[._]period|refresh_timer|Interval|P193|Resync_Periodic", key):
                assert full[known] != value


def test_the_master_at_the_root_changes_nothing_in_the_phone():
    found = read("xml", compile_bootstrap("poly", "VVX450", MAC, f"{MAC}.cfg", ENTRY, ROOT).body)

    folder = ENTRY.removesuffix("/")
    assert found == {
        "APP_FILE_PATH": "",
        "CONFIG_FILES": f"{ENTRY}phone{MAC}.cfg, {ROOT}/poly-retry.cfg",
        "MISC_FILES": "",
        "LOG_FILE_DIRECTORY": folder,
        "OVERRIDES_DIRECTORY": folder,
        "CONTACTS_DIRECTORY": folder,
        "CALL_LISTS_DIRECTORY": folder,
    }


def test_a_root_address_may_have_a_path_and_a_port():
    body = compile_bootstrap("yealink", "T46S", MAC, f"{MAC}.boot", ENTRY, "http://127.0.0.1:8181/root/").body

    assert b'include:config "http://127.0.0.1:8181/root/yealink-retry.cfg"' in body


def test_a_single_step_phone_gets_its_full_file_at_the_root():
    phone = settings("yealink", "VP530")

    found = read("lines", compile_bootstrap("yealink", "VP530", MAC, f"{MAC}.cfg", ENTRY, ROOT, phone).body)

    assert found["account.1.password"] == SECRETS[0]
    assert found["auto_provision.server.url"] == f"{ROOT}/"


def test_a_single_step_phone_needs_its_settings():
    with pytest.raises(CompileError) as error:
        compile_bootstrap("yealink", "VP530", MAC, f"{MAC}.cfg", ENTRY, ROOT)

    assert error.value.field == "phone"


@pytest.mark.parametrize(
    ("case", "family", "model", "name", "field"),
    [
        ("does not claim", "poly", "VVX450", f"phone{MAC}.cfg", "file_name"),
        ("another phone's", "poly", "VVX450", "00005e005399.cfg", "file_name"),
        ("no boot files then", "yealink", "T20P", f"{MAC}.boot", "file_name"),
        ("common", "yealink", "T46S", "y000000000066.cfg", "file_name"),
        ("unknown model", "yealink", "T99", f"{MAC}.cfg", "model"),
        ("unknown family", "nobody", "T46S", f"{MAC}.cfg", "family"),
    ],
)
def test_a_name_that_claims_nothing_is_refused(case, family, model, name, field):
    with pytest.raises(CompileError) as error:
        compile_bootstrap(family, model, MAC, name, ENTRY, ROOT)

    assert error.value.field == field


@pytest.mark.parametrize("name", ["000000000000.cfg", f"{MAC}.cfg", "nothing.txt"])
def test_only_common_files_are_compiled_as_such(name):
    with pytest.raises(CompileError):
        compile_common("poly", name, ROOT)
