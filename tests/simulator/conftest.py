"""A served edge with one phone's files, and a claim that hands out this test's tokens."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import redis

from devices.catalog import catalog
from devices.phone import Line, PhoneSettings, SipServer
from portal import embedded
from provisioning.compiling import compile_bootstrap, compile_full
from provisioning.edge.asking import ClaimAnswer, ClaimRequest
from provisioning.gate import DeviceFacts, Outcome, State, Then, TokenFacts, TokenKind, Verdict
from security.networks import parse_origin
from tests.edge.serving import Doors, ServedEdge, config_for
from tests.edge.shelf import Shelf

ROOT = "https://phones.example.org/"
PROXY = "127.0.5.1"  # plays the server that ends TLS in front of the edge
MAC, CODE = "00005e005377", "11111111-2222-4333-8444-555555555577"
ENTRY, CURRENT = "e0" * 20, "c0" * 20
BUILD = 60_000_000_000


def root_for(family: str, model: str) -> str:
    """The root as this phone may reach it: over plain HTTP where it trusts its maker's authority alone."""
    return ROOT.replace("https:", "http:") if catalog().families[family].models[model].no_tls else ROOT


class Claiming(Doors):
    """A claim that hands out this test's tokens, over HTTPS the full file where the name is so."""

    phone: PhoneSettings
    build = BUILD

    async def claim(self, request: ClaimRequest) -> ClaimAnswer:
        self.claims.append(request)
        family, model = self.phone.family, self.phone.model
        rule = catalog().own_file(family, model, MAC, [request.file_name])
        full = rule is not None and rule.full_and_move and request.secure
        root = root_for(family, model)
        here = f"{root}d/{CURRENT if full else ENTRY}/"
        file = compile_bootstrap(
            family, model, MAC, request.file_name, here, root, self.phone, full=full, build=self.build
        )
        return ClaimAnswer(
            Verdict(Outcome.BOOTSTRAP, "R1", Then.CLAIM, binds=True), file.body, file.content_type
        )


@pytest.fixture
def stage(store_server: embedded.Store, store: "redis.Redis") -> Iterator[Callable[..., ServedEdge]]:
    """Start an edge for a phone of this model; without `ready` its private file is not there yet."""
    with ExitStack() as stack:

        def start(family: str, model: str, *, ready: bool = True) -> ServedEdge:
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
            if ready:
                put_files(shelf, doors.phone)
            shelf.complete()
            config = config_for(store_server.url, trusted_proxies=[PROXY], file_wait=0.2)
            return stack.enter_context(ServedEdge(config, doors))

        yield start


def put_files(shelf: Shelf, phone: PhoneSettings) -> None:
    """Put what the phone may fetch below its private URL."""
    here = f"{root_for(phone.family, phone.model)}d/{CURRENT}/"
    for file in compile_full(phone, here, build=BUILD).values():
        shelf.file(file.body, token=CURRENT, name=file.name, code=CODE, content_type=file.content_type)
