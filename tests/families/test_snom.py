"""Snom: an include that stores nothing, a full file that moves the phone, desk phones and base stations."""

from dataclasses import replace

import pytest

from devices.catalog import catalog
from devices.phone import KeyKind, KeySetting, Line, PhoneSettings, SipServer, Srtp, TimeSettings, Transport
from provisioning.compiling import CompileError, compile_bootstrap, compile_common, compile_full
from tests.families.reading import read
from tests.families.samples import ENTRY, MAC, PRIVATE, ROOT, settings


def _full(phone: PhoneSettings) -> dict[str, str]:
    """The settings of the phone's file, without the container's name."""
    body = compile_full(phone, PRIVATE)[f"{MAC}.xml"].body
    return {key.removeprefix("phone-settings."): value for key, value in read("xml", body).items()}


@pytest.mark.parametrize("name", [f"{MAC}.xml", f"snomD785-{MAC}.htm", f"snom-{MAC.upper()}.htm"])
def test_the_root_names_the_private_file_last_and_stores_nothing(name):
    body = compile_bootstrap("snom", "D785", MAC, name, ENTRY, ROOT).body

    assert read("xml", body) == {"file@url": f"{ROOT}/snom-retry.xml\n{ENTRY}{MAC}.xml"}


def test_a_base_station_is_not_told_of_a_poll_that_it_may_not_know():
    body = compile_bootstrap("snom", "M900", MAC, f"snomM900-{MAC}.htm", ENTRY, ROOT).body

    assert read("xml", body) == {"file@url": f"{ENTRY}{MAC}.xml"}


def test_the_models_own_file_is_an_empty_document():
    assert read("xml", compile_common("snom", "snomD785.htm", ROOT).body) == {}
    assert compile_common("snom", "snomD785.htm", ROOT).body.startswith(b"<?xml")


def test_the_full_file_moves_the_phone_and_keeps_it():
    found = _full(settings("snom", "D785"))

    assert found["setting_server"] == f"{PRIVATE}{{mac}}.xml"
    assert found["provisioning_order"] == "redirection:stop"
    assert found["pnp_config"] == "off"
    assert found["settings_refresh_timer"] == "0"
    assert [found[f"prov_polling_{name}"] for name in ("enabled", "mode", "period")] == [
        "on",
        "random",
        "86400",
    ]
    assert (found["prov_polling_time"], found["prov_polling_time_rand_end"]) == ("03:21", "03:51")


def test_before_8_7_3_it_polls_by_the_old_timer():
    found = _full(settings("snom", "D785", generation="v7"))

    assert found["settings_refresh_timer"] == "86400"
    assert "provisioning_order" not in found
    assert "check_fqdn_against_server_cert" not in found


def test_what_a_firmware_lacks_is_said_with_the_reason():
    family = catalog().families["snom"]

    assert set(family.lacks("v10")) == {"refuse_direct_ip_calls"}
    assert set(family.lacks("v7")) == {
        "check_tls_certificates",
        "random_delay_before_polling",
        "refuse_direct_ip_calls",
    }
    assert set(family.protections("dect")) == {"encrypt_calls", "provision_over_https_only"}
    assert not set(family.lacks("dect")) & set(family.protections("dect"))


def test_lines_sit_on_keys_and_lose_their_secret_when_they_are_gone():
    found = _full(settings("snom", "D785"))

    assert [found[f"functionKeys.fkey.{at}"] for at in (0, 1)] == ["line", "line"]
    assert [found[f"functionKeys.fkey.{at}@context"] for at in (0, 1)] == ["1", "2"]
    assert [found[f"user_shared_line.{at}"] for at in (1, 2)] == ["off", "on"]
    assert (found["user_active.12"], found["user_pass.12"]) == ("off", "")


def test_keys_of_every_kind_and_on_a_module():
    kinds = {
        KeyKind.BLF: "blf 703",
        KeyKind.SPEED_DIAL: "speed 704",
        KeyKind.PARK: "orbit 705",
        KeyKind.URL: "url http://192.0.2.1/",
        KeyKind.DTMF: "dtmf #55",
    }
    keys = [
        KeySetting(at, kind, text.partition(" ")[2], line=2)
        for at, (kind, text) in enumerate(kinds.items(), 3)
    ]
    keys.append(KeySetting(25, KeyKind.BLF, "790", "Next door"))

    found = _full(settings("snom", "D785", keys=tuple(keys)))

    assert [found[f"functionKeys.fkey.{at}"] for at in range(2, 7)] == list(kinds.values())
    assert {found[f"functionKeys.fkey.{at}@context"] for at in range(2, 7)} == {"2"}
    assert found["functionKeys.fkey.24"] == "blf 790"
    assert found["functionKeys.fkey.24@label"] == "Next door"
    assert found["functionKeys.fkey.95"] == "none"


@pytest.mark.parametrize(
    ("value", "label", "field"),
    [
        ("703|*8", "", "keys[0].value"),
        ("!!$(::)!!", "", "keys[0].value"),
        ("703", "!!$(::)!!$(mac)", "keys[0].label"),
    ],
)
def test_what_a_key_would_read_as_more_than_text(value, label, field):
    phone = settings("snom", "D785", keys=(KeySetting(3, KeyKind.BLF, value, label),))

    with pytest.raises(CompileError) as error:
        compile_full(phone, PRIVATE)

    assert error.value.field == field


@pytest.mark.parametrize(
    ("sip", "outbound"),
    [
        (SipServer("sip.example.org", 5060), "sip.example.org:5060;transport=udp"),
        (SipServer("sip.example.org", 5061, Transport.TLS), "sip.example.org:5061;transport=tls"),
        (SipServer("s.example.org", 0, Transport.TCP), "s.example.org;transport=tcp"),
        (SipServer("s.example.org", 5060, outbound_host="e.example.org"), "e.example.org;transport=udp"),
    ],
)
def test_the_way_to_the_server(sip, outbound):
    found = _full(settings("snom", "D785", sip=sip))

    assert found["user_outbound.1"] == outbound
    assert found["user_host.1"] == sip.host


@pytest.mark.parametrize(
    ("srtp", "desk", "base"),
    [
        (Srtp.OFF, ("off", "off"), "off"),
        (Srtp.OPTIONAL, ("on", "optional"), "optional"),
        (Srtp.REQUIRED, ("on", "mandatory"), "mandatory"),
    ],
)
def test_srtp(srtp, desk, base):
    phone, station = settings("snom", "D785"), settings("snom", "M700")

    found = _full(replace(phone, sip=replace(phone.sip, srtp=srtp)))
    other = _full(replace(station, sip=replace(station.sip, srtp=srtp)))

    assert (found["user_srtp.1"], found["user_savp.1"]) == desk
    assert other["user_srtp.1"] == base


@pytest.mark.parametrize(
    ("zone", "offset", "turns"),
    [
        ("UTC", "+0", ""),
        ("Europe/Berlin", "+3600", "3600 03.05.07 02:00:00 10.05.07 03:00:00"),
        ("America/St_Johns", "-12600", "3600 03.02.07 02:00:00 11.01.07 02:00:00"),
        ("Australia/Lord_Howe", "+37800", "1800 10.01.07 02:00:00 04.01.07 02:00:00"),
    ],
)
def test_time_zones(zone, offset, turns):
    found = _full(settings("snom", "D785", time=TimeSettings(zone)))

    assert (found["timezone"], found["utc_offset"], found["dst"]) == ("", offset, turns)


def test_a_base_station_has_one_server_and_a_handset_a_line():
    lines = tuple(Line(at, str(200 + at), f"auth{at}", "s", label="") for at in range(1, 4))

    found = _full(settings("snom", "M900", lines=lines, language="fr"))

    assert [found[f"user_name.{at}"] for at in range(1, 4)] == ["201", "202", "203"]
    assert [found[f"subscr_sip_hs_idx.{at}"] for at in range(1, 4)] == ["1", "2", "3"]
    assert {found[f"subscr_sip_ua_data_server_id.{at}"] for at in range(1, 4)} == {"1"}
    assert found["user_outbound.1"] == "edge.example.org:5061"
    assert "user_outbound.2" not in found
    assert found["language"] == "Francais"
    assert found["user_active.30"] == "off"


def test_a_base_station_has_no_keys():
    with pytest.raises(CompileError) as error:
        compile_full(settings("snom", "M900", keys=(KeySetting(3, KeyKind.BLF, "7"),)), PRIVATE)

    assert error.value.field == "keys[0].position"


def test_no_firmware_is_taken_unasked_and_no_old_credentials_stay():
    found = _full(settings("snom", "D785"))

    assert found["update_policy"] == "settings_only"
    assert (found["http_client_user"], found["http_client_pass"]) == ("", "")
    assert found["admin_mode_password"] == found["admin_mode_password_confirm"] == "Adm1nPassw0rd"
