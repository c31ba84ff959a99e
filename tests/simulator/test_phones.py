"""The simulated phones themselves, and the compiled files of each hand-over, over a served edge."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import redis

from devices.phone import Line, PhoneSettings, SipServer
from portal import embedded
from provisioning.compiling import compile_bootstrap, compile_full
from provisioning.edge.asking import ClaimAnswer, ClaimRequest
from provisioning.gate import DeviceFacts, Outcome, State, Then, TokenFacts, TokenKind, Verdict
from security.networks import parse_origin
from tests.edge.serving import Doors, ServedEdge, config_for
from tests.edge.shelf import Shelf
from tests.simulator import Phone

ROOT = "https://phones.example.org/"
MAC, CODE = "00005e005377", "11111111-2222-4333-8444-555555555577"
ENTRY, CURRENT = "e0" * 20, "c0" * 20
AGENTS = {
    ("yealink", "T46S"): "Yealink SIP-T46S 66.85.0.5 00:00:5e:00:53:77",
    ("yealink", "T38G"): "Yealink SIP-T38G  38.70.0.125 00:00:5e:00:53:77",
    ("poly", "VVX450"): "FileTransport PolycomVVX-VVX_450-UA/5.9.1.0615 Type/Application",
}


class Claiming(Doors):
    """A claim that hands out this test's tokens."""

    phone: PhoneSettings

    async def claim(self, request: ClaimRequest) -> ClaimAnswer:
        self.claims.append(request)
        file = compile_bootstrap(
            self.phone.family, self.phone.model, MAC, request.file_name, f"{ROOT}d/{ENTRY}/", ROOT, self.phone
        )
        return ClaimAnswer(
            Verdict(Outcome.BOOTSTRAP, "R1", Then.CLAIM, binds=True), file.body, file.content_type
        )


@pytest.fixture
def stage(store_server: embedded.Store, store: "redis.Redis") -> Iterator[Callable[..., ServedEdge]]:
    with ExitStack() as stack:

        def start(family: str, model: str) -> ServedEdge:
            doors = Claiming()
            doors.phone = PhoneSettings(
                mac=MAC,
                family=family,
                model=model,
                name="Desk",
                sip=SipServer("sip.example.org"),
                lines=(Line(1, "200", "200", "planted-secret", "sip.example.org", "Desk"),),
            )
            shelf = Shelf(store)
            home = parse_origin("127.0.0.1")
            shelf.lock(
                DeviceFacts(CODE, MAC, family, "0001", State.NEW, armed_at=time.time() - 60), model=model
            )
            facts = TokenFacts(MAC, TokenKind.CURRENT, CODE, family, bound=(home,), used=False)
            shelf.token(facts, CURRENT, model=model)
            entry = TokenFacts(
                MAC, TokenKind.ENTRY, CODE, family, origin=home, until=time.time() + 600, used=False
            )
            shelf.token(entry, ENTRY, model=model, file_of=CURRENT)
            for file in compile_full(doors.phone, f"{ROOT}d/{CURRENT}/").values():
                shelf.file(
                    file.body, token=CURRENT, name=file.name, code=CODE, content_type=file.content_type
                )
            shelf.complete()
            return stack.enter_context(ServedEdge(config_for(store_server.url), doors))

        yield start


@pytest.mark.parametrize(("family", "model"), list(AGENTS))
def test_a_phone_finds_its_private_url_and_its_secret(
    stage: Callable[..., ServedEdge], family: str, model: str
) -> None:
    edge = stage(family, model)
    phone = Phone(MAC, AGENTS[family, model], ROOT, connect_to=("127.0.0.1", edge.port))

    outcome = phone.boot()

    assert outcome.secret_of("200") == "planted-secret", outcome.statuses
    assert outcome.server == f"{ROOT}d/{CURRENT}/"
    assert outcome.moved
    for asked in outcome.asked:
        if "/d/" not in asked.url:
            assert b"planted-secret" not in asked.body

    again = phone.boot()

    assert again.secret_of("200") == "planted-secret"
    assert all(asked.url.startswith(f"{ROOT}d/{CURRENT}/") for asked in again.asked)


@pytest.mark.parametrize(("family", "model"), list(AGENTS))
def test_a_thief_who_plays_the_same_phone_elsewhere_gets_nothing(
    stage: Callable[..., ServedEdge], store: "redis.Redis", family: str, model: str
) -> None:
    edge = stage(family, model)
    bound = (parse_origin("127.0.0.1"),)
    Shelf(store).lock(DeviceFacts(CODE, MAC, family, "0001", State.LOCKED, bound=bound), model=model)
    thief = Phone(MAC, AGENTS[family, model], ROOT, "127.0.9.9", connect_to=("127.0.0.1", edge.port))

    outcome = thief.boot()

    assert outcome.secrets == {}
    assert not outcome.moved
    assert edge.doors.claims == []
