"""A phone's files as people may see them, and a change tried out before it is made: nothing of it stays."""

from typing import Any

import pytest
import redis
from django.apps import apps
from django.core import mail

from devices import appearances, exposing, extensions, settings_tree
from devices.appearances import AppearanceRow
from devices.models import Device, Extension
from provisioning import claims, entering, files, previewing, publishing, tokens
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
