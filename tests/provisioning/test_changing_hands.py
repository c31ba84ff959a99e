"""A phone and a customer change hands, and nothing of the old tenant goes along; a quarantine always does."""

from collections.abc import Iterator

import pytest
import redis
import time_machine
from django.test import Client
from django.utils import timezone

from accounts import resettling, tenants
from accounts.authentication import actor_of
from accounts.models import Account
from accounts.refusals import Refusal
from accounts.roles import Role
from accounts.scope import Actor
from devices import settings_tree
from devices.models import Device
from provisioning import (
    entering,
    files,
    keeper,
    ledger,
    locking,
    moving,
    retiring,
    suspicion,
    swapping,
    tokens,
    windows,
)
from provisioning.gate import Outcome
from provisioning.models import Lock
from security.networks import parse_address
from tests.factories import make_phone, origin
from tests.provisioning.furnished import (
    DAY,
    HOUR,
    MAC,
    NEW_MAC,
    NOW,
    OFFICE,
    OLD_WORDS,
    SECRETS,
    Furnished,
    furnish,
)
from tests.provisioning.inside_edge import InsideEdge, Judges, Reply, committed
from tests.provisioning.making import HOTEL, THIEF, colons
from tests.second_factors import equipped
from tests.tree import PASSWORD, Tree, user_of

pytestmark = [pytest.mark.django_db]


@pytest.fixture
def home(cast: Tree, store: redis.Redis, clock: time_machine.Traveller) -> Furnished:
    """Acme's front desk, moved and polling; two hours later."""
    home = furnish(cast)
    clock.move_to(NOW + 2 * HOUR)
    keeper.rebuild(timezone.now())
    return home


@pytest.fixture
def edge(home: Furnished, monkeypatch: pytest.MonkeyPatch) -> Iterator[InsideEdge]:
    made = InsideEdge(Judges(monkeypatch))
    yield made
    made.close()


@pytest.fixture
def lake(cast: Tree) -> Account:
    return tenants.create_account(cast.platform, by=cast.support, slug="lake", name="Lake Telecom")


@pytest.fixture
def lars(cast: Tree, lake: Account) -> Actor:
    made = tenants.add_person(
        lake, by=cast.support, email="lars@example.org", name="Lars", role=Role.RESELLER, password=PASSWORD
    )
    return actor_of(made.user)


def start(edge: InsideEdge, address: str, mac: str = MAC) -> Reply:
    """A start of the phone with this MAC: it asks the root."""
    agent = f"Yealink SIP-T46S 66.85.0.5 {colons(mac)}"
    return edge.ask(f"/{mac}.boot", address=parse_address(address), agent=agent)


def poll(edge: InsideEdge, text: str, address: str, mac: str = MAC) -> Reply:
    """A fetch of the full file below this private URL."""
    agent = f"Yealink SIP-T46S 66.85.0.5 {colons(mac)}"
    return edge.ask(f"/d/{text}/{mac}.cfg", address=parse_address(address), agent=agent)


def fresh(device: Device) -> Device:
    return Device.objects.select_related("account", "site", "owner").get(pk=device.pk)


# --- a phone goes to another customer ----------------------------------------------------------------------


@pytest.mark.rule("E17")
def test_a_phone_goes_to_another_customer(home: Furnished, edge: InsideEdge, cast: Tree) -> None:
    texts = [tokens.text_of(token) for token in (home.current, home.former)]
    served = poll(edge, texts[0], OFFICE)
    assert (served.status, SECRETS["4100"].encode() in served.body) == (200, True)

    with committed():
        phone = moving.move(home.phone, by=cast.rita, to=cast.globex)

    for address in (OFFICE, HOTEL, THIEF):
        replies = [*(poll(edge, text, address) for text in texts), start(edge, address)]
        assert [(reply.status, reply.body) for reply in replies] == [(404, b"")] * 3

    with committed():
        locking.unlock(fresh(phone), by=cast.eve, origin=origin(HOTEL))
    assert start(edge, HOTEL).status == 200
    new = tokens.text_of(phone.tokens.get(kind="current"))
    got = poll(edge, new, HOTEL)
    assert got.status == 200
    assert [word for word in OLD_WORDS if word.encode() in got.body and word != HOTEL] == []
    assert [poll(edge, text, OFFICE).status for text in texts] == [404, 404]


# --- a customer goes to another reseller -------------------------------------------------------------------


@pytest.mark.rule("E18")
def test_a_customer_goes_to_another_reseller(
    home: Furnished, edge: InsideEdge, cast: Tree, lake: Account, lars: Actor
) -> None:
    text = tokens.text_of(home.current)
    with committed():
        locking.lock_again(home.phone, by=cast.ana)
        settings_tree.reset_value(cast.acme, by=cast.ana, name="sip_server")
        settings_tree.set_value(cast.harbour, by=cast.rita, name="sip_server", value="sip.harbour.example")
        settings_tree.set_value(lake, by=lars, name="sip_server", value="sip.lake.example")
        windows.open_window(cast.harbour, by=cast.rita, origin=origin("192.0.2.99"), hours=4)
    assert b"sip.harbour.example" in poll(edge, text, OFFICE).body

    with committed():
        resettling.move_customer(cast.acme, by=cast.support, below=lake)
    files.publish_files([home.phone.pk])  # the worker's

    got = poll(edge, text, OFFICE)
    assert (got.status, b"sip.lake.example" in got.body, b"harbour" in got.body) == (200, True, False)
    assert start(edge, "192.0.2.99").status == 404  # the former reseller's window
    pages = ("/api/v1/devices/", "/api/v1/audit/", "/api/v1/accounts/", "/phones/", "/people/")
    for actor, sees in ((cast.rita, False), (lars, True)):
        reader = Client()
        reader.force_login(equipped(user_of(actor)))
        shown = {url: reader.get(url).content.decode() for url in pages}
        assert {
            url: "Front desk" in shown[url] or "Acme" in shown[url] for url in pages if "audit" not in url
        } == {url: sees for url in pages if "audit" not in url}
        assert reader.get(f"/phones/{home.phone.code}/").status_code == (200 if sees else 404)
        assert ("Harbour" in "".join(shown.values())) is not sees


# --- a quarantined phone -----------------------------------------------------------------------------------


@pytest.mark.rule("E8q")
@pytest.mark.rule("E8")
def test_nothing_but_a_release_frees_a_quarantined_phone(
    home: Furnished, edge: InsideEdge, cast: Tree, lake: Account, clock: time_machine.Traveller
) -> None:
    text = tokens.text_of(home.current)
    with committed():
        locking.quarantine(home.phone, by=cast.ana, reason="Stolen")
        windows.open_window(cast.acme, by=cast.ana, origin=origin(THIEF), hours=40)

    def is_shut(mac: str = MAC) -> None:
        replies = [start(edge, address, mac) for address in (OFFICE, HOTEL, THIEF)]
        replies += [poll(edge, text, address) for address in (OFFICE, HOTEL)]
        assert [(reply.status, reply.verdict.outcome) for reply in replies] == [(404, Outcome.REFUSED)] * 5

    is_shut()
    phone = fresh(home.phone)
    for verb in (
        lambda: locking.unlock(phone, by=cast.ana),
        lambda: locking.allow_reprovision(phone, by=cast.ben),
        lambda: locking.lock_again(phone, by=cast.ana),
        lambda: locking.rearm(phone, by=cast.support),
        lambda: retiring.retire(phone, by=cast.support),
        lambda: swapping.swap(phone, by=cast.support, mac=NEW_MAC),
        lambda: moving.move(phone, by=cast.support, to=cast.globex),
    ):
        with pytest.raises(Refusal) as refusal, committed():
            verb()
        assert (refusal.value.code, refusal.value.rule) == ("quarantined", "E8q")
        is_shut()

    for actor, account in ((cast.ana, cast.acme), (cast.eve, cast.globex)):
        with committed():
            entering.remove(Device.objects.select_related("account").get(mac=MAC), by=cast.support)
            clock.shift(DAY)
            entering.enter(account, by=actor, mac=MAC, family="yealink", model="T46S")
        is_shut()
        assert Lock.objects.get(device__mac=MAC).state == "quarantined"

    with committed():
        entering.remove(Device.objects.select_related("account").get(mac=MAC), by=cast.support)
        spare = make_phone(cast.globex, by=cast.eve, model="T46S")
        swapping.swap(spare, by=cast.eve, mac=MAC)
        resettling.move_customer(cast.globex, by=cast.support, below=lake)
    is_shut()

    with committed():
        last = Device.objects.select_related("account").get(mac=MAC)
        suspicion.release(last, by=cast.support, reason="Found again", unlock=locking.Span.parse("24h"))
    assert start(edge, HOTEL).status == 200
    entry = ledger.entry_of(MAC)
    assert entry is not None
    assert (entry.quarantined, entry.account_code) == (False, cast.globex.code)
