"""An account is deleted with 30 days' grace, and restored as it was."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import deleting, keys, tenants
from accounts.models import Account, AuditEntry, Membership
from accounts.refusals import Forbidden, Refusal
from accounts.roles import Role
from accounts.signals import account_switched
from devices.models import Device
from provisioning import entering, facts
from tests.factories import make_phone
from tests.tree import Tree, plant

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture
def tree() -> Tree:
    return plant()


def fresh(account: Account) -> Account:
    found: Account = Account.objects.get(pk=account.pk)
    return found


def delete(tree: Tree, account: Account) -> Account:
    return deleting.delete_account(account, by=tree.support, typed=account.slug)


def test_a_deleted_account_is_switched_off_at_once_and_says_when_it_goes(tree: Tree) -> None:
    phone = make_phone(tree.acme, by=tree.ana)
    switched: list[Account] = []
    now = timezone.now()

    def note(account: Account, **_: object) -> None:
        switched.append(account)

    account_switched.connect(note)
    deleted = deleting.delete_account(tree.acme, by=tree.rita, typed=" acme ", now=now)
    account_switched.disconnect(note)

    assert (deleted.is_active, deleted.removed_at) == (False, now + 30 * DAY)
    assert switched == [tree.acme]
    assert not facts.load([phone.pk], now)[phone.pk].enabled
    entry = AuditEntry.objects.latest("id")
    assert (entry.verb, entry.account_slug, entry.actor) == ("account.deleted", "acme", tree.rita.label)


Setting = Callable[[Tree], object]


def _with_sub_account(tree: Tree) -> None:
    tenants.create_account(tree.acme, by=tree.rita, slug="acme-north", name="Acme North")


def _deleted(tree: Tree) -> None:
    delete(tree, tree.acme)


def _nothing(tree: Tree) -> None:
    pass


@pytest.mark.parametrize(
    ("case", "who", "what", "typed", "before", "code"),
    [
        ("another slug", "rita", "acme", "globex", _nothing, "confirm"),
        ("no slug", "rita", "acme", "", _nothing, "confirm"),
        ("a living account below", "rita", "acme", "acme", _with_sub_account, "accounts-below"),
        ("customers below", "support", "harbour", "harbour", _nothing, "accounts-below"),
        ("twice", "rita", "acme", "acme", _deleted, "deleted"),
        ("the platform", "support", "platform", "platform", _nothing, "platform"),
        ("its own manager", "ana", "acme", "acme", _nothing, "forbidden"),
        ("a neighbour", "eve", "acme", "acme", _nothing, "forbidden"),
        ("a reseller himself", "rita", "harbour", "harbour", _nothing, "forbidden"),
    ],
)
def test_what_cannot_be_deleted_stays_as_it_was(
    tree: Tree, case: str, who: str, what: str, typed: str, before: Setting, code: str
) -> None:
    before(tree)
    account: Account = getattr(tree, what)
    rows, entries = list(Account.objects.values()), AuditEntry.objects.count()

    with pytest.raises(Refusal) as refusal:
        deleting.delete_account(account, by=getattr(tree, who), typed=typed)

    assert refusal.value.code == code
    assert (list(Account.objects.values()), AuditEntry.objects.count()) == (rows, entries)


def test_what_is_below_goes_first(tree: Tree) -> None:
    north = tenants.create_account(tree.acme, by=tree.rita, slug="acme-north", name="Acme North")
    delete(tree, north)

    assert delete(tree, tree.acme).deleted_at is not None


@pytest.mark.parametrize("was_active", [True, False])
def test_a_restored_account_is_what_it_was(tree: Tree, was_active: bool) -> None:
    tenants.switch_account(tree.acme, by=tree.rita, is_active=was_active)
    deleted = delete(tree, tree.acme)
    assert deleted.deleted_at is not None

    deleting.restore_account(
        tree.acme, by=tree.rita, now=deleted.deleted_at + 30 * DAY - timedelta(seconds=1)
    )

    assert (fresh(tree.acme).is_active, fresh(tree.acme).deleted_at) == (was_active, None)
    assert AuditEntry.objects.latest("id").verb == "account.restored"


def test_after_the_grace_nothing_is_restored(tree: Tree) -> None:
    deleted = delete(tree, tree.acme)
    assert deleted.deleted_at is not None

    with pytest.raises(Refusal) as refusal:
        deleting.restore_account(tree.acme, by=tree.rita, now=deleted.deleted_at + 30 * DAY)

    assert refusal.value.code == "too-late"
    assert fresh(tree.acme).deleted_at == deleted.deleted_at


def test_below_a_deleted_account_nothing_is_restored(tree: Tree) -> None:
    north = tenants.create_account(tree.acme, by=tree.rita, slug="acme-north", name="Acme North")
    delete(tree, north)
    delete(tree, tree.acme)

    with pytest.raises(Refusal) as refusal:
        deleting.restore_account(north, by=tree.support)

    assert refusal.value.code == "deleted-above"
    assert fresh(north).deleted_at is not None
    deleting.restore_account(tree.acme, by=tree.support)
    assert deleting.restore_account(north, by=tree.support).is_active


def test_a_manager_restores_nothing(tree: Tree) -> None:
    delete(tree, tree.acme)

    with pytest.raises(Forbidden):
        deleting.restore_account(tree.acme, by=tree.ana)

    assert fresh(tree.acme).deleted_at is not None


def test_a_living_account_is_restored_without_a_trace(tree: Tree) -> None:
    entries = AuditEntry.objects.count()

    deleting.restore_account(tree.acme, by=tree.rita)

    assert AuditEntry.objects.count() == entries


@pytest.mark.parametrize(
    ("case", "put"),
    [
        ("switched on", lambda tree, acme: tenants.switch_account(acme, by=tree.rita, is_active=True)),
        ("an account", lambda tree, acme: tenants.create_account(acme, by=tree.rita, slug="n", name="N")),
        (
            "a person",
            lambda tree, acme: tenants.add_person(
                acme, by=tree.rita, email="new@example.org", name="New", role=Role.USER
            ),
        ),
        ("a key", lambda tree, acme: keys.create(acme, by=tree.rita, name="K", role=Role.VIEWER)),
        (
            "a phone",
            lambda tree, acme: entering.enter(
                acme, by=tree.ana, mac="00005e0053aa", family="yealink", model="T46U"
            ),
        ),
    ],
)
def test_nothing_new_is_put_into_a_deleted_account(
    tree: Tree, case: str, put: Callable[[Tree, Account], object]
) -> None:
    deleted = delete(tree, tree.acme)
    before = (Account.objects.count(), Membership.objects.count(), Device.objects.count())

    with pytest.raises(Refusal) as refusal:
        put(tree, deleted)

    assert refusal.value.code == "deleted"
    assert (Account.objects.count(), Membership.objects.count(), Device.objects.count()) == before


def test_the_database_itself_keeps_a_deleted_account_off(tree: Tree) -> None:
    delete(tree, tree.acme)

    with pytest.raises(IntegrityError), transaction.atomic():
        Account.objects.filter(pk=tree.acme.pk).update(is_active=True)
