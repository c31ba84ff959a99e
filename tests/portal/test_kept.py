"""What is counted over very many phones is said again for a moment; what is small is always counted."""

from collections.abc import Callable, Iterator

import pytest
from django.core.cache import cache
from django.test import Client

from accounts.models import User
from devices.models import Device
from portal import kept as keeping
from portal.kept import kept
from portal.pages import phones as phones_page
from tests.factories import make_phone
from tests.world import World, actor, signed_in


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def counting(numbers: list[int]) -> Callable[[], int]:
    return lambda: numbers.pop(0)


def test_what_is_large_is_found_once_and_what_is_small_each_time(world: World) -> None:
    ana = actor(world.ana)
    large, small = [7, 8], [1, 2]
    assert [kept("n", ana, {}, counting(large), is_large=lambda n: n > 5) for _ in "ab"] == [7, 7]
    assert [kept("m", ana, {}, counting(small), is_large=lambda n: n > 5) for _ in "ab"] == [1, 2]


def test_another_question_another_name_and_another_reader_are_found_anew(world: World) -> None:
    def ask(name: str, who: User, asked: dict[str, str]) -> int:
        return kept(name, actor(who), asked, counting(numbers), is_large=lambda n: True)

    numbers = [1, 2, 3, 4]
    questions = [
        ("n", world.ana, {}),
        ("n", world.ana, {"q": "x"}),
        ("m", world.ana, {}),
        ("n", world.rita, {}),
    ]
    assert [ask(*question) for question in questions] == [1, 2, 3, 4]
    assert [ask(*question) for question in questions] == [1, 2, 3, 4]


def test_it_is_found_anew_after_a_moment(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "SECONDS", 0)
    numbers = [1, 2]
    assert [kept("n", actor(world.ana), {}, counting(numbers), is_large=bool) for _ in "ab"] == [1, 2]


def test_the_list_counts_few_phones_each_time_and_many_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(browser: Client) -> str:
        return browser.get("/phones/").content.decode()

    ana, there = signed_in(world.ana), Device.objects.filter(account=world.acme.account).count()
    make_phone(world.acme.account, by=actor(world.ana))
    assert f"All <b>{there + 1}</b>" in said(ana)
    monkeypatch.setattr(phones_page, "MANY", 0)
    assert f"All <b>{there + 1}</b>" in said(ana)
    make_phone(world.acme.account, by=actor(world.ana))
    assert f"All <b>{there + 1}</b>" in said(ana)
    cache.clear()
    assert f"All <b>{there + 2}</b>" in said(ana)
