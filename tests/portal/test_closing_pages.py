"""Closing times and holidays: by page and by API."""

from datetime import date, timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.roles import Role
from devices.models import Holiday
from provisioning import opening_hours
from tests.world import World, make_key, program, signed_in

SOON: date = timezone.now().date() + timedelta(days=20)
OFFICE = ["07:00-12:00, 13:00-19:00"] * 5 + ["", ""]


def form(**more: str) -> dict[str, str]:
    return {**{f"day_{number}": line for number, line in enumerate(OFFICE)}, "holidays": "", **more}


def test_a_manager_enters_when_nobody_is_there(world: World) -> None:
    site, ana = world.acme.site, signed_in(world.ana)

    answer = ana.post(
        reverse("site-closing", args=[site.code]), form(holidays=f"{SOON} Founder's day"), follow=True
    )

    site.refresh_from_db()
    assert opening_hours.say(site.opening) == OFFICE
    assert [(row.day, row.name) for row in site.holidays.all()] == [(SOON, "Founder's day")]
    text = answer.content.decode()
    assert "Monday 07:00-12:00, 13:00-19:00" in text
    assert "Founder&#x27;s day" in text
    page = ana.get(reverse("site-closing", args=[site.code])).content.decode()
    assert f"{SOON} Founder&#x27;s day" in page
    assert 'value="07:00-12:00, 13:00-19:00"' in page


@pytest.mark.parametrize(
    ("case", "more", "words"),
    [
        ("no hours", {"day_2": "noon"}, "Wednesday: "),
        ("no date", {"holidays": "Christmas"}, "is no line such as"),
        ("no name", {"holidays": f"{SOON}"}, "is missing"),
    ],
)
def test_what_cannot_be_read_is_said_at_the_form_and_nothing_is_kept(
    world: World, case: str, more: dict[str, str], words: str
) -> None:
    answer = signed_in(world.ana).post(reverse("site-closing", args=[world.acme.site.code]), form(**more))

    assert answer.status_code == 200
    assert words in answer.content.decode()
    world.acme.site.refresh_from_db()
    assert (world.acme.site.opening, Holiday.objects.count()) == (None, 0)


def test_an_account_has_holidays_for_all_its_sites(world: World) -> None:
    answer = signed_in(world.ana).post(
        reverse("account-holidays", args=["acme"]), {"holidays": f"{SOON} May day"}
    )

    assert answer.status_code == 302
    row = Holiday.objects.get()
    assert (row.account, row.site, row.name) == (world.acme.account, None, "May day")


def test_who_may_not_edit_sites_is_turned_away(world: World) -> None:
    for url in (
        reverse("site-closing", args=[world.acme.site.code]),
        reverse("account-holidays", args=["acme"]),
    ):
        assert signed_in(world.eve).post(url, form()).status_code == 404
        assert signed_in(world.ben).post(url, form()).status_code == 403
    assert Holiday.objects.count() == 0


def test_a_program_reads_and_gives_closing_times(world: World) -> None:
    key = program(make_key(world.acme.account, Role.MANAGER, world.ana))
    url = f"/api/v1/sites/{world.acme.site.code}/closing-times/"
    wanted = {"opening": OFFICE, "holidays": [{"day": str(SOON), "name": "Founder's day"}]}

    assert key.get(url).json() == {"opening": None, "holidays": []}
    assert key.put(url, wanted, format="json").json() == wanted
    only = {"holidays": []}
    assert key.put(url, only, format="json").json() == {**wanted, **only}

    answer = key.put(url, {"opening": ["x"] * 7}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


def test_a_program_gives_an_accounts_holidays(world: World) -> None:
    key = program(make_key(world.acme.account, Role.MANAGER, world.ana))
    wanted = {"account": "acme", "holidays": [{"day": str(SOON), "name": "May day"}]}

    assert key.put("/api/v1/holidays/", wanted, format="json").json() == wanted
    assert key.get("/api/v1/holidays/?account=acme").json() == wanted
    assert key.get("/api/v1/holidays/?account=globex").status_code == 400
