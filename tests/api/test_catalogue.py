"""The catalogue over the API: every make and model of the tables, what each can and cannot, and why."""

from typing import Any

import pytest
from django.utils import translation
from pytest_django import Settings

from accounts.roles import Role
from devices.catalog import catalog
from devices.definitions import SETTINGS
from devices.phone import HARDENING, SHARING
from tests.world import World, make_key, program, signed_in

FAMILIES, MODELS = "/api/v1/catalogue/families/", "/api/v1/catalogue/models/"


def asked(world: World, url: str) -> Any:
    answer = program(make_key(world.acme.account, Role.VIEWER, world.ana)).get(url)
    assert answer.status_code == 200, answer.json()
    return answer.json()


def test_every_make_and_every_model_is_there(world: World) -> None:
    makes, models = asked(world, FAMILIES), asked(world, MODELS)

    assert [row["family"] for row in makes] == list(catalog().families)
    assert {row["family"]: row["models"] for row in makes} == {
        code: len(family.models) for code, family in catalog().families.items()
    }
    assert {(row["family"], row["model"]) for row in models} == {
        (code, name) for code, family in catalog().families.items() for name in family.models
    }


def test_every_model_says_of_each_setting_that_it_can_or_why_not(world: World) -> None:
    ana = program(world.acme.key)

    for code, family in catalog().families.items():
        seen = {model.generation: name for name, model in family.models.items()}
        for name in seen.values():
            told = ana.get(f"{MODELS}{code}/{name}/").json()
            for what, every in (("settings", SETTINGS), ("protections", HARDENING), ("sharing", SHARING)):
                lacking = {row["name"] for row in told[f"{what}_not"]}
                assert lacking.isdisjoint(told[what]), (code, name)
                assert lacking | set(told[what]) == set(every), (code, name)
                assert all(row["reason"] for row in told[f"{what}_not"]), (code, name)
            assert told["restart"].endswith("."), (code, name)
            assert told["resync"], (code, name)


def test_a_model_is_told_as_the_table_has_it(world: World) -> None:
    told = asked(world, f"{MODELS}yealink/sip-t46s/")

    known = catalog().families["yealink"].models["T46S"]
    assert (told["model"], told["lines"], told["keys"]) == ("T46S", known.lines, known.keys)
    assert (told["single_step"], told["full_and_move"], told["moves_by"]) == (False, False, "include")
    assert "blf" in told["key_kinds"]
    assert told["phone_book"] is True


def test_an_older_firmware_can_less(world: World) -> None:
    new = asked(world, f"{MODELS}yealink/T46S/")
    old = asked(world, f"{MODELS}yealink/T46S/?firmware=66.80.0.15")

    assert (old["generation"], old["moves_by"]) == ("v80", "poll")
    assert "dnd_key" in new["settings"]
    assert "dnd_key" in {row["name"] for row in old["settings_not"]}


def test_how_models_reach_their_private_urls(world: World) -> None:
    ways = {(row["family"], row["model"]): row for row in asked(world, MODELS)}

    for (code, name), row in ways.items():
        model = catalog().families[code].models[name]
        assert (row["moves_by"] == "never") == row["single_step"] == model.single_step
        assert row["full_and_move"] == (row["moves_by"] == "full")
    assert {row["moves_by"] for row in ways.values()} >= {"never", "full", "include"}


def test_a_make_says_how_it_is_connected(world: World, settings: Settings) -> None:
    settings.PHONES_URL = "https://phones.example.org"

    told = asked(world, f"{FAMILIES}yealink/")

    assert told["connect"]["options"][0] == "66"
    assert told["connect"]["addresses"][0]["url"] == "https://phones.example.org/"
    assert [row["generation"] for row in told["generations"]] == list(
        catalog().families["yealink"].generations
    )
    assert told["phone_book"]["most"] > 0


def test_it_is_narrowed_and_what_makes_no_sense_is_named(world: World) -> None:
    ana = program(world.acme.key)

    assert {row["family"] for row in ana.get(f"{MODELS}?family=snom").json()} == {"snom"}
    assert "T46S" in {row["model"] for row in ana.get(f"{MODELS}?search=t46").json()}
    for query, name in (("family=rotary", "family"), ("colour=red", "colour")):
        refused = ana.get(f"{MODELS}?{query}")
        assert (refused.status_code, refused.json()["errors"][0]["attr"]) == (400, name)
    gone = {
        ana.get(url).content
        for url in (f"{MODELS}yealink/T99/", f"{MODELS}rotary/T46S/", f"{FAMILIES}rotary/")
    }
    assert len(gone) == 1
    assert b"not-found" in gone.pop()


def test_somebody_with_a_phone_alone_may_read_it(world: World) -> None:
    assert signed_in(world.ben).get(f"{MODELS}yealink/T46S/").status_code == 200
    assert program().get(MODELS).status_code == 401


@pytest.mark.parametrize("make", ["yealink", "poly"])
def test_its_sentences_are_in_the_readers_language(
    world: World, make: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accounts.speaking.gettext", lambda text: f"<{text}>")

    with translation.override("en"):
        told = asked(world, f"{FAMILIES}{make}/")

    assert all(text.startswith("<") for text in (told["connect"]["order"], *told["doubts"]))


def test_a_directory_is_told_as_a_whole(world: World) -> None:
    told = asked(world, "/api/v1/directory/?account=acme")

    assert {name: told[name] for name in ("account", "contacts", "extensions", "hidden")} == {
        "account": "acme", "contacts": 1, "extensions": 1, "hidden": 0,
    }  # fmt: skip
    assert [row["name"] for row in told["makes"]] == ["Yealink"]
