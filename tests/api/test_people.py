"""People over the API: the list, an invitation, another role, the sight of secrets, a lost second factor."""

from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.db import transaction

from accounts import keys, tenants
from accounts.models import AuditEntry, Membership, User
from accounts.roles import POWERS, Role
from tests.second_factors import equipped
from tests.test_access_matrix import snapshot
from tests.world import World, actor, make_key, program

PEOPLE = "/api/v1/people/"


def place(user: User, what: str = "", slug: str = "acme") -> str:
    return f"{PEOPLE}{slug}/{user.code}/{what}"


def member(user: User, slug: str = "acme") -> Membership:
    return Membership.objects.get(user=user, account__slug=slug)


def has_an_app(user: User) -> None:
    Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data={"secret": "sealed"})


def test_the_list_says_who_is_there_and_how_he_signs_in(world: World) -> None:
    User.objects.filter(pk=world.ben.pk).update(is_active=False)
    has_an_app(world.acme.viewer)

    found = program(world.acme.key).get(PEOPLE).json()["results"]

    assert [(row["email"], row["role"]) for row in found] == [
        ("ana@acme.example", "manager"),
        ("ben@acme.example", "user"),
        ("vic@acme.example", "viewer"),
    ]
    assert found[1] == {
        "code": str(world.ben.code),
        "account": "acme",
        "email": "ben@acme.example",
        "name": "Ben of acme",
        "role": "user",
        "sees_secrets": False,
        "is_pending": False,
        "invited_at": None,
        "is_active": False,
        "last_sign_in": None,
        "has_second_factor": False,
    }
    assert found[2]["has_second_factor"] is True
    assert program(world.acme.key).get(place(world.ben)).json() == found[1]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("role=viewer", ["vic@acme.example"]),
        ("search=BEN", ["ben@acme.example"]),
        ("email=ana@acme.example", ["ana@acme.example"]),
        ("sees_secrets=true", []),
        ("account=globex", 400),
        ("role=king", 400),
    ],
)
def test_the_list_is_narrowed(world: World, asked: str, found: Any) -> None:
    answer = program(world.acme.key).get(f"{PEOPLE}?{asked}")

    if found == 400:
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["attr"] == asked.partition("=")[0]
    else:
        assert [row["email"] for row in answer.json()["results"]] == found


def test_somebody_invited_gets_an_e_mail_and_shows_no_name(
    world: World, django_capture_on_commit_callbacks: Any
) -> None:
    key = program(world.acme.key)
    body = {"account": "acme", "email": "New@Example.net", "name": "Nina", "role": "viewer"}

    with django_capture_on_commit_callbacks(execute=True):
        made = key.post(PEOPLE, body)

    assert made.status_code == 201, made.json()
    told = {name: made.json()[name] for name in ("email", "name", "role", "is_pending", "is_active")}
    assert told == {
        "email": "new@example.net", "name": "", "role": "viewer", "is_pending": True, "is_active": None,
    }  # fmt: skip
    assert mail.outbox[-1].to == ["new@example.net"]
    assert key.get(f"{PEOPLE}?search=nina").json()["results"] == []
    again = key.post(f"{PEOPLE}acme/{made.json()['code']}/invite/", {})
    assert (again.status_code, again.json()["code"]) == (409, "just-sent")


def test_what_is_answered_is_the_same_for_whoever_signs_in_elsewhere(world: World) -> None:
    """Nobody finds out by an invitation who is a customer of somebody else."""
    key, answers = program(world.acme.key), []

    for email in ("nobody@nowhere.example", "eve@globex.example"):
        made = key.post(PEOPLE, {"account": "acme", "email": email, "name": "X", "role": "user"})
        assert made.status_code == 201
        answers.append({**made.json(), "code": "", "email": "", "invited_at": ""})

    assert answers[0] == answers[1]


def test_role_secrets_and_signing_in_are_changed_together_or_not_at_all(world: World) -> None:
    key = program(make_key(world.harbour, Role.RESELLER, world.rita))
    before = snapshot()

    with transaction.atomic():
        refused = key.patch(place(world.acme.viewer), {"role": "support", "sees_secrets": True})
    changed = key.patch(
        place(world.acme.viewer), {"role": "manager", "sees_secrets": True, "is_active": False}
    )

    assert refused.status_code == 403
    assert changed.status_code == 200, changed.json()
    row = member(world.acme.viewer)
    assert (row.role, row.sees_secrets, row.user.is_active) == ("manager", True, False)
    verbs = AuditEntry.objects.filter(target_code=str(world.acme.viewer.code)).order_by("-pk")[:3]
    assert [entry.verb for entry in verbs] == [
        "person.disabled",
        "person.sees-secrets",
        "person.role-changed",
    ]
    assert len(before["AuditEntry"]) + 3 == AuditEntry.objects.count()


@pytest.mark.parametrize(
    ("whose", "what", "body", "code"),
    [
        ("ben", "", {"role": "support"}, 403),
        ("ben", "", {"role": "reseller"}, 403),
        ("ben", "", {"sees_secrets": True}, 403),
        ("ben", "", {"role": "king"}, 400),
        ("ben", "", {"email": "other@acme.example"}, 400),
        ("ben", "invite/", {}, 200),
        ("ben", "reset-second-factor/", {}, 409),
        ("eve", "", {"role": "user"}, 404),
        ("rita", "", {"role": "user"}, 404),
    ],
)
def test_what_a_manager_may(world: World, whose: str, what: str, body: Any, code: int) -> None:
    before = snapshot()

    key = program(world.acme.key)
    answer = (key.post if what else key.patch)(place(getattr(world, whose), what), body)

    assert answer.status_code == code, answer.json()
    assert code == 200 or snapshot() == before


def test_a_person_of_another_tenant_is_one_that_does_not_exist(world: World) -> None:
    key, none = program(world.acme.key), "6b3a2f0e-0000-4000-8000-000000000000"

    answers = {
        key.get(url).content
        for url in (
            place(world.eve, slug="globex"),
            place(world.eve),
            f"{PEOPLE}acme/{none}/",
            place(world.ben, slug="globex"),
        )
    }

    assert len(answers) == 1
    assert b"not-found" in answers.pop()


def test_nobody_changes_his_own_role_in_a_session(world: World, client: Any) -> None:
    client.force_login(equipped(world.ana))

    own = client.patch(place(world.ana), {"role": "user"}, content_type="application/json")

    assert (own.status_code, own.json()["code"]) == (409, "own-role")
    assert member(world.ana).role == "manager"


def test_a_lost_second_factor_is_reset(world: World) -> None:
    has_an_app(world.ben)

    done = program(world.acme.key).post(place(world.ben, "reset-second-factor/"), {})

    assert (done.status_code, done.json()["has_second_factor"]) == (200, False)
    assert not Authenticator.objects.filter(user=world.ben).exists()
    assert AuditEntry.objects.filter(verb="person.second-factor-reset").count() == 1


def test_a_person_is_taken_out_of_one_account_alone(world: World) -> None:
    tenants.add_person(
        world.globex.account, by=actor(world.eve), email="ben@acme.example", name="Ben", role=Role.USER
    )

    gone = program(world.acme.key).delete(place(world.ben))

    assert gone.status_code == 204
    assert [row.account.slug for row in world.ben.memberships.all()] == ["globex"]


def test_everybody_reads_what_a_role_may_do(world: World) -> None:
    viewer = keys.create(world.acme.account, by=actor(world.ana), name="v", role=Role.VIEWER)[1]

    told = program(viewer).get("/api/v1/roles/").json()

    assert [row["role"] for row in told["roles"]] == ["user", "viewer", "manager", "reseller", "support"]
    assert all(row["meant_for"] and row["title"] for row in told["roles"])
    brings = {row["power"]: row["roles"] for row in told["powers"]}
    assert brings["see-secrets"] == []
    assert {power for power, roles in brings.items() if "manager" in roles} == POWERS[Role.MANAGER]
