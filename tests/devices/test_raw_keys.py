"""The vendors' own keys: who may add them, what wins, and which phones get another file."""

from typing import Any

import pytest

from accounts.models import AuditEntry
from accounts.refusals import Forbidden, Invalid
from devices import raw_keys
from devices.levels import Level, model_in
from devices.models import Device, RawValue
from devices.raw_keys import FamilyIn
from devices.settings_tree import phone_settings
from provisioning import entering
from provisioning.compiling import compile_full
from provisioning.models import DeviceEvent, Lock
from tests.tree import Tree, plant

pytestmark = pytest.mark.django_db

KEY = "phone_setting.contrast"
URL = "https://phones.example.org/d/x/"


@pytest.fixture
def tree() -> Tree:
    return plant()


@pytest.fixture
def phone(tree: Tree) -> Device:
    return entering.enter(
        tree.acme, by=tree.ana, mac="00005e005301", family="yealink", model="T46S", name="Desk"
    )


def test_the_nearest_key_holds_and_says_where_it_stands(tree: Tree, phone: Device) -> None:
    def found() -> Any:
        return [tuple(row)[1:] for row in raw_keys.effective(phone)]

    assert found() == []
    raw_keys.set_value(FamilyIn(tree.platform, "yealink"), by=tree.support, key=KEY, value="1")
    assert found() == [("1", Level.PLATFORM, "Platform")]
    raw_keys.set_value(model_in(tree.platform, "yealink", "T46S"), by=tree.support, key=KEY, value="2")
    raw_keys.set_value(FamilyIn(tree.acme, "yealink"), by=tree.rita, key=KEY, value="3")
    assert found() == [("2", Level.MODEL, "Yealink T46S, Platform")]
    raw_keys.set_value(model_in(tree.acme, "yealink", "T46S"), by=tree.rita, key=KEY.upper(), value="4")
    assert found() == [("4", Level.MODEL, "Yealink T46S, Acme")]
    raw_keys.set_value(phone, by=tree.rita, key=KEY, value="5")
    assert found() == [("5", Level.PHONE, "Desk")]
    raw_keys.set_value(model_in(tree.acme, "yealink", "T48S"), by=tree.rita, key=KEY, value="6")
    raw_keys.set_value(FamilyIn(tree.globex, "yealink"), by=tree.rita, key="phone_setting.other", value="7")
    assert found() == [("5", Level.PHONE, "Desk")]
    raw_keys.reset_value(phone, by=tree.rita, key=KEY)
    raw_keys.reset_value(model_in(tree.acme, "yealink", "T46S"), by=tree.rita, key=KEY)
    raw_keys.reset_value(model_in(tree.platform, "yealink", "T46S"), by=tree.support, key=KEY)
    assert found() == [("3", Level.ACCOUNT, "Acme")]
    assert raw_keys.given_here(FamilyIn(tree.acme, "yealink")) == {KEY: "3"}
    assert [row.value for row in raw_keys.given_in(tree.acme)] == ["3", "6"]


def test_keys_stand_in_the_phones_file_in_one_order(tree: Tree, phone: Device) -> None:
    for key in ("phone_setting.zoom", "account.1.custom", "phone_setting.contrast"):
        raw_keys.set_value(phone, by=tree.rita, key=key, value=key[:3])

    body = compile_full(phone_settings([phone])[phone.pk], URL)["00005e005301.cfg"].body.decode()

    tail = body.partition("# The vendor's own keys")[2].splitlines()[1:]
    assert tail == ["account.1.custom = acc", "phone_setting.contrast = pho", "phone_setting.zoom = pho"]


@pytest.mark.parametrize("who", ["ana", "vic", "ben", "eve"])
def test_keys_are_for_resellers_and_support(tree: Tree, phone: Device, who: str) -> None:
    by = getattr(tree, who)
    for target in (FamilyIn(tree.acme, "yealink"), model_in(tree.acme, "yealink", "T46S"), phone):
        with pytest.raises(Forbidden):
            raw_keys.set_value(target, by=by, key=KEY, value="1")
        with pytest.raises(Forbidden):
            raw_keys.reset_value(target, by=by, key=KEY)

    assert not RawValue.objects.exists()


def test_a_reseller_adds_none_above_his_account(tree: Tree) -> None:
    with pytest.raises(Forbidden):
        raw_keys.set_value(FamilyIn(tree.platform, "yealink"), by=tree.rita, key=KEY, value="1")


@pytest.mark.parametrize(
    ("case", "key", "value", "field"),
    [
        ("the private URL", "static.auto_provision.server.url", "https://evil.example/", "key"),
        ("a secret", "account.1.password", "x", "key"),
        ("a protection", "sip.trust_ctrl", "0", "key"),
        ("what a setting says", "lang.gui", "German", "key"),
        ("no key at all", "no key", "x", "key"),
        ("nothing", "", "x", "key"),
        ("another line", KEY, "1\naccount.1.password = x", "value"),
        ("a reset", KEY, "%NULL%", "value"),
        ("too long", KEY, "x" * 501, "value"),
        ("no text", KEY, 7, "value"),
    ],
)
def test_what_cannot_be_added_is_refused_by_its_name(
    tree: Tree, phone: Device, case: str, key: str, value: Any, field: str
) -> None:
    before = (AuditEntry.objects.count(), DeviceEvent.objects.count())

    for target in (FamilyIn(tree.acme, "yealink"), phone):
        with pytest.raises(Invalid) as refusal:
            raw_keys.set_value(target, by=tree.rita, key=key, value=value)
        assert refusal.value.field == field

    assert not RawValue.objects.exists()
    assert (AuditEntry.objects.count(), DeviceEvent.objects.count()) == before


def test_a_model_takes_only_keys_that_it_spells_so(tree: Tree) -> None:
    with pytest.raises(Invalid) as refusal:
        raw_keys.set_value(
            model_in(tree.acme, "grandstream", "GXP1782"), by=tree.rita, key="call.autoAnswer", value="1"
        )

    assert refusal.value.field == "key"


@pytest.mark.parametrize("model", ["", "T46S"])
def test_a_key_reaches_the_phones_that_it_is_for_and_no_others(tree: Tree, phone: Device, model: str) -> None:
    def enter(account: Any, by: Any, number: int, family: str, model: str) -> Device:
        return entering.enter(account, by=by, mac=f"00005e0053{number:02x}", family=family, model=model)

    sister = enter(tree.acme, tree.ana, 2, "yealink", "T48S")
    enter(tree.acme, tree.ana, 3, "poly", "VVX450")
    enter(tree.globex, tree.eve, 4, "yealink", "T46S")
    before = dict(Lock.objects.values_list("pk", "files_revision"))
    target = raw_keys.target_in(tree.acme, "yealink", model)

    raw_keys.set_value(target, by=tree.rita, key=KEY, value="1")
    raw_keys.set_value(target, by=tree.rita, key=KEY, value="1")

    after = dict(Lock.objects.values_list("pk", "files_revision"))
    concerned = {phone.pk} if model else {phone.pk, sister.pk}
    assert {pk for pk in after if after[pk] != before[pk]} == concerned
    assert after[phone.pk] == before[phone.pk] + 1


def test_the_records_name_the_key_and_never_its_value(tree: Tree, phone: Device) -> None:
    raw_keys.set_value(phone, by=tree.rita, key=KEY, value="hush")
    raw_keys.set_value(FamilyIn(tree.acme, "yealink"), by=tree.rita, key=KEY, value="hush")

    event = DeviceEvent.objects.latest("id")
    entries = AuditEntry.objects.filter(verb__endswith="raw-key-changed")
    assert (event.what, event.details["key"]) == ("raw-key-changed", KEY)
    assert [entry.details["key"] for entry in entries] == [KEY, KEY]
    assert "hush" not in repr([entry.details for entry in entries]) + repr(event.details)


def test_a_phone_that_moves_leaves_its_keys_behind(tree: Tree, phone: Device) -> None:
    from provisioning import moving

    raw_keys.set_value(phone, by=tree.rita, key=KEY, value="1")

    moving.move(phone, by=tree.rita, to=tree.globex)

    assert not RawValue.objects.exists()
