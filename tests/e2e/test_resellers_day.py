"""A reseller's day, by the API alone: a customer with 200 phones, and his program is told of what they do."""

import asyncio
import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from standardwebhooks import Webhook

from tests.e2e.household import Household, eventually
from tests.simulator import Crowd, Member, Phone
from tests.simulator.phones import Outcome

pytestmark = [pytest.mark.once, pytest.mark.timeout(900)]

PHONES = 200
OFFICE, FAIR, HOTEL = "127.9.0.1", "127.9.0.2", "127.9.0.3"
AGENT = "Yealink SIP-T46S 66.86.0.15 {colons}"
MACS = [f"001565e7{at:04x}" for at in range(PHONES)]
FIRST = "device.first_provisioned"


def agent(mac: str) -> str:
    return AGENT.format(colons=":".join(mac[at : at + 2] for at in range(0, 12, 2)))


@dataclass
class Office:
    """The reseller's program: what it calls with, and what it was told."""

    home: Household
    key: str
    secret: str = ""
    told: list[dict[str, Any]] = field(default_factory=list)
    forged: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)

    def do(self, method: str, path: str, body: object = None) -> Any:
        answer = self.home.api(method, path, body, key=self.key)
        assert 200 <= answer.status < 300, (method, path, answer.status, answer.body)
        return answer.json() if answer.body else None

    def all(self, path: str) -> list[Any]:
        """Every row of a list, page by page."""
        rows, page = [], self.do("GET", path)
        while True:
            rows += page["results"]
            if page["next"] is None:
                return rows
            page = self.do("GET", page["next"].partition("/api/v1")[2])

    def job(self, started: Any) -> Any:
        def over() -> Any:
            job = self.do("GET", f"/jobs/{started['job']}/")
            return job if job["finished_at"] else None

        return eventually(over, patience=180, pause=0.5, what="the job")

    def hears(self, headers: dict[str, str], body: bytes) -> None:
        """Keep what is signed with the secret, once however often it comes."""
        try:
            event = Webhook(self.secret).verify(body, headers)
        except Exception as error:
            self.forged.append(str(error))
            return
        if headers["webhook-id"] not in self.ids:
            self.ids.add(headers["webhook-id"])
            self.told.append(event)

    def kinds_of(self, mac: str) -> list[str]:
        """What it was told of a phone, in order."""
        return [
            event["type"] for event in list(self.told) if event["data"].get("device", {}).get("mac") == mac
        ]

    def was_told(self, kind: str, mac: str = "") -> Any:
        def found() -> bool:
            kinds = self.kinds_of(mac) if mac else [event["type"] for event in list(self.told)]
            return kind in kinds

        return eventually(found, patience=90, pause=0.2, what=f"{kind} {mac}")


@pytest.fixture
def office(household: Household) -> Iterator[Office]:
    """A program with a reseller's key that listens on loopback, where a trial may send."""
    made = Office(household, household.make_key("harbour", "reseller"))

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            made.hears({name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/told"
    hook = made.do(
        "POST", "/webhooks/", {"account": "harbour", "name": "Office", "url": url, "with_below": True}
    )
    made.secret = hook["secret"]
    yield made
    made.do("DELETE", f"/webhooks/{hook['code']}/")
    server.shutdown()
    server.server_close()


def phone_at(office: Office, mac: str, source: str) -> Any:
    """The phone, fresh out of its box or reset, at this address."""
    return Phone(mac, agent(mac), f"http://127.0.0.1:{office.home.phones_port}/", source)


def boots(phone: Any) -> Outcome:
    """It gets its accounts, at once or as soon as what was decided has come to the edge."""

    def booted() -> Outcome | None:
        outcome: Outcome = phone.boot()
        return outcome if outcome.secrets else None

    return eventually(booted, patience=90, pause=1.0, what="the accounts")  # type: ignore[no-any-return]


def rotate(office: Office) -> str:
    """Go on with a new key; the old one's name and prefix."""
    old = office.do("GET", "/me/")
    [row] = [row for row in office.all("/api-keys/?account=harbour") if row["prefix"] == old["key"]]
    made = office.do("POST", f"/api-keys/{row['code']}/rotate/", {"overlap_hours": 0})
    former, office.key = office.key, made["key"]
    refused = office.home.api("GET", "/me/", key=former)
    assert refused.status == 401, refused.body
    return str(old["name"])


def test_a_resellers_day(office: Office) -> None:
    do = office.do

    # A customer, and somebody who looks after it.
    do("POST", "/accounts/", {"parent": "harbour", "slug": "northwind", "name": "Northwind"})
    noor = {"account": "northwind", "email": "noor@northwind.example", "name": "Noor", "role": "manager"}
    do("POST", "/people/", noor)

    # Its phones, as a list, each with a line; what they show and how they behave.
    rows = [
        {
            "mac": mac,
            "model": "T46S",
            "name": f"Desk {at}",
            "extension": str(5000 + at),
            "secret": f"Sip-{mac}",
        }
        for at, mac in enumerate(MACS)
    ]
    draft = do("POST", "/imports/", {"account": "northwind", "rows": rows})
    assert (draft["add"], draft["refused"]) == (PHONES, 0)
    office.job(do("POST", f"/imports/{draft['code']}/run/"))
    devices = {row["mac"]: row["code"] for row in office.all("/devices/?account=northwind")}
    assert sorted(devices) == MACS
    keys = [{"position": 2, "kind": "blf", "value": "5000", "label": "Reception"}]
    profile = do(
        "POST", "/profiles/", {"account": "northwind", "name": "Desks", "family": "yealink", "keys": keys}
    )
    worn = do("POST", f"/profiles/{profile['code']}/apply/", {"devices": list(devices.values())})
    assert worn["changed"] == PHONES
    do("PUT", "/settings/language/", {"account": "northwind", "value": "de"})

    # They are unpacked and get power.
    members = [Member(mac, agent(mac), OFFICE) for mac in MACS]
    crowd = Crowd(
        members, f"http://127.0.0.1:{office.home.phones_port}/", pace=0.1, polls=20, poll_after=60.0
    )
    tally = asyncio.run(crowd.power_up(within=10.0))
    assert (tally.served, tally.unserved) == (PHONES, [])

    def all_first() -> bool:
        return all(FIRST in office.kinds_of(mac) for mac in MACS)

    eventually(all_first, patience=180, pause=0.5, what="word of each phone")

    # One goes to a fair, where a window is open for it.
    fair = {"account": "northwind", "address": FAIR, "hours": 2, "devices": [devices[MACS[1]]]}
    do("POST", "/windows/", fair)
    office.was_told("window.opened")
    boots(phone_at(office, MACS[1], FAIR))
    office.was_told("window.used")

    # In the middle of the day the key is changed.
    before_noon = rotate(office)
    after_noon = str(do("GET", "/me/")["name"])
    assert before_noon != after_noon

    # One is refused in a hotel; it is asked about, allowed once, and was not meant to be there after all.
    travelling = phone_at(office, MACS[0], HOTEL)
    assert not travelling.boot().secrets
    office.was_told("approval.pending", MACS[0])
    [card] = office.all(f"/approvals/?device={devices[MACS[0]]}")
    do("POST", f"/approvals/{card['code']}/", {"decision": "once"})
    assert boots(travelling).secrets == {"5000": f"Sip-{MACS[0]}"}
    here = f"/devices/{devices[MACS[0]]}/"
    eventually(lambda: do("GET", here)["lock"]["bound_origin"] == HOTEL, pause=1.0, what="the hotel's lock")
    lock = do("POST", f"/devices/{devices[MACS[0]]}/take-back/")
    assert lock["bound_origin"] == OFFICE
    office.was_told("device.taken_back", MACS[0])

    # Everything came signed, and of each phone in order.
    assert office.forged == []
    of_one = office.kinds_of(MACS[0])
    order = [FIRST, "approval.pending", "device.refused", "device.unlocked", "device.taken_back"]
    assert [kind for kind in dict.fromkeys(of_one) if kind in order] == order, of_one
    assert not [mac for mac in MACS if office.kinds_of(mac).count(FIRST) != 1]

    # And all that was done stands in the audit, under the key by which it was done.
    done = defaultdict(set)
    for entry in office.all("/audit/?account=northwind&limit=500"):
        done[entry["actor"]].add(entry["verb"])
    assert done[before_noon] >= {
        "account.created", "person.invited", "profile.created", "account.setting-changed",
        "window.opened",
    }  # fmt: skip
    assert done[after_noon] >= {"approval.answered", "device.taken-back"}
    assert {"webhook.created", "api-key.rotated"} <= {
        entry["verb"] for entry in office.all("/audit/?account=harbour") if entry["actor"] == before_noon
    }
    assert f"Sip-{MACS[0]}" not in json.dumps(office.told)
