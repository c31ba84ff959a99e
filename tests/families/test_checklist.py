"""The checklist of moving phones to their private URLs (repointing.md, section 14): what the files say.

What it says of answers, tokens and warnings is tried in test_checklist_running.py.
"""

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import time_machine
from django.conf import settings as portal

from devices.catalog import catalog
from devices.family import Family
from devices.models import Device
from portal.model_words import model_words
from provisioning import tokens
from provisioning.compiling import compile_bootstrap, compile_common, compile_full
from tests.families import test_checklist_running
from tests.families.reading import read
from tests.families.samples import ENTRY, MAC, MODELS, PRIVATE, ROOT, name_of, settings
from tests.families.test_bootstraps import CLAIMING, SAME

GOLDEN = Path(__file__).parent / "golden"
FAMILIES = catalog().families
#: One model of every firmware generation; test_bootstraps.py goes through all of them.
KINDS = sorted(
    {
        (f.code, m.generation): (f.code, m.name)
        for f in FAMILIES.values()
        for m in f.models.values()
        if not m.single_step
    }.values()
)
CLAIMED = [entry for entry in CLAIMING if entry[:2] in KINDS]
FIRST_BUILD = 60_000_000_000  # builds count the milliseconds since 2025; golden files have none
#: What says where and when a phone asks, in every family's spelling.
WAY = re.compile(
    r"auto_provision|zero_touch|device\.|prov|Profile_Rule|Resync|DHCP|Onboard|P(212|237|145|1414|8337|1007|1008|1009|"
    r"19[34]|285|8458|8459)$|setting_server|polling|refresh|pnp|AUTOUPDATE|^ap\.|Flash|Download|opt\.|ota\.|FILES|DIRECTORY",
    re.IGNORECASE,
)


def _claims_of(family: str, model: str) -> list[str]:
    return [name for known, kind, name in CLAIMED if (known, kind) == (family, model)]


def _bootstrap(family: str, model: str, name: str) -> bytes:
    return compile_bootstrap(family, model, MAC, name, ENTRY, ROOT).body


def _full(family: str, model: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for file in compile_full(settings(family, model), PRIVATE).values():
        found |= read(FAMILIES[family].format, file.body)
    return found


# --- 1 to 6: what the files say ----------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_1_files_without_a_mac_never_say_where_to_ask(family: Family):
    helper = family.helper.path if family.helper else ""
    for rule in family.files:
        if not rule.served:
            continue
        name = name_of(rule, "m1")
        found = read(family.format, compile_common(family.code, name, ROOT).body)
        where = {key for key in found if WAY.search(key)}
        if name == helper:  # a short poll and nothing else
            assert where
            assert not any("://" in value or "p.example.org" in value for value in found.values())
            assert not {key for key in where if re.search("server|url|dhcp|pnp|rule", key, re.IGNORECASE)}
        elif family.code == "cisco":  # the one exception: without it the phone never asks its own file
            assert list(found) == ["Profile_Rule_B"]
            assert found["Profile_Rule_B"].endswith("://p.example.org/$MA.xml")
        else:
            assert where == set()


@pytest.mark.parametrize(("family", "model"), KINDS)
def test_1_the_retry_helper_is_named_by_root_answers_only(family: str, model: str):
    vendor = FAMILIES[family]
    if vendor.helper is None:
        return
    for file in compile_full(settings(family, model), PRIVATE).values():
        assert vendor.helper.path.encode() not in file.body


@pytest.mark.parametrize(
    ("family", "model", "names"),
    [
        ("yealink", "T46S", ["{mac}.boot", "{mac}.cfg"]),
        ("yealink", "T38G", ["{mac}.cfg"]),  # no boot files before V81
        ("poly", "VVX450", ["{mac}.cfg"]),
        ("cisco", "8841", ["{mac}.xml", "{MAC}.xml"]),
        ("grandstream", "GRP2614", ["cfg{mac}", "cfg{mac}.xml"]),
        ("snom", "D785", ["snomD785-{MAC}.htm", "{MAC}.xml"]),
        ("fanvil", "X6U", ["{mac}.cfg"]),
    ],
)
def test_2_these_names_claim(family: str, model: str, names: list[str]):
    generation = FAMILIES[family].models[model].generation
    for pattern in names:
        found = catalog().match(pattern.format(mac=MAC, MAC=MAC.upper()))
        assert found is not None
        rule = found.rule_for(family, generation)
        assert found.mac == MAC
        assert rule is not None, pattern
        assert rule.claims, pattern


@pytest.mark.parametrize(("family", "model", "name"), CLAIMED)
def test_3_bootstraps_are_the_same_bytes_on_another_day(family: str, model: str, name: str):
    with time_machine.travel("2026-03-02T12:00:00Z", tick=False):
        first = _bootstrap(family, model, name)
    with time_machine.travel("2027-11-30T23:59:59Z", tick=False):
        assert _bootstrap(family, model, name) == first


@pytest.mark.parametrize(
    ("family", "model", "name", "said"),
    [
        ("yealink", "T46S", f"{MAC}.boot", {"overwrite_mode", "include:config"}),
        (
            "poly",
            "VVX450",
            f"{MAC}.cfg",
            {
                "APP_FILE_PATH",
                "CONFIG_FILES",
                "MISC_FILES",
                "LOG_FILE_DIRECTORY",
                "OVERRIDES_DIRECTORY",
                "CONTACTS_DIRECTORY",
                "CALL_LISTS_DIRECTORY",
            },
        ),
        ("snom", "D785", f"{MAC.upper()}.xml", {"file@url"}),
        ("snom", "D785", f"snomD785-{MAC.upper()}.htm", {"file@url"}),
        ("snom", "M900", f"{MAC.upper()}.xml", {"file@url"}),
    ],
)
def test_4_where_a_file_can_include_another_nothing_is_stored(
    family: str, model: str, name: str, said: set[str]
):
    assert set(read(FAMILIES[family].format, _bootstrap(family, model, name))) == said


@pytest.mark.parametrize(("family", "model", "name"), CLAIMED)
def test_4_the_private_url_is_where_the_phone_was_just_answered(family: str, model: str, name: str):
    """What does store is thereby tried from outside: same host, same port, so the same listener (T6)."""
    hosts = set(
        re.findall(r"[a-z0-9.-]*example\.org(?::\d+)?", _bootstrap(family, model, name).decode("latin-1"))
    )

    assert hosts == {"p.example.org"}


@pytest.mark.parametrize(("family", "model"), KINDS)
def test_5_the_full_file_negates_every_key_of_the_bootstrap(family: str, model: str):
    full = _full(family, model)
    for name in _claims_of(family, model):
        found = read(FAMILIES[family].format, _bootstrap(family, model, name))
        missing = {key for key in found if key not in full and SAME.get(key) not in full}
        assert missing <= {"include:config", "file@url", "gnkey"}, name


#: The only kind of document that stands below a claiming name.
DOCUMENTS = {
    "yealink": "#!version:1.0.0.1",
    "poly": "APPLICATION",
    "cisco": "flat-profile",
    "snom": "setting-files",
    "fanvil": "sysConf|VOIP_CONFIG_FILE",
}


@pytest.mark.parametrize(("family", "model", "name"), CLAIMED)
def test_6_below_a_claiming_name_stands_one_kind_of_document(family: str, model: str, name: str):
    body = _bootstrap(family, model, name)

    assert body
    if family == "grandstream":
        kind = "gs_provision" if name.endswith(".xml") else "a binary file"
        assert (body.startswith(b"\0\0")) == (kind == "a binary file")
        assert kind == "a binary file" or ElementTree.fromstring(body).tag == kind
    elif family == "yealink":
        assert body.decode().startswith(DOCUMENTS[family] + "\n")
    else:
        assert re.fullmatch(DOCUMENTS[family], ElementTree.fromstring(body).tag)


@pytest.mark.parametrize(("family", "model"), MODELS)
def test_10_the_private_url_is_https_and_http_by_an_exception_that_its_page_tells(family: str, model: str):
    device = Device(family=family, model=model)
    plain = FAMILIES[family].models[model].no_tls
    words = model_words(device)

    assert portal.PHONES_URL.startswith("https://")
    assert tokens.root_url(device).startswith("http://" if plain else "https://")
    assert words is not None
    assert any(note.startswith("It cannot do HTTPS") for note in words.notes) == plain


# --- 11: the golden files ----------------------------------------------------------------------------------


def _golden(family: str, model: str, place: str) -> dict[str, str]:
    (path,) = GOLDEN.glob(f"{family}/{model}/{place}")
    return read(FAMILIES[family].format, path.read_bytes())


@pytest.mark.parametrize("model", ["HT801", "HT802V2"])
def test_11_an_adapters_day_is_a_1(model: str):
    assert _golden("grandstream", model, "private/*.xml")["P194"] == "1"


@pytest.mark.parametrize("model", sorted(path.name for path in (GOLDEN / "cisco").iterdir()))
def test_11_the_later_rules_are_emptied(model: str):
    found = _golden("cisco", model, "private/*.xml")

    assert found["Profile_Rule"].endswith("/$MA.xml")
    assert [found[f"Profile_Rule_{letter}"] for letter in "BCD"] == ["", "", ""]


@pytest.mark.parametrize("model", sorted(path.name for path in (GOLDEN / "poly").iterdir()))
def test_11_the_server_has_no_scheme(model: str):
    found = _golden("poly", model, "private/phone*.cfg")

    assert re.fullmatch(r"p\.example\.org/d/[a-z0-9]{40}", found["device.prov.serverName"])
    assert found["device.prov.serverType"] in ("HTTP", "HTTPS")


@pytest.mark.parametrize("model", sorted(path.name for path in (GOLDEN / "grandstream").iterdir()))
def test_11_the_words_of_a_binary_file_add_up(model: str):
    (path,) = GOLDEN.glob(f"grandstream/{model}/root/cfg{MAC}")
    body = path.read_bytes()

    assert sum(int.from_bytes(body[at : at + 2], "big") for at in range(0, len(body), 2)) % 0x10000 == 0
    assert not re.search(rb"P237=[^&]*://|P237=[^&]*/&", body)


@pytest.mark.parametrize("model", sorted(path.name for path in (GOLDEN / "fanvil").iterdir()))
def test_11_numbers_grow_from_the_root_to_the_private_url(model: str):
    def number(found: dict[str, str]) -> str:
        (version,) = (value for key, value in found.items() if key.lower().endswith("version"))
        return version

    root = number(_golden("fanvil", model, "root/*.cfg"))
    over_https = number(_golden("fanvil", model, "root over https/*.cfg"))
    private = number(_golden("fanvil", model, "private/*.cfg"))
    (first,) = compile_full(settings("fanvil", model), PRIVATE, build=FIRST_BUILD).values()

    assert len({len(version) for version in (root, over_https, private)}) == 1
    assert over_https < private
    assert root < number(read("xml", first.body))


@pytest.mark.parametrize("model", sorted(path.name for path in (GOLDEN / "yealink").iterdir()))
def test_11_what_is_included_ends_in_cfg(model: str):
    for path in GOLDEN.glob(f"yealink/{model}/**/*.boot"):
        included = read("lines", path.read_bytes())["include:config"].split("\n")
        assert included
        assert all(name.endswith(".cfg") for name in included)


def test_11_a_token_is_of_forty_small_letters_and_digits():
    assert all(re.fullmatch("[a-z0-9]{40}", tokens.draw()) for _ in range(100))
    for path in GOLDEN.rglob("*"):
        if path.is_file():
            for token in re.findall(rb"/d/([^/\"'<>&\s]*)", path.read_bytes()):
                assert re.fullmatch(rb"[a-z0-9]{40}", token), path


def test_every_item_has_a_test():
    names = [*globals(), *vars(test_checklist_running)]
    numbers = {int(found[1]) for name in names if (found := re.match(r"test_(\d+)_", name))}

    assert numbers == set(range(1, 12))
