"""The page of a job: every kind has its words, what was skipped comes first, and it stops by itself."""

import pytest
from django.utils import timezone

from portal.pages.jobs import WORDS
from provisioning.models import Job, JobItem
from tests.portal.reading import said
from tests.world import World, signed_in


def make_job(world: World, kind: str, *, finished: bool) -> Job:
    """Two phones: one done, one skipped after it."""
    job = Job.objects.create(
        account=world.acme.account, kind=kind, by="Ana of acme (ana@acme.example)", total=2, done=1, skipped=1
    )
    done, skipped = world.acme.phone, world.acme.other_phone
    for device, result, why in ((done, "done", ""), (skipped, "skipped", "It is disabled.")):
        JobItem.objects.create(
            job=job, device=device, name=device.name, mac=device.mac, result=result, rule="E3", why=why
        )
    if finished:
        Job.objects.filter(pk=job.pk).update(finished_at=timezone.now())
    return job


@pytest.mark.parametrize("kind", list(Job.Kind))
def test_every_kind_has_its_words(kind: Job.Kind, world: World) -> None:
    job = make_job(world, kind.value, finished=True)

    page = signed_in(world.ana).get(f"/jobs/{job.code}/")

    text = said(page)
    assert WORDS[kind.value].heading(job) in text
    assert "2 phones" in WORDS[kind.value].heading(job)
    assert f"1 {WORDS[kind.value].done}" in text
    assert text.index("It is disabled.") < text.index(world.acme.phone.name), "what was skipped comes first"
    assert "hx-trigger" not in page.content.decode().partition('id="job"')[2]


def test_while_it_runs_it_asks_again_where_it_was(world: World) -> None:
    job = make_job(world, "lock", finished=False)
    ana = signed_in(world.ana)

    part = ana.get(f"/jobs/{job.code}/", headers={"HX-Request": "true"}).content.decode()

    assert f'hx-get="/jobs/{job.code}/?page=1" hx-trigger="every 1s"' in part
    assert "<html" not in part
    assert 'value="2" max="2"' in part


def test_a_viewer_sees_a_job_and_a_sibling_does_not(world: World) -> None:
    job = make_job(world, "import", finished=True)

    for user, status in ((world.acme.viewer, 200), (world.rita, 200), (world.eve, 404), (world.ben, 403)):
        assert signed_in(user).get(f"/jobs/{job.code}/").status_code == status
