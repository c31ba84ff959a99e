"""A phone's page says what its model holds, what nobody has confirmed, and what it lacks."""

import pytest
from django.urls import reverse

from accounts.scope import Actor
from devices.catalog import catalog
from devices.models import Device
from portal.model_words import model_words
from tests.tree import user_of
from tests.world import signed_in

MODELS = [(family.code, model) for family in catalog().families.values() for model in family.models]


@pytest.mark.parametrize(("family", "model"), MODELS)
def test_every_doubt_of_a_model_is_told(family: str, model: str) -> None:
    vendor = catalog().families[family]
    found = model_words(Device(family=family, model=model))

    assert found is not None
    generation = vendor.generations[vendor.models[model].generation]
    assert {*vendor.models[model].doubts, *generation.doubts, *vendor.doubts} == set(found.doubts)
    assert len(found.lacks) == len(vendor.lacks(vendor.models[model].generation))
    assert all(sentence.endswith(".") for sentence in (*found.doubts, *found.lacks, *found.notes))


@pytest.mark.parametrize(
    ("family", "model", "holds"),
    [
        ("snom", "D785", "12 lines, 24 keys, up to 4 modules of 18 keys"),
        ("snom", "320", "12 lines, 12 keys, up to 1 module of 42 keys"),
        ("fanvil", "X301", "2 lines, no keys of its own"),
        ("fanvil", "X6U", "20 lines, 65 keys"),
    ],
)
def test_what_a_model_holds(family: str, model: str, holds: str) -> None:
    found = model_words(Device(family=family, model=model))

    assert found is not None
    assert found.holds == holds


def test_the_firmware_decides_what_is_missing() -> None:
    phone = Device(family="snom", model="760")

    old, new = model_words(phone, "8.7.2.9"), model_words(phone, "8.7.3.19")

    assert old is not None
    assert new is not None
    assert len(old.lacks) > len(new.lacks)
    assert old.firmware != new.firmware


def test_a_phone_that_stays_at_the_root_or_travels_readable_says_so() -> None:
    found = model_words(Device(family="yealink", model="VP530"))

    assert found is not None
    assert found.notes[0].startswith("It cannot be moved")
    assert found.notes[1].startswith("It cannot do HTTPS")


def test_a_model_that_the_catalogue_has_lost_says_nothing() -> None:
    assert model_words(Device(family="nobody", model="X")) is None


def test_the_page_shows_it(ana: Actor, phone: Device) -> None:
    Device.objects.filter(pk=phone.pk).update(family="fanvil", model="V62")

    said = signed_in(user_of(ana)).get(reverse("phone", args=[phone.code])).content.decode()

    assert "Its number of lines is not confirmed." in said
    assert "It has no filter by server" in said
    assert "a restart hurries it" in said


#: Of every firmware that can be moved: what of its way to the private URL nobody has captured or settled.
UNSETTLED_WAYS = {
    ("yealink", "v81"): "an absolute include over https in a boot file",
    ("yealink", "v80"): "Firmware before V70",
    ("poly", "ucs4"): "absolute CONFIG_FILES",
    ("poly", "ucs5"): "absolute CONFIG_FILES",
    ("poly", "pvos"): "PVOS was seen in use only",
    ("snom", "v10"): "a list of setting files with an absolute address",
    ("snom", "v7"): "a list of setting files with an absolute address",
    ("snom", "dect"): "Whether option 66 of DHCP wins again at a restart",
    ("fanvil", "sysconf"): "whether a changed address causes a fetch in the same run",
    ("fanvil", "voip"): "whether a changed address causes a fetch in the same run",
    **dict.fromkeys(
        (("grandstream", code) for code in catalog().families["grandstream"].generations),
        "That a phone goes on to its private URL in the same run after the binary file",
    ),
    **dict.fromkeys(
        (("cisco", code) for code in catalog().families["cisco"].generations),
        "that a rule set by one file is followed in the same run",
    ),
}


def test_every_firmware_is_in_the_table() -> None:
    assert set(UNSETTLED_WAYS) == {
        (f.code, code) for f in catalog().families.values() for code in f.generations
    }


@pytest.mark.parametrize(("family", "generation"), UNSETTLED_WAYS)
def test_a_way_that_is_not_settled_is_told_on_the_page(
    ana: Actor, phone: Device, family: str, generation: str
) -> None:
    models = catalog().families[family].models.values()
    model = next(model.name for model in models if model.generation == generation)
    Device.objects.filter(pk=phone.pk).update(family=family, model=model)

    said = signed_in(user_of(ana)).get(reverse("phone", args=[phone.code])).content.decode()

    _, _, doubts = said.partition("<dt>Not confirmed</dt>")
    assert UNSETTLED_WAYS[family, generation] in doubts
