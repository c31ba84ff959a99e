"""The full file of every model: its lines and keys, its address for good, its protection, nothing unknown."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from devices.catalog import FAMILIES, catalog
from devices.phone import (
    HARDENING,
    KeyKind,
    KeySetting,
    Line,
    PhoneSettings,
    Ring,
    Srtp,
    TimeSettings,
)
from provisioning.compiling import CompiledFile, compile_bootstrap, compile_common, compile_full
from tests.families.reading import bare, read
from tests.families.samples import (
    ENTRY,
    MAC,
    MODELS,
    PRIVATE,
    ROOT,
    SECRETS,
    TOKEN,
    everything,
    name_of,
    settings,
)

CODES = sorted(catalog().families)


def _settings_file(phone: PhoneSettings) -> dict[str, str]:
    family = catalog().families[phone.family]
    files = compile_full(phone, PRIVATE)
    merged: dict[str, str] = {}
    for file in files.values():
        merged |= read(family.format, file.body)
    return merged


def _every_file(family: str, model: str) -> list[CompiledFile]:
    vendor = catalog().families[family]
    plain = settings(
        family,
        model,
        hardening=frozenset(),
        web_page=True,
        time=TimeSettings("UTC"),
        keys=(),
        voicemail_number="",
    )
    full = everything(family, model)
    silent = replace(full, lines=tuple(replace(line, shared=True, ring=Ring.NEVER) for line in full.lines))
    phones = (settings(family, model), plain, full, silent)
    files = [file for phone in phones for file in compile_full(phone, PRIVATE).values()]
    for rule in vendor.files:
        if rule.bootstrap and vendor.models[model].generation not in rule.absent_in:
            name = name_of(rule, model)
            files.append(compile_bootstrap(family, model, MAC, name, ENTRY, ROOT, plain))
    return files


def _common_names(family: str) -> list[str]:
    rules = [rule for rule in catalog().families[family].files if rule.served]
    return [name_of(rule, "m1") for rule in rules]


@pytest.mark.parametrize(("family", "model"), MODELS)
def test_every_model_has_its_lines_and_its_address(family, model):
    found = _settings_file(settings(family, model))

    values = set(found.values())
    assert SECRETS[0] in values
    assert "auth214" in values
    assert any(value.startswith("sip.example.org") for value in values)
    assert any(value.startswith("edge.example.org") for value in values)
    assert any(TOKEN in value for value in values)
    assert any(SECRETS[2] in value for value in values)


@pytest.mark.parametrize(("family", "model"), MODELS)
def test_the_same_settings_give_the_same_bytes(family, model):
    assert compile_full(settings(family, model), PRIVATE) == compile_full(settings(family, model), PRIVATE)


@pytest.mark.parametrize(("family", "model"), MODELS)
def test_files_of_two_tokens_differ_in_the_url_only(family, model):
    other = PRIVATE.replace(TOKEN, "z9" * 20)

    first = compile_full(settings(family, model), PRIVATE)
    second = compile_full(settings(family, model), other)

    assert {name: file.body.replace(TOKEN.encode(), b"z9" * 20) for name, file in first.items()} == {
        name: file.body for name, file in second.items()
    }


@pytest.mark.parametrize("code", CODES)
def test_every_key_has_a_public_source(code):
    family = catalog().families[code]
    lines = (FAMILIES / code / "keys.txt").read_text().splitlines()
    told = {line.strip() for line in lines if line.startswith("  ")}
    sources = [line for line in lines if line and not line.startswith((" ", "#"))]

    used = set()
    for model in family.models:
        for file in _every_file(code, model):
            used |= {bare(key) for key in read(family.format, file.body)}
    for name in _common_names(code):
        used |= {bare(key) for key in read(family.format, compile_common(code, name, ROOT).body)}

    assert used == told
    assert all(source.startswith("https://") for source in sources)


#: The one exception of the rules: without it these phones never ask the root's own claiming file.
NAMES_THE_ROOT = {"cisco": {"Profile_Rule_B": "p.example.org/$MA.xml"}}


@pytest.mark.parametrize("code", CODES)
def test_common_files_know_no_device(code):
    family = catalog().families[code]

    for name in _common_names(code):
        file = compile_common(code, name, ROOT)
        found = read(family.format, file.body)
        if code in NAMES_THE_ROOT:
            assert {key: value.partition("://")[2] for key, value in found.items()} == NAMES_THE_ROOT[code]
            continue
        assert not {key for key in found if not re.search("polling|repeat|refresh_timer", key)}
        if family.helper is None or name != family.helper.path:
            assert not found
        assert ROOT.encode() not in file.body


def test_a_poll_falls_into_the_phones_own_half_hour():
    early = _settings_file(settings("yealink", "T46S", poll_minute=201))
    late = _settings_file(settings("poly", "VVX450", poll_minute=1439))

    assert early["static.auto_provision.weekly.begin_time"] == "03:21"
    assert early["static.auto_provision.weekly.end_time"] == "03:51"
    assert early["static.auto_provision.weekly.dayofweek"] == "0123456"
    assert early["static.auto_provision.repeat.enable"] == "0"
    assert late["prov.polling.time"] == "23:29"
    assert late["prov.polling.timeRandomEnd"] == "23:59"
    assert (late["prov.polling.mode"], late["prov.polling.period"]) == ("abs", "86400")


def test_before_v81_keys_have_no_prefix():
    found = _settings_file(settings("yealink", "T28P"))

    assert not [key for key in found if key.startswith("static.")]
    assert found["auto_provision.server.url"] == PRIVATE
    assert found["auto_provision.weekly.mask"] == "0123456"
    assert found["network.web_server_type"] == "0"
    assert found["account.1.sip_trust_ctrl"] == "1"


def test_a_known_firmware_wins_over_the_models_generation():
    found = _settings_file(settings("yealink", "T23G", generation="v80"))

    assert not [key for key in found if key.startswith("static.")]
    assert "include:config" not in found


def test_the_phone_of_a_v81_model_gets_both_spellings():
    found = _settings_file(settings("yealink", "T46S"))

    for key in ("server.url", "repeat.enable", "dhcp_option.enable", "pnp_enable", "weekly.enable"):
        assert found[f"static.auto_provision.{key}"] == found[f"auto_provision.{key}"]


def test_lines_that_are_gone_lose_their_secret():
    found = _settings_file(settings("yealink", "T46S"))

    assert found["account.16.enable"] == "0"
    assert found["account.16.password"] == ""
    assert found["account.2.enable"] == "1"
    assert [found[f"account.{number}.shared_line"] for number in (1, 2)] == ["0", "1"]


def test_an_extension_on_two_keys_is_one_account():
    line = Line(1, "214", "", "x", label="Ben")
    phone = settings(
        "poly", "VVX450", lines=(line, replace(line, position=3), Line(2, "250", "", "y")), keys=()
    )

    found = _settings_file(phone)

    assert [found[f"reg.{number}.lineKeys"] for number in (1, 2)] == ["2", "1"]
    assert [found[f"lineKey.{number}.index"] for number in (1, 2, 3)] == ["1", "2", "1"]


def test_keys_of_every_kind():
    kinds = [KeyKind.BLF, KeyKind.SPEED_DIAL, KeyKind.PARK, KeyKind.URL, KeyKind.DTMF]
    keys = tuple(KeySetting(at, kind, f"70{at}", kind.value) for at, kind in enumerate(kinds, start=3))

    found = _settings_file(settings("yealink", "T46S", keys=keys))

    assert [found[f"linekey.{at}.type"] for at in range(1, 9)] == [
        "15",
        "15",
        "16",
        "13",
        "10",
        "17",
        "11",
        "0",
    ]
    assert found["linekey.3.value"] == "703"
    assert found["linekey.27.type"] == "0"
    assert found["expansion_module.3.key.60.type"] == "0"


def test_a_key_behind_the_phones_own_sits_on_a_module():
    keys = (KeySetting(28, KeyKind.BLF, "701", "Park"), KeySetting(27 + 61, KeyKind.BLF, "702", "Next"))

    found = _settings_file(settings("yealink", "T46S", keys=keys))

    assert found["expansion_module.1.key.1.value"] == "701"
    assert found["expansion_module.2.key.1.value"] == "702"


def test_old_models_count_watched_lines_from_nought():
    keys = (KeySetting(3, KeyKind.BLF, "701", line=2), KeySetting(7, KeyKind.SPEED_DIAL, "702", line=2))

    found = _settings_file(settings("yealink", "T38G", keys=keys))

    assert found["linekey.3.line"] == "1"
    assert found["memorykey.1.line"] == "2"


def test_keys_with_a_macro_and_keys_that_watch():
    keys = (
        KeySetting(3, KeyKind.DTMF, "#55", "Door"),
        KeySetting(4, KeyKind.BLF, "202", 'Ana "A" & <B>'),
        KeySetting(5, KeyKind.PARK, "701", "Park"),
        KeySetting(13, KeyKind.SPEED_DIAL, "05550142", "Rita"),
    )

    found = _settings_file(settings("poly", "VVX450", keys=keys))

    assert [found[f"lineKey.{at}.category"] for at in (1, 2, 3, 4, 5, 13)] == [
        "Line",
        "Line",
        "EFK",
        "BLF",
        "BLF",
        "EFK",
    ]
    assert found["efk.efklist.1.action.string"] == "#55$Tdtmf$"
    assert found["efk.efklist.2.action.string"] == "05550142$Tinvite$"
    assert found["lineKey.13.index"] == "2"
    assert found["attendant.resourceList.1.label"] == 'Ana "A" & <B>'
    assert found["attendant.resourceList.2.type"] == "automata"


def test_the_master_below_the_private_url_names_the_settings():
    files = compile_full(settings("poly", "EdgeE450"), PRIVATE)

    assert sorted(files) == [f"{MAC}.cfg", f"phone{MAC}.cfg"]
    assert read("xml", files[f"{MAC}.cfg"].body)["CONFIG_FILES"] == f"phone{MAC}.cfg"
    assert SECRETS[0].encode() not in files[f"{MAC}.cfg"].body
    assert read("xml", files[f"phone{MAC}.cfg"].body)["device.prov.serverName"] == f"p.example.org/d/{TOKEN}"


def test_the_boot_file_below_the_private_url_resets_nothing():
    files = compile_full(settings("yealink", "T54W"), PRIVATE)

    assert sorted(files) == [f"{MAC}.boot", f"{MAC}.cfg"]
    assert read("lines", files[f"{MAC}.boot"].body) == {
        "overwrite_mode": "0",
        "include:config": f"{MAC}.cfg",
    }


@pytest.mark.parametrize(
    ("scheme", "kind"),
    [("http", "HTTP"), ("https", "HTTPS")],
)
def test_the_scheme_is_the_urls(scheme, kind):
    body = compile_full(settings("poly", "SSIP7000"), PRIVATE.replace("https", scheme))[
        f"phone{MAC}.cfg"
    ].body

    assert read("xml", body)["device.prov.serverType"] == kind


@pytest.mark.parametrize(
    ("srtp", "yealink", "poly"),
    [
        (Srtp.OFF, "0", ("0", "0", "0")),
        (Srtp.OPTIONAL, "1", ("1", "1", "0")),
        (Srtp.REQUIRED, "2", ("1", "1", "1")),
    ],
)
def test_srtp(srtp, yealink, poly):
    lines = settings("yealink", "T46S")
    xml = settings("poly", "VVX450")

    found = _settings_file(replace(lines, sip=replace(lines.sip, srtp=srtp)))
    other = _settings_file(replace(xml, sip=replace(xml.sip, srtp=srtp)))

    assert found["account.1.srtp_encryption"] == yealink
    assert tuple(other[f"sec.srtp.{name}"] for name in ("enable", "offer", "require")) == poly


@pytest.mark.parametrize(
    ("zone", "offset", "start", "end", "saving"),
    [
        ("UTC", "0", None, None, None),
        ("Europe/Berlin", "+1", "3/5/7/2", "10/5/7/3", "60"),
        ("America/New_York", "-5", "3/2/7/2", "11/1/7/2", "60"),
        ("Asia/Kolkata", "+5:30", None, None, None),
        ("Australia/Sydney", "+10", "10/1/7/2", "4/1/7/3", "60"),
        ("Australia/Lord_Howe", "+10:30", "10/1/7/2", "4/1/7/2", "30"),
        ("Pacific/Auckland", "+12", "9/5/7/2", "4/1/7/3", "60"),
        ("America/St_Johns", "-3:30", "3/2/7/2", "11/1/7/2", "60"),
        ("Europe/Dublin", "0", "3/5/7/1", "10/5/7/2", "60"),
    ],
)
def test_time_zones_in_lines(zone, offset, start, end, saving):
    found = _settings_file(settings("yealink", "T46S", time=TimeSettings(zone)))

    assert found["local_time.time_zone"] == offset
    assert found["local_time.summer_time"] == ("1" if start else "0")
    assert found.get("local_time.start_time") == start
    assert found.get("local_time.end_time") == end
    assert found.get("local_time.offset_time") == saving


def test_time_zones_in_attributes():
    found = _settings_file(settings("poly", "VVX450", time=TimeSettings("Australia/Sydney")))
    clock = {
        key.removeprefix("tcpIpApp.sntp."): value
        for key, value in found.items()
        if key.startswith("tcpIpApp.sntp.")
    }

    assert clock["gmtOffset"] == "36000"
    assert clock["daylightSavings.start.month"] == "10"
    assert clock["daylightSavings.start.date"] == "1"
    assert clock["daylightSavings.start.dayOfWeek"] == "1"
    assert clock["daylightSavings.start.dayOfWeek.lastInMonth"] == "0"
    assert clock["daylightSavings.stop.time"] == "3"


def test_protections_are_written_on_and_off():
    on = _settings_file(settings("yealink", "T46S"))
    off = _settings_file(settings("yealink", "T46S", hardening=frozenset(), web_page=True))

    assert on["sip.trust_ctrl"] == "1"
    assert off["sip.trust_ctrl"] == "0"
    assert on["static.wui.https_enable"] == "0"
    assert off["static.wui.https_enable"] == "1"
    assert off["static.wui.http_enable"] == "0"


def test_the_web_page_is_one_switch():
    found = _settings_file(settings("poly", "VVX450", hardening=frozenset(HARDENING), web_page=True))

    assert found["httpd.enabled"] == "1"


def test_templates_of_a_family_are_all_used():
    for code in CODES:
        folder: Path = FAMILIES / code
        rules = catalog().families[code].files
        named = {
            name for rule in rules for name in (rule.full, rule.bootstrap, rule.common, rule.book) if name
        }
        present = {file.name for file in folder.glob("*.j2") if not file.name.startswith("_")}
        assert named == present
