"""Every neutral setting changes every family's file, or the family says why it cannot."""

from dataclasses import replace

import pytest

from devices.catalog import catalog
from devices.phone import (
    VOCABULARY,
    CallSettings,
    Dtmf,
    NetworkSettings,
    PhoneSettings,
    PollSettings,
    TimeSettings,
    Transport,
)
from provisioning.compiling import CompileError, compile_full
from tests.families.reading import read
from tests.families.samples import MODELS, PRIVATE, settings

#: One model of each generation of each family.
GENERATIONS = sorted(
    {(family, catalog().families[family].models[model].generation): model for family, model in MODELS}.items()
)


#: Declined, but written: firmware that a phone of these models may get later knows it.
IN_VAIN = {("snom", "v7", "poll_window")}


def _network(phone: PhoneSettings, **changes: object) -> PhoneSettings:
    return replace(phone, network=replace(phone.network, **changes))  # type: ignore[arg-type]


def _calls(phone: PhoneSettings, **changes: object) -> PhoneSettings:
    return replace(phone, calls=replace(phone.calls, **changes))  # type: ignore[arg-type]


def _time(phone: PhoneSettings, **changes: object) -> PhoneSettings:
    return replace(phone, time=replace(phone.time, **changes))  # type: ignore[arg-type]


def _sip(phone: PhoneSettings, **changes: object) -> PhoneSettings:
    return replace(phone, sip=replace(phone.sip, **changes))  # type: ignore[arg-type]


def _another_language(family: str) -> str:
    return "de" if "de" in catalog().families[family].values["language"] else "en"


#: A name that every vendor could have given.
IMAGE = "https://fw.example.org/1.0/t46fw.bin"


#: For each setting: a phone without it, and the same phone with it.
CHANGES = {
    "sip_server": lambda phone: (phone, _sip(phone, host="other.example.org")),
    "sip_port": lambda phone: (phone, _sip(phone, outbound_host="", port=5099)),
    "sip_transport": lambda phone: (phone, _sip(phone, transport=Transport.TCP)),
    "outbound_proxy": lambda phone: (phone, _sip(phone, outbound_host="sbc.example.org", outbound_port=5070)),
    "register_expires": lambda phone: (phone, _sip(phone, expires=1200)),
    "voicemail_number": lambda phone: (phone, replace(phone, voicemail_number="*98")),
    "codecs": lambda phone: (phone, _calls(phone, codecs=("pcmu",))),
    "dtmf": lambda phone: (phone, _calls(phone, dtmf=Dtmf.SIP_INFO)),
    "call_waiting": lambda phone: (phone, _calls(phone, waiting=False)),
    "dnd_key": lambda phone: (phone, _calls(phone, dnd_key=False)),
    "forward_key": lambda phone: (phone, _calls(phone, forward_key=False)),
    "ring_tone": lambda phone: (phone, _calls(phone, ring_tone=2)),
    "ntp_server": lambda phone: (phone, _time(phone, ntp="clock.example.org")),
    "time_zone": lambda phone: (phone, _time(phone, zone="Asia/Kolkata")),
    "date_format": lambda phone: (
        _time(phone, date_format="month-day-year"),
        _time(phone, date_format="day-month-year"),
    ),
    "time_format": lambda phone: (_time(phone, time_format="12"), _time(phone, time_format="24")),
    "language": lambda phone: (phone, replace(phone, language=_another_language(phone.family))),
    "backlight_seconds": lambda phone: (phone, replace(phone, backlight=300)),
    "voice_vlan": lambda phone: (_network(phone, vlan=0), _network(phone, vlan=7)),
    "voice_vlan_priority": lambda phone: (
        _network(phone, vlan=7),
        _network(phone, vlan=7, vlan_priority=2),
    ),
    "pc_vlan": lambda phone: (_network(phone, pc_vlan=0), _network(phone, pc_vlan=9)),
    "sip_dscp": lambda phone: (phone, _network(phone, sip_dscp=40)),
    "rtp_dscp": lambda phone: (phone, _network(phone, rtp_dscp=34)),
    "syslog_server": lambda phone: (phone, _network(phone, syslog="log.example.org")),
    "syslog_level": lambda phone: (
        _network(phone, syslog="log.example.org"),
        _network(phone, syslog="log.example.org", syslog_level="error"),
    ),
    "poll_hours": lambda phone: (phone, replace(phone, poll=PollSettings(4))),
    "poll_window": lambda phone: (phone, replace(phone, poll=PollSettings(24, 22 * 60, 6 * 60))),
    "firmware": lambda phone: (phone, replace(phone, firmware=IMAGE)),
}


def _bodies(phone: PhoneSettings) -> list[bytes]:
    return [file.body for file in compile_full(phone, PRIVATE).values()]


def test_the_list_of_settings_is_whole():
    assert set(CHANGES) == set(VOCABULARY)


@pytest.mark.parametrize("name", VOCABULARY)
@pytest.mark.parametrize(("key", "model"), GENERATIONS)
def test_a_setting_is_expressed_or_declined_with_a_reason(key, model, name):
    family, generation = key
    declined = catalog().families[family].lacks_settings(generation)
    without, with_it = CHANGES[name](settings(family, model))

    changes = _bodies(without) != _bodies(with_it)

    assert changes is (name not in declined or (*key, name) in IN_VAIN)
    assert declined.get(name, "It can.").endswith(".")


@pytest.mark.parametrize(("key", "model"), GENERATIONS)
def test_what_is_left_to_the_phone_is_not_written(key, model):
    family = catalog().families[key[0]]
    left = [read(family.format, body) for body in _bodies(settings(key[0], model))]

    words = " ".join(name.lower() for found in left for name in found)

    assert "vlan" not in words
    assert "backlight" not in words


@pytest.mark.parametrize("model", ["T46S", "T20P"])
def test_codecs_stand_in_their_order_and_others_are_off(model):
    phone = _calls(settings("yealink", model), codecs=("pcma", "g722"))

    found = read("lines", _bodies(phone)[-1])

    names = {"pcma": "2", "g722": "6", "pcmu": "1"} if model == "T20P" else {}
    keys = {codec: f"account.1.codec.{names.get(codec, codec)}" for codec in ("pcma", "g722", "pcmu")}
    assert [(found[f"{key}.enable"], found[f"{key}.priority"]) for key in keys.values()] == [
        ("1", "1"),
        ("1", "2"),
        ("0", "0"),
    ]


def test_a_codec_that_a_phone_does_not_know_is_left_out():
    phone = _calls(settings("snom", "D785"), codecs=("opus", "pcma"))

    (body,) = _bodies(phone)

    assert read("xml", body)["phone-settings.codec_priority_list.1"] == "pcma,telephone-event"


@pytest.mark.parametrize(
    ("case", "minute", "window", "begin", "end"),
    [
        ("any time", 201, (0, 1440), "03:21", "03:51"),
        ("at the end of the day", 1439, (0, 1440), "23:29", "23:59"),
        ("in the window", 201, (60, 300), "04:21", "04:51"),
        ("the window's first minute", 0, (60, 300), "01:00", "01:30"),
        ("the window's last half hour", 210, (60, 300), "04:30", "05:00"),
        ("over midnight, before it", 30, (22 * 60, 6 * 60), "22:30", "23:00"),
        ("over midnight, across it", 100, (22 * 60, 6 * 60), "23:29", "23:59"),
        ("over midnight, after it", 300, (22 * 60, 6 * 60), "03:00", "03:30"),
    ],
)
def test_the_daily_check_in_falls_into_its_window(case, minute, window, begin, end):
    phone = settings("yealink", "T46S", poll_minute=minute, poll=PollSettings(24, *window))

    found = read("lines", _bodies(phone)[-1])

    assert found["static.auto_provision.weekly.begin_time"] == begin
    assert found["static.auto_provision.weekly.end_time"] == end


def test_every_so_many_hours_ends_the_daily_check_in():
    found = read("lines", _bodies(settings("yealink", "T46S", poll=PollSettings(4)))[-1])

    assert found["static.auto_provision.weekly.enable"] == "0"
    assert found["static.auto_provision.repeat.enable"] == "1"
    assert found["static.auto_provision.repeat.minutes"] == "240"


def test_an_hour_is_a_second_more_where_an_hour_is_too_short():
    found = read(
        "xml",
        compile_full(settings("poly", "VVX450", poll=PollSettings(1)), PRIVATE)["phone00005e00531a.cfg"].body,
    )

    assert (found["prov.polling.mode"], found["prov.polling.period"]) == ("rel", "3601")


def test_a_log_goes_to_no_address_that_is_none():
    phone = settings("yealink", "T46S", network=NetworkSettings(syslog="two words"))

    with pytest.raises(CompileError) as error:
        compile_full(phone, PRIVATE)

    assert error.value.field == "network.syslog"


def test_the_defaults_are_those_of_the_settings():
    from devices.definitions import SETTINGS

    calls, network = CallSettings(), NetworkSettings()
    assert SETTINGS["codecs"].default == list(calls.codecs)
    assert [SETTINGS[name].default for name in ("sip_dscp", "rtp_dscp", "voice_vlan_priority")] == [
        network.sip_dscp,
        network.rtp_dscp,
        network.vlan_priority,
    ]
    assert (TimeSettings().date_format, TimeSettings().time_format) == ("", "")
