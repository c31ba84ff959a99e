"""A hundred thousand phones over the API: the last page costs what the first one costs."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from accounts.authentication import actor_of
from accounts.models import Account, ApiKey
from accounts.paging import Pages
from accounts.roles import Role
from accounts.scope import Actor
from devices.models import Device
from provisioning import finding
from tests.bench.pages_rows import Campus, fill
from tests.world import program

pytestmark = [pytest.mark.large, pytest.mark.django_db(transaction=True)]
MANY, FEW, LIMIT = 100_000, 100, 500
ORDERED = re.compile(rf'FROM "devices_device".* ORDER BY .* LIMIT {LIMIT + 1}$')
SPARE = 1.5  # a page's blocks may lie a little less well than another's


@pytest.mark.timeout(1800)
def test_the_last_page_costs_what_the_first_one_costs() -> None:
    campus = fill(MANY, 20, datetime.now(tz=UTC))
    neighbours(campus)

    by_name = list(walk("campus", Role.MANAGER, f"limit={LIMIT}"))
    counts = [len(queries) for _, queries in by_name]
    assert max(counts[10:]) <= max(counts[:10]), "a late page asks more than an early one"
    once(by_name, MANY - FEW)
    flat([[sql for sql in queries if ORDERED.search(sql)] for _, queries in by_name])

    by_seen = list(keys_alone(actor_of(campus.manager), "-last_seen__at", "-name", "-mac"))
    once(by_seen, MANY - FEW)
    # Three a page; one more for the count of the first, and one where those begin that never checked in.
    assert sorted(len(queries) for _, queries in by_seen)[-3:] == [3, 4, 4]

    next_door = list(walk("harbour", Role.RESELLER, f"limit={LIMIT}&account=next-door"))
    once(next_door, FEW)
    [found] = [[cost(sql) for sql in queries if ORDERED.search(sql)] for _, queries in next_door]
    assert [rows for rows, _ in found] == [FEW]


def neighbours(campus: Campus) -> None:
    """A few phones of another customer in between, so that the caller does not see all there are."""
    harbour = Account.objects.get(slug="harbour")
    other = Account(slug="next-door", name="Next door", kind=Account.Kind.CUSTOMER)
    other = Account.objects.add_child(harbour, instance=other)
    Device.objects.filter(pk__in=range(7, MANY, MANY // FEW)).update(account=other)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


Page = tuple[list[str], list[str]]  # the codes of its phones, and its queries


def walk(slug: str, role: Role, asked: str) -> Iterator[Page]:
    """Each page of the list over the API, by a key of that account."""
    account = Account.objects.get(slug=slug)
    client = program(str(ApiKey.objects.create_key(name="walks", account=account, role=role.value)[1]))
    url: str | None = f"/api/v1/devices/?{asked}"
    client.get(url)  # what is read once in a process does not count
    while url:
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(url).json()
        yield [row["code"] for row in answer["results"]], [query["sql"] for query in queries.captured_queries]
        url = answer["next"]


def keys_alone(actor: Actor, *order: str) -> Iterator[Page]:
    """Each page in that order, without all that is told of its phones."""
    url: str | None = f"/?limit={LIMIT}"
    while url:
        pages, request = Pages(), Request(APIRequestFactory().get(url))
        with CaptureQueriesContext(connection) as queries:
            page = pages.paginate_queryset(finding.visible_to(actor).order_by(*order), request)
        yield [str(row.code) for row in page or []], [query["sql"] for query in queries.captured_queries]
        url = pages.get_next_link()


def once(pages: list[Page], whole: int) -> None:
    """Each phone stands on one page."""
    shown = [code for codes, _ in pages for code in codes]
    assert len(shown) == len(set(shown)) == whole


def flat(pages: list[list[str]]) -> None:
    """One query finds a page; it looks at no phone that another one has looked at, and reads no more late."""
    assert {len(queries) for queries in pages} == {1}
    costs = [cost(queries[0]) for queries in pages]
    rows, blocks = [rows for rows, _ in costs], [blocks for _, blocks in costs]
    assert sum(rows) <= MANY + 2 * len(pages)  # each page sees where the next one begins
    assert max(rows) <= LIMIT + 1 + FEW
    assert max(blocks[6:]) <= SPARE * max(blocks[1:6])


def cost(sql: str) -> tuple[int, int]:
    """How many rows of phones a query looks at, and how many blocks it reads for all that it does."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}")
        found = cursor.fetchone()[0]
    plan = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    rows = sum(
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        for node in nodes(plan)
        if node.get("Relation Name") == "devices_device"
    )
    return round(rows), plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)
