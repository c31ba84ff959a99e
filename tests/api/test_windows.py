"""Windows, cards, and unlock all over the API."""

from datetime import timedelta

from django.utils import timezone

from provisioning import unlock_all
from provisioning.models import Approval, Job, Lock, Window
from tests.world import HOTEL, World, program, signed_in

API = "/api/v1/"


def test_a_window_is_opened_shown_and_closed(world: World) -> None:
    key = program(world.acme.key)
    starts = (timezone.now() + timedelta(hours=2)).replace(microsecond=0)
    body = {"account": "acme", "address": "192.0.2.40", "hours": 3, "starts": starts.isoformat()}

    opened = key.post(f"{API}windows/", {**body, "devices": [str(world.acme.phone.code)]})

    assert opened.status_code == 201, opened.json()
    said = opened.json()
    assert (said["account"], said["address"], said["covers"], said["listed"]) == (
        "acme",
        "192.0.2.40",
        1,
        True,
    )
    assert said["starts"] == starts.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert said["ends"] == (starts + timedelta(hours=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
    path = f"{API}windows/{said['code']}/"
    assert [row["device"] for row in key.get(path).json()["missing"]] == [str(world.acme.phone.code)]
    assert key.delete(path).status_code == 204
    assert key.get(path).json()["closed_at"] is not None


def test_a_window_that_cannot_be_is_named_by_its_field(world: World) -> None:
    key = program(world.acme.key)
    before = Window.objects.count()
    good = {"account": "acme", "address": "192.0.2.40", "hours": 3}

    for wrong in (
        {"hours": 0}, {"hours": 41}, {"hours": "many"}, {"address": "192.0.2.0/24"}, {"address": "here"},
        {"starts": "2020-01-01T00:00:00Z"}, {"devices": []}, {"site": "yard"}, {"devices": ["x"]},
    ):  # fmt: skip
        answer = key.post(f"{API}windows/", {**good, **wrong})
        assert answer.status_code == 400, (wrong, answer.json())
        assert answer.json()["errors"][0]["attr"].startswith(next(iter(wrong))), answer.json()
    assert Window.objects.count() == before


def test_windows_are_listed_with_those_that_are_open(world: World) -> None:
    key = program(world.acme.key)
    path = f"{API}windows/"

    opened = [row["code"] for row in key.get(path, {"open": "true"}).json()["results"]]
    over = key.get(path, {"open": "false"}).json()["results"]

    assert (opened, over) == ([str(world.acme.window.code)], [])


def test_a_card_is_answered_once(world: World) -> None:
    key = program(world.acme.key)
    path = f"{API}approvals/{world.acme.approval.code}/"

    cards = key.get(f"{API}approvals/").json()["results"]
    assert [(card["code"], card["mac"], card["tries"]) for card in cards] == [
        (str(world.acme.approval.code), world.acme.phone.mac, 2)
    ]
    assert cards[0]["origins"][0]["address"] == HOTEL
    answered = key.post(path, {"decision": "once"})
    assert (answered.status_code, answered.json()["status"]) == (200, "once"), answered.json()
    assert key.get(f"{API}approvals/").json()["results"] == []
    assert key.get(f"{API}approvals/", {"status": "once"}).json()["count"] == 1
    again = key.post(path, {"decision": "deny"})
    assert (again.status_code, again.json()["rule"]) == (409, "E14")
    lock = Lock.objects.get(device=world.acme.phone)
    assert (lock.state, str(lock.grant_origin)) == ("unlocked", HOTEL)


def test_a_card_tells_what_speaks_for_the_address(world: World) -> None:
    card = program(world.acme.key).get(f"{API}approvals/{world.acme.approval.code}/").json()

    assert card["evidence"]["phones_there"] == 0
    assert card["evidence"]["approve_first"] is False
    assert card["evidence"]["first_set_up_from"] == "203.0.113.7"


def test_answers_that_do_not_exist_change_nothing(world: World) -> None:
    path = f"{API}approvals/{world.acme.approval.code}/"

    answer = program(world.acme.key).post(path, {"decision": "perhaps"})

    assert (answer.status_code, answer.json()["errors"][0]["attr"]) == (400, "decision")
    assert Approval.objects.get(pk=world.acme.approval.pk).status == "open"


def test_the_owner_answers_only_from_the_phones_own_place(world: World) -> None:
    path = f"{API}approvals/{world.acme.approval.code}/"
    sent = {"data": {"decision": "once"}, "content_type": "application/json"}

    elsewhere = signed_in(world.ben, REMOTE_ADDR="192.0.2.200").post(path, **sent)
    there = signed_in(world.ben, REMOTE_ADDR=HOTEL).post(path, **sent)

    assert (elsewhere.status_code, there.status_code) == (403, 200)


def test_unlock_all_is_a_job_with_a_result_per_phone(world: World) -> None:
    key = program(world.acme.key)

    started = key.post(f"{API}unlock-all/", {"account": "acme", "for": {"hours": 8}})

    assert started.status_code == 202, started.json()
    path = f"{API}jobs/{started.json()['job']}/"
    waiting = key.get(path).json()
    assert (waiting["total"], waiting["done"] + waiting["skipped"] + waiting["waiting"]) == (2, 2)
    job = Job.objects.get(code=started.json()["job"])
    unlock_all.run(job.pk)
    finished = key.get(path).json()
    assert (finished["done"], finished["skipped"], finished["waiting"]) == (2, 0, 0)
    assert finished["finished_at"] is not None
    assert {row["device"]: row["result"] for row in finished["results"]} == {
        str(world.acme.phone.code): "done",
        str(world.acme.other_phone.code): "done",
    }


def test_unlock_all_is_until_the_first_fetch_unless_said(world: World) -> None:
    started = program(world.acme.key).post(f"{API}unlock-all/", {"account": "acme"}).json()

    unlock_all.run(Job.objects.get(code=started["job"]).pk)

    assert [lock.grant_until for lock in Lock.objects.filter(device__account=world.acme.account)] == [
        None,
        None,
    ]


def test_unlock_all_names_what_is_wrong(world: World) -> None:
    key = program(world.acme.key)

    for body, field in (
        ({"for": "24h"}, "account"),
        ({"account": "acme", "for": "24h", "filter": "all"}, "filter"),
        ({"account": "globex", "for": "24h"}, "account"),
        ({"account": "acme", "for": {"hours": 41}}, "for"),
    ):
        answer = key.post(f"{API}unlock-all/", body)
        assert (answer.status_code, answer.json()["errors"][0]["attr"]) == (400, field), answer.json()
