"""The platform's own phone asks by the public address; twice in vain is an incident (rules.md section 7)."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pytest_django import Settings

from accounts.models import Account
from devices.models import Device
from provisioning import canary, facts, incidents, listening, quarters, tasks
from provisioning.models import CheckInDay, Incident, Lock, Proof, Stamp, Token, UnknownTime
from provisioning.tokens import text_of
from security.networks import parse_address
from tests.provisioning.making import make_account, make_phone
from tests.provisioning.notes import drain, used

NOW = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

pytestmark = pytest.mark.django_db(transaction=True)


class Address(ThreadingHTTPServer):
    """A public address that answers as it is told, and remembers for what it was asked."""

    status, body = 200, b"the file"
    asked: list[str]


class _Answer(BaseHTTPRequestHandler):
    server: Address

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def address(settings: Settings) -> Iterator[Address]:
    server = Address(("127.0.0.1", 0), _Answer)
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.CANARY_URL = f"http://127.0.0.1:{server.server_address[1]}"
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def platform() -> Account:
    return make_account("platform", kind=Account.Kind.PLATFORM)


def test_it_is_a_phone_of_the_platform_and_asks_below_its_private_url(
    address: Address, platform: Account
) -> None:
    assert canary.look(NOW, before=False)
    assert canary.look(NOW + 3 * MINUTE, before=False)

    device = Device.objects.get()
    token = Token.objects.get(device=device, kind="current")
    assert (device.account, device.name, Lock.objects.get().state) == (platform, "Canary", "locked")
    assert len(address.asked) == 2
    assert all(path.startswith(f"/d/{text_of(token)}/") and device.mac in path for path in address.asked)
    assert Stamp.objects.get(name="canary").at == NOW + 3 * MINUTE
    assert Incident.objects.count() == 0


def test_it_is_nobodys_neighbour_where_our_own_machine_stands(address: Address, platform: Account) -> None:
    """With it as a second customer no reset phone of that office would come back by itself."""
    assert canary.look(NOW, before=False)
    device, place = Device.objects.get(), "203.0.113.7"
    ours = make_phone(make_account("acme", platform))
    theirs = used(ours, place, NOW, drift=False)

    drain(used(device, place, NOW, drift=True, agent=canary.AGENT), theirs, now=NOW)

    assert not facts.is_shared(parse_address(place), NOW)
    assert [row.device for row in Proof.objects.all()] == [ours]
    drain(used(device, place, NOW, drift=True, agent="Yealink SIP-T46S 66.85.0.5"), now=NOW)
    assert facts.is_shared(parse_address(place), NOW)


def test_one_try_in_vain_is_none_two_are_an_incident_and_the_next_good_one_ends_it(address: Address) -> None:
    canary.look(NOW, before=False)
    address.status = 503

    assert not canary.look(NOW + 3 * MINUTE, before=False)
    assert Incident.objects.count() == 0
    assert not canary.look(NOW + 4 * MINUTE, before=True)

    incident = Incident.objects.get()
    assert (incident.kind, incident.account.slug) == ("canary", "platform")
    assert "127.0.0.1 answered 503" in incident.title
    assert "Mon 2 Mar, 12:30 UTC" in incident.title
    address.status = 200
    assert canary.look(NOW + 7 * MINUTE, before=False)
    incident.refresh_from_db()
    assert (incident.ended_at, incident.how_ended) == (
        NOW + 7 * MINUTE,
        "The test phone got its file by the public address again.",
    )


@pytest.mark.parametrize(
    ("case", "body", "url", "words"),
    [
        ("an empty file", b"", None, "answered with an empty file"),
        ("nobody there", b"x", "http://127.0.0.1:9", "gave no answer"),
        ("a name that is none", b"x", "http://canary.invalid", "gave no answer"),
    ],
)
def test_what_it_finds_is_said(
    address: Address, settings: Settings, case: str, body: bytes, url: str | None, words: str
) -> None:
    address.body = body
    settings.CANARY_URL = url or settings.CANARY_URL

    assert not canary.look(NOW, before=True)

    assert words in Incident.objects.get().title


def test_a_try_in_vain_is_followed_by_another_in_a_minute(
    address: Address, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    address.status = 404
    later: list[dict[str, Any]] = []
    monkeypatch.setattr(tasks.ask_canary, "apply_async", lambda **how: later.append(how))

    assert tasks.ask_canary() is False
    assert tasks.ask_canary(before=True) is False

    assert later == [{"kwargs": {"before": True}, "countdown": 60}]
    settings.CANARY_URL = "off"
    assert tasks.ask_canary() is True
    assert len(address.asked) == 2


@pytest.mark.parametrize(("came", "unknown"), [(0, True), (4, True), (5, False)])
def test_what_phones_did_not_bring_while_it_failed_is_unknown(
    address: Address, platform: Account, came: int, unknown: bool
) -> None:
    """Ten came in the same quarter of the week before."""
    for at, times in ((NOW - timedelta(days=7), 10), (NOW, came)):
        counts = [0] * quarters.IN_A_DAY
        counts[quarters.number(at)] = times
        CheckInDay.objects.create(day=at.date(), quarters=quarters.pack(counts))
    incidents.open_(
        Incident.Kind.CANARY, account=platform, subject="canary", title="It fails", now=NOW,
        evidence={"state": {"since": NOW.isoformat()}},
    )  # fmt: skip

    listening.look(NOW + 15 * MINUTE)

    rows = UnknownTime.objects.values_list("why", "since", "until")
    assert list(rows) == ([("unreached", NOW, NOW + 15 * MINUTE)] if unknown else [])
