"""The pages on webhooks: how endpoints do, what was sent, what came back; made, tried out, sent again."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEntry
from provisioning import announcing, outgoing, webhook_sending, webhook_wire, webhooks
from provisioning.models import WebhookDelivery, WebhookEndpoint
from tests.portal.reading import page, said
from tests.world import World, actor, signed_in

State = WebhookDelivery.State
HTMX = {"HTTP_HX_REQUEST": "true"}
FORM = {"account": "acme", "name": "Billing", "url": "https://billing.example/in?token=s3cret"}


@pytest.fixture
def ana(world: World) -> Client:
    return signed_in(world.ana)


@pytest.fixture
def hook(world: World) -> WebhookEndpoint:
    """Acme's, which now hears everything; the test of the world is answered."""
    webhooks.change(world.acme.endpoint, by=actor(world.ana), kinds=[])
    answered(world.acme.endpoint, 204)
    return world.acme.endpoint


def answered(endpoint: WebhookEndpoint, status: int, content: bytes = b"", why: str = "") -> None:
    """What waits got this for an answer."""
    now = timezone.now()
    for taken in webhook_sending.take(endpoint.pk, now).taken:
        answer = outgoing.Answer(status=status, content=content, why=why, took=0.2)
        webhook_sending.finish(taken, answer, now=now)


def happened(world: World, kind: str = "device.quarantined", **facts: Any) -> WebhookDelivery:
    """Something happened to acme's phone, and is on its way."""
    phone = world.acme.phone
    with transaction.atomic():
        announcing.announce(kind, world.acme.account, at=timezone.now(), device=phone, **facts)
    newest = WebhookDelivery.objects.filter(endpoint=world.acme.endpoint).first()
    assert newest is not None
    return newest


def rows() -> list[Any]:
    ours: list[Any] = list(WebhookEndpoint.objects.order_by("pk").values())
    return [
        *ours,
        *WebhookDelivery.objects.order_by("pk").values_list("pk", "state"),
        AuditEntry.objects.count(),
    ]


def test_the_list_says_how_each_does_and_how_many_wait(
    world: World, ana: Client, hook: WebhookEndpoint
) -> None:
    well = said(ana.get("/webhooks/"))
    happened(world, reason="Stolen")
    answered(hook, 500)
    badly = said(ana.get("/webhooks/"))

    assert "Delivering; the last one arrived" in well
    assert "https://hooks.acme.example" in well
    assert "/in" not in well
    assert "1 endpoint does not take what is sent" in badly
    assert "each delivery is tried again by itself, for 3 days. 1 delivery waits." in badly


def test_a_resting_endpoint_and_one_that_is_off_say_so(
    world: World, ana: Client, hook: WebhookEndpoint
) -> None:
    now = timezone.now()
    mine = WebhookEndpoint.objects.filter(pk=hook.pk)
    mine.update(failures=6, failing_since=now, rests_until=now + timedelta(minutes=5))
    resting = said(ana.get(page("webhook", hook)))
    mine.update(is_active=False)
    off = said(ana.get(page("webhook", hook)))

    assert "and resting until" in resting
    assert "Switched off: nothing is sent to it." in off
    assert "Send a test" not in off


def test_where_there_is_none_the_page_says_what_it_is_for(world: World) -> None:
    WebhookEndpoint.objects.all().delete()

    assert "No endpoint yet" in said(signed_in(world.ana).get("/webhooks/"))


def test_an_endpoint_is_made_and_its_secret_shown_once(world: World, ana: Client) -> None:
    made = ana.post(
        "/webhooks/add/", {**FORM, "kinds": ["device.refused", "job.finished"], "with_below": "on"}
    )

    row = WebhookEndpoint.objects.get(name="Billing")
    assert (row.account, row.kinds, row.with_below) == (
        world.acme.account, ["device.refused", "job.finished"], True,
    )  # fmt: skip
    secret = made.content.decode().split('<span class="l">')[1].split("<")[0]
    assert secret.startswith(webhook_wire.PREFIX)
    assert made["Cache-Control"].startswith("max-age=0")
    for url in ("/webhooks/", page("webhook", row), page("webhook-edit", row), "/audit/"):
        assert secret not in ana.get(url).content.decode()
    assert "s3cret" not in ana.get("/audit/").content.decode()


def test_the_form_offers_every_event_once(ana: Client) -> None:
    shown = ana.get("/webhooks/add/").content.decode()

    assert [shown.count(f'value="{kind}"') for kind in announcing.KINDS] == [1] * len(announcing.KINDS)


@pytest.mark.parametrize(
    ("case", "changes", "words"),
    [
        ("no web address", {"url": "somewhere"}, "Write an address that begins with https://."),
        ("taken", {"name": "Tickets of acme"}, "There is an endpoint of this name already."),
        ("somebody else's", {"account": "globex"}, "Select a valid choice"),
        ("no event", {"kinds": ["device.exploded"]}, "device.exploded is not one of the available choices"),
    ],
)
def test_what_cannot_be_comes_back_with_its_reason(
    world: World, ana: Client, case: str, changes: dict[str, Any], words: str
) -> None:
    before = rows()

    answer = ana.post("/webhooks/add/", FORM | changes)

    assert words in said(answer)
    assert rows() == before


def test_an_endpoint_is_changed_switched_off_and_removed(ana: Client, hook: WebhookEndpoint) -> None:
    shown = ana.get(page("webhook-edit", hook)).content.decode()
    change = {"name": "Desk", "url": hook.url, "kinds": ["device.locked"]}
    changed = ana.post(page("webhook-edit", hook), change)
    hook.refresh_from_db()
    asked = said(ana.get(page("webhook-remove", hook)))
    still_there = WebhookEndpoint.objects.filter(pk=hook.pk).exists()
    gone = ana.post(page("webhook-remove", hook))

    assert f'value="{hook.url}"' in shown
    assert changed["Location"] == page("webhook", hook)
    assert (hook.name, hook.kinds, hook.is_active) == ("Desk", ["device.locked"], False)
    assert "Remove Desk?" in asked
    assert still_there
    assert gone["Location"] == "/webhooks/"
    assert not WebhookEndpoint.objects.filter(pk=hook.pk).exists()


def test_the_secret_is_rotated_and_both_sign_for_a_while(ana: Client, hook: WebhookEndpoint) -> None:
    before = bytes(WebhookEndpoint.objects.get(pk=hook.pk).secret)

    made = ana.post(page("webhook-rotate", hook), {"overlap_hours": "24"})

    hook.refresh_from_db()
    assert bytes(hook.former_secret) == before
    assert webhook_wire.PREFIX in made.content.decode()
    assert "The former one signs beside it until" in said(made)
    assert "Rotated: the former one signs too, until" in said(ana.get(page("webhook", hook)))


def test_a_test_says_what_came_back_without_a_script(ana: Client, hook: WebhookEndpoint) -> None:
    sent = ana.post(page("webhook-test", hook))
    waiting = ana.get(sent["Location"]).content.decode()
    answered(hook, 200, b"Thanks")
    came = said(ana.get(sent["Location"]))

    assert 'http-equiv="refresh"' in waiting
    assert "It is on its way." in waiting
    assert "It arrived" in came
    assert "Answered 200." in came
    assert "Thanks" in came


def test_a_test_says_what_came_back_beside_its_button(ana: Client, hook: WebhookEndpoint) -> None:
    sent = ana.post(page("webhook-test", hook), **HTMX).content.decode()
    row = WebhookDelivery.objects.first()
    answered(hook, 0, why="No answer came within 10 seconds.")
    came = ana.get(page("webhook-result", row), **HTMX).content.decode()

    assert f'hx-get="{page("webhook-result", row)}"' in sent
    assert "<html" not in sent
    assert "hx-get" not in came
    assert "No answer came within 10 seconds." in came
    assert page("delivery", row) in came


def test_the_log_is_filtered_and_paged(world: World, ana: Client, hook: WebhookEndpoint) -> None:
    for _ in range(26):
        happened(world, "device.locked")
    dead = webhooks.test(hook, by=actor(world.ana))
    answered(hook, 500)
    dead.refresh_from_db()

    first = ana.get(page("webhook", hook)).content.decode()
    only = said(ana.get(page("webhook", hook), {"state": "dead"}))
    part = ana.get(page("webhook", hook), {"kind": "device.locked"}, **HTMX).content.decode()
    older = re.search(r'href="(\?before=[^"]+)"', first)
    assert older is not None
    oldest = ana.get(page("webhook", hook) + older[1]).content.decode()

    assert dead.state == State.DEAD
    assert first.count('class="name"') == 25
    assert (only.count("Given up"), only.count("Delivered")) == (2, 1)  # one each in the choice of states
    assert "<html" not in part
    assert part.count("Phone locked") == 25
    assert oldest.count('class="name"') == 3
    assert "Nothing older is kept" in oldest


def test_a_delivery_shows_the_request_and_each_answer(
    world: World, ana: Client, hook: WebhookEndpoint
) -> None:
    row = happened(world, reason="Stolen & sold", rule="E8q")
    before = said(ana.get(page("delivery", row)))
    answered(hook, 503, b"Come <later>")

    shown = ana.get(page("delivery", row))

    assert "It was not tried yet." in before
    words = said(shown)
    body = webhook_wire.body(row.event.kind, row.event.at, row.event.data)
    assert f"{len(body)} bytes, on one line" in words
    assert "&quot;reason&quot;: &quot;Stolen &amp; sold&quot;" in words
    assert webhook_wire.message_id(row.event.code) in words
    assert "Answered 503." in words
    assert "Come &lt;later&gt;" in words
    assert "It did not arrive yet, and is tried again" in words
    assert page("phone", world.acme.phone) in shown.content.decode()


def test_a_phone_that_is_somebody_elses_now_is_a_name_without_a_link(
    world: World, ana: Client, hook: WebhookEndpoint
) -> None:
    row = happened(world)
    type(world.acme.phone).objects.filter(pk=world.acme.phone.pk).update(account=world.globex.account)

    shown = ana.get(page("delivery", row)).content.decode()

    assert world.acme.phone.name in shown
    assert page("phone", world.acme.phone) not in shown


def test_one_is_sent_again_and_so_is_all_that_did_not_arrive(
    world: World, ana: Client, hook: WebhookEndpoint
) -> None:
    row = happened(world)
    answered(hook, 204)
    again = ana.post(page("delivery-replay", row))
    copy = WebhookDelivery.objects.get(event=row.event, is_replay=True)
    WebhookDelivery.objects.filter(event=row.event).update(
        state=State.DEAD, ended_at=timezone.now(), due_at=None
    )
    missed = ana.post(page("webhook-replay", hook), {"hours": "24"}, follow=True)
    none = ana.post(page("webhook-replay", hook), {"hours": "24"}, follow=True)

    assert again["Location"] == page("delivery", copy)
    assert "1 event goes out again." in missed.content.decode()
    assert "Nothing is missing there" in none.content.decode()


def test_what_is_switched_off_is_sent_nothing(world: World, ana: Client, hook: WebhookEndpoint) -> None:
    row = happened(world)
    answered(hook, 204)
    webhooks.change(hook, by=actor(world.ana), is_active=False)
    before = rows()

    again = ana.post(page("delivery-replay", row), follow=True)
    since = ana.post(page("webhook-replay", hook), {"hours": "24"})
    tried = ana.post(page("webhook-test", hook), follow=True)

    assert "This endpoint is switched off; switch it on first." in again.content.decode()
    assert "This endpoint is switched off; switch it on first." in since.content.decode()
    assert "This endpoint is switched off; switch it on first." in tried.content.decode()
    assert rows() == before


def test_only_who_may_change_endpoints_sees_them(world: World, ana: Client, hook: WebhookEndpoint) -> None:
    viewer, eve = signed_in(world.acme.viewer), signed_in(world.eve)

    assert 'href="/webhooks/"' in ana.get("/").content.decode()
    assert 'href="/webhooks/"' not in viewer.get("/").content.decode()
    assert viewer.get("/webhooks/").status_code == 403
    assert eve.get(page("webhook", hook)).status_code == 404
    assert hook.name not in eve.get("/webhooks/").content.decode()
