"""A fleet in the store: real compiled files, a MAC, a token and a secret of its own for every phone."""

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import redis

from accounts.sealing import Keyring
from devices.phone import Line, PhoneSettings, SipServer
from provisioning import wire
from provisioning.compiling import compile_full
from provisioning.edge.sealed import seal_file
from provisioning.gate import DeviceFacts, HandOut, State, TokenFacts, TokenKind
from security.networks import parse_origin
from tests.bench.servers import SECRET_KEYS, TOKEN_KEY

FAMILY, MODEL, SIZE = "yealink", "T42S", 6 * 1024
_MAC, _TOKEN, _SECRET = "00005e00aaaa", "t0k3n" * 8, "s3cr3t-of-a-line"


@dataclass(frozen=True, slots=True)
class BenchPhone:
    """One phone of the bench."""

    mac: str
    token: str
    code: str
    body: bytes

    @property
    def agent(self) -> str:
        spelled = ":".join(self.mac[at : at + 2] for at in range(0, 12, 2))
        return f"Yealink SIP-T42S 66.86.0.15 {spelled}"

    @property
    def path(self) -> str:
        return f"/d/{self.token}/{self.mac}.cfg"


def phones(count: int) -> Iterator[BenchPhone]:
    """Make phones, the same ones each time."""
    for number in range(count):
        digest = hashlib.sha256(b"phone %d" % number).hexdigest()
        mac = f"0015{number:08x}"
        token = digest[:40]
        code = f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"
        body = _template().replace(_MAC.encode(), mac.encode()).replace(_TOKEN.encode(), token.encode())
        yield BenchPhone(mac, token, code, body.replace(_SECRET.encode(), digest[40:56].encode()))


def fill(client: "redis.Redis", fleet: list[BenchPhone]) -> int:
    """Publish the fleet; returns the bytes that the store uses for it."""
    keyring = Keyring.parse(SECRET_KEYS)
    client.flushall()
    before = client.info("memory")["used_memory"]
    home, now = parse_origin("127.0.0.1"), time.time()
    pipe = client.pipeline(transaction=False)
    for number, phone in enumerate(fleet):
        name = wire.token_hash(TOKEN_KEY.encode(), phone.token)
        lock = DeviceFacts(
            phone.code,
            phone.mac,
            FAMILY,
            "000100010001",
            State.LOCKED,
            bound=(home,),
            armed_at=now - 1e6,
            hand_out=HandOut(now - 1e6, home, True),
        )
        token = TokenFacts(phone.mac, TokenKind.CURRENT, phone.code, FAMILY, bound=(home,))
        file_name = f"{phone.mac}.cfg"
        sealed = seal_file(keyring, phone.code, file_name, phone.body)
        pipe.set(wire.mac_key(phone.mac), wire.pack_lock(wire.LockRecord(1, lock, model=MODEL)))
        pipe.set(wire.token_key(name), wire.pack_token(wire.TokenRecord(1, 1, token, model=MODEL)))
        pipe.set(wire.file_key(name, file_name), wire.pack_file(wire.StoredFile(1, "text/plain", sealed)))
        if number % 1000 == 999:
            pipe.execute()
    pipe.execute()
    publish_lists(client)
    return int(client.info("memory")["used_memory"]) - int(before)


def publish_lists(client: "redis.Redis") -> None:
    """Empty lists and the marker: everything is known."""
    client.set(wire.LISTS_DATA, wire.pack_lists(wire.Lists(number=1)))
    client.set(wire.LISTS, wire.pack_number(1))
    client.set(wire.COMPLETE, wire.pack_complete(1, str(client.info("server")["run_id"])))


@cache
def _template() -> bytes:
    """A desk phone's real file, with as many lines as make it six kilobytes."""
    lines: tuple[Line, ...] = ()
    best = b""
    for position in range(1, 13):
        name = str(2000 + position)
        lines += (Line(position, name, name, _SECRET, "sip.example.org", f"Desk {name}"),)
        phone = PhoneSettings(
            mac=_MAC, family=FAMILY, model=MODEL, name="Desk", sip=SipServer("sip.example.org"), lines=lines
        )
        body = compile_full(phone, f"https://phones.example.org/d/{_TOKEN}/")[f"{_MAC}.cfg"].body
        if not best or abs(len(body) - SIZE) < abs(len(best) - SIZE):
            best = body
    return best
