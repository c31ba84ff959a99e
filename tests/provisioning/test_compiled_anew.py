"""A change compiles the files of those phones that it changes, and of no others."""

from collections.abc import Callable
from typing import Any

import pytest
import redis
from django.db import connection
from django.test.utils import CaptureQueriesContext

from devices import appearances, extensions, reach, settings_tree
from devices.appearances import AppearanceRow
from devices.levels import model_in
from devices.models import Device
from provisioning import claims, compiling, entering, files, tasks
from provisioning.models import Lock
from tests.provisioning.making import request
from tests.tree import Tree, plant

pytestmark = pytest.mark.django_db
Committed = Callable[..., Any]
POLY = "FileTransport PolycomVVX-VVX_450-UA/5.9.5.0614"


@pytest.fixture
def tree() -> Tree:
    return plant()


@pytest.fixture
def phones(tree: Tree, store: redis.Redis) -> list[Device]:
    """Four phones of two families, each with a current token."""
    found = [
        entering.enter(tree.acme, by=tree.ana, mac=f"00005e00530{at}", family=family, model=model)
        for at, (family, model) in enumerate([("yealink", "T46S")] * 3 + [("poly", "VVX450")])
    ]
    for phone in found[:3]:
        claims.claim(request(phone))
    claims.claim(request(found[3], name="{mac}.cfg", agent=POLY))
    return found


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The MACs whose full files are compiled; what workers would do is done at once."""
    macs: list[str] = []

    def counted(phone: Any, *args: Any, **kwargs: Any) -> Any:
        macs.append(phone.mac)
        return compiling.compile_full(phone, *args, **kwargs)

    monkeypatch.setattr(files, "compile_full", counted)
    monkeypatch.setattr(
        tasks.compile_devices, "apply_async", lambda args, **options: tasks.compile_devices(*args)
    )
    return macs


def test_an_accounts_setting_leaves_phones_with_their_own_alone(
    tree: Tree, phones: list[Device], compiled: list[str], django_capture_on_commit_callbacks: Committed
) -> None:
    settings_tree.set_value(phones[0], by=tree.ana, name="ntp_server", value="own.example.org")
    settings_tree.set_value(
        model_in(tree.acme, "poly", "VVX450"), by=tree.ana, name="ntp_server", value="model.example.org"
    )
    before = dict(Lock.objects.values_list("pk", "files_revision"))
    compiled.clear()

    with django_capture_on_commit_callbacks(execute=True):
        settings_tree.set_value(tree.acme, by=tree.ana, name="ntp_server", value="time.example.org")

    assert sorted(compiled) == [phones[1].mac, phones[2].mac]
    after = dict(Lock.objects.values_list("pk", "files_revision"))
    assert [after[phone.pk] - before[phone.pk] for phone in phones] == [0, 1, 1, 0]


def test_a_value_that_is_what_holds_already_compiles_nothing(
    tree: Tree, phones: list[Device], compiled: list[str], django_capture_on_commit_callbacks: Committed
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        settings_tree.set_value(tree.harbour, by=tree.rita, name="ntp_server", value="pool.ntp.org")
        settings_tree.set_value(tree.acme, by=tree.ana, name="ntp_server", value="pool.ntp.org")
        settings_tree.reset_value(tree.harbour, by=tree.rita, name="ntp_server")

    assert compiled == []


def test_the_name_of_one_extension_compiles_the_phones_that_show_it(
    tree: Tree, phones: list[Device], compiled: list[str], django_capture_on_commit_callbacks: Committed
) -> None:
    line = extensions.create(tree.acme, by=tree.ana, username="4102", secret="s3cret-of-4102")
    other = extensions.create(tree.acme, by=tree.ana, username="4103", secret="s3cret-of-4103")
    appearances.put(phones[0], by=tree.ana, rows=[AppearanceRow(1, line)])
    appearances.put(phones[1], by=tree.ana, rows=[AppearanceRow(1, other), AppearanceRow(2, line)])
    appearances.put(phones[2], by=tree.ana, rows=[AppearanceRow(1, other)])
    compiled.clear()

    with django_capture_on_commit_callbacks(execute=True):
        extensions.change(line, by=tree.ana, display_name="Reception")

    assert sorted(compiled) == [phones[0].mac, phones[1].mac]


def test_a_phone_that_comes_below_the_value_while_it_changes_is_not_forgotten(
    tree: Tree, phones: list[Device], django_capture_on_commit_callbacks: Committed
) -> None:
    """Its own value goes after the change above looked at it, and is committed before."""
    settings_tree.set_value(phones[0], by=tree.ana, name="ntp_server", value="own.example.org")
    with django_capture_on_commit_callbacks() as waiting:
        settings_tree.set_value(tree.acme, by=tree.ana, name="ntp_server", value="time.example.org")
    settings_tree.reset_value(phones[0], by=tree.ana, name="ntp_server")
    before = dict(Lock.objects.values_list("pk", "files_revision"))

    for callback in waiting:
        callback()

    after = dict(Lock.objects.values_list("pk", "files_revision"))
    assert [after[phone.pk] - before[phone.pk] for phone in phones] == [1, 0, 0, 0]


def test_whom_a_setting_reaches_costs_the_same_however_many_they_are(
    tree: Tree, phones: list[Device]
) -> None:
    settings_tree.set_value(tree.acme, by=tree.ana, name="ntp_server", value="time.example.org")

    with CaptureQueriesContext(connection) as queries:
        found = reach.of_setting(tree.acme, "ntp_server", None)

    assert found == [phone.pk for phone in phones]
    assert len(queries) == 3
