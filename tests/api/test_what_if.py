"""What if over the API: started by support, read while it runs and afterwards."""

import pytest
from rest_framework.test import APIClient

from accounts.roles import Role
from provisioning import replaying
from provisioning.models import Job
from tests.world import World, make_key, program

pytestmark = [pytest.mark.django_db, pytest.mark.rule("B9")]


@pytest.fixture
def support(world: World) -> APIClient:
    return program(make_key(world.platform, Role.SUPPORT, world.sam))


def test_it_is_started_and_read(support: APIClient) -> None:
    started = support.post("/api/v1/what-if/", {"base": 5, "hours": [1, 2, 3]}, format="json")
    code = started.json()["job"]
    before = support.get(f"/api/v1/what-if/{code}/").json()
    replaying.run(Job.objects.get(code=code).pk)
    after = support.get(f"/api/v1/what-if/{code}/").json()

    assert started.status_code == 202
    assert before["wanted"] == {
        "base": 5, "percent": 10, "most": 500, "allowed": 500, "crowd": 10, "hours": [1, 2, 3], "days": 30,
    }  # fmt: skip
    assert (before["percent"], before["result"], before["finished_at"]) == (0, None, None)
    assert after["percent"] == 100
    assert after["result"]["would_be"] == 0
    assert after["result"]["bans"] == []
    assert after["finished_at"]


def test_a_wrong_number_is_named(support: APIClient) -> None:
    for wrong in ({"base": 0}, {"days": 31}, {"hours": [1, 2]}, {"hours": [0, 1, 2]}, {"crowd": 3}):
        answer = support.post("/api/v1/what-if/", wrong, format="json")
        assert answer.status_code == 400, wrong
        assert next(iter(wrong)) in answer.content.decode()
    assert not Job.objects.filter(kind=replaying.KIND).exists()


def test_a_second_one_is_refused_while_the_first_runs(support: APIClient) -> None:
    support.post("/api/v1/what-if/", {}, format="json")

    answer = support.post("/api/v1/what-if/", {}, format="json")

    assert answer.status_code == 409
    assert answer.json()["rule"] == "B9"


def test_it_is_supports_alone(world: World, support: APIClient) -> None:
    code = support.post("/api/v1/what-if/", {}, format="json").json()["job"]

    keys = [make_key(world.platform, role, world.sam) for role in (Role.VIEWER, Role.MANAGER)]
    for text in (*keys, make_key(world.harbour, Role.RESELLER, world.sam)):
        other = program(text)
        assert other.post("/api/v1/what-if/", {}, format="json").status_code == 403
        assert other.get(f"/api/v1/what-if/{code}/").status_code == 404
    assert program().get(f"/api/v1/what-if/{code}/").status_code == 401
    assert support.get(f"/api/v1/what-if/{world.acme.job.code}/").status_code == 404
