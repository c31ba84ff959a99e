"""What a person is told to do with his phone: by family, and by model where that differs."""

from pathlib import Path

import pytest

from devices import catalog as reading
from devices.catalog import catalog
from devices.family import POWERS
from devices.models import Device
from portal.restart_words import restart_words, waiting_words

EITHER = (
    "Pull its plug and the network cable that goes to the wall; if it has only one of them, pull that one."
    " Count to ten, plug in again what you pulled."
)
CABLE = "Pull the network cable that it gets its power from, count to ten, plug the cable in again."
BASE = (
    "Pull the plug and the network cable of its base station (the box, not the handset); if it has only one"
    " of them, pull that one. Count to ten, plug in again what you pulled."
)
ADAPTER = "Pull the plug of the box that your phone is connected to, count to ten, plug it in again."
BATTERY = "Switch it off, count to ten, switch it on again."
WIRED_IN = (
    "It gets its power through the wall, by its network cable or by a power supply. Switch that off, or have"
    " it switched off, count to ten, switch it on again."
)

#: Each model that is started anew in another way than its family: nobody's guess, so a change needs a source.
OTHERWISE = {
    "cisco": {
        "cable": {"7832"},
        "adapter": {"SPA112", "SPA122", "ATA191", "ATA192"},
    },
    "fanvil": {
        "battery": {"W610W", "W611W", "W620W"},
        "wired-in": {
            "i10S", "i10SV", "i10SD", "i16S", "i16SV", "i30",
            "i51W", "i52W", "i53W", "i61", "i62", "i63", "i64",
        },
    },
    "grandstream": {"adapter": {"HT801", "HT801V2", "HT802", "HT802V2", "HT812", "HT812V2"}},
    "poly": {"cable": {"TrioC60"}},
    "snom": {"base": {"M300", "M400", "M700", "M900"}},
    "yealink": {
        "base": {"W52P", "W56P", "W60B", "W70B", "W75DM", "W80DM", "W90DM"},
        "battery": {"AX83H", "AX86R"},
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("family", "model", "said"),
    [
        ("yealink", "T46S", EITHER),
        ("yealink", "T30", EITHER),
        ("yealink", "W70B", BASE),
        ("yealink", "AX83H", BATTERY),
        ("poly", "VVX250", EITHER),
        ("poly", "TrioC60", CABLE),
        ("grandstream", "GXP2170", EITHER),
        ("grandstream", "GXP1610", EITHER),
        ("grandstream", "HT801", ADAPTER),
        ("cisco", "8841", EITHER),
        ("cisco", "6841", EITHER),
        ("cisco", "7832", CABLE),
        ("cisco", "ATA191", ADAPTER),
        ("snom", "D735", EITHER),
        ("snom", "M900", BASE),
        ("fanvil", "X4U", EITHER),
        ("fanvil", "W611W", BATTERY),
        ("fanvil", "i16S", WIRED_IN),
        ("gone", "from the catalogue", EITHER),
    ],
)
def test_each_model_is_started_anew_in_its_own_way(family: str, model: str, said: str) -> None:
    assert restart_words(Device(family=family, model=model)) == said


def test_every_family_and_model_has_a_sentence_of_its_own_kind() -> None:
    used = {family.power_of(model) for family in catalog().families.values() for model in family.models}

    assert used == set(POWERS)


def test_a_model_differs_from_its_family_only_where_that_is_known() -> None:
    found: dict[str, dict[str, set[str]]] = {}
    for code, family in catalog().families.items():
        for model in family.models.values():
            if model.power:
                found.setdefault(code, {}).setdefault(model.power, set()).add(model.name)

    assert found == OTHERWISE
    assert {family.power for family in catalog().families.values()} == {"plug-or-cable"}


def test_a_cable_is_pulled_where_it_may_hold_power_and_nowhere_else() -> None:
    every = [(code, model) for code, family in catalog().families.items() for model in family.models]
    silent = {
        each for each in every if "network cable" not in restart_words(Device(family=each[0], model=each[1]))
    }

    assert silent == {
        (code, model)
        for code, ways in OTHERWISE.items()
        for way in ("adapter", "battery")
        for model in ways.get(way, ())
    }


def test_a_way_that_nobody_knows_stops_the_loader(tmp_path: Path) -> None:
    folder = reading.FAMILIES / "snom"
    copy = tmp_path / "snom"
    copy.mkdir()
    told = (folder / "family.toml").read_text(encoding="utf-8")
    (copy / "family.toml").write_text(told.replace('power = "base"', 'power = "wind"', 1), encoding="utf-8")

    with pytest.raises(reading.CatalogError, match=r"\[models.M300\] has its power from 'wind'"):
        reading.load(tmp_path)


@pytest.mark.parametrize(
    ("family", "model", "said"),
    [
        ("yealink", "T46S", "It starts twice; that takes about three minutes."),
        ("yealink", "VP530", "That takes about three minutes."),
    ],
)
def test_how_long_it_takes_is_said(family: str, model: str, said: str) -> None:
    assert waiting_words(Device(family=family, model=model)) == said


def test_a_slow_phone_is_said_to_be_slow() -> None:
    slow = next(
        (family.code, model.name)
        for family in catalog().families.values()
        for model in family.models.values()
        if family.generations[model.generation].slow and not model.single_step
    )

    assert waiting_words(Device(family=slow[0], model=slow[1])).startswith("It can take up to an hour.")
