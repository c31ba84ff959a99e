"""Values that a phone's file cannot carry fail loudly, by name; all others can be read back."""

import re
from dataclasses import dataclass, replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from devices.catalog import catalog
from devices.phone import KeyKind, KeySetting, Line, PhoneSettings
from provisioning.compiling import CompileError, compile_full
from tests.families.reading import read
from tests.families.samples import MAC, PRIVATE, settings

PHONES = {
    "lines": settings("yealink", "T46S"),
    "xml": settings("poly", "VVX450"),
    "snom": settings("snom", "D785"),
    "snom base": settings("snom", "M900"),
    "cisco": settings("cisco", "6851"),
    "grandstream by name": settings("grandstream", "GRP2614"),
    "grandstream by number": settings("grandstream", "GXP1782"),
    "fanvil": settings("fanvil", "X6U"),
    "fanvil's first": settings("fanvil", "X4"),
}


@dataclass(frozen=True)
class Place:
    """Where a phone's file holds what people wrote."""

    file: str
    name: str  #: of the setting that shows the first line's label, or its display name
    secret: str
    nameless: str = "Ben Hall"  #: what stands there without a label


PLACES = {
    "lines": Place(f"{MAC}.cfg", "account.1.label", "account.1.password"),
    "xml": Place(f"phone{MAC}.cfg", "reg.1.label", "reg.1.auth.password"),
    "snom": Place(f"{MAC}.xml", "functionKeys.fkey.0@label", "phone-settings.user_pass.1", ""),
    "cisco": Place(f"{MAC}.xml", "Short_Name_1_", "Password_1_", "$USER"),
    "grandstream by name": Place(f"cfg{MAC}.xml", "account.1.name", "account.1.sip.subscriber.password"),
    "grandstream by number": Place(f"cfg{MAC}.xml", "P270", "P34"),
    "fanvil": Place(f"{MAC}.cfg", "dsskey.dssSide.1.Fkey.1.Title", "sip.line.1.RegisterPswd", ""),
    "fanvil's first": Place(
        f"{MAC}.cfg",
        "PHONE_CONFIG_MODULE.Function_Key.Function_Key_Entry.1.Title",
        "SIP_CONFIG_MODULE.SIP_Line_List.SIP_Line_List_Entry.1.Register_Pswd",
        "",
    ),
}
#: What people may write into a phone's settings, and how.
TEXTS = st.text(max_size=40) | st.text(st.sampled_from("<>&\"'{}$!|%@/:;=#\\ \r\nab1"), max_size=20)


def _fails(phone, field):
    with pytest.raises(CompileError) as error:
        compile_full(phone, PRIVATE)
    assert error.value.field == field


@pytest.mark.parametrize("form", PHONES)
@pytest.mark.parametrize(
    "character", ["\n", "\r", "\t", "\0", "\x1b", "\x7f", "\x85", "\u2028", "\ufffe", "\ud800"]
)
def test_a_control_character_is_refused_by_name(form, character):
    phone = PHONES[form]
    label = f"Ben{character}account.1.password = x"

    _fails(replace(phone, lines=(replace(phone.lines[0], label=label),)), "lines[0].label")
    if phone.keys:
        _fails(replace(phone, keys=(KeySetting(3, KeyKind.BLF, "1", label),)), "keys[0].label")
    _fails(replace(phone, name=label), "name")
    _fails(replace(phone, sip=replace(phone.sip, host=f"a{character}b")), "sip.host")


@pytest.mark.parametrize("label", ["%NULL%", " Ben", "Ben ", "\u00a0Ben"])
def test_what_lines_would_lose_or_misread(label):
    phone = PHONES["lines"]

    _fails(replace(phone, lines=(replace(phone.lines[0], label=label),)), "lines[0].label")


@pytest.mark.parametrize(
    ("form", "changes", "field"),
    [
        ("lines", {"admin_password": "with:colon"}, "admin_password"),
        ("lines", {"admin_password": "x" * 33}, "admin_password"),
        ("xml", {"admin_password": "456"}, "admin_password"),
        ("xml", {"admin_password": "a<b"}, "admin_password"),
        ("xml", {"keys": (KeySetting(3, KeyKind.SPEED_DIAL, "1$Tinvite$"),)}, "keys[0].value"),
        ("xml", {"keys": (KeySetting(3, KeyKind.URL, "http://192.0.2.1/"),)}, "keys[0].kind"),
        ("xml", {"keys": (KeySetting(999, KeyKind.BLF, "1"),)}, "keys[0].position"),
        ("xml", {"keys": (KeySetting(1, KeyKind.BLF, "1"),)}, "keys[0].position"),
        ("xml", {"keys": (KeySetting(3, KeyKind.BLF, "1", line=7),)}, "keys[0].line"),
        ("lines", {"lines": (Line(0, "1", "", "x"),)}, "lines[0].position"),
        ("lines", {"lines": (Line(1, "", "", "x"),)}, "lines[0].username"),
        ("lines", {"lines": tuple(Line(at, str(at), "", "x") for at in range(1, 18))}, "lines[16]"),
        ("lines", {"language": "tlh"}, "language"),
        ("lines", {"poll_minute": 1440}, "poll_minute"),
        ("lines", {"mac": "00005E00531A"}, "mac"),
        ("lines", {"generation": "v1"}, "generation"),
        ("lines", {"model": "T99"}, "model"),
    ],
)
def test_what_a_phone_cannot_have(form, changes, field):
    _fails(replace(PHONES[form], **changes), field)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"host": ""}, "sip.host"),
        ({"host": "sip example"}, "sip.host"),
        ({"outbound_host": "-x"}, "sip.outbound_host"),
        ({"port": 65536}, "sip.port"),
        ({"expires": 0}, "sip.expires"),
    ],
)
def test_what_no_server_is(changes, field):
    phone = PHONES["lines"]

    _fails(replace(phone, sip=replace(phone.sip, **changes)), field)


def test_an_unknown_zone_is_refused():
    phone = PHONES["lines"]

    _fails(replace(phone, time=replace(phone.time, zone="Mars/Olympus")), "time.zone")


@pytest.mark.parametrize(
    "url", ["ftp://p.example.org/d/x/", "https://p.example.org/d/x y/", 'https://h/"/', "/d/x/"]
)
def test_what_is_no_address(url):
    with pytest.raises(CompileError) as error:
        compile_full(PHONES["lines"], url)

    assert error.value.field == "private_url"


def test_secrets_are_not_in_the_settings_own_text():
    text = repr(PHONES["lines"])

    assert "s3cret" not in text
    assert "Adm1n" not in text


def _read_back(phone: PhoneSettings, form: str, key: str) -> str | CompileError:
    try:
        files = compile_full(phone, PRIVATE)
    except CompileError as error:
        return error
    return read(catalog().families[phone.family].format, files[PLACES[form].file].body)[key]


@given(label=TEXTS)
@example(label="a = b")
@example(label="#Ben")
@example(label='Ben" x="1')
@example(label="{{ phone }}")
@example(label="</fkey><fkey>")
@example(label="!!$(::)!!$(mac)")
def test_any_label_is_read_back_or_refused(label):
    for form, place in PLACES.items():
        line = replace(PHONES[form].lines[0], label=label)

        found = _read_back(replace(PHONES[form], lines=(line,), keys=()), form, place.name)

        told = (
            found.field == "lines[0].label"
            if isinstance(found, CompileError)
            else found == (label or place.nameless)
        )
        assert told, (form, label, found)


@given(secret=st.text(st.characters(codec="utf-8"), min_size=3, max_size=40))
def test_any_secret_is_read_back_or_refused_without_showing_it(secret):
    for form, place in PLACES.items():
        line = replace(PHONES[form].lines[0], secret=secret)

        found = _read_back(replace(PHONES[form], lines=(line,), keys=()), form, place.secret)

        if isinstance(found, CompileError):
            assert found.field == "lines[0].secret"
            assert secret not in str(found)
        else:
            assert found == secret


def _shape_or_refusal(phone: PhoneSettings) -> list[str] | CompileError:
    """Which settings stand in a phone's files, whatever they hold."""
    form = catalog().families[phone.family].format
    try:
        files = compile_full(phone, PRIVATE)
    except CompileError as error:
        return error
    return sorted(key for file in files.values() for key in read(form, file.body))


@pytest.mark.parametrize("form", PHONES)
@given(texts=st.tuples(TEXTS, TEXTS, TEXTS, TEXTS, TEXTS))
def test_no_text_adds_a_setting_or_takes_one_away(form, texts):
    phone = PHONES[form]
    name, label, secret, key_label, key_value = texts
    plain = replace(phone.lines[0], display_name="a", label="a", secret="a")
    key = (KeySetting(3, KeyKind.BLF, key_value or "1", key_label),) if phone.keys else ()
    wanted = replace(phone, lines=(plain,), keys=tuple(replace(one, value="1", label="a") for one in key))
    line = replace(plain, display_name=name or "a", label=label or "a", secret=secret or "a")
    given_texts = replace(phone, lines=(line,), keys=key, voicemail_number=key_value)

    found = _shape_or_refusal(given_texts)

    if isinstance(found, CompileError):
        assert re.match(r"lines\[0\]\.|keys\[0\]\.|voicemail_number", found.field), found.field
    else:
        assert found == _shape_or_refusal(wanted)
