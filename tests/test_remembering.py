"""What is remembered is what was made: the same rows and objects, while they would be made the same."""

from datetime import timedelta

import pytest
import time_machine
from django.db import transaction

from accounts.models import Account, User
from tests import remembering
from tests.conftest import NOON
from tests.remembering import remembered
from tests.world import World, make_world


class Maker:
    """Makes the world, and counts how often."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> World:
        self.times += 1
        return make_world()

    def undone(self) -> tuple[World, remembering.Rows]:
        """The world and the rows of one test, which leaves none behind."""
        with transaction.atomic():
            world, rows = remembered(self), remembering.all_rows()
            transaction.set_rollback(True)
        return world, rows


@pytest.fixture(autouse=True)
def _examples_are_public(settings: object) -> None:
    settings.LATCHKEY_TRIAL = True  # type: ignore[attr-defined]


@pytest.mark.django_db
def test_the_second_time_brings_the_same_without_the_verbs() -> None:
    make = Maker()

    first, rows = make.undone()
    again, same_rows = make.undone()

    assert make.times == 1
    assert {table: sorted(found, key=repr) for table, found in rows.items()} == {
        table: sorted(found, key=repr) for table, found in same_rows.items()
    }
    assert sum(len(found) for found in rows.values()) > 100
    assert again is not first
    assert again.acme.words == first.acme.words
    assert again.acme.phone.lock.state == first.acme.phone.lock.state
    assert again.acme.tokens == first.acme.tokens


@pytest.mark.django_db
def test_under_a_clock_that_was_moved_it_is_made_anew(clock: time_machine.Traveller) -> None:
    make = Maker()

    make.undone()
    make.undone()
    clock.move_to(NOON + timedelta(seconds=1))
    make.undone()

    assert make.times == 2


@pytest.mark.django_db
def test_what_ran_too_long_ago_is_made_anew() -> None:
    make = Maker()

    with time_machine.travel(NOON, tick=True):
        make.undone()
    with time_machine.travel(NOON + timedelta(seconds=remembering.GOOD_FOR - 10), tick=True):
        make.undone()
    assert make.times == 1
    with time_machine.travel(NOON + timedelta(seconds=remembering.GOOD_FOR + 1), tick=True):
        make.undone()

    assert make.times == 2


@pytest.mark.django_db
def test_where_a_row_stands_in_the_way_the_verbs_say_so() -> None:
    def make() -> User:
        return User.objects.create(email="one@example.org")

    with transaction.atomic():
        kept = remembered(make)
        transaction.set_rollback(True)
    User.objects.create(pk=kept.pk, email="other@example.org")

    assert remembered(make).email == kept.email
    assert User.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_what_is_committed_is_made_each_time() -> None:
    made: list[Account] = []

    def make() -> Account:
        made.append(Account(slug=f"root-{len(made)}", name="Root", kind=Account.Kind.PLATFORM))
        return made[-1]

    remembered(make)
    remembered(make)

    assert len(made) == 2
