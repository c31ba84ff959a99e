"""Accounts in the tree and people in them: who may make, change and take what, and what is written down."""

import pytest

from accounts import tenants
from accounts.authentication import actor_of
from accounts.models import Account, AuditEntry, Membership, User
from accounts.refusals import Forbidden, Invalid, Refusal
from accounts.roles import Role
from accounts.signals import account_switched
from devices.zones import zone_names
from tests.tree import INSTALLER, PASSWORD, Tree, plant, user_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def tree() -> Tree:
    return plant()


def membership(tree: Tree, email: str) -> Membership:
    found: Membership = Membership.objects.select_related("account", "user").get(user__email=email)
    return found


def verbs() -> list[str]:
    return list(AuditEntry.objects.order_by("id").values_list("verb", flat=True))


def test_a_second_platform_is_refused(tree: Tree) -> None:
    with pytest.raises(Refusal) as refusal:
        tenants.found_platform(by=INSTALLER, slug="other", name="Other")

    assert refusal.value.code == "taken"
    assert Account.objects.filter(depth=1).count() == 1


def test_an_account_takes_the_kind_and_zone_that_its_place_gives(tree: Tree) -> None:
    made = tenants.create_account(tree.acme, by=tree.rita, slug="acme-north", name="Acme North")

    assert (made.kind, made.time_zone) == (Account.Kind.SUB_ACCOUNT, "Europe/Berlin")
    assert made.path.startswith(tree.acme.path)
    entry = AuditEntry.objects.latest("id")
    assert (entry.verb, entry.account, entry.details["below"]) == ("account.created", made, "acme")


@pytest.mark.parametrize("zone", ["Mars/Base", "europe/berlin", "Factory", "+01:00"])
def test_a_time_zone_that_is_none_makes_no_account(tree: Tree, zone: str) -> None:
    before = Account.objects.count(), verbs()

    with pytest.raises(Invalid) as refusal:
        tenants.create_account(tree.acme, by=tree.rita, slug="north", name="North", time_zone=zone)

    assert refusal.value.field == "time_zone"
    assert (Account.objects.count(), verbs()) == before


def test_every_zone_of_an_account_is_one_that_phones_know() -> None:
    assert tenants.time_zones() <= set(zone_names())


@pytest.mark.parametrize(
    ("case", "who", "where"),
    [
        ("a manager makes no accounts", "ana", "acme"),
        ("a reseller makes none beside himself", "rita", "platform"),
        ("a neighbour makes none here", "eve", "acme"),
    ],
)
def test_accounts_are_made_by_those_above(tree: Tree, case: str, who: str, where: str) -> None:
    before = Account.objects.count()

    with pytest.raises(Forbidden):
        tenants.create_account(getattr(tree, where), by=getattr(tree, who), slug="new", name="New")

    assert Account.objects.count() == before


@pytest.mark.parametrize(
    ("case", "where", "changes", "field"),
    [
        ("no platform below a reseller", "harbour", {"kind": Account.Kind.PLATFORM}, "kind"),
        ("no reseller below a customer", "acme", {"kind": Account.Kind.RESELLER}, "kind"),
        ("a slug is taken once", "harbour", {"slug": "globex"}, "slug"),
        ("a slug is a slug", "harbour", {"slug": "two words"}, "slug"),
        ("a name is needed", "harbour", {"name": "  "}, "name"),
        ("a name is one line", "harbour", {"name": "two\nlines"}, "name"),
    ],
)
def test_an_account_that_cannot_be(
    tree: Tree, case: str, where: str, changes: dict[str, str], field: str
) -> None:
    before = Account.objects.count()

    with pytest.raises(Invalid) as refusal:
        tenants.create_account(
            getattr(tree, where), by=tree.support, **{"slug": "new", "name": "New", **changes}
        )

    assert refusal.value.field == field
    assert Account.objects.count() == before


def test_a_reseller_disables_and_enables_a_customer(tree: Tree) -> None:
    heard: list[tuple[str, bool]] = []

    def listen(sender: object, account: Account, **kwargs: object) -> None:
        heard.append((account.slug, account.is_active))

    account_switched.connect(listen)
    try:
        tenants.switch_account(tree.acme, by=tree.rita, is_active=False, reason="unpaid")
        tenants.switch_account(tree.acme, by=tree.rita, is_active=False, reason="again")
        tenants.switch_account(tree.acme, by=tree.rita, is_active=True)
    finally:
        account_switched.disconnect(listen)

    assert heard == [("acme", False), ("acme", True)]
    assert verbs()[-2:] == ["account.disabled", "account.enabled"]


@pytest.mark.parametrize("who", ["ana", "vic", "ben", "eve"])
def test_nobody_below_switches_an_account(tree: Tree, who: str) -> None:
    with pytest.raises(Forbidden):
        tenants.switch_account(tree.acme, by=getattr(tree, who), is_active=False)

    tree.acme.refresh_from_db()
    assert tree.acme.is_active


def test_a_reseller_cannot_switch_himself_off_or_on(tree: Tree) -> None:
    with pytest.raises(Forbidden):
        tenants.switch_account(tree.harbour, by=tree.rita, is_active=False)


def test_the_platform_is_never_disabled(tree: Tree) -> None:
    with pytest.raises(Refusal) as refusal:
        tenants.switch_account(tree.platform, by=tree.support, is_active=False)

    assert refusal.value.code == "platform"


def test_a_manager_adds_a_person_who_can_sign_in(tree: Tree) -> None:
    made = tenants.add_person(
        tree.acme, by=tree.ana, email=" Cleo@Example.org ", name="Cleo", role=Role.USER, password=PASSWORD
    )

    user = User.objects.get(email="cleo@example.org")
    assert user.check_password(PASSWORD)
    assert (made.user, made.account, made.role) == (user, tree.acme, "user")
    entry = AuditEntry.objects.latest("id")
    assert (entry.verb, entry.target_name, entry.details["role"]) == ("person.added", "Cleo", "user")


def test_a_person_who_signs_in_already_keeps_name_and_password(tree: Tree) -> None:
    tenants.add_person(
        tree.acme,
        by=tree.ana,
        email="eve@example.org",
        name="Mallory",
        role=Role.VIEWER,
        password="taken-over-now",
    )

    eve = User.objects.get(email="eve@example.org")
    assert (eve.name, eve.check_password(PASSWORD)) == ("Eve", True)


@pytest.mark.parametrize(
    ("case", "who", "where", "role"),
    [
        ("a manager gives no rank above his own", "ana", "acme", Role.RESELLER),
        ("a viewer gives none", "vic", "acme", Role.USER),
        ("a user gives none", "ben", "acme", Role.USER),
        ("a neighbour gives none here", "eve", "acme", Role.USER),
        ("a reseller gives none above him", "rita", "platform", Role.VIEWER),
        ("a reseller makes no support", "rita", "harbour", Role.SUPPORT),
    ],
)
def test_roles_are_given_downwards(tree: Tree, case: str, who: str, where: str, role: Role) -> None:
    before = User.objects.count()

    with pytest.raises(Forbidden):
        tenants.add_person(
            getattr(tree, where), by=getattr(tree, who), email="new@example.org", name="New", role=role
        )

    assert User.objects.count() == before


@pytest.mark.parametrize(
    ("where", "role"),
    [("acme", Role.SUPPORT), ("acme", Role.RESELLER), ("harbour", Role.SUPPORT), ("platform", Role.RESELLER)],
)
def test_support_and_resellers_have_a_home(tree: Tree, where: str, role: Role) -> None:
    with pytest.raises(Invalid) as refusal:
        tenants.add_person(
            getattr(tree, where), by=tree.support, email="new@example.org", name="New", role=role
        )

    assert refusal.value.field == "role"


@pytest.mark.parametrize(
    ("case", "changes", "field"),
    [
        ("no address", {"email": "nobody"}, "email"),
        ("a name is needed", {"name": ""}, "name"),
        ("a password of a list", {"password": "password"}, "password"),
        ("twice in one account", {"email": "ben@example.org"}, "email"),
    ],
)
def test_a_person_who_cannot_be(tree: Tree, case: str, changes: dict[str, str], field: str) -> None:
    before = Membership.objects.count()
    given = {"email": "new@example.org", "name": "New", "password": PASSWORD, **changes}

    with pytest.raises(Invalid) as refusal:
        tenants.add_person(tree.acme, by=tree.ana, role=Role.USER, **given)

    assert refusal.value.field == field
    assert Membership.objects.count() == before


def test_support_reaches_the_admin_as_long_as_it_is_support(tree: Tree) -> None:
    assert user_of(tree.support).is_staff
    made = tenants.add_person(
        tree.platform, by=tree.support, email="sam@example.org", name="Sam", role=Role.SUPPORT
    )
    assert User.objects.get(email="sam@example.org").is_staff

    tenants.change_role(made, by=tree.support, role=Role.VIEWER)

    assert not User.objects.get(email="sam@example.org").is_staff


def test_a_role_is_changed_and_told(tree: Tree) -> None:
    tenants.change_role(membership(tree, "ben@example.org"), by=tree.ana, role=Role.VIEWER)

    assert membership(tree, "ben@example.org").role == "viewer"
    entry = AuditEntry.objects.latest("id")
    assert (entry.verb, entry.details["old"], entry.details["role"]) == (
        "person.role-changed",
        "user",
        "viewer",
    )


def test_nobody_changes_his_own_role_or_takes_himself_out(tree: Tree) -> None:
    own = membership(tree, "ana@example.org")

    for verb in (
        lambda: tenants.change_role(own, by=tree.ana, role=Role.VIEWER),
        lambda: tenants.remove_person(own, by=tree.ana),
        lambda: tenants.switch_person(own.user, by=tree.ana, is_active=False),
    ):
        with pytest.raises(Refusal) as refusal:
            verb()
        assert refusal.value.code == "own-role"

    assert membership(tree, "ana@example.org").role == "manager"


def test_a_manager_cannot_touch_the_reseller(tree: Tree) -> None:
    rita = membership(tree, "rita@example.org")

    with pytest.raises(Forbidden):
        tenants.remove_person(rita, by=tree.ana)
    with pytest.raises(Forbidden):
        tenants.switch_person(rita.user, by=tree.ana, is_active=False)

    assert User.objects.get(email="rita@example.org").is_active


def test_a_person_taken_out_stays_on_record(tree: Tree) -> None:
    tenants.remove_person(membership(tree, "ben@example.org"), by=tree.ana)

    ben = User.objects.get(email="ben@example.org")
    assert actor_of(ben).standings == ()
    assert verbs()[-1] == "person.removed"


def test_a_person_is_switched_off_only_from_above_all_his_roles(tree: Tree) -> None:
    ben = membership(tree, "ben@example.org").user
    tenants.add_person(tree.globex, by=tree.eve, email=ben.email, name="Ben", role=Role.USER)

    with pytest.raises(Forbidden):
        tenants.switch_person(ben, by=tree.ana, is_active=False)
    tenants.switch_person(ben, by=tree.rita, is_active=False)

    assert not User.objects.get(email="ben@example.org").is_active
