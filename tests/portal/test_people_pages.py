"""People and roles: the list, one person, his role, what he may see, and what nobody does to himself."""

from typing import Any

import pytest
from allauth.mfa.models import Authenticator

from accounts import tenants
from accounts.models import AuditEntry, Membership, User
from accounts.refusals import Forbidden, Refusal
from accounts.roles import Power, Role
from devices import extensions
from tests.portal.reading import said
from tests.test_access_matrix import snapshot
from tests.world import World, actor, signed_in


def member(user: User, slug: str = "acme") -> Membership:
    return Membership.objects.select_related("user", "account").get(user=user, account__slug=slug)


def place(user: User, what: str = "", slug: str = "acme") -> str:
    return f"/people/{slug}/{user.code}/{what}"


def test_the_list_says_who_is_there_and_how_he_signs_in(world: World) -> None:
    world.ben.is_active = False
    world.ben.save()

    shown = said(signed_in(world.ana).get("/people/"))

    assert "Ben of acmeben@acme.example User Acme Anvils Cannot sign in Change" in shown
    assert "Ana of acmeana@acme.example Manager" in shown
    assert "by password alone you Ben" in shown
    assert "Eve" not in shown
    assert "Vic of acme" in said(signed_in(world.ana).get("/people/?person=vic"))
    assert "Nobody is found" in said(signed_in(world.ana).get("/people/?person=rita%00x"))


def test_a_role_is_changed_on_the_page(world: World) -> None:
    member(world.acme.viewer)
    Membership.objects.filter(user=world.acme.viewer).update(sees_secrets=True)
    ana = signed_in(world.ana)

    page = said(ana.get(place(world.acme.viewer)))
    done = said(ana.post(place(world.acme.viewer, "role/"), {"role": "manager"}, follow=True))

    assert "Viewer of Acme Anvils." in page
    assert "Runs the account: phones" in page
    assert "Runs all customers" not in page, "above the reader's own role"
    assert "Vic of acme is Manager of Acme Anvils now." in done
    row = member(world.acme.viewer)
    assert (row.role, row.sees_secrets) == ("manager", False)


@pytest.mark.parametrize(
    ("case", "who", "whose", "what", "form"),
    [
        ("raises himself", "ana", "ana", "role/", {"role": "manager"}),
        ("lowers himself, the last manager", "ana", "ana", "role/", {"role": "user"}),
        ("takes himself out", "ana", "ana", "remove/", {}),
        ("switches himself off", "ana", "ana", "switch/", {"on": "no"}),
        ("gives more than he has", "ana", "vic", "role/", {"role": "reseller"}),
        ("an unknown role", "ana", "vic", "role/", {"role": "emperor"}),
        ("a manager gives secrets", "ana", "vic", "secrets/", {"sees": "yes"}),
        ("a user gives roles", "ben", "vic", "role/", {"role": "manager"}),
        ("a sibling", "eve", "vic", "role/", {"role": "user"}),
        ("a sibling's reset", "eve", "vic", "reset/", {}),
        ("no second factor to reset", "ana", "vic", "reset/", {}),
        ("who has signed in is invited", "ana", "vic", "invite/", {}),
    ],
)
def test_what_is_not_done(
    case: str, who: str, whose: str, what: str, form: dict[str, str], world: World
) -> None:
    people = {"ana": world.ana, "ben": world.ben, "eve": world.eve, "vic": world.acme.viewer}
    client = signed_in(people[who])
    signed_in(people[whose])
    before = snapshot()

    answer = client.post(place(people[whose], what), form)

    assert answer.status_code in (302, 403, 404)
    assert snapshot() == before


def test_a_reseller_lets_one_manager_see_secrets(world: World) -> None:
    rita = signed_in(world.rita)

    page = said(rita.get(place(world.ana)))
    done = said(rita.post(place(world.ana, "secrets/"), {"sees": "yes"}, follow=True))

    assert "Let this person see secrets" in page
    assert "Ana of acme may see secrets now." in done
    assert "sees secrets" in said(signed_in(world.ana).get("/people/"))
    assert extensions.show_secret(world.acme.extension, by=actor(world.ana)) == world.acme.secret
    entry = AuditEntry.objects.get(verb="person.sees-secrets")
    assert (entry.account, entry.user, entry.target_code) == (
        world.acme.account,
        world.rita,
        str(world.ana.code),
    )
    rita.post(place(world.ana, "secrets/"), {"sees": "no"})
    with pytest.raises(Forbidden):
        extensions.show_secret(world.acme.extension, by=actor(world.ana))
    assert AuditEntry.objects.filter(verb="person.sees-no-secrets").count() == 1


def test_secrets_open_in_the_accounts_they_were_given_for(world: World) -> None:
    """Who manages two customers and may see the secrets of one sees none of the other."""
    tenants.add_person(
        world.globex.account, by=actor(world.rita), email=world.ana.email, name="", role=Role.MANAGER
    )
    tenants.let_see_secrets(member(world.ana), by=actor(world.rita), sees=True)

    ana = actor(world.ana)

    assert ana.may(Power.SEE_SECRETS, world.acme.account.path)
    assert not ana.may(Power.SEE_SECRETS, world.globex.account.path)
    with pytest.raises(Forbidden):
        extensions.show_secret(world.globex.extension, by=ana)


def test_nobody_lets_himself_see_secrets(world: World) -> None:
    own = member(world.rita, "harbour")

    with pytest.raises(Refusal):
        tenants.let_see_secrets(own, by=actor(world.rita), sees=True)

    assert not member(world.rita, "harbour").sees_secrets
    assert "Let this person see secrets" not in said(
        signed_in(world.rita).get(place(world.rita, slug="harbour"))
    )


def test_the_powers_page_says_who_sees_secrets(world: World) -> None:
    tenants.let_see_secrets(member(world.ana), by=actor(world.rita), sees=True)

    assert "Ana of acme in Acme Anvils" in said(signed_in(world.ana).get("/powers/"))
    assert "Ana of acme in" not in said(signed_in(world.eve).get("/powers/"))


def test_a_lost_second_factor_is_reset_on_the_page(world: World) -> None:
    data: dict[str, Any] = {"secret": "x"}
    Authenticator.objects.create(user=world.acme.viewer, type=Authenticator.Type.TOTP, data=data)
    ana = signed_in(world.ana)

    page = said(ana.get(place(world.acme.viewer)))
    done = said(ana.post(place(world.acme.viewer, "reset/"), follow=True))

    assert "call back on a number that you know" in page
    assert "The second factor of Vic of acme is reset." in done
    assert not Authenticator.objects.filter(user=world.acme.viewer).exists()
    assert "Reset the second factor" not in said(ana.get(place(world.acme.viewer)))


def test_somebody_is_kept_from_signing_in_and_let_in_again(world: World) -> None:
    ben, ana = signed_in(world.ben), signed_in(world.ana)

    ana.post(place(world.ben, "switch/"), {"on": "no"})
    assert ben.get("/my-phones/").status_code == 302
    ana.post(place(world.ben, "switch/"), {"on": "yes"})

    assert signed_in(world.ben).get("/my-phones/").status_code == 200


def test_somebody_is_taken_out(world: World) -> None:
    done = said(signed_in(world.ana).post(place(world.acme.viewer, "remove/"), follow=True))

    assert "Vic of acme has no role in Acme Anvils any more." in done
    assert not Membership.objects.filter(user=world.acme.viewer).exists()
