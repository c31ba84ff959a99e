"""A platform with a reseller and two customers, and the people in it, made by the verbs themselves."""

from dataclasses import dataclass

from accounts import tenants
from accounts.authentication import actor_of
from accounts.models import Account, User
from accounts.roles import Role
from accounts.scope import Actor
from tests.remembering import remembered
from tests.second_factors import equipped

INSTALLER = Actor.system("the installation")
PASSWORD = "a-long-enough-word"


@dataclass(frozen=True)
class Tree:
    """The accounts and, as actors, who is who in them."""

    platform: Account
    harbour: Account
    acme: Account
    globex: Account
    support: Actor
    rita: Actor
    ana: Actor
    vic: Actor
    ben: Actor
    eve: Actor


def plant() -> Tree:
    """Make the tree: rita is the reseller, ana manages acme, vic looks on, ben uses, eve manages globex."""
    return remembered(_plant)


def _plant() -> Tree:
    platform = tenants.found_platform(by=INSTALLER, slug="platform", name="Platform")
    first = tenants.add_first_person(
        platform, by=INSTALLER, email="support@example.org", name="Sue Porter", password=PASSWORD
    )
    support = actor_of(first.user)
    harbour = tenants.create_account(platform, by=support, slug="harbour", name="Harbour Telecom")
    acme = tenants.create_account(harbour, by=support, slug="acme", name="Acme", time_zone="Europe/Berlin")
    globex = tenants.create_account(harbour, by=support, slug="globex", name="Globex")

    def person(account: Account, name: str, role: Role) -> Actor:
        email = f"{name.lower()}@example.org"
        made = tenants.add_person(account, by=support, email=email, name=name, role=role, password=PASSWORD)
        return actor_of(equipped(made.user))

    equipped(first.user)
    return Tree(
        platform=platform,
        harbour=harbour,
        acme=acme,
        globex=globex,
        support=support,
        rita=person(harbour, "Rita", Role.RESELLER),
        ana=person(acme, "Ana", Role.MANAGER),
        vic=person(acme, "Vic", Role.VIEWER),
        ben=person(acme, "Ben", Role.USER),
        eve=person(globex, "Eve", Role.MANAGER),
    )


def user_of(actor: Actor) -> User:
    """The person behind an actor."""
    assert actor.user is not None
    return actor.user
