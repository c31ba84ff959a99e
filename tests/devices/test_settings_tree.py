"""Neutral settings: inheritance with its source, bounds that name the field, what a file is made of."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import AuditEntry
from accounts.refusals import Forbidden, Invalid
from devices import appearances, extensions, settings_tree
from devices.appearances import AppearanceRow, KeyRow
from devices.definitions import SETTINGS, SWITCHES, split_place
from devices.levels import model_in, of_model
from devices.models import Device, Extension, SettingValue
from devices.phone import HARDENING, KeyKind, KeySetting, Line, SipServer, Srtp, TimeSettings, Transport
from devices.settings_tree import Level, effective, given_here, phone_settings, reset_value, set_value
from provisioning import entering, sites
from provisioning.compiling import compile_full
from provisioning.models import DeviceEvent, Lock
from tests.tree import Tree, plant

pytestmark = pytest.mark.django_db


@pytest.fixture
def tree() -> Tree:
    return plant()


@pytest.fixture
def phone(tree: Tree) -> Device:
    return entering.enter(
        tree.acme, by=tree.ana, mac="00005e005301", family="yealink", model="T46S", name="Desk"
    )


def test_the_nearest_value_holds_and_says_where_it_stands(tree: Tree, phone: Device) -> None:
    def found() -> tuple[Any, Any, Any]:
        return tuple(effective(phone)["sip_server"])  # type: ignore[return-value]

    assert found() == ("sip.invalid", Level.BUILT_IN, "")
    set_value(tree.platform, by=tree.support, name="sip_server", value="one.example.org")
    assert found() == ("one.example.org", Level.PLATFORM, "Platform")
    set_value(tree.harbour, by=tree.rita, name="sip_server", value="two.example.org")
    assert found() == ("two.example.org", Level.RESELLER, "Harbour Telecom")
    set_value(tree.acme, by=tree.ana, name="sip_server", value="three.example.org")
    assert found() == ("three.example.org", Level.ACCOUNT, "Acme")
    set_value(phone, by=tree.ana, name="sip_server", value="four.example.org")
    assert found() == ("four.example.org", Level.PHONE, "Desk")
    reset_value(phone, by=tree.ana, name="sip_server")
    reset_value(tree.acme, by=tree.ana, name="sip_server")
    assert found() == ("two.example.org", Level.RESELLER, "Harbour Telecom")


def test_a_models_value_is_nearer_than_the_accounts_and_further_than_the_phones(
    tree: Tree, phone: Device
) -> None:
    def found() -> Any:
        return effective(phone)["language"]

    set_value(model_in(tree.platform, "yealink", "T46S"), by=tree.support, name="language", value="fr")
    set_value(tree.acme, by=tree.ana, name="language", value="de")
    assert found() == ("fr", Level.MODEL, "Yealink T46S, Platform")
    set_value(model_in(tree.acme, "yealink", "SIP-T46S"), by=tree.ana, name="language", value="es")
    assert found() == ("es", Level.MODEL, "Yealink T46S, Acme")
    set_value(model_in(tree.acme, "yealink", "T48S"), by=tree.ana, name="language", value="it")
    assert found() == ("es", Level.MODEL, "Yealink T46S, Acme")
    set_value(phone, by=tree.ana, name="language", value="pl")
    assert found() == ("pl", Level.PHONE, "Desk")
    reset_value(phone, by=tree.ana, name="language")
    reset_value(model_in(tree.acme, "yealink", "T46S"), by=tree.ana, name="language")
    assert found() == ("fr", Level.MODEL, "Yealink T46S, Platform")


def test_a_models_time_zone_is_nearer_than_the_sites(tree: Tree, phone: Device) -> None:
    site = sites.create(tree.acme, by=tree.ana, name="Lisbon", time_zone="Europe/Lisbon")
    entering.change(phone, by=tree.ana, site=site)
    model = model_in(tree.acme, "yealink", "T46S")

    set_value(model, by=tree.ana, name="time_zone", value="Asia/Kolkata")

    moved = Device.objects.select_related("account", "site").get(pk=phone.pk)
    assert effective(moved)["time_zone"] == ("Asia/Kolkata", Level.MODEL, "Yealink T46S, Acme")
    assert of_model(model)["time_zone"].value == "Asia/Kolkata"
    assert given_here(model) == {"time_zone": "Asia/Kolkata"}
    assert given_here(tree.acme)["time_zone"] == "Europe/Berlin"


@pytest.mark.parametrize(("family", "model"), [("nobody", "T46S"), ("yealink", "VVX450")])
def test_a_model_that_is_none_is_refused(tree: Tree, family: str, model: str) -> None:
    with pytest.raises(Invalid) as refusal:
        model_in(tree.acme, family, model)

    assert refusal.value.field == ("family" if family == "nobody" else "model")


def test_a_models_setting_reaches_the_phones_of_that_model_below_and_no_others(
    tree: Tree, phone: Device
) -> None:
    def enter(account: Any, by: Any, number: int, model: str) -> Device:
        return entering.enter(account, by=by, mac=f"00005e0053{number:02x}", family="yealink", model=model)

    same = enter(tree.acme, tree.ana, 2, "T46S")
    enter(tree.acme, tree.ana, 3, "T48S")
    enter(tree.globex, tree.eve, 4, "T46S")
    before = dict(Lock.objects.values_list("pk", "files_revision"))
    model = model_in(tree.acme, "yealink", "T46S")

    set_value(model, by=tree.ana, name="language", value="de")
    set_value(model, by=tree.ana, name="language", value="de")

    after = dict(Lock.objects.values_list("pk", "files_revision"))
    assert {pk for pk in after if after[pk] != before[pk]} == {phone.pk, same.pk}
    assert after[phone.pk] == before[phone.pk] + 1
    entry = AuditEntry.objects.get(verb="account.setting-changed")
    assert (entry.details["family"], entry.details["model"]) == ("yealink", "T46S")


def test_a_siblings_value_is_not_ours(tree: Tree, phone: Device) -> None:
    set_value(tree.globex, by=tree.eve, name="language", value="de")

    assert effective(phone)["language"].value == "en"


def test_the_time_zone_is_the_phones_the_sites_or_the_accounts(tree: Tree, phone: Device) -> None:
    def zone() -> tuple[Any, Any]:
        found = effective(Device.objects.select_related("account", "site").get(pk=phone.pk))["time_zone"]
        return found.value, found.level

    assert zone() == ("Europe/Berlin", Level.ACCOUNT)
    set_value(tree.acme, by=tree.ana, name="time_zone", value="Europe/Paris")
    assert zone() == ("Europe/Paris", Level.ACCOUNT)
    site = sites.create(tree.acme, by=tree.ana, name="Lisbon", time_zone="Europe/Lisbon")
    entering.change(phone, by=tree.ana, site=site)
    assert zone() == ("Europe/Lisbon", Level.SITE)
    set_value(phone, by=tree.ana, name="time_zone", value="Asia/Kolkata")
    assert zone() == ("Asia/Kolkata", Level.PHONE)
    tree.acme.refresh_from_db()
    assert tree.acme.time_zone == "Europe/Paris"


def test_an_account_always_has_a_time_zone(tree: Tree) -> None:
    with pytest.raises(Invalid):
        reset_value(tree.acme, by=tree.ana, name="time_zone")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sip_server", ""),
        ("sip_server", "two words"),
        ("sip_server", "sip.example.org:5060"),
        ("sip_server", "sip.example.org\nx"),
        ("sip_port", 65536),
        ("sip_port", -1),
        ("sip_port", "5060"),
        ("sip_port", True),
        ("sip_transport", "carrier pigeon"),
        ("outbound_proxy", "sbc.example.org:"),
        ("outbound_proxy", "sbc.example.org:0"),
        ("outbound_proxy", "sbc.example.org:²"),
        ("register_expires", 59),
        ("srtp", "on"),
        ("voicemail_number", "*97\n"[:-1] + " 1"),
        ("ntp_server", None),
        ("time_zone", "Europe/Atlantis"),
        ("language", "tlh"),
        ("web_page", "yes"),
        ("lock_user_menu", 1),
        ("codecs", []),
        ("codecs", ["opus"]),
        ("codecs", ["pcma", "pcma"]),
        ("codecs", ["pcma", "mp3"]),
        ("codecs", "pcma"),
        ("dtmf", "shouting"),
        ("ring_tone", 6),
        ("ring_tone", None),
        ("voice_vlan", 4095),
        ("voice_vlan", False),
        ("voice_vlan_priority", ""),
        ("sip_dscp", 64),
        ("syslog_server", "log.example.org:514"),
        ("poll_hours", 25),
        ("poll_window", "22:00"),
        ("poll_window", "22:00-22:30"),
        ("poll_window", "22:00-24:00"),
        ("backlight_seconds", "61"),
        ("date_format", "backwards"),
        ("firmware", "ftp://fw.example.org/a.rom"),
        ("firmware", "https://fw.example.org"),
        ("firmware", "https://fw.example.org/a.rom\nx"),
        ("firmware", "https://fw.example.org/a rom"),
        ("firmware", f"https://fw.example.org/{'a' * 240}"),
        ("firmware", None),
        ("no_such_setting", 1),
    ],
)
def test_a_value_out_of_bounds_is_refused_by_its_name(tree: Tree, name: str, value: Any) -> None:
    before = AuditEntry.objects.count()

    with pytest.raises(Invalid) as refusal:
        set_value(tree.acme, by=tree.ana, name=name, value=value)

    assert refusal.value.field == name
    assert (SettingValue.objects.count(), AuditEntry.objects.count()) == (0, before)


@pytest.mark.parametrize("value", [False, 0, ""])
def test_off_none_and_empty_are_values_too(tree: Tree, phone: Device, value: Any) -> None:
    name = {"False": "lock_user_menu", "0": "sip_port", "": "outbound_proxy"}[str(value)]

    set_value(phone, by=tree.ana, name=name, value=value)

    assert effective(phone)[name] == (value, Level.PHONE, "Desk")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("sbc.example.org", ("sbc.example.org", 0)),
        ("sbc.example.org:5080", ("sbc.example.org", 5080)),
        ("192.0.2.7:5080", ("192.0.2.7", 5080)),
        ("[2001:db8::7]", ("[2001:db8::7]", 0)),
        ("[2001:db8::7]:5061", ("[2001:db8::7]", 5061)),
    ],
)
def test_a_place_is_split_into_host_and_port(text: str, place: tuple[str, int]) -> None:
    assert split_place(text) == place


@pytest.mark.parametrize("who", ["vic", "ben", "eve"])
def test_only_managers_of_the_account_set_values(tree: Tree, phone: Device, who: str) -> None:
    for target in (tree.acme, model_in(tree.acme, "yealink", "T46S"), phone):
        with pytest.raises(Forbidden):
            set_value(target, by=getattr(tree, who), name="language", value="de")
        with pytest.raises(Forbidden):
            reset_value(target, by=getattr(tree, who), name="language")

    assert not SettingValue.objects.exists()


def test_a_manager_sets_nothing_above_his_account(tree: Tree) -> None:
    with pytest.raises(Forbidden):
        set_value(tree.harbour, by=tree.ana, name="language", value="de")


def test_firmware_is_pinned_for_a_model_or_a_phone_never_for_a_whole_account(
    tree: Tree, phone: Device
) -> None:
    image = "https://fw.example.org/T46S-66.86.0.15.rom"

    with pytest.raises(Invalid) as error:
        set_value(tree.acme, by=tree.ana, name="firmware", value=image)
    assert (error.value.field, error.value.detail) == (
        "firmware",
        "Firmware: give it for a model or for a phone.",
    )
    assert not SettingValue.objects.exists()
    set_value(model_in(tree.acme, "yealink", "T46S"), by=tree.ana, name="firmware", value=image)
    assert tuple(effective(phone)["firmware"]) == (image, Level.MODEL, "Yealink T46S, Acme")
    assert phone_settings([phone])[phone.pk].firmware == image
    set_value(phone, by=tree.ana, name="firmware", value="")  # this one keeps what it has
    assert tuple(effective(phone)["firmware"]) == ("", Level.PHONE, "Desk")


@pytest.mark.parametrize(
    ("family", "model", "address"),
    [
        ("grandstream", "GXP2170", "https://fw.example.org/newest.bin"),
        ("cisco", "8841", "https://fw.example.org/sip(88).loads"),
    ],
)
def test_firmware_that_the_vendor_cannot_name_is_refused(
    tree: Tree, family: str, model: str, address: str
) -> None:
    with pytest.raises(Invalid) as error:
        set_value(model_in(tree.acme, family, model), by=tree.ana, name="firmware", value=address)

    assert error.value.field == "firmware"
    assert not SettingValue.objects.exists()


def test_a_setting_reaches_the_phones_below_and_no_others(tree: Tree, phone: Device) -> None:
    other = entering.enter(tree.globex, by=tree.eve, mac="00005e005302", family="poly", model="VVX450")
    before = dict(Lock.objects.values_list("pk", "files_revision"))

    set_value(tree.acme, by=tree.ana, name="language", value="de")
    set_value(tree.acme, by=tree.ana, name="language", value="de")

    after = dict(Lock.objects.values_list("pk", "files_revision"))
    assert (after[phone.pk] - before[phone.pk], after[other.pk]) == (1, before[other.pk])
    entry = AuditEntry.objects.get(verb="account.setting-changed")
    assert entry.details == {"setting": "language", "old": None, "new": "de"}


def test_a_phones_own_setting_is_in_its_log(tree: Tree, phone: Device) -> None:
    set_value(phone, by=tree.ana, name="language", value="de")

    event = DeviceEvent.objects.latest("id")
    assert (event.what, event.details["setting"], event.details["new"]) == (
        "setting-changed",
        "language",
        "de",
    )


def test_every_setting_has_a_default_that_it_accepts_itself() -> None:
    assert {name: setting.read(setting.default) for name, setting in SETTINGS.items()} == {
        name: setting.default for name, setting in SETTINGS.items()
    }


def test_a_phone_of_which_nobody_said_anything_can_be_compiled(phone: Device) -> None:
    found = phone_settings([phone])[phone.pk]

    assert found.sip == SipServer("sip.invalid", srtp=Srtp.OPTIONAL)
    assert found.hardening == frozenset(HARDENING)
    assert compile_full(found, "https://phones.example.org/d/x/")


def test_everything_that_a_file_says(tree: Tree, phone: Device) -> None:
    line = extensions.create(
        tree.acme, by=tree.ana, username="4101", secret="opened again", auth_name="a4101", display_name="Ben"
    )
    other = entering.enter(tree.acme, by=tree.ana, mac="00005e005302", family="poly", model="VVX450")
    for device in (phone, other):
        appearances.put(device, by=tree.ana, rows=[AppearanceRow(1, line, "Shared")])
    appearances.put_keys(phone, by=tree.ana, rows=[KeyRow(2, KeyKind.BLF, "4102", "Ana")])
    for name, value in {
        "sip_server": "sip.example.org",
        "sip_transport": "tls",
        "outbound_proxy": "sbc.example.org:5081",
        "register_expires": 600,
        "srtp": "off",
        "voicemail_number": "*97",
        "ntp_server": "ntp.example.org",
        "language": "de",
        "web_page": True,
        "refuse_direct_ip_calls": False,
    }.items():
        set_value(tree.acme, by=tree.ana, name=name, value=value)

    found = phone_settings([phone], generations={phone.pk: "v80"})[phone.pk]

    assert found.sip == SipServer(
        "sip.example.org", 5061, Transport.TLS, "sbc.example.org", 5081, 600, Srtp.OFF
    )
    assert found.lines == (
        Line(1, "4101", "a4101", "opened again", "sip.example.org", "Ben", "Shared", shared=True),
    )
    assert found.keys == (KeySetting(2, KeyKind.BLF, "4102", "Ana", 0),)
    assert found.time == TimeSettings("Europe/Berlin", "ntp.example.org")
    assert (found.name, found.language, found.voicemail_number, found.web_page) == ("Desk", "de", "*97", True)
    assert found.hardening == frozenset(SWITCHES) - {"refuse_direct_ip_calls"}
    assert found.generation == "v80"
    assert found.poll_minute == Device.objects.get(pk=phone.pk).poll_minute
    assert len({found.admin_password, found.user_password}) == 2
    assert len(found.admin_password) == len(found.user_password) == 16


def test_a_family_that_lacks_the_language_speaks_the_built_in_one(tree: Tree, phone: Device) -> None:
    set_value(tree.acme, by=tree.ana, name="language", value="nl")

    assert phone_settings([phone])[phone.pk].language == "en"


def test_equal_settings_give_equal_bytes(tree: Tree, phone: Device) -> None:
    url = "https://phones.example.org/d/x/"

    assert compile_full(phone_settings([phone])[phone.pk], url) == compile_full(
        phone_settings([phone])[phone.pk], url
    )


def test_many_phones_cost_as_many_queries_as_one(tree: Tree, phone: Device) -> None:
    phones = [phone]
    for number in range(2, 12):
        account, by = (tree.acme, tree.ana) if number % 2 else (tree.globex, tree.eve)
        made = entering.enter(account, by=by, mac=f"00005e0053{number:02x}", family="yealink", model="T54W")
        line = extensions.create(account, by=by, username=str(4100 + number), secret="its own")
        appearances.put(made, by=by, rows=[AppearanceRow(1, line)])
        set_value(made, by=by, name="language", value="fr")
        phones.append(made)

    def queries(devices: list[Device]) -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            phone_settings(devices)
        return len(captured)

    assert queries(phones[1:2]) == queries(phones) == 8
    assert settings_tree.phone_settings([]) == {}


def test_a_secret_that_no_key_opens_costs_its_own_phones_alone(tree: Tree, phone: Device) -> None:
    line = extensions.create(tree.acme, by=tree.ana, username="4101", secret="of another row")
    appearances.put(phone, by=tree.ana, rows=[AppearanceRow(1, line)])
    other = entering.enter(tree.acme, by=tree.ana, mac="00005e005302", family="poly", model="VVX450")
    Extension.objects.update(secret=b"\x02k1 and what follows is no seal")
    lost: dict[int, str] = {}

    found = phone_settings([phone, other], unreadable=lost)

    assert (found.keys(), lost.keys()) == ({other.pk}, {phone.pk})
    assert lost[phone.pk].startswith("the secret of 4101: ")
    with pytest.raises(settings_tree.Unreadable):
        phone_settings([phone, other])


def test_a_model_that_left_the_catalogue_costs_its_own_phones_alone(tree: Tree, phone: Device) -> None:
    other = entering.enter(tree.acme, by=tree.ana, mac="00005e005302", family="poly", model="VVX450")
    Device.objects.filter(pk=phone.pk).update(model="T999")
    lost: dict[int, str] = {}

    found = phone_settings([phone, other], unreadable=lost)

    assert found.keys() == {other.pk}
    assert lost == {phone.pk: "the model yealink/T999 is not in the catalogue"}
    with pytest.raises(settings_tree.Unreadable, match="T999"):
        phone_settings([phone, other])
