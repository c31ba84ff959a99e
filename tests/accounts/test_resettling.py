"""E18: a customer moves below another reseller; who is no longer above it reaches nothing of it."""

from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts import deleting, keys, resettling, tenants
from accounts.authentication import actor_of
from accounts.models import Account, AuditEntry
from accounts.refusals import Forbidden, Invalid, Refusal
from accounts.roles import Power, Role
from accounts.scope import Actor
from tests.tree import PASSWORD, Tree, user_of

pytestmark = [pytest.mark.django_db, pytest.mark.rule("E18")]


@pytest.fixture
def lake(cast: Tree) -> Account:
    """Another reseller, with a customer of its own."""
    lake = tenants.create_account(cast.platform, by=cast.support, slug="lake", name="Lake Telecom")
    tenants.create_account(lake, by=cast.support, slug="initech", name="Initech")
    return lake


@pytest.fixture
def lars(cast: Tree, lake: Account) -> Actor:
    """Lake's reseller."""
    made = tenants.add_person(
        lake, by=cast.support, email="lars@example.org", name="Lars", role=Role.RESELLER, password=PASSWORD
    )
    return actor_of(made.user)


@pytest.fixture
def lab(cast: Tree) -> Account:
    """A sub-account of the customer that moves."""
    return tenants.create_account(cast.acme, by=cast.support, slug="lab", name="Acme Lab")


def tree_of() -> list[tuple[Any, ...]]:
    return list(Account.objects.order_by("pk").values_list("slug", "path", "depth", "numchild"))


def kept() -> tuple[object, int]:
    return tree_of(), AuditEntry.objects.count()


# --- the tree ----------------------------------------------------------------------------------------------


def test_it_stands_below_the_other_one_with_all_below_it(cast: Tree, lake: Account, lab: Account) -> None:
    moved = resettling.move_customer(cast.acme, by=cast.support, below=lake)

    lake.refresh_from_db()
    lab.refresh_from_db()
    cast.harbour.refresh_from_db()
    assert Account.objects.get_parent(moved) == lake
    assert Account.objects.get_parent(lab) == moved
    assert (moved.path[:8], lab.path[:12], moved.depth, lab.depth) == (lake.path, moved.path, 3, 4)
    assert (lake.numchild, cast.harbour.numchild) == (2, 1)
    assert Account.objects.find_problems() == ([], [], [], [], [])


def test_directly_below_the_platform_it_may_stand_too(cast: Tree) -> None:
    assert resettling.move_customer(cast.acme, by=cast.support, below=cast.platform).depth == 2
    assert Account.objects.find_problems() == ([], [], [], [], [])


def test_where_it_stands_already_nothing_happens(cast: Tree) -> None:
    before = kept()

    resettling.move_customer(cast.acme, by=cast.support, below=cast.harbour)

    assert kept() == before


def test_a_path_that_it_has_left_may_be_another_s(cast: Tree, lake: Account) -> None:
    old = cast.globex.path
    resettling.move_customer(cast.globex, by=cast.support, below=lake)
    fresh = tenants.create_account(cast.harbour, by=cast.support, slug="hooli", name="Hooli")

    assert fresh.path == old
    eve = actor_of(user_of(cast.eve))
    assert (eve.may(Power.EDIT_DEVICES, fresh.path), list(Account.objects.visible_to(eve))) == (
        False,
        [Account.objects.get(slug="globex")],
    )


# --- who reaches it ----------------------------------------------------------------------------------------


def test_powers_follow_the_tree_at_once(cast: Tree, lake: Account, lars: Actor, lab: Account) -> None:
    moved = resettling.move_customer(cast.acme, by=cast.support, below=lake)
    lab.refresh_from_db()

    rita, new, ana = (actor_of(user_of(actor)) for actor in (cast.rita, lars, cast.ana))
    for account in (moved, lab):
        assert not rita.may(Power.SEE_ACCOUNT, account.path)
        assert new.may(Power.EDIT_CUSTOMERS, account.path)
        assert ana.may(Power.EDIT_DEVICES, account.path)
    assert [a.slug for a in Account.objects.visible_to(rita)] == ["harbour", "globex"]
    assert [a.slug for a in Account.objects.visible_to(new)] == ["lake", "initech", "acme", "lab"]


def test_people_and_keys_of_the_former_reseller_stop_at_once(cast: Tree, lake: Account, lars: Actor) -> None:
    texts = {
        actor.label: keys.create(account, by=actor, name="Key", role=Role.RESELLER)[1]
        for actor, account in ((cast.rita, cast.harbour), (lars, lake))
    }
    rita = Client()
    rita.force_login(user_of(cast.rita))

    def seen(actor: Actor) -> list[str]:
        program = APIClient()
        program.credentials(HTTP_AUTHORIZATION=f"Api-Key {texts[actor.label]}")
        return [row["slug"] for row in program.get("/api/v1/accounts/").json()["results"]]

    assert "acme" in seen(cast.rita)
    assert "Acme" in rita.get("/people/").content.decode()

    resettling.move_customer(cast.acme, by=cast.support, below=lake)

    assert ("acme" in seen(cast.rita), "acme" in seen(lars)) == (False, True)
    assert "Acme" not in rita.get("/people/").content.decode()


def test_neither_reseller_s_record_names_the_other_one(cast: Tree, lake: Account, lars: Actor) -> None:
    resettling.move_customer(cast.acme, by=cast.support, below=lake)

    entries = {entry.verb: entry for entry in AuditEntry.objects.filter(verb__startswith="account.moved")}
    assert entries["account.moved"].account == cast.platform
    assert entries["account.moved"].details == {"old": "harbour", "new": "lake"}
    for actor, verb, other in (
        (cast.rita, "account.moved-away", "lake"),
        (lars, "account.moved-here", "harbour"),
    ):
        seen = AuditEntry.objects.visible_to(actor_of(user_of(actor))).filter(
            verb__startswith="account.moved"
        )
        assert [entry.verb for entry in seen] == [verb]
        assert other not in str(entries[verb].details) + entries[verb].target_name


# --- what is refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["rita", "ana", "vic", "ben", "eve"])
def test_only_platform_support_moves_a_customer(cast: Tree, lake: Account, who: str) -> None:
    before = kept()

    with pytest.raises(Forbidden):
        resettling.move_customer(cast.acme, by=getattr(cast, who), below=lake)

    assert kept() == before


@pytest.mark.parametrize(
    ("case", "what", "below", "field"),
    [
        ("a reseller", "harbour", "lake", "account"),
        ("the platform", "platform", "lake", "account"),
        ("a sub-account", "lab", "globex", "account"),
        ("below a customer", "acme", "globex", "below"),
        ("below itself", "acme", "acme", "below"),
        ("below what is below it", "acme", "lab", "below"),
    ],
)
def test_what_cannot_stand_there_stays(
    cast: Tree, lake: Account, lab: Account, case: str, what: str, below: str, field: str
) -> None:
    accounts = {account.slug: account for account in Account.objects.all()}
    before = kept()

    with pytest.raises(Invalid) as refusal:
        resettling.move_customer(accounts[what], by=cast.support, below=accounts[below])

    assert (refusal.value.field, refusal.value.rule) == (field, "E18")
    assert kept() == before


def test_nobody_moves_below_what_is_off_or_on_its_way_out(cast: Tree, lake: Account) -> None:
    tenants.switch_account(lake, by=cast.support, is_active=False)
    before = kept()
    with pytest.raises(Refusal) as refusal:
        resettling.move_customer(cast.acme, by=cast.support, below=lake)
    assert (refusal.value.code, refusal.value.field, kept()) == ("disabled", "below", before)

    river = tenants.create_account(cast.platform, by=cast.support, slug="river", name="River")
    deleting.delete_account(river, by=cast.support, typed="river")
    deleting.delete_account(cast.globex, by=cast.support, typed="globex")
    before = kept()
    for account, below in ((cast.acme, river), (cast.globex, cast.platform)):
        with pytest.raises(Refusal) as refusal:
            resettling.move_customer(account, by=cast.support, below=below)
        assert refusal.value.code == "deleted"
    assert kept() == before


def test_a_receiver_s_no_keeps_everything(cast: Tree, lake: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**kwargs: Any) -> None:
        raise Refusal("E18", "Not now.")

    monkeypatch.setattr(resettling.account_moved, "send", refuse)
    before = kept()

    with pytest.raises(Refusal):
        resettling.move_customer(cast.acme, by=cast.support, below=lake)

    assert kept() == before
