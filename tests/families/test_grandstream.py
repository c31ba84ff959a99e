"""What is Grandstream's own: a binary first file, names and numbers, and a full file at the root."""

from dataclasses import replace

import pytest

from devices.catalog import catalog
from devices.phone import KeyKind, KeySetting, Line, Srtp, TimeSettings
from provisioning.compiling import CompileError, compile_bootstrap, compile_full
from provisioning.envelopes import summed
from tests.families.reading import read
from tests.families.samples import ENTRY, MAC, PRIVATE, ROOT, SECRETS, settings

FAMILY = catalog().families["grandstream"]
PLACE = PRIVATE.removeprefix("https://").removesuffix("/")
ENTRY_PLACE = ENTRY.removeprefix("https://").removesuffix("/")
MODELS = sorted(FAMILY.models)
RESETS = {f"P26{line}15" for line in range(6)}  # of each account: a reset to the factory's state by NOTIFY


def _full(model: str, **changes: object) -> dict[str, str]:
    files = compile_full(settings("grandstream", model, **changes), PRIVATE)
    assert list(files) == [f"cfg{MAC}.xml"]
    return read("xml", files[f"cfg{MAC}.xml"].body)


def _root(model: str, name: str, here: str = ENTRY, *, full: bool = False) -> dict[str, str]:
    phone = settings("grandstream", model) if full else None
    return read("xml", compile_bootstrap("grandstream", model, MAC, name, here, ROOT, phone, full=full).body)


def test_the_binary_file_is_summed_and_holds_what_leads_to_the_private_url():
    body = compile_bootstrap("grandstream", "GXP2135", MAC, f"cfg{MAC}", ENTRY, ROOT).body

    assert body[6:12].hex() == MAC
    assert read("xml", body) == {
        "P212": "2",
        "P237": ENTRY_PLACE,
        "P145": "0",
        "P1414": "0",
        "P8337": "0",
        "P194": "1",
        "P193": "60",
        "gnkey": "0b82",
    }


@pytest.mark.parametrize(
    ("text", "body"),
    [
        (b"P1=1\n", b"\x00\x00\x00\x0a\xa7\x66\x00\x00\x5e\x00\x53\x1a\r\n\r\nP1=1"),
        (b"P1=12\ngnkey=0b82\n", None),
    ],
)
def test_the_words_of_a_binary_file_add_up_to_nought(text, body):
    found = summed(text, MAC)

    assert len(found) % 2 == 0
    assert sum(int.from_bytes(found[at : at + 2], "big") for at in range(0, len(found), 2)) % 0x10000 == 0
    assert int.from_bytes(found[:4], "big") * 2 == len(found)
    assert body is None or found == body


@pytest.mark.parametrize(
    "text", [b"P237=a b\n", b"P237=a&P2=x\n", b"P237=a%26\n", b"P237=\xc3\xa4\n", b"P1=a+b\n"]
)
def test_what_could_be_read_in_two_ways_stays_out_of_a_binary_file(text):
    with pytest.raises(CompileError):
        summed(text, MAC)


@pytest.mark.parametrize("model", MODELS)
def test_the_server_is_host_and_path_alone(model):
    found = {**_root(model, f"cfg{MAC}.xml"), **_full(model)}

    for key in ("P237", "provisioning.config.serverPath"):
        assert found.get(key, PLACE) in (PLACE, ENTRY_PLACE)
    assert "P237" in found


@pytest.mark.parametrize(
    ("model", "daily", "every_hour"),
    [
        ("GXP1628", "2", "1"),
        ("GXP1782", "2", "1"),
        ("HT802", "1", "3"),
        ("GXV3240", "1", "3"),
    ],
)
def test_a_day_is_another_number_on_adapters_and_video_phones(model, daily, every_hour):
    full, soon = _full(model), _root(model, f"cfg{MAC}.xml", PRIVATE, full=True)

    assert (full["P194"], full["P285"], full["P8459"], full["P8458"]) == (daily, "3", "4", "1")
    assert (soon["P194"], soon["P193"]) == (every_hour, "60")
    assert _root(model, f"cfg{MAC}.xml")["P194"] == every_hour


@pytest.mark.parametrize("model", ["GXP2170", "GRP2614", "GXV3370"])
def test_a_day_by_name(model):
    full, soon = _full(model, poll_minute=23 * 60 + 30), _root(model, f"cfg{MAC}.xml", PRIVATE, full=True)

    assert full["provisioning.auto.mode"] == "YesUpgradeHourOfDay"
    assert (full["provisioning.auto.hour"], full["provisioning.auto.endHour"]) == ("22", "23")
    assert (soon["provisioning.auto.mode"], soon["provisioning.auto.minute"]) == ("YesUpgradeMin", "60")


@pytest.mark.parametrize("model", MODELS)
def test_the_full_file_at_the_root_differs_in_the_poll_alone(model):
    full, at_root = _full(model), _root(model, f"cfg{MAC}.xml", PRIVATE, full=True)

    differing = {key for key in full if full[key] != at_root[key]}
    assert set(full) == set(at_root)
    assert differing == (
        {"P194", "P193"} if "P194" in full else {"provisioning.auto.mode", "provisioning.auto.minute"}
    )
    assert SECRETS[0] in at_root.values()


def test_the_binary_file_is_never_the_full_one():
    with pytest.raises(CompileError) as error:
        _root("GRP2614", f"cfg{MAC}", PRIVATE, full=True)

    assert error.value.field == "file_name"


@pytest.mark.parametrize("model", MODELS)
def test_nobody_resets_a_phone_by_notify_and_no_firmware_comes_by_surprise(model):
    found = _full(model)

    resets = {key: value for key, value in found.items() if key in RESETS or key.endswith("allowSipReset")}
    assert set(resets.values()) <= {"0", "No"}
    # The sources name the key for these two; the others have it switched off as they come.
    assert ("P26015" in resets) == (FAMILY.models[model].generation in ("video", "ht"))
    assert found.get("P238", found.get("provisioning.firmware.checkCondition")) in ("2", "SkipCheck")


@pytest.mark.parametrize(
    ("model", "key", "challenge", "on", "off"),
    [
        (
            "GRP2614",
            "account.2.sip.validate.incomingServer",
            "sip.notify.challenge",
            ("Yes", "No"),
            ("No", "Yes"),
        ),
        ("GXP1628", "P2447", "P4428", ("1", "1"), ("0", "0")),
        ("GXV3240", "P2447", "P4428", ("1", "1"), ("0", "0")),
        ("HT802", "P743", "P4428", ("1", "1"), ("0", "0")),
    ],
)
def test_notify_needs_no_password_only_while_strangers_are_kept_out(model, key, challenge, on, off):
    kept, open_ = _full(model), _full(model, hardening=frozenset())

    assert (kept[key], kept[challenge]) == on
    assert (open_[key], open_[challenge]) == off


def test_lines_that_are_gone_lose_their_secret():
    named, numbered, ports = _full("GRP2616"), _full("GXP1782"), _full("HT802", lines=())

    assert (named["account.6.enable"], named["account.6.sip.subscriber.password"]) == ("No", "")
    assert (numbered["P501"], numbered["P506"]) == ("0", "")
    assert (ports["P271"], ports["P34"], ports["P401"], ports["P734"]) == ("0", "", "0", "")


def test_shared_lines_have_their_feature_and_their_key():
    named, numbered, android = _full("GRP2614"), _full("GXP1628"), _full("GXV3370")

    assert [named[f"account.{n}.sip.specialFeature"] for n in (1, 2)] == ["Standard", "Broadsoft"]
    assert [named[f"pks.vpk.{n}.keyMode"] for n in (1, 2)] == ["Line", "SharedLine"]
    assert (numbered["P198"], numbered["P424"]) == ("100", "102")
    assert (numbered["P1363"], numbered["P1365"], numbered["P1366"]) == ("0", "1", "1")
    assert [android[f"account.{n}.sca.enable"] for n in (1, 2)] == ["No", "Yes"]


def test_keys_sit_in_their_rows():
    keys = (
        KeySetting(3, KeyKind.BLF, "701", "Park", line=2),
        KeySetting(16 + 24, KeyKind.SPEED_DIAL, "702", "Bea"),
    )
    found = _full("GRP2614", keys=keys)

    assert (found["pks.vpk.3.keyMode"], found["pks.vpk.3.account"], found["pks.vpk.3.value"]) == (
        "BLF",
        "1",
        "701",
    )
    assert found["pks.vpk.16.keyMode"] == "None"
    assert (found["pks.mpk.24.keyMode"], found["pks.mpk.24.account"]) == ("SpeedDial", "Account1")
    assert found["pks.mpk.1.keyMode"] == "None"


def test_modules_count_on():
    keys = (KeySetting(48 + 1, KeyKind.BLF, "701", "A"), KeySetting(48 + 41, KeyKind.BLF, "702", "B"))
    found = _full("GXP2170", keys=keys)

    assert (found["pks.ext.1.value"], found["pks.ext.41.value"]) == ("701", "702")
    assert found["pks.ext.160.keyMode"] == "None"


@pytest.mark.parametrize(
    ("case", "model", "changes", "field"),
    [
        ("no line there", "GRP2614", {"lines": (Line(17, "1", "", "x"),)}, "lines[0].position"),
        ("none watched there", "GXP1628", {"keys": (KeySetting(2, KeyKind.BLF, "1"),)}, "keys[0].kind"),
        ("no web address", "GRP2614", {"keys": (KeySetting(3, KeyKind.URL, "http://a/"),)}, "keys[0].kind"),
        ("a blank in a password", "GXP1628", {"admin_password": "a b"}, "admin_password"),
    ],
)  # fmt: skip
def test_what_a_phone_cannot_have(case, model, changes, field):
    lines = settings("grandstream", model).lines[:1]
    with pytest.raises(CompileError) as error:
        compile_full(settings("grandstream", model, **{"lines": lines, "keys": (), **changes}), PRIVATE)

    assert error.value.field == field


@pytest.mark.parametrize(
    ("zone", "spelled"),
    [
        ("UTC", "STD0"),
        ("Europe/Berlin", "STD-1DST-2,M3.5.0/02:00:00,M10.5.0/03:00:00"),
        ("America/New_York", "STD+5DST+4,M3.2.0/02:00:00,M11.1.0/02:00:00"),
        ("Asia/Kolkata", "STD-5:30"),
        ("Australia/Lord_Howe", "STD-10:30DST-11,M10.1.0/02:00:00,M4.1.0/02:00:00"),
    ],
)
def test_zones(zone, spelled):
    assert _full("GXP1628", time=TimeSettings(zone))["P246"] == spelled
    assert _full("GRP2614", time=TimeSettings(zone))["dateTime.timezone.custom"] == spelled


def test_a_registration_is_counted_in_minutes():
    phone = settings("grandstream", "HT802")

    for seconds, minutes in ((3600, "60"), (119, "1"), (30, "1")):
        found = compile_full(replace(phone, sip=replace(phone.sip, expires=seconds)), PRIVATE)
        assert read("xml", found[f"cfg{MAC}.xml"].body)["P32"] == minutes


@pytest.mark.parametrize(
    ("srtp", "name", "number"), [(Srtp.OFF, "Disabled", "0"), (Srtp.REQUIRED, "EnabledAndForced", "2")]
)
def test_srtp(srtp, name, number):
    sip = replace(settings("grandstream", "GRP2614").sip, srtp=srtp)

    assert _full("GRP2614", sip=sip)["account.1.audio.srtpMode"] == name
    assert _full("HT801", sip=sip)["P183"] == number


@pytest.mark.parametrize(
    ("model", "server", "outbound"),
    [
        ("GRP2614", "account.1.sip.server.1.address", "account.1.sip.outboundProxy.1.address"),
        ("GXP1628", "P47", "P48"),
        ("HT802", "P47", "P48"),
    ],
)
def test_the_way_to_the_server(model, server, outbound):
    sip = settings("grandstream", model).sip
    by_name = _full(model, sip=replace(sip, port=0, outbound_port=0))
    straight = _full(model, sip=replace(sip, outbound_host=""))

    assert (by_name[server], by_name[outbound]) == ("sip.example.org", "edge.example.org")
    assert (straight[server], straight[outbound]) == ("sip.example.org:5061", "")


def test_what_a_firmware_cannot_is_said():
    assert set(FAMILY.lacks("grp")) == set()
    assert set(FAMILY.lacks("ht")) == {"web_page_off"}
    assert set(FAMILY.lacks("gxp17")) == {"web_page_off", "check_tls_certificates"}
