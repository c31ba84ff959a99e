"""What people and time do to phones and their lines: told by its verb, once, with its facts."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from accounts.scope import Actor
from devices import appearances, exposing, extensions
from devices.appearances import AppearanceRow
from devices.models import Device, Extension
from provisioning import (
    approvals,
    locking,
    moving,
    retiring,
    suspicion,
    taking_back,
    unlock_all,
    unlock_links,
)
from provisioning.models import Approval, Lock, WebhookEvent
from provisioning.spans import Span
from tests.factories import AWAY, HOME, make_phone, origin, tried
from tests.provisioning.ears import Ears, listen, times_asked, told
from tests.provisioning.stolen import make_stolen
from tests.tree import Tree

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CLOCK = "the clock"


def said(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def extension(cast: Tree, ana: Actor) -> Extension:
    return extensions.create(cast.acme, by=ana, username="4102", secret="Sip-secret-1")


# --- locks -------------------------------------------------------------------------------------------------


def test_unlocked_by_a_person(cast: Tree, locked: Device, ana: Actor, now: datetime) -> None:
    ears = Ears(cast)

    locking.unlock(locked, by=ana, span=Span.parse("24h"), origin=origin(AWAY))
    locking.unlock(locked, by=ana, span=Span.parse("first-fetch"))

    scoped = {"rule": "E1", "by": ana.label, "until": said(now + DAY), "origin": AWAY}
    assert ears.heard() == [
        ("device.unlocked", scoped),
        ("device.unlocked", {**scoped, "until": None, "origin": None}),
    ]


def test_unlocked_by_its_owner_by_an_answer_and_by_a_link(
    cast: Tree, card: Approval, ana: Actor, ben: Actor
) -> None:
    phone = card.device
    link = unlock_links.make(phone, by=ana, given_to="The fitter").link
    ears = Ears(cast)

    locking.allow_reprovision(phone, by=ben)
    unlock_links.use(link, address=HOME)
    approvals.answer(card, by=ana, decision="once")

    heard = ears.heard()
    assert [(kind, facts["rule"]) for kind, facts in heard] == [
        ("device.unlocked", "E2"),
        ("device.unlocked", "E1"),
        ("device.unlocked", "E14"),
    ]
    assert heard[0][1]["by"] == ben.label
    assert heard[1][1]["by"] == f"{ana.label}{unlock_links.BY_LINK}"


def test_unlocked_with_others_each_phone_once(cast: Tree, ana: Actor) -> None:
    phones = [make_phone(cast.acme, by=ana) for _ in range(3)]
    locking.quarantine(phones[1], by=ana, reason="Gone")
    job = unlock_all.start(cast.acme, by=ana)
    ears = Ears(cast)

    unlock_all.run(job.pk)

    events = ears.take()
    assert [event.kind for event in events] == ["device.unlocked", "device.unlocked", "job.finished"]
    assert {event.device_id for event in events[:2]} == {phones[0].pk, phones[2].pk}
    assert events[0].data["rule"] == "E3"
    assert {name: events[2].data[name] for name in ("job", "kind", "by", "total", "done", "skipped")} == {
        "job": str(job.code),
        "kind": "unlock-all",
        "by": ana.label,
        "total": 3,
        "done": 2,
        "skipped": 1,
    }
    assert events[2].lane == f"job {job.code}"


def test_locked_again_by_a_person(cast: Tree, locked: Device, ana: Actor) -> None:
    locking.unlock(locked, by=ana)
    ears = Ears(cast)

    locking.lock_again(locked, by=ana)
    locking.lock_again(locked, by=ana)

    assert ears.heard() == [("device.locked", {"rule": "E5", "by": ana.label, "bound": None})]


def test_an_unlock_that_expires(cast: Tree, locked: Device, ana: Actor, now: datetime) -> None:
    locking.unlock(locked, by=ana, span=Span.parse({"hours": 1}))
    ears = Ears(cast)

    locking.sweep(now + HOUR - timedelta(seconds=1))
    locking.sweep(now + 2 * HOUR)
    locking.sweep(now + 3 * HOUR)

    (event,) = ears.take()
    assert (event.kind, event.data["rule"], event.data["ended"]) == (
        "device.unlock_expired",
        "R8",
        said(now + HOUR),
    )


def test_the_first_time_that_is_over_locks(cast: Tree, phone: Device, now: datetime) -> None:
    ears = Ears(cast)

    locking.sweep(now + 8 * DAY)
    locking.sweep(now + 9 * DAY)

    assert ears.heard() == [("device.locked", {"rule": "R3", "by": CLOCK, "bound": None})]


def test_quarantined_and_released(cast: Tree, locked: Device, ana: Actor, rita: Actor) -> None:
    ears = Ears(cast)

    locking.quarantine(locked, by=ana, reason="Stolen from the lobby")
    suspicion.release(locked, by=rita, reason="Found", unlock=Span.parse("24h"))

    heard = ears.heard()
    assert heard[:2] == [
        ("device.quarantined", {"rule": "E8q", "by": ana.label, "reason": "Stolen from the lobby"}),
        ("device.locked", {"rule": "E8", "by": rita.label, "bound": None}),
    ]
    assert [(kind, facts["rule"]) for kind, facts in heard[2:]] == [("device.unlocked", "E8")]


def test_under_suspicion_and_the_unlock_that_it_ends(
    cast: Tree, locked: Device, ana: Actor, rita: Actor, now: datetime
) -> None:
    locking.unlock(locked, by=ana)
    ears = Ears(cast)

    for _ in range(2):
        lock = locking.locked_row(locked)
        suspicion.raise_(lock, why=Lock.Suspicion.ORIGINS, at=now, now=now)
    suspicion.release(locked, by=rita, reason="It was us")

    facts = {"rule": "E7", "why": "origins", "until": said(now + 7 * DAY), "unlocked_by": ana.label}
    assert ears.heard() == [("device.suspected", facts)]


def test_a_suspected_clone_is_told_and_put_under_suspicion(cast: Tree) -> None:
    from tests.provisioning import stolen

    phone, real, _ = make_stolen(cast.acme)
    ears = Ears(cast)

    stolen.poll(phone, real)
    stolen.poll(phone, real)

    heard = ears.heard()
    assert [kind for kind, _ in heard] == ["device.suspected", "clone.suspected"]
    assert heard[0][1]["why"] == "clone"
    assert heard[1][1] == {"rule": "T3", "origin": stolen.HOME}


def test_taken_back(cast: Tree, support: Actor) -> None:
    phone, _, _ = make_stolen(cast.acme)
    ears = Ears(cast)

    taking_back.take_back(phone, by=support)

    ((kind, facts),) = ears.heard()
    assert (kind, facts["rule"], facts["by"], facts["claims"]) == (
        "device.taken_back",
        "E16",
        support.label,
        1,
    )
    assert (facts["bound"], facts["origins"]) == ("198.51.100.7", "192.0.2.66")


def test_moved_is_told_to_both_each_its_own_part(cast: Tree, phone: Device, rita: Actor) -> None:
    from_it, to_it = listen(cast.acme), listen(cast.globex)
    above = listen(cast.harbour, with_below=True)

    moving.move(phone, by=rita, to=cast.globex, name="Theirs")

    (away,), (here,) = told(from_it), told(to_it)
    assert (away.kind, here.kind) == ("device.moved", "device.moved")
    assert (away.data["direction"], here.data["direction"]) == ("away", "here")
    assert (away.data["device"]["name"], here.data["device"]["name"]) == ("Ben, desk", "Theirs")
    assert (away.account, here.account) == (cast.acme, cast.globex)
    assert "lobex" not in str(away.data)
    assert "cme" not in str(here.data)
    assert told(above) == [away, here]


def test_retired_with_new_secrets_for_what_lives_on(
    cast: Tree, locked: Device, ana: Actor, extension: Extension, now: datetime
) -> None:
    other = make_phone(cast.acme, by=ana)
    for device in (locked, other):
        appearances.put(device, by=ana, rows=[AppearanceRow(1, extension)])
    ears = Ears(cast)

    retiring.retire(locked, by=ana)
    retiring.retire(locked, by=ana)

    heard = ears.heard()
    assert heard[0] == (
        "device.retired",
        {"rule": "E19", "by": ana.label, "until": said(now + 30 * DAY)},
    )
    assert [kind for kind, _ in heard] == ["device.retired", "extension.secret_changed"]


def test_a_verb_of_several_events_asks_once_who_listens(
    cast: Tree, locked: Device, ana: Actor, extension: Extension
) -> None:
    other = make_phone(cast.acme, by=ana)
    for device in (locked, other):
        appearances.put(device, by=ana, rows=[AppearanceRow(1, extension)])

    assert times_asked(lambda: retiring.retire(locked, by=ana)) == 1
    assert not WebhookEvent.objects.exists()


# --- cards -------------------------------------------------------------------------------------------------


def test_a_card_is_told_when_it_opens_and_not_with_each_try(
    cast: Tree, locked: Device, now: datetime
) -> None:
    ears = Ears(cast)

    card = tried(locked)
    tried(locked, "192.0.2.44")

    assert card is not None
    assert ears.heard() == [
        (
            "approval.pending",
            {
                "rule": "R6",
                "approval": str(card.code),
                "origin": AWAY,
                "address": AWAY,
                "until": said(now + DAY),
            },
        )
    ]


def test_no_card_no_event(cast: Tree, locked: Device) -> None:
    ears = Ears(cast)

    assert tried(locked, rule="R10") is None

    assert ears.kinds() == []


# --- lines -------------------------------------------------------------------------------------------------


def test_lines_that_change_are_told_with_what_is_lost_and_added(
    cast: Tree, phone: Device, ana: Actor, extension: Extension
) -> None:
    appearances.put(phone, by=ana, rows=[])
    ears = Ears(cast)

    appearances.put(phone, by=ana, rows=[AppearanceRow(1, extension, "Desk")])
    appearances.put(phone, by=ana, rows=[AppearanceRow(1, extension, "Desk")])
    appearances.put(phone, by=ana, rows=[])

    row = {"position": 1, "extension": "4102", "label": "Desk", "ring": "now"}
    assert ears.heard() == [
        ("appearance.changed", {"by": ana.label, "lost": [], "added": [row]}),
        ("appearance.changed", {"by": ana.label, "lost": [row], "added": []}),
    ]


def test_a_secret_that_changes_is_told_and_never_which(
    cast: Tree, phone: Device, ana: Actor, extension: Extension
) -> None:
    appearances.put(phone, by=ana, rows=[AppearanceRow(1, extension)])
    ears = Ears(cast)

    exposing.new_secret(extension, by=ana)
    extensions.change(extension, by=ana, secret="Sip-secret-2")
    extensions.change(extension, by=ana, secret="Sip-secret-2", username="4103")
    extensions.change(extension, by=ana, display_name="Ann")

    events = ears.take()
    facts = {
        "rule": "E15",
        "by": ana.label,
        "extension": str(extension.code),
        "username": "4102",
        "phones": 1,
    }
    assert [event.kind for event in events] == ["extension.secret_changed"] * 2
    assert {name: events[0].data[name] for name in facts} == facts
    assert {event.lane for event in events} == {f"extension {extension.code}"}
    assert "Sip-secret" not in str([event.data for event in events])


def test_the_secret_of_a_line_that_no_phone_shows_is_told_too(
    cast: Tree, ana: Actor, extension: Extension
) -> None:
    ears = Ears(cast)

    exposing.new_secret(extension, by=ana)

    ((kind, facts),) = ears.heard()
    assert (kind, facts["phones"]) == ("extension.secret_changed", 0)
