"""The checklist of moving phones (repointing.md, section 14): what the product answers, keeps and tells."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import redis
import time_machine
from django.urls import reverse
from django.utils import timezone

from accounts.models import Account
from devices.catalog import catalog
from devices.models import Device
from provisioning import claims, coming_over, describing, events, files, keeper, locking, policies, tokens
from provisioning.compiling import compile_full
from provisioning.gate import State, TokenKind
from provisioning.models import DeviceEvent, Token
from provisioning.spans import Span
from security.networks import parse_address
from tests.factories import bind, origin
from tests.families.samples import PRIVATE, name_of, settings
from tests.provisioning.inside_edge import InsideEdge, Judges, committed
from tests.provisioning.making import HOME, HOTEL, SECRET, colons, make_phone, support
from tests.world import World, program, signed_in

FAMILIES = catalog().families
#: A model of every hand-over, with the agent that its phones send.
PHONES = {
    ("yealink", "T46S"): "Yealink SIP-T46S 66.85.0.5 {colons}",
    ("yealink", "T38G"): "Yealink SIP-T38G  38.70.0.125 {colons}",
    ("poly", "VVX450"): "FileTransport PolycomVVX-VVX_450-UA/5.9.1.0615 Type/Application",
    ("cisco", "8841"): "Cisco-CP-8841-3PCC/11.0 ({mac})",
    ("grandstream", "GRP2614"): "Grandstream Model HW GRP2614 SW 1.0.5.15 DevId {mac}",
    ("snom", "D785"): "Mozilla/4.0 (compatible; snomD785-SIP 10.1.33.33 2010.12-00004 {mac} SXM:0)",
    ("fanvil", "X6U-Pro"): "Fanvil X6U Pro 2.12.16.17 {mac}",
}
MINUTE = timedelta(minutes=1)


@pytest.fixture
def edge(
    acme: Account, store: "redis.Redis", clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> Iterator[InsideEdge]:
    keeper.rebuild(timezone.now())
    made = InsideEdge(Judges(monkeypatch))
    yield made
    made.close()


def _phone(account: Account, family: str, model: str) -> Device:
    with committed():
        return make_phone(account, family=family, model=model)


def _names(device: Device) -> list[str]:
    vendor = FAMILIES[device.family]
    generation = vendor.models[device.model].generation
    rules = [rule for rule in vendor.files if rule.claims and generation not in rule.absent_in]
    return [name_of(rule, device.model, device.mac) for rule in rules]


def _agent(device: Device) -> str:
    return PHONES[device.family, device.model].format(mac=device.mac, colons=colons(device.mac))


@pytest.mark.django_db
@pytest.mark.rule("R7")
@pytest.mark.rule("R4a")
@pytest.mark.parametrize(("family", "model"), PHONES)
def test_2_the_second_name_of_a_boot_is_served_though_the_first_used_the_unlock_up(
    acme: Account, edge: InsideEdge, family: str, model: str
) -> None:
    phone = _phone(acme, family, model)
    bind(phone, HOTEL)
    with committed():
        locking.unlock(phone, by=support(), span=Span.parse("24h"), origin=origin(HOME))
    names = _names(phone)

    replies = [edge.ask(f"/{name}", address=parse_address(HOME), agent=_agent(phone)) for name in names]

    assert [reply.status for reply in replies] == [200] * len(names)
    assert [reply.verdict.rule for reply in replies] == ["R7"] + ["R4a"] * (len(names) - 1)


@pytest.mark.django_db
@pytest.mark.parametrize(("family", "model"), PHONES)
def test_6_never_a_redirect_a_login_or_an_empty_file(
    acme: Account, edge: InsideEdge, clock: time_machine.Traveller, family: str, model: str
) -> None:
    phone = _phone(acme, family, model)
    retired = _phone(acme, family, model)
    type(retired.lock).objects.filter(pk=retired.pk).update(state=State.RETIRED.value)
    keeper.rebuild(timezone.now())
    seen = set()
    for device, address, agent in (
        (phone, HOME, _agent(phone)),
        (phone, HOME, "curl/8.5.0"),
        (phone, HOTEL, _agent(phone)),
        (retired, HOME, _agent(retired)),
    ):
        for name in _names(device):
            reply = edge.ask(f"/{name}", address=parse_address(address), agent=agent)
            assert (reply.status, bool(reply.body)) in ((200, True), (404, False)), (name, reply.status)
            seen.add(reply.status)

    assert seen == {200, 404}


@pytest.mark.django_db
@pytest.mark.rule("T3")
@pytest.mark.parametrize(("family", "model"), PHONES)
def test_7_a_former_token_lives_on_for_longer_than_a_day_and_its_file_names_itself(
    acme: Account, edge: InsideEdge, clock: time_machine.Traveller, family: str, model: str
) -> None:
    phone = _phone(acme, family, model)
    name, *_ = _names(phone)
    own = [f.name for f in compile_full(settings(family, model, mac=phone.mac), PRIVATE).values()]
    texts = []
    for _ in range(2):
        edge.ask(f"/{name}", address=parse_address(HOME), agent=_agent(phone))
        texts.append(tokens.text_of(Token.objects.get(device=phone, kind=TokenKind.CURRENT.value)))
        clock.shift(timedelta(minutes=31))
    with committed():
        files.publish_files([phone.pk])

    def fetch(text: str) -> bytes:
        below = [f"/d/{text}/{name}" for name in own]
        replies = [edge.ask(path, address=parse_address(HOME), agent=_agent(phone)) for path in below]
        assert {reply.status for reply in replies} == {200}
        return b"".join(reply.body for reply in replies)

    for text, other in (texts, texts[::-1]):
        body = fetch(text)
        assert SECRET.encode() in body
        assert text.encode() in body
        assert other.encode() not in body
    assert policies.effective(acme).token_overlap == timedelta(hours=48)
    assert policies.effective(acme).token_overlap > coming_over.POLL


@pytest.mark.django_db
@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(
    ("family", "model", "minutes", "cause"),
    [
        ("yealink", "T46S", 3, "does not trust the certificate"),
        ("poly", "VVX450", 3, "DHCP, plug-and-play"),
        ("cisco", "8841", 3, "firmware is too old"),
        ("snom", "D785", 3, "does not trust the certificate"),
        ("grandstream", "GRP2614", 65, "DHCP, plug-and-play"),
        ("fanvil", "X6U-Pro", 65, "takes no lower one"),
    ],
)
def test_8_a_phone_that_does_not_come_over_is_a_warning_with_its_causes(
    world: World, family: str, model: str, minutes: int, cause: str
) -> None:
    phone = make_phone(world.acme.account, family=family, model=model)
    # Over plain HTTP, where the slow ones get their slow bootstrap.
    asked = claims.Request(
        mac=phone.mac, file_name=_names(phone)[-1], address=parse_address(HOME), agent=_agent(phone)
    )
    assert claims.claim(asked, now=timezone.now()).verdict.rule == "R1"
    page, api = reverse("phone", args=[phone.code]), f"/api/v1/devices/{phone.code}/"
    ana, key = signed_in(world.ana), program(world.acme.key)

    with time_machine.travel(timezone.now() + minutes * MINUTE - MINUTE, tick=False):
        assert key.get(api).json()["lock"]["handover"] == "waiting"
        assert "Let in, and not at its private URL yet" in ana.get(page).content.decode()
        coming_over.sweep(timezone.now())
        assert not DeviceEvent.objects.filter(device=phone, what=coming_over.NOT_COME).exists()
    with time_machine.travel(timezone.now() + minutes * MINUTE, tick=False):
        coming_over.sweep(timezone.now())
        lock = key.get(api).json()["lock"]
        assert lock["handover"] == "late"
        assert [text for text in lock["handover_causes"] if cause in text]
        assert cause in ana.get(page).content.decode()
        assert cause in key.get(f"{api}events/").json()["results"][0]["sentence"]


@pytest.mark.django_db
@pytest.mark.parametrize(("family", "model"), PHONES)
def test_9_a_phone_that_was_there_and_asks_at_the_root_again_does_not_stick(
    world: World, clock: time_machine.Traveller, family: str, model: str
) -> None:
    phone = make_phone(world.acme.account, family=family, model=model)
    asked = claims.Request(
        mac=phone.mac, file_name=_names(phone)[-1], address=parse_address(HOME), agent=_agent(phone)
    )
    claims.claim(asked, now=timezone.now())
    token = Token.objects.get(device=phone, kind=TokenKind.CURRENT.value)
    assert claims.first_use(token.hash, parse_address(HOME), now=timezone.now())
    DeviceEvent.objects.create(
        device=phone, account=phone.account, mac=phone.mac, at=timezone.now(), what="request",
        outcome="full", rule="O3", address=HOME,
    )  # fmt: skip
    assert describing.describe_lock(phone, now=timezone.now()).handover is None
    clock.shift(timedelta(hours=5))

    assert claims.claim(asked, now=timezone.now()).verdict.rule == "R4"
    newer = Token.objects.get(device=phone, kind=TokenKind.CURRENT.value)
    assert claims.first_use(newer.hash, parse_address(HOME), now=timezone.now())
    coming_over.sweep(timezone.now())

    words = "It had its private URL and asked at the root URL again."
    assert describing.describe_lock(phone, now=timezone.now()).handover == "does not stick"
    assert words in signed_in(world.ana).get(reverse("phone", args=[phone.code])).content.decode()
    log = DeviceEvent.objects.filter(device=phone, what="does-not-stick")
    assert [events.described(line).sentence.startswith(words) for line in log] == [True]
    answer = program(world.acme.key).get(f"/api/v1/devices/{phone.code}/").json()["lock"]
    assert answer["handover"] == "does not stick"
