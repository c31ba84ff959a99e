"""What if on pages: support tries thresholds, sees how far it is and reads the bans; nobody else does."""

from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from provisioning import replaying
from provisioning.models import FailureKey, Job, ProvedHour
from security.models import Ban
from security.networks import origin_of, parse_address
from tests.portal.reading import said
from tests.world import World, signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.rule("B9")]

HERE = "198.51.100.24"
TODAY = {
    "base": 10, "percent": 10, "most": 500, "allowed": 500, "crowd": 10,
    "first": 1, "second": 4, "third": 24, "days": 30,
}  # fmt: skip


@pytest.fixture
def sam(world: World) -> Client:
    return signed_in(world.sam)


def seven_failures(now: datetime) -> None:
    origin = origin_of(parse_address(HERE))
    where = {"first": origin.hex_first, "last": origin.hex_last}
    at = now - timedelta(days=1)
    hour = at.replace(minute=0, second=0, microsecond=0)
    FailureKey.objects.bulk_create(
        FailureKey(**where, kind="unknown-mac", label=f"00005e02{n:04x}", hour=hour, first_at=at, last_at=at)
        for n in range(7)
    )
    ProvedHour.objects.create(**where, hour=hour, counts=[[at.timestamp(), 5, {}, 0, ""]])


def newest() -> Job:
    job = Job.objects.filter(kind=replaying.KIND).first()
    assert job is not None
    return job


def test_support_tries_other_thresholds_and_reads_what_they_would_have_done(
    world: World, sam: Client
) -> None:
    seven_failures(timezone.now())
    assert "What if?" in said(sam.get("/bans/"))
    assert "Today 10." in said(sam.get("/what-if/"))

    answer = sam.post("/what-if/", TODAY | {"base": 5, "third": 48})
    job = newest()

    assert answer.headers["Location"] == f"/what-if/{job.code}/"
    running = sam.get(f"/what-if/{job.code}/")
    assert "0 % of the time is gone through" in said(running)
    assert b'http-equiv="refresh"' in running.content
    replaying.run(job.pk)
    shown = sam.get(f"/what-if/{job.code}/")
    words = said(shown)
    assert "5 failures for anybody, bans of 1, 4, 48 hours" in words
    assert "1 ban there would have been, 1 of them where phones live. There was none." in words
    assert f"{HERE}First ban in 24 hours55" in words
    assert "Not banned" in words
    assert "What is on no record" in words
    assert b"refresh" not in shown.content
    assert "5 failures for anybody, bans of 1, 4, 48 hours" in said(sam.get("/what-if/"))
    fragment = sam.get(f"/what-if/{job.code}/", headers={"HX-Request": "true"})
    assert b"<html" not in fragment.content
    assert b"1 ban there would have been" in fragment.content


def test_what_was_banned_and_would_not_have_been_is_named(world: World, sam: Client) -> None:
    now = timezone.now()
    origin = origin_of(parse_address(HERE))
    Ban.objects.create(
        kind="banned", first=origin.hex_first, last=origin.hex_last, step=1, set_by="earned (B3)",
        starts_at=now - timedelta(days=2), ends_at=now - timedelta(days=2, hours=-1),
    )  # fmt: skip

    sam.post("/what-if/", TODAY)
    replaying.run(newest().pk)

    words = said(sam.get(f"/what-if/{newest().code}/"))
    assert "Nobody would have been banned. There was 1: 0 would have been again." in words
    assert f"Was banned, and would not have been AddressFromTo {HERE}" in words
    assert "Today's thresholds" in words


def test_a_mistake_is_said_at_its_field_and_starts_nothing(world: World, sam: Client) -> None:
    for wrong in ({"base": 0}, {"days": 31}, {"crowd": 9}, {"third": ""}):
        shown = sam.post("/what-if/", TODAY | wrong)
        assert shown.status_code == 200
        assert "Nothing was tried" in said(shown)

    assert not Job.objects.filter(kind=replaying.KIND).exists()


def test_a_second_one_waits_for_the_first(world: World, sam: Client) -> None:
    sam.post("/what-if/", TODAY)

    shown = said(sam.post("/what-if/", TODAY))

    assert "Another what-if is running" in shown
    assert Job.objects.filter(kind=replaying.KIND).count() == 1


def test_one_that_came_to_no_end_says_so(world: World, sam: Client) -> None:
    sam.post("/what-if/", TODAY)
    Job.objects.filter(kind=replaying.KIND).update(finished_at=timezone.now())

    assert "This came to no end" in said(sam.get(f"/what-if/{newest().code}/"))


def test_nobody_but_platform_support_gets_there(world: World, sam: Client) -> None:
    sam.post("/what-if/", TODAY)
    code = newest().code

    for user in (world.rita, world.ana, world.acme.viewer, world.ben):
        client = signed_in(user)
        assert client.get("/what-if/").status_code == 403
        assert client.post("/what-if/", TODAY).status_code == 403
        assert client.get(f"/what-if/{code}/").status_code in (403, 404)
        assert client.get(f"/api/v1/what-if/{code}/").status_code == 404
        assert client.get(f"/jobs/{code}/").status_code in (403, 404)
    assert sam.get(f"/jobs/{code}/").status_code == 404
    assert "What if?" not in said(signed_in(world.ana).get("/bans/"))
    assert Job.objects.filter(kind=replaying.KIND).count() == 1
