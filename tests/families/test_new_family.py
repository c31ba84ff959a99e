"""A vendor is a folder: an invented one works without a line of Python."""

from dataclasses import replace

import pytest

from devices.catalog import Catalog, load
from devices.phone import HARDENING, Line, PhoneSettings, SipServer
from devices.user_agent import parse_agent
from provisioning.compiling import CompileError, compile_bootstrap, compile_common, compile_full

TOML = """
name = "Acme"
format = "xml"
ouis = ["00005e"]
folders = ["cfg"]
model_prefixes = ["Acme "]
doubts = []

[generations.only]
title = "All firmware"

[resync]
event = "check-sync"
reboot_event = "check-sync;reboot=true"

[[agents]]
pattern = '(?P<product>Acme (?P<model>[A-Z0-9]+))/(?P<firmware>[0-9.]+)(?: (?P<mac>[0-9a-f]{12}))?'
examples = ["Acme A1/2.0 00005e005301"]

[[files]]
path = "acme-{mac}.xml"
kind = "claiming"
content_type = "text/xml"
bootstrap = "root.j2"
full = "full.j2"

[[files]]
path = "acme-ring.xml"
kind = "common"
content_type = "text/xml"
common = "ring.j2"

[key_codes]
line = "line"
empty = "none"

[values.language]
en = "english"

[limits]

[hardening]

[cannot]
PROTECTIONS

[models]
A1 = { lines = 2, keys = 2, generation = "only" }
"""
PHONE = PhoneSettings(
    "00005e005301",
    "acme",
    "A1",
    "Desk",
    SipServer("sip.example.org"),
    (Line(1, "214", "", "hush", label="<Ben>"),),
)


@pytest.fixture
def families(tmp_path) -> Catalog:
    folder = tmp_path / "acme"
    folder.mkdir()
    declined = "\n".join(f'{name} = "It cannot."' for name in HARDENING)
    (folder / "family.toml").write_text(TOML.replace("PROTECTIONS", declined))
    (folder / "root.j2").write_text('<go to="{{ here.url }}acme-{{ mac }}.xml"/>\n')
    (folder / "ring.j2").write_text("<ring/>\n")
    (folder / "full.j2").write_text(
        '<phone>{% for account in accounts %}<line label="{{ account.line.label }}"'
        ' secret="{{ account.line.secret }}"/>{% endfor %}</phone>\n'
    )
    return load(tmp_path)


def test_it_has_paths_agents_and_files(families):
    match = families.match("/cfg/acme-00005E005301.xml")
    agent = parse_agent("Acme A1/2.0 00005e005301", families)
    full = compile_full(PHONE, "https://h/d/x/", families=families)
    boot = compile_bootstrap(
        "acme", "A1", PHONE.mac, "acme-00005e005301.xml", "https://h/d/e/", "https://h/", families=families
    )
    ring = compile_common("acme", "acme-ring.xml", "https://h/", families=families)

    assert match is not None
    assert match.claims
    assert match.mac == PHONE.mac
    assert agent is not None
    assert (agent.family, agent.model, agent.firmware, agent.product) == ("acme", "A1", "2.0", "Acme A1")
    assert full["acme-00005e005301.xml"].body == b'<phone><line label="&lt;Ben&gt;" secret="hush"/></phone>\n'
    assert boot.body == b'<go to="https://h/d/e/acme-00005e005301.xml"/>\n'
    assert ring.body == b"<ring/>\n"


def test_a_value_that_the_template_lacks_stops_the_compile(families, tmp_path):
    (tmp_path / "acme" / "full.j2").write_text("<phone>{{ nothing.such }}</phone>")

    with pytest.raises(CompileError) as error:
        compile_full(PHONE, "https://h/d/x/", families=families)

    assert "nothing" in error.value.reason


def test_a_template_cannot_reach_behind_its_values(families, tmp_path):
    (tmp_path / "acme" / "full.j2").write_text("<phone>{{ phone.__class__.__mro__ }}</phone>")

    with pytest.raises(CompileError):
        compile_full(PHONE, "https://h/d/x/", families=families)


def test_what_a_template_makes_itself_is_checked_too(families, tmp_path):
    (tmp_path / "acme" / "full.j2").write_text('<phone>{{ "a" ~ "\\n" }}</phone>')

    with pytest.raises(CompileError) as error:
        compile_full(replace(PHONE, lines=()), "https://h/d/x/", families=families)

    assert error.value.field == "value"
