"""Acting for a customer: who may, as whom, and how it ends."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import logout
from django.contrib.sessions.backends.db import SessionStore
from django.test import RequestFactory
from django.utils import timezone

from accounts import acting, deleting, resettling, tenants
from accounts.authentication import actor_of
from accounts.models import Account, AuditEntry, Membership
from accounts.refusals import Forbidden, Refusal
from accounts.roles import Power, Role
from accounts.scope import Actor, Standing
from devices.models import Device
from provisioning import locking
from provisioning.spans import Span
from tests.cast import at
from tests.tree import Tree, user_of

HERE = "203.0.113.200"


@pytest.fixture
def session() -> SessionStore:
    return SessionStore()


def entries() -> list[tuple[str, str, str, str]]:
    rows = AuditEntry.objects.filter(verb__startswith="acting.").order_by("pk")
    return [(row.verb, row.account_slug, row.actor, row.details.get("why", "")) for row in rows]


def test_a_reseller_is_his_customer_s_manager_and_nothing_else(
    cast: Tree, acme: Account, rita: Actor, session: SessionStore
) -> None:
    person = at(rita, HERE)
    acting.start(session, acme, by=person)

    actor, now_acting = acting.taken_up(session, person, now=timezone.now())

    assert actor.standings == (Standing(acme.path, Role.MANAGER),)
    assert (actor.label, actor.user, actor.address) == (rita.label, rita.user, HERE)
    assert actor.on_behalf_of == "Acme"
    assert not actor.may(Power.EDIT_CUSTOMERS, acme.path)
    assert not actor.may(Power.SEE_SECRETS, acme.path)
    assert not actor.may(Power.SEE_ACCOUNT, cast.globex.path)
    assert now_acting is not None
    assert now_acting.until - now_acting.since == timedelta(hours=8)


def test_start_and_stop_stand_in_the_customer_s_audit(
    acme: Account, rita: Actor, ana: Actor, session: SessionStore
) -> None:
    acting.start(session, acme, by=rita)
    actor, _ = acting.taken_up(session, rita, now=timezone.now())

    assert acting.stop(session, by=actor) == acme

    assert entries() == [
        ("acting.started", "acme", rita.label, ""),
        ("acting.stopped", "acme", rita.label, ""),
    ]
    assert AuditEntry.objects.visible_to(ana).filter(verb__startswith="acting.").count() == 2
    assert acting.taken_up(session, rita, now=timezone.now()) == (rita, None)
    assert acting.stop(session, by=rita) is None


def test_what_is_done_meanwhile_names_both(locked: Device, rita: Actor, session: SessionStore) -> None:
    acting.start(session, locked.account, by=rita)
    actor, _ = acting.taken_up(session, rita, now=timezone.now())

    locking.unlock(locked, by=actor, span=Span.parse("24h"))

    entry = AuditEntry.objects.get(verb="device.unlocked")
    assert (entry.actor, entry.user, entry.on_behalf_of) == (rita.label, rita.user, "Acme")


@pytest.mark.parametrize("who", ["ana", "vic", "ben", "eve"])
def test_only_who_stands_above_may(cast: Tree, who: str, acme: Account, session: SessionStore) -> None:
    with pytest.raises(Forbidden):
        acting.start(session, acme, by=getattr(cast, who))

    assert (dict(session.items()), entries()) == ({}, [])


def test_nobody_acts_for_his_own_account_or_the_platform(cast: Tree, session: SessionStore) -> None:
    for by, account in ((cast.rita, cast.harbour), (cast.support, cast.platform)):
        with pytest.raises(Forbidden):
            acting.start(session, account, by=by)

    assert acting.start(session, cast.harbour, by=cast.support).account == cast.harbour


def test_a_key_acts_for_nobody(acme: Account, rita: Actor, session: SessionStore) -> None:
    with pytest.raises(Forbidden):
        acting.start(session, acme, by=Actor(label="API key x", standings=rita.standings))


def test_acting_is_not_nested(cast: Tree, session: SessionStore) -> None:
    acting.start(session, cast.harbour, by=cast.support)
    actor, _ = acting.taken_up(session, cast.support, now=timezone.now())

    with pytest.raises(Refusal) as refusal:
        acting.start(session, cast.acme, by=actor)

    assert refusal.value.code == "acting"
    assert len(entries()) == 1


def test_nobody_acts_for_a_deleted_account(acme: Account, rita: Actor, session: SessionStore) -> None:
    deleting.delete_account(acme, by=rita, typed="acme")

    with pytest.raises(Refusal, match="deleted"):
        acting.start(session, Account.objects.get(pk=acme.pk), by=rita)


def _moved(cast: Tree) -> None:
    other = tenants.create_account(cast.platform, by=cast.support, slug="lakeside", name="Lakeside")
    resettling.move_customer(cast.acme, by=cast.support, below=other)


def _fired(cast: Tree) -> None:
    tenants.remove_person(Membership.objects.get(user=user_of(cast.rita)), by=cast.support)


def _demoted(cast: Tree) -> None:
    tenants.change_role(Membership.objects.get(user=user_of(cast.rita)), by=cast.support, role=Role.MANAGER)


def _deleted(cast: Tree) -> None:
    deleting.delete_account(cast.acme, by=cast.support, typed="acme")


@pytest.mark.rule("E18")
@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_moved, "You do not stand above Acme any more."),
        (_fired, "You do not stand above Acme any more."),
        (_demoted, "You do not stand above Acme any more."),
        (_deleted, "Acme was deleted."),
    ],
)
def test_it_stops_when_the_person_may_no_longer(
    change: Callable[[Tree], None], why: str, cast: Tree, session: SessionStore
) -> None:
    acting.start(session, cast.acme, by=cast.rita)
    change(cast)
    person = actor_of(user_of(cast.rita))

    with pytest.raises(acting.Over) as over:
        acting.taken_up(session, person, now=timezone.now())

    assert str(over.value) == f"{why} You act for Acme no longer."
    assert entries()[-1] == ("acting.stopped", "acme", cast.rita.label, why)
    assert acting.taken_up(session, person, now=timezone.now()) == (person, None)


def test_it_stops_after_eight_hours(acme: Account, rita: Actor, session: SessionStore) -> None:
    begun = acting.start(session, acme, by=rita)

    acting.taken_up(session, rita, now=begun.since + acting.LONGEST - timedelta(seconds=1))
    with pytest.raises(acting.Over, match="Eight hours are over"):
        acting.taken_up(session, rita, now=begun.since + acting.LONGEST)


def test_a_session_of_somebody_else_acts_for_nobody(cast: Tree, acme: Account, session: SessionStore) -> None:
    acting.start(session, acme, by=cast.rita)

    with pytest.raises(acting.Over):
        acting.taken_up(session, cast.support, now=timezone.now())


def test_it_stops_with_sign_out(
    acme: Account, rita: Actor, session: SessionStore, rf: RequestFactory
) -> None:
    acting.start(session, acme, by=rita)
    request: Any = rf.post("/")
    request.session, request.user = session, user_of(rita)
    request.actor, _ = acting.taken_up(session, rita, now=timezone.now())

    logout(request)

    assert entries()[-1] == ("acting.stopped", "acme", rita.label, "Signed out.")
