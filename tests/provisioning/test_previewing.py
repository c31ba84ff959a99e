"""A phone's files as people may see them, and a change tried out before it is made: nothing of it stays."""

from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest
import redis
from django.apps import apps
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.refusals import Forbidden, Invalid, Refusal
from devices import appearances, exposing, extensions, raw_keys, settings_tree
from devices.appearances import AppearanceRow
from devices.catalog import catalog
from devices.models import Device, Extension, SettingValue
from devices.phone import Line
from provisioning import claims, entering, files, previewing, publishing, retiring, tokens
from provisioning.models import Lock
from tests.families.samples import SECRETS, settings
from tests.provisioning.making import request
from tests.tree import Tree, plant

pytestmark = pytest.mark.django_db
SECRET = "s3cret-of-4102-here"
ADMIN = "Adm1nOfTheDesk"


@pytest.fixture
def tree() -> Tree:
    return plant()


def enter(tree: Tree, number: int, family: str = "yealink", model: str = "T46S", name: str = "") -> Device:
    mac = f"00005e0053{number:02x}"
    return entering.enter(
        tree.acme, by=tree.ana, mac=mac, family=family, model=model, name=name or f"Desk {number}"
    )


@pytest.fixture
def line(tree: Tree) -> Extension:
    return extensions.create(tree.acme, by=tree.ana, username="4102", secret=SECRET, display_name="Reception")


@pytest.fixture
def phone(tree: Tree, line: Extension) -> Device:
    device = enter(tree, 1)
    appearances.put(device, by=tree.ana, rows=[AppearanceRow(1, line)])
    return Device.objects.select_related("account").get(pk=device.pk)


def everything() -> dict[str, list[Any]]:
    """Every row of every table."""
    return {
        model.__name__: list(model._default_manager.order_by("pk").values()) for model in apps.get_models()
    }


def text_of(shown: list[previewing.Shown]) -> str:
    return "\n".join(line for file in shown for line in file.lines)


def signs(preview: previewing.Preview) -> list[tuple[str, str]]:
    return [line for phone in preview.shown for file in phone.files for line in file.lines]


def test_a_phones_files_are_shown_without_a_secret(tree: Tree, phone: Device) -> None:
    claims.claim(request(phone))
    token = tokens.living(phone.pk)[0]
    real = settings_tree.phone_settings([phone])[phone.pk]

    shown = previewing.files(phone, by=tree.ana)

    assert [file.name for file in shown] == [f"{phone.mac}.boot", f"{phone.mac}.cfg"]
    text = text_of(shown)
    for secret in (SECRET, real.admin_password, real.user_password, tokens.text_of(token)):
        assert secret
        assert secret not in text
    assert "account.1.password = MASKED" in text
    assert f"/d/{previewing.MASKED_TOKEN}/" in text
    assert len(previewing.MASKED_TOKEN) == tokens.LENGTH
    assert "account.1.user_name = 4102" in text


def test_a_setting_is_shown_before_it_is_given(tree: Tree, phone: Device) -> None:
    other = enter(tree, 2, "poly", "VVX450")
    same = enter(tree, 3)
    settings_tree.set_value(same, by=tree.ana, name="ntp_server", value="own.example.org")

    def change() -> None:
        settings_tree.set_value(tree.acme, by=tree.ana, name="ntp_server", value="time.example.org")

    preview = previewing.of_change(change, by=tree.ana, account=tree.acme)

    assert preview.phones == 2
    assert sorted(preview.by_model) == [("Poly VVX450", 1), ("Yealink T46S", 1)]
    assert {diff.device for diff in preview.shown} == {phone, other}
    assert ("-", "local_time.ntp_server1 = pool.ntp.org") in signs(preview)
    assert ("+", "local_time.ntp_server1 = time.example.org") in signs(preview)


def test_nothing_of_a_previewed_change_stays(
    tree: Tree, phone: Device, line: Extension, store: redis.Redis, django_capture_on_commit_callbacks: Any
) -> None:
    claims.claim(request(phone))
    publishing.publish_devices([phone.pk])
    files.publish_files([phone.pk])
    rows, kept = everything(), {key: store.dump(key) for key in store.scan_iter()}

    def change() -> None:
        settings_tree.set_value(tree.acme, by=tree.ana, name="time_zone", value="Asia/Kolkata")
        settings_tree.set_value(phone, by=tree.ana, name="language", value="de")
        exposing.new_secret(line, by=tree.ana)
        appearances.put(phone, by=tree.ana, rows=[])

    with django_capture_on_commit_callbacks(execute=True) as waiting:
        preview = previewing.of_change(change, by=tree.ana, account=tree.acme)

    assert preview.phones == 1
    assert waiting == []
    assert everything() == rows
    assert {key: store.dump(key) for key in store.scan_iter()} == kept
    assert mail.outbox == []


def test_what_a_change_is_refused_with_comes_out(tree: Tree, phone: Device, line: Extension) -> None:
    rows = everything()

    with pytest.raises(Invalid) as bound:
        previewing.of_change(
            lambda: settings_tree.set_value(tree.acme, by=tree.ana, name="poll_hours", value=99),
            by=tree.ana,
            account=tree.acme,
        )
    with pytest.raises(Invalid) as file:  # what no file can carry is seen when it is compiled
        previewing.of_change(
            lambda: extensions.change(line, by=tree.ana, display_name="%NULL%"),
            by=tree.ana,
            account=tree.acme,
        )
    with pytest.raises(Forbidden):
        previewing.of_change(
            lambda: settings_tree.set_value(tree.harbour, by=tree.ana, name="language", value="de"),
            by=tree.ana,
            account=tree.acme,
        )

    assert bound.value.field == "poll_hours"
    assert file.value.field == "display_name"
    assert everything() == rows
    with publishing.collected() as told:
        publishing.device_changed(phone.pk, files=True)
    assert told == {phone.pk}


def test_after_a_preview_changes_are_published_again(tree: Tree, phone: Device) -> None:
    before = Lock.objects.get(pk=phone.pk).files_revision

    with pytest.raises(Invalid):
        previewing.of_change(
            lambda: settings_tree.set_value(tree.acme, by=tree.ana, name="poll_hours", value=99),
            by=tree.ana,
            account=tree.acme,
        )
    settings_tree.set_value(tree.acme, by=tree.ana, name="poll_hours", value=12)

    assert Lock.objects.get(pk=phone.pk).files_revision == before + 1


def test_viewers_users_and_strangers_see_no_files(tree: Tree, phone: Device) -> None:
    for who in (tree.vic, tree.ben, tree.eve):
        with pytest.raises(Forbidden):
            previewing.files(phone, by=who)
        with pytest.raises(Forbidden):
            previewing.of_change(lambda: None, by=who, account=tree.acme)

    assert previewing.files(phone, by=tree.rita)


def test_a_secret_that_changes_is_seen_to_change_and_not_seen(
    tree: Tree, phone: Device, line: Extension
) -> None:
    preview = previewing.of_change(
        lambda: exposing.new_secret(line, by=tree.ana, secret="another-s3cret-of-4102"),
        by=tree.ana,
        account=tree.acme,
    )

    assert signs(preview) == [
        ("-", "account.1.password = MASKED"),
        ("+", "account.1.password = MASKEDNEW"),
    ]


def test_raw_values_are_for_those_who_may_write_them(tree: Tree, phone: Device) -> None:
    key, value = "distinctive_ring_tones.alert_info.1.text", "what-only-rita-wrote"
    raw_keys.set_value(phone, by=tree.rita, key=key, value=value)

    assert f"{key} = {value}" in text_of(previewing.files(phone, by=tree.rita))
    shown = text_of(previewing.files(phone, by=tree.ana))
    assert f"{key} = MASKED" in shown
    assert value not in shown


def test_a_retired_phone_has_no_account_in_its_file(tree: Tree, phone: Device) -> None:
    assert "4102" in text_of(previewing.files(phone, by=tree.ana))

    retiring.retire(phone, by=tree.ana)

    shown = text_of(previewing.files(phone, by=tree.ana))
    assert "account.1.enable = 0" in shown
    assert "4102" not in shown


def test_a_phone_whose_model_left_the_catalogue_says_so(tree: Tree, phone: Device) -> None:
    Device.objects.filter(pk=phone.pk).update(model="T999")
    phone.refresh_from_db()

    with pytest.raises(Refusal) as refusal:
        previewing.files(phone, by=tree.ana)

    assert "yealink/T999 is not in the catalogue" in refusal.value.detail
    assert refusal.value.code == "no-files"


def test_a_file_that_cannot_be_made_is_told_in_the_preview(tree: Tree, phone: Device) -> None:
    """A value that came in past its bounds, as an older release may have kept it."""

    def change() -> None:
        settings_tree.set_value(phone, by=tree.ana, name="syslog_server", value="log.example.org")
        SettingValue.objects.filter(device=phone, name="syslog_server").update(value="no host")

    preview = previewing.of_change(change, by=tree.ana, account=tree.acme)

    assert preview.phones == 1
    assert preview.shown[0].problem == "network.syslog: this is no host name or address"
    assert preview.shown[0].files == []


def test_twenty_phones_are_shown_and_all_are_counted(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    phones = [enter(tree, at) for at in range(24)]
    poly = enter(tree, 99, "poly", "VVX450", name="Last of all")
    settings_tree.set_value(phones[3], by=tree.ana, name="ntp_server", value="own.example.org")

    def change() -> None:
        settings_tree.set_value(tree.acme, by=tree.ana, name="ntp_server", value="time.example.org")

    with CaptureQueriesContext(connection) as queries:
        preview = previewing.of_change(change, by=tree.ana, account=tree.acme)

    assert (preview.phones, len(preview.shown), preview.others) == (24, 20, 4)
    assert preview.by_model == [("Yealink T46S", 23), ("Poly VVX450", 1)]
    assert poly in [diff.device for diff in preview.shown]  # a phone of every model comes first
    assert phones[3] not in [diff.device for diff in preview.shown]

    monkeypatch.setattr(previewing, "COMPARED", 10)  # of more phones the settings are not even compared
    with CaptureQueriesContext(connection) as fewer:
        assert previewing.of_change(change, by=tree.ana, account=tree.acme) == preview
    assert len(fewer) <= len(queries) < 60


def test_a_setting_that_the_file_leaves_out_changes_no_phone(tree: Tree) -> None:
    phone = enter(tree, 1)
    assert "voice_vlan_priority" not in catalog().families[phone.family].lacks_settings("v81")

    preview = previewing.of_change(  # it is written where the phone has a VLAN, which it has not
        lambda: settings_tree.set_value(tree.acme, by=tree.ana, name="voice_vlan_priority", value=3),
        by=tree.ana,
        account=tree.acme,
    )

    assert preview == previewing.Preview()


def secret_fields(part: Any, path: str = "") -> dict[str, str]:
    """Every text of the settings that does not show itself, with where it stands."""
    found = {}
    for entry in fields(part):
        value = getattr(part, entry.name)
        if not entry.repr:
            found[f"{path}{entry.name}"] = value
        parts = value if isinstance(value, tuple) else (value,)
        for at, one in enumerate(parts):
            if is_dataclass(one):
                found |= secret_fields(one, f"{path}{entry.name}[{at}].")
    return found


def test_every_secret_of_the_settings_has_a_mask(tree: Tree) -> None:
    phone = settings("yealink", "T46S")

    masked = previewing._masked(phone, phone, raw=True)

    assert set(secret_fields(phone).values()) == {*SECRETS, "Us3rPass"}
    assert set(secret_fields(masked).values()) == {previewing.MASK}
    assert secret_fields(masked).keys() == secret_fields(phone).keys()
    empty = replace(phone, lines=(Line(1, "214", "", ""),), admin_password="", user_password="")
    assert set(secret_fields(previewing._masked(empty, empty, raw=True)).values()) == {""}


@pytest.mark.parametrize("family", sorted(catalog().families))
def test_every_models_files_can_be_masked(family: str) -> None:
    """The mask stands wherever a secret stood, and the files are the same but for it."""
    for model in catalog().families[family].models:
        phone, device = settings(family, model), Device(family=family, model=model)
        real = previewing._compiled(phone, device)

        masked = previewing._compiled(previewing._masked(phone, phone, raw=False), device)

        assert masked.keys() == real.keys()
        hidden_in = 0
        for name, file in masked.items():
            assert not any(secret.encode() in file.body for secret in (*SECRETS, "Us3rPass")), (model, name)
            pairs = zip(real[name].body.splitlines(), file.body.splitlines(), strict=True)
            differ = [hidden for line, hidden in pairs if hidden != line]
            hidden_in += bool(differ)
            assert all(b"MASKED" in line for line in differ), (model, name)
        assert hidden_in >= 1, model
