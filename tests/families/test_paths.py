"""Every path that the recorded phones ask, and every path that no phone asks."""

import json
import re
from pathlib import Path

import pytest

from devices.catalog import catalog
from devices.paths import FileKind, split_path

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
OURS = sorted({(row["path"], FAMILY_OF[row["vendor"]]) for row in REQUESTS if row["vendor"] in FAMILY_OF})

#: The end of a name -> what it is; the first that fits.
TABLE = {
    "yealink": [
        (".rom", FileKind.FIRMWARE),
        ("directory.xml", FileKind.BOOK),
        ("y000000000000.boot", FileKind.COMMON),
        (".boot", FileKind.CLAIMING),
    ],
    "poly": [
        (".sip.ld", FileKind.FIRMWARE),
        ("000000000000-license.cfg", FileKind.LICENCE),
        ("000000000000-directory.xml", FileKind.BOOK),
        ("000000000000.cfg", FileKind.COMMON),
        ("-phone.cfg", FileKind.OVERRIDE),
        ("-web.cfg", FileKind.OVERRIDE),
        ("-license.cfg", FileKind.LICENCE),
        ("-user.cfg", FileKind.OTHER_OWN),
        ("-mb.cfg", FileKind.OTHER_OWN),
        ("_reg.cfg", FileKind.OTHER_OWN),
        ("-calls.xml", FileKind.CALLS),
        ("-directory.xml", FileKind.DIRECTORY),
        (".log", FileKind.UPLOAD),
    ],
    "fanvil": [(".txt", FileKind.FIRMWARE)],
    "grandstream": [
        ("fw.bin", FileKind.FIRMWARE),
        ("phonebook.xml", FileKind.BOOK),
        ("cfg.xml", FileKind.COMMON),
    ],
    "cisco": [],
    "snom": [("-firmware.xml", FileKind.FIRMWARE), ("-firmware.htm", FileKind.FIRMWARE)],
}


def _expected(path: str, family: str) -> FileKind:
    name = path.rsplit("/", 1)[-1]
    for end, kind in TABLE[family]:
        if name.endswith(end):
            return kind
    if (family == "yealink" and name.startswith("y")) or (
        family not in ("yealink", "poly") and _mac(path) is None
    ):
        return FileKind.COMMON
    return FileKind.OTHER_OWN if name.startswith("Edge") or "/Cisco/" in path else FileKind.CLAIMING


def _mac(path: str) -> str | None:
    found = re.search(r"(?<![0-9A-Fa-f])(?!0{12})[0-9A-Fa-f]{12}(?![0-9A-Fa-f])", path)
    return found[0].lower() if found and not path.rsplit("/", 1)[-1].startswith("y0") else None


@pytest.mark.parametrize(("path", "family"), OURS)
def test_every_recorded_path_is_what_the_table_says(path, family):
    match = catalog().match(path)

    assert match is not None
    rule = match.rule_for(family)
    assert rule is not None
    assert rule.kind is _expected(path, family)
    assert match.mac == _mac(path)


@pytest.mark.parametrize(
    ("path", "family", "kind", "mac"),
    [
        ("/phone0004f2000001.cfg", "poly", FileKind.FULL, "0004f2000001"),
        ("/0004F2000001.cfg", "poly", FileKind.CLAIMING, "0004f2000001"),
        ("/VVX600-0004f2000001.cfg", "poly", FileKind.OTHER_OWN, "0004f2000001"),
        ("/000000000000-user.cfg", "poly", FileKind.COMMON, None),
        ("/logs/0004f2000001-boot.log", "poly", FileKind.UPLOAD, "0004f2000001"),
        ("/phoneconfigs/0004f2000001-phone.cfg", "poly", FileKind.OVERRIDE, "0004f2000001"),
        ("/" + "0a" * 16 + "/logs/0004f2000001-app.log", "poly", FileKind.UPLOAD, "0004f2000001"),
        ("/languages/Website_dictionary_language_de-de.xml", "poly", FileKind.COMMON, None),
        ("/3111-44500-001.sip.ld", "poly", FileKind.FIRMWARE, None),
        ("/poly-retry.cfg", "poly", FileKind.COMMON, None),
        ("/001565000001-local.cfg", "yealink", FileKind.OVERRIDE, "001565000001"),
        ("/001565000001-contact.xml", "yealink", FileKind.DIRECTORY, "001565000001"),
        ("/001565000001-calllog.xml", "yealink", FileKind.CALLS, "001565000001"),
        ("/yealink-retry.cfg", "yealink", FileKind.COMMON, None),
        ("/0015650000%30%31.cfg", "yealink", FileKind.CLAIMING, "001565000001"),
        ("/Fanvil/0C383E000001.cfg", "fanvil", FileKind.CLAIMING, "0c383e000001"),
        ("/f01653000001.cfg", "fanvil", FileKind.CLAIMING, "f01653000001"),
        ("/f0X4hw1.100.cfg", "fanvil", FileKind.COMMON, None),
        ("/F0V00X200000.cfg", "fanvil", FileKind.COMMON, None),
        ("/x5upro-fanvil-release-ff01-6907.z", "fanvil", FileKind.FIRMWARE, None),
        ("/8843E1AABBCC.xml", "cisco", FileKind.CLAIMING, "8843e1aabbcc"),
        ("/spa8843e1aabbcc.xml", "cisco", FileKind.OTHER_OWN, "8843e1aabbcc"),
        ("/SEP8843E1AABBCC.cnf.xml", "cisco", FileKind.OTHER_OWN, "8843e1aabbcc"),
        ("/CP-8865-3PCC.xml", "cisco", FileKind.COMMON, None),
        ("/ata192.cfg", "cisco", FileKind.COMMON, None),
        ("/sip88xx.12-0-7MPP0001-396.loads", "cisco", FileKind.FIRMWARE, None),
        ("/cfg000b82aabbcc", "grandstream", FileKind.CLAIMING, "000b82aabbcc"),
        ("/gs/cfg000B82AABBCC.xml", "grandstream", FileKind.CLAIMING, "000b82aabbcc"),
        ("/cfg000b82aabbcc.bin", "grandstream", FileKind.OTHER_OWN, "000b82aabbcc"),
        ("/pb/000b82aabbcc/phonebook.xml", "grandstream", FileKind.OTHER_OWN, "000b82aabbcc"),
        ("/cfg000000000000.xml", "grandstream", FileKind.COMMON, None),
        ("/ht802fw.bin", "grandstream", FileKind.FIRMWARE, None),
        ("/000413aabbcc.xml", "snom", FileKind.CLAIMING, "000413aabbcc"),
        ("/snom-000413AABBCC.htm", "snom", FileKind.CLAIMING, "000413aabbcc"),
        ("/Snom/snomM900-000413AABBCC.htm", "snom", FileKind.CLAIMING, "000413aabbcc"),
        ("/snom.htm", "snom", FileKind.COMMON, None),
        ("/snomD785.htm", "snom", FileKind.COMMON, None),
        ("/snom-retry.xml", "snom", FileKind.COMMON, None),
        ("/web_lang.xml", "snom", FileKind.COMMON, None),
        ("/snomD785-10.1.169.16-SIP-r.bin", "snom", FileKind.FIRMWARE, None),
    ],
)
def test_further_names(path, family, kind, mac):
    match = catalog().match(path)

    assert match is not None
    rule = match.rule_for(family)
    assert rule is not None
    assert (rule.kind, match.mac) == (kind, mac)


def test_families_share_a_spelling():
    match = catalog().match("/00005e005301.cfg")

    assert match is not None
    assert [use.family for use in match.candidates] == ["fanvil", "poly", "yealink"]
    assert match.claims


def test_twelve_zeros_are_no_mac():
    match = catalog().match("/000000000000.cfg")

    assert match is not None
    assert match.mac is None
    assert match.common is None


def test_only_named_common_files_have_content():
    served = {
        path: bool((match := catalog().match(path)) and match.common)
        for path in (
            "/y000000000028.cfg",
            "/y000000000000.boot",
            "/000000000000.cfg",
            "/directory.xml",
            "/snomD785.htm",
            "/snomD785.xml",
        )
    }

    assert served == {
        "/snomD785.htm": True,
        "/snomD785.xml": False,
        "/y000000000028.cfg": True,
        "/y000000000000.boot": False,
        "/000000000000.cfg": False,
        "/directory.xml": False,
    }


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/wp-login.php",
        "/.env",
        "/00005e0053.cfg",
        "/00005e0053011.cfg",
        "/admin/00005e005301.cfg",
        "/logs/logs/logs/00005e005301-app.log",
        "/00005e005301.cfg/",
        "/00005e005301.cfg.bak",
        "/00005e005301.CFG",
        "/%2530%2530005e005301.cfg",
    ],
)
def test_what_no_family_knows(path):
    assert catalog().match(path) is None


@pytest.mark.parametrize(
    ("case", "path"),
    [
        ("dot segment", "/logs/../00005e005301.cfg"),
        ("encoded dot segment", "/logs/%2e%2e/00005e005301.cfg"),
        ("single dot", "/./00005e005301.cfg"),
        ("empty segment", "//00005e005301.cfg"),
        ("backslash", "/logs\\00005e005301.cfg"),
        ("encoded backslash", "/logs%5c00005e005301.cfg"),
        ("NUL", "/00005e005301.cfg%00"),
        ("encoded slash", "/logs%2f00005e005301.cfg"),
        ("half an escape", "/00005e005301.cfg%2"),
        ("no UTF-8", "/%ff.cfg"),
        ("overlong", "/" + "a" * 256),
        ("nothing", ""),
    ],
)
def test_a_bad_path_has_no_segments(case, path):
    assert split_path(path) is None
    assert split_path(path.encode()) is None


def test_a_path_is_decoded_once():
    assert split_path("/a%2541/b%20c") == ["a%41", "b c"]


@pytest.mark.parametrize(
    ("case", "family", "model", "path", "kind"),
    [
        ("its own master", "poly", "VVX500", "00005e005301.cfg", FileKind.CLAIMING),
        ("its own settings", "poly", "VVX500", "phone00005E005301.cfg", FileKind.FULL),
        ("its logs", "poly", "VVX500", "logs/00005e005301-app.log", FileKind.UPLOAD),
        ("its family's common file", "yealink", "T46S", "y000000000066.cfg", FileKind.COMMON),
        ("a boot file", "yealink", "T46S", "00005e005301.boot", FileKind.CLAIMING),
        ("a boot file before V81", "yealink", "T20P", "00005e005301.boot", None),
        ("another phone's file", "yealink", "T46S", "00005e005302.cfg", None),
        ("another family's file", "yealink", "T46S", "phone00005e005301.cfg", None),
        ("another family's common file", "poly", "VVX500", "y000000000066.cfg", None),
        ("an unknown family", "nobody", "T46S", "00005e005301.cfg", None),
        ("a stranger's folder", "yealink", "T46S", "logs/00005e005301.cfg", None),
    ],
)
def test_a_name_below_the_private_url_is_the_devices_own(case, family, model, path, kind):
    rule = catalog().own_file(family, model, "00005e005301", path.split("/"))

    assert (rule.kind if rule else None) is kind


def test_a_generation_without_boot_files_does_not_claim_by_one():
    match = catalog().match("/00005e005301.boot")

    assert match is not None
    assert match.rule_for("yealink", "v80") is None
    assert match.rule_for("yealink", "v81") is not None
    assert match.rule_for("poly", "ucs5") is None
