"""A phone's log: a button that helps beside a line, filters, new lines by themselves, pages."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from devices.models import Device
from portal.pages import log
from provisioning import locking, windows
from provisioning.gate import Outcome
from provisioning.models import Approval, DeviceEvent, Lock
from provisioning.remedies import Remedy
from provisioning.spans import Span
from tests.factories import banned, origin, refused
from tests.portal.reading import said
from tests.world import HOTEL, World, actor, signed_in

pytestmark = pytest.mark.django_db

ELSEWHERE = "198.51.100.77"


def url(device: Device, query: str = "") -> str:
    return f"/phones/{device.code}/log/{query}"


def text(answer: Any) -> str:
    return str(answer.content.decode())


def lines(page: str) -> list[str]:
    """Each line of the table as it is written."""
    return re.findall(r'<tr role="row">\s*<td.*?</tr>', page, re.S)


def button(line: str) -> str:
    """What the button of a line says, without what only a screen reader says."""
    cell = line.split('class="end wide">')[1]
    return re.sub(r'<span class="sr">.*?</span>|<[^>]*>', "", cell, flags=re.S).strip()


def newest(client: Client, device: Device) -> str:
    """The address at which the first line of the page asks for newer ones."""
    found = re.search(r'hx-get="([^"]*after=[^"]*)"', text(client.get(url(device))))
    assert found is not None
    return found[1].replace("&amp;", "&")


def test_a_refusal_is_approved_from_its_line(world: World) -> None:
    phone, ana = world.acme.phone, signed_in(world.ana)
    refused(phone, HOTEL)

    page = text(ana.get(url(phone)))
    card = world.acme.approval
    assert button(lines(page)[0]) == "Approve once"
    assert f'action="/approvals/{card.code}/"' in lines(page)[0]
    sent = dict(re.findall(r'type="hidden" name="(origin|decision)" value="([^"]*)"', lines(page)[0]))
    ana.post(f"/approvals/{card.code}/", sent)

    assert Approval.objects.get(pk=card.pk).status == Approval.Status.ONCE
    assert Lock.objects.get(pk=phone.pk).grant_origin == origin(HOTEL)
    assert button(lines(text(ana.get(url(phone))))[-1]) == ""


def test_an_unlock_from_a_line_is_for_its_address_only(world: World) -> None:
    phone, ana = world.acme.phone, signed_in(world.ana)
    refused(phone, ELSEWHERE)

    line = lines(text(ana.get(url(phone))))[0]
    assert button(line) == "Unlock for there"
    asked = re.search(r'href="(/phones/[^"]*unlock/[^"]*)"', line)
    assert asked is not None
    form = text(ana.get(asked[1]))
    assert f'name="address" value="{ELSEWHERE}"' in form
    assert '<input type="radio" name="scope" value="one" checked>' in form
    assert '<input type="radio" name="scope" value="any">' in form


def test_of_equal_lines_the_newest_has_the_button(world: World) -> None:
    phone, now = world.acme.phone, timezone.now()
    for minutes in (1, 2, 3):
        refused(phone, ELSEWHERE, at=now - timedelta(minutes=minutes))

    shown = lines(text(signed_in(world.ana).get(url(phone, "?show=refused"))))

    assert [button(line) for line in shown] == ["Unlock for there", "", ""]


def test_a_viewer_has_no_button_that_changes_anything(world: World) -> None:
    phone = world.acme.phone
    refused(phone, HOTEL)
    refused(phone, ELSEWHERE, rule="R14")

    shown = lines(text(signed_in(world.acme.viewer).get(url(phone))))

    assert {button(line) for line in shown} == {""}
    assert "<form" not in "".join(shown)


@pytest.mark.parametrize("how", ["unlock", "window"])
def test_whoever_is_let_in_already_needs_no_button(world: World, how: str) -> None:
    phone, by = world.acme.phone, actor(world.ana)
    Approval.objects.update(status=Approval.Status.CLOSED)
    refused(phone, ELSEWHERE)
    if how == "unlock":
        locking.unlock(phone, by=by, span=Span.parse("24h"), origin=origin(ELSEWHERE))
    else:
        windows.open_window(world.acme.account, by=by, origin=origin(ELSEWHERE), hours=1)

    shown = lines(text(signed_in(world.ana).get(url(phone, "?rule=R6&show=refused"))))

    assert [button(line) for line in shown] == [""]


def test_a_ban_leads_to_whoever_can_end_it(world: World) -> None:
    phone = world.acme.phone
    refused(phone, ELSEWHERE, rule="G1")
    asked = url(phone, "?rule=G1")
    assert button(lines(text(signed_in(world.sam).get(asked)))[0]) == ""

    banned(ELSEWHERE)

    assert button(lines(text(signed_in(world.sam).get(asked)))[0]) == "Lift the ban"
    assert button(lines(text(signed_in(world.ana).get(asked)))[0]) == "IP check"
    there = signed_in(world.ana, REMOTE_ADDR=ELSEWHERE)
    assert button(lines(text(there.get(asked)))[0]) == "Unblock my address"


def test_the_log_is_cut_down_to_an_outcome_a_rule_and_an_address(world: World) -> None:
    phone, ana = world.acme.phone, signed_in(world.ana)
    refused(phone, "2001:db8::7")
    refused(phone, ELSEWHERE, rule="R14")

    both = lines(text(ana.get(url(phone, f"?rule=r14&address={ELSEWHERE}"))))
    other = lines(text(ana.get(url(phone, "?show=refused&address=2001:DB8:0:0::7"))))
    none = ana.get(url(phone, f"?rule=R14&address={HOTEL}"))

    assert len(both) == len(other) == 1
    assert ELSEWHERE in both[0]
    assert "2001:db8::7" in other[0]
    assert "No line of this log is like that" in said(none)


def test_an_address_that_is_none_is_said(world: World) -> None:
    page = signed_in(world.ana).get(url(world.acme.phone, "?address=the%20hotel%00"))

    assert "the hotel is no IP address." in said(page)
    assert lines(text(page)) == []


def test_new_lines_come_by_themselves_and_stop_the_elder(world: World) -> None:
    phone, ana = world.acme.phone, signed_in(world.ana)
    refused(phone, HOTEL)
    ask = newest(ana, phone)
    assert ana.get(ask, headers={"HX-Request": "true"}).status_code == 204

    event = refused(phone, ELSEWHERE)
    news = ana.get(ask, headers={"HX-Request": "true"})

    assert news.status_code == log.STOP_ASKING
    assert text(news).count("<tr ") == 1
    assert ELSEWHERE in text(news)
    assert f"after={event.pk}&" in text(news)
    assert "<html" not in text(news)


def test_new_lines_obey_the_filter(world: World) -> None:
    phone, ana = world.acme.phone, signed_in(world.ana)
    first = refused(phone, HOTEL)
    refused(phone, ELSEWHERE, rule="R14")

    asked = url(phone, f"?after={first.pk}&show=served")

    assert ana.get(asked, headers={"HX-Request": "true"}).status_code == 204


def many(device: Device, count: int) -> None:
    now = timezone.now()
    DeviceEvent.objects.bulk_create(
        DeviceEvent(
            device=device,
            account=device.account,
            mac=device.mac,
            at=now - timedelta(minutes=at // 2),  # two lines of one moment
            what="request",
            outcome=Outcome.FULL.value,
            rule="O3",
            address="203.0.113.7",
        )
        for at in range(count)
    )


def test_every_line_is_on_exactly_one_page(world: World) -> None:
    phone, ana = world.acme.phone, signed_in(world.ana)
    many(phone, 120)

    seen, query, pages = [], "?rule=O3", 0
    while query:
        page = ana.get(url(phone, query))
        seen += [line.event.pk for line in page.context["lines"]]
        on = re.search(r'href="(\?before=[^"]*)"', text(page))
        query, pages = on[1].replace("&amp;", "&") if on else "", pages + 1
        assert ("every 10s" in text(page)) is (pages == 1)

    assert pages == 3
    assert len(seen) == len(set(seen)) == 120


def test_a_long_log_costs_no_more_queries_and_counts_nothing(world: World) -> None:
    phone, ana = world.acme.phone, signed_in(world.ana)
    many(phone, 10)

    def asked() -> list[str]:
        ana.get(url(phone))
        with CaptureQueriesContext(connection) as queries:
            ana.get(url(phone))
        return [query["sql"] for query in queries]

    short = asked()
    many(phone, 500)
    long = asked()

    assert len(long) == len(short)
    assert not [sql for sql in long if "deviceevent" in sql and "COUNT(" in sql]


def test_a_line_of_another_phone_leads_nowhere(world: World) -> None:
    phone, ana = world.acme.phone, signed_in(world.ana)
    refused(phone, HOTEL)
    other = refused(world.globex.phone, HOTEL)

    page = ana.get(url(phone, f"?before={other.pk}"))

    assert page.status_code == 200
    assert page.context["is_first"]
    assert ana.get(url(phone, "?before=99999999999999999999999")).status_code == 200


def test_a_first_fetch_from_elsewhere_leads_to_a_window_for_there(world: World) -> None:
    phone, ana = world.acme.other_phone, signed_in(world.ana)
    locking.rearm(phone, by=actor(world.ana))
    refused(phone, ELSEWHERE, rule="R3b")

    line = lines(text(ana.get(url(phone))))[0]

    assert button(line) == "Open a window"
    asked = re.search(r'href="(/windows/open/[^"]*)"', line)
    assert asked is not None
    assert f'value="{ELSEWHERE}"' in text(ana.get(asked[1]))


def test_every_remedy_has_its_button(world: World) -> None:
    phone, card = world.acme.phone, world.acme.approval
    event = refused(phone, HOTEL)

    for remedy in Remedy:
        made = log.button_of(remedy, event, phone, card)
        assert made is not None
        assert made.words
        assert made.url.startswith("/")
    assert log.button_of(Remedy.APPROVE, event, phone, None) is None


def test_an_address_is_filled_in_where_it_is_added_to_a_site(world: World) -> None:
    """A new phone is let in at its sites alone, and asks from elsewhere."""
    phone, ana = world.acme.phone, signed_in(world.ana)
    Lock.objects.filter(device=phone).update(state="new", bound_first="", bound_last="", bound_site=None)
    ana.post("/policies/first_fetch/", {"account": "acme", "first_fetch": "sites"})
    refused(phone, ELSEWHERE, rule="R3b")
    Device.objects.filter(pk=phone.pk).update(site=None)

    def leads_to() -> str:
        line = lines(text(ana.get(url(phone))))[0]
        assert button(line) == "Add to a site"
        return str(re.findall(r'href="(/sites/[^"]*)"', line)[-1])

    listed = text(ana.get(leads_to()))
    ways = re.findall(r'href="(/sites/[^"]+\?address=[^"]*)"', listed)
    assert len(ways) == 2  # one more, or that of Acme
    for way in ways:
        assert networks_in(ana.get(way))[-1:] == [ELSEWHERE]

    Device.objects.filter(pk=phone.pk).update(site=world.acme.site)
    assert leads_to() == f"/sites/{world.acme.site.code}/?address={ELSEWHERE}"
    form = ana.get(leads_to())
    assert networks_in(form) == [*networks_in(ana.get(f"/sites/{world.acme.site.code}/")), ELSEWHERE]
    ana.post(leads_to(), {"name": world.acme.site.name, "networks": "\n".join(networks_in(form))})
    assert networks_in(ana.get(leads_to())).count(ELSEWHERE) == 1
    assert ana.get("/sites/?address=nonsense").status_code == 409


def networks_in(answer: Any) -> list[str]:
    """The networks that a form of a site shows."""
    found = re.search(r'<textarea name="networks"[^>]*>([^<]*)', text(answer))
    assert found is not None
    return found[1].split()
