"""Phones among thousands ask what they ask alone, and try again as often as their makers say."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable

import pytest
import redis

from provisioning.gate import DeviceFacts, State
from security.networks import parse_origin
from tests.edge.serving import ServedEdge
from tests.edge.shelf import Shelf
from tests.simulator import Crowd, Member, Outcome, Phone
from tests.simulator.conftest import CODE, CURRENT, MAC, PROXY, root_for
from tests.simulator.test_phones import AGENTS, OVER_HTTPS

Stage = Callable[..., ServedEdge]
MODELS = [
    ("yealink", "T46S"),
    ("yealink", "T38G"),
    ("poly", "VVX450"),
    ("snom", "D785"),
    ("fanvil", "X6U-Pro"),
    ("grandstream", "GRP2614"),
    ("cisco", "8841"),
]


def crowd_of(edge: ServedEdge, family: str, model: str, *, number: int = 1, private: bool = False) -> Crowd:
    root = root_for(family, model)
    home = f"{root}d/{CURRENT}/" if private else ""
    members = [Member(MAC, AGENTS[family, model], "127.0.0.1", home)] * number
    at = ("127.0.0.1", edge.port)
    return Crowd(members, root, connect_to=at, headers=lambda _: OVER_HTTPS, via=PROXY, pace=0.0)


def played(crowd: Crowd) -> list[Outcome]:
    outcomes: list[Outcome] = []
    asyncio.run(crowd.power_up(seen=lambda _, outcome: outcomes.append(outcome)))
    return outcomes


@pytest.mark.parametrize(("family", "model"), MODELS)
def test_in_a_crowd_a_phone_asks_what_it_asks_alone(stage: Stage, family: str, model: str) -> None:
    edge = stage(family, model)
    at, root = ("127.0.0.1", edge.port), root_for(family, model)
    alone = Phone(MAC, AGENTS[family, model], root, PROXY, connect_to=at, headers=OVER_HTTPS).boot()

    (outcome,) = played(crowd_of(edge, family, model))

    # What is not there is asked for again by some: once each is enough to compare.
    assert list(dict.fromkeys(outcome.statuses)) == list(dict.fromkeys(alone.statuses))
    assert outcome.secret_of("200") == "planted-secret"
    assert outcome.server == alone.server


@pytest.mark.parametrize(("family", "model"), MODELS)
def test_one_that_was_set_up_before_asks_at_its_private_url(stage: Stage, family: str, model: str) -> None:
    edge = stage(family, model)

    (outcome,) = played(crowd_of(edge, family, model, private=True))

    assert outcome.secret_of("200") == "planted-secret", outcome.statuses
    assert all(f"/d/{CURRENT}/" in asked.url for asked in outcome.asked), outcome.statuses


def test_a_thousand_get_power_together_and_all_are_served(stage: Stage) -> None:
    edge = stage("yealink", "T46S")
    crowd = crowd_of(edge, "yealink", "T46S", number=1000, private=True)

    tally = asyncio.run(crowd.power_up())

    assert (tally.phones, tally.served, tally.unserved) == (1000, 1000, [])
    assert set(tally.statuses) <= {200, 404}
    assert tally.statuses[200] >= 1000
    assert len(tally.seconds) == 1000


@pytest.mark.parametrize(
    ("family", "model", "asked"),
    [
        ("yealink", "T46S", {"MAC.boot": 3, "y000000000000.boot": 3, "y000000000000.cfg": 1, "MAC.cfg": 3}),
        ("poly", "VVX450", {"MAC.cfg": 2, "000000000000.cfg": 1}),
        ("snom", "D785", {"snomD785.htm": 1, "snomD785-MAC.htm": 1}),
    ],
)
def test_a_refused_phone_asks_as_often_as_its_maker_says(
    stage: Stage, store: "redis.Redis", family: str, model: str, asked: dict[str, int]
) -> None:
    edge = stage(family, model)
    elsewhere = (parse_origin("127.0.0.77"),)
    Shelf(store).lock(DeviceFacts(CODE, MAC, family, "0001", State.LOCKED, bound=elsewhere), model=model)

    (outcome,) = played(crowd_of(edge, family, model))

    names = (one.url.rsplit("/", 1)[-1].lower() for one in outcome.asked)
    assert Counter(name.replace(MAC, "mac") for name in names) == {k.lower(): n for k, n in asked.items()}
    assert outcome.secrets == {}


@pytest.mark.parametrize(
    ("agent", "times"),
    [
        (("yealink", "T46S"), 3),
        (("poly", "VVX450"), 6),  # its updater and its application
        (("snom", "D785"), 1),
    ],
)
def test_when_nobody_answers_it_tries_as_often_and_gives_up(agent: tuple[str, str], times: int) -> None:
    crowd = Crowd(
        [Member(MAC, AGENTS[agent], "127.0.0.1")],
        "http://phones.example.org/",
        connect_to=("127.0.0.1", 9),  # nobody listens
        pace=0.0,
    )

    (outcome,) = played(crowd)

    assert {one.status for one in outcome.asked} == {0}
    names = [one.url for one in outcome.asked]
    assert len(list(itertools.takewhile(lambda name: name == names[0], names))) == times
