"""What happens is told to whoever listens: to nobody else, not at all when undone, and without a secret."""

import ast
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Account
from accounts.refusals import Forbidden, Refusal
from accounts.scope import Actor
from devices import exposing, extensions
from devices.models import Device
from provisioning import announcing, bulk, jobs, locking, unlock_all
from provisioning.announcing import KINDS, OF_LOG, Happened
from provisioning.models import WebhookDelivery, WebhookEvent
from provisioning.spans import Span
from tests.factories import make_phone
from tests.provisioning.ears import Ears, listen, times_asked, told
from tests.tree import Tree
from tests.world import World, actor

pytestmark = pytest.mark.django_db

AT = datetime(2026, 3, 2, 12, 0, 0, 250, tzinfo=UTC)
OF_THE_ISSUE = [
    "device.first_provisioned",
    "device.locked",
    "device.unlocked",
    "device.unlock_used",
    "device.unlock_expired",
    "device.refused",
    "device.suspected",
    "device.quarantined",
    "device.taken_back",
    "device.moved",
    "device.retired",
    "device.origin_drift",
    "device.quiet",
    "device.back",
    "clone.suspected",
    "appearance.changed",
    "extension.secret_changed",
    "approval.pending",
    "window.opened",
    "window.used",
    "window.closed",
    "address.banned",
    "address.unbanned",
    "address.storm",
    "site.quiet",
    "account.quiet",
    "incident.opened",
    "incident.closed",
    "job.finished",
]


def queries(deed: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as found:
        deed()
    return len(found)


def rows() -> tuple[int, int]:
    return WebhookEvent.objects.count(), WebhookDelivery.objects.count()


# --- who is told -------------------------------------------------------------------------------------------


def test_the_account_and_those_above_that_want_it_are_told_and_no_other_tenant(
    cast: Tree, phone: Device, ana: Actor
) -> None:
    ears = Ears(cast)

    locking.unlock(phone, by=ana)

    (event,) = ears.take()
    assert (event.kind, event.account, event.device, event.lane) == (
        "device.unlocked",
        cast.acme,
        phone,
        str(phone.code),
    )


def test_an_endpoint_is_told_of_the_kinds_that_it_names(cast: Tree, phone: Device, ana: Actor) -> None:
    named = listen(cast.acme, "device.locked", "device.retired")

    locking.unlock(phone, by=ana)
    locking.lock_again(phone, by=ana)

    assert [event.kind for event in told(named)] == ["device.locked"]
    assert rows() == (1, 1)


def test_one_event_is_one_row_for_all_and_a_delivery_for_each(cast: Tree, phone: Device, ana: Actor) -> None:
    listen(cast.acme)
    listen(cast.acme, name="Second")

    locking.unlock(phone, by=ana)

    assert rows() == (1, 2)
    delivery = WebhookDelivery.objects.first()
    assert delivery is not None
    assert (delivery.state, delivery.tries, delivery.is_replay) == ("waiting", 0, False)
    assert delivery.lane == delivery.event.lane


def test_what_is_told_names_the_account_the_phone_and_every_fact_of_its_kind(
    cast: Tree, phone: Device
) -> None:
    endpoint = listen(cast.acme)

    announcing.announce("device.unlocked", cast.acme, at=AT, device=phone, rule="E1", until=AT)

    (event,) = told(endpoint)
    assert event.data == {
        "account": {"slug": "acme", "name": "Acme"},
        "device": {"code": str(phone.code), "mac": phone.mac, "name": "Ben, desk"},
        "rule": "E1",
        "by": None,
        "until": "2026-03-02T12:00:00.000250Z",
        "origin": None,
    }
    assert event.at == AT


def test_what_is_of_no_phone_has_a_lane_of_its_own(cast: Tree) -> None:
    endpoint = listen(cast.acme)

    announcing.announce("account.quiet", cast.acme, at=AT)
    announcing.announce("job.finished", cast.acme, at=AT, lane="job 7")

    assert [event.lane for event in told(endpoint)] == [str(cast.acme.code), "job 7"]
    assert all("device" not in event.data for event in told(endpoint))


def test_a_fact_that_its_kind_does_not_name_is_never_told(cast: Tree) -> None:
    with pytest.raises(TypeError, match="token"):
        announcing.announce("job.finished", cast.acme, at=AT, token="abc")
    with pytest.raises(KeyError):
        announcing.announce("job.began", cast.acme, at=AT)


# --- undone, refused, nobody -------------------------------------------------------------------------------


def test_what_is_rolled_back_is_never_told(cast: Tree, phone: Device, ana: Actor) -> None:
    listen(cast.acme)

    with transaction.atomic():
        locking.unlock(phone, by=ana)
        assert rows() == (1, 1)
        transaction.set_rollback(True)

    assert rows() == (0, 0)


def test_a_refused_verb_tells_nothing(cast: Tree, phone: Device, ana: Actor, eve: Actor) -> None:
    locking.quarantine(phone, by=ana, reason="Stolen")
    number = extensions.create(cast.acme, by=ana, username="4102", secret="Sip-secret-1")
    listen(cast.acme)

    with pytest.raises(Refusal):
        locking.unlock(phone, by=ana)
    with pytest.raises(Refusal):
        locking.lock_again(phone, by=ana)
    with pytest.raises(Forbidden):
        locking.quarantine(phone, by=eve, reason="Mine")
    with pytest.raises(Refusal):
        exposing.new_secret(number, by=ana, secret="Sip-secret-1")

    assert rows() == (0, 0)


def test_what_was_done_already_is_not_told_again(cast: Tree, locked: Device, ana: Actor) -> None:
    locking.quarantine(locked, by=ana, reason="Stolen")
    listen(cast.acme)

    locking.quarantine(locked, by=ana, reason="Stolen")

    assert rows() == (0, 0)


def test_where_nobody_listens_a_verb_costs_one_query_and_writes_nothing(
    cast: Tree, phone: Device, ana: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    listen(cast.globex)
    listen(cast.harbour)
    cost = queries(lambda: locking.unlock(phone, by=ana))
    monkeypatch.setattr(announcing, "announce_many", lambda happened: None)

    assert cost == queries(lambda: locking.unlock(phone, by=ana)) + 1
    assert rows() == (0, 0)


@pytest.mark.parametrize("start", ["unlock", "lock"])
def test_a_job_asks_once_a_batch_who_listens(start: str, cast: Tree, ana: Actor) -> None:
    phones = [make_phone(cast.acme, by=ana) for _ in range(6)]
    if start == "lock":
        for phone in phones:
            locking.unlock(phone, by=ana)
    begin = unlock_all.start if start == "unlock" else lambda account, by: bulk.start(account, "lock", by=by)
    job = begin(cast.acme, by=ana)
    run = unlock_all._run_batch if start == "unlock" else bulk._run_batch

    assert times_asked(lambda: run(job)) == 1
    job.refresh_from_db()
    assert job.done == 6


def test_many_events_of_many_accounts_cost_three_queries(cast: Tree) -> None:
    own, above = listen(cast.acme), listen(cast.harbour, with_below=True)
    accounts: list[Account] = [cast.acme, cast.globex]

    def tell(count: int) -> None:
        announcing.announce_many(
            Happened("job.finished", account, AT, facts={"done": number})
            for number in range(count)
            for account in accounts
        )

    assert queries(lambda: tell(1)) == queries(lambda: tell(20)) == 3
    assert [event.data["done"] for event in told(own)] == [0, *range(20)]
    assert [event.account for event in told(above)][:4] == [cast.acme, cast.globex] * 2


def test_it_is_asked_anew_after_what_was_asked_once(cast: Tree) -> None:
    with announcing.asked_once():
        announcing.announce("account.quiet", cast.acme, at=AT)
        listen(cast.acme)
        announcing.announce("account.quiet", cast.acme, at=AT)
    assert rows() == (0, 0)

    announcing.announce("account.quiet", cast.acme, at=AT)

    assert rows() == (1, 1)


@pytest.mark.parametrize("who", ["platform", "harbour", "acme", "globex"])
@pytest.mark.parametrize("active", [True, False])
def test_a_claim_knows_whether_anybody_at_or_above_its_account_listens(
    who: str, active: bool, cast: Tree, phone: Device
) -> None:
    listen(getattr(cast, who), is_active=active)

    rows = Device.objects.annotate(is_heard=announcing.somebody_listens("account__path"))

    assert rows.get(pk=phone.pk).is_heard is (active and who != "globex")


@pytest.mark.parametrize(
    ("who", "with_below", "kinds", "heard"),
    [
        ("acme", False, (), True),
        ("acme", False, ("device.back", "device.quiet"), True),
        ("acme", True, ("device.back",), False),
        ("harbour", True, (), True),
        ("harbour", False, (), False),
        ("globex", True, (), False),
    ],
)
def test_where_somebody_is_told_as_a_condition(
    who: str, with_below: bool, kinds: tuple[str, ...], heard: bool, cast: Tree, phone: Device
) -> None:
    listen(getattr(cast, who), *kinds, with_below=with_below)

    where = announcing.where_heard("device.quiet", "account__path")

    assert (where is not None and Device.objects.filter(where).exists()) is heard
    assert (announcing.heard("device.quiet", [cast.acme]) == {cast.acme.path}) is heard


# --- the kinds ---------------------------------------------------------------------------------------------


def test_the_kinds_are_those_that_were_promised() -> None:
    assert sorted(KINDS) == sorted(OF_THE_ISSUE)
    for name, kind in KINDS.items():
        assert str(kind.title), name
        assert str(kind.when).endswith("."), name
        assert kind.facts, name
        assert not {"account", "device", "type", "timestamp"} & kind.facts.keys(), name
        assert all(str(sentence).endswith(".") for sentence in kind.facts.values()), name


def test_the_code_announces_these_kinds_and_no_others() -> None:
    named = {kind for kind, _ in OF_LOG.values()}
    for path in sorted(Path(settings.BASE_DIR, "provisioning").rglob("*.py")):
        if path.name in ("announcing_words.py", "announcing.py") or "migrations" in path.parts:
            continue
        texts = {
            node.value
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        named |= texts & KINDS.keys()

    assert named == KINDS.keys()


@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_has_a_fact_that_could_be_a_secret(kind: str) -> None:
    assert not {"token", "tokens", "secret", "password", "link", "key"} & KINDS[kind].facts.keys()


def test_no_token_no_secret_and_no_password_is_told(world: World) -> None:
    """Everything that is done to a phone with tokens, a link and a line that has a secret."""
    from provisioning import retiring, taking_back, unlock_links, windows

    acme, ana, rita = world.acme, actor(world.ana), actor(world.rita)
    endpoint = listen(world.platform, with_below=True)
    phone, other = acme.phone, acme.other_phone
    secret = "Another-sip-secret-9Q"

    unlock_links.use(acme.unlock_link, address="203.0.113.77")
    locking.lock_again(phone, by=ana)
    taking_back.take_back(phone, by=ana)
    locking.unlock(other, by=ana, span=Span.parse("first-fetch"))
    exposing.new_secret(acme.extension, by=ana, secret=secret)
    extensions.change(acme.extension, by=ana, secret=secret + "2")
    windows.close_window(acme.window, by=ana)
    locking.quarantine(phone, by=ana, reason="Gone")
    retiring.retire(other, by=rita)
    jobs.work_through(acme.job.pk, unlock_all._run_batch)

    events = told(endpoint)
    assert {event.kind for event in events} >= {
        "device.unlocked",
        "device.taken_back",
        "extension.secret_changed",
        "device.retired",
        "job.finished",
    }
    sealed = [bytes(phone.admin_password).hex(), bytes(phone.user_password).hex()]
    hidden = [*acme.tokens, acme.secret, secret, acme.link_secret, acme.key, *sealed]
    for event in events:
        said = str(event.data) + event.lane
        assert [word for word in hidden if word in said] == [], event.kind
        assert not [word for word in world.globex.words if word in said], event.kind


def test_times_are_told_in_utc_however_the_log_keeps_them(cast: Tree, phone: Device, ana: Actor) -> None:
    endpoint = listen(cast.acme)
    now = timezone.now().replace(microsecond=0)

    locking.unlock(phone, by=ana, span=Span.parse({"hours": 40}), now=now)

    (event,) = told(endpoint)
    until = datetime.fromisoformat(event.data["until"])
    assert event.data["until"].endswith("Z")
    assert until >= now + timedelta(hours=40)
