"""The verbs on endpoints of webhooks: who may, what is refused, what is told again."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import Settings
from standardwebhooks import Webhook

from accounts import deleting
from accounts.models import Account, AuditEntry
from accounts.refusals import Forbidden, Invalid, Refusal
from accounts.scope import Actor
from devices import secrets
from provisioning import webhook_sending, webhooks
from provisioning.models import WebhookDelivery, WebhookEndpoint, WebhookEvent
from tests.provisioning.webhook_receiver import LOOPBACK, answers, endpoint, happened, receiver, states
from tests.tree import Tree

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
URL = "https://crm.example.org/in?key=of-theirs"


@pytest.fixture
def crm(acme: Account, ana: Actor) -> WebhookEndpoint:
    return webhooks.create(acme, by=ana, name="CRM", url=URL, now=NOW)[0]


def everything() -> list[Any]:
    """All rows that a verb could have changed."""
    return [
        list(model.objects.order_by("pk").values())  # type: ignore[attr-defined]
        for model in (WebhookEndpoint, WebhookEvent, WebhookDelivery, AuditEntry)
    ]


def ended(row: WebhookDelivery, state: str, at: datetime = NOW) -> WebhookDelivery:
    WebhookDelivery.objects.filter(pk=row.pk).update(state=state, ended_at=at, due_at=None)
    return WebhookDelivery.objects.get(pk=row.pk)


def test_an_endpoint_is_made_with_a_secret_of_its_own(acme: Account, ana: Actor) -> None:
    made, text = webhooks.create(acme, by=ana, name=" CRM ", url=URL, kinds=["device.locked"] * 2, now=NOW)

    assert (made.name, made.url, made.kinds, made.with_below, made.is_active) == (
        "CRM", URL, ["device.locked"], False, True
    )  # fmt: skip
    assert secrets.open_text(secrets.Kind.WEBHOOK_SECRET, made.code, made.secret) == text
    assert text.encode() not in bytes(made.secret)
    Webhook(text)
    entry = AuditEntry.objects.get(verb="webhook.created")
    assert entry.details == {
        "name": "CRM",
        "address": "https://crm.example.org",
        "kinds": ["device.locked"],
        "below": False,
        "is_active": True,
    }


def test_the_audit_never_tells_path_query_or_secret(crm: WebhookEndpoint, ana: Actor) -> None:
    _, text = webhooks.rotate_secret(crm, by=ana)
    webhooks.change(crm, by=ana, url="https://crm.example.org/in?key=another")
    webhooks.remove(crm, by=ana)

    told = str(list(AuditEntry.objects.filter(verb__startswith="webhook.").values()))
    assert [word for word in ("of-theirs", "another", "/in", text) if word in told] == []
    assert AuditEntry.objects.get(verb="webhook.changed").details == {
        "address": ["https://crm.example.org"] * 2
    }


VERBS = {
    "create": lambda crm, by: webhooks.create(crm.account, by=by, name="x", url=URL),
    "change": lambda crm, by: webhooks.change(crm, by=by, is_active=False),
    "remove": lambda crm, by: webhooks.remove(crm, by=by),
    "rotate": lambda crm, by: webhooks.rotate_secret(crm, by=by),
    "test": lambda crm, by: webhooks.test(crm, by=by),
    "replay": lambda crm, by: webhooks.replay(crm.deliveries.get(), by=by),
    "replay-since": lambda crm, by: webhooks.replay_since(crm, by=by, since=NOW - DAY),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("who", ["vic", "ben", "eve"])
def test_whoever_lacks_the_power_changes_nothing(
    verb: str, who: str, crm: WebhookEndpoint, cast: Tree
) -> None:
    ended(happened(crm, at=NOW)[0], "dead")
    before = everything()

    with pytest.raises(Forbidden):
        VERBS[verb](crm, getattr(cast, who))

    assert everything() == before


@pytest.mark.parametrize("verb", ["test", "replay", "replay-since"])
def test_nothing_is_sent_to_one_that_is_switched_off(verb: str, crm: WebhookEndpoint, ana: Actor) -> None:
    ended(happened(crm, at=NOW)[0], "dead")
    webhooks.change(crm, by=ana, is_active=False)
    before = everything()

    with pytest.raises(Refusal) as refused:
        VERBS[verb](crm, ana)

    assert (refused.value.code, everything()) == ("switched-off", before)


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("name", ""),
        ("name", "x" * 61),
        ("url", ""),
        ("url", "crm.example.org"),
        ("url", "http://crm.example.org/"),
        ("url", "https://127.0.0.1/"),
        ("url", "https://[::1]/"),
        ("url", "https://10.0.0.8:8443/in"),
        ("url", "https://ana:word@crm.example.org/"),
        ("url", "https://crm.example.org/" + "x" * 500),
        ("kinds", ["device.locked", "device.invented"]),
        ("name", "CRM"),
    ],
)
def test_what_cannot_be_is_refused_with_its_field(
    field: str, wrong: Any, crm: WebhookEndpoint, acme: Account, ana: Actor
) -> None:
    other = webhooks.create(acme, by=ana, name="Other", url=URL)[0]
    before = everything()

    for act in (
        lambda given: webhooks.create(acme, by=ana, **given),
        lambda given: webhooks.change(other, by=ana, **given),
    ):
        with pytest.raises(Invalid) as refused:
            act({"name": "Mine", "url": URL, field: wrong})
        assert (refused.value.field, everything()) == (field, before)


def test_networks_of_ones_own_are_reached_by_number_and_by_http(
    settings: Settings, acme: Account, ana: Actor
) -> None:
    settings.WEBHOOK_NETWORKS = ["10.0.0.0/8"]

    made, _ = webhooks.create(acme, by=ana, name="CRM", url="http://10.0.0.8/in")

    assert made.url == "http://10.0.0.8/in"
    with pytest.raises(Invalid):
        webhooks.create(acme, by=ana, name="Other", url="http://192.168.0.8/in")


def test_an_account_has_twenty_and_none_when_it_is_deleted(cast: Tree) -> None:
    for number in range(webhooks.MOST_ENDPOINTS):
        webhooks.create(cast.acme, by=cast.ana, name=str(number), url=URL)
    deleting.delete_account(cast.globex, by=cast.rita, typed="globex")

    for account, code in ((cast.acme, "too-many"), (cast.globex, "deleted")):
        account.refresh_from_db()
        with pytest.raises(Refusal) as refused:
            webhooks.create(account, by=cast.rita, name="one more", url=URL)
        assert refused.value.code == code
    assert WebhookEndpoint.objects.count() == webhooks.MOST_ENDPOINTS


def test_a_change_of_nothing_is_none(crm: WebhookEndpoint, ana: Actor) -> None:
    before = everything()

    webhooks.change(crm, by=ana, name="CRM", kinds=[], is_active=True)

    assert everything() == before


def test_another_address_is_asked_at_once_though_the_former_rested(crm: WebhookEndpoint, ana: Actor) -> None:
    WebhookEndpoint.objects.update(failures=9, failing_since=NOW, rests_until=NOW + HOUR)

    changed = webhooks.change(crm, by=ana, url="https://crm.example.org/new")

    assert (changed.failures, changed.failing_since, changed.rests_until) == (0, None, None)
    assert (WebhookEndpoint.objects.get().failures, WebhookEndpoint.objects.get().rests_until) == (0, None)


def test_the_former_secret_ends_at_once_or_after_the_overlap(crm: WebhookEndpoint, ana: Actor) -> None:
    first = bytes(crm.secret)
    kept, second = webhooks.rotate_secret(crm, by=ana, overlap=2 * HOUR, now=NOW)
    assert (bytes(kept.former_secret), kept.former_until) == (first, NOW + 2 * HOUR)

    ended_at_once, third = webhooks.rotate_secret(crm, by=ana, overlap=timedelta(), now=NOW)

    assert (bytes(ended_at_once.former_secret), ended_at_once.former_until) == (b"", None)
    assert second != third
    for overlap in (-SECOND, 31 * DAY):
        with pytest.raises(Invalid):
            webhooks.rotate_secret(crm, by=ana, overlap=overlap)


def test_a_test_goes_before_all_that_waits_even_to_one_that_rests(
    settings: Settings, acme: Account, ana: Actor
) -> None:
    settings.WEBHOOK_NETWORKS = LOOPBACK
    with receiver(answers(500)) as program:
        made = endpoint(acme, program.url, by=ana, kinds=["device.locked"])
        for phone in range(30):
            happened(made, lane=f"phone {phone}", at=NOW)
        WebhookEndpoint.objects.update(failures=9, failing_since=NOW, rests_until=NOW + HOUR)
        row = webhooks.test(made, by=ana, now=NOW)
        webhook_sending.send_due(clock=lambda: NOW)

    assert [got.id for got in program.got] == [f"msg_{row.event.code.hex}"]
    assert program.got[0].data == {"account": {"slug": "acme", "name": "Acme"}, "endpoint": "CRM"}
    assert states(row) == ["dead"]  # a test is not sent again
    assert AuditEntry.objects.filter(verb="webhook.tested").count() == 1


def test_a_replay_is_the_same_event_in_a_delivery_of_its_own(
    settings: Settings, acme: Account, ana: Actor
) -> None:
    settings.WEBHOOK_NETWORKS = LOOPBACK
    with receiver() as program:
        made = endpoint(acme, program.url, by=ana)
        (row,) = happened(made, at=NOW)
        webhook_sending.send_due(clock=lambda: NOW)
        held_up = happened(made, at=NOW)  # in the same lane, put off
        WebhookDelivery.objects.filter(pk=held_up[0].pk).update(due_at=NOW + HOUR)
        again = webhooks.replay(row, by=ana, now=NOW + MINUTE)
        webhook_sending.send_due(clock=lambda: NOW + MINUTE)

    assert again.pk != row.pk
    assert again.is_replay
    assert states(row, again, *held_up) == ["delivered", "delivered", "waiting"]
    assert len({got.id for got in program.got}) == 1
    assert len({got.body for got in program.got}) == 1


def test_what_waits_goes_at_once_when_it_is_asked_for(crm: WebhookEndpoint, ana: Actor) -> None:
    (row,) = happened(crm, at=NOW)
    WebhookDelivery.objects.update(due_at=NOW + HOUR, tries=4)
    WebhookEndpoint.objects.update(failures=9, rests_until=NOW + HOUR)

    again = webhooks.replay(row, by=ana, now=NOW + MINUTE)

    assert (again.pk, again.due_at, again.tries) == (row.pk, NOW + MINUTE, 4)
    assert webhook_sending.due(NOW + MINUTE) == [crm.pk]


def test_what_is_under_way_is_not_sent_a_second_time(crm: WebhookEndpoint, ana: Actor) -> None:
    (row,) = happened(crm, at=NOW)
    webhook_sending.take(crm.pk, NOW)

    webhooks.replay(row, by=ana, now=NOW + SECOND)

    assert webhook_sending.take(crm.pk, NOW + SECOND).taken == ()


def test_all_that_was_missed_is_sent_again_and_nothing_else(cast: Tree) -> None:
    made = endpoint(cast.harbour, URL, by=cast.rita, name="all", with_below=True, kinds=["device.locked"])
    other = endpoint(cast.acme, URL, by=cast.ana)
    late = NOW + HOUR

    def event(at: datetime = late, account: Account = cast.acme, **changes: Any) -> WebhookEvent:
        facts = {"kind": "device.locked", "lane": "x", "at": at, "account": account}
        return WebhookEvent.objects.create(**(facts | changes))

    def told(event: WebhookEvent, state: str, to: WebhookEndpoint = made) -> WebhookEvent:
        WebhookDelivery.objects.create(
            endpoint=to, event=event, lane="x", state=state, ended_at=None if state == "waiting" else late
        )
        return event

    missed = [
        told(event(), "dead"),
        told(event(), "dropped"),
        told(event(account=cast.globex), "dead"),
        told(event(), "delivered", to=other),  # while this one was switched off
    ]
    told(event(NOW - SECOND), "dead")
    told(event(), "delivered")
    told(told(event(), "dead"), "waiting")
    told(event(account=cast.platform), "dead")
    told(event(kind="device.unlocked"), "dead")

    count = webhooks.replay_since(made, by=cast.rita, since=NOW, now=late)

    again = WebhookDelivery.objects.filter(is_replay=True).order_by("pk")
    assert count == 4
    assert [row.event for row in again] == missed
    assert {(row.endpoint, row.state, row.due_at) for row in again} == {(made, "waiting", late)}
    assert webhooks.replay_since(made, by=cast.rita, since=NOW, now=late) == 0


def test_too_much_at_once_is_refused(
    crm: WebhookEndpoint, ana: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "MOST_AGAIN", 2)
    for _ in range(3):
        ended(happened(crm, at=NOW)[0], "dead")
    before = everything()

    with pytest.raises(Refusal) as refused:
        webhooks.replay_since(crm, by=ana, since=NOW)

    assert (refused.value.code, refused.value.field, everything()) == ("too-many", "since", before)
    assert webhooks.replay_since(crm, by=ana, since=NOW + SECOND) == 0


def test_a_removed_endpoint_takes_its_log_along(crm: WebhookEndpoint, acme: Account, ana: Actor) -> None:
    other = webhooks.create(acme, by=ana, name="Other", url=URL)[0]
    happened(crm, other, at=NOW)

    webhooks.remove(crm, by=ana)

    assert [row.endpoint for row in WebhookDelivery.objects.all()] == [other]
    assert WebhookEndpoint.objects.get() == other
