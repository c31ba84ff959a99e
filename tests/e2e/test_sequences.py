"""Real phones' requests, played over HTTP with a fresh MAC each, and what the rules answer to each."""

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.household import Household, Reply, eventually
from tests.e2e.phones import Entered, enter, events_of, fresh_mac, lock_of

pytestmark = [pytest.mark.once, pytest.mark.timeout(300)]

REQUESTS = Path(__file__).resolve().parents[1] / "data" / "phone_requests.jsonl"
FAMILIES = {
    "yealink": "yealink",
    "polycom": "poly",
    "poly": "poly",
    "snom": "snom",
    "fanvil": "fanvil",
    "grandstream": "grandstream",
    "cisco": "cisco",
}

STRANGERS = {"obihai"}  # makers whose phones are not served

# What each request of a fresh phone gets at the root, step by step: B bootstrap, C common, - refused.
EXPECTED = {
    # Yealink: both claiming names are bootstraps (the second is R4a), the common boot file never exists.
    "yl-t46g": "B-CB",
    "yl-t42g": "B-CB",
    "yl-t41p": "B-CB",
    "yl-t29g": "B-CB",
    "yl-t31g": "B-CB",
    "yl-t33g": "B-CB",
    "yl-t54w": "B-CB",
    "yl-t77u": "B-CB",
    "yl-cp920": "B-CB",
    "yl-w60b": "B-CB",
    "yl-t46u": "B-CB",
    "yl-t46s": "B-CB",
    "yl-nocolon": "B-CB",
    "yl-bootfile": "BCB",
    "yl-storm-404": "BBB---CB",  # three tries of each name: repeats by R4a, never a failure
    "yl-old-t20p": "CB",  # before V81 there are no boot files
    "yl-old-t38g": "CB",
    "yl-auth": "BB",  # never a 401: the first request is served already
    "yl-fw": "--",  # no firmware is published yet: known names, not there
    "yl-phonebook": "-",
    "hz-t38g": "CB",  # a folder of 32 hexadecimal digits is ignored
    # Poly: the master claims; what it did not name, and what the phone writes itself, is not there.
    "po-vvx500": "-B---------",
    "po-spip550": "B-------",
    "po-vvx450": "B----",
    "po-vvx101": "B-----",
    "po-ssip6000": "B-B---",
    "po-ssip5000": "B-",
    "hz-ssip5000": "-",
    "po-e450": "B------",
    "po-e350": "B--",
    # Snom: the model's file is an empty document, the two names with its MAC are one claim and its repeat.
    "sn-d785a": "CBB--",
    "sn-d785b": "B-",
    "sn-760": "CB",
    "sn-320": "CB",
    "sn-m900": "CB-",
    "sn-auth": "BB",
    # Fanvil: common files are not there, over plain HTTP the phone's own is its slow bootstrap.
    "fv-x4": "-B",
    "fv-x5u-v2": "-B-",
    "fv-v67": "-B-",
    "fv-h2u-v2": "-B-",
    "fv-w620w": "-B-",
    "fv-x6upro": "B",
    # Grandstream: the binary name and the XML are one claim and its repeat, what holds for many is not there.
    "gs-gxp2135": "BB--",
    "gs-gxp1628": "BB-",
    "gs-grp2614": "BB-",
    "gs-grp2616": "BB-",
    "gs-gxv3240": "BB",
    "gs-gxv3350": "BB",
    "gs-ht802v2": "BB",
    "gs-gxp2170": "BB-",
    "gs-fail": "BB--",
    "gs-book": "-",
    # Cisco: the product's file names the root's own file, which claims; the second rule finds nothing.
    "ci-mpp7832": "C-B",
    "ci-mpp8841": "C-B",
    "ci-mpp8851": "C-B",
    "ci-mpp-alt": "C-",
    "ci-spa508g": "CB",
    "ci-spa525g": "CB",  # an agent without a MAC
    "ci-spa504g": "C-BB",
    "ci-spa112": "CB",
    "hz-spa504g": "C",
    # Not served: its own file is spelled as one of ours is, and nobody has entered it.
    "ob-302": "--",
}
# The same over HTTPS where a family is full_and_move: F is the full file, which moves the phone at once.
OVER_HTTPS = {name: steps.replace("B", "F") for name, steps in EXPECTED.items() if name.startswith("fv-")}
# A binary file is never the full one.
OVER_HTTPS |= {name: steps.replace("BB", "BF") for name, steps in EXPECTED.items() if name.startswith("gs-")}


def sequences() -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in REQUESTS.read_text().splitlines():
        row = json.loads(line)
        found[row["seq"]].append(row)
    return found


SEQUENCES = sequences()


def test_the_table_names_every_sequence() -> None:
    assert set(EXPECTED) == set(SEQUENCES)
    assert {name: len(steps) for name, steps in EXPECTED.items()} == {n: len(r) for n, r in SEQUENCES.items()}
    assert {row["vendor"] for rows in SEQUENCES.values() for row in rows} == {*FAMILIES, *STRANGERS}


def own_mac(rows: list[dict[str, Any]]) -> str | None:
    """The MAC that the sequence's paths or agents name."""
    for row in rows:
        for found in re.findall(r"(?<![0-9a-zA-Z])([0-9a-fA-F]{12})(?![0-9a-fA-F])", row["path"]):
            if found != "000000000000":
                return str(found).lower()
        if row["ua_parsed"] and row["ua_parsed"].get("mac"):
            return str(row["ua_parsed"]["mac"])
    return None


def spelled(text: str, old: str, new: str) -> str:
    """The text with the MAC replaced in every spelling."""

    def colons(mac: str) -> str:
        return ":".join(mac[i : i + 2] for i in range(0, 12, 2))

    for form in (str, str.upper):
        text = text.replace(form(old), form(new)).replace(form(colons(old)), form(colons(new)))
    return text


def kind_of(reply: Reply, device: Entered, *, https: bool = False) -> str:
    """F, B, C or - by what came; anything else is a failure in itself."""
    assert reply.header("Access-Control-Allow-Origin") is None
    if https and device.secret.encode() in reply.body:
        assert "no-store" in (reply.header("Cache-Control") or "")
        return "F"
    assert device.secret.encode() not in reply.body, "a SIP secret at the root"
    if reply.status == 404:
        assert reply.body == b""
        return "-"
    assert reply.status == 200, (reply.status, reply.body)
    assert reply.body, "an empty 200 would reset a phone"
    return "B" if re.search(rb"\bd/[a-z0-9]{40}", reply.body) else "C"


SERVED = [name for name in sorted(EXPECTED) if SEQUENCES[name][0]["vendor"] in FAMILIES]
PLAYED = [*((name, False) for name in SERVED), *((name, True) for name in sorted(OVER_HTTPS))]


def play(
    household: Household,
    rows: list[dict[str, Any]],
    old: str,
    mac: str,
    source: str,
    *,
    https: bool = False,
) -> list[Reply]:
    """Send the sequence's requests under this MAC, and return the answers."""
    return [
        household.phone(
            spelled(row["path"], old, mac),
            source=source,
            method=row["method"],
            headers={name: spelled(value, old, mac) for name, value in row["headers"].items()},
            body=b"log" if row["method"] in ("PUT", "POST") else None,
            https=https,
        )
        for row in rows
    ]


@pytest.mark.parametrize(("name", "https"), PLAYED)
def test_a_real_phones_requests_get_what_the_rules_say(household: Household, name: str, https: bool) -> None:
    rows = SEQUENCES[name]
    old = own_mac(rows) or "0004f2000000"
    device = enter(
        household,
        family=FAMILIES[rows[0]["vendor"]],
        model=rows[0]["model"],
        oui=old[:6],
        mac=fresh_mac(old[:6]),
    )
    source = f"127.{3 if https else 0}.{20 + sorted(EXPECTED).index(name)}.7"

    got = play(household, rows, old, device.mac, source, https=https)

    kinds = [kind_of(reply, device, https=https) for reply in got]
    assert "".join(kinds) == (OVER_HTTPS if https else EXPECTED)[name]
    bootstraps = {
        (row["path"], reply.body) for row, reply, kind in zip(rows, got, kinds, strict=True) if kind in "BF"
    }
    assert len(bootstraps) == len({path for path, _ in bootstraps}), "a repeat must be the same bytes"


@pytest.mark.parametrize("entered", [False, True])
@pytest.mark.parametrize("name", [name for name in sorted(EXPECTED) if name not in SERVED])
def test_a_phone_that_is_not_served_gets_nothing_even_as_one_that_is(
    household: Household, name: str, entered: bool
) -> None:
    """R11 while nobody has entered its MAC; R12 under the MAC of a phone whose file is spelled the same."""
    rows = SEQUENCES[name]
    old = own_mac(rows)
    assert old is not None
    source = f"127.6.{int(entered)}.7"
    device = enter(household, family="snom", model="D785", oui=old[:6]) if entered else None
    mac = device.mac if device else fresh_mac(old[:6])

    got = play(household, rows, old, mac, source)

    assert [(reply.status, reply.body) for reply in got] == [(404, b"")] * len(rows)
    if device is not None:
        told = eventually(
            lambda: [e["rule"] for e in events_of(household, device) if e["outcome"]], what="its log"
        )
        assert told == ["R12"]
        assert lock_of(household, device)["state"] == "new"


def follow(household: Household, device: Entered, agent: str, source: str) -> bytes:
    """Boot at the root, go where the bootstrap says, and return the file with the accounts."""
    first = next(
        reply
        for path in (f"/{device.mac}.boot", f"/{device.mac}.cfg")
        if (reply := household.phone(path, agent=agent, source=source)).status == 200
    )
    text = first.body.decode()
    urls = re.findall(r'https?://[^\s"<>,]+/d/[a-z0-9]{40}/[^\s"<>,]*', text)
    assert urls, text
    named = [url for url in urls if url.endswith(".cfg")]
    if named:
        target = named[-1] if device.family == "yealink" else next(u for u in named if device.mac in u)
    else:  # the folder is stored; the phone asks for its own file below it at the next poll
        target = f"{urls[0].rstrip('/')}/{device.mac}.cfg"
    path = "/" + target.split("/", 3)[3]

    def fetched() -> Reply | None:
        reply = household.phone(path, agent=agent, source=source)
        assert reply.status in (200, 503), reply.status
        return reply if reply.status == 200 else None

    return bytes(eventually(fetched, what="the full file").body)


AGENTS = {
    "T46S": "Yealink SIP-T46S 66.85.0.5 {colons}",
    "T38G": "Yealink SIP-T38G  38.70.0.125 {colons}",
    "T20P": "Yealink SIP-T20P 9.72.0.30 {colons}",
    "T54W": "Yealink SIP-T54W 96.86.0.100 {colons}",
    "VVX450": "FileTransport PolycomVVX-VVX_450-UA/5.9.1.0615 Type/Application",
    "SPIP550": "FileTransport PolycomSoundPointIP-SPIP_550-UA/4.0.15.1047 (SN:{mac}) Type/Application",
    "Edge E450": "FileTransport PolyEdge-Edge_E450-UA/8.0.0.15602 Type/Application",
}


@pytest.mark.parametrize(("model", "template"), AGENTS.items())
def test_a_phone_reaches_its_private_url_and_finds_its_secret(
    household: Household, model: str, template: str
) -> None:
    poly = model.startswith(("VVX", "SPIP", "Edge"))
    device = enter(
        household, family="poly" if poly else "yealink", model=model, oui="0004f2" if poly else "001565"
    )
    agent = device.agent(template)
    source = f"127.0.60.{10 + list(AGENTS).index(model)}"

    full = follow(household, device, agent, source)

    assert device.secret.encode() in full
    current = re.search(rb"[/]d/([a-z0-9]{40})", full)
    assert current is not None, "the full file moves the phone for good"
    below = f"/d/{current.group(1).decode()}/"
    name = f"phone{device.mac}.cfg" if poly else f"{device.mac}.cfg"
    again = eventually(
        lambda: (r := household.phone(below + name, agent=agent, source=source)).status == 200 and r,
        what="the current token's file",
    )
    assert device.secret.encode() in again.body
    assert again.header("Cache-Control") == "private, no-store"
    assert again.header("Referrer-Policy") == "no-referrer"
    assert again.header("X-Robots-Tag") == "noindex" or again.header("X-Robots-Tag")
    etag = again.header("ETag")
    assert etag
    assert (
        household.phone(below + name, agent=agent, source=source, headers={"If-None-Match": etag}).status
        == 304
    )


@pytest.fixture(scope="module")
def moved(household: Household) -> tuple[Entered, str, str]:
    """A Poly that lives below its private URL: the device, its agent, its folder."""
    device = enter(household, family="poly", model="VVX450", oui="64167f")
    agent = device.agent(AGENTS["VVX450"])
    full = follow(household, device, agent, "127.0.61.1")
    found = re.search(rb"/d/[a-z0-9]{40}", full)
    assert found
    return device, agent, found.group().decode() + "/"


@pytest.mark.parametrize(
    ("case", "name"),
    [
        ("an override would beat the hardening", "{mac}-phone.cfg"),
        ("so would the phone's own web page", "{mac}-web.cfg"),
        ("no licence is published", "{mac}-license.cfg"),
        ("no directory was uploaded yet", "{mac}-calls.xml"),
        ("a common file of the family that would reset what is absent", "000000000000.cfg"),
        ("another device's file", "0004f2ffffff.cfg"),
        ("another family's file", "{mac}.boot"),
    ],
)
def test_below_the_private_url_these_are_not_there(
    household: Household, moved: tuple[Entered, str, str], case: str, name: str
) -> None:
    device, agent, below = moved

    reply = household.phone(below + name.format(mac=device.mac), agent=agent, source="127.0.61.1")

    assert (reply.status, reply.body) == (404, b"")


@pytest.mark.parametrize(
    ("case", "name", "body"),
    [
        ("a log is dropped", "{mac}-app.log", b"log"),
        ("a log in the family's folder", "logs/{mac}-app.log", b"log"),
        ("overrides are dropped", "{mac}-web.cfg", b"<PHONE_CONFIG/>"),
        ("too big is dropped as well, a phone repeats on 5xx", "{mac}-app.log", b"x" * 2_000_000),
    ],
)
def test_uploads_below_the_private_url_are_taken_and_dropped(
    household: Household, moved: tuple[Entered, str, str], case: str, name: str, body: bytes
) -> None:
    device, agent, below = moved
    path = below + name.format(mac=device.mac)

    put = household.phone(path, agent=agent, source="127.0.61.1", method="PUT", body=body)

    assert (put.status, put.body) == (204, b"")
    assert household.phone(path, agent=agent, source="127.0.61.1").status == 404


def test_the_personal_directory_comes_back_as_the_last_valid_upload(
    household: Household, moved: tuple[Entered, str, str]
) -> None:
    device, agent, below = moved
    path = f"{below}{device.mac}-directory.xml"
    item = b"<item><fn>Ann</fn><ct>100</ct></item>"
    valid = b'<?xml version="1.0"?><directory><item_list>' + item + b"</item_list></directory>"

    def put(body: bytes) -> int:
        return household.phone(path, agent=agent, source="127.0.61.1", method="PUT", body=body).status

    assert put(valid) == 204
    assert put(b"<directory><unclosed>") == 204
    assert put(b'<!DOCTYPE a [<!ENTITY b "c">]><directory>&b;</directory>') == 204
    assert put(b"<directory>" + b" " * 600_000 + b"</directory>") == 204

    kept = eventually(
        lambda: (r := household.phone(path, agent=agent, source="127.0.61.1")).status == 200 and r
    )
    assert kept.body == valid


def test_uploads_at_the_root_are_refused(household: Household, moved: tuple[Entered, str, str]) -> None:
    device, agent, _ = moved

    reply = household.phone(
        f"/{device.mac}-app.log", agent=agent, source="127.0.61.1", method="PUT", body=b"log"
    )

    assert (reply.status, reply.body) == (404, b"")
