"""Settings that every family can carry, for the tests of the compiled files."""

from dataclasses import replace

from devices.catalog import catalog
from devices.family import Family, Model, squeeze
from devices.paths import FileRule
from devices.phone import (
    CallSettings,
    Dtmf,
    KeyKind,
    KeySetting,
    Line,
    NetworkSettings,
    PhoneSettings,
    PollSettings,
    SipServer,
    Srtp,
    TimeSettings,
    Transport,
)

MAC = "00005e00531a"
TOKEN = "k3" * 20
PRIVATE = f"https://p.example.org/d/{TOKEN}/"
ENTRY = f"https://p.example.org/d/{'e7' * 20}/"
ROOT = "https://p.example.org"
SECRETS = ("s3cret-of-214", "s3cret-of-250", "Adm1nPassw0rd")

MODELS = [(family.code, model) for family in catalog().families.values() for model in family.models]


def settings(family: str, model: str, **changes: object) -> PhoneSettings:
    """A phone with a line of its own and, where the model has room, a shared one and a key of every kind."""
    vendor = catalog().families[family]
    kind = vendor.models[model]
    lines = (
        Line(1, "214", "auth214", SECRETS[0], "sip.example.org", "Ben Hall", "Ben"),
        Line(2, "250", "auth250", SECRETS[1], "sip.example.org", "Sales", "Sales", shared=True),
    )
    phone = PhoneSettings(
        mac=MAC,
        family=family,
        model=model,
        name="Ben Hall, desk",
        sip=SipServer("sip.example.org", 5061, Transport.TLS, "edge.example.org", 5061, 600, Srtp.OPTIONAL),
        lines=lines[: min(kind.lines, 2) if kind.keys != 1 else 1],
        keys=_keys(vendor, kind),
        time=TimeSettings("Europe/Berlin", "ntp.example.org"),
        voicemail_number="*97",
        admin_password=SECRETS[2],
        user_password="Us3rPass",
        poll_minute=201,
    )
    return replace(phone, **changes)  # type: ignore[arg-type]


def everything(family: str, model: str, **changes: object) -> PhoneSettings:
    """As `settings`, with every line that fits and a value for all that is else left to the phone."""
    vendor = catalog().families[family]
    kind = vendor.models[model]
    room = kind.lines
    if kind.lines_on_keys and kind.keys + kind.memory_keys:
        show_lines = KeyKind.LINE in vendor.banks(model).get("memory", (KeyKind.LINE,))
        room = min(room, kind.keys + (kind.memory_keys if show_lines else 0))
    lines = tuple(Line(at, str(200 + at), "", f"secret{at}", shared=at % 2 == 0) for at in range(1, room + 1))
    return replace(
        settings(family, model),
        calls=CallSettings(("opus", "pcma"), Dtmf.SIP_INFO, ring_tone=3),
        network=NetworkSettings(120, 6, 130, 24, 34, "log.example.org", "info"),
        time=TimeSettings("Europe/Berlin", "ntp.example.org", "day-month-year", "24"),
        poll=PollSettings(6, 22 * 60, 6 * 60),
        backlight=60,
        firmware="http://fw.example.org/images/gxp2170fw.bin",
        lines=lines,
        keys=(),
        **changes,  # type: ignore[arg-type]
    )


def name_of(rule: FileRule, model: str, mac: str = MAC) -> str:
    """A name that the rule's pattern fits, as this model would ask it."""
    common = {"{digits:12}": "000000000028", "{digits:4}": "8841", "{digits:3}": "191"}
    common |= {"{word}": squeeze(model), "{part}": squeeze(model)}
    name = rule.path.replace("{mac}", mac)
    for placeholder, text in common.items():
        name = name.replace(placeholder, text)
    return name


def _keys(vendor: Family, kind: Model) -> tuple[KeySetting, ...]:
    room = kind.keys + kind.memory_keys + kind.expansion.modules * kind.expansion.keys
    kinds = sorted(vendor.key_kinds(kind.name) - {KeyKind.LINE, KeyKind.EMPTY})
    banks = vendor.banks(kind.name)
    # The first places after the lines, then the first of the next block of keys.
    places = [*range(3, min(kind.keys, 3 + len(kinds)) + 1), kind.keys + 1, kind.keys + kind.memory_keys + 1]
    places = sorted({place for place in places if 3 <= place <= room})
    values = {KeyKind.URL: "http://192.0.2.1/door?open=1&id=2", KeyKind.DTMF: "#55"}
    return tuple(
        KeySetting(place, what, values.get(what, f"70{place}"), f"{what.value} & <{place}>")
        for place, what in zip(places, kinds * 3, strict=False)
        if what in banks.get(_bank(kind, place), kinds)
    )


def _bank(kind: Model, place: int) -> str:
    if place <= kind.keys:
        return "display"
    return "memory" if place <= kind.keys + kind.memory_keys else "module"
