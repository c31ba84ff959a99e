"""What a person is told of: his own page, its form without a script, and the same by the API."""

import html
from typing import Any

import pytest

from accounts.models import NoticeChoice
from provisioning.noticing import KINDS
from tests.world import World, program, signed_in

URL, API = "/notifications/", "/api/v1/me/notifications/"
USUAL = {kind.value: known.usual.value for kind, known in KINDS.items() if not known.is_supports}


def text(answer: Any) -> str:
    return html.unescape(answer.content.decode())


def chosen() -> list[tuple[str, str, str]]:
    return list(NoticeChoice.objects.order_by("kind").values_list("user__email", "kind", "how"))


def test_the_page_shows_every_kind_with_its_usual_way(world: World) -> None:
    shown = text(signed_in(world.ana).get(URL))

    assert "You hear of the phones of Acme Anvils" in shown
    assert "Bans on addresses of yours" in shown
    assert shown.count("(usual)") == len(USUAL)
    assert "Accounts that ask for MACs of others" not in shown
    assert "Accounts that ask for MACs of others" in text(signed_in(world.sam).get(URL))


def test_choices_are_kept_by_a_form(world: World) -> None:
    ana = signed_in(world.ana)

    answer = ana.post(URL, {**USUAL, "bans": "daily", "yielded": "never"}, follow=True)

    assert chosen() == [("ana@acme.example", "bans", "daily"), ("ana@acme.example", "yielded", "never")]
    assert "2 kinds reach you differently from now on." in text(answer)
    assert text(ana.get(URL)).count("checked") == len(USUAL)
    assert "Nothing was changed" in text(
        ana.post(URL, {**USUAL, "bans": "daily", "yielded": "never"}, follow=True)
    )


@pytest.mark.parametrize("wrong", [{"bans": "never"}, {"bans": ""}, {"waiting": "at-once"}])
def test_a_way_that_is_not_offered_keeps_nothing(wrong: dict[str, str], world: World) -> None:
    answer = signed_in(world.ana).post(URL, {**USUAL, "yielded": "never", **wrong})

    assert answer.status_code == 200
    assert "Nothing was changed" in text(answer)
    assert chosen() == []


def test_a_viewer_is_told_that_nothing_is_sent_to_him(world: World) -> None:
    shown = text(signed_in(world.acme.viewer).get(URL))

    assert "No e-mails are sent to you" in shown
    assert signed_in(world.acme.viewer).post(URL, {"bans": "daily"}).status_code in (200, 302)
    assert chosen() == []
    assert signed_in(world.ben).get(URL).status_code == 403


def test_nobody_s_choices_are_made_while_somebody_acts_for_him(world: World) -> None:
    rita = signed_in(world.rita)
    rita.post("/customers/acme/act/")

    assert rita.get(URL).status_code == 403
    assert rita.post(URL, USUAL).status_code == 403
    assert rita.get(API).status_code == 403
    asked = {"choices": {"bans": "daily"}}
    assert rita.put(API, asked, content_type="application/json").status_code == 403
    assert chosen() == []


def test_the_api_does_the_same(world: World) -> None:
    ana = signed_in(world.ana)

    before = {row["kind"]: row["how"] for row in ana.get(API).json()["choices"]}
    kept = ana.put(API, {"choices": {"bans": "hourly"}}, content_type="application/json")
    wrong = ana.put(API, {"choices": {"bans": "never"}}, content_type="application/json")

    assert before == USUAL
    assert {row["kind"]: row["how"] for row in kept.json()["choices"]} == {**USUAL, "bans": "hourly"}
    assert (wrong.status_code, wrong.json()["errors"][0]["attr"]) == (400, "bans")
    assert chosen() == [("ana@acme.example", "bans", "hourly")]


def test_a_key_is_told_of_nothing(world: World) -> None:
    assert program(world.acme.key).get(API).status_code == 400
    assert program(world.acme.key).put(API, {"choices": {}}, format="json").status_code == 400
