"""Files as they were when a person last looked at them; LATCHKEY_GOLDEN=write renews them.

Each is also read by a reader of the tests' own, strictly, and holds no key without a public source.
"""

import os
from pathlib import Path

import pytest

from devices.catalog import FAMILIES, catalog
from provisioning.compiling import CompiledFile, compile_bootstrap, compile_full
from tests.families.reading import bare, read
from tests.families.samples import ENTRY, MAC, PRIVATE, ROOT, SECRETS, TOKEN, name_of, settings

GOLDEN = Path(__file__).parent / "golden"
MODELS = [
    ("yealink", "T20P"),
    ("yealink", "T38G"),
    ("yealink", "T23G"),
    ("yealink", "T46S"),
    ("yealink", "T54W"),
    ("yealink", "T77U"),
    ("yealink", "CP920"),
    ("yealink", "W60B"),
    ("poly", "SPIP550"),
    ("poly", "SSIP6000"),
    ("poly", "VVX150"),
    ("poly", "VVX450"),
    ("poly", "CCX500"),
    ("poly", "EdgeE450"),
    ("fanvil", "H2U-V2"),
    ("fanvil", "H5"),
    ("fanvil", "V62"),
    ("fanvil", "V67"),
    ("fanvil", "X1S"),
    ("fanvil", "X210"),
    ("fanvil", "X301"),
    ("fanvil", "X4"),
    ("fanvil", "X4U"),
    ("fanvil", "X5S"),
    ("fanvil", "X6U-Pro"),
    ("fanvil", "X7C"),
    ("fanvil", "i10SD"),
    ("fanvil", "i63"),
    ("cisco", "6851"),
    ("cisco", "7811"),
    ("cisco", "7841"),
    ("cisco", "7861"),
    ("cisco", "8841"),
    ("cisco", "8861"),
    ("cisco", "SPA303"),
    ("cisco", "SPA502G"),
    ("cisco", "SPA504G"),
    ("cisco", "SPA525G2"),
    ("cisco", "SPA942"),
    ("cisco", "SPA112"),
    ("cisco", "ATA191"),
    ("grandstream", "GXP1610"),
    ("grandstream", "GXP1628"),
    ("grandstream", "GXP1782"),
    ("grandstream", "GXP2130"),
    ("grandstream", "GXP2160"),
    ("grandstream", "GXP2170"),
    ("grandstream", "GRP2612"),
    ("grandstream", "GRP2614"),
    ("grandstream", "GRP2615"),
    ("grandstream", "GXV3240"),
    ("grandstream", "GXV3370"),
    ("grandstream", "HT801"),
    ("grandstream", "HT802V2"),
    ("snom", "300"),
    ("snom", "370"),
    ("snom", "720"),
    ("snom", "760"),
    ("snom", "D120"),
    ("snom", "D315"),
    ("snom", "D717"),
    ("snom", "D735"),
    ("snom", "D785"),
    ("snom", "D862"),
    ("snom", "M300"),
    ("snom", "M900"),
]


def _files(family: str, model: str) -> dict[str, CompiledFile]:
    vendor = catalog().families[family]
    found = {f"private/{name}": file for name, file in compile_full(settings(family, model), PRIVATE).items()}
    for rule in vendor.files:
        if rule.claims and vendor.models[model].generation not in rule.absent_in:
            name = name_of(rule, model)
            found[f"root/{name}"] = compile_bootstrap(family, model, MAC, name, ENTRY, ROOT)
        if rule.full_and_move:
            phone = settings(family, model)
            found[f"root over https/{name}"] = compile_bootstrap(
                family, model, MAC, name, PRIVATE, ROOT, phone, full=True
            )
    return found


@pytest.mark.parametrize(("family", "model"), MODELS)
def test_files_are_as_they_were(family, model):
    folder = GOLDEN / family / model
    files = _files(family, model)
    if os.environ.get("LATCHKEY_GOLDEN") == "write":
        for name, file in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(file.body)

    kept = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    assert kept == {name: file.body for name, file in files.items()}


def _kept(family: str, model: str) -> dict[str, bytes]:
    folder = GOLDEN / family / model
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _sourced(family: str) -> set[str]:
    """The keys of keys.txt: each stands indented below the address of its source."""
    source, found = "", set()
    for line in (FAMILIES / family / "keys.txt").read_text().splitlines():
        if line.startswith("  "):
            assert source.startswith("https://"), line
            found.add(line.strip())
        elif line and not line.startswith("#"):
            source = line
    return found


def test_there_are_enough_of_them_and_every_firmware_has_one():
    generations = {(code, catalog().families[code].models[model].generation) for code, model in MODELS}

    assert len(set(MODELS)) == len(MODELS) >= 40
    assert generations == {(f.code, code) for f in catalog().families.values() for code in f.generations}
    assert sorted(f"{path.parent.name}/{path.name}" for path in GOLDEN.glob("*/*")) == sorted(
        "/".join(pair) for pair in MODELS
    )


@pytest.mark.parametrize(("family", "model"), MODELS)
def test_files_are_well_formed_and_every_key_of_them_has_a_source(family, model):
    vendor, sourced = catalog().families[family], _sourced(family)

    read_back = {name: read(vendor.format, body) for name, body in _kept(family, model).items()}

    assert {bare(key) for found in read_back.values() for key in found} - sourced == set()
    values = {name: set(found.values()) for name, found in read_back.items()}
    private = set().union(*(told for name, told in values.items() if name.startswith("private/")))
    root = set().union(*(told for name, told in values.items() if name.startswith("root/")))
    assert SECRETS[0] in private
    assert not any(secret in value for secret in SECRETS for value in root)
    assert any(TOKEN in value for value in private)
