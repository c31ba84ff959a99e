"""Firmware: a pinned image stands in every family's own key; without one no phone updates by itself."""

import pytest

from devices.catalog import catalog
from provisioning.compiling import CompileError, compile_full
from tests.families.reading import read
from tests.families.samples import MODELS, PRIVATE, settings
from tests.families.test_settings import GENERATIONS, IMAGE

FOLDER = "fw.example.org/1.0"

#: What a family writes with an image, and without one: keys that name it, and the switch of its own updates.
WRITTEN: dict[tuple[str, str], tuple[dict[str, str], dict[str, str | None]]] = {
    ("yealink", "v81"): (
        {"static.firmware.url": IMAGE, "firmware.url": IMAGE},
        {"static.firmware.url": "", "firmware.url": ""},
    ),
    ("yealink", "v80"): ({"firmware.url": IMAGE}, {"firmware.url": "", "static.firmware.url": None}),
    **{
        ("poly", generation): ({"APP_FILE_PATH": IMAGE}, {"APP_FILE_PATH": ""})
        for generation in ("ucs4", "ucs5", "pvos")
    },
    **{
        ("cisco", generation): (
            {"Upgrade_Enable": "Yes", "Upgrade_Rule": IMAGE},
            {"Upgrade_Enable": "No", "Upgrade_Rule": ""},
        )
        for generation in ("mpp", "spa", "ata", "ata19")
    },
    **{
        ("grandstream", generation): (
            {
                "provisioning.firmware.protocol": "HTTPS",
                "provisioning.firmware.serverPath": FOLDER,
                "provisioning.firmware.checkCondition": "AlwaysCheck",
            },
            {
                "provisioning.firmware.serverPath": None,
                "provisioning.firmware.checkCondition": "SkipCheck",
                "tr069.enable": "No",
            },
        )
        for generation in ("gxp21", "grp", "android")
    },
    **{
        ("grandstream", generation): (
            {"P6767": "2", "P192": FOLDER, "P238": "0"},
            {"P192": None, "P238": "2"},
        )
        for generation in ("gxp16", "gxp17", "video", "ht")
    },
    **{
        ("snom", generation): (
            {"phone-settings.update_policy": "auto_update", "firmware-settings.firmware": IMAGE},
            {"phone-settings.update_policy": "settings_only", "firmware-settings.firmware": None},
        )
        for generation in ("v7", "v10")
    },
    ("fanvil", "sysconf"): (
        {"AUTOUPDATE_CONFIG_MODULE.Auto_Image_URL": IMAGE, "fwCheck.EnableAutoUpgrade": "0"},
        {"AUTOUPDATE_CONFIG_MODULE.Auto_Image_URL": "", "fwCheck.EnableAutoUpgrade": "0"},
    ),
    ("fanvil", "voip"): (
        {
            "AUTOUPDATE_CONFIG_MODULE.Auto_Image_URL": IMAGE,
            "AUTOUPDATE_CONFIG_MODULE.Enable_Auto_Upgrade": "0",
        },
        {
            "AUTOUPDATE_CONFIG_MODULE.Auto_Image_URL": "",
            "AUTOUPDATE_CONFIG_MODULE.Enable_Auto_Upgrade": "0",
        },
    ),
}


def _read(family: str, model: str, firmware: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for file in compile_full(settings(family, model, firmware=firmware), PRIVATE).values():
        found |= read(catalog().families[family].format, file.body)
    return found


def test_every_generation_is_told_of_or_cannot():
    declined = {
        (code, generation)
        for code, family in catalog().families.items()
        for generation in family.generations
        if "firmware" in family.lacks_settings(generation)
    }

    assert declined == {("snom", "dect")}
    assert set(WRITTEN) | declined == {key for key, _ in GENERATIONS}


@pytest.mark.parametrize(("family", "model"), MODELS)
def test_the_image_is_named_and_nothing_else_updates_a_phone(family, model):
    generation = catalog().families[family].models[model].generation
    if (family, generation) not in WRITTEN:
        assert IMAGE not in _read(family, model, IMAGE).values()
        return
    with_image, without = WRITTEN[family, generation]

    pinned, free = _read(family, model, IMAGE), _read(family, model, "")

    assert {key: pinned.get(key) for key in with_image} == with_image
    assert {key: free.get(key) for key in without} == without
    assert not {value for value in free.values() if "fw.example.org" in value}


@pytest.mark.parametrize(
    ("case", "family", "model", "address"),
    [
        ("a rule", "cisco", "8841", "http://fw.example.org/a|b.loads"),
        ("another macro", "cisco", "SPA504G", "http://fw.example.org/$PSN.bin"),
        ("a name that is not asked", "grandstream", "GXP2170", "http://fw.example.org/image.bin"),
        ("two lines", "yealink", "T46S", "http://fw.example.org/a.rom\nb = c"),
    ],
)
def test_an_address_that_a_vendor_cannot_carry_is_refused_by_its_name(case, family, model, address):
    with pytest.raises(CompileError) as error:
        compile_full(settings(family, model, firmware=address), PRIVATE)

    assert error.value.field == "firmware"
