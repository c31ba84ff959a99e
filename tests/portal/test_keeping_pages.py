"""The pages on what is kept and on accounts that are deleted, and what the home page says of open ends."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Account
from portal.frame import frame_of
from provisioning import keeping
from provisioning.keeping import KEPT
from provisioning.models import Lock, Stamp, Swept
from tests.factories import refused
from tests.world import World, actor, program, signed_in

DAY = timedelta(days=1)
JSON = {"content_type": "application/json"}


def text(answer: Any) -> str:
    return str(answer.content.decode())


# --- what is kept ------------------------------------------------------------------------------------------


def test_a_manager_reads_the_times_and_no_numbers_of_the_platform(world: World) -> None:
    refused(world.acme.phone, at=timezone.now() - 40 * DAY)
    before = text(signed_in(world.ana).get("/keeping/"))
    keeping.sweep(timezone.now())

    shown = text(signed_in(world.ana).get("/keeping/"))

    assert "Nothing was swept yet." in before
    assert "Last swept" in shown
    assert "Went" not in shown
    for kept in KEPT:
        assert str(kept.term) in shown
        assert kept.what.replace("'", "&#x27;") in shown


def test_support_reads_how_much_went(world: World) -> None:
    Swept.objects.create(name="refusals", at=timezone.now(), gone=1234)

    shown = text(signed_in(world.sam).get("/keeping/"))

    assert "1,234 rows went" in shown
    assert 'data-label="Went">1,234<' in shown


def test_an_unfinished_sweep_is_said(world: World) -> None:
    Swept.objects.create(name="refusals", at=timezone.now(), is_whole=False)

    assert "it goes on by itself: “Refused requests" in text(signed_in(world.ana).get("/keeping/"))


def test_a_viewer_does_not_read_it(world: World) -> None:
    assert signed_in(world.acme.viewer).get("/keeping/").status_code == 403
    assert "/keeping/" not in text(signed_in(world.acme.viewer).get("/phones/"))


@pytest.mark.parametrize(("hours", "late"), [(29, False), (31, True)])
def test_a_daily_job_is_late_by_its_own_measure(hours: int, late: bool, world: World) -> None:
    now = timezone.now()
    Stamp.objects.create(name="forget", at=now - timedelta(hours=hours))
    Stamp.objects.create(name="watch", at=now)

    frame = frame_of(actor(world.ana))

    assert frame.is_late is late
    assert frame.oldest_stamp == (now - timedelta(hours=hours) if late else now)


def test_a_frequent_job_is_late_after_minutes(world: World) -> None:
    Stamp.objects.create(name="watch", at=timezone.now() - timedelta(minutes=11))

    assert frame_of(actor(world.ana)).is_late


# --- accounts ----------------------------------------------------------------------------------------------


def test_a_reseller_deletes_and_restores_a_customer(world: World) -> None:
    rita = signed_in(world.rita)
    listed = text(rita.get("/customers/"))
    asked = text(rita.get("/customers/acme/delete/"))

    wrong = text(rita.post("/customers/acme/delete/", {"typed": "globex"}))
    assert Account.objects.get(slug="acme").deleted_at is None
    deleted = text(rita.post("/customers/acme/delete/", {"typed": "acme"}, follow=True))
    assert Account.objects.get(slug="acme").deleted_at is not None
    restored = text(rita.post("/customers/acme/restore/", follow=True))

    assert "Acme Anvils" in listed
    assert "Globex Gears" in listed
    assert "harbour</span>" not in listed  # nobody deletes the account that he stands in
    assert "2 phones get no file any more" in asked
    assert "Type acme to delete Acme Anvils." in wrong
    assert "Will be removed on" in deleted
    assert "Its phones get their files again" in restored
    assert Account.objects.get(slug="acme").is_active


def test_a_manager_reaches_no_account_there(world: World) -> None:
    ana = signed_in(world.ana)

    assert "No account stands below yours" in text(ana.get("/customers/"))
    assert ana.post("/customers/acme/delete/", {"typed": "acme"}).status_code == 404
    assert Account.objects.get(slug="acme").deleted_at is None


def test_a_deleted_accounts_own_people_read_when_it_goes(world: World) -> None:
    before = text(signed_in(world.ana).get("/phones/"))
    signed_in(world.rita).post("/customers/acme/delete/", {"typed": "acme"})

    shown = text(signed_in(world.ana).get("/phones/"))

    assert "will be removed on" not in before
    assert "Acme Anvils is deleted. Its phones get no file, and it will be removed on" in shown
    assert "will be removed on" not in text(signed_in(world.eve).get("/phones/"))


def test_the_same_by_the_api(world: World) -> None:
    rita, ana = signed_in(world.rita), program(world.acme.key)

    wrong = rita.post("/api/v1/accounts/acme/delete/", {"slug": "globex"}, **JSON)
    deleted = rita.post("/api/v1/accounts/acme/delete/", {"slug": "acme"}, **JSON)
    enabled = rita.patch("/api/v1/accounts/acme/", {"is_active": True}, **JSON)
    restored = rita.post("/api/v1/accounts/acme/restore/", {}, **JSON)

    assert (wrong.status_code, wrong.json()["code"]) == (409, "confirm")
    assert (deleted.status_code, deleted.json()["is_active"]) == (200, False)
    assert deleted.json()["removed_at"] is not None
    assert (enabled.status_code, enabled.json()["code"]) == (409, "deleted")
    assert (restored.json()["is_active"], restored.json()["removed_at"]) == (True, None)
    assert ana.post("/api/v1/accounts/acme/delete/", {"slug": "acme"}).status_code == 403


# --- home --------------------------------------------------------------------------------------------------


def open_end(world: World, days: int) -> None:
    Lock.objects.filter(pk=world.acme.phone.pk).update(
        state="unlocked", grant_given_at=timezone.now() - days * DAY, grant_until=None, grant_by="Ana"
    )


def test_the_home_page_names_open_ends_of_more_than_a_week(world: World) -> None:
    open_end(world, 8)

    shown = text(signed_in(world.ana).get("/"))

    assert "1 phone is unlocked until its first fetch, for more than 7 days:" in shown
    assert str(world.acme.phone) not in text(signed_in(world.eve).get("/"))


def test_a_younger_one_is_not_named(world: World) -> None:
    open_end(world, 6)

    assert "for more than 7 days" not in text(signed_in(world.ana).get("/"))
