"""Whatever people write into a field: the file keeps its lines, elements, attributes and keys, or refuses it.

Stricter than reading values back: every element with its attributes' names, every line's key, in order.
"""

import functools
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from devices.catalog import catalog
from devices.phone import KeyKind, PhoneSettings
from provisioning.compiling import CompileError, compile_full
from tests.families.samples import PRIVATE, settings

#: One model of every spelling; each with a raw key of its own.
FORMS = {
    "cisco mpp": ("cisco", "8861", "Paging_Code"),
    "cisco spa": ("cisco", "SPA504G", "Paging_Code"),
    "cisco ata": ("cisco", "ATA191", ""),
    "fanvil": ("fanvil", "X5U", "sip.line.1.NATUDPUpdate"),
    "fanvil first": ("fanvil", "X4", "SIP_CONFIG_MODULE.SIP_Line_List.SIP_Line_List_Entry.2.Server_Type"),
    "grandstream name": ("grandstream", "GRP2614", "call.autoAnswer"),
    "grandstream number": ("grandstream", "GXP1782", "P1339"),
    "grandstream ht": ("grandstream", "HT802V2", "P1339"),
    "poly ucs": ("poly", "VVX450", "up.oneTouchVoiceMail"),
    "poly pvos": ("poly", "EdgeE450", "up.oneTouchVoiceMail"),
    "snom desk": ("snom", "D785", "user_full_sdp_answer.2"),
    "snom old": ("snom", "320", "user_full_sdp_answer.2"),
    "snom base": ("snom", "M900", "user_full_sdp_answer"),
    "yealink": ("yealink", "T46S", "phone_setting.contrast"),
    "yealink old": ("yealink", "T38G", "phone_setting.contrast"),
}
OF_A_LINE = ("username", "auth_name", "secret", "realm", "display_name", "label")
OF_THE_SERVER = ("host", "outbound_host")
OF_THE_PHONE = ("name", "voicemail_number", "admin_password", "user_password")
PLAIN = "a7"  # what every field can hold


@dataclass(frozen=True)
class Field:
    """A place where people write: its name in a refusal, and how a phone gets its text."""

    name: str
    put: Callable[[PhoneSettings, str], PhoneSettings]


def _of_line(at: int, part: str) -> Field:
    def put(phone: PhoneSettings, text: str) -> PhoneSettings:
        lines = [replace(line, **{part: text}) if n == at else line for n, line in enumerate(phone.lines)]
        return replace(phone, lines=tuple(lines))

    return Field(f"lines[{at}].{part}", put)


def _of_key(at: int, part: str) -> Field:
    def put(phone: PhoneSettings, text: str) -> PhoneSettings:
        keys = [replace(key, **{part: text}) if n == at else key for n, key in enumerate(phone.keys)]
        return replace(phone, keys=tuple(keys))

    return Field(f"keys[{at}].{part}", put)


def fields_of(form: str) -> list[Field]:
    family, model, raw = FORMS[form]
    phone = settings(family, model)
    found = [_of_line(at, part) for at in range(len(phone.lines)) for part in OF_A_LINE]
    for at, key in enumerate(phone.keys):
        found += [_of_key(at, "label")] + [_of_key(at, "value")] * (key.kind is not KeyKind.EMPTY)
    found += [Field(part, lambda p, text, part=part: replace(p, **{part: text})) for part in OF_THE_PHONE]
    found += [
        Field(f"sip.{part}", lambda p, text, part=part: replace(p, sip=replace(p.sip, **{part: text})))
        for part in OF_THE_SERVER
    ]
    found += [
        Field("time.ntp", lambda p, text: replace(p, time=replace(p.time, ntp=text))),
        Field("network.syslog", lambda p, text: replace(p, network=replace(p.network, syslog=text))),
    ]
    if raw:
        found.append(Field(f"raw[{raw}]", lambda p, text: replace(p, raw=((raw, text),))))
    return found


FIELDS = {form: fields_of(form) for form in FORMS}
#: Text as people type it, and text that means something to a file.
TEXTS = st.text(min_size=1, max_size=40) | st.text(
    st.sampled_from("<>&\"'{}$!|%@/:;=#\\,?[]() \r\n\t\0ab1"), min_size=1, max_size=24
)
NASTY = (
    "a\naccount.1.password = x",
    "a\r\n<P2>x</P2>",
    '" x="1',
    "' x='1",
    "</item><item name='x'>",
    "<!-- ",
    "]]>",
    "<![CDATA[x]]>",
    "&#10;x",
    "&x;",
    "%NULL%",
    "{{ phone }}{% if 1 %}",
    "a\u2028b",
    "a\x85b",
    "$(mac)$MA{mac}",
    "#x",
    "a = b",
    "x" * 500,
)


def shape(form: str, body: bytes) -> list[tuple[str, ...]]:
    """What the file is made of besides its values, in order."""
    if form == "lines":
        lines = body.decode().split("\n")
        return [(line.partition(" =")[0],) for line in lines]
    return [(element.tag, *_marks(element)) for element in ElementTree.fromstring(body).iter()]


def _marks(element: ElementTree.Element) -> list[str]:
    """Attributes by name; those that say which element it is, with their value."""
    telling = ("name", "idx", "index", "perm")
    return sorted(f"{key}={value}" if key in telling else key for key, value in element.attrib.items())


def shapes(phone: PhoneSettings) -> dict[str, list[tuple[str, ...]]]:
    form = catalog().families[phone.family].format
    return {name: shape(form, file.body) for name, file in compile_full(phone, PRIVATE).items()}


def outcome(form: str, field: Field, text: str) -> dict[str, list[tuple[str, ...]]] | str:
    """The shapes of the files with this text, or the name of the field that is refused."""
    family, model, _ = FORMS[form]
    try:
        return shapes(field.put(settings(family, model), text))
    except CompileError as error:
        return error.field


@functools.cache
def plain(form: str, field: Field) -> dict[str, list[tuple[str, ...]]] | str:
    return outcome(form, field, PLAIN)


def judge(form: str, field: Field, text: str) -> None:
    """Refused by the field's name, or as many lines, elements, attributes and keys as with a plain text."""
    found = outcome(form, field, text)
    assert found in (field.name, plain(form, field)), (field.name, text)


@pytest.mark.parametrize("form", FORMS)
def test_every_field_holds_a_plain_text(form):
    assert [field.name for field in FIELDS[form] if isinstance(plain(form, field), str)] == []


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("text", NASTY)
def test_no_known_trick_adds_anything(form, text):
    for field in FIELDS[form]:
        judge(form, field, text)


@pytest.mark.parametrize("form", FORMS)
@given(data=st.data(), text=TEXTS)
@effort(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_text_in_any_field_adds_anything(form, data, text):
    judge(form, data.draw(st.sampled_from(FIELDS[form]), label="field"), text)
