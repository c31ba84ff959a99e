"""Keys that people add: each once, in the family's own format, and never one that the product writes."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from devices.catalog import FAMILIES, catalog
from devices.phone import PhoneSettings
from provisioning.compiling import CompileError, compile_full
from tests.families import samples
from tests.families.reading import read
from tests.families.samples import MODELS, PRIVATE, TOKEN

CODES = sorted(catalog().families)

#: One model of every spelling of keys, a key of it, and how the tests' reader finds that key.
PHONES = {
    "cisco": ("8861", "Paging_Code", "Paging_Code"),
    "fanvil": ("X5U", "sip.line.1.NATUDPUpdate", "sip.line.1.NATUDPUpdate"),
    "fanvil's first": ("X4", "SIP_CONFIG_MODULE.SIP_Line_List.SIP_Line_List_Entry.2.Server_Type", ""),
    "grandstream": ("GRP2614", "call.autoAnswer", "call.autoAnswer"),
    "grandstream by number": ("GXP1782", "P1339", "P1339"),
    "poly": ("VVX450", "up.oneTouchVoiceMail", "up.oneTouchVoiceMail"),
    "snom": ("D785", "user_full_sdp_answer.2", "phone-settings.user_full_sdp_answer.2"),
    "snom base": ("M900", "user_full_sdp_answer", "phone-settings.user_full_sdp_answer"),
    "yealink": ("T46S", "phone_setting.contrast", "phone_setting.contrast"),
}
TEXTS = st.text(max_size=40) | st.text(st.sampled_from("<>&\"'{}$!|%@/:;=#\\ \r\nab1.]["), max_size=30)


def _phone(form: str, *raw: tuple[str, str]) -> PhoneSettings:
    return samples.settings(form.partition(" ")[0].partition("'")[0], PHONES[form][0], raw=raw)


def _read(phone: PhoneSettings) -> dict[str, str]:
    family = catalog().families[phone.family]
    found: dict[str, str] = {}
    for name, file in compile_full(phone, PRIVATE).items():
        found |= {f"{name} {key}": value for key, value in read(family.format, file.body).items()}
    return found


def _added(form: str, *raw: tuple[str, str]) -> dict[str, str]:
    """What stands in the file beyond what stands there anyway; nothing else may have changed."""
    plain, with_raw = _read(_phone(form)), _read(_phone(form, *raw))
    assert {key: with_raw.get(key) for key in plain} == plain
    return {key.partition(" ")[2]: value for key, value in with_raw.items() if key not in plain}


def _outcome(form: str, key: str, value: str) -> dict[str, str] | CompileError:
    try:
        return _added(form, (key, value))
    except CompileError as error:
        return error


@pytest.mark.parametrize("form", PHONES)
def test_an_added_key_stands_in_the_familys_own_format(form):
    _, key, place = PHONES[form]

    added = _added(form, (key, "7"))

    assert added == {place or key: "7"}


@pytest.mark.parametrize("form", PHONES)
def test_the_same_keys_give_the_same_bytes(form):
    _, key, _ = PHONES[form]
    first, second = (compile_full(_phone(form, (key, "a & b")), PRIVATE) for _ in range(2))

    assert first == second


@pytest.mark.parametrize("form", PHONES)
@given(value=TEXTS)
@example(value='" x="1')
@example(value="</item><item name='x'>")
@example(value="]]>")
@example(value="a\naccount.1.password = x")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_value_adds_a_line_an_element_an_attribute_or_a_key(form, value):
    _, key, place = PHONES[form]

    found = _outcome(form, key, value)

    if isinstance(found, CompileError):
        assert found.field == f"raw[{key}]"
    else:
        assert found == {place or key: value}


@pytest.mark.parametrize("form", PHONES)
@given(key=TEXTS)
@example(key="a b")
@example(key='x="1" y')
@example(key="x><y")
@example(key="#x.y")
@example(key="include:config")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_key_adds_more_than_itself(form, key):
    found = _outcome(form, key, "7")

    if isinstance(found, CompileError):
        assert found.field == f"raw[{key}]"
    else:
        family = catalog().families[_phone(form).family]
        known = family.knows_raw(family.models[PHONES[form][0]].generation, key)
        assert list(found.values()) == ["7"] * known


@pytest.mark.parametrize("form", PHONES)
def test_a_value_is_not_too_long(form):
    _, key, _ = PHONES[form]

    with pytest.raises(CompileError) as error:
        compile_full(_phone(form, (key, "x" * 501)), PRIVATE)

    assert "500" in error.value.reason


@pytest.mark.parametrize("code", CODES)
def test_every_key_that_the_product_writes_is_refused(code):
    """Whatever the numbers in it, and however it is written: also the private URL's and the secrets' keys."""
    family = catalog().families[code]
    lines = (FAMILIES / code / "keys.txt").read_text().splitlines()
    written = [line.strip().removeprefix(family.raw.within) for line in lines if line.startswith("  ")]

    let_through = [
        key
        for name in written
        for key in (name.replace("X", "1"), name.replace("X", "31"), name.upper().replace(".X", ".2"))
        if family.raw_refusal(key, "x") is None
    ]

    assert let_through == []


@pytest.mark.parametrize(
    ("family", "key"),
    [
        ("yealink", "static.auto_provision.url.other"),
        ("yealink", "static.firmware.url"),
        ("yealink", "static.security.user_name.admin"),
        ("yealink", "account.3.password"),
        ("yealink", "account.password"),
        ("yealink", "Static.Auto_Provision.Server.URL"),
        ("yealink", "static.trusted_certificates.url"),
        ("poly", "device.prov.user"),
        ("poly", "device.prov.upgradeServer"),
        ("poly", "device.sec.TLS.customCaCert1"),
        ("poly", "reg.7.auth.domain"),
        ("poly", "prov.configUploadPath"),
        ("poly", "voIpProt.SIP.requestValidation.9.method"),
        ("snom", "user_pass"),
        ("snom", "user_pass.12"),
        ("snom", "setting_server"),
        ("snom", "firmware"),
        ("snom", "update_policy"),
        ("snom", "webserver_cert"),
        ("grandstream", "P237"),
        ("grandstream", "P192"),
        ("grandstream", "P26215"),
        ("grandstream", "provisioning.firmware.serverPath"),
        ("grandstream", "account.9.sip.subscriber.password"),
        ("grandstream", "users.admin.password"),
        ("fanvil", "ap.FlashServerIP"),
        ("fanvil", "ap.other.URL"),
        ("fanvil", "sip.line.RegisterPswd"),
        ("fanvil", "web.account.3.Name"),
        ("fanvil", "AUTOUPDATE_CONFIG_MODULE.Auto_Image_URL"),
        ("cisco", "Profile_Rule"),
        ("cisco", "Profile_Rule_E"),
        ("cisco", "GPP_A"),
        ("cisco", "GPP_SA"),
        ("cisco", "Password_12_"),
        ("cisco", "Resync_Trigger_1"),
        ("cisco", "Upgrade_Rule_2"),
    ],
)
def test_what_leads_a_phone_to_its_files_or_guards_it_is_refused_by_name(family, key):
    reason = catalog().families[family].raw_refusal(key, "x")

    assert reason is not None
    assert key in reason
    phone = replace(samples.settings(family, next(m for f, m in MODELS if f == family)), raw=((key, "x"),))
    with pytest.raises(CompileError) as error:
        compile_full(phone, PRIVATE)
    assert error.value.field == f"raw[{key}]"


def test_a_new_place_in_a_document_of_elements_is_made_once():
    added = _added("fanvil", ("phone.display.LCDContrast", "5"), ("mm.VAD", "1"), ("mm.RTPKeepAlive", "0"))
    (file,) = compile_full(_phone("fanvil", ("phone.display.LCDContrast", "5")), PRIVATE).values()

    assert added == {"phone.display.LCDContrast": "5", "mm.VAD": "1", "mm.RTPKeepAlive": "0"}
    assert file.body.count(b"<display>") == 1
    assert TOKEN.encode() in file.body


def test_the_other_spelling_is_left_out():
    assert _added("grandstream", ("P1339", "1"), ("call.autoAnswer", "Yes")) == {"call.autoAnswer": "Yes"}
    assert _added("grandstream by number", ("P1339", "1"), ("call.autoAnswer", "Yes")) == {"P1339": "1"}


def test_a_retired_phones_last_file_has_none():
    phone = _phone("yealink", ("phone_setting.contrast", "7")).without_accounts()

    assert b"contrast" not in compile_full(phone, PRIVATE)["00005e00531a.cfg"].body
