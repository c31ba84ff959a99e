"""What would this phone get from that address? The gate's own answer, and nothing of others' phones."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import Account
from accounts.refusals import Invalid
from accounts.scope import NOBODY, Actor
from devices.models import Device
from provisioning import approvals, claims, events, explaining, locking, windows
from provisioning.explaining import Explanation, explain
from provisioning.locking import Span
from provisioning.models import Claim, DeviceEvent, Lock, Token
from provisioning.sentences import ONCE, remedy, sentence
from security.networks import parse_address
from tests.factories import AWAY, ELSEWHERE, HOME, banned, make_phone, origin, proved
from tests.provisioning.making import request
from tests.provisioning.notes import drain, tried

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
UNKNOWN = ("refused", "R11", "No phone with this MAC is known here.")


@pytest.fixture(autouse=True)
def _documentation_addresses(settings: Any) -> None:
    settings.LATCHKEY_TRIAL = True


def ask(device: Device | str, address: str = AWAY, *, by: Actor | None = None, **more: Any) -> Explanation:
    mac = device if isinstance(device, str) else device.mac
    return explain(mac=mac, address=address, by=by, now=timezone.now(), **more)


def short(found: Explanation) -> tuple[str, str, str]:
    return found.outcome, found.rule, found.sentence


def test_a_refused_phone_is_explained(locked: Device, ana: Actor) -> None:
    found = ask(locked, by=ana)

    assert found == Explanation(
        outcome="refused",
        rule="R6",
        sentence=f"The phone is locked to {HOME}. It is not unlocked, and no window is open for {AWAY}.",
        next="Approve it once, or unlock the phone.",
    )


def test_every_answer_changes_with_the_facts(locked: Device, acme: Account, ana: Actor) -> None:
    rules = [ask(locked, by=ana).rule, ask(locked, HOME, by=ana).rule]
    locking.unlock(locked, by=ana, span=Span.parse("24h"), origin=origin(AWAY))
    rules += [ask(locked, by=ana).rule, ask(locked, ELSEWHERE, by=ana).rule]
    locking.lock_again(locked, by=ana)
    windows.open_window(acme, by=ana, origin=origin(AWAY), hours=1)
    rules += [ask(locked, by=ana).rule]
    banned(AWAY)
    rules += [ask(locked, by=ana).rule]
    Device.objects.filter(pk=locked.pk).update(is_enabled=False)
    rules += [ask(locked, HOME, by=ana).rule]

    assert rules == ["R6", "R4", "R7", "R9", "R5", "G1", "R10"]


def test_asking_changes_nothing(phone: Device, ana: Actor) -> None:
    before = Lock.objects.filter(pk=phone.pk).values().get()

    assert ask(phone, by=ana).rule == "R1"

    assert Lock.objects.filter(pk=phone.pk).values().get() == before
    assert (Claim.objects.count(), Token.objects.count()) == (0, 0)
    assert not DeviceEvent.objects.filter(what="request").exists()


@pytest.mark.parametrize("address", [HOME, AWAY])
@pytest.mark.parametrize("agent", [None, "curl/8", "Yealink SIP-T46S 66.85.0.5 00:00:5e:00:53:99"])
@pytest.mark.parametrize("state", ["new", "locked", "unlocked", "quarantined"])
def test_it_says_what_the_claim_does(
    locked: Device, ana: Actor, address: str, agent: str | None, state: str
) -> None:
    if state == "unlocked":
        locking.unlock(locked, by=ana, span=Span.parse("24h"))
    Lock.objects.filter(pk=locked.pk).update(state=state)

    said = ask(locked, address, by=ana, agent=agent)
    done = claims.claim(request(locked, address, agent=agent), now=timezone.now())

    assert (said.rule, said.outcome) == (done.verdict.rule, done.verdict.outcome.value)


@pytest.mark.parametrize("who", ["eve", "stranger", "nobody"])
def test_somebody_elses_phone_is_one_that_nobody_has_entered(locked: Device, cast: Any, who: str) -> None:
    actor = {"eve": cast.eve, "stranger": Actor(label="x"), "nobody": NOBODY}[who]
    locking.unlock(locked, by=cast.ana, span=Span.parse("24h"))
    approvals.note_try(
        locked, rule="R6", address=parse_address(AWAY), agent="", product="", at=timezone.now(), count=1
    )

    for address in (HOME, AWAY):
        theirs = ask(locked, address, by=actor, agent="curl/8")
        assert theirs == ask("00005e0053fe", address, by=actor, agent="curl/8")
        assert short(theirs) == UNKNOWN


def test_the_owner_sees_his_own_phone_only(locked: Device, acme: Account, ana: Actor, ben: Actor) -> None:
    other = make_phone(acme, by=ana)

    assert ask(locked, by=ben).rule == "R6"
    assert short(ask(other, by=ben)) == UNKNOWN


def test_without_an_agent_the_phones_own_is_meant(locked: Device, ana: Actor) -> None:
    assert ask(locked, HOME, by=ana).rule == "R4"
    assert ask(locked, HOME, by=ana, agent="").rule == "R4"
    found = ask(locked, HOME, by=ana, agent="curl/8")
    assert short(found) == (
        "refused",
        "R12",
        "Somebody asked for this phone's file as curl/8. The phone does not call itself so.",
    )


@pytest.mark.parametrize(
    ("case", "columns", "address", "said"),
    [
        ("to no place", {"bound_first": "", "bound_last": ""}, AWAY, "The phone is locked, to no place yet."),
        ("quarantined", {"state": "quarantined"}, HOME, "The phone is quarantined."),
        ("retired", {"state": "retired"}, HOME, "The phone is retired."),
    ],
)
def test_the_reason_is_said(
    locked: Device, ana: Actor, case: str, columns: dict[str, Any], address: str, said: str
) -> None:
    Lock.objects.filter(pk=locked.pk).update(**columns)

    assert ask(locked, address, by=ana).sentence.startswith(said)


def test_a_shared_home_proves_nothing(locked: Device, globex: Account, ana: Actor, eve: Actor) -> None:
    proved(locked, HOME)
    proved(make_phone(globex, by=eve), HOME)

    assert ask(locked, HOME, by=ana).sentence == (
        f"The phone is locked to {HOME}. Phones of others live there too, so being there proves nothing."
    )


def test_the_log_says_the_same_reason(locked: Device, globex: Account, ana: Actor, eve: Actor) -> None:
    """A phone that asks from the very place it is locked to is not locked to another place."""
    proved(locked, HOME)
    now, unbound = timezone.now(), make_phone(locked.account, by=ana)
    Lock.objects.filter(pk=unbound.pk).update(state="locked", bound_first="", bound_last="")

    drain(tried(locked, HOME, now, key=""), tried(locked, AWAY, now), tried(unbound, AWAY, now), now=now)
    proved(make_phone(globex, by=eve), HOME)
    drain(tried(locked, HOME, now + HOUR, key=""), now=now + HOUR)

    lines = [events.described(event) for event in DeviceEvent.objects.filter(rule="R6", what="request")]
    assert {(line.address, line.sentence, line.next) for line in lines} == {
        (HOME, sentence("R6", "refused", case="often"), remedy("R6", "refused", case="often")),
        (HOME, f"Phones of others live at {HOME} too, so being there proves nothing.", ONCE),
        (AWAY, sentence("R6", "refused", address=AWAY), ONCE),
        (
            AWAY,
            sentence("R6", "refused", case="unbound", address=AWAY),
            remedy("R6", "refused", case="unbound"),
        ),
    }


def test_under_suspicion_the_unlock_does_not_count(locked: Device, ana: Actor) -> None:
    locking.unlock(locked, by=ana, span=Span.parse("24h"))
    Lock.objects.filter(pk=locked.pk).update(suspicion_until=timezone.now() + DAY)

    found = ask(locked, by=ana)

    assert (found.rule, found.next) == ("R9", "Unlock it for one address, or open a window.")


@pytest.mark.rule("E7")
def test_under_suspicion_the_next_step_is_one_that_is_not_refused(locked: Device, ana: Actor) -> None:
    Lock.objects.filter(pk=locked.pk).update(suspicion_until=timezone.now() + DAY)

    step = ask(locked, by=ana).next

    assert step == f"Others have tried to get its file: approve it once, or unlock it for {AWAY} only."
    assert ask(locked, HOME, by=ana).next.startswith("Nothing to do.")


@pytest.mark.rule("T3")
def test_a_suspected_clone_is_named(locked: Device, ana: Actor) -> None:
    assert claims.claim(request(locked, HOME)).file is not None
    Token.objects.filter(device=locked, kind="current").update(
        kind="former", superseded_at=timezone.now(), clone_since=timezone.now(), until=timezone.now() + DAY
    )

    step = ask(locked, by=ana).next

    assert step.endswith("Two parties hold its private URLs: answer that on the phone's page.")


def test_a_denial_says_until_when(locked: Device, ana: Actor) -> None:
    card = approvals.note_try(
        locked, rule="R6", address=parse_address(AWAY), agent="", product="", at=timezone.now(), count=1
    )
    assert card is not None
    approvals.answer(card, by=ana, decision="deny")

    assert ask(locked, by=ana).sentence == f"{AWAY} is denied for this phone until Wed 1 Apr, 14:00 CEST."


def test_the_command_says_sentence_rule_and_outcome(locked: Device) -> None:
    out = StringIO()

    call_command("explain", mac=locked.mac.upper(), address=HOME, stdout=out)

    assert out.getvalue().splitlines() == [
        f"Asked again from {HOME}, where it is locked to. Nobody had to do anything.",
        "Rule: R4",
        "Outcome: bootstrap",
        "Next: Nothing to do. It stays locked to this place.",
    ]


@pytest.mark.parametrize(("mac", "address"), [("xx", HOME), ("00005e0053fe", "here")])
def test_what_cannot_be_read_is_refused(cast: Any, mac: str, address: str) -> None:
    with pytest.raises(Invalid):
        explaining.explain(mac=mac, address=address, by=None, now=timezone.now())
    with pytest.raises(CommandError):
        call_command("explain", mac=mac, address=address)
