"""A web page in an employee's browser, and a scanner that passes for one: a key at most, and nothing got.

Issue 5, "done when" 2.
"""

import random

import pytest

from provisioning.gate import Outcome
from security.models import Ban
from tests.attacks.scene import MINUTE, Handset, Scene, agent_of, keys_at, rules_of, unknown

OFFICE = "203.0.113.10"

CHROME = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/132.0.0.0 Safari/537.36"
)
IMAGE = {
    "Accept": "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Accept-Language": "en-GB,en;q=0.9",
}
FETCH = {"Sec-Fetch-Dest": "image", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Site": "cross-site"}
REFERER = {"Referer": "https://evil.example.org/"}
PAGES = {
    "over HTTPS": IMAGE | FETCH | REFERER,
    "over HTTPS, without a referrer": IMAGE | FETCH,
    "over HTTP": IMAGE | REFERER,
    "over HTTP, without a referrer": IMAGE,
}


def lines(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


@pytest.mark.rule("G2")
@pytest.mark.parametrize("how", PAGES)
def test_a_page_with_a_thousand_images_of_phones_files_leaves_one_key(scene: Scene, how: str) -> None:
    scene.enter("00005e00b001")
    desk = scene.settle("00005e00b002", OFFICE)
    macs = ["00005e00b001", "00005e00b002", *(unknown(number) for number in range(998))]

    got = [scene.ask(f"/{mac}.cfg", OFFICE, CHROME, headers=lines(PAGES[how])) for mac in macs]
    scene.passes(MINUTE)

    assert {(reply.status, reply.body) for reply in got} == {(404, b"")}
    assert keys_at(OFFICE) == [("browser", "")]
    assert not Ban.objects.exists()
    assert "R1" not in rules_of("00005e00b001"), "it stays as new as it was"
    newcomer = Handset("00005e00b001", OFFICE)
    scene.boots(newcomer)
    assert newcomer.folder
    assert scene.boots(desk).status == 200


@pytest.mark.rule("T5")
@pytest.mark.parametrize("how", PAGES)
def test_a_page_with_images_of_private_urls_leaves_one_key(scene: Scene, how: str) -> None:
    """Tokens that were never issued, a thousand of them; whoever knows a phone's own is that phone still."""
    desk = scene.settle("00005e00b002", OFFICE)
    dice = random.Random(7)
    tokens = ["".join(dice.choices("abcdefghij0123456789", k=40)) for _ in range(1000)]

    got = [
        scene.ask(f"/d/{token}/00005e00b002.cfg", OFFICE, CHROME, headers=lines(PAGES[how]))
        for token in tokens
    ]
    scene.passes(MINUTE)

    assert {(reply.status, reply.body) for reply in got} == {(404, b"")}
    assert keys_at(OFFICE) == [("browser", "")]
    assert not Ban.objects.exists()
    assert scene.boots(desk).status == 200


@pytest.mark.rule("G2")
@pytest.mark.parametrize("mark", ["Referer", "Origin", "Cookie", "Sec-Fetch-Site"])
def test_a_scanner_with_a_browsers_mark_gets_nothing(scene: Scene, mark: str) -> None:
    """It is spared the keys, and pays with everything that there is to get: a NEW phone's file as well."""
    scene.enter("00005e00b001")
    scanner = "192.0.2.66"

    got = [
        scene.ask(path, scanner, agent_of(mac), headers=[(mark.lower().encode(), b"x")], method=method)
        for mac in ("00005e00b001", unknown(1))
        for path in (f"/{mac}.boot", f"/{mac}.cfg", f"/{mac.upper()}.cfg", "/y000000000028.cfg", "/")
        for method in ("GET", "HEAD", "PUT")
    ]
    scene.passes(MINUTE)

    assert {(reply.status, reply.body) for reply in got} == {(404, b"")}
    assert {reply.verdict.outcome for reply in got} == {Outcome.REFUSED}
    assert keys_at(scanner) == [("browser", "")]
    assert scene.tries("00005e00b001", "203.0.113.10").verdict.rule == "R1", "it is as new as before"


@pytest.mark.rule("G2")
def test_a_phone_whose_agent_looks_like_a_browsers_is_none(scene: Scene) -> None:
    """Snom's agents begin as browsers' do, and its handsets speak languages."""
    mac = "00041300b001"
    scene.enter(mac, family="snom", model="D785")
    agent = f"Mozilla/4.0 (compatible; snomD785-SIP 10.1.64.14 {mac.upper()})"

    got = scene.ask(f"/snomD785-{mac.upper()}.htm", OFFICE, agent, headers=lines({"Accept-Language": "de"}))

    assert got.verdict.rule == "R1"
    assert keys_at(OFFICE) == []
