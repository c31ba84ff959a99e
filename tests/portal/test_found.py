"""The first person of an empty installation."""

import io

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Account, Membership, User

pytestmark = pytest.mark.django_db


def found(monkeypatch: pytest.MonkeyPatch, password: str = "a long enough one") -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
    call_command("found", email="sue@example.org", name="Sue", stdout=io.StringIO())


def test_the_first_person_supports_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    found(monkeypatch)

    membership = Membership.objects.get(user__email="sue@example.org")
    assert (membership.role, membership.account.kind) == ("support", Account.Kind.PLATFORM)
    assert membership.user.check_password("a long enough one")


def test_nobody_founds_it_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    found(monkeypatch)

    with pytest.raises(CommandError, match="platform account already"):
        found(monkeypatch)
    assert User.objects.count() == 1


def test_a_weak_password_makes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandError, match="too short"):
        found(monkeypatch, password="short")

    assert not Account.objects.exists()
