"""A key is rotated without a minute in which no key works: both open for a while, the old one ends itself."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from accounts import keys
from accounts.models import Account, ApiKey, AuditEntry
from accounts.refusals import Invalid, Refusal
from accounts.roles import Role
from tests.provisioning.making import make_account, support
from tests.provisioning.test_take_back_races import together
from tests.world import World, actor, make_key, program, signed_in

ME = "/api/v1/me/"


def row_of(text: str) -> ApiKey:
    row: ApiKey = ApiKey.objects.select_related("account").get(prefix=text.partition(".")[0])
    return row


def rotated(by: str, code: Any, **body: Any) -> Any:
    return program(by).post(f"/api/v1/api-keys/{code}/rotate/", body)


def opens(text: str, **more: Any) -> bool:
    answer = program(text, **more).get(ME)
    assert answer.status_code in (200, 401)
    return bool(answer.status_code == 200)


def kept() -> tuple[list[Any], int]:
    rows = ApiKey.objects.order_by("pk").values_list("pk", "expiry_date", "replaced_by", "revoked")
    return list(rows), AuditEntry.objects.count()


def test_both_keys_work_during_the_overlap_and_the_old_one_ends_by_itself(world: World) -> None:
    start = timezone.now()
    old = make_key(world.acme.account, Role.MANAGER, world.ana)

    with time_machine.travel(start, tick=False):
        answer = rotated(old, row_of(old).code)
    new = answer.json()["key"]
    seen = {}
    for hours in (0, 23.99, 24.01):
        with time_machine.travel(start + timedelta(hours=hours), tick=False):
            seen[hours] = (opens(old), opens(new))

    assert answer.status_code == 201
    assert seen == {0: (True, True), 23.99: (True, True), 24.01: (False, True)}


def test_the_new_key_is_like_the_old_and_each_names_the_other(world: World) -> None:
    end = timezone.now() + timedelta(days=30)
    old = make_key(world.acme.account, Role.VIEWER, world.ana, networks=["198.51.100.0/24"], expires_at=end)

    answer = rotated(world.acme.key, row_of(old).code, overlap_hours=2)

    before, after = row_of(old), row_of(answer.json()["key"])
    assert (after.account, after.name, after.role) == (before.account, before.name, "viewer")
    assert (after.networks, after.expiry_date, after.replaced_by) == (["198.51.100.0/24"], end, None)
    assert before.replaced_by == after
    shown = program(world.acme.key).get(f"/api/v1/api-keys/{before.code}/").json()
    assert shown["replaced_by"] == str(after.code) == answer.json()["code"]
    assert timedelta(minutes=119) < before.expiry_date - timezone.now() <= timedelta(hours=2)
    assert not opens(answer.json()["key"], REMOTE_ADDR="192.0.2.1")
    entry = AuditEntry.objects.get(verb="api-key.rotated")
    assert (entry.target_code, entry.details["prefix"]) == (str(before.code), after.prefix)
    assert entry.details["until"] == before.expiry_date.isoformat()


def test_an_end_is_never_put_off(world: World) -> None:
    end = timezone.now() + timedelta(hours=3)
    old = make_key(world.acme.account, Role.VIEWER, world.ana, expires_at=end)

    answer = rotated(world.acme.key, row_of(old).code, overlap_hours=720)

    assert answer.status_code == 201
    assert (row_of(old).expiry_date, row_of(answer.json()["key"]).expiry_date) == (end, end)


def test_without_an_overlap_the_old_key_ends_now(world: World) -> None:
    old = make_key(world.acme.account, Role.VIEWER, world.ana)

    new = rotated(world.acme.key, row_of(old).code, overlap_hours=0).json()["key"]

    assert (opens(old), opens(new)) == (False, True)


def test_a_viewers_key_rotates_itself_and_no_other(world: World) -> None:
    own = make_key(world.acme.account, Role.VIEWER, world.ana)
    other = make_key(world.acme.account, Role.VIEWER, world.ana)
    before = kept()

    refused = rotated(own, row_of(other).code)
    unchanged = kept() == before
    answer = rotated(own, row_of(own).code)

    assert (refused.status_code, unchanged) == (403, True)
    assert answer.status_code == 201
    assert program(answer.json()["key"]).get(ME).json()["roles"] == [{"account": "acme", "role": "viewer"}]


def test_whoever_could_not_make_the_key_cannot_rotate_it(world: World) -> None:
    above = row_of(make_key(world.harbour, Role.RESELLER, world.rita))
    manager = make_key(world.harbour, Role.MANAGER, world.rita)
    before = kept()

    answer = rotated(manager, above.code)

    assert answer.status_code == 403
    assert kept() == before


@pytest.mark.parametrize("case", ["revoked", "rotated", "ended"])
def test_a_key_past_its_use_is_not_rotated(world: World, case: str) -> None:
    text = make_key(world.acme.account, Role.VIEWER, world.ana)
    row = row_of(text)
    if case == "revoked":
        keys.revoke(row, by=actor(world.ana))
    elif case == "rotated":
        keys.rotate(row, by=actor(world.ana))
    else:
        ApiKey.objects.filter(pk=row.pk).update(expiry_date=timezone.now())
    before = kept()

    answer = rotated(world.acme.key, row.code)

    assert (answer.status_code, answer.json()["code"]) == (409, case)
    assert kept() == before


@pytest.mark.parametrize("hours", [-1, 721, "long", None, 1.5])
def test_an_overlap_is_whole_hours_up_to_thirty_days(world: World, hours: Any) -> None:
    row, before = row_of(make_key(world.acme.account, Role.VIEWER, world.ana)), kept()

    answer = program(world.acme.key).post(f"/api/v1/api-keys/{row.code}/rotate/", {"overlap_hours": hours})

    assert (answer.status_code, answer.json()["errors"][0]["attr"]) == (400, "overlap_hours")
    assert kept() == before
    with pytest.raises(Invalid):
        keys.rotate(row, by=actor(world.ana), overlap=timedelta(hours=721))
    assert kept() == before


def test_the_page_shows_the_new_key_once_and_until_when_the_old_one_goes_on(world: World) -> None:
    old = row_of(make_key(world.acme.account, Role.VIEWER, world.ana))
    ana = signed_in(world.ana)

    asked = ana.get(f"/keys/{old.code}/rotate/").content.decode()
    made = ana.post(f"/keys/{old.code}/rotate/", {"overlap_hours": "168"})
    listed = ana.get("/keys/").content.decode()

    old.refresh_from_db()
    new = old.replaced_by
    assert "Both keys work until the old one ends by itself" in asked
    assert made["Cache-Control"].startswith("max-age=0")
    text = made.content.decode().split('<span class="l">')[1].split("<")[0]
    assert row_of(text) == new
    assert opens(text)
    assert f"Replaced by {new.prefix}, until" in listed
    assert text not in listed
    assert f"/keys/{old.code}/rotate/" not in listed
    assert f"/keys/{new.code}/rotate/" in listed


def test_the_page_says_why_a_key_is_not_rotated(world: World) -> None:
    old = row_of(make_key(world.acme.account, Role.VIEWER, world.ana))
    keys.rotate(old, by=actor(world.ana))
    before = kept()

    page = signed_in(world.ana).post(f"/keys/{old.code}/rotate/", {"overlap_hours": "24"})

    assert "This key was rotated already. Rotate the new one." in page.content.decode()
    assert kept() == before


@pytest.mark.both
@pytest.mark.django_db(transaction=True)
def test_two_rotations_at_once_make_one_new_key() -> None:
    account = make_account("platform", kind=Account.Kind.PLATFORM)
    by = support()
    for _ in range(8):
        key, _text = keys.create(account, by=by, name="Switch", role=Role.VIEWER)
        before = ApiKey.objects.count()

        rotate = partial(keys.rotate, key, by=by)
        answers = together(rotate, rotate)

        refused = [answer for answer in answers if isinstance(answer, Refusal)]
        assert [answer.code for answer in refused] == ["rotated"]
        assert ApiKey.objects.count() == before + 1
        won = next(answer for answer in answers if not isinstance(answer, Refusal))
        key.refresh_from_db()
        assert key.replaced_by == won[0]
