"""What the families' agents say, and what is none of them."""

import json
import tomllib
from pathlib import Path

import pytest

from devices.catalog import FAMILIES, catalog
from devices.user_agent import parse_agent, parse_stranger, product_name

RECORDED = Path(__file__).parents[1] / "data" / "phone_requests.jsonl"
REQUESTS = [json.loads(line) for line in RECORDED.read_text().splitlines()]
FAMILY_OF = {
    "yealink": "yealink",
    "polycom": "poly",
    "poly": "poly",
    "snom": "snom",
    "fanvil": "fanvil",
    "grandstream": "grandstream",
    "cisco": "cisco",
}
RECORDED_AGENTS = sorted(
    {
        (row["headers"]["User-Agent"], row["vendor"], json.dumps(row["ua_parsed"], sort_keys=True))
        for row in REQUESTS
    }
)
OURS = [row for row in RECORDED_AGENTS if row[1] in FAMILY_OF]
OTHERS = [row for row in RECORDED_AGENTS if row[1] not in FAMILY_OF]
STRANGERS = tomllib.loads((FAMILIES / "strangers.toml").read_text())["agents"]
EXAMPLES = [
    (family.code, text)
    for family in catalog().families.values()
    for agent in family.agents
    for text in agent.examples
]


@pytest.mark.parametrize(("family", "text"), EXAMPLES)
def test_every_example_of_a_family_parses(family, text):
    agent = parse_agent(text)

    assert agent is not None
    assert agent.family == family
    assert catalog().find_model(family, agent.model) is not None


def test_every_recorded_request_has_an_agent_and_what_it_says():
    assert len(REQUESTS) == 205
    assert {vendor for _, vendor, _ in RECORDED_AGENTS} == {*FAMILY_OF, "obihai"}


@pytest.mark.parametrize(("text", "vendor", "parsed"), OURS)
def test_every_recorded_agent_parses_as_recorded(text, vendor, parsed):
    wanted = json.loads(parsed)

    agent = parse_agent(text)

    assert agent is not None
    assert (agent.family, FAMILY_OF[wanted["vendor"]]) == (FAMILY_OF[vendor], agent.family)
    assert (agent.model, agent.version, agent.mac) == (wanted["model"], wanted["fw"], wanted["mac"])
    # A boot loader's own version says nothing of the phone's firmware.
    assert agent.firmware == (None if text.endswith("Type/Updater") else wanted["fw"])
    assert parse_stranger(text) is None


@pytest.mark.parametrize(("text", "vendor", "parsed"), OTHERS)
def test_other_makers_agents_are_none_of_ours_and_known_by_name(text, vendor, parsed):
    wanted = json.loads(parsed)

    found = parse_stranger(text)

    assert parse_agent(text) is None
    assert found is not None
    assert (found.maker.lower(), found.model, found.version, found.mac) == (
        vendor,
        wanted["model"],
        wanted["fw"],
        wanted["mac"],
    )
    assert str(found) == f"{found.maker} {wanted['model']}"


@pytest.mark.parametrize(
    ("maker", "text"), [(row["maker"], text) for row in STRANGERS for text in row["examples"]]
)
def test_every_example_of_a_stranger_parses(maker, text):
    found = parse_stranger(text)

    assert found is not None
    assert found.maker == maker


@pytest.mark.parametrize("text", [None, "", "OBIHAI/OBi302", "OBIHAI/OBi302-3.2.2.5921 x", "curl/8.5.0"])
def test_what_no_known_maker_says_is_no_stranger(text):
    assert parse_stranger(text) is None


@pytest.mark.parametrize(
    ("case", "text"),
    [
        ("nothing", None),
        ("empty", ""),
        ("not at the start", "curl/8.5.0 Yealink SIP-T46S 66.85.0.5 00:15:65:aa:bb:cc"),
        ("something behind it", "Yealink SIP-T46S 66.85.0.5 00:15:65:aa:bb:cc x"),
        ("a newline behind it", "Yealink SIP-T46S 66.85.0.5 00:15:65:aa:bb:cc\n"),
        ("overlong", "Yealink SIP-" + "T" * 250 + " 66.85.0.5"),
        ("a browser", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    ],
)
def test_what_is_no_phone_parses_to_nothing(case, text):
    assert parse_agent(text) is None


@pytest.mark.parametrize(
    ("text", "product"),
    [
        ("Yealink SIP-T46S 66.85.0.5 00:15:65:aa:bb:cc", "Yealink SIP-T46S"),
        ("Yealink SIP-T38G  38.70.0.125 00:15:65:2f:c3:5e", "Yealink SIP-T38G"),
        ("FileTransport PolycomVVX-VVX_500-UA/5.9.7.4477 Type/Application", "PolycomVVX-VVX_500-UA"),
        ("FileTransport PolycomVVX-VVX_500-UA/5.9.7.47435 Type/Updater", "PolycomVVX-VVX_500-UA"),
        ("curl/8.5.0", "curl"),
        ("Wget/1.21", "Wget"),
        ("Fanvil i10SV 2.12.10.1 0c383e2397f4", "Fanvil i10SV"),
        ("Mozilla/5.0 (X11; Linux x86_64)", "Mozilla"),
        ("My own agent", "My own agent"),
        (None, ""),
    ],
)
def test_the_product_has_no_version(text, product):
    assert product_name(text) == product
