"""Fanvil: the full file at the root over HTTPS, numbers that only grow, keys by page, two document kinds."""

from dataclasses import replace

import pytest

from devices.catalog import catalog
from devices.phone import KeyKind, KeySetting, Line, PhoneSettings, Srtp, TimeSettings, Transport
from provisioning.compiling import CompileError, compile_bootstrap, compile_full
from tests.families.reading import read
from tests.families.samples import ENTRY, MAC, PRIVATE, ROOT, SECRETS, TOKEN, settings

NAME = f"{MAC}.cfg"
WAYS = {"X6U": ("ap.Flash", "Version"), "X4": ("AUTOUPDATE_CONFIG_MODULE.Download_", "version")}


def _full(phone: PhoneSettings, build: int = 0) -> dict[str, str]:
    return read("xml", compile_full(phone, PRIVATE, build=build)[NAME].body)


def _at_root(phone: PhoneSettings, build: int = 0) -> dict[str, str]:
    file = compile_bootstrap("fanvil", phone.model, MAC, NAME, PRIVATE, ROOT, phone, full=True, build=build)
    return read("xml", file.body)


@pytest.mark.parametrize("model", WAYS)
def test_over_https_the_roots_answer_is_the_full_file_with_the_shortest_poll(model):
    phone = settings("fanvil", model)
    prefix, number = WAYS[model]

    root, private = _at_root(phone), _full(phone)

    different = {key for key in root.keys() | private.keys() if root.get(key) != private.get(key)}
    assert different == {f"{prefix}Interval", number}
    assert (root[f"{prefix}Interval"], private[f"{prefix}Interval"]) == ("1", "24")
    assert SECRETS[0] in root.values()


@pytest.mark.parametrize("model", WAYS)
def test_the_slow_bootstrap_holds_the_way_and_nothing_else(model):
    prefix, number = WAYS[model]

    found = read("xml", compile_bootstrap("fanvil", model, MAC, NAME, ENTRY, ROOT).body)

    assert found[f"{prefix}Interval"] == "1"
    assert found[number] == "2.000300000000"
    assert not {key for key in found if "sip" in key.lower() and not key.startswith("ap.")}


@pytest.mark.parametrize("model", WAYS)
def test_numbers_only_grow_from_the_bootstrap_to_the_root_to_the_private_file(model):
    phone = settings("fanvil", model)
    number = WAYS[model][1]
    bootstrap = read("xml", compile_bootstrap("fanvil", model, MAC, NAME, ENTRY, ROOT).body)[number]

    numbers = [bootstrap]
    for build in (400_000_000, 400_000_001, 400_000_002, 4 * 10**11):
        numbers += [_at_root(phone, build)[number], _full(phone, build)[number]]

    as_read = [float(text) for text in numbers]
    assert as_read == sorted(set(as_read))
    assert numbers == sorted(set(numbers)), "compared as text they grow too"


def test_the_way_is_split_into_host_and_name():
    found = _full(settings("fanvil", "X6U"))

    assert found["ap.FlashServerIP"] == "p.example.org"
    assert found["ap.FlashFileName"] == f"d/{TOKEN}/$mac.cfg"
    assert (found["ap.FlashProtocol"], found["ap.FlashMode"]) == ("5", "2")
    plain = read("xml", compile_full(settings("fanvil", "X6U"), PRIVATE.replace("https", "http"))[NAME].body)
    assert plain["ap.FlashProtocol"] == "4"


@pytest.mark.parametrize("model", WAYS)
def test_nobody_elses_word_counts_at_the_next_boot(model):
    found = _full(settings("fanvil", model))

    others = ("DHCPOption", "DHCPv6Option", "DhcpOption120", "PNPEnable", "FDPSEnable", "EnableTR069")
    others += ("DHCP_Option", "DHCP_Option_120", "PNP_Enable", "FDPS_Enable", "Enable_TR069")
    off = {key: value for key, value in found.items() if key.rpartition(".")[2] in others}
    assert len(off) >= 5
    assert set(off.values()) == {"0"}


def test_keys_stand_by_side_and_by_page():
    keys = (
        KeySetting(3, KeyKind.BLF, "703", "Side", line=2),
        KeySetting(6, KeyKind.SPEED_DIAL, "706", "First page"),
        KeySetting(17, KeyKind.PARK, "717", "Its last"),
        KeySetting(18, KeyKind.DTMF, "#55", "Second page"),
        KeySetting(65, KeyKind.URL, "http://192.0.2.1/a@b", "The last"),
    )

    found = _full(settings("fanvil", "X6U", keys=keys))

    def shown(place: str) -> tuple[str, str, str]:
        return tuple(found[f"dsskey.{place}.{name}"] for name in ("Type", "Value", "Title"))  # type: ignore[return-value]

    assert shown("dssSide.1.Fkey.1") == ("2", "SIP1", "Ben")
    assert shown("dssSide.1.Fkey.3") == ("1", "703@2/ba", "Side")
    assert shown("dssSide.1.Fkey.4") == ("0", "", "")
    assert shown("internal.1.Fkey.1") == ("1", "706@1/f", "First page")
    assert shown("internal.1.Fkey.12") == ("1", "717@1/c", "Its last")
    assert shown("internal.2.Fkey.1") == ("4", "#55", "Second page")
    assert shown("internal.5.Fkey.12") == ("7", "http://192.0.2.1/a@b", "The last")
    assert found["dsskey.FuncKeyPageNum"] == "5"


def test_side_keys_have_pages_too():
    found = _full(settings("fanvil", "X7C", keys=(KeySetting(13, KeyKind.BLF, "1", "x"),)))

    assert found["dsskey.dssSide.2.Fkey.1.Value"] == "1@1/ba"
    assert found["dsskey.dssSide.5.Fkey.12.Type"] == "0"
    assert "dsskey.FuncKeyPageNum" not in found


def test_a_door_phones_button_is_no_line_key():
    phone = settings(
        "fanvil", "i10S", lines=(Line(1, "300", "", "s"),), keys=(KeySetting(1, KeyKind.SPEED_DIAL, "214"),)
    )

    found = _full(phone)

    assert found["sip.line.1.PhoneNumber"] == "300"
    assert (found["dsskey.dssSoft.1.Type"], found["dsskey.dssSoft.1.Value"]) == ("1", "214@1/f")


def test_lines_that_are_gone_lose_their_secret():
    found = _full(settings("fanvil", "X6U"))

    assert [found[f"sip.line.{at}.EnableReg"] for at in (1, 2, 3, 20)] == ["1", "1", "0", "0"]
    assert found["sip.line.20.RegisterPswd"] == ""
    assert [found[f"sip.line.{at}.EnableSCA"] for at in (1, 2)] == ["0", "1"]
    assert found["sip.line.1.RegisterUser"] == "auth214"


@pytest.mark.parametrize("value", ["703@2", "703/f", "703@1/ba*8"])
def test_a_keys_value_cannot_become_another_kind(value):
    with pytest.raises(CompileError) as error:
        compile_full(settings("fanvil", "X6U", keys=(KeySetting(3, KeyKind.BLF, value),)), PRIVATE)

    assert error.value.field == "keys[0].value"


@pytest.mark.parametrize(
    ("srtp", "transport", "codes"),
    [
        (Srtp.OFF, Transport.UDP, ("0", "0")),
        (Srtp.OPTIONAL, Transport.TCP, ("1", "1")),
        (Srtp.REQUIRED, Transport.TLS, ("2", "3")),
    ],
)
def test_srtp_and_transport(srtp, transport, codes):
    phone = settings("fanvil", "X6U")

    found = _full(replace(phone, sip=replace(phone.sip, srtp=srtp, transport=transport)))

    assert (found["sip.line.1.MediaCrypto"], found["sip.line.1.Transport"]) == codes


@pytest.mark.parametrize(
    ("zone", "quarters", "name", "start"),
    [
        ("UTC", "0", "UTC", None),
        ("Europe/Berlin", "4", "UTC+1", ("3", "-1", "0", "2")),
        ("America/New_York", "-20", "UTC-5", ("3", "2", "0", "2")),
        ("Asia/Kathmandu", "23", "UTC+5:45", None),
        ("America/St_Johns", "-14", "UTC-3:30", ("3", "2", "0", "2")),
    ],
)
def test_time_zones(zone, quarters, name, start):
    new = _full(settings("fanvil", "X6U", time=TimeSettings(zone)))
    old = _full(settings("fanvil", "X4", time=TimeSettings(zone)))

    assert (new["phone.date.TimeZone"], new["phone.date.TimeZoneName"]) == (quarters, name)
    assert new["phone.date.DSTType"] == old["GLOBAL_CONFIG_MODULE.Enable_DST"] == ("2" if start else "0")
    for key in ("phone.date.DSTStart{}", "GLOBAL_CONFIG_MODULE.DST_Start_{}"):
        found = new if key.startswith("phone") else old
        turn = tuple(found.get(key.format(part)) for part in ("Mon", "Week", "Wday", "Hour"))
        assert turn == (start or (None,) * 4)


def test_languages_of_the_first_series_are_numbers():
    found = _full(settings("fanvil", "X4", language="fr"))
    other = _full(settings("fanvil", "X4", language="pl"))
    new = _full(settings("fanvil", "X6U", language="cs"))

    assert found["GLOBAL_CONFIG_MODULE.Language"] == "4"
    assert other["GLOBAL_CONFIG_MODULE.Language"] == "0"
    assert new["phone.display.DefaultLanguage"] == "cz"


def test_what_it_cannot_be_protected_from_is_said():
    family = catalog().families["fanvil"]
    off = _full(settings("fanvil", "X6U", hardening=frozenset()))
    on = _full(settings("fanvil", "X6U"))

    assert set(family.lacks("sysconf")) == {
        "accept_calls_from_server_only",
        "check_tls_certificates",
        "lock_user_menu",
        "random_delay_before_polling",
        "web_page_off",
    }
    assert (on["call.port.1.AllowIPCall"], off["call.port.1.AllowIPCall"]) == ("0", "1")
    assert on["web.WebServerType"] == off["web.WebServerType"] == "1"
    assert on["web.account.1.Password"] == on["phone.MenuPassword"] == SECRETS[2]
    assert on["web.EnableTelnet"] == "0"
