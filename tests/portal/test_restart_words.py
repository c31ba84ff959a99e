"""What a person is told to do with his phone: by family, and by model where that differs."""

from pathlib import Path

import pytest

from devices import catalog as reading
from devices.catalog import catalog
from devices.family import POWERS
from devices.models import Device
from portal.restart_words import restart_words, waiting_words

PLUG = "Pull its plug, count to ten, plug it in again."
EITHER = (
    "Pull its plug, count to ten, plug it in again. If it has no plug, its network cable powers it: pull the"
    " cable that goes to the wall, count to ten, plug it in again."
)
BASE = (
    "Pull the plug of its base station (the box, not the handset), count to ten, plug it in again. If it has"
    " no plug, pull its network cable."
)
ADAPTER = "Pull the plug of the box that your phone is connected to, count to ten, plug it in again."
BATTERY = "Switch it off, count to ten, switch it on again."


@pytest.mark.parametrize(
    ("family", "model", "said"),
    [
        ("yealink", "T46S", EITHER),
        ("yealink", "T30", PLUG),
        ("yealink", "W70B", BASE),
        ("yealink", "AX83H", BATTERY),
        ("poly", "VVX250", EITHER),
        ("grandstream", "GXP2170", EITHER),
        ("grandstream", "GXP1610", PLUG),
        ("grandstream", "HT801", ADAPTER),
        ("cisco", "8841", EITHER),
        (
            "cisco",
            "7832",
            "Pull the network cable that it gets its power from, count to ten, plug the cable in again.",
        ),
        ("cisco", "ATA191", ADAPTER),
        ("snom", "D735", EITHER),
        ("snom", "M900", BASE),
        ("fanvil", "X4U", EITHER),
        ("fanvil", "W611W", BATTERY),
        (
            "fanvil",
            "i16S",
            "It gets its power through the wall: switch that off, count to ten, switch it on again.",
        ),
        ("gone", "from the catalogue", EITHER),
    ],
)
def test_each_model_is_started_anew_in_its_own_way(family: str, model: str, said: str) -> None:
    assert restart_words(Device(family=family, model=model)) == said


def test_every_family_and_model_has_a_sentence_of_its_own_kind() -> None:
    used = {family.power_of(model) for family in catalog().families.values() for model in family.models}

    assert used == set(POWERS)


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
