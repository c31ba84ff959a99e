"""What is Cisco's own: rules in order, a product's file that names the root, three spellings of a key."""

from dataclasses import replace

import pytest

from devices.catalog import catalog
from devices.phone import KeyKind, KeySetting, Line, Srtp, TimeSettings, Transport
from provisioning.compiling import CompileError, compile_bootstrap, compile_common, compile_full
from tests.families.reading import read
from tests.families.samples import ENTRY, MAC, PRIVATE, ROOT, settings

FAMILY = catalog().families["cisco"]
MODELS = sorted(FAMILY.models)
DESK = [name for name in MODELS if FAMILY.models[name].generation in ("mpp", "spa")]
ADAPTERS = [name for name in MODELS if name not in DESK]
LINE = settings("cisco", "8841").lines[:1]


def _full(model: str, **changes: object) -> dict[str, str]:
    files = compile_full(settings("cisco", model, **changes), PRIVATE)
    assert list(files) == [f"{MAC}.xml"]
    return read("xml", files[f"{MAC}.xml"].body)


def _root(model: str) -> dict[str, str]:
    return read("xml", compile_bootstrap("cisco", model, MAC, f"{MAC}.xml", ENTRY, ROOT).body)


def _tls(model: str, **sip: object) -> dict[str, str]:
    phone = settings("cisco", model)
    return _full(model, sip=replace(phone.sip, **sip))


@pytest.mark.parametrize("model", MODELS)
def test_the_root_sets_the_first_rule_for_ever_and_a_later_one_for_this_run(model):
    found = _root(model)

    assert found["Profile_Rule"] == found["Profile_Rule_C"] == f"{ENTRY}$MA.xml"
    # Nobody touches the rule that led here: it is being followed.
    assert not {"Profile_Rule_B", "Profile_Rule_D"} & set(found)
    assert (found["Resync_Random_Delay"], found["Resync_Periodic"]) == ("0", "60")


@pytest.mark.parametrize("model", MODELS)
def test_the_full_file_leaves_one_rule(model):
    found = _full(model)

    assert found["Profile_Rule"] == f"{PRIVATE}$MA.xml"
    assert [found[f"Profile_Rule_{rule}"] for rule in "BCD"] == ["", "", ""]
    assert found["Provision_Enable"] == found["Resync_On_Reset"] == "Yes"


@pytest.mark.parametrize("model", MODELS)
def test_what_dhcp_says_is_not_asked_where_that_can_be_said(model):
    generation = FAMILY.models[model].generation

    for found in (_root(model), _full(model)):
        assert found.get("DHCP_Option_To_Use") == ("" if generation in ("mpp", "ata19") else None)
        assert found.get("Webex_Onboard_Enable") == ("No" if generation == "mpp" else None)


@pytest.mark.parametrize("model", MODELS)
def test_the_daily_poll(model):
    found = _full(model)

    assert (found["Resync_At__HHmm_"], found["Resync_At_Random_Delay"]) == ("0321", "1800")
    assert found["Resync_Periodic"] == "0"
    assert (found["Upgrade_Enable"], found["Upgrade_Rule"]) == ("No", "")


@pytest.mark.parametrize(
    ("name", "root"),
    [
        ("8841-3PCC.xml", "https://p.example.org/"),
        ("CP-8865-3PCC.xml", "https://p.example.org/"),
        ("ata192.cfg", "https://p.example.org/"),
        ("spa504G.cfg", "http://p.example.org/"),
        ("spa112.cfg", "http://p.example.org/"),
    ],
)
def test_the_file_of_a_product_names_the_roots_own_file(name, root):
    found = read("xml", compile_common("cisco", name, ROOT).body)

    assert found == {"Profile_Rule_B": f"{root}$MA.xml"}


@pytest.mark.parametrize("name", ["init.cfg", "spa-phone.xml", "cp-phone.xml", f"spa{MAC}.xml"])
def test_other_names_have_no_content(name):
    with pytest.raises(CompileError):
        compile_common("cisco", name, ROOT)


@pytest.mark.parametrize(
    ("model", "generation", "no_tls"),
    [
        ("8851", "mpp", False),
        ("SPA504G", "spa", True),
        ("SPA942", "spa", True),
        ("SPA112", "ata", True),
        ("ATA192", "ata19", False),
    ],
)
def test_who_trusts_which_authority(model, generation, no_tls):
    found = FAMILY.models[model]

    assert (found.generation, found.no_tls) == (generation, no_tls)
    assert ("provision_over_https_only" in FAMILY.lacks(generation)) == no_tls


def test_what_a_firmware_cannot_is_said():
    assert set(FAMILY.lacks("mpp")) == set()
    assert set(FAMILY.lacks("ata19")) == {"web_page_off", "lock_user_menu"}
    assert set(FAMILY.lacks("spa")) == {
        "accept_calls_from_server_only",
        "check_tls_certificates",
        "encrypt_calls",
        "lock_user_menu",
        "provision_over_https_only",
    }


@pytest.mark.parametrize(("model", "end"), [("SPA504G", ""), ("SPA525G2", ""), ("8851", "_"), ("8865", "_")])
def test_a_modules_key_has_its_underscore_in_newer_firmware_alone(model, end):
    first = FAMILY.models[model].keys + 1
    keys = (
        KeySetting(first, KeyKind.BLF, "701", "Bea"),
        KeySetting(first + 33, KeyKind.SPEED_DIAL, "702", ""),
    )
    found = _full(model, keys=keys)

    assert found[f"Unit_1_Key_1{end}"] == "fnc=sd+blf+cp;sub=701@$PROXY;nme=Bea"
    assert found[f"Unit_2_Key_2{end}"] == "fnc=sd;ext=702@$PROXY;nme=702"
    assert found[f"Unit_2_Key_32{end}"] == ""


@pytest.mark.parametrize("model", ["8841", "SPA504G"])
def test_a_key_is_a_line_or_a_function(model):
    found = _full(model, keys=(KeySetting(3, KeyKind.BLF, "701", "Bea"),))

    assert [found[f"Extension_{n}_"] for n in (1, 2, 3, 4)] == ["1", "2", "Disabled", "Disabled"]
    assert [found[f"Extended_Function_{n}_"] for n in (1, 2, 3, 4)] == [
        "",
        "",
        "fnc=sd+blf+cp;sub=701@$PROXY;nme=Bea",
        "",
    ]
    assert [found[f"Short_Name_{n}_"] for n in (1, 3, 4)] == ["Ben", "Bea", ""]


def test_shared_lines_say_so_at_the_line_and_at_its_key():
    found = _full("8841")

    assert [found[f"Share_Ext_{n}_"] for n in (1, 2)] == ["private", "shared"]
    assert [found[f"Share_Call_Appearance_{n}_"] for n in (1, 2)] == ["private", "shared"]
    assert [found[f"Shared_User_ID_{n}_"] for n in (1, 2)] == ["", "250"]


@pytest.mark.parametrize("model", MODELS)
def test_lines_that_are_gone_lose_their_secret(model):
    found = _full(model, lines=LINE, keys=())

    for n in range(2, FAMILY.models[model].lines + 1):
        assert (found[f"Line_Enable_{n}_"], found[f"User_ID_{n}_"], found[f"Password_{n}_"]) == ("No", "", "")
    assert found["Password_1_"]


@pytest.mark.parametrize(
    ("case", "model", "changes", "field"),
    [
        ("a part of a function", "8841", {"keys": (KeySetting(3, KeyKind.BLF, "1;fnc=x"),)}, "keys[0].value"),
        ("another server", "8841", {"keys": (KeySetting(3, KeyKind.BLF, "1@evil.test"),)}, "keys[0].value"),
        ("a macro", "SPA504G", {"keys": (KeySetting(3, KeyKind.BLF, "$PSN"),)}, "keys[0].value"),
        ("a macro's label", "8841", {"keys": (KeySetting(3, KeyKind.BLF, "1", "$SN"),)}, "keys[0].label"),
        ("a label in parts", "8841", {"keys": (KeySetting(3, KeyKind.BLF, "1", "a;b"),)}, "keys[0].label"),
        ("a macro in a line", "8841", {"lines": (replace(LINE[0], label="$SN"),)}, "lines[0].label"),
        ("a line on a module", "8851", {"lines": (Line(11, "1", "", "x"),)}, "lines[0].position"),
        ("no web address", "8841", {"keys": (KeySetting(3, KeyKind.URL, "http://a/"),)}, "keys[0].kind"),
        ("no key on an adapter", "SPA112", {"keys": (KeySetting(3, KeyKind.BLF, "1"),)}, "keys[0].position"),
        ("a blank in a password", "ATA191", {"admin_password": "a b"}, "admin_password"),
        ("no such language", "8841", {"language": "de"}, "language"),
    ],
)  # fmt: skip
def test_what_a_phone_cannot_have(case, model, changes, field):
    with pytest.raises(CompileError) as error:
        compile_full(settings("cisco", model, **{"lines": LINE, "keys": (), **changes}), PRIVATE)

    assert error.value.field == field


@pytest.mark.parametrize(
    ("zone", "offset", "rule"),
    [
        ("UTC", "GMT+00:00", None),
        ("Asia/Kolkata", "GMT+05:30", None),
        ("Europe/Berlin", "GMT+01:00", "start=3/-1/7/2:0:0;end=10/-1/7/3:0:0;save=1:0:0"),
        ("America/New_York", "GMT-05:00", "start=3/8/7/2:0:0;end=11/1/7/2:0:0;save=1:0:0"),
        ("Australia/Lord_Howe", "GMT+10:30", "start=10/1/7/2:0:0;end=4/1/7/2:0:0;save=0:30:0"),
    ],
)
def test_zones(zone, offset, rule):
    for model in ("8841", "SPA504G", "ATA191"):
        found = _full(model, time=TimeSettings(zone))

        assert found["Time_Zone"] == offset
        assert found["Daylight_Saving_Time_Enable"] == ("Yes" if rule else "No")
        assert found.get("Daylight_Saving_Time_Rule") == rule


@pytest.mark.parametrize(
    ("srtp", "wanted", "line"),
    [(Srtp.OFF, "No", "Optional"), (Srtp.OPTIONAL, "Yes", "Optional"), (Srtp.REQUIRED, "Yes", "Required")],
)
def test_srtp(srtp, wanted, line):
    desk, adapter, old = (_tls(model, srtp=srtp) for model in ("8841", "ATA192", "SPA504G"))

    assert (desk["Secure_Call_Setting"], desk["Secure_Call_Option_1_"]) == (wanted, line)
    assert adapter["Secure_Call_Option_1_"] == line
    assert "Secure_Call_Option_1_" not in old


@pytest.mark.parametrize(
    ("model", "guard"),
    [
        ("8841", "Block_Nonproxy_SIP"),
        ("SPA112", "Restrict_Source_IP_1_"),
        ("ATA191", "Restrict_Source_IP_1_"),
    ],
)
def test_a_notify_needs_no_password_only_while_strangers_are_kept_out(model, guard):
    kept, open_ = _full(model), _full(model, hardening=frozenset())

    assert (kept[guard], kept["Auth_Resync-Reboot_1_"]) == ("Yes", "No")
    assert (open_[guard], open_["Auth_Resync-Reboot_1_"]) == ("No", "Yes")


def test_a_desk_phone_without_that_guard_always_asks_for_its_password():
    for hardening in (settings("cisco", "SPA504G").hardening, frozenset()):
        assert _full("SPA504G", hardening=hardening)["Auth_Resync-Reboot_1_"] == "Yes"


@pytest.mark.parametrize(
    ("model", "admin", "user"),
    [
        ("8841", "Admin_Password", "User_Password"),
        ("SPA504G", "Admin_Passwd", "User_Password"),
        ("SPA112", "Web_Login_Admin_Password", "Web_Login_Guest_Password"),
        ("ATA191", "Web_Login_Admin_Password", "Web_Login_Guest_Password"),
    ],
)
def test_passwords(model, admin, user):
    found, without = _full(model), _full(model, admin_password="", user_password="")

    assert (found[admin], found[user]) == ("Adm1nPassw0rd", "Us3rPass")
    assert not {admin, user} & set(without)


def test_the_way_to_the_server():
    straight = _tls("SPA504G", host="s.example.org", port=5060, transport=Transport.UDP, outbound_host="")
    newer = _tls("8841", port=0, outbound_host="e.example.org", outbound_port=0)

    assert (straight["Proxy_1_"], straight["SIP_Transport_1_"]) == ("s.example.org:5060", "UDP")
    assert (straight["Use_Outbound_Proxy_1_"], straight["Outbound_Proxy_1_"]) == ("No", "")
    assert (newer["Proxy_1_"], newer["Outbound_Proxy_1_"]) == ("sip.example.org", "e.example.org")
