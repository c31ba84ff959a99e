"""A deleted account after its grace: all of it goes but the ledger of MACs and the audit."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db.models import ForeignKey, ManyToManyField, Model
from django.utils import timezone

from accounts import deleting, tenants
from accounts.models import Account, AuditEntry, Membership, User
from accounts.roles import Role
from devices.models import Device, Extension, Site
from provisioning import keeping, locking, removing, wire
from provisioning.models import (
    Claim,
    ImportDraft,
    Job,
    JobItem,
    ListsVersion,
    Lock,
    MacRecord,
    Token,
    Upload,
    Window,
)
from tests.world import World, actor, program, signed_in

DAY = timedelta(days=1)
Delete = Callable[..., datetime]


@pytest.fixture
def delete(world: World, settings: Any) -> Delete:
    """Delete Acme; returns when its grace is over."""

    def delete_acme(account: Account | None = None) -> datetime:
        account = account or world.acme.account
        deleted = deleting.delete_account(account, by=actor(world.sam), typed=account.slug)
        assert deleted.removed_at is not None
        return deleted.removed_at

    return delete_acme


def of_accounts() -> list[tuple[type[Model], str]]:
    """Every column that names an account, of every model there is."""
    return [
        (model, field.name)
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if isinstance(field, ForeignKey | ManyToManyField) and field.related_model is Account
    ]


def test_everything_of_the_account_goes(world: World, delete: Delete) -> None:
    acme = world.acme.account
    removed_at = delete()

    keeping.sweep(removed_at)

    left = {
        f"{model.__name__}.{name}": model._default_manager.filter(**{name: acme.pk}).count()
        for model, name in of_accounts()
    }
    assert left.pop("AuditEntry.account") > 0
    assert {name for name, count in left.items() if count} == set()
    assert not Account.objects.filter(pk=acme.pk).exists()
    assert Account.objects.get(pk=world.harbour.pk).numchild == 1
    macs = [world.acme.phone.mac, world.acme.other_phone.mac]
    assert not Claim.objects.filter(mac__in=macs).exists()
    assert not JobItem.objects.filter(mac__in=macs).exists()


def test_the_neighbour_keeps_everything(world: World, delete: Delete) -> None:
    globex = world.globex.account
    # A list of phones that waits for its Yes is kept for a day only, whoever's it is.
    kept = [(m, name) for m, name in of_accounts() if name == "account" and m is not ImportDraft]
    before = {model: model._default_manager.filter(account=globex).count() for model, _ in kept}
    removed_at = delete()

    keeping.sweep(removed_at)

    assert {model: model._default_manager.filter(account=globex).count() for model, _ in kept} == before
    assert Token.objects.filter(device=world.globex.phone).exclude(kind="dead").exists()
    assert signed_in(world.eve).get(f"/phones/{world.globex.phone.code}/").status_code == 200


def test_within_the_grace_nothing_goes(world: World, delete: Delete) -> None:
    removed_at = delete()

    keeping.sweep(removed_at - timedelta(seconds=1))

    assert Device.objects.filter(account=world.acme.account).count() == 2
    assert Extension.objects.filter(account=world.acme.account).exists()
    assert User.objects.filter(pk=world.ben.pk).exists()
    deleting.restore_account(world.acme.account, by=actor(world.rita), now=removed_at - DAY)
    keeping.sweep(removed_at + DAY)
    assert Device.objects.filter(account=world.acme.account).count() == 2


def test_the_ledger_and_the_dead_hashes_stay(world: World, delete: Delete, settings: Any) -> None:
    phone = world.acme.phone
    locking.quarantine(world.acme.other_phone, by=actor(world.ana), reason="Stolen")
    hashes = set(Token.objects.filter(device=phone).values_list("hash", flat=True))
    removed_at = delete()

    keeping.sweep(removed_at)

    entry = MacRecord.objects.get(mac_hash=wire.mac_hash(settings.TOKEN_KEY, phone.mac))
    assert (entry.claimed, entry.account_code) == (True, world.acme.account.code)
    stolen = MacRecord.objects.get(mac_hash=wire.mac_hash(settings.TOKEN_KEY, world.acme.other_phone.mac))
    assert stolen.quarantined
    dead = Token.objects.filter(hash__in=hashes)
    assert {(t.kind, t.mac, bytes(t.sealed), t.device) for t in dead} == {("dead", phone.mac, b"", None)}
    assert len(dead) == len(hashes)


def test_the_audit_is_read_by_the_platform_alone(world: World, delete: Delete) -> None:
    code = str(world.acme.phone.code)
    removed_at = delete()
    before = signed_in(world.rita).get(f"/api/v1/audit/?target={code}").json()["count"]

    keeping.sweep(removed_at)

    sam = signed_in(world.sam)
    entries = sam.get(f"/api/v1/audit/?target={code}").json()["results"]
    assert len(entries) > before > 0
    assert {entry["account"] for entry in entries} == {"acme"}
    assert sam.get("/api/v1/audit/?account=acme").json()["results"][0]["verb"] == "account.removed"
    assert sam.get("/staff/accounts/auditentry/").status_code == 200
    assert str(world.ana) in sam.get("/api/v1/audit/?verb=device.entered").content.decode()
    assert signed_in(world.rita).get(f"/api/v1/audit/?target={code}").json()["count"] == 0


def test_whoever_gets_its_place_in_the_tree_reads_nothing_of_it(world: World, delete: Delete) -> None:
    rita = actor(world.rita)
    delete(world.globex.account)
    removed_at = delete()
    keeping.sweep(removed_at)

    heir = tenants.create_account(world.harbour, by=rita, slug="initech", name="Initech")
    tom = tenants.add_person(heir, by=rita, email="tom@initech.example", name="Tom", role=Role.MANAGER).user

    assert heir.path == world.acme.account.path
    seen = signed_in(tom).get("/api/v1/audit/").json()["results"]
    assert {entry["account"] for entry in seen} == {"initech"}
    assert signed_in(tom).get("/api/v1/devices/").json()["count"] == 0


def test_people_of_this_account_alone_go_and_others_stay(world: World, delete: Delete) -> None:
    tenants.add_person(
        world.globex.account, by=actor(world.rita), email=world.ana.email, name="", role=Role.VIEWER
    )
    removed_at = delete()

    keeping.sweep(removed_at)

    assert not User.objects.filter(pk__in=[world.ben.pk, world.acme.viewer.pk]).exists()
    assert [m.account for m in Membership.objects.filter(user=world.ana)] == [world.globex.account]
    entry = AuditEntry.objects.filter(verb="device.unlocked", account_slug="acme").latest("id")
    assert (entry.user_id, entry.actor) == (world.ana.pk, f"{world.ana.name} ({world.ana.email})")


def test_its_key_opens_nothing_any_more(world: World, delete: Delete) -> None:
    removed_at = delete()

    keeping.sweep(removed_at)

    assert program(world.acme.key).get("/api/v1/devices/").status_code == 401


def test_the_edges_forget_its_windows_and_sites(world: World, delete: Delete) -> None:
    number = ListsVersion.objects.get().number
    removed_at = delete()

    keeping.sweep(removed_at)

    assert ListsVersion.objects.get().number > number
    assert not Window.objects.filter(account=world.acme.account).exists()
    assert not Site.objects.filter(account=world.acme.account).exists()


def test_what_others_hold_of_its_phones_goes_too(world: World, delete: Delete) -> None:
    """A job of the reseller's names phones; a directory is the phone's own."""
    job = Job.objects.create(account=world.harbour, kind=Job.Kind.UNLOCK_ALL, by="Rita", total=1)
    phone = world.acme.phone
    JobItem.objects.create(job=job, device=phone, name=str(phone), mac=phone.mac)
    Upload.objects.create(
        device=phone, name="calls.xml", content_type="text/xml", body=b"x", at=timezone.now()
    )
    removed_at = delete()

    keeping.sweep(removed_at)

    assert Job.objects.filter(pk=job.pk).exists()
    assert (job.items.count(), Upload.objects.count()) == (0, 0)


def test_a_removal_that_was_cut_short_goes_on(
    world: World, delete: Delete, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removing, "PHONES", 1)
    monkeypatch.setattr(removing, "BATCH", 2)
    removed_at = delete()

    rounds = 0
    while Account.objects.filter(slug="acme").exists():
        keeping.sweep(removed_at, seconds=0)
        rounds += 1
        assert rounds < 500

    assert rounds > 5
    assert AuditEntry.objects.filter(verb="account.removed").count() == 1


def test_those_below_go_first_and_one_that_is_not_empty_stays(world: World, delete: Delete) -> None:
    north = tenants.create_account(world.acme.account, by=actor(world.rita), slug="north", name="North")
    delete(north)
    removed_at = delete()

    keeping.sweep(removed_at)

    assert not Account.objects.filter(slug__in=["north", "acme"]).exists()


def test_a_deleted_accounts_phones_get_nothing_at_once(world: World, delete: Delete) -> None:
    delete()

    answer = (
        signed_in(world.sam).get(f"/api/v1/explain/?mac={world.acme.phone.mac}&address=203.0.113.7").json()
    )

    assert (answer["outcome"], answer["rule"]) == ("refused", "R10")
    assert Lock.objects.get(pk=world.acme.phone.pk).state == "locked"
