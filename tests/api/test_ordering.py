"""Every list of the API in each of its orders, page by page; and narrowed by what a program asks by."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.filtering import Ordering
from devices.models import Device, Extension
from portal.api_urls import urlpatterns
from provisioning import incidents, unlock_all
from provisioning.models import DeviceEvent, Job
from tests.test_queries import grow
from tests.url_map import api_urls
from tests.world import World, actor, program, signed_in

pytestmark = pytest.mark.django_db


def ordered() -> Iterator[tuple[str, Ordering]]:
    """The lists that have orders, by the names of their URLs."""
    for entry in urlpatterns:
        view: Any = entry.callback
        kind, given = getattr(view, "cls", None), getattr(view, "initkwargs", {})
        filters = given.get("filterset_class", getattr(kind, "filterset_class", None))
        is_list = getattr(view, "actions", {}).get("get") == "list" or given.get("filterset_class")
        if is_list and filters is not None and (found := filters.base_filters.get("ordering")):
            yield str(entry.name), found


ORDERED = dict(ordered())


def test_the_lists_with_orders_are_found() -> None:
    assert {"account-list", "api-key-list", "device-list", "device-events", "job-list"} <= set(ORDERED)
    assert len(ORDERED) >= 15


def rows(client: Client, url: str) -> list[dict[str, Any]]:
    """All rows of a list, over as many pages as it has."""
    found: list[dict[str, Any]] = []
    next_: str | None = url
    while next_:
        answer = client.get(next_)
        assert answer.status_code == 200, (next_, answer.content)
        found += answer.json()["results"]
        next_ = answer.json()["next"]
    return found


@pytest.mark.timeout(600)
def test_each_order_is_one_order_both_ways_in_pages_of_any_length(world: World) -> None:
    grow(world)
    incidents.end(world.globex.incident, how="They are back", now=timezone.now())
    rita, urls, short = signed_in(world.rita), api_urls(world.acme), []

    for name, ordering in ORDERED.items():
        url = urls[name].partition("?")[0]
        for order in ordering.orders:
            whole = rows(rita, f"{url}?ordering={order}")
            short += [name] if len(whole) < 2 else []
            assert rows(rita, f"{url}?ordering={order}&limit=3") == whole, (name, order)
            back = order.removeprefix("-") if order.startswith("-") else f"-{order}"
            assert rows(rita, f"{url}?ordering={back}&limit=4") == whole[::-1], (name, order)
    assert set(short) <= {"ban-list", "allowed-network-list", "webhook-list", "webhook-deliveries"}, (
        "these lists have too few rows"
    )


@pytest.fixture
def grown(world: World) -> World:
    """A world where each filter has something to keep and something to leave out."""
    acme, now = world.acme, timezone.now()
    Job.objects.filter(pk=acme.job.pk).update(finished_at=None, started_at=None)
    done = unlock_all.start(acme.account, by=actor(world.ana), span=None, filter={})
    Job.objects.filter(pk=done.pk).update(finished_at=now, kind="lock")
    Extension.objects.create(account=acme.account, username="7070", secret=b"", in_directory=False)
    Device.objects.filter(pk=acme.other_phone.pk).update(is_enabled=False)
    DeviceEvent.objects.create(
        device=acme.phone, account=acme.account, mac=acme.phone.mac, at=now - timedelta(days=3),
        what="request", outcome="refused", rule="R6", address="198.51.100.7",
    )  # fmt: skip
    return world


def narrowed() -> Iterator[tuple[str, str]]:
    yield from (
        ("extensions/", "username=7070"), ("extensions/", "in_directory=false"),
        ("extensions/", "device={phone}"), ("devices/", "is_enabled=false"), ("devices/", "seen_since={now}"),
        ("jobs/", "kind=lock"), ("jobs/", "finished=true"), ("jobs/", "finished=false"),
        ("devices/{phone}/events/", "rule=R6"), ("devices/{phone}/events/", "outcome=refused"),
        ("devices/{phone}/events/", "what=request"), ("devices/{phone}/events/", "until={yesterday}"),
        ("devices/{phone}/events/", "since={yesterday}"), ("audit/", "target_kind=device"),
        ("audit/", "actor=ana"), ("audit/", "verb=site.created"), ("accounts/", "parent=harbour"),
        ("api-keys/", "prefix={prefix}"), ("windows/", "until={yesterday}"), ("sites/", "search=zzz"),
    )  # fmt: skip


@pytest.mark.parametrize(("path", "asked"), list(narrowed()))
def test_a_list_is_narrowed_by_what_is_asked(grown: World, path: str, asked: str) -> None:
    now = timezone.now()
    places = {"phone": str(grown.acme.phone.code), "now": moment(now)}
    places["prefix"] = grown.acme.key.partition(".")[0]
    places["yesterday"] = moment(now - timedelta(days=1))
    rita, (path, asked) = signed_in(grown.rita), (path.format(**places), asked.format(**places))

    whole, kept = rows(rita, f"/api/v1/{path}"), rows(rita, f"/api/v1/{path}?{asked}")

    assert len(kept) < len(whole)
    assert [row for row in whole if row in kept] == kept
    name, _, value = asked.partition("=")
    if kept and isinstance(kept[0].get(name), str) and name not in ("parent",):
        assert all(value in row[name].lower() or row[name] == value for row in kept)


def moment(at: Any) -> str:
    return str(at.isoformat().replace("+00:00", "Z"))


def test_a_program_finds_the_one_that_it_means(grown: World) -> None:
    key, phone = program(grown.acme.key), str(grown.acme.phone.code)

    [line] = rows(key, "/api/v1/extensions/?username=7070")
    shown = rows(key, f"/api/v1/extensions/?device={phone}")
    [done] = rows(key, "/api/v1/jobs/?finished=true")
    [old] = rows(key, f"/api/v1/devices/{phone}/events/?until={moment(timezone.now() - timedelta(days=2))}")
    [disabled] = rows(key, "/api/v1/devices/?is_enabled=false")

    assert line["in_directory"] is False
    assert grown.acme.extension.username in [row["username"] for row in shown]
    assert "7070" not in [row["username"] for row in shown]
    assert (done["kind"], done["finished_at"] is not None) == ("lock", True)
    assert (old["rule"], old["outcome"]) == ("R6", "refused")
    assert disabled["code"] == str(grown.acme.other_phone.code)


def test_nobody_learns_of_a_foreign_phones_lines(world: World) -> None:
    foreign = program(world.globex.key).get(f"/api/v1/extensions/?device={world.acme.phone.code}").json()

    assert foreign["results"] == []


def test_the_children_of_an_account_stand_right_below_it(world: World) -> None:
    grow(world)
    sam = signed_in(world.rita)

    slugs = {row["slug"] for row in rows(sam, "/api/v1/accounts/?parent=harbour")}

    assert {"acme", "globex", "more-0"} <= slugs
    assert "harbour" not in slugs
    assert sam.get("/api/v1/accounts/?parent=nowhere").json()["errors"][0]["attr"] == "parent"


def test_what_a_list_is_asked_leaves_its_rows_alone(world: World) -> None:
    key = program(world.acme.key)

    assert key.get(f"/api/v1/devices/{world.acme.phone.code}/?state=disabled").status_code == 200
