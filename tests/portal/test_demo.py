"""The demo: complete, real, once, and its two printed lines do what they say."""

import shlex
import tomllib
from collections import Counter
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db.models import Count
from django.test import override_settings
from django.utils import timezone

from accounts.authentication import actor_of
from accounts.models import Account, AuditEntry, Membership, User
from accounts.roles import Role
from devices import keys
from devices.catalog import catalog
from devices.models import Appearance, Device, Extension, Site
from devices.settings_tree import phone_settings
from devices.user_agent import parse_agent
from portal import demo
from provisioning import claims, clones, phone_import, replaying
from provisioning.compiling import compile_full
from provisioning.gate import Outcome
from provisioning.models import (
    Approval,
    DeviceEvent,
    ImportDraft,
    Incident,
    LastSeen,
    Lock,
    Proof,
    WebhookDelivery,
    WebhookEndpoint,
    Window,
)
from security.models import Ban
from security.networks import parse_address
from security.pressure import RULES, Rules
from security.what_if import replay

pytestmark = pytest.mark.django_db

DATA: dict[str, Any] = tomllib.loads(demo.DATA.read_text(encoding="utf-8"))


@pytest.fixture
def facts() -> demo.DemoFacts:
    with override_settings(LATCHKEY_TRIAL=True):
        return demo.fill(trial=True)


def test_a_platform_a_reseller_three_customers_and_24_phones(facts: demo.DemoFacts) -> None:
    kinds = dict(Account.objects.values_list("slug", "kind"))

    assert kinds == {
        "platform": "platform",
        "harbour": "reseller",
        "acme": "customer",
        "globex": "customer",
        "initech": "customer",
    }
    assert Device.objects.count() == 24
    assert set(Device.objects.values_list("family", flat=True)) == set(catalog().families)
    assert len(set(Device.objects.values_list("model", flat=True))) >= 12
    shown = Counter(Appearance.objects.values_list("extension__username", "device").distinct())
    phones_of = Counter(username for username, _ in shown)
    assert {name for name, count in phones_of.items() if count > 1} == {"200", "7000"}


def test_both_receptions_have_a_profile_and_one_has_keys_of_its_own_in_its_place(
    facts: demo.DemoFacts,
) -> None:
    first, second = Device.objects.filter(name__startswith="Reception").order_by("name")

    assert first.profile == second.profile
    assert str(first.profile) == "Front desk"
    held = {phone.name: {row.position: row.value for row in keys.of(phone)} for phone in (first, second)}
    assert held["Reception 1"] == {3: "214", 4: "207", 5: "701", 6: "340", 7: "263"}
    assert held["Reception 2"] == {5: "702", 6: "340", 7: "263"}


def test_there_is_somebody_for_every_role(facts: demo.DemoFacts) -> None:
    assert set(Membership.objects.values_list("role", flat=True)) == {role.value for role in Role}
    assert {role for _, _, role in facts.sign_ins} == {role.value for role in Role}
    for email, password, _ in facts.sign_ins:
        user = User.objects.get(email=email)
        assert user.check_password(password)
        assert user.has_demo_password
    assert [row.user.email for row in Membership.objects.filter(sees_secrets=True)] == ["ana@example.org"]
    invited = Membership.objects.get(user__email="nina@example.org")
    assert (invited.is_pending, invited.user.has_usable_password()) == (True, False)


def test_every_state_is_there_to_be_seen(facts: demo.DemoFacts) -> None:
    states = Counter(Lock.objects.values_list("state", flat=True))

    assert set(states) == {"new", "unlocked", "locked", "quarantined", "retired"}
    assert states["locked"] >= 10
    assert Device.objects.filter(is_enabled=False).count() == 1
    assert Lock.objects.filter(reason="stale").count() == 1
    assert Lock.objects.filter(bound_site__isnull=False).exists()
    assert Approval.objects.filter(status="open").count() == 2
    assert Lock.objects.filter(suspicion_why="origins").count() == 1
    assert [row.device.name for row in clones.open_clones(Device.objects.all())] == ["Meeting room 3"]
    assert set(Extension.objects.filter(exposed_since__isnull=False).values_list("username", flat=True)) == {
        "263",
        "52",
    }
    assert Window.objects.get().account.slug == "acme"
    assert Site.objects.filter(networks__isnull=False).exists()


def test_programs_are_told_of_it_and_nothing_leaves_the_machine(facts: demo.DemoFacts) -> None:
    states = dict(WebhookDelivery.objects.values_list("state").annotate(rows=Count("pk")).order_by())

    assert set(states) == {"waiting", "delivered", "dead", "dropped"}
    assert {urlsplit(row.url).hostname for row in WebhookEndpoint.objects.all()} == {"127.0.0.1"}
    assert {row.with_below for row in WebhookEndpoint.objects.all()} == {True}
    assert WebhookDelivery.objects.filter(event__account__slug="acme").exists()


def test_where_addresses_are_real_its_programs_are_switched_off() -> None:
    demo.fill(trial=False)

    assert set(WebhookEndpoint.objects.values_list("is_active", flat=True)) == {False}
    assert not WebhookDelivery.objects.filter(state="waiting").exists()


def test_it_looks_lived_in(facts: demo.DemoFacts) -> None:
    came = [phone for phone in DATA["phones"] if "from" in phone]

    moved = [phone for phone in came if "also_from" in phone]
    assert (LastSeen.objects.count(), Proof.objects.count()) == (len(came), len(came) + len(moved))
    assert DeviceEvent.objects.filter(rule="R1").count() == len(came)
    assert AuditEntry.objects.filter(verb="device.entered").count() == 24
    assert AuditEntry.objects.filter(verb="device.unlocked").count() == 3


def test_there_are_incidents_of_three_kinds_and_one_goes_on(facts: demo.DemoFacts) -> None:
    found = {row.kind: row for row in Incident.objects.select_related("account", "site")}

    assert set(found) == {"storm", "silence", "ban"}
    assert [row.kind for row in Incident.objects.going_on()] == ["ban"]
    assert str(found["ban"].network) in {row["network"] for row in DATA["bans"]}
    assert str(found["silence"].site) == "Harbour Street"
    assert [step.what for step in found["storm"].steps.all()] == ["opened", "told", "noted", "ended"]


def test_there_is_something_to_try_other_thresholds_on(facts: demo.DemoFacts) -> None:
    now = timezone.now()
    days = now - timedelta(days=4)
    ban = Ban.objects.get(step=1)

    as_it_is, stricter = (
        sorted(str(one.network) for one in replay(replaying.events(days, now), rules))
        for rules in (RULES, Rules(base=5))
    )

    assert str(ban.network) == DATA["scans"][0]["address"]
    assert as_it_is == [str(ban.network)]
    assert stricter == sorted(row["address"] for row in DATA["scans"])


def test_every_phone_compiles_and_its_agent_is_its_own(facts: demo.DemoFacts) -> None:
    agents = {phone["mac"]: demo._agent(phone) for phone in DATA["phones"]}
    devices = list(Device.objects.all())

    for pk, phone in phone_settings(devices).items():
        assert compile_full(phone, "http://127.0.0.1:8100/d/x/"), pk
        agent = parse_agent(agents[phone.mac])
        assert agent is not None
        assert agent.family == phone.family
        found = catalog().find_model(phone.family, agent.model or "")
        assert found is not None
        assert found.name == phone.model


def played(line: str, source: str) -> claims.Answer:
    """What the printed curl line asks for, from that address."""
    words = shlex.split(line)
    agent, url = words[words.index("-A") + 1], words[-1]
    assert url.startswith(settings.PHONES_URL + "/")
    name = url.rpartition("/")[2]
    mac = name.partition(".")[0]
    return claims.claim(claims.Request(mac, name, parse_address(source), agent))


def test_the_printed_lines_play_a_phone_and_a_thief(facts: demo.DemoFacts) -> None:
    assert "--interface 127.0.66.6" in facts.curl_thief
    assert "--interface" not in facts.curl_phone

    thief = played(facts.curl_thief, "127.0.66.6")
    phone = played(facts.curl_phone, "127.0.0.1")

    assert (thief.verdict.outcome, thief.verdict.rule) == (Outcome.REFUSED, "R6")
    assert (phone.verdict.outcome, phone.verdict.rule) == (Outcome.BOOTSTRAP, "R4")


def test_a_second_time_nothing_is_done(facts: demo.DemoFacts) -> None:
    before = (AuditEntry.objects.count(), Device.objects.count(), DeviceEvent.objects.count())

    assert demo.fill(trial=True) == facts

    assert (AuditEntry.objects.count(), Device.objects.count(), DeviceEvent.objects.count()) == before


def test_without_a_trial_no_loopback_place_is_made() -> None:
    demo.fill(trial=False)

    assert Device.objects.count() == 24
    assert not Site.objects.filter(networks__isnull=False).exists()
    assert not Window.objects.exists()
    assert not Lock.objects.filter(reason="stale").exists()


def test_a_filling_that_fails_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **more: object) -> None:
        raise RuntimeError("in the middle")

    monkeypatch.setattr(demo.locking, "sweep", fail)

    with pytest.raises(RuntimeError):
        demo.fill(trial=False)

    assert not Account.objects.exists()


def test_a_list_of_phones_waits_with_three_bad_rows(facts: demo.DemoFacts) -> None:
    draft = ImportDraft.objects.select_related("account", "job").get()
    ana = actor_of(User.objects.get(email="ana@example.org"))

    found = phone_import.preview(draft, by=ana)

    assert [(verdict.line, verdict.field) for verdict in found.bad] == [
        (10, "mac"),
        (11, "model"),
        (12, "mac"),
    ]
    assert found.counts["add"] == 8


def test_the_command_wants_to_be_allowed(capsys: pytest.CaptureFixture[str]) -> None:
    with override_settings(DEMO=False), pytest.raises(CommandError, match="LATCHKEY_DEMO"):
        call_command("demo")
    assert not Account.objects.exists()

    with override_settings(DEMO=True, LATCHKEY_TRIAL=True):
        call_command("demo")

    assert "ana@example.org" in capsys.readouterr().out
