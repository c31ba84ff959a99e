"""What people set, and the files that are made anew for it, leave every lock as it is (E13)."""

from collections.abc import Callable

import pytest

from accounts.models import Account
from accounts.scope import Actor
from devices import appearances, extensions, settings_tree
from devices.models import Device
from provisioning import entering, locking, policies, publishing
from provisioning.models import Lock
from provisioning.spans import Span
from tests.factories import AWAY, origin
from tests.provisioning.verb_checks import lock_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock"), pytest.mark.rule("E13")]

Edit = Callable[[Device, Account, Actor], object]
NOT_THE_LOCKS = {"revision", "files_revision"}


def show_a_line(device: Device, account: Account, by: Actor) -> object:
    line = extensions.create(account, by=by, username="4102", secret="a-secret-of-4102")
    return appearances.put(device, by=by, rows=[appearances.AppearanceRow(1, line)])


EDITS: dict[str, Edit] = {
    "a setting of the account": lambda device, account, by: settings_tree.set_value(
        account, by=by, name="sip_server", value="sip.example.org"
    ),
    "a setting of the phone": lambda device, account, by: settings_tree.set_value(
        device, by=by, name="language", value="de"
    ),
    "its lines": show_a_line,
    "its name": lambda device, account, by: entering.change(device, by=by, name="Reception"),
    "a policy": lambda device, account, by: policies.set_value(account, by=by, name="fresh_ttl", value=24),
    "every file made anew": lambda device, account, by: publishing.republish_all(),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
@pytest.mark.parametrize("unlocked", [False, True], ids=["locked", "unlocked"])
def test_an_edit_leaves_the_lock_as_it_is(
    edit: Edit, unlocked: bool, locked: Device, acme: Account, ana: Actor
) -> None:
    if unlocked:
        locking.unlock(locked, by=ana, span=Span.parse("24h"), origin=origin(AWAY))
    before = columns(lock_of(locked))

    edit(locked, acme, ana)

    assert columns(lock_of(locked)) == before


def columns(lock: Lock) -> dict[str, object]:
    names = [field.attname for field in lock._meta.concrete_fields]
    return {name: getattr(lock, name) for name in names if name not in NOT_THE_LOCKS}
