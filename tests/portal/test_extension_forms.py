"""Extensions on pages: added, found, changed, removed, and what cannot be."""

import re

import pytest
from django.test import Client

from devices import extensions
from devices.models import Extension
from tests.portal.key_forms import text
from tests.world import World, actor, signed_in

EXTENSIONS = "/extensions/"


@pytest.fixture
def ana(world: World) -> Client:
    return signed_in(world.ana)


def test_an_extension_is_added_changed_and_removed(world: World, ana: Client) -> None:
    form = {"account": "acme", "username": "4102", "secret": "s3cret-of-4102", "display_name": "Sales"}
    form |= {"call_appearances": "3", "barge_in": "on", "in_directory": "on"}

    assert ana.post(f"{EXTENSIONS}add/", form).status_code == 302
    made = Extension.objects.get(username="4102")
    assert extensions.has_secret(made, "s3cret-of-4102")
    assert (made.call_appearances, made.barge_in, made.in_directory) == (3, True, True)
    url = f"{EXTENSIONS}{made.code}/"
    page = text(ana.get(url))
    assert "s3cret" not in page
    changed = {"username": "4102", "display_name": "Sales team", "call_appearances": "5"}
    assert ana.post(url, changed).status_code == 302
    made.refresh_from_db()
    assert (made.display_name, made.call_appearances, made.barge_in) == ("Sales team", 5, False)
    assert made.in_directory is False
    assert extensions.has_secret(made, "s3cret-of-4102")
    assert ana.post(f"{url}remove/").status_code == 302
    assert not Extension.objects.filter(username="4102").exists()


def test_extensions_are_found_by_user_name_and_name(world: World, ana: Client) -> None:
    acme, by = world.acme.account, actor(world.ana)
    for at in range(4100, 4160):
        name = f"Desk {at}"
        extensions.create(acme, by=by, username=str(at), secret="a-secret-of-it", display_name=name)

    def listed(query: str) -> list[str]:
        page = text(ana.get(EXTENSIONS + query))
        return re.findall(r'class="name" href="/extensions/[^"]*">([^<]*)<', page)

    assert len(listed("")) == 50
    assert listed("?q=415") == [str(number) for number in range(4150, 4160)]
    assert listed("?q=dESK+4102") == ["4102"]
    assert "No extension of that name" in text(ana.get(f"{EXTENSIONS}?q=%22%3Cb%3E"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"username": "a b"}, "no blanks"),
        ({"username": "ext-acme-201"}, "has an extension of that user name"),
        ({"call_appearances": "9"}, "less than or equal to 8"),
        ({"realm": "a b"}, "host name"),
        ({"account": "globex"}, "Select a valid choice"),
    ],
)
def test_an_extension_that_cannot_be_is_said_at_its_field(
    world: World, ana: Client, change: dict[str, str], words: str
) -> None:
    form = {"account": "acme", "username": "4102", "secret": "s3cret-of-4102", "call_appearances": "2"}
    before = Extension.objects.count()

    page = text(ana.post(f"{EXTENSIONS}add/", {**form, **change}))

    assert words in page
    assert "s3cret-of-4102" not in page
    assert Extension.objects.count() == before


def test_an_extension_that_phones_show_is_not_removed(world: World, ana: Client) -> None:
    shown_one = world.acme.extension
    url = f"{EXTENSIONS}{shown_one.code}/remove/"

    assert "Take it off there first" in text(ana.get(url))
    ana.post(url)

    assert Extension.objects.filter(pk=shown_one.pk).exists()
