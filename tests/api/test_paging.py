"""Pages by a cursor: whatever comes or goes between them, what stays is shown once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from accounts.models import Account
from accounts.paging import Pages, columns_of
from devices.models import Device, Extension
from provisioning.models import LastSeen
from tests.world import World, program, signed_in

pytestmark = pytest.mark.django_db

SINCE = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)
#: Ties, nulls, other tables, both ways, and columns that go different ways.
ORDERS = (
    ("name", "mac"), ("-name", "-mac"), ("name",), ("-created_at",), ("model", "-name", "mac"), ("code",),
    ("last_seen__at", "name", "mac"), ("-last_seen__at", "-name", "-mac"), ("-last_seen__at", "name"),
    ("site__name", "name"), ("-account__slug", "model"), ("-pk",), (), ("is_enabled", "-poll_minute"),
)  # fmt: skip


@dataclass(frozen=True)
class Phone:
    name: str
    model: str
    seen: int | None
    minute: int


PHONES = st.builds(
    Phone,
    name=st.sampled_from(["", "Desk", "Ünder", "desk"]),
    model=st.sampled_from(["T46U", "T42S"]),
    seen=st.none() | st.integers(0, 2),
    minute=st.integers(0, 1),
)
EDITS = st.lists(st.none() | PHONES | st.integers(0, 30), max_size=12)


class Street:
    """The phones of an account as bare rows, in one order, walked page by page."""

    def __init__(self, account: Account, order: tuple[str, ...], limit: int) -> None:
        Device.objects.filter(account=account).delete()
        self.account, self.order, self.limit, self.made = account, order, limit, 0

    def add(self, phone: Phone) -> None:
        self.made += 1
        row = Device.objects.create(
            account=self.account, mac=f"00005e{(self.made * 7919) % 0xFFFFFF:06x}", family="yealink",
            model=phone.model, name=phone.name, poll_minute=phone.minute, is_enabled=phone.minute == 0,
            created_at=SINCE + timedelta(microseconds=phone.minute),
        )  # fmt: skip
        if phone.seen is not None:
            LastSeen.objects.create(device=row, at=SINCE + timedelta(hours=phone.seen), address="203.0.113.7")

    def edit(self, what: Phone | int | None) -> None:
        """A phone comes, or one goes."""
        if isinstance(what, Phone):
            self.add(what)
        elif what is not None and (rows := list(Device.objects.filter(account=self.account).order_by("pk"))):
            rows[what % len(rows)].delete()

    def there(self) -> set[int]:
        return set(Device.objects.filter(account=self.account).values_list("pk", flat=True))

    def page(self, url: str) -> tuple[list[int], Pages]:
        pages = Pages()
        rows = Device.objects.filter(account=self.account).select_related("last_seen", "account", "site")
        request = Request(APIRequestFactory().get(url))
        page = pages.paginate_queryset(rows.order_by(*self.order), request)
        assert page is not None
        return [row.pk for row in page], pages

    def walk(self, url: str | None, way: Callable[[Pages], str | None]) -> Iterator[tuple[list[int], Pages]]:
        while url:
            found, pages = self.page(url)
            assert len(found) <= self.limit
            yield found, pages
            url = way(pages)

    def in_order(self) -> list[int]:
        """Sorted by Python: null is less than anything."""
        rows = list(Device.objects.filter(account=self.account).select_related("last_seen", "account"))
        for column in reversed(columns_of(Device.objects.order_by(*self.order))):

            def key(row: Device, column: Any = column) -> tuple[bool, Any]:
                value: Any = row
                for part in column.name.split("__"):
                    value = getattr(value, part, None)
                return value is not None, value

            rows.sort(key=key, reverse=column.descending)
        return [row.pk for row in rows]


def after(pages: Pages) -> str | None:
    return pages.get_next_link()


def before(pages: Pages) -> str | None:
    return pages.get_previous_link()


@settings(max_examples=120)
@given(
    order=st.sampled_from(ORDERS),
    phones=st.lists(PHONES, max_size=14),
    edits=EDITS,
    back=EDITS,
    limit=st.integers(1, 5),
)
def test_what_stays_is_shown_once_whatever_comes_and_goes(
    acme: Account, order: tuple[str, ...], phones: list[Phone], edits: list[Any], back: list[Any], limit: int
) -> None:
    street = Street(acme, order, limit)
    for phone in phones:
        street.add(phone)
    at_first, shown, last, counts = street.there(), [], "", set()

    for page, pages in street.walk(f"/?limit={limit}", after):
        shown += page
        counts.add(pages.count)
        street.edit(edits.pop() if edits else None)
        last = before(pages) or ""
    assert len(shown) == len(set(shown))
    assert at_first & street.there() <= set(shown)
    assert counts == {len(phones)}

    at_last = street.there()
    returned: list[int] = []
    for page, pages in street.walk(last, before):
        returned += reversed(page)
        street.edit(back.pop() if back else None)
        counts.add(pages.count)
    assert len(returned) == len(set(returned))
    assert counts == {len(phones)}
    page_of_last = set(shown[-limit:])
    assert (set(shown) & at_last & street.there()) - page_of_last <= set(returned)


@settings(max_examples=60)
@given(order=st.sampled_from(ORDERS[:-1]), phones=st.lists(PHONES, max_size=14), limit=st.integers(1, 5))
def test_pages_both_ways_and_by_offset_keep_the_one_order(
    acme: Account, order: tuple[str, ...], phones: list[Phone], limit: int
) -> None:
    street = Street(acme, order, limit)
    for phone in phones:
        street.add(phone)
    on = list(street.walk(f"/?limit={limit}", after))
    shown = [pk for page, _ in on for pk in page]

    by_offset = [street.page(f"/?limit={limit}&offset={at}")[0] for at in range(0, len(shown), limit)]
    back = list(street.walk(before(on[-1][1]), before))

    assert [page for page, _ in on if page] == by_offset
    assert [page for page, _ in back] == [page for page, _ in on[-2::-1]]
    assert (before(on[0][1]), after(on[-1][1])) == (None, None)
    if not any("name" in name or "slug" in name for name in order):  # databases sort text by their own rules
        assert shown == street.in_order()


def test_an_empty_page_leads_back_to_the_end(acme: Account) -> None:
    street = Street(acme, ("name",), 2)
    for _ in range(4):
        street.add(Phone("Desk", "T46U", None, 0))
    (first, _), (second, pages) = street.walk("/?limit=2", after)
    Device.objects.filter(pk__in=second).delete()

    beyond = before(pages)  # from where the second page was
    assert beyond is not None
    assert street.page(beyond)[0] == first
    at_first = street.page("/?limit=2")[1]
    assert after(at_first) is None

    street.add(Phone("Desk", "T46U", None, 0))
    on = after(street.page("/?limit=2")[1])
    assert on is not None
    Device.objects.exclude(pk__in=first).delete()
    nothing, pages = street.page(on)
    back = before(pages)
    assert nothing == []
    assert back is not None
    assert street.page(back)[0] == first


def test_an_order_that_can_be_null_within_is_none() -> None:
    with pytest.raises(TypeError):
        columns_of(Device.objects.order_by("name", "last_seen__at"))


# --- over the API ------------------------------------------------------------------------------------------


def extensions(world: World, count: int) -> None:
    rows = [Extension(account=world.acme.account, username=f"7{at:03}", secret=b"") for at in range(count)]
    Extension.objects.bulk_create(rows)


def test_a_list_leads_on_by_itself_and_counts_once(world: World) -> None:
    extensions(world, 5)
    key, url, names, counts = program(world.acme.key), "/api/v1/extensions/?limit=2&search=7", [], []
    while url:
        answer = key.get(url).json()
        names += [row["username"] for row in answer["results"]]
        counts.append(answer["count"])
        Extension.objects.create(account=world.acme.account, username=f"6{len(names)}7", secret=b"")
        url = answer["next"]

    assert names == [f"7{at:03}" for at in range(5)]
    assert counts == [5, 5, 5]


@pytest.mark.parametrize("cursor", ["7", "å", "%00", "A" * 80, "AAAA.BBBB", "=", "x" * 5000])
def test_a_cursor_that_is_none_is_named(world: World, cursor: str) -> None:
    answer = program(world.acme.key).get(f"/api/v1/extensions/?cursor={cursor}")

    assert answer.status_code == 400
    assert [error["attr"] for error in answer.json()["errors"]] == ["cursor"]


@pytest.mark.parametrize(
    "other",
    [
        "sites/?limit=1", "extensions/?limit=1&ordering=-username", "extensions/?limit=1&search=7",
        "extensions/?limit=1&account=acme", "extensions/?limit=1&offset=1",
    ],
)  # fmt: skip
def test_a_cursor_of_another_list_order_or_filter_is_none(world: World, other: str) -> None:
    extensions(world, 3)
    key = program(world.acme.key)
    cursor = key.get("/api/v1/extensions/?limit=1").json()["next"].partition("cursor=")[2].partition("&")[0]
    assert key.get(f"/api/v1/extensions/?limit=3&cursor={cursor}").status_code == 200

    answer = key.get(f"/api/v1/{other}&cursor={cursor}")

    assert answer.status_code == 400
    assert [error["attr"] for error in answer.json()["errors"]] == ["cursor"]


def test_a_cursor_says_nothing_and_cannot_be_changed(world: World) -> None:
    extensions(world, 3)
    key = program(world.acme.key)
    cursor = key.get("/api/v1/extensions/?limit=2").json()["next"].partition("cursor=")[2].partition("&")[0]

    for at in range(0, len(cursor), 7):
        other = "A" if cursor[at] != "A" else "B"
        changed = cursor[:at] + other + cursor[at + 1 :]
        assert key.get(f"/api/v1/extensions/?cursor={changed}").status_code == 400, at


def test_a_cursor_shows_to_nobody_more_than_he_may_see(world: World) -> None:
    everywhere = signed_in(world.rita).get("/api/v1/devices/?limit=1").json()["next"]

    rows = program(world.globex.key).get(everywhere).json()["results"]

    assert {row["account"] for row in rows} <= {"globex"}


@pytest.mark.parametrize(
    "path", ["extensions/", "devices/", "devices/{phone}/events/", "devices/{phone}/claims/"]
)
def test_a_parameter_that_a_list_does_not_know_is_named(world: World, path: str) -> None:
    path = path.format(phone=world.acme.phone.code)
    answer = program(world.acme.key).get(f"/api/v1/{path}?usrname=7&limit=2&colour=")

    assert answer.status_code == 400
    assert answer.json()["errors"] == [
        {"code": "unknown-parameter", "detail": "This list has no parameter of this name.", "attr": name}
        for name in ("usrname", "colour")
    ]
