"""Incidents: one row while it goes on, told once, ended with a reason, on one timeline, for its readers."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import IntegrityError, transaction
from django.utils import timezone, translation

from accounts import tenants
from accounts.models import Account, AuditEntry
from accounts.refusals import Forbidden, Invalid, Refusal
from accounts.said import Said
from accounts.scope import Actor
from provisioning import incident_words, incidents, publishing, telling
from provisioning.models import Incident, IncidentStep
from tests.factories import AWAY, make_phone, origin
from tests.tree import INSTALLER, Tree, plant

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

MINUTE = timedelta(minutes=1)


@pytest.fixture
def tree() -> Tree:
    return plant()


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, str]]:
    found: list[tuple[str, int, str]] = []
    monkeypatch.setattr(publishing, "tell_later", lambda *what: found.append(what))
    return found


def opened(account: Account, now: datetime, **more: Any) -> Incident:
    values: dict[str, Any] = {
        "kind": Incident.Kind.BAN,
        "subject": AWAY,
        "title": f"{AWAY} is banned",
        "network": origin(AWAY),
        "evidence": {"threshold": "10 + 1 of 12 proved"},
    }
    values |= more
    return incidents.open_(values.pop("kind"), account=account, now=now, **values)


def rows_of(incident: Incident) -> list[tuple[str, str]]:
    return [(step.what, step.said) for step in incident.steps.all()]


# --- opened, followed, ended -------------------------------------------------------------------------------


def test_the_same_trouble_is_one_row_and_told_once(
    tree: Tree, now: datetime, asked: list[tuple[str, int, str]]
) -> None:
    first = opened(tree.acme, now)
    again = opened(tree.acme, now + MINUTE)

    assert again == first
    assert rows_of(first) == [("opened", f"{AWAY} is banned")]
    assert asked == [("incident", tree.acme.pk, str(first.code))]


def test_what_becomes_known_later_is_a_step(tree: Tree, now: datetime) -> None:
    first = opened(tree.acme, now)
    opened(tree.acme, now + MINUTE, title=f"{AWAY} is banned until noon", evidence={"failures": 14})

    first.refresh_from_db()
    assert (first.title, first.evidence) == (f"{AWAY} is banned until noon", {"failures": 14})
    assert rows_of(first)[1:] == [("seen", f"{AWAY} is banned until noon")]


def test_new_evidence_alone_is_no_step(tree: Tree, now: datetime) -> None:
    first = opened(tree.acme, now)

    assert incidents.refresh(first, title=first.title, evidence={"failures": 14}, now=now + MINUTE)
    assert not incidents.refresh(first, title=first.title, evidence={"failures": 14}, now=now + MINUTE)

    assert (Incident.objects.get().evidence, len(rows_of(first))) == ({"failures": 14}, 1)


def test_another_account_or_subject_or_kind_is_another_row(tree: Tree, now: datetime) -> None:
    opened(tree.acme, now)
    opened(tree.globex, now)
    opened(tree.acme, now, subject="another")
    opened(tree.acme, now, kind=Incident.Kind.PRESSURE)

    assert Incident.objects.going_on().count() == 4


def test_what_has_ended_stays_as_it_ended(tree: Tree, now: datetime) -> None:
    row = opened(tree.acme, now)
    incidents.end(row, how="It ran out", now=now + MINUTE)
    incidents.end(row, how="Otherwise", now=now + 2 * MINUTE)
    assert not incidents.refresh(row, title="Otherwise", now=now + 3 * MINUTE)

    row.refresh_from_db()
    assert (row.ended_at, row.how_ended, row.title) == (now + MINUTE, "It ran out", f"{AWAY} is banned")
    assert opened(tree.acme, now + 4 * MINUTE) != row


@pytest.mark.parametrize(("later", "again"), [(59 * MINUTE, False), (60 * MINUTE, True)])
def test_what_a_person_has_closed_is_not_opened_again_for_an_hour(
    later: timedelta, again: bool, tree: Tree, now: datetime, asked: list[tuple[str, int, str]]
) -> None:
    row = incidents.close(opened(tree.acme, now), by=tree.ana, reason="We know", now=now)

    handed = opened(tree.acme, now + later, title="The same")

    assert (handed != row) is again
    assert len(asked) == (2 if again else 1)
    row.refresh_from_db()
    assert (row.title, row.how_ended) == (f"{AWAY} is banned", "We know")
    assert opened(tree.globex, now + later).ended_at is None


def test_it_never_ends_before_it_began(tree: Tree, now: datetime) -> None:
    row = opened(tree.acme, now)

    assert incidents.end(row, how="A clock went back", now=now - MINUTE).ended_at == now
    with pytest.raises(IntegrityError), transaction.atomic():
        Incident.objects.update(ended_at=now - MINUTE)


# --- people ------------------------------------------------------------------------------------------------


def test_a_manager_notes_and_closes(tree: Tree, now: datetime) -> None:
    row = opened(tree.acme, now)
    incidents.note(row, by=tree.ana, said="  Called the site  ", now=now + MINUTE)
    incidents.close(row, by=tree.rita, reason="A fire drill", now=now + 2 * MINUTE)

    assert rows_of(row)[1:] == [("noted", "Called the site"), ("ended", "A fire drill")]
    assert [step.by for step in row.steps.all()] == ["", tree.ana.label, tree.rita.label]
    verbs = AuditEntry.objects.filter(account=tree.acme, target_code=str(row.code)).order_by("id")
    assert list(verbs.values_list("verb", flat=True)) == ["incident.noted", "incident.closed"]


@pytest.mark.parametrize("who", ["vic", "ben", "eve"])
def test_who_may_not_does_nothing(who: str, tree: Tree, now: datetime) -> None:
    row, by = opened(tree.acme, now), getattr(tree, who)

    with pytest.raises(Forbidden):
        incidents.note(row, by=by, said="Called", now=now)
    with pytest.raises(Forbidden):
        incidents.close(row, by=by, reason="A fire drill", now=now)

    row.refresh_from_db()
    assert (row.ended_at, len(rows_of(row))) == (None, 1)


@pytest.mark.parametrize("text", ["", "   ", "x" * 501])
def test_a_note_says_something_in_one_line(text: str, tree: Tree, now: datetime) -> None:
    row = opened(tree.acme, now)

    with pytest.raises(Invalid):
        incidents.note(row, by=tree.ana, said=text, now=now)

    assert len(rows_of(row)) == 1


def test_what_is_over_cannot_be_closed_again(tree: Tree, now: datetime) -> None:
    row = incidents.end(opened(tree.acme, now), how="It ran out", now=now)

    with pytest.raises(Refusal) as refusal:
        incidents.close(row, by=tree.ana, reason="Mine", now=now)

    assert refusal.value.code == "over"
    assert Incident.objects.get().how_ended == "It ran out"


# --- who sees and hears of it ------------------------------------------------------------------------------


def test_an_account_and_those_above_it_see_it(tree: Tree, now: datetime) -> None:
    row = opened(tree.acme, now)
    seen: dict[str, Actor] = {name: getattr(tree, name) for name in ("support", "rita", "ana", "vic")}
    unseen: dict[str, Actor] = {name: getattr(tree, name) for name in ("ben", "eve")}

    assert {name for name, by in seen.items() if list(Incident.objects.visible_to(by)) == [row]} == set(seen)
    assert [name for name, by in unseen.items() if Incident.objects.visible_to(by)] == []


def test_the_letter_says_what_follows_and_by_what_it_is_known(tree: Tree, now: datetime) -> None:
    row = opened(tree.acme, now)

    assert telling.tell("incident", tree.acme.pk, str(row.code), now=now) == 1
    assert telling.tell("incident", tree.acme.pk, str(row.code), now=now) == 0

    [letter] = mail.outbox
    assert (letter.to, letter.subject) == (["ana@example.org"], f"{AWAY} is banned")
    assert "Acme, since Mon 2 Mar, 13:00 CET. A ban stops new setups only" in letter.body
    assert "- Threshold: 10 + 1 of 12 proved" in letter.body
    assert f"/incidents/{row.code}/" in letter.body
    assert rows_of(row)[1:] == [("told", "Ana, by e-mail.")]


def test_an_account_without_a_manager_has_its_reseller_told(tree: Tree, now: datetime) -> None:
    lonely = tenants.create_account(tree.harbour, by=tree.rita, slug="lonely", name="Lonely")
    row = opened(lonely, now)

    telling.tell("incident", lonely.pk, str(row.code), now=now)

    assert [letter.to for letter in mail.outbox] == [["rita@example.org"]]
    assert rows_of(row)[1:] == [("told", "Rita, by e-mail.")]


def test_where_nobody_is_there_that_is_written_down() -> None:
    alone = tenants.found_platform(by=INSTALLER, slug="platform", name="Platform")
    row = opened(alone, timezone.now())

    assert telling.tell("incident", alone.pk, str(row.code), now=timezone.now()) == 0

    assert rows_of(row)[1:] == [("told", "Nobody: the account has no manager, nor has one above it.")]


def test_a_letter_that_cannot_be_sent_is_not_noted_as_told(
    tree: Tree, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = opened(tree.acme, now)
    monkeypatch.setattr("django.core.mail.EmailMessage.send", lambda self: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        telling.tell("incident", tree.acme.pk, str(row.code), now=now)

    assert not IncidentStep.objects.filter(what="told").exists()


# --- evidence ----------------------------------------------------------------------------------------------


@pytest.mark.rule("B5")
def test_own_keys_are_in_clear_and_others_are_counts(tree: Tree, now: datetime) -> None:
    ours, theirs = make_phone(tree.acme, by=tree.ana), make_phone(tree.globex, by=tree.eve)
    at = now.timestamp()
    keys = [
        ["locked-mac", ours.mac, str(tree.acme.code), at],
        ["locked-mac", theirs.mac, str(tree.globex.code), at],
        ["unknown-mac", "00005e0053f7", "", at],
        ["unknown-mac", "00005e0053f8", "", at],
    ]
    row = opened(tree.acme, now, evidence={"keys": keys, "threshold": "10", "ban": ""})

    facts = [(fact.label, fact.text) for fact in incident_words.describe(row, now=now).facts]

    colons = ":".join(ours.mac[at : at + 2] for at in range(0, 12, 2)).upper()
    assert facts == [
        ("A phone of yours", f"{colons}, locked phones asked from elsewhere, Mon 2 Mar, 13:00 CET"),
        ("Of others", "2 unknown MACs"),
        ("Of others", "1 locked phones asked from elsewhere"),
        ("Threshold", "10"),
    ]


def test_what_is_the_machines_is_not_shown(tree: Tree, now: datetime) -> None:
    row = opened(
        tree.acme,
        now,
        evidence={
            "state": {"secret": 7},
            "facts": [["Phones", "12"]],
            "last_good": "noon",
            "causes": ["a", "b"],
        },
    )

    facts = [(fact.label, fact.text) for fact in incident_words.describe(row, now=now).facts]

    assert facts == [("Phones", "12"), ("Last good", "noon"), ("Causes", "a"), ("Causes", "b")]


def test_every_kind_has_words(tree: Tree, now: datetime) -> None:
    for kind in Incident.Kind:
        words = incident_words.describe(opened(tree.acme, now, kind=kind), now=now)
        assert words.consequence.endswith(".")
        assert words.next.endswith(".")
        assert words.icon


def test_an_incident_keeps_what_its_texts_are_made_of(
    tree: Tree, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads it reads it in his language, a person's words as they stand."""
    facts = [[Said("Within"), Said("{seconds} s", seconds=54)], ["Asked at", "198.51.100.1"]]
    row = opened(tree.acme, now, title=Said("{count} phones asked.", count=3), evidence={"facts": facts})
    incidents.refresh(row, title=Said("{count} phones asked.", count=5), now=now + MINUTE)
    incidents.note(row, by=tree.ana, said="Within", now=now + MINUTE)
    incidents.end(row, how=Said("None was held."), now=now + 2 * MINUTE)
    row = Incident.objects.get(pk=row.pk)

    assert (row.title, row.how_ended) == ("5 phones asked.", "None was held.")
    monkeypatch.setattr(translation._trans, "gettext", lambda text: f"⟦{text}⟧")  # type: ignore[attr-defined]
    assert (row.told_title, row.told_end) == ("⟦5 phones asked.⟧", "⟦None was held.⟧")
    said = [step.told for step in row.steps.order_by("pk")]
    assert said == ["⟦3 phones asked.⟧", "⟦5 phones asked.⟧", "Within", "⟦None was held.⟧"]
    shown = [(fact.label, fact.text) for fact in incident_words.describe(row, now=now).facts]
    assert shown == [("⟦Within⟧", "⟦54 s⟧"), ("Asked at", "198.51.100.1")]
