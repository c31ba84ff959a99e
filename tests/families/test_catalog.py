"""The families' data: loads, refuses what nobody would read, says something of every protection."""

import shutil
from pathlib import Path

import pytest

from devices.catalog import FAMILIES, CatalogError, catalog, load
from devices.phone import HARDENING
from tests.families.samples import MODELS

CODES = sorted(catalog().families)


def _copy(tmp_path: Path, code: str, before: str, after: str) -> Path:
    shutil.copytree(FAMILIES / code, tmp_path / code)
    file = tmp_path / code / "family.toml"
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after, 1))
    return tmp_path


def test_the_families_have_the_models_they_must():
    families = catalog().families

    assert len(families["yealink"].models) >= 14
    assert len(families["poly"].models) >= 8
    assert len(families["snom"].models) >= 40
    assert len(families["fanvil"].models) >= 60
    assert len(families["grandstream"].models) >= 40
    assert len(families["cisco"].models) >= 35


@pytest.mark.parametrize(
    ("case", "before", "after", "named"),
    [
        ("a model's key", "T46S = { lines", "T46S = { linse = 1, lines", "linse"),
        ("a table at the top", "[resync]", "[resnyc]", "resync"),
        ("a file's key", 'path = "{mac}.boot"', 'path = "{mac}.boot"\nclaims = true', "claims"),
        ("a file's kind", 'kind = "claiming"', 'kind = "claimnig"', "claimnig"),
        ("a placeholder", 'path = "{text}.rom"', 'path = "{txet}.rom"', "txet"),
        ("a protection", "refuse_direct_ip_calls =", "refuse_direct_ip_cals =", "refuse_direct_ip_cals"),
        ("a kind of key", "blf =", "bfl =", "bfl"),
        ("a generation", 'absent_in = ["v80"]', 'absent_in = ["v08"]', "v08"),
        ("a model's generation", 'keys = 0, generation = "v81"', 'keys = 0, generation = "v18"', "v18"),
        ("a number", "T46S = { lines = 16", "T46S = { lines = -16", "T46S"),
        ("a missing key", 'name = "Yealink"\n', "", "name"),
    ],
)
def test_a_misspelt_key_stops_the_loader(tmp_path, case, before, after, named):
    root = _copy(tmp_path, "yealink", before, after)

    with pytest.raises(CatalogError) as error:
        load(root)

    assert named in str(error.value)
    assert "family.toml" in str(error.value)


@pytest.mark.parametrize("code", CODES)
def test_every_protection_is_translated_or_declined(code):
    family = catalog().families[code]

    assert set(family.hardening) | set(family.cannot) == set(HARDENING)
    assert not set(family.hardening) & set(family.cannot)


@pytest.mark.parametrize(
    ("family", "spelling", "name"),
    [
        ("yealink", "T46G", "T46G"),
        ("yealink", "SIP-T46G", "T46G"),
        ("yealink", "t19p_e2", "T19P_E2"),
        ("yealink", "VP530P", "VP530"),
        ("yealink", "W80B", "W80DM"),
        ("yealink", "Yealink T54W", "T54W"),
        ("poly", "VVX_500", "VVX500"),
        ("poly", "VVX500", "VVX500"),
        ("poly", "VVX 500", "VVX500"),
        ("poly", "SPIP_550", "SPIP550"),
        ("poly", "Edge_E450", "EdgeE450"),
        ("poly", "Edge E450", "EdgeE450"),
        ("poly", "E450", "EdgeE450"),
        ("poly", "Poly Edge E350", "EdgeE350"),
        ("fanvil", "X6U Pro", "X6U-Pro"),
        ("fanvil", "X6V2", "X6V2"),
        ("fanvil", "V62 Pro", "V62Pro"),
        ("fanvil", "Linkvil W620W", "W620W"),
        ("snom", "D785", "D785"),
        ("snom", "snomD785", "D785"),
        ("snom", "Snom 760", "760"),
        ("snom", "m900", "M900"),
        ("grandstream", "grp2614", "GRP2614"),
        ("grandstream", "Grandstream GXP2170", "GXP2170"),
        ("grandstream", "HT802V2", "HT802V2"),
        ("cisco", "CP-8841-3PCC", "8841"),
        ("cisco", "8841", "8841"),
        ("cisco", "Cisco 7832", "7832"),
        ("cisco", "SPA-942", "SPA942"),
        ("cisco", "spa504g", "SPA504G"),
        ("cisco", "ATA191-MPP", "ATA191"),
    ],
)
def test_a_model_is_found_by_any_spelling(family, spelling, name):
    model = catalog().find_model(family, spelling)

    assert model is not None
    assert model.name == name


def test_a_model_of_another_family_is_not_found():
    assert catalog().find_model("yealink", "VVX500") is None
    assert catalog().find_model("nobody", "T46S") is None


@pytest.mark.parametrize(("family", "model"), MODELS)
def test_no_model_counts_below_nothing(family, model):
    found = catalog().families[family].models[model]

    assert found.lines >= 1
    assert found.title.startswith(catalog().families[family].name)


@pytest.mark.parametrize(
    ("family", "model", "firmware", "generation"),
    [
        ("yealink", "T46G", "28.83.0.120", "v81"),
        ("yealink", "T46G", "28.72.0.1", "v80"),
        ("yealink", "T23G", "44.80.0.60", "v80"),
        ("yealink", "T20P", None, "v80"),
        ("yealink", "T31G", "124.86.0.118", "v81"),
        ("poly", "VVX500", "5.9.7.4477", "ucs5"),
        ("poly", "VVX500", "4.1.4.7430", "ucs4"),
        ("poly", "EdgeE450", "8.0.0.15602", "pvos"),
        ("fanvil", "X4", "2.10.2.6887", "voip"),
        ("fanvil", "X5U-V2", "2.12.16.17", "sysconf"),
        ("snom", "D785", "10.1.33.33", "v10"),
        ("snom", "760", "8.7.3.19", "v10"),
        ("snom", "760", "8.7.2.9", "v7"),
        ("snom", "320", "8.4.18", "v7"),
        ("snom", "320", None, "v7"),
        ("snom", "M900", "05.20.0001", "dect"),
        ("snom", "M900", "07.40.0104", "dect"),
        ("cisco", "8841", "11.0.1", "mpp"),
        ("cisco", "8841", "12-0-7MPP0001-396", "mpp"),
        ("cisco", "8841", "11-3-1MPP2001-678", "mpp"),
        ("cisco", "SPA508G", "7.4.8a", "spa"),
        ("cisco", "SPA942", "6.1.5(a)", "spa"),
        ("cisco", "SPA112", "1.3.5p", "ata"),
        ("cisco", "ATA192", "11-1-0MPP0401-001", "ata19"),
        ("cisco", "ATA192", None, "ata19"),
    ],
)
def test_the_firmware_tells_the_generation(family, model, firmware, generation):
    assert catalog().families[family].generation_of(model, firmware) == generation
