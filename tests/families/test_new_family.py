"""A vendor is a folder: an invented one works without a line of Python."""

import re
from dataclasses import replace

import pytest

from devices.catalog import FAMILIES, Catalog, load
from devices.paths import FileKind
from devices.phone import HARDENING, KeyKind, KeySetting, Line, PhoneSettings, SipServer
from devices.user_agent import parse_agent
from provisioning.compiling import CompileError, compile_bootstrap, compile_common, compile_full

TOML = r"""
name = "Acme"
format = "xml"
ouis = ["00005e"]
folders = ["cfg"]
model_prefixes = ["Acme "]
doubts = []

[generations.only]
title = "All firmware"

[generations.first]
title = "The first firmware"
firmware = '1\..+'
handover = "poll"
slow = true
doubts = ["Nobody has one any more."]

[generations.first.cannot]
encrypt_calls = "It is too old."

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
full_and_move = true

[[files]]
path = "acme-ring.xml"
kind = "common"
content_type = "text/xml"
common = "ring.j2"

[key_codes]
line = "line"
blf = "watch"
empty = "none"

[values.language]
en = "english"

[limits]

[hardening]
encrypt_calls = { on = { encrypt = "yes" }, off = { encrypt = "no" } }

[cannot]
PROTECTIONS

[models]
A1 = { lines = 2, keys = 2, generation = "only" }
A2 = { lines = 1, keys = 6, keys_per_page = 4, generation = "first", doubts = ["Its pages are a guess."] }
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
    declined = "\n".join(f'{name} = "It cannot."' for name in HARDENING if name != "encrypt_calls")
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


def test_it_has_pages_of_keys_numbers_and_an_old_firmware(families, tmp_path):
    (tmp_path / "acme" / "full.j2").write_text(
        '<phone number="{{ number }}" poll="{{ 1 if soon else 24 }}">'
        '{% for page in layout.pages %}<page n="{{ page.number }}">'
        '{% for key in page.keys %}<key at="{{ key.slot }}">{{ key_codes[key.kind] }}</key>{% endfor %}'
        '{% for slot in page.empty %}<key at="{{ slot }}">none</key>{% endfor %}</page>{% endfor %}'
        "{% for key, value in hardening %}<{{ key }}>{{ value }}</{{ key }}>{% endfor %}</phone>\n"
    )
    phone = replace(PHONE, model="A2", keys=(KeySetting(6, KeyKind.BLF, "215"),))
    name = "acme-00005e005301.xml"

    below = compile_full(phone, "https://h/d/x/", build=3, families=families)[name].body.decode()
    root = compile_bootstrap(
        "acme", "A2", PHONE.mac, name, "https://h/d/x/", "https://h/", phone, full=True, build=3,
        families=families,
    ).body.decode()  # fmt: skip

    family = families.families["acme"]
    pages = (
        '<page n="1"><key at="1">line</key><key at="2">none</key><key at="3">none</key><key at="4">none</key>'
        '</page><page n="2"><key at="2">watch</key><key at="1">none</key></page>'
    )
    assert below == f'<phone number="7" poll="24">{pages}</phone>\n'
    assert root == f'<phone number="6" poll="1">{pages}</phone>\n'
    assert "<encrypt>yes</encrypt>" in (
        compile_full(replace(phone, model="A1", keys=()), "https://h/d/x/", families=families)[
            name
        ].body.decode()
    )
    assert family.generation_of("A1", "1.7") == "first"
    assert family.lacks("first")["encrypt_calls"] == "It is too old."
    assert "encrypt_calls" not in family.lacks("only")


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


def test_the_readme_names_every_kind_of_file_and_what_a_template_sees(families, tmp_path):
    readme = (FAMILIES / "README.md").read_text()
    told = re.search(r"A full file sees(.+?)It must undo", readme, re.DOTALL)
    assert told is not None
    names = re.findall(r"`(\w+)`", told[1])
    seen = "".join(f"{{{{ '' if {name} is defined else '{name} ' }}}}" for name in names)
    (tmp_path / "acme" / "full.j2").write_text(f"<phone>{seen}</phone>")

    body = compile_full(PHONE, "https://h/d/x/", families=families)["acme-00005e005301.xml"].body

    assert body == b"<phone></phone>"
    assert len(names) >= 15
    assert [kind for kind in FileKind if f"`{kind}`" not in readme] == []
    assert len(re.findall(r"^\d\. \*\*", readme, re.MULTILINE)) == 6
