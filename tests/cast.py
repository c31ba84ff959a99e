"""The cast: the accounts, the people in them, and Ben's phone; `tests/tree.py` plants them by the verbs."""

from dataclasses import replace

import pytest

from accounts.models import Account
from accounts.scope import Actor
from devices.models import Device
from provisioning.models import Approval
from tests.factories import HOME, bind, make_phone, tried
from tests.tree import Tree, plant, user_of


@pytest.fixture
def cast(db: None) -> Tree:
    """Everybody, on a platform with one reseller and two customers."""
    return plant()


@pytest.fixture
def harbour(cast: Tree) -> Account:
    return cast.harbour


@pytest.fixture
def acme(cast: Tree) -> Account:
    return cast.acme


@pytest.fixture
def globex(cast: Tree) -> Account:
    return cast.globex


@pytest.fixture
def support(cast: Tree) -> Actor:
    """Platform support."""
    return cast.support


@pytest.fixture
def rita(cast: Tree) -> Actor:
    """Harbour's reseller."""
    return cast.rita


@pytest.fixture
def ana(cast: Tree) -> Actor:
    """Acme's manager."""
    return cast.ana


@pytest.fixture
def vic(cast: Tree) -> Actor:
    """Acme's viewer."""
    return cast.vic


@pytest.fixture
def ben(cast: Tree) -> Actor:
    """An end user of Acme with one phone."""
    return cast.ben


@pytest.fixture
def eve(cast: Tree) -> Actor:
    """The manager of Globex, a sibling of Acme."""
    return cast.eve


@pytest.fixture
def phone(acme: Account, ana: Actor, ben: Actor) -> Device:
    """Ben's phone, new."""
    return make_phone(acme, by=ana, name="Ben, desk", owner=user_of(ben))


@pytest.fixture
def locked(phone: Device) -> Device:
    """Ben's phone, locked to HOME."""
    bind(phone, HOME)
    return phone


@pytest.fixture
def card(locked: Device) -> Approval:
    """Ben's locked phone was refused at AWAY."""
    made = tried(locked)
    assert made is not None
    return Approval.objects.select_related("device__account", "device__lock").get(pk=made.pk)


def at(actor: Actor, address: str) -> Actor:
    """The same person, acting from this address."""
    return replace(actor, address=address)
